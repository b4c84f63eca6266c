#include "deploy/pack/pax.h"

#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "deploy/pack/names.h"
#include "deploy/pack/tar.h"

namespace slipway::deploy {
namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;
constexpr size_t kXattrsMax = 1024;  // of one file; the search for doubles is quadratic

// Digits only: no sign, no space, no leading '+', which number parsers of other readers differ on.
std::optional<uint64_t> ParseDigits(absl::string_view text) {
  if (text.empty() || text.size() > 19) return std::nullopt;
  uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
  return value;
}

absl::Status Bad(absl::string_view key, absl::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat("pax record ", ShowName(key), ": ", reason));
}

absl::Status SetOnce(absl::string_view key, absl::string_view value,
                     std::optional<std::string>& to) {
  if (to.has_value()) return Bad(key, "given twice");
  if (value.empty()) return Bad(key, "empty");
  to = std::string(value);
  return absl::OkStatus();
}

absl::Status SetNumber(absl::string_view key, absl::string_view value,
                       std::optional<uint64_t>& to) {
  if (to.has_value()) return Bad(key, "given twice");
  to = ParseDigits(value);
  if (!to.has_value()) return Bad(key, "not a number");
  return absl::OkStatus();
}

absl::Status AddSparse(absl::string_view key, absl::string_view name, absl::string_view value,
                       PaxRecords& into) {
  if (name == "major") return SetNumber(key, value, into.sparse_major);
  if (name == "minor") return SetNumber(key, value, into.sparse_minor);
  if (name == "name") return SetOnce(key, value, into.sparse_name);
  if (name == "realsize") return SetNumber(key, value, into.sparse_realsize);
  into.sparse_other = true;
  return absl::OkStatus();
}

absl::Status AddXattr(absl::string_view key, absl::string_view coded, absl::string_view value,
                      PaxRecords& into) {
  std::string name;
  for (size_t i = 0; i < coded.size(); ++i) {
    const absl::string_view rest = coded.substr(i);
    if (absl::StartsWith(rest, "%25") || absl::StartsWithIgnoreCase(rest, "%3d")) {
      name += rest[1] == '2' ? '%' : '=';
      i += 2;
    } else {
      name += coded[i];
    }
  }
  if (!absl::StartsWith(name, "user.")) return absl::OkStatus();  // D193
  if (name.size() == 5 || name.size() > kNameBytesMax || name.find('\0') != std::string::npos) {
    return Bad(key, "not the name of an attribute");
  }
  if (value.size() > kXattrBytesMax) {
    return Bad(key,
               absl::StrCat("a value of ", value.size(), " bytes, more than ", kXattrBytesMax));
  }
  if (into.xattrs.size() >= kXattrsMax) {
    return Bad(key, absl::StrCat("more than ", kXattrsMax, " attributes"));
  }
  for (const auto& known : into.xattrs) {
    if (known.first == name) return Bad(key, "given twice");
  }
  into.xattrs.emplace_back(std::move(name), std::string(value));
  return absl::OkStatus();
}

absl::Status AddRecord(absl::string_view key, absl::string_view value, PaxRecords& into) {
  if (key == "path") return SetOnce(key, value, into.path);
  if (key == "linkpath") return SetOnce(key, value, into.link);
  if (key == "size") return SetNumber(key, value, into.size_bytes);
  if (key == "mtime") {
    if (into.mtime_ns.has_value()) return Bad(key, "given twice");
    into.mtime_ns = ParsePaxTime(value);
    return into.mtime_ns.has_value() ? absl::OkStatus() : Bad(key, "not a time");
  }
  absl::string_view name = key;
  if (absl::ConsumePrefix(&name, "SCHILY.xattr.")) return AddXattr(key, name, value, into);
  if (absl::ConsumePrefix(&name, "GNU.sparse.")) return AddSparse(key, name, value, into);
  return absl::OkStatus();
}

}  // namespace

std::optional<int64_t> ParsePaxTime(absl::string_view text) {
  const bool negative = absl::ConsumePrefix(&text, "-");
  const size_t dot = text.find('.');
  const std::optional<uint64_t> seconds = ParseDigits(text.substr(0, dot));
  if (!seconds.has_value()) return std::nullopt;
  uint64_t fraction = 0;
  if (dot != absl::string_view::npos) {
    const absl::string_view decimals = text.substr(dot + 1);
    if (decimals.empty()) return std::nullopt;
    uint64_t unit = kNsPerSecond / 10;
    for (const char c : decimals) {
      if (c < '0' || c > '9') return std::nullopt;
      fraction += static_cast<uint64_t>(c - '0') * unit;
      unit /= 10;
    }
  }
  constexpr uint64_t kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (*seconds > (kMax - fraction) / kNsPerSecond) return std::nullopt;
  const int64_t ns = static_cast<int64_t>(*seconds * kNsPerSecond + fraction);
  return negative ? -ns : ns;
}

absl::Status ParsePaxRecords(absl::string_view text, PaxRecords& into) {
  while (!text.empty()) {
    const size_t space = text.substr(0, 20).find(' ');
    if (space == absl::string_view::npos) return Bad(text.substr(0, 20), "no length");
    const std::optional<uint64_t> length = ParseDigits(text.substr(0, space));
    if (!length.has_value() || *length <= space + 2 || *length > text.size()) {
      return Bad(text.substr(0, 20), "a wrong length");
    }
    absl::string_view record = text.substr(0, *length);
    text.remove_prefix(*length);
    if (record.back() != '\n') return Bad(record.substr(0, 20), "no newline at its end");
    record = record.substr(space + 1, record.size() - space - 2);
    const size_t equals = record.find('=');
    if (equals == 0 || equals == absl::string_view::npos) {
      return Bad(record.substr(0, 20), "no key");
    }
    SLIPWAY_RETURN_IF_ERROR(AddRecord(record.substr(0, equals), record.substr(equals + 1), into));
  }
  return absl::OkStatus();
}

}  // namespace slipway::deploy
