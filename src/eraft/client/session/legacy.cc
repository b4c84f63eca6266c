#include "eraft/client/session/legacy.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace slipway::eraft::client {
namespace {

constexpr int64_t kIdMax = std::numeric_limits<int64_t>::max();

absl::string_view NameOf(LegacyOp op) {
  return op == LegacyOp::kGet ? "get" : op == LegacyOp::kPut ? "put" : "append";
}

// No other node and no later time would give another answer.
bool IsPermanent(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
      return true;
    default:
      return false;
  }
}

}  // namespace

LegacySession::LegacySession(LegacyOptions options, base::Clock& clock, base::Random& random,
                             LegacyCaller& caller)
    : options_(std::move(options)),
      clock_(clock),
      caller_(caller),
      route_(options_.addresses, random, options_.route),
      client_id_(static_cast<int64_t>(random.Below(static_cast<uint64_t>(kIdMax)) + 1)) {}

absl::StatusOr<std::optional<std::string>> LegacySession::Run(LegacyOp op, const std::string& key,
                                                              const std::string& value,
                                                              absl::Duration deadline) {
  Attempt attempt;
  attempt.request = {op, key, value, client_id_, next_command_++};
  const auto fail = [&](absl::StatusCode code, absl::string_view why) {
    const Executed fate = attempt.maybe ? Executed::kUnknown : Executed::kNo;
    const std::string last =
        attempt.trouble.empty() ? "" : absl::StrCat("; the last trouble: ", attempt.trouble);
    return WithExecuted(
        base::MakeError(code, absl::StrCat(NameOf(op), ": ", why, "; ", ExecutedText(fate), last),
                        {"", attempt.hint}),
        fate);
  };
  for (;;) {
    const absl::Duration left = deadline - clock_.Monotonic();
    if (left <= absl::ZeroDuration()) {
      return fail(absl::StatusCode::kDeadlineExceeded, "no answer in time");
    }
    auto end =
        Judge(caller_.Command(route_.address(), attempt.request, std::min(left, options_.attempt)),
              attempt);
    if (end.has_value()) return *std::move(end);
    const absl::Duration rest = std::max(deadline - clock_.Monotonic(), absl::ZeroDuration());
    if (!caller_.Wait(std::min(attempt.wait, rest))) {
      return fail(absl::StatusCode::kCancelled, "it was broken off");
    }
  }
}

std::optional<absl::StatusOr<std::optional<std::string>>> LegacySession::Judge(LegacyAnswer answer,
                                                                               Attempt& attempt) {
  const bool write = attempt.request.op != LegacyOp::kGet;
  const auto end = [&](const absl::Status& status, Executed executed) {
    return absl::StatusOr<std::optional<std::string>>(
        WithExecuted(base::Annotate(status, NameOf(attempt.request.op)),
                     executed == Executed::kNo && attempt.maybe ? Executed::kUnknown : executed));
  };
  const std::string& address = route_.address();
  if (!answer.status.ok()) {
    if (IsPermanent(answer.status)) return end(answer.status, Executed::kNo);
    attempt.maybe = attempt.maybe || (write && answer.sent);
    attempt.trouble = absl::StrCat(address, ": ", answer.status.message());
    attempt.hint = base::GetErrorInfo(answer.status).hint;
    attempt.wait = answer.leader.empty() ? route_.Failed() : route_.Redirected(answer.leader);
    return std::nullopt;
  }
  if (answer.err == "OK" || answer.err == "ErrNoKey") {
    route_.Worked();
    if (write || answer.err == "ErrNoKey") return std::optional<std::string>();
    return std::optional<std::string>(std::move(answer.value));
  }
  attempt.hint.clear();
  attempt.trouble =
      absl::StrCat(address, ": ", answer.not_executed.empty() ? answer.err : answer.not_executed);
  if (answer.err == "ErrWrongLeader") {
    attempt.wait = route_.Redirected(answer.leader);
    return std::nullopt;
  }
  if (answer.err == "ErrTimeout" || answer.err == "ErrNotReady") {
    // A leader that has lost its majority says so for long: another may know better.
    const bool doubt = answer.err == "ErrTimeout" && answer.not_executed.empty();
    attempt.maybe = attempt.maybe || (write && doubt);
    attempt.wait = route_.Redirected(answer.leader);
    return std::nullopt;
  }
  if (answer.err == "ErrWrongGroup") {
    return end(absl::FailedPreconditionError(absl::StrCat(address, " does not hold this key")),
               Executed::kNo);
  }
  if (answer.err == "ErrOutDated") {
    return end(absl::FailedPreconditionError(absl::StrCat(
                   address, " has executed it before and does not know the answer any more")),
               write ? Executed::kYes : Executed::kNo);
  }
  return end(absl::InternalError(absl::StrCat(address, " answered \"", answer.err.substr(0, 64),
                                              "\", which is no answer")),
             write ? Executed::kUnknown : Executed::kNo);
}

}  // namespace slipway::eraft::client
