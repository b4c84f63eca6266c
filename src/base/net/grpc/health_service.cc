#include "base/net/grpc/health_service.h"

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/impl/codegen/server_callback_handlers.h>
#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/support/server_callback.h>

#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/sync/mutex.h"
#include "compat/grpc/health/v1/health.pb.h"

namespace slipway::base::net {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

constexpr char kCheck[] = "/grpc.health.v1.Health/Check";
constexpr char kWatch[] = "/grpc.health.v1.Health/Watch";
constexpr size_t kWatchersMax = 1000;

}  // namespace

struct HealthService::State {
  explicit State(Health& h) : health(h) {}
  bool Knows(const std::string& name) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    return name.empty() || names.count(name) != 0 || health.ServiceServing(name).has_value();
  }
  HealthCheckResponse::ServingStatus StatusOf(const std::string& name) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (!Knows(name)) return HealthCheckResponse::SERVICE_UNKNOWN;
    const std::optional<bool> own = health.ServiceServing(name);
    return own.value_or(ready) && !closed ? HealthCheckResponse::SERVING
                                          : HealthCheckResponse::NOT_SERVING;
  }
  void SetReady(bool now) {
    MutexLock lock(mutex);
    SetReadyLocked(now);
  }
  void SetReadyLocked(bool now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  Health& health;
  // A watcher is told under this lock, which its end also takes: so it is there while it is told.
  Mutex mutex;
  std::set<std::string> names ABSL_GUARDED_BY(mutex);
  bool ready ABSL_GUARDED_BY(mutex) = false;
  bool closed ABSL_GUARDED_BY(mutex) = false;
  std::set<Watcher*> watchers ABSL_GUARDED_BY(mutex);
};

// One Watch call: sends the newest status, one write at a time. Ends itself.
class HealthService::Watcher final : public grpc::ServerWriteReactor<HealthCheckResponse> {
 public:
  Watcher(std::shared_ptr<State> state, std::shared_ptr<CallGate> gate, std::string name)
      : state_(std::move(state)), gate_(std::move(gate)), name_(std::move(name)) {
    bool full = false;
    {
      MutexLock lock(state_->mutex);
      full = state_->watchers.size() >= kWatchersMax;
      if (!full) {
        state_->watchers.insert(this);
        Tell(state_->StatusOf(name_), state_->closed);
        return;
      }
    }
    FinishOnce({grpc::StatusCode::RESOURCE_EXHAUSTED,
                absl::StrCat("watch health: ", kWatchersMax, " calls watch already")});
  }

  // With the lock of the state. `last`: end the call after this status.
  void Tell(HealthCheckResponse::ServingStatus status, bool last) {
    MutexLock lock(mutex_);
    wanted_ = status;
    last_ = last_ || last;
    Continue();
  }

  const std::string& name() const { return name_; }

  void OnWriteDone(bool ok) override {
    MutexLock lock(mutex_);
    writing_ = false;
    if (!ok) last_ = true;
    Continue();
  }
  void OnCancel() override { FinishOnce(grpc::Status::CANCELLED); }
  void OnDone() override {
    {
      MutexLock lock(state_->mutex);
      state_->watchers.erase(this);
    }
    if (gate_ != nullptr) {
      MutexLock lock(mutex_);
      gate_->Count(gate_->Find(kWatch), static_cast<absl::StatusCode>(code_));
    }
    delete this;
  }

