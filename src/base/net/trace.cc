#include "base/net/trace.h"

namespace slipway::base::net {
namespace {

constexpr size_t kParentBytes = 55;      // "00-" 32 "-" 16 "-" 2
constexpr size_t kParentBytesMax = 256;  // of a later version, which may say more
constexpr size_t kStateBytesMax = 512;   // what level 1 asks everybody to pass on

bool IsLowerHex(absl::string_view text) {
  for (const char c : text) {
    if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) return false;
  }
  return true;
}

bool IsZero(absl::string_view hex) { return hex.find_first_not_of('0') == absl::string_view::npos; }

// What may stand in a header without being changed on its way.
bool IsPrintable(absl::string_view text) {
  for (const char c : text) {
    if (c < 0x20 || c > 0x7e) return false;
  }
  return true;
}

bool IsTraceparent(absl::string_view text) {
  if (text.size() < kParentBytes || text.size() > kParentBytesMax) return false;
  const absl::string_view version = text.substr(0, 2);
  if (!IsLowerHex(version) || version == "ff") return false;
  if (text.size() > kParentBytes && (version == "00" || text[kParentBytes] != '-')) return false;
  if (text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  const absl::string_view trace_id = text.substr(3, 32), parent_id = text.substr(36, 16);
  if (!IsLowerHex(trace_id) || !IsLowerHex(parent_id) || !IsLowerHex(text.substr(53, 2))) {
    return false;
  }
  return !IsZero(trace_id) && !IsZero(parent_id) && IsPrintable(text);
}

}  // namespace

absl::string_view Trace::trace_id() const {
  return empty() ? absl::string_view() : absl::string_view(traceparent).substr(3, 32);
}

Trace ParseTrace(absl::string_view traceparent, absl::string_view tracestate) {
  Trace trace;
  if (!IsTraceparent(traceparent)) return trace;
  trace.traceparent = std::string(traceparent);
  // A state that cannot be passed on as it is must be dropped whole, never cut.
  if (tracestate.size() <= kStateBytesMax && IsPrintable(tracestate)) {
    trace.tracestate = std::string(tracestate);
  }
  return trace;
}

}  // namespace slipway::base::net
