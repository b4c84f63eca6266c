// What every call of this folder has in common: metadata, deadlines, errors, repetition; and the
// two kinds of streams with a blocking face. Private to this folder; the only header here with
// gRPC.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/config/secret.h"
#include "base/net/grpc/channel.h"
#include "base/random.h"
#include "base/retry.h"
#include "base/sync/mutex.h"
#include "cas/client/remote_store.h"

namespace slipway::cas {

// Thread-safe.
class Caller {
 public:
  Caller(const RemoteOptions& options, base::Random& random) : options_(options), random_(random) {}

  const RemoteOptions& options() const { return options_; }
  // The metadata of a call: schema, trace, token.
  void Prepare(grpc::ClientContext& context, const base::Secret& token) const;
  void SetDeadline(grpc::ClientContext& context) const;  // call_timeout from now
  // `status` of a call in our terms, "`what`: " before its text. OK stays OK.
  absl::Status Convert(const grpc::Status& status, const grpc::ClientContext& context,
                       absl::string_view what) const;
  // Repeats `attempt`, which must have had no effect when it fails, while the server says that it
  // cannot be reached or is overloaded.
  absl::Status Repeat(absl::FunctionRef<absl::Status()> attempt);
  // One unary call with its metadata, deadline and cancellation.
  absl::Status Once(absl::string_view what, const base::Secret& token,
                    absl::FunctionRef<grpc::Status(grpc::ClientContext&)> call);
  // The same, repeated.
  absl::Status Unary(absl::string_view what, const base::Secret& token,
                     absl::FunctionRef<grpc::Status(grpc::ClientContext&)> call);

  base::Retry MakeRetry() const;
  // Sleeps before another try after `status`, unless there is none: then false.
  bool PauseFor(base::Retry& retry, const absl::Status& status) const;

 private:
  const RemoteOptions options_;
  base::Random& random_;
};

// InvalidArgument: `token` cannot be sent as a header. The text does not have it.
absl::Status CheckToken(const base::Secret& token);

// The state that both streams share. One thread uses a stream; gRPC's call back.
class StreamState {
 public:
  StreamState(const Caller& caller, absl::Duration stall_timeout)
      : caller_(caller), stall_timeout_(stall_timeout) {}

  grpc::ClientContext& context() { return context_; }
  // Registers the cancellation; before the call starts.
  void Watch();
  void Begin() ABSL_LOCKS_EXCLUDED(mutex_);  // an operation is in flight
  void End(bool ok) ABSL_LOCKS_EXCLUDED(mutex_);
  void Done(const grpc::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits for the operation in flight; what it said. A stall cancels the call.
  bool AwaitOperation() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until the call is over. Once over it stays so.
  absl::Status AwaitDone(absl::string_view what) ABSL_LOCKS_EXCLUDED(mutex_);
  void Cancel() { context_.TryCancel(); }

 private:
  void Await(const bool& flag) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Caller& caller_;
  const absl::Duration stall_timeout_;
  grpc::ClientContext context_;
  std::shared_ptr<void> on_cancel_;
  base::Mutex mutex_;
  base::CondVar changed_;
  bool idle_ ABSL_GUARDED_BY(mutex_) = true;  // no operation in flight
  bool ok_ ABSL_GUARDED_BY(mutex_) = true;    // of the last operation
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  bool stalled_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status status_ ABSL_GUARDED_BY(mutex_);
};

// A call that is answered by many messages. One message is read ahead.
template <class Response>
class ReadStream : public grpc::ClientReadReactor<Response> {
 public:
  explicit ReadStream(const Caller& caller) : ReadStream(caller, caller.options().stall_timeout) {}
  ReadStream(const Caller& caller, absl::Duration stall_timeout) : state_(caller, stall_timeout) {}
  ~ReadStream() override {
    if (!started_) return;
    state_.Cancel();
    Finish("").IgnoreError();
  }

  grpc::ClientContext& context() { return state_.context(); }
  // After the stub was given this reactor.
  void Start() {
    started_ = true;
    state_.Watch();
    this->AddHold();
    Read();
    this->StartCall();
  }
  // The next message; false: there is none, and Finish says why.
  bool Next(Response& message) {
    if (released_ || !state_.AwaitOperation()) return false;
    std::swap(message, ahead_);
    Read();
    return true;
  }
  absl::Status Finish(absl::string_view what) {
    if (!std::exchange(released_, true)) this->RemoveHold();
    return state_.AwaitDone(what);
  }

 private:
  void Read() {
    state_.Begin();
    this->StartRead(&ahead_);
  }
  void OnReadDone(bool ok) override { state_.End(ok); }
  void OnDone(const grpc::Status& status) override { state_.Done(status); }

  StreamState state_;
  Response ahead_;
  bool started_ = false;
  bool released_ = false;
};

// A call made of many messages with one answer. One message is in flight while the next is made.
template <class Request, class Response>
class WriteStream : public grpc::ClientWriteReactor<Request> {
 public:
  explicit WriteStream(const Caller& caller) : state_(caller, caller.options().stall_timeout) {}
  ~WriteStream() override {
    if (!started_) return;
    state_.Cancel();
    Release("").IgnoreError();
  }

  grpc::ClientContext& context() { return state_.context(); }
  Response& response() { return response_; }  // to be given to the stub; valid after Finish
  void Start() {
    started_ = true;
    state_.Watch();
    this->AddHold();
    this->StartCall();
  }
  // Takes `message`. False: the call is over, and Finish says why.
  bool Write(Request& message) {
    if (released_ || !state_.AwaitOperation()) return false;
    std::swap(in_flight_, message);
    state_.Begin();
    this->StartWrite(&in_flight_);
    return true;
  }
  // Says that there is no more, and waits for the answer.
  absl::Status Finish(absl::string_view what) {
    if (!released_ && state_.AwaitOperation()) {
      state_.Begin();
      this->StartWritesDone();
    }
    return Release(what);
  }

 private:
  absl::Status Release(absl::string_view what) {
    if (!std::exchange(released_, true)) this->RemoveHold();
    return state_.AwaitDone(what);
  }
  void OnWriteDone(bool ok) override { state_.End(ok); }
  void OnWritesDoneDone(bool ok) override { state_.End(ok); }
  void OnDone(const grpc::Status& status) override { state_.Done(status); }

  StreamState state_;
  Request in_flight_;
  Response response_;
  bool started_ = false;
  bool released_ = false;
};

}  // namespace slipway::cas