 private:
  void Continue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_ || finished_) return;
    if (wanted_ != sent_) {
      sent_ = wanted_;
      response_.set_status(sent_);
      writing_ = true;
      StartWrite(&response_);
    } else if (last_) {
      End({grpc::StatusCode::UNAVAILABLE, "watch health: the server stops; ask another one"});
    }
  }
  void FinishOnce(const grpc::Status& status) {
    MutexLock lock(mutex_);
    if (!finished_) End(status);
  }
  void End(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    finished_ = true;
    code_ = status.error_code();
    Finish(status);
  }

  const std::shared_ptr<State> state_;
  const std::shared_ptr<CallGate> gate_;
  const std::string name_;
  Mutex mutex_;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool last_ ABSL_GUARDED_BY(mutex_) = false;
  HealthCheckResponse::ServingStatus wanted_ ABSL_GUARDED_BY(mutex_) = HealthCheckResponse::UNKNOWN;
  HealthCheckResponse::ServingStatus sent_ ABSL_GUARDED_BY(mutex_) = HealthCheckResponse::UNKNOWN;
  grpc::StatusCode code_ ABSL_GUARDED_BY(mutex_) = grpc::StatusCode::OK;
  HealthCheckResponse response_ ABSL_GUARDED_BY(mutex_);
};

void HealthService::State::SetReadyLocked(bool now) {
  ready = now;
  for (Watcher* watcher : watchers) watcher->Tell(StatusOf(watcher->name()), closed);
}

class HealthService::Methods final : public grpc::Service {
 public:
  Methods(std::shared_ptr<State> state, Raw& raw) : state_(std::move(state)), raw_(raw) {
    using grpc::internal::RpcMethod;
    using grpc::internal::RpcServiceMethod;
    AddMethod(new RpcServiceMethod(kCheck, RpcMethod::NORMAL_RPC, nullptr));
    MarkMethodCallback(
        0, new grpc::internal::CallbackUnaryHandler<HealthCheckRequest, HealthCheckResponse>(
               [this](grpc::CallbackServerContext* context, const HealthCheckRequest* request,
                      HealthCheckResponse* response) {
                 grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
                 reactor->Finish(Check(*request, *response));
                 return reactor;
               }));
    AddMethod(new RpcServiceMethod(kWatch, RpcMethod::SERVER_STREAMING, nullptr));
    MarkMethodCallback(
        1,
        new grpc::internal::CallbackServerStreamingHandler<HealthCheckRequest, HealthCheckResponse>(
            [this](grpc::CallbackServerContext*, const HealthCheckRequest* request) {
              return new Watcher(state_, raw_.gate, request->service());
            }));
  }

 private:
  grpc::Status Check(const HealthCheckRequest& request, HealthCheckResponse& response) {
    {
      MutexLock lock(state_->mutex);
      response.set_status(state_->StatusOf(request.service()));
    }
    if (response.status() == HealthCheckResponse::SERVICE_UNKNOWN) {
      Count(kCheck, absl::StatusCode::kNotFound);
      return {grpc::StatusCode::NOT_FOUND, "check health: the server has no such service"};
    }
    Count(kCheck, absl::StatusCode::kOk);
    return grpc::Status::OK;
  }
  // Not a ServerCall: health is asked most when the server is full.
  void Count(const char* method, absl::StatusCode code) {
    if (raw_.gate != nullptr) raw_.gate->Count(raw_.gate->Find(method), code);
  }

  const std::shared_ptr<State> state_;
  Raw& raw_;
};

HealthService::HealthService(Health& health)
    : state_(std::make_shared<State>(health)), methods_(std::make_unique<Methods>(state_, raw_)) {
  raw_.service = methods_.get();
  raw_.methods = {kCheck, kWatch};
  // `health` cannot forget a callback, so this one outlives the service.
  health.OnChange([weak = std::weak_ptr<State>(state_)](bool ready) {
    if (const auto state = weak.lock()) state->SetReady(ready);
  });
  // Asked under the lock: a change from now on waits for it, and so comes after.
  MutexLock lock(state_->mutex);
  state_->SetReadyLocked(health.ready());
}

HealthService::~HealthService() = default;

void HealthService::AddNames(const std::vector<std::string>& names) {
  MutexLock lock(state_->mutex);
  state_->names.insert(names.begin(), names.end());
}

void HealthService::Close() {
  MutexLock lock(state_->mutex);
  state_->closed = true;
  for (Watcher* watcher : state_->watchers) {
    watcher->Tell(state_->StatusOf(watcher->name()), /*last=*/true);
  }
}

}  // namespace slipway::base::net
