// How a log line reads. Thread-safe: free functions without state.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/log/log.h"

namespace slipway::base::internal {

using LogFields = absl::Span<const LogField>;

// "[INFO] message key=value key="a value"", without the time. Control characters and bytes that are
// not UTF-8 are escaped: one call is one line, whatever it was given.
std::string FormatTextBody(LogLevel level, absl::string_view message, LogFields fields);

// "2024-01-20 10:00:00.123 " and the body; UTC. Milliseconds are cut, not rounded.
std::string FormatTextLine(absl::Time time, bool milliseconds, LogLevel level,
                           absl::string_view message, LogFields fields);

// {"time":"2024-01-20T10:00:00.123Z","level":"info","logger":"x","msg":"…",fields}; `logger` is
// left out when empty.
std::string FormatJsonLine(absl::Time time, absl::string_view logger, LogLevel level,
                           absl::string_view message, LogFields fields);

}  // namespace slipway::base::internal
