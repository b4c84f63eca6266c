#include "eraft/client/session/operation.h"

#include "absl/strings/cord.h"

namespace slipway::eraft::client {
namespace {

constexpr char kPayload[] = "slipway.eraft/executed";

}  // namespace

bool IsWrite(Op op) { return op != Op::kGet && op != Op::kScan; }

absl::Status WithExecuted(const absl::Status& status, Executed executed) {
  absl::Status result = status;
  const char* text = executed == Executed::kNo    ? "no"
                     : executed == Executed::kYes ? "yes"
                                                  : "unknown";
  result.SetPayload(kPayload, absl::Cord(text));
  return result;
}

Executed WasExecuted(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayload);
  if (!payload.has_value()) return Executed::kUnknown;
  return *payload == "no" ? Executed::kNo : *payload == "yes" ? Executed::kYes : Executed::kUnknown;
}

absl::string_view ExecutedText(Executed executed) {
  switch (executed) {
    case Executed::kNo:
      return "it was not executed";
    case Executed::kYes:
      return "it was executed";
    case Executed::kUnknown:
      break;
  }
  return "it may have been executed";
}

}  // namespace slipway::eraft::client
