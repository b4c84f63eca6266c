#include "eraft/service/calls.h"

#include "absl/strings/str_cat.h"
#include "base/log/log.h"
#include "base/status.h"

namespace slipway::eraft {
namespace {

constexpr char kLeaderKey[] = "x-eraft-leader";
constexpr char kNotExecutedKey[] = "x-eraft-not-executed";
constexpr size_t kReasonBytesMax = 200;
constexpr char kRequestIdKey[] = "x-request-id";
constexpr char kTokenKey[] = "token";
constexpr size_t kRequestIdBytesMax = 64;

std::string MetadataOf(const grpc::CallbackServerContext& context, const char* key) {
  const auto found = context.client_metadata().find(key);
  if (found == context.client_metadata().end()) return "";
  return std::string(found->second.data(), found->second.size());
}

}  // namespace

void SlowLog::Note(const Request& request) {
  if (threshold_ == absl::ZeroDuration()) return;
  const absl::Duration now = clock_.Monotonic();
  if (now - request.begun < threshold_) return;
  slow_.Increment();
  {
    base::MutexLock lock(mutex_);
    if (!limiter_.TryTake(1, now)) return;
  }
  const auto ms = [](absl::Duration from, absl::Duration to) {
    return from == absl::ZeroDuration() || to < from ? 0 : absl::ToDoubleMilliseconds(to - from);
  };
  SLIPWAY_LOG(kWarn, "slow request",
              {{"method", request.method},
               {"peer", request.peer},
               {"result", request.result},
               {"request_id", request.request_id},
               {"trace_id", request.trace_id},
               {"ms", ms(request.begun, now)},
               {"queue_ms", ms(request.begun, request.proposed)},
               {"consensus_and_apply_ms", ms(request.proposed, request.answered)},
               {"reply_ms", ms(request.answered, now)}});
}

base::net::Call CallOf(const base::net::ServerCall& call,
                       const grpc::CallbackServerContext& context) {
  base::net::Call own = call.call();
  if (!own.authorization.empty()) return own;
  const std::string token = MetadataOf(context, kTokenKey);
  if (!token.empty()) own.authorization = absl::StrCat("Bearer ", token);
  return own;
}

UnaryCall::UnaryCall(ServiceParts& parts, base::net::Service::Raw& raw,
                     grpc::CallbackServerContext& context, grpc::ServerUnaryReactor& reactor,
                     const Method& method)
    : parts_(parts),
      context_(context),
      reactor_(reactor),
      method_(method),
      call_(std::make_unique<base::net::ServerCall>(raw, context, method.path)),
      peer_(call_->call().peer),
      request_id_(MetadataOf(context, kRequestIdKey).substr(0, kRequestIdBytesMax)),
      begun_(parts.replica.now()) {
  const absl::Time deadline = call_->call().deadline;
  if (deadline == absl::InfiniteFuture()) return;
  deadline_ = begun_ + (deadline - parts.replica.wall());
}

UnaryCall::~UnaryCall() {
  if (call_ != nullptr) End(absl::UnavailableError("run call: the server stops; call another one"));
}

UnaryCall::Ptr UnaryCall::Begin(ServiceParts& parts, base::net::Service::Raw& raw,
                                grpc::CallbackServerContext& context,
                                grpc::ServerUnaryReactor& reactor, const Method& method) {
  auto call = std::make_shared<UnaryCall>(parts, raw, context, reactor, method);
  absl::Status status = call->call_->admitted();
  if (status.ok()) {
    auto caller =
        parts.access.Check(CallOf(*call->call_, context), method.role, &call->caller_.subject);
    status = caller.status();
    if (caller.ok()) call->caller_ = *std::move(caller);
  }
  if (status.ok()) return call;
  call->Finish(status);
  return nullptr;
}

void UnaryCall::AddLeaderHint() {
  const auto view = parts_.replica.view();
  const std::string leader = view->leader_address();
  if (!leader.empty()) context_.AddTrailingMetadata(kLeaderKey, leader);
}

void UnaryCall::AddNotExecuted(absl::string_view why) {
  std::string text(why.substr(0, kReasonBytesMax));
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';  // no header carries it
  }
  context_.AddTrailingMetadata(kNotExecutedKey, text);
}

void UnaryCall::Finish(const absl::Status& status, absl::string_view result) {
  const std::string shown =
      result.empty() ? absl::StatusCodeToString(status.code()) : std::string(result);
  parts_.slow.Note({.method = method_.path,
                    .peer = peer_,
                    .request_id = request_id_,
                    .trace_id = call_->call().trace.trace_id(),
                    .begun = begun_,
                    .proposed = proposed_,
                    .answered = answered_,
                    .result = shown});
  if (method_.audit == nullptr || parts_.audit == nullptr) return End(status);
  // The log blocks on its disk. Where the pool is full this thread waits, at worst.
  auto write = [self = shared_from_this(), status] {
    self->parts_.audit->Write({.actor = self->caller_.subject,
                               .peer = self->peer_,
                               .op = self->method_.audit,
                               .target = self->target_,
                               .request_id = self->request_id_,
                               .outcome = status,
                               .fields = std::move(self->fields_)});
    self->End(status);
  };
  auto shared = std::make_shared<decltype(write)>(std::move(write));
  if (!parts_.pool.Submit([shared] { (*shared)(); }).ok()) (*shared)();
}

void UnaryCall::End(const absl::Status& status) {
  const grpc::Status answer = call_->Finish(status);
  call_.reset();  // before the context goes
  reactor_.Finish(answer);
}

}  // namespace slipway::eraft
