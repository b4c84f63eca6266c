#include "base/log/format.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "base/bytes.h"

namespace slipway::base::internal {
namespace {

absl::string_view UpperName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "DEBUG";
    case LogLevel::kInfo:
      return "INFO";
    case LogLevel::kWarn:
      return "WARN";
    case LogLevel::kError:
      return "ERROR";
    case LogLevel::kOff:
      break;
  }
  return "OFF";
}

// Bare where nothing is lost by it; else in quotes, with quotes and backslashes escaped.
std::string TextValue(absl::string_view value) {
  std::string escaped = EscapeForTerminal(value);
  const bool plain =
      !value.empty() && escaped == value && value.find_first_of(" \"=") == absl::string_view::npos;
  if (plain) return escaped;
  if (escaped == value) escaped = absl::StrReplaceAll(escaped, {{"\\", "\\\\"}});
  return absl::StrCat("\"", absl::StrReplaceAll(escaped, {{"\"", "\\\""}}), "\"");
}

std::string JsonString(absl::string_view text) {
  // JSON has no bytes: what is not UTF-8 is shown as \xHH.
  std::string shown;
  if (!IsUtf8(text)) {
    shown = EscapeForTerminal(text);
    text = shown;
  }
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          absl::StrAppendFormat(&out, "\\u%04x", static_cast<int>(c));
        } else {
          out += c;
        }
    }
  }
  return out + "\"";
}

// JSON has no infinities and no NaN.
bool IsJsonBare(absl::string_view value) {
  if (value == "true" || value == "false") return true;
  if (!value.empty() && value.front() == '-') value.remove_prefix(1);
  return !value.empty() && absl::ascii_isdigit(static_cast<unsigned char>(value.front()));
}

}  // namespace

std::string FormatTextBody(LogLevel level, absl::string_view message, LogFields fields) {
  std::string line = absl::StrCat("[", UpperName(level), "] ", EscapeForTerminal(message));
  for (const LogField& field : fields) {
    absl::StrAppend(&line, " ", field.key, "=", TextValue(field.value));
  }
  return line;
}

std::string FormatTextLine(absl::Time time, bool milliseconds, LogLevel level,
                           absl::string_view message, LogFields fields) {
  const char* format = milliseconds ? "%E4Y-%m-%d %H:%M:%E3S" : "%E4Y-%m-%d %H:%M:%S";
  return absl::StrCat(absl::FormatTime(format, time, absl::UTCTimeZone()), " ",
                      FormatTextBody(level, message, fields));
}

std::string FormatJsonLine(absl::Time time, absl::string_view logger, LogLevel level,
                           absl::string_view message, LogFields fields) {
  std::string line = absl::StrCat(
      "{\"time\":\"", absl::FormatTime("%E4Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone()),
      "\",\"level\":\"", absl::AsciiStrToLower(UpperName(level)), "\"");
  if (!logger.empty()) absl::StrAppend(&line, ",\"logger\":", JsonString(logger));
  absl::StrAppend(&line, ",\"msg\":", JsonString(message));
  for (const LogField& field : fields) {
    const bool bare = !field.quote && IsJsonBare(field.value);
    absl::StrAppend(&line, ",", JsonString(field.key), ":",
                    bare ? field.value : JsonString(field.value));
  }
  return line + "}";
}

}  // namespace slipway::base::internal
