// A call answered by a stream of progress (Gc, Scrub). The work never waits for the client: what it
// reports while a message is on its way is put together into the next one. Private to cas/service.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <utility>

#include "base/sync/mutex.h"
#include "cas/service/stream_call.h"

namespace slipway::cas {

template <class Message>
class ProgressReactor : public grpc::ServerWriteReactor<Message>,
                        public std::enable_shared_from_this<ProgressReactor<Message>> {
 public:
  using Ptr = std::shared_ptr<ProgressReactor>;
  // Runs on the pool once the caller is known to be allowed; ends by Done.
  using Work = std::function<void(const Ptr&)>;

  static grpc::ServerWriteReactor<Message>* Start(ServiceParts& parts, base::net::Service::Raw& raw,
                                                  grpc::CallbackServerContext& context,
                                                  const Method& method, Work work) {
    auto reactor = std::make_shared<ProgressReactor>();
    reactor->Begin(parts, raw, context, method, std::move(work));
    return reactor.get();
  }

  // ---- For the work, on any thread; after the end of the call nothing happens ----
  StreamCall& call() { return *call_; }
  bool cancelled() const { return cancel_.cancelled(); }
  // Changes what will be sent next, and sends it if the client is ready for it.
  void Report(const std::function<void(Message&)>& change) {
    base::MutexLock lock(mutex_);
    change(pending_);
    changed_ = true;
    SendIfIdle();
  }
  // The last message has been reported, or the work has failed.
  void Done(const absl::Status& status) {
    base::MutexLock lock(mutex_);
    done_ = true;
    status_ = cancelled() ? absl::CancelledError("the client went away") : status;
    if (!status_.ok()) changed_ = false;
    SendIfIdle();
  }

  // ---- gRPC threads ----
  void OnWriteDone(bool ok) override {
    base::MutexLock lock(mutex_);
    writing_ = false;
    if (!ok) changed_ = false;
    SendIfIdle();
  }
  void OnCancel() override { call_->Cancel(); }  // the work sees it and ends
  void OnDone() override {
    call_->Release();
    const auto self = std::move(self_);
  }

 private:
  void Begin(ServiceParts& parts, base::net::Service::Raw& raw,
             grpc::CallbackServerContext& context, const Method& method, Work work) {
    self_ = this->shared_from_this();
    call_ = std::make_unique<StreamCall>(parts, raw, context, method);
    if (!call_->admitted().ok()) return Done(call_->admitted());
    cancel_ = call_->cancel();
    call_->OnStop([this] { call_->Cancel(); });
    const bool submitted = call_->Submit([self = self_, work = std::move(work)] {
      const absl::Status status = self->call_->AuthorizeCaller();
      if (!status.ok()) return self->Done(status);
      work(self);
    });
    if (!submitted) Done(BusyError());
  }

  void SendIfIdle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_ || call_->finished()) return;
    if (changed_) {
      message_.Swap(&pending_);
      pending_.Clear();
      changed_ = false;
      writing_ = true;
      return this->StartWrite(&message_);
    }
    // The audit record is written here, by whoever comes last: at most by a gRPC thread, once for
    // each run of an administrator.
    if (done_ && call_->TakeFinish()) this->Finish(call_->Finish(status_));
  }

  Ptr self_;
  std::unique_ptr<StreamCall> call_;
  base::CancelToken cancel_;
  base::Mutex mutex_;
  Message pending_ ABSL_GUARDED_BY(mutex_), message_ ABSL_GUARDED_BY(mutex_);
  bool changed_ ABSL_GUARDED_BY(mutex_) = false, writing_ ABSL_GUARDED_BY(mutex_) = false,
                done_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::cas
