// What makes stubs and calls over a Channel. Only client/ folders include this.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/net/grpc/channel.h"
#include "base/net/trace.h"
#include "base/sync/cancel.h"

namespace slipway::base::net {

struct Channel::Raw {
  std::shared_ptr<grpc::Channel> channel;
};

// What a call takes along.
struct ClientCall {
  absl::Time deadline = absl::InfiniteFuture();
  std::string token;  // sent as `authorization: Bearer <token>`; empty: none. Never logged
  Trace trace;
  bool wait_for_ready = false;  // wait for a connection until the deadline, do not fail at once
};

// Sets `context` up before its call begins.
void PrepareCall(const ClientCall& call, grpc::ClientContext& context);

// Cancels the call when `token` is cancelled, while the returned handle lives; it must end before
// `context`.
std::shared_ptr<void> CancelWith(const CancelToken& token, grpc::ClientContext& context);

// What the server said: code, text, id (ErrorInfo), retry hint (GetRetryAfter). `context` is that
// of the finished call. A status that gRPC made for a lost connection is Unavailable.
absl::Status FromGrpcStatus(const grpc::Status& status, const grpc::ClientContext& context);

}  // namespace slipway::base::net
