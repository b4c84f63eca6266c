// D16: what is written for others to read holds no credentials.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/mutant.h"
#include "base/status.h"
#include "deploy/model/errors.h"
#include "deploy/repository/codec.h"

namespace slipway::deploy {
namespace {

// Shorter ones would be found by chance in digests and versions.
constexpr size_t kSecretBytesMin = 4;

// Names of query parameters by which a URL carries its own permission, in lower case.
constexpr const char* kSigningParameters[] = {"x-amz-signature",
                                              "x-amz-credential",
                                              "x-amz-security-token",
                                              "x-goog-signature",
                                              "x-goog-credential",
                                              "x-oss-signature",
                                              "x-bce-security-token",
                                              "authorization",
                                              "awsaccesskeyid",
                                              "ossaccesskeyid",
                                              "googleaccessid",
                                              "signature",
                                              "sig",
                                              "security-token",
                                              "sessiontoken",
                                              "token",
                                              "access_token",
                                              "api_key",
                                              "apikey",
                                              "secret",
                                              "password"};

absl::Status Found(absl::string_view text, size_t at, absl::string_view what) {
  const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(at), '\n');
  return Error(
      Dt::kSecret,
      absl::StrCat("write record: line ", line, " holds ", what, "; nothing was written"),
      "take credentials out of paths, URLs, names and labels; give them by the environment");
}

// As a query of a URL would carry it.
std::string PercentEncoded(absl::string_view text) {
  std::string out;
  for (const unsigned char c : text) {
    if (absl::ascii_isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      out.push_back(static_cast<char>(c));
    } else {
      absl::StrAppendFormat(&out, "%%%02X", c);
    }
  }
  return out;
}

absl::Status CheckSecret(absl::string_view text, absl::string_view secret) {
  if (secret.size() < kSecretBytesMin) return absl::OkStatus();
  const std::string quoted = base::Json(secret).Dump();
  const std::string forms[] = {std::string(secret), quoted.substr(1, quoted.size() - 2),
                               PercentEncoded(secret)};
  for (const std::string& form : forms) {
    const size_t at = text.find(form);
    if (at != absl::string_view::npos) return Found(text, at, "a configured secret");
  }
  return absl::OkStatus();
}

// The authority of a URL ends at the first of these; a backslash takes the next byte along, so that
// a quote that JSON escaped does not hide what follows it.
bool HasUserInfo(absl::string_view authority) {
  for (size_t i = 0; i < authority.size(); ++i) {
    const char c = authority[i];
    if (c == '@') return i > 0;
    if (c == '\\') {
      ++i;
    } else if (c == '/' || c == '?' || c == '#' || c == '"' || c == '<' || c == '>' ||
               absl::ascii_isspace(static_cast<unsigned char>(c))) {
      return false;
    }
  }
  return false;
}

bool IsSigning(absl::string_view parameter) {
  return std::any_of(std::begin(kSigningParameters), std::end(kSigningParameters),
                     [&](absl::string_view name) {
                       return absl::StartsWithIgnoreCase(parameter, name) &&
                              absl::StartsWith(parameter.substr(name.size()), "=");
                     });
}

}  // namespace

absl::Status ScrubCheck(absl::string_view text, absl::Span<const std::string> secrets) {
  if (SLIPWAY_MUTANT("secret-in-record")) return absl::OkStatus();
  for (const std::string& secret : secrets) SLIPWAY_RETURN_IF_ERROR(CheckSecret(text, secret));
  for (size_t at = text.find("://"); at != absl::string_view::npos; at = text.find("://", at + 3)) {
    if (HasUserInfo(text.substr(at + 3))) return Found(text, at, "a URL with user information");
  }
  for (size_t at = 0; (at = text.find_first_of("?&;", at)) != absl::string_view::npos; ++at) {
    if (IsSigning(text.substr(at + 1))) return Found(text, at, "a URL with a signing parameter");
  }
  return absl::OkStatus();
}

}  // namespace slipway::deploy
