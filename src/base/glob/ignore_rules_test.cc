#include "base/glob/ignore_rules.h"

#include <string>
#include <vector>

#include "base/testing/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace slipway::base {
namespace {

using ::slipway::base::testing::StatusIs;
using ::testing::HasSubstr;

IgnoreRules Rules(absl::string_view text, absl::string_view base_dir = "") {
  absl::StatusOr<IgnoreRules> rules = IgnoreRules::Parse(text, base_dir);
  EXPECT_OK(rules);
  return rules.ok() ? *std::move(rules) : IgnoreRules();
}

// D11
TEST(IgnoreRules, TellsTheRuleThatDecided) {
  const IgnoreRules rules = Rules("# note\n*.pyc\n\n!keep.pyc\nbuild/\n");
  const IgnoreMatch ignored = rules.Match("a/x.pyc", false);
  EXPECT_TRUE(ignored.ignored());
  EXPECT_EQ(ignored.rule, "*.pyc");
  EXPECT_EQ(ignored.line, 2);
  const IgnoreMatch kept = rules.Match("a/keep.pyc", false);
  EXPECT_EQ(kept.verdict, IgnoreMatch::Verdict::kIncluded);
  EXPECT_EQ(kept.rule, "!keep.pyc");
  EXPECT_EQ(rules.Match("build", false).verdict, IgnoreMatch::Verdict::kNone);
  EXPECT_TRUE(rules.Match("build", true).ignored());
  EXPECT_TRUE(rules.Match("a/build", true).ignored());
}

TEST(IgnoreRules, ListsMergeAndTheLastMatchWins) {
  const IgnoreRules defaults = Rules("*.pyc\n.git/\n");
  const IgnoreRules nested = Rules("!*.pyc\n/x\n", "a");
  const std::vector<std::string> lines = {"a/y", "#no", "!a/x"};
  const absl::StatusOr<IgnoreRules> command_line = IgnoreRules::Parse(lines);
  ASSERT_OK(command_line);
  const IgnoreRules* const chain[] = {&defaults, &nested, &*command_line};
  EXPECT_TRUE(MatchLast(chain, "m.pyc", false).ignored());
  EXPECT_FALSE(MatchLast(chain, "a/m.pyc", false).ignored());
  EXPECT_TRUE(MatchLast(chain, "a/y", false).ignored());
  EXPECT_TRUE(nested.Match("a/x", false).ignored());
  EXPECT_FALSE(MatchLast(chain, "a/x", false).ignored());
  EXPECT_EQ(MatchLast(chain, "x", false).verdict, IgnoreMatch::Verdict::kNone);
  EXPECT_EQ(MatchLast(chain, "ab/x", false).verdict, IgnoreMatch::Verdict::kNone);
  EXPECT_TRUE(MatchLast(chain, ".git", true).ignored());
}

TEST(IgnoreRules, NestedRulesDoNotTouchTheirOwnDirectory) {
  const IgnoreRules rules = Rules("*\n", "a/b");
  EXPECT_EQ(rules.Match("a/b", true).verdict, IgnoreMatch::Verdict::kNone);
  EXPECT_EQ(rules.Match("a/bc", true).verdict, IgnoreMatch::Verdict::kNone);
  EXPECT_TRUE(rules.Match("a/b/c", true).ignored());
}

TEST(IgnoreRules, NamesTheLimitThatIsReached) {
  EXPECT_THAT(IgnoreRules::Parse("a\n" + std::string(kIgnoreRuleBytesMax + 1, 'a')),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("line 2")));
  std::string many;
  for (size_t i = 0; i <= kIgnoreRulesMax; ++i) many += "a\n";
  EXPECT_THAT(IgnoreRules::Parse(many),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("100000 rules")));
  EXPECT_THAT(IgnoreRules::Parse("a", "../x"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(IgnoreRules::Parse("a", "/x"), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace slipway::base
