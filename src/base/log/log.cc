#include "base/log/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/log/format.h"
#include "base/status.h"
#include "base/sync/mutex.h"

namespace slipway::base {
namespace {

struct Target {
  std::shared_ptr<spdlog::logger> logger;
  LogOptions options;
  Clock* clock = nullptr;  // null before ConfigureLog: then spdlog stamps the line

  void Write(LogLevel level, absl::string_view message, internal::LogFields fields) const {
    std::string line;
    if (clock == nullptr) {
      line = internal::FormatTextBody(level, message, fields);
    } else if (options.format == LogOptions::Format::kJson) {
      line = internal::FormatJsonLine(clock->Wall(), options.logger, level, message, fields);
    } else {
      line = internal::FormatTextLine(clock->Wall(), options.text_milliseconds, level, message,
                                      fields);
    }
    // An error of a sink (disk full) is reported by spdlog on standard error, once a second.
    logger->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
  }
};

std::shared_ptr<spdlog::logger> MakeLogger(std::vector<spdlog::sink_ptr> sinks,
                                           const char* pattern) {
  auto logger = std::make_shared<spdlog::logger>("slipway", sinks.begin(), sinks.end());
  logger->set_formatter(
      std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc));
  logger->set_level(spdlog::level::trace);  // our own level has decided already
  logger->flush_on(spdlog::level::trace);   // a line that a crash swallows helps nobody
  return logger;
}

spdlog::sink_ptr StandardError() { return std::make_shared<spdlog::sinks::stderr_sink_mt>(); }

// The one global of this folder (STYLE S18). Never destroyed: threads may log until the very end.
struct Global {
  Mutex mutex;
  Target target ABSL_GUARDED_BY(mutex);
  std::atomic<LogLevel> level{LogLevel::kWarn};
};

Target DefaultTarget() {
  return {.logger = MakeLogger({StandardError()}, "%Y-%m-%d %H:%M:%S.%e %v"), .options = {}};
}

Global& TheGlobal() {
  static Global* const global = [] {
    auto* made = new Global;
    MutexLock lock(made->mutex);
    made->target = DefaultTarget();
    return made;
  }();
  return *global;
}

absl::StatusOr<spdlog::sink_ptr> FileSink(const LogOptions& options) {
  // spdlog would make missing directories and hide why it failed: so this asks first.
  std::FILE* probe = std::fopen(options.file.c_str(), "ab");
  if (probe == nullptr) return ErrnoError(errno, absl::StrCat("open log file ", options.file));
  std::fclose(probe);
  try {
    if (options.max_size_bytes == 0) {
      return std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file);
    }
    return std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
        options.file, options.max_size_bytes,
        static_cast<size_t>(std::max(options.max_backups, 0)));
  } catch (const std::exception& error) {
    return absl::UnavailableError(absl::StrCat("open log file ", options.file, ": ", error.what()));
  }
}

}  // namespace

absl::Status ConfigureLog(const LogOptions& options, Clock& clock) {
  std::vector<spdlog::sink_ptr> sinks;
  if (!options.file.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(spdlog::sink_ptr file, FileSink(options));
    sinks.push_back(std::move(file));
  }
  if (options.file.empty() || options.to_stderr) sinks.push_back(StandardError());
  Target target{.logger = MakeLogger(std::move(sinks), "%v"), .options = options, .clock = &clock};
  Global& global = TheGlobal();
  MutexLock lock(global.mutex);
  global.target = std::move(target);
  global.level.store(options.level);
  return absl::OkStatus();
}

void ResetLog() {
  Target target = DefaultTarget();
  Global& global = TheGlobal();
  MutexLock lock(global.mutex);
  global.target = std::move(target);
  global.level.store(LogLevel::kWarn);
}

bool LogEnabled(LogLevel level) {
  return level != LogLevel::kOff && level >= TheGlobal().level.load(std::memory_order_relaxed);
}

void Log(LogLevel level, absl::string_view message, std::initializer_list<LogField> fields) {
  if (!LogEnabled(level)) return;
  const internal::LogFields span(fields.begin(), fields.size());
  Global& global = TheGlobal();
  // Under the lock, so that lines stand in the order of their times, and so that after ResetLog
  // nobody uses the old clock.
  MutexLock lock(global.mutex);
  global.target.Write(level, message, span);
}

absl::StatusOr<LogLevel> ParseLogLevel(absl::string_view name) {
  const std::string lower = absl::AsciiStrToLower(name);
  if (lower == "debug") return LogLevel::kDebug;
  if (lower == "info") return LogLevel::kInfo;
  if (lower == "warn" || lower == "warning") return LogLevel::kWarn;
  if (lower == "error") return LogLevel::kError;
  if (lower == "off") return LogLevel::kOff;
  return absl::InvalidArgumentError(
      absl::StrCat("log level \"", name, "\": must be debug, info, warn, error or off"));
}

}  // namespace slipway::base
