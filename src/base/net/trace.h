// W3C trace context, passed through from caller to callee. Thread-safe: values.
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace slipway::base::net {

// https://www.w3.org/TR/trace-context/ level 1. Empty: no trace.
struct Trace {
  std::string traceparent;  // valid, or empty
  std::string tracestate;

  bool empty() const { return traceparent.empty(); }
  absl::string_view trace_id() const;  // 32 hex digits, or ""
};

// Takes the headers over where traceparent is valid (version, lengths, lower-case hex, not zero);
// else an empty Trace.
Trace ParseTrace(absl::string_view traceparent, absl::string_view tracestate);

}  // namespace slipway::base::net
