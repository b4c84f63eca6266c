#include "deploy/cli/secret_words.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace slipway::deploy::cli {
namespace {

constexpr absl::string_view kSecretWords[] = {"password",   "passwd",   "passphrase", "secret",
                                              "token",      "apikey",   "credential", "credentials",
                                              "privatekey", "accesskey"};
constexpr absl::string_view kKeyWords[] = {"access", "api", "private", "secret", "signing"};
constexpr size_t kAssignedCharsMin = 4;  // "token=bpe" is a word of the trade
constexpr size_t kBearerCharsMin = 12;   // of what follows "Bearer ", if a digit or sign is in it
constexpr size_t kJwtCharsMin = 40;

// A token that begins in a fixed way and goes on with at least so many of its characters.
struct Shape {
  absl::string_view prefix;
  size_t rest_chars;
  absl::string_view what;
};
constexpr Shape kShapes[] = {
    {"AKIA", 16, "an AWS access key"},      {"ASIA", 16, "an AWS access key"},
    {"ghp_", 20, "a GitHub token"},         {"gho_", 20, "a GitHub token"},
    {"ghu_", 20, "a GitHub token"},         {"ghs_", 20, "a GitHub token"},
    {"ghr_", 20, "a GitHub token"},         {"github_pat_", 20, "a GitHub token"},
    {"glpat-", 16, "a GitLab token"},       {"xoxb-", 10, "a Slack token"},
    {"xoxp-", 10, "a Slack token"},         {"xoxa-", 10, "a Slack token"},
    {"xapp-", 10, "a Slack token"},         {"hf_", 30, "a Hugging Face token"},
    {"npm_", 30, "an npm token"},           {"AIza", 30, "a Google API key"},
    {"ya29.", 20, "a Google access token"}, {"sk-", 20, "an API key"},
    {"pypi-", 30, "a PyPI token"},          {"dop_v1_", 30, "an API token"},
};

bool IsTokenChar(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
}

size_t TokenChars(absl::string_view text) {
  const auto end = std::find_if_not(text.begin(), text.end(), IsTokenChar);
  return static_cast<size_t>(end - text.begin());
}

// The words of "db-password", "hfToken", "AWS_SECRET_ACCESS_KEY", in lower case.
std::vector<std::string> WordsOf(absl::string_view key) {
  std::vector<std::string> words(1);
  bool was_lower = false;
  for (const char c : key) {
    const auto byte = static_cast<unsigned char>(c);
    const bool word = absl::ascii_isalnum(byte);
    const bool hump = was_lower && absl::ascii_isupper(byte);
    if ((!word || hump) && !words.back().empty()) words.emplace_back();
    if (word) words.back().push_back(absl::ascii_tolower(byte));
    was_lower = absl::ascii_islower(byte);
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

// The name that ends where `text` ends.
absl::string_view NameBefore(absl::string_view text) {
  size_t start = text.size();
  while (start > 0 && IsTokenChar(text[start - 1])) --start;
  return text.substr(start);
}

bool HasAssignment(absl::string_view text) {
  for (size_t at = text.find('='); at != absl::string_view::npos; at = text.find('=', at + 1)) {
    const absl::string_view value = text.substr(at + 1);
    const auto space = std::find_if(value.begin(), value.end(), absl::ascii_isspace);
    if (static_cast<size_t>(space - value.begin()) < kAssignedCharsMin) continue;
    if (IsSecretKey(NameBefore(text.substr(0, at)))) return true;
  }
  return false;
}

bool HasBearer(absl::string_view text) {
  constexpr absl::string_view kWord = "bearer ";
  for (size_t at = 0; at + kWord.size() < text.size(); ++at) {
    if (!absl::StartsWithIgnoreCase(text.substr(at), kWord)) continue;
    const absl::string_view value = text.substr(at + kWord.size());
    const absl::string_view token = value.substr(0, TokenChars(value));
    const bool word = std::all_of(token.begin(), token.end(), absl::ascii_isalpha);
    if (token.size() >= kBearerCharsMin && !word) return true;
  }
  return false;
}

}  // namespace

bool IsSecretKey(absl::string_view key) {
  const std::vector<std::string> words = WordsOf(key);
  if (words.empty()) return false;
  const auto has = [](const auto& list, const std::string& word) {
    return std::find(std::begin(list), std::end(list), word) != std::end(list);
  };
  if (has(kSecretWords, words.back())) return true;
  return words.size() > 1 && words.back() == "key" && has(kKeyWords, words[words.size() - 2]);
}

absl::string_view SecretShape(absl::string_view text) {
  for (size_t at = 0; at < text.size(); ++at) {
    if (at > 0 && IsTokenChar(text[at - 1])) continue;  // inside a word
    for (const Shape& shape : kShapes) {
      absl::string_view rest = text.substr(at);
      if (!absl::ConsumePrefix(&rest, shape.prefix)) continue;
      if (TokenChars(rest) >= shape.rest_chars) return shape.what;
    }
    const absl::string_view token = text.substr(at, TokenChars(text.substr(at)));
    if (absl::StartsWith(token, "eyJ") && token.size() >= kJwtCharsMin &&
        std::count(token.begin(), token.end(), '.') == 2) {
      return "a JSON web token";
    }
  }
  if (absl::StrContains(text, "PRIVATE KEY-----")) return "a private key";
  if (HasBearer(text)) return "a bearer token";
  return HasAssignment(text) ? "a password, token or key" : "";
}

}  // namespace slipway::deploy::cli
