#include <chrono>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/check.h"
#include "base/net/grpc/call_gate.h"
#include "base/net/grpc/grpc_service.h"

namespace slipway::base::net {
namespace {

constexpr size_t kTextBytesMax = 2048;  // of 8 KiB that a peer takes as metadata
constexpr absl::Duration kRetryAfter = absl::Milliseconds(200);  // of a refusal by calls_max

std::string MetadataOf(const grpc::CallbackServerContext& context, const char* key) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find(key);
  if (found == metadata.end()) return "";
  return std::string(found->second.data(), found->second.size());
}

// gRPC escapes the brackets of an IPv6 address: "ipv6:%5B::1%5D:80".
std::string PeerOf(const grpc::CallbackServerContext& context) {
  return absl::StrReplaceAll(context.peer(), {{"%5B", "["}, {"%5D", "]"}});
}

// The subject alternative names, or the common name where there are none.
std::vector<std::string> NamesOf(const grpc::CallbackServerContext& context) {
  const std::shared_ptr<const grpc::AuthContext> auth = context.auth_context();
  std::vector<std::string> names;
  if (auth == nullptr || !auth->IsPeerAuthenticated()) return names;
  for (const grpc::string_ref& name : auth->GetPeerIdentity()) {
    names.emplace_back(name.data(), name.size());
  }
  return names;
}

}  // namespace

Call ReadCall(const grpc::CallbackServerContext& context) {
  Call call;
  const auto deadline = context.deadline();
  call.deadline = deadline == std::chrono::system_clock::time_point::max()
                      ? absl::InfiniteFuture()
                      : absl::FromChrono(deadline);
  call.peer = PeerOf(context);
  call.names = NamesOf(context);
  if (!call.names.empty()) call.subject = call.names.front();
  call.authorization = MetadataOf(context, "authorization");
  call.trace = ParseTrace(MetadataOf(context, "traceparent"), MetadataOf(context, "tracestate"));
  return call;
}

grpc::Status ToGrpcStatus(const absl::Status& status, grpc::CallbackServerContext& context) {
  if (status.ok()) return grpc::Status::OK;
  const ErrorInfo info = GetErrorInfo(status);
  if (!info.code.empty()) context.AddTrailingMetadata(kErrorIdKey, info.code);
  const absl::Duration after = GetRetryAfter(status);
  if (after > absl::ZeroDuration()) {
    context.AddTrailingMetadata(kRetryAfterKey, absl::StrCat(absl::ToInt64Milliseconds(after)));
  }
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      std::string(status.message().substr(0, kTextBytesMax)));
}

ServerCall::ServerCall(Service::Raw& raw, grpc::CallbackServerContext& context,
                       absl::string_view method)
    : context_(context),
      gate_(raw.gate),
      call_(ReadCall(context)),
      started_(std::chrono::steady_clock::now()) {
  call_.cancel = cancel_.token();
  if (gate_ == nullptr) return;
  CallGate::Method* entry = gate_->Find(method);
  method_ = entry;
  gate_->Begin(entry);
  if (!gate_->Enter()) {
    admitted_ =
        WithRetryAfter(absl::ResourceExhaustedError(
                           "start call: the server runs as many calls as it may; try again later"),
                       kRetryAfter);
  }
}

ServerCall::~ServerCall() {
  stop_.reset();
  if (gate_ == nullptr) return;
  if (admitted_.ok()) gate_->Leave();
  gate_->End(static_cast<CallGate::Method*>(method_), code_,
             absl::FromChrono(std::chrono::steady_clock::now() - started_));
}

void ServerCall::Cancel() {
  cancel_.Cancel({CancelReason::Kind::kOther, "the caller went away or the server stops"});
}

void ServerCall::OnStop(absl::AnyInvocable<void()> stop) {
  if (gate_ != nullptr) stop_ = gate_->stopped().OnCancel(std::move(stop));
}

grpc::Status ServerCall::Finish(const absl::Status& status) {
  SLIPWAY_CHECK(!finished_);
  finished_ = true;
  const bool cut = absl::IsCancelled(status) && gate_ != nullptr && gate_->stopped().cancelled();
  const absl::Status answer =
      cut ? absl::UnavailableError("run call: the server stops; call again, or another server")
          : status;
  code_ = answer.code();
  return ToGrpcStatus(answer, context_);
}

}  // namespace slipway::base::net
