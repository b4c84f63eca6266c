#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/net/call.h"
#include "base/net/grpc/grpc_client.h"
#include "base/net/grpc/grpc_service.h"
#include "base/status.h"

namespace slipway::base::net {
namespace {

constexpr absl::Duration kRetryAfterMax = absl::Hours(1);  // what a peer may ask for

std::string TrailingOf(const grpc::ClientContext& context, const char* key) {
  const auto& metadata = context.GetServerTrailingMetadata();
  const auto found = metadata.find(key);
  if (found == metadata.end()) return "";
  return std::string(found->second.data(), found->second.size());
}

}  // namespace

void PrepareCall(const ClientCall& call, grpc::ClientContext& context) {
  if (call.deadline < absl::InfiniteFuture()) {
    context.set_deadline(absl::ToChronoTime(call.deadline));
  }
  if (!call.token.empty()) {
    context.AddMetadata("authorization", absl::StrCat("Bearer ", call.token));
  }
  if (!call.trace.empty()) {
    context.AddMetadata("traceparent", call.trace.traceparent);
    if (!call.trace.tracestate.empty()) context.AddMetadata("tracestate", call.trace.tracestate);
  }
  context.set_wait_for_ready(call.wait_for_ready);
}

std::shared_ptr<void> CancelWith(const CancelToken& token, grpc::ClientContext& context) {
  return token.OnCancel([&context] { context.TryCancel(); });
}

absl::Status FromGrpcStatus(const grpc::Status& status, const grpc::ClientContext& context) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result = MakeError(static_cast<absl::StatusCode>(status.error_code()),
                                  status.error_message(), {TrailingOf(context, kErrorIdKey), ""});
  int64_t milliseconds = 0;
  if (absl::SimpleAtoi(TrailingOf(context, kRetryAfterKey), &milliseconds) && milliseconds > 0) {
    result = WithRetryAfter(std::move(result),
                            std::min(absl::Milliseconds(milliseconds), kRetryAfterMax));
  }
  return result;
}

}  // namespace slipway::base::net
