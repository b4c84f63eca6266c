// Log lines: a constant sentence and fields. Thread-safe. spdlog stays in log.cc.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace slipway::base {

class Clock;

enum class LogLevel : uint8_t { kDebug, kInfo, kWarn, kError, kOff };

struct LogField {
  absl::string_view key;
  std::string value;
  bool quote = true;  // false for numbers and booleans: bare in JSON
  LogField(absl::string_view k, absl::string_view v) : key(k), value(v) {}
  LogField(absl::string_view k, const char* v) : key(k), value(v) {}
  LogField(absl::string_view k, const std::string& v) : key(k), value(v) {}
  LogField(absl::string_view k, bool v) : key(k), value(v ? "true" : "false"), quote(false) {}
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
  LogField(absl::string_view k, T v) : key(k), value(absl::StrCat(v)), quote(false) {}
};

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  enum class Format : uint8_t { kText, kJson } format = Format::kText;
  std::string logger;  // "logger" of a JSON line: the program
  std::string file;    // empty: standard error
  uint64_t max_size_bytes = 100ull << 20;
  int max_backups = 10;
  bool text_milliseconds = true;  // deploy-tool's file has none (D52)
  bool to_stderr = false;         // beside the file
};

// Sets the process-wide logger up; may be called again (reload). PermissionDenied or NotFound when
// the file cannot be opened. Before the first call lines go to standard error as text, warn and up.
// `clock` is borrowed until the next ConfigureLog or ResetLog.
absl::Status ConfigureLog(const LogOptions& options, Clock& clock);
// Back to the state before the first call: closes the file, lets go of the clock.
void ResetLog();
bool LogEnabled(LogLevel level);
void Log(LogLevel level, absl::string_view message, std::initializer_list<LogField> fields = {});
absl::StatusOr<LogLevel> ParseLogLevel(absl::string_view name);

}  // namespace slipway::base

// SLIPWAY_LOG(kInfo, "version switched", {{"component", name}, {"version", version}});
// The fields are not evaluated when the level is off.
#define SLIPWAY_LOG(level, ...)                                            \
  do {                                                                     \
    if (::slipway::base::LogEnabled(::slipway::base::LogLevel::level))     \
      ::slipway::base::Log(::slipway::base::LogLevel::level, __VA_ARGS__); \
  } while (false)
