#include "cas/client/grpc_call.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/net/call.h"
#include "base/net/grpc/grpc_client.h"
#include "base/status.h"

namespace slipway::cas {
namespace {

constexpr absl::Duration kRetryAfterMax = absl::Seconds(10);
constexpr absl::Duration kForever = absl::Hours(24);

base::ErrorInfo InfoOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return {"ZK4003", "check the address, TLS, and that zako-casd runs there"};
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return {"ZK4004", "use a token, or a certificate, that the server knows for this"};
    case absl::StatusCode::kResourceExhausted:
      return {"ZK4002", "free space on the server, or try again later"};
    case absl::StatusCode::kUnimplemented:
      return {"", "the server is no zako-casd, or this role of it is off"};
    default:
      return {};
  }
}

}  // namespace

void Caller::Prepare(grpc::ClientContext& context, const base::Secret& token) const {
  base::net::ClientCall call;
  call.token = std::string(token.Reveal());
  call.trace = options_.trace;
  base::net::PrepareCall(call, context);
  context.AddMetadata("zako-schema", "1");  // Z47
}

void Caller::SetDeadline(grpc::ClientContext& context) const {
  // From now by gRPC's own clock.
  const absl::Duration timeout = std::min(options_.call_timeout, kForever);
  context.set_deadline(gpr_time_from_millis(absl::ToInt64Milliseconds(timeout), GPR_TIMESPAN));
}

absl::Status Caller::Convert(const grpc::Status& status, const grpc::ClientContext& context,
                             absl::string_view what) const {
  if (status.ok()) return absl::OkStatus();
  const absl::Status result = base::net::FromGrpcStatus(status, context);
  return base::net::WithRetryAfter(
      base::WithInfo(base::Annotate(result, what), InfoOf(result.code())),
      base::net::GetRetryAfter(result));
}

base::Retry Caller::MakeRetry() const {
  base::RetryOptions retry;
  retry.tries_max = options_.attempts;
  return base::Retry(retry, random_);
}

bool Caller::PauseFor(base::Retry& retry, const absl::Status& status) const {
  if (!absl::IsUnavailable(status) && !absl::IsResourceExhausted(status)) return false;
  // Both mean "later" here; Retry knows one of them.
  const auto delay = retry.Next(absl::UnavailableError(""), absl::InfiniteDuration());
  if (!delay || options_.cancel.cancelled()) return false;
  // The server says how long it wants to be left alone at least.
  const absl::Duration asked = std::min(base::net::GetRetryAfter(status), kRetryAfterMax);
  base::Mutex mutex;
  base::CondVar wake;
  const std::shared_ptr<void> registered = options_.cancel.OnCancel([&] {
    const base::MutexLock lock(mutex);
    wake.NotifyAll();
  });
  const base::MutexLock lock(mutex);
  if (!options_.cancel.cancelled()) {
    wake.WaitFor(mutex, std::max(*delay, asked));
  }
  return !options_.cancel.cancelled();
}

absl::Status Caller::Repeat(absl::FunctionRef<absl::Status()> attempt) {
  base::Retry retry = MakeRetry();
  for (;;) {
    absl::Status status = options_.cancel.status();
    if (status.ok()) status = attempt();
    if (status.ok() || !PauseFor(retry, status)) return status;
  }
}

absl::Status Caller::Once(absl::string_view what, const base::Secret& token,
                          absl::FunctionRef<grpc::Status(grpc::ClientContext&)> call) {
  grpc::ClientContext context;
  Prepare(context, token);
  SetDeadline(context);
  const std::shared_ptr<void> registered = base::net::CancelWith(options_.cancel, context);
  const absl::Status status = Convert(call(context), context, what);
  const absl::Status cancelled = options_.cancel.status();
  return status.ok() || cancelled.ok() ? status : base::Annotate(cancelled, what);
}

absl::Status Caller::Unary(absl::string_view what, const base::Secret& token,
                           absl::FunctionRef<grpc::Status(grpc::ClientContext&)> call) {
  return Repeat([&] { return Once(what, token, call); });
}

absl::Status CheckToken(const base::Secret& token) {
  // gRPC ends the process over any other byte in a header.
  const absl::string_view text = token.Reveal();
  if (std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; })) {
    return absl::OkStatus();
  }
  return base::MakeError(absl::StatusCode::kInvalidArgument,
                         "use token: it has characters that no header can carry",
                         {"", "a token is one line of printable ASCII characters"});
}

void StreamState::Watch() {
  on_cancel_ = base::net::CancelWith(caller_.options().cancel, context_);
}

void StreamState::Begin() {
  const base::MutexLock lock(mutex_);
  idle_ = false;
}

void StreamState::End(bool ok) {
  const base::MutexLock lock(mutex_);
  idle_ = true;
  ok_ = ok;
  changed_.NotifyAll();
}

void StreamState::Done(const grpc::Status& status) {
  const base::MutexLock lock(mutex_);
  done_ = true;
  status_ = status;
  changed_.NotifyAll();
}

void StreamState::Await(const bool& flag) {
  const absl::Duration timeout = std::min(stall_timeout_, kForever);
  while (!flag) {
    const bool woken = changed_.WaitFor(mutex_, stalled_ ? kForever : timeout);
    if (woken || flag || stalled_) continue;
    stalled_ = true;
    context_.TryCancel();
  }
}

bool StreamState::AwaitOperation() {
  const base::MutexLock lock(mutex_);
  Await(idle_);
  return ok_;
}

absl::Status StreamState::AwaitDone(absl::string_view what) {
  const base::MutexLock lock(mutex_);
  Await(done_);
  if (stalled_ && !status_.ok()) {
    return base::MakeError(
        absl::StatusCode::kDeadlineExceeded,
        absl::StrCat(what, ": nothing moved for ", absl::FormatDuration(stall_timeout_)),
        InfoOf(absl::StatusCode::kDeadlineExceeded));
  }
  const absl::Status cancelled = caller_.options().cancel.status();
  if (!status_.ok() && !cancelled.ok()) return base::Annotate(cancelled, what);
  return caller_.Convert(status_, context_, what);
}

}  // namespace slipway::cas
