#include "base/net/token_file.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/sim/files.h"
#include "base/testing/status_matchers.h"

namespace slipway::base::net {
namespace {

using absl::StatusCode;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::StatusIs;

const std::vector<std::string> kRoles = {"read", "admin"};

std::string HashOf(absl::string_view token) { return ToHex(Sha256Of(AsBytes(token))); }

class TokenFileTest : public ::testing::Test {
 protected:
  void Write(absl::string_view text) {
    ASSERT_OK_AND_ASSIGN(auto dir, files_.MakeRoot("/etc"));
    ASSERT_OK(WriteFileDurably(*dir, "tokens", text, 0600));
  }
  sim::Files files_{1};
  TokenFile tokens_{files_, "/etc/tokens", kRoles};
};

// E191.
TEST_F(TokenFileTest, FindsWhoHasATokenAndFollowsTheFile) {
  Write(absl::StrCat("# people\n\n", HashOf("one"), " ada read,admin\n", HashOf("two"),
                     "\tbob read"));
  ASSERT_OK(tokens_.Reload());
  ASSERT_TRUE(tokens_.Find("one").has_value());
  EXPECT_EQ(tokens_.Find("one")->subject, "ada");
  EXPECT_THAT(tokens_.Find("one")->roles, ElementsAre("read", "admin"));
  EXPECT_FALSE(tokens_.Find("three").has_value());
  EXPECT_FALSE(tokens_.Find("").has_value());
  Write(absl::StrCat(HashOf("three"), " eve read\n"));
  ASSERT_OK(tokens_.Reload());
  EXPECT_TRUE(tokens_.Find("three").has_value());
  EXPECT_FALSE(tokens_.Find("one").has_value());
}

TEST_F(TokenFileTest, ABadFileIsRefusedByLineAndTheOldOneStays) {
  Write(absl::StrCat(HashOf("one"), " ada read\n"));
  ASSERT_OK(tokens_.Reload());
  for (const std::string& line :
       {std::string("secretword ada read"), absl::StrCat(HashOf("x"), " ada"),
        absl::StrCat(HashOf("x"), " ada king"),
        absl::StrCat(HashOf("one"), " bob read\n", HashOf("one"), " bob read")}) {
    Write(absl::StrCat("# first\n", line));
    EXPECT_THAT(tokens_.Reload(),
                StatusIs(StatusCode::kInvalidArgument,
                         AllOf(HasSubstr("/etc/tokens:"), Not(HasSubstr("secretword")))));
    EXPECT_TRUE(tokens_.Find("one").has_value());
  }
}

TEST(BearerToken, IsWhatFollowsTheScheme) {
  EXPECT_EQ(BearerTokenOf("Bearer  abc ").value_or("-"), "abc");
  EXPECT_EQ(BearerTokenOf("bearer abc").value_or("-"), "abc");
  EXPECT_EQ(BearerTokenOf("Basic abc").value_or("-"), "-");
}

}  // namespace
}  // namespace slipway::base::net
