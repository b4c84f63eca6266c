// What a service needs of gRPC: its registration, and one object for each call. Only service/
// folders include this: it costs what <grpcpp/server_context.h> costs.
#pragma once

#include <grpcpp/impl/service_type.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/net/call.h"
#include "base/net/grpc/server.h"
#include "base/sync/cancel.h"

namespace slipway::base::net {

class CallGate;

// A service belongs to one Server at a time.
struct Service::Raw {
  grpc::Service* service = nullptr;
  // "/package.Service/Method" of each method. Left empty for a generated service: its descriptor
  // says it. For one made by hand these are the only names that metrics will show.
  std::vector<std::string> methods;
  // Limits and metrics; the Server sets it. Null: no limits (a test without a Server).
  std::shared_ptr<CallGate> gate;
};

// One call, from the moment the handler gets it to its end: counts it, holds its place among
// `calls_max`, knows deadline, caller and cancellation. Kept by the reactor, or by the job that
// answers; ends before the reactor's OnDone deletes the context.
//
//   auto call = std::make_shared<ServerCall>(raw_, *context, "/zako.v1.Cas/Store");
//   if (!call->admitted().ok()) return reactor->Finish(call->Finish(call->admitted())), reactor;
//   … on the pool: reactor->Finish(call->Finish(status));
//
// Cancel (from OnCancel): thread-safe. The rest: one thread at a time.
class ServerCall {
 public:
  // `method` as in the constructor's example; one that the service does not list counts as "other".
  ServerCall(Service::Raw& raw, grpc::CallbackServerContext& context, absl::string_view method);
  // Without Finish the call counts as CANCELLED.
  ~ServerCall();
  ServerCall(const ServerCall&) = delete;
  ServerCall& operator=(const ServerCall&) = delete;

  // OK, or ResourceExhausted with a time to try again: more calls than the server takes.
  const absl::Status& admitted() const { return admitted_; }
  const Call& call() const { return call_; }
  // The client went away, its deadline passed, or the server stops: call().cancel tells it on.
  void Cancel();
  // At the end of a drain, a moment before the connections go, `stop` shall make the reactor end
  // the call as CANCELLED: Finish makes UNAVAILABLE and a clear text of it. Called once, on any
  // thread, and not after this is destroyed. Without it the client sees what gRPC says of a
  // cancelled call.
  void OnStop(absl::AnyInvocable<void()> stop);
  // What to give to the reactor's Finish, once: counts the code and puts id and retry hint of
  // `status` into the trailing metadata.
  grpc::Status Finish(const absl::Status& status);

 private:
  grpc::CallbackServerContext& context_;
  std::shared_ptr<CallGate> gate_;
  void* method_ = nullptr;  // CallGate::Method
  CancelSource cancel_;
  std::shared_ptr<void> stop_;
  Call call_;
  absl::Status admitted_;
  absl::StatusCode code_ = absl::StatusCode::kCancelled;
  bool finished_ = false;
  std::chrono::steady_clock::time_point started_;
};

// `status` as gRPC has it: same code and text (cut to 2 KiB). Id and retry hint go to the trailing
// metadata of `context`, which has not sent its status yet. For code without a ServerCall.
grpc::Status ToGrpcStatus(const absl::Status& status, grpc::CallbackServerContext& context);

// The caller's side of a call: deadline, peer, subject of its certificate, authorization, trace.
// `cancel` is left empty.
Call ReadCall(const grpc::CallbackServerContext& context);

// Names of metadata, both ways (DECISIONS, section 2).
inline constexpr char kErrorIdKey[] = "slipway-error";
inline constexpr char kRetryAfterKey[] = "retry-after-ms";

}  // namespace slipway::base::net
