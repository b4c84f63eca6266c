// The first line is traceparent, the rest tracestate. What is taken over is taken over whole, can
// stand in a header, and is taken over again.
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/net/trace.h"

using slipway::base::net::ParseTrace;
using slipway::base::net::Trace;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t line_end = text.find('\n');
  const absl::string_view parent = text.substr(0, line_end);
  const absl::string_view state =
      line_end == absl::string_view::npos ? "" : text.substr(line_end + 1);
  const Trace trace = ParseTrace(parent, state);
  if (trace.empty()) {
    SLIPWAY_CHECK(trace.tracestate.empty());
    return 0;
  }
  SLIPWAY_CHECK(trace.traceparent == parent);
  SLIPWAY_CHECK(trace.tracestate.empty() || trace.tracestate == state);
  SLIPWAY_CHECK(trace.trace_id().size() == 32);
  for (const char c : trace.traceparent + trace.tracestate) SLIPWAY_CHECK(c >= 0x20 && c < 0x7f);
  SLIPWAY_CHECK(ParseTrace(trace.traceparent, trace.tracestate).traceparent == trace.traceparent);
  return 0;
}
