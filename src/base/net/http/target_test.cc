#include "base/net/http/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "base/testing/status_matchers.h"

namespace slipway::base::net {
namespace {

using ::slipway::base::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

TEST(Target, PathAndQueryAreDecodedOnce) {
  ASSERT_OK_AND_ASSIGN(const Target target, ParseTarget("/a%20b/%252e?x=1%262&y+z=&w&x=%E2%82%AC"));
  EXPECT_EQ(target.path, "/a b/%2e");
  EXPECT_THAT(target.query,
              ElementsAre(Pair("x", "1&2"), Pair("y z", ""), Pair("w", ""), Pair("x", "€")));
}

TEST(Target, APlusIsAPlusInThePath) {
  ASSERT_OK_AND_ASSIGN(const Target target, ParseTarget("/a+b"));
  EXPECT_EQ(target.path, "/a+b");
}

TEST(Target, TheAuthorityOfAnAbsoluteFormIsLeftOut) {
  ASSERT_OK_AND_ASSIGN(Target target, ParseTarget("http://host:80/a?b"));
  EXPECT_EQ(target.path, "/a");
  EXPECT_THAT(target.query, ElementsAre(Pair("b", "")));
  ASSERT_OK_AND_ASSIGN(target, ParseTarget("https://host"));
  EXPECT_EQ(target.path, "/");
}

TEST(Target, EveryWayUpwardsIsRefused) {
  for (const char* text : {"/..", "/a/../b", "/%2e%2e/b", "/%2E%2e", "/a%2f..%2fb", "/.", "/a/./b",
                           "//a", "/a//b", "/a%2f/b", "/a\\..\\b", "/a%5cb", "//", "/../"}) {
    EXPECT_THAT(ParseTarget(text), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  }
}

TEST(Target, NoSlashHidesInAComponent) {
  for (const char* text : {"/debug%2frequests", "/debug%2Frequests", "/%2f", "http://host/a%2fb"}) {
    EXPECT_THAT(ParseTarget(text), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  }
  ASSERT_OK_AND_ASSIGN(const Target target, ParseTarget("/a?path=b%2Fc"));
  EXPECT_THAT(target.query, ElementsAre(Pair("path", "b/c")));
}

TEST(Target, WhatIsNoTargetIsRefusedWithoutRepeatingIt) {
  for (const char* text : {"", "*", "a/b", "host:443", "ftp://host/a", "/%", "/%4", "/%zz", "/a%00",
                           "/a%0d%0a", "/a%7f", "/%ff", "/?x=%00", "/?x=%", "/?%c0%80", "/a#b"}) {
    EXPECT_THAT(ParseTarget(text),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("the request target")))
        << text;
  }
  EXPECT_THAT(std::string(ParseTarget("/secret%zz").status().message()), Not(HasSubstr("secret")));
}

TEST(Target, LengthAndNumberOfParametersAreLimited) {
  EXPECT_OK(ParseTarget("/" + std::string(kTargetBytesMax - 1, 'a')));
  EXPECT_FALSE(ParseTarget("/" + std::string(kTargetBytesMax, 'a')).ok());
  std::string many = "/?";
  for (size_t i = 0; i < kQueryParametersMax; ++i) many += "a&";
  EXPECT_OK(ParseTarget(many));
  EXPECT_FALSE(ParseTarget(many + "a").ok());
}

}  // namespace
}  // namespace slipway::base::net
