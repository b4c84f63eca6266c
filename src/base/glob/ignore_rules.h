// Rules of what to leave out, in the language of .gitignore and with exactly its meaning (D11,
// Z55):
// `!` takes back, a `/` at the start or inside anchors, a trailing `/` matches directories only,
// `**` crosses directories, the last match wins. Values; thread-safe once parsed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/glob/matcher.h"

namespace slipway::base {

inline constexpr size_t kIgnoreRulesMax = 100'000;
inline constexpr size_t kIgnoreRuleBytesMax = 4096;

struct IgnoreMatch {
  enum class Verdict : uint8_t { kNone, kIgnored, kIncluded };
  Verdict verdict = Verdict::kNone;
  absl::string_view rule;  // as written; lives as long as the rules
  int line = 0;            // from 1
  bool ignored() const { return verdict == Verdict::kIgnored; }
};

// One list of rules that hold beneath one directory.
class IgnoreRules {
 public:
  IgnoreRules() = default;

  // The text of an ignore file that lies in `base_dir`, a relative path, "" for the root. Comments,
  // empty lines, CRLF and a byte order mark are Git's. A malformed rule matches nothing, as there.
  // ResourceExhausted: too many rules, or one too long. InvalidArgument: `base_dir`.
  static absl::StatusOr<IgnoreRules> Parse(absl::string_view text, absl::string_view base_dir = "");
  // The same from single lines, for lists in a configuration or on a command line.
  static absl::StatusOr<IgnoreRules> Parse(absl::Span<const std::string> lines,
                                           absl::string_view base_dir = "");

  bool empty() const { return rules_.empty(); }

  // What the last rule that matches says about `path`, relative to the root, with plain components.
  // `is_dir`: a real directory, not a link to one. It knows nothing about parents: the caller does
  // not ask for what lies beneath an ignored directory, for nothing there can be taken back.
  IgnoreMatch Match(absl::string_view path, bool is_dir) const;

 private:
  struct Rule {
    std::string text;
    int line = 0;
    bool negated = false;
    bool dir_only = false;
    bool anywhere = false;   // matched against the last component alone
    std::string prefix;      // of a path: what stands before the first special character
    internal::Matcher rest;  // of a path: what follows; else the whole pattern
  };
  absl::Status SetBase(absl::string_view base_dir);
  absl::Status AddLine(absl::string_view line, int number);
  static bool Matches(const Rule& rule, absl::string_view path);

  std::string base_;  // empty, or with a trailing slash
  std::vector<Rule> rules_;
};

// The verdict of several lists, weakest first: the last list with a matching rule decides.
//
//   chain = {defaults, configured, .ignore of the root, of a, of a/b, command line}
IgnoreMatch MatchLast(absl::Span<const IgnoreRules* const> lists, absl::string_view path,
                      bool is_dir);

}  // namespace slipway::base
