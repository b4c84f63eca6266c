#include "base/glob/ignore_rules.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/files.h"
#include "base/status.h"

namespace slipway::base {
namespace {

// Without the spaces at the end that no backslash protects. A tab stays: Git trims spaces only.
absl::string_view TrimTrailingSpaces(absl::string_view line) {
  size_t end = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\') {
      if (++i == line.size()) return line;
      end = i + 1;
    } else if (line[i] != ' ') {
      end = i + 1;
    }
  }
  return line.substr(0, end);
}

}  // namespace

absl::StatusOr<IgnoreRules> IgnoreRules::Parse(absl::string_view text, absl::string_view base_dir) {
  IgnoreRules rules;
  SLIPWAY_RETURN_IF_ERROR(rules.SetBase(base_dir));
  absl::ConsumePrefix(&text, "\xEF\xBB\xBF");
  for (int number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    absl::string_view line = text.substr(0, end);
    absl::ConsumeSuffix(&line, "\r");
    SLIPWAY_RETURN_IF_ERROR(rules.AddLine(line, number));
    text.remove_prefix(std::min(end, text.size() - 1) + 1);
  }
  return rules;
}

absl::StatusOr<IgnoreRules> IgnoreRules::Parse(absl::Span<const std::string> lines,
                                               absl::string_view base_dir) {
  IgnoreRules rules;
  SLIPWAY_RETURN_IF_ERROR(rules.SetBase(base_dir));
  int number = 0;
  for (const std::string& line : lines) SLIPWAY_RETURN_IF_ERROR(rules.AddLine(line, ++number));
  return rules;
}

absl::Status IgnoreRules::SetBase(absl::string_view base_dir) {
  if (base_dir.empty()) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(CheckRelative(base_dir));
  base_ = absl::StrCat(base_dir, "/");
  return absl::OkStatus();
}

absl::Status IgnoreRules::AddLine(absl::string_view line, int number) {
  if (line.size() > kIgnoreRuleBytesMax) {
    return absl::ResourceExhaustedError(absl::StrCat("parse ignore rules: line ", number,
                                                     ": longer than the limit of ",
                                                     kIgnoreRuleBytesMax, " bytes"));
  }
  line = TrimTrailingSpaces(line.substr(0, line.find('\0')));
  if (line.empty() || line.front() == '#') return absl::OkStatus();
  if (rules_.size() == kIgnoreRulesMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("parse ignore rules: more than the limit of ", kIgnoreRulesMax, " rules"));
  }
  absl::string_view pattern = line;
  const bool negated = absl::ConsumePrefix(&pattern, "!");
  const bool dir_only = absl::ConsumeSuffix(&pattern, "/");
  const bool anywhere = pattern.find('/') == absl::string_view::npos;
  std::string prefix;
  if (!anywhere) {
    absl::ConsumePrefix(&pattern, "/");
    // Git compares up to the first special character as plain text and matches the rest as a
    // pattern of its own: a "**" right there counts as a whole component, as in "a/b**".
    const absl::string_view plain = pattern.substr(0, pattern.find_first_of("*?[\\"));
    prefix = std::string(plain);
    pattern.remove_prefix(plain.size());
  }
  rules_.push_back({.text = std::string(line),
                    .line = number,
                    .negated = negated,
                    .dir_only = dir_only,
                    .anywhere = anywhere,
                    .prefix = std::move(prefix),
                    .rest = internal::Matcher(pattern)});
  return absl::OkStatus();
}

bool IgnoreRules::Matches(const Rule& rule, absl::string_view path) {
  if (rule.anywhere) return rule.rest.Matches(SplitPath(path).second);
  return absl::ConsumePrefix(&path, rule.prefix) && rule.rest.Matches(path);
}

IgnoreMatch IgnoreRules::Match(absl::string_view path, bool is_dir) const {
  // The base itself is no subject of the rules that lie in it.
  if (!absl::ConsumePrefix(&path, base_) || path.empty()) return {};
  for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule) {
    if ((rule->dir_only && !is_dir) || !Matches(*rule, path)) continue;
    return {
        .verdict = rule->negated ? IgnoreMatch::Verdict::kIncluded : IgnoreMatch::Verdict::kIgnored,
        .rule = rule->text,
        .line = rule->line};
  }
  return {};
}

IgnoreMatch MatchLast(absl::Span<const IgnoreRules* const> lists, absl::string_view path,
                      bool is_dir) {
  for (auto list = lists.rbegin(); list != lists.rend(); ++list) {
    const IgnoreMatch match = (*list)->Match(path, is_dir);
    if (match.verdict != IgnoreMatch::Verdict::kNone) return match;
  }
  return {};
}

}  // namespace slipway::base
