#include "base/semver/semver.h"

#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace slipway::base {
namespace {

SemVer Version(absl::string_view text) {
  absl::StatusOr<SemVer> version = SemVer::Parse(text);
  EXPECT_TRUE(version.ok()) << version.status();
  return *version;
}

TEST(SemVer, AcceptsWhatTheStandardAccepts) {
  for (const char* text : {"0.0.4",
                           "1.2.3",
                           "10.20.30",
                           "1.1.2-prerelease+meta",
                           "1.1.2+meta",
                           "1.1.2+meta-valid",
                           "1.0.0-alpha",
                           "1.0.0-beta",
                           "1.0.0-alpha.beta",
                           "1.0.0-alpha.1",
                           "1.0.0-alpha0.valid",
                           "1.0.0-alpha.0valid",
                           "1.0.0-rc.1+build.1",
                           "2.0.0-rc.1+build.123",
                           "1.2.3-beta",
                           "10.2.3-DEV-SNAPSHOT",
                           "2.0.0+build.1848",
                           "1.0.0-alpha+beta",
                           "1.0.0-0A.is.legal",
                           "1.2.3----RC-SNAPSHOT.12.9.1--.12+788",
                           "1.2.3----R-S.12.9.1--.12",
                           "1.0.0+0.build.1-rc.10",
                           "99999999999999999999999.999999999999999999.99999999999999999",
                           "1.0.0+001",
                           "1.0.0--"}) {
    EXPECT_TRUE(SemVer::Parse(text).ok()) << text;
  }
}

TEST(SemVer, RefusesWhatTheStandardRefuses) {
  for (const char* text : {"",
                           "1",
                           "1.2",
                           "1.2.3.4",
                           "1.2.3-",
                           "1.2.3+",
                           "1.2.3-0123",
                           "1.2.3-0123.0123",
                           "1.1.2+.123",
                           "+invalid",
                           "-invalid",
                           "alpha",
                           "01.1.1",
                           "1.01.1",
                           "1.1.01",
                           "1.2.3-a..b",
                           "1.2.3-a.",
                           "1.2.3-.a",
                           "v1.2.3",
                           "1.2.3 ",
                           " 1.2.3",
                           "1.2.3-a_b",
                           "1.2.3+a+b",
                           "1.-2.3",
                           "1.2.3-\xc3\xa4",
                           "1..3",
                           "a.b.c",
                           "1.2.x",
                           "-1.0.3-gamma+b7718"}) {
    EXPECT_FALSE(SemVer::Parse(text).ok()) << text;
  }
  EXPECT_FALSE(SemVer::Parse("1.0.0-" + std::string(kSemVerBytesMax, 'a')).ok());
}

TEST(SemVer, PrecedenceIsATotalOrder) {
  const std::vector<std::string> ascending = {
      "0.0.0-0",     "0.0.0",         "0.0.1",           "0.1.0",
      "1.0.0-0",     "1.0.0-2",       "1.0.0-10",        "1.0.0-A",
      "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.1.0", "1.0.0-alpha.beta",
      "1.0.0-beta",  "1.0.0-beta.2",  "1.0.0-beta.11",   "1.0.0-rc.1",
      "1.0.0",       "1.0.9",         "1.0.10",          "1.2.0",
      "1.10.0",      "2.0.0",         "10.0.0",          "18446744073709551616.0.0"};
  for (size_t i = 0; i < ascending.size(); ++i) {
    for (size_t j = 0; j < ascending.size(); ++j) {
      const int order = Version(ascending[i]).Compare(Version(ascending[j]));
      EXPECT_EQ(order < 0, i < j) << ascending[i] << " " << ascending[j];
      EXPECT_EQ(order > 0, i > j) << ascending[i] << " " << ascending[j];
    }
  }
  EXPECT_EQ(Version("1.0.0+a").Compare(Version("1.0.0+b")), 0);
}

struct RangeCase {
  const char* range;
  const char* inside;  // separated by spaces
  const char* outside;
};

// D176
TEST(SemVerRange, ContainsWhatTheTableSays) {
  const RangeCase cases[] = {
      {"", "0.0.0 1.2.3", "1.0.0-a"},
      {"*", "0.0.0 1.2.3", "1.0.0-a"},
      {"1.2.3", "1.2.3 1.2.3+b", "1.2.4 1.2.3-a"},
      {"=1.2.3", "1.2.3", "1.2.2"},
      {"= 1.2.3", "1.2.3", "1.2.2"},
      {"1", "1.0.0 1.99.0", "0.9.9 2.0.0 2.0.0-a 1.0.0-a"},
      {"1.2", "1.2.0 1.2.9", "1.1.9 1.3.0"},
      {"1.x", "1.0.0 1.99.0", "0.9.9 2.0.0"},
      {"1.2.X", "1.2.0 1.2.9", "1.3.0"},
      {"1.*", "1.0.0", "2.0.0"},
      {"1.x.x", "1.4.0", "2.0.0"},
      {">1.2.3", "1.2.4 2.0.0", "1.2.3 1.2.3-a 1.2.4-a"},
      {">1.2", "1.3.0 2.0.0", "1.2.0 1.2.9 1.3.0-a"},
      {">1", "2.0.0", "1.9.9"},
      {">*", "", "0.0.0 1.0.0"},
      {"<*", "", "0.0.0 1.0.0"},
      {">=1.2.3", "1.2.3 1.2.4", "1.2.2 1.2.3-a"},
      {">=1.2", "1.2.0 9.0.0", "1.1.9"},
      {">= 1", "1.0.0", "0.9.0"},
      {"<1.2.3", "1.2.2 0.0.1", "1.2.3 1.2.3-a"},
      {"<1.2", "1.1.9", "1.2.0 1.2.0-a"},
      {"<=1.2.3", "1.2.3", "1.2.4 1.2.3-a"},
      {"<=1.2", "1.2.9 1.0.0", "1.3.0"},
      {"!=1.2.3", "1.2.2 1.2.4", "1.2.3"},
      {"!=1.2", "1.1.0 1.3.0", "1.2.0 1.2.9"},
      {"!=1.2.3-a", "1.2.3", "1.2.3-b 1.2.3-a"},
      {">=3.10 <4", "3.10.0 3.99.0", "3.9.9 4.0.0 4.0.0-a"},
      {">=1<2", "1.5.0", "2.0.0 0.5.0"},
      {">=1.0.0 !=1.4.2 <2", "1.4.1 1.4.3", "1.4.2 2.0.0"},
      {"1.2.3 || 2", "1.2.3 2.7.0", "1.2.4 3.0.0"},
      {"1||2||3", "1.0.0 2.0.0 3.0.0", "4.0.0"},
      {"~1.2.3", "1.2.3 1.2.9", "1.2.2 1.3.0 1.3.0-a"},
      {"~1.2", "1.2.0 1.2.9", "1.3.0"},
      {"~1", "1.0.0 1.9.0", "2.0.0"},
      {"~0", "0.0.1 0.9.0", "1.0.0"},
      {"~ 1.2.3", "1.2.5", "1.3.0"},
      {"^1.2.3", "1.2.3 1.9.0", "1.2.2 2.0.0 2.0.0-a 1.2.3-a"},
      {"^0.2.3", "0.2.3 0.2.9", "0.2.2 0.3.0"},
      {"^0.0.3", "0.0.3", "0.0.2 0.0.4"},
      {"^1.2", "1.2.0 1.9.0", "1.1.0 2.0.0"},
      {"^1", "1.0.0 1.9.0", "2.0.0"},
      {"^0.0", "0.0.0 0.0.9", "0.1.0"},
      {"^0", "0.0.0 0.9.0", "1.0.0"},
      {"^0.0.0", "0.0.0", "0.0.1"},
      {"^1.2.3-b", "1.2.3-b 1.2.3-c 1.2.3 1.3.0", "1.2.3-a 1.3.0-b 2.0.0"},
      {"^0.0.3-b", "0.0.3-b 0.0.3", "0.0.4"},
      {"~1.2.3-b", "1.2.3-b 1.2.3 1.2.4", "1.2.4-b 1.3.0"},
      {">1.2.3-a", "1.2.3-b 1.2.3 3.0.0", "1.2.3-a 3.0.0-a"},
      {"<=2.0.0-rc.1", "2.0.0-rc.1 2.0.0-beta 1.9.9", "2.0.0 2.0.0-rc.2 1.9.9-a"},
      {"^18446744073709551616.1.0", "18446744073709551616.2.0", "18446744073709551617.0.0"},
      {"  >=1.0.0   <1.1.0  ", "1.0.5", "1.1.0"},
  };
  for (const RangeCase& c : cases) {
    const absl::StatusOr<SemVerRange> range = SemVerRange::Parse(c.range);
    ASSERT_TRUE(range.ok()) << range.status();
    for (absl::string_view text : absl::StrSplit(c.inside, ' ', absl::SkipEmpty())) {
      EXPECT_TRUE(range->Contains(Version(text))) << "'" << c.range << "' " << text;
    }
    for (absl::string_view text : absl::StrSplit(c.outside, ' ', absl::SkipEmpty())) {
      EXPECT_FALSE(range->Contains(Version(text))) << "'" << c.range << "' " << text;
    }
  }
}

TEST(SemVerRange, RefusesWhatIsNoRange) {
  for (const char* text :
       {">",     ">=",       "1.2.3 ||", "|| 1", "1 || || 2", "1.2.3.4",       "1.x.3", "x.1",
        "1.x-a", "1.2-a",    "v1",       "abc",  "1,2",       ">>1",           "=>1",   "=<1",
        "01",    "1.2.3-01", "^",        "!1",   "1|2",       "1.2.3 - 2.0.0", "&1"}) {
    EXPECT_FALSE(SemVerRange::Parse(text).ok()) << text;
  }
  const absl::Status status = SemVerRange::Parse(">=1 <two").status();
  EXPECT_EQ(status.message(), "parse version range '>=1 <two': 'two': not a version");
  EXPECT_FALSE(SemVerRange::Parse(std::string(kSemVerRangeBytesMax + 1, ' ')).ok());
}

}  // namespace
}  // namespace slipway::base
