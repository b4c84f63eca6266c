#include "base/net/endpoint.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/testing/status_matchers.h"

namespace slipway::base::net {
namespace {

using ::slipway::base::testing::IsOkAndHolds;
using ::slipway::base::testing::StatusIs;
using ::testing::HasSubstr;

TEST(Endpoint, ReadsEachWayToWriteOne) {
  EXPECT_THAT(ParseEndpoint("build.example:50610"), IsOkAndHolds(Endpoint{"build.example", 50610}));
  EXPECT_THAT(ParseEndpoint("10.0.0.1:1"), IsOkAndHolds(Endpoint{"10.0.0.1", 1}));
  EXPECT_THAT(ParseEndpoint("[::1]:80"), IsOkAndHolds(Endpoint{"::1", 80}));
  EXPECT_THAT(ParseEndpoint(":9610"), IsOkAndHolds(Endpoint{"", 9610}));
  EXPECT_THAT(ParseEndpoint("9610"), IsOkAndHolds(Endpoint{"", 9610}));
  EXPECT_THAT(ParseEndpoint("localhost:0"), IsOkAndHolds(Endpoint{"localhost", 0}));
  EXPECT_THAT(ParseEndpoint("localhost:65535"), IsOkAndHolds(Endpoint{"localhost", 65535}));
}

TEST(Endpoint, WritesWhatItReads) {
  for (const char* text : {"a:1", "[::1]:80", "[fe80::1:2]:65535", "127.0.0.1:0", ":7"}) {
    ASSERT_OK_AND_ASSIGN(const Endpoint endpoint, ParseEndpoint(text));
    EXPECT_EQ(endpoint.ToString(), text);
  }
}

TEST(Endpoint, RefusesWithTheTextAndTheReason) {
  struct Case {
    const char* text;
    const char* reason;
  };
  const std::vector<Case> cases = {
      {"", "empty"},
      {"host", "no port"},
      {"host:", "no port"},
      {"[::1]", "no port"},
      {"[::1]80", "no port"},
      {"host:65536", "over 65535"},
      {"host:99999999999999999999", "over 65535"},
      {"host:-1", "not a number"},
      {"host:+1", "not a number"},
      {"host: 1", "not a number"},
      {"host:http", "not a number"},
      {"::1:80", "brackets, as in [::1]:8080"},
      {"[::1:80", "closing bracket"},
      {"[host]:80", "IPv6 address"},
      {"a b:80", "characters"},
      {"a/b:80", "characters"},
  };
  for (const auto& [text, reason] : cases) {
    EXPECT_THAT(ParseEndpoint(text),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(reason)))
        << text;
  }
  EXPECT_THAT(ParseEndpoint(absl::string_view("a\0b:80", 6)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("zero byte")));
  EXPECT_THAT(ParseEndpoint(absl::StrCat(std::string(300, 'a'), ":80")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("characters")));
  EXPECT_THAT(ParseEndpoint("host:65536"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"host:65536\"")));
}

TEST(Endpoint, KnowsLoopbackWithoutLookingUpNames) {
  for (const char* host :
       {"localhost", "LOCALHOST", "127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(IsLoopback(host)) << host;
  }
  for (const char* host :
       {"", "0.0.0.0", "::", "128.0.0.1", "localhost.example", "127.0.0.1.nip.io", "127", "::2"}) {
    EXPECT_FALSE(IsLoopback(host)) << host;
  }
}

TEST(Endpoint, KnowsTheUnspecifiedAddress) {
  for (const char* host : {"", "0.0.0.0", "::", "0:0:0:0:0:0:0:0", "::ffff:0.0.0.0"}) {
    EXPECT_TRUE(IsUnspecified(host)) << host;
  }
  for (const char* host : {"localhost", "::1", "0.0.0.1", "any"}) {
    EXPECT_FALSE(IsUnspecified(host)) << host;
  }
}

}  // namespace
}  // namespace slipway::base::net
