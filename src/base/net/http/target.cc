#include "base/net/http/target.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/bytes.h"
#include "base/mutant.h"
#include "base/status.h"

namespace slipway::base::net {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

absl::Status Refuse(absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("the request target ", why));
}

// Decoded once. `plus_is_space`: in a query, as forms are written.
absl::StatusOr<std::string> Decode(absl::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int high = i + 1 < text.size() ? HexDigit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return Refuse("has a '%' without two hex digits after it");
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    decoded.push_back(c);
  }
  const bool control = std::any_of(decoded.begin(), decoded.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (control) return Refuse("has a control character");
  if (!IsUtf8(decoded)) return Refuse("is not UTF-8");
  return decoded;
}

absl::Status CheckPath(absl::string_view path) {
  if (!absl::StartsWith(path, "/")) return Refuse("has no path that begins with '/'");
  if (absl::StrContains(path, '\\')) return Refuse("has a '\\'");
  if (path == "/") return absl::OkStatus();
  // A final '/' is left alone: it is a path of its own, which no route has by chance.
  for (const absl::string_view part : absl::StrSplit(absl::StripSuffix(path.substr(1), "/"), '/')) {
    if (part.empty()) return Refuse("has an empty component");
    if (SLIPWAY_MUTANT("http-upwards")) continue;
    if (part == "." || part == "..") return Refuse("has a '.' or '..' component");
  }
  return absl::OkStatus();
}

// A '/' within a component would be a separator once it is decoded, and reach a route that a proxy
// before us, which need not decode it, has not seen.
bool HidesASlash(absl::string_view path) {
  return absl::StrContains(path, "%2f") || absl::StrContains(path, "%2F");
}

// Without "http://host" before the path, which a client may send (RFC 9112, 3.2.2).
absl::string_view WithoutAuthority(absl::string_view target) {
  const absl::string_view whole = target;
  if (!absl::ConsumePrefix(&target, "http://") && !absl::ConsumePrefix(&target, "https://")) {
    return whole;
  }
  const size_t slash = target.find('/');
  return slash == absl::string_view::npos ? absl::string_view("/") : target.substr(slash);
}

}  // namespace

absl::StatusOr<Target> ParseTarget(absl::string_view target) {
  if (target.size() > kTargetBytesMax) return Refuse("is too long");
  if (absl::StrContains(target, '#')) return Refuse("has a '#'");
  target = WithoutAuthority(target);
  const size_t mark = target.find('?');
  Target parsed;
  if (HidesASlash(target.substr(0, mark))) return Refuse("has a '/' written as %2F in its path");
  SLIPWAY_ASSIGN_OR_RETURN(parsed.path, Decode(target.substr(0, mark), /*plus_is_space=*/false));
  SLIPWAY_RETURN_IF_ERROR(CheckPath(parsed.path));
  if (mark == absl::string_view::npos) return parsed;
  for (const absl::string_view pair :
       absl::StrSplit(target.substr(mark + 1), '&', absl::SkipEmpty())) {
    if (parsed.query.size() == kQueryParametersMax) return Refuse("has too many parameters");
    const size_t equals = pair.find('=');
    SLIPWAY_ASSIGN_OR_RETURN(std::string name, Decode(pair.substr(0, equals), true));
    std::string value;
    if (equals != absl::string_view::npos) {
      SLIPWAY_ASSIGN_OR_RETURN(value, Decode(pair.substr(equals + 1), true));
    }
    parsed.query.emplace_back(std::move(name), std::move(value));
  }
  return parsed;
}

}  // namespace slipway::base::net
