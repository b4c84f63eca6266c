#include "base/glob/glob.h"

#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/testing/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace slipway::base {
namespace {

using ::slipway::base::testing::StatusIs;
using ::testing::HasSubstr;

struct GlobCase {
  const char* glob;
  const char* matches;  // separated by spaces
  const char* others;
};

// Z55
TEST(Glob, MatchesWhatTheTableSays) {
  const GlobCase cases[] = {
      {"a", "a", "b aa a/a"},
      {"*", "a abc .x", "a/b"},
      {"*.cc", "x.cc .cc", "x.h a/x.cc"},
      {"a*c", "ac abc abbc", "a/c ab abcd"},
      {"*a*b*", "ab xaxbx", "ba a/b"},
      {"?", "a .", "ab /"},
      {"a?c", "abc a.c", "ac a/c"},
      {"**", "a a/b a/b/c", ""},
      {"**/x", "x a/x a/b/x", "ax a/bx x/a"},
      {"a/**", "a/b a/b/c", "a b/a"},
      {"a/**/b", "a/b a/x/b a/x/y/b", "ab a/xb b"},
      {"a/**/**/b", "a/b a/x/b", "ab"},
      {"src/**/*.ts", "src/a.ts src/x/y/b.ts", "src/a.js a.ts"},
      {"a**b", "ab axxb", "a/b"},
      {"a/b**", "a/b a/bx", "a/bx/y"},
      {"**a", "a xa", "x/a"},
      {"***", "a a/b", ""},
      {"[abc]", "a b c", "d ab"},
      {"[a-c]x", "ax cx", "dx -x"},
      {"[!a-c]", "d -", "a b /"},
      {"[^a]", "b", "a"},
      {"[]]", "]", "["},
      {"[!]]", "[", "]"},
      {"[a-]", "a -", "b"},
      {"[a-c-e]", "b - e", "d"},
      {"[\\]]", "]", "\\"},
      {"[[:digit:]x]", "0 9 x", "a"},
      {"[[:upper:][:lower:]]", "a Z", "1"},
      {"[[:alpha:]-z]", "a - z", "1"},
      {"[[a]", "[ a", "b"},
      {"[[:a]", "[ : a", "b"},
      {"\\*", "*", "a"},
      {"\\[a]", "[a]", "a"},
      {"\\{a,b\\}", "{a,b}", "a"},
      {"{a,b}", "a b", "c ab {a,b}"},
      {"x{a,b}y{c,d}", "xayc xbyd", "xay xacd"},
      {"{a,b{c,d}}", "a bc bd", "b c"},
      {"{,a}b", "b ab", "a"},
      {"a{}b", "ab", "a"},
      {"*.{h,cc}", "x.h x.cc", "x.c"},
      {"{src,test}/**/*.c", "src/a.c test/x/b.c", "a.c"},
      {"[{]", "{", "a"},
      {"[,]{a,[,}]}", ",a ,, ,}", ",b"},
      {"{**,x}/y", "y a/y x/y", "x"},
      {"a}b", "a}b", "ab"},
      {"a,b", "a,b", "a"},
  };
  for (const GlobCase& c : cases) {
    const absl::StatusOr<Glob> glob = Glob::Parse(c.glob);
    ASSERT_TRUE(glob.ok()) << glob.status();
    for (absl::string_view path : absl::StrSplit(c.matches, ' ', absl::SkipEmpty())) {
      EXPECT_TRUE(glob->Matches(path)) << c.glob << " " << path;
    }
    for (absl::string_view path : absl::StrSplit(c.others, ' ', absl::SkipEmpty())) {
      EXPECT_FALSE(glob->Matches(path)) << c.glob << " " << path;
    }
  }
}

TEST(Glob, RefusesMalformedPatterns) {
  for (const char* text : {"", "[", "[a", "[!", "[]", "a[b/c", "{a", "{a,b", "{", "a\\",
                           "[[:what:]]", "[[::]]", "{a,{b}", "[a\\"}) {
    EXPECT_THAT(Glob::Parse(text), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  }
}

TEST(Glob, NamesTheLimitThatIsReached) {
  const auto exhausted = [](absl::string_view text) {
    return StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr(std::string(text)));
  };
  EXPECT_THAT(Glob::Parse(std::string(kGlobBytesMax + 1, 'a')), exhausted("limit of 4096 bytes"));
  EXPECT_THAT(Glob::Parse("{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}"),
              exhausted("limit of 256 alternatives"));
  EXPECT_THAT(Glob::Parse(std::string(20, '{') + std::string(20, '}')),
              exhausted("nested deeper than the limit of 16"));
}

// Backtracking matchers need exponential time here; this one needs pattern times text.
TEST(Glob, StaysFastOnPatternsThatMakeOthersBacktrack) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "*a";
  pattern += "b";
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "**/*a*/";
  EXPECT_FALSE(Glob::Parse(pattern)->Matches(std::string(2000, 'a')));
  std::string path;
  for (int i = 0; i < 500; ++i) path += "aa/";
  EXPECT_FALSE(Glob::Parse(deep + "b")->Matches(path + "a"));
  EXPECT_TRUE(Glob::Parse(deep + "b")->Matches(path + "b"));
}

}  // namespace
}  // namespace slipway::base
