#include "cas/service/session/tokens.h"

#include <set>
#include <thread>
#include <vector>

#include "base/metrics/metrics.h"
#include "base/sim/clock.h"
#include "base/sim/files.h"
#include "base/sim/random.h"
#include "base/testing/status_matchers.h"
#include "cas/service/session/authority.h"
#include "cas/service/session/keys.h"

namespace slipway::cas {
namespace {

using absl::StatusCode;
using base::testing::IsOk;
using base::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

class TokensTest : public ::testing::Test {
 protected:
  std::string Issue(Tokens& tokens, Role role = Role::kWrite) {
    auto issued = tokens.Issue({"ada", role});
    EXPECT_THAT(issued, IsOk());
    return issued.ok() ? issued->token : "";
  }
  base::sim::Clock clock_;
  base::sim::Random random_{1};
};

TEST_F(TokensTest, AreUuidsOfVersion4AndNeverTheSame) {  // Z7
  Tokens tokens({}, clock_, random_);
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string token = Issue(tokens);
    EXPECT_THAT(token, MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-"
                                    "[0-9a-f]{12}"));
    seen.insert(token);
  }
  EXPECT_EQ(seen.size(), 1000u);
}

TEST_F(TokensTest, AnAbsentOrUnknownTokenIsUnauthenticated) {  // Z8
  Tokens tokens({}, clock_, random_);
  const std::string token = Issue(tokens);
  EXPECT_THAT(tokens.Accept("", Role::kRead), StatusIs(StatusCode::kUnauthenticated));
  EXPECT_THAT(tokens.Accept(token + "0", Role::kRead),
              StatusIs(StatusCode::kUnauthenticated, Not(HasSubstr(token))));
  const auto identity = tokens.Accept(token, Role::kRead);
  ASSERT_THAT(identity, IsOk());
  EXPECT_EQ(identity->subject, "ada");
}

TEST_F(TokensTest, TheScopeMustSuffice) {  // Z8
  Tokens tokens({.once = true}, clock_, random_);
  const std::string token = Issue(tokens, Role::kRead);
  EXPECT_THAT(
      tokens.Accept(token, Role::kWrite),
      StatusIs(StatusCode::kPermissionDenied, AllOf(HasSubstr("read"), HasSubstr("write"))));
  EXPECT_THAT(tokens.Accept(token, Role::kRead), IsOk());  // the refusal did not consume it
}

TEST_F(TokensTest, EachUseGivesItsTimeAgain) {  // Z8: sliding
  Tokens tokens({.ttl = absl::Seconds(10)}, clock_, random_);
  const std::string used = Issue(tokens);
  const std::string unused = Issue(tokens);
  clock_.Advance(absl::Seconds(9));
  EXPECT_THAT(tokens.Accept(used, Role::kRead), IsOk());
  clock_.Advance(absl::Seconds(9));
  EXPECT_THAT(tokens.Accept(used, Role::kRead), IsOk());
  EXPECT_THAT(tokens.Accept(unused, Role::kRead), StatusIs(StatusCode::kUnauthenticated));
  clock_.Advance(absl::Seconds(10));
  EXPECT_THAT(tokens.Accept(used, Role::kRead), StatusIs(StatusCode::kUnauthenticated));
  EXPECT_EQ(tokens.active(), 0u);
}

TEST_F(TokensTest, ATokenForOneCallIsGoneAfterIt) {  // Z7: once
  Tokens tokens({.once = true}, clock_, random_);
  const std::string token = Issue(tokens);
  EXPECT_THAT(tokens.Accept(token, Role::kWrite), IsOk());
  EXPECT_THAT(tokens.Accept(token, Role::kWrite), StatusIs(StatusCode::kUnauthenticated));
}

TEST_F(TokensTest, TheRegistryIsBounded) {  // Z8
  Tokens tokens({.ttl = absl::Seconds(10), .tokens_max = 2}, clock_, random_);
  Issue(tokens);
  clock_.Advance(absl::Seconds(5));
  const std::string second = Issue(tokens);
  EXPECT_THAT(tokens.Issue({"ada", Role::kRead}),
              StatusIs(StatusCode::kResourceExhausted, HasSubstr("auth.max_tokens")));
  clock_.Advance(absl::Seconds(5));  // the first has expired: there is room again
  Issue(tokens);
  EXPECT_THAT(tokens.Accept(second, Role::kRead), IsOk());
}

TEST_F(TokensTest, ARevokedTokenOpensNothing) {
  Tokens tokens({}, clock_, random_);
  const std::string token = Issue(tokens);
  EXPECT_TRUE(tokens.Revoke(token));
  EXPECT_FALSE(tokens.Revoke(token));
  EXPECT_THAT(tokens.Accept(token, Role::kRead), StatusIs(StatusCode::kUnauthenticated));
}

TEST_F(TokensTest, TheWallClockDoesNotMatter) {  // ZR15
  Tokens tokens({.ttl = absl::Seconds(10)}, clock_, random_);
  const std::string token = Issue(tokens);
  clock_.SetWall(clock_.Wall() + absl::Hours(24));
  EXPECT_THAT(tokens.Accept(token, Role::kRead), IsOk());
  clock_.SetWall(clock_.Wall() - absl::Hours(48));
  EXPECT_THAT(tokens.Accept(token, Role::kRead), IsOk());
}

TEST_F(TokensTest, ManyThreadsUseOneTokenOfOneCallOnce) {
  Tokens tokens({.once = true}, clock_, random_);
  const std::string token = Issue(tokens);
  std::atomic<int> accepted{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 100; ++j) {
        if (tokens.Accept(token, Role::kRead).ok()) ++accepted;
        (void)tokens.Issue({"bob", Role::kRead});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(accepted, 1);
}

// SHA-256 of "open sesame" and of "secret".
constexpr char kOpenSesame[] = "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb";
constexpr char kSecret[] = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

TEST(Keys, NameSubjectAndHighestRole) {
  const std::string text = absl::StrCat("# keys\n\n", kOpenSesame, " ada read,admin\r\n", kSecret,
                                        "\tbob\twrite,read\n");
  const auto keys = ParseKeys(text, "keys");
  ASSERT_THAT(keys, IsOk());
  EXPECT_EQ(keys->size(), 2u);
  const auto ada = keys->Find("open sesame");
  ASSERT_TRUE(ada.has_value());
  EXPECT_EQ(ada->subject, "ada");
  EXPECT_EQ(ada->role, Role::kAdmin);
  EXPECT_EQ(keys->Find("secret")->role, Role::kWrite);
  EXPECT_FALSE(keys->Find("Secret").has_value());
  EXPECT_FALSE(keys->Find("").has_value());
}

TEST(Keys, ABadLineIsNamedAndNotQuoted) {
  const std::string twice = absl::StrCat(kSecret, " bob read\n", kSecret, " eve admin\n");
  EXPECT_THAT(ParseKeys(twice, "f"), StatusIs(StatusCode::kInvalidArgument, HasSubstr("f:2")));
  for (const char* line : {"hunter2 bob read", "2bb8 bob read", "hunter2"}) {
    EXPECT_THAT(ParseKeys(line, "f"), StatusIs(StatusCode::kInvalidArgument,
                                               AllOf(HasSubstr("f:1"), Not(HasSubstr("hunter2")))));
  }
  EXPECT_THAT(ParseKeys(absl::StrCat(kSecret, " bob root"), "f"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("read, write, admin")));
}

class KeysFileTest : public ::testing::Test {
 protected:
  void Write(absl::string_view text, uint32_t mode = 0600) {
    auto dir = files_.MakeRoot("/etc/zako");
    ASSERT_THAT(dir, IsOk());
    ASSERT_OK(base::WriteFileDurably(**dir, "keys", text, mode));
  }
  base::sim::Files files_{1};
};

TEST_F(KeysFileTest, IsReadAgainAndABadOneChangesNothing) {  // Z144
  KeysFile keys(files_, "/etc/zako/keys");
  EXPECT_THAT(keys.Reload(), StatusIs(StatusCode::kNotFound));
  Write(absl::StrCat(kSecret, " bob read\n"));
  EXPECT_OK(keys.Reload());
  EXPECT_EQ(keys.Find("secret")->role, Role::kRead);
  Write(absl::StrCat(kSecret, " bob write\n", kOpenSesame, " ada admin\n"));
  EXPECT_OK(keys.Reload());
  EXPECT_EQ(keys.Find("secret")->role, Role::kWrite);
  EXPECT_TRUE(keys.Find("open sesame").has_value());
  Write("nonsense\n");
  EXPECT_THAT(keys.Reload(), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_EQ(keys.Find("secret")->role, Role::kWrite);
  Write(absl::StrCat(kSecret, " bob write\n"), 0644);
  EXPECT_THAT(keys.Reload(), StatusIs(StatusCode::kPermissionDenied));
  EXPECT_TRUE(keys.Find("open sesame").has_value());
}

class AuthorityTest : public KeysFileTest {
 protected:
  void SetUp() override {
    Write(absl::StrCat(kSecret, " bob read\n", kOpenSesame, " ada admin\n"));
    ASSERT_OK(keys_.Reload());
  }
  Authority Make(AuthMode mode, bool require_token = true) {
    return Authority({mode, require_token}, tokens_, &keys_, auth_);
  }
  static base::net::Call CallWith(absl::string_view authorization, absl::string_view subject = "") {
    base::net::Call call;
    call.authorization = std::string(authorization);
    call.subject = std::string(subject);
    return call;
  }
  base::sim::Clock clock_;
  base::sim::Random random_{1};
  base::Metrics metrics_;
  AuthMetrics auth_{metrics_};
  Tokens tokens_{{}, clock_, random_};
  KeysFile keys_{files_, "/etc/zako/keys"};
};

TEST_F(AuthorityTest, WithoutAModeEverybodyIsAdmin) {
  EXPECT_THAT(Make(AuthMode::kNone).Caller(CallWith(""), Role::kAdmin), IsOk());
}

TEST_F(AuthorityTest, AKeyOfTheFileGivesItsRole) {  // Z144
  Authority authority = Make(AuthMode::kKeys);
  EXPECT_THAT(authority.Caller(CallWith("Bearer open sesame"), Role::kAdmin), IsOk());
  EXPECT_THAT(authority.Caller(CallWith("bearer secret"), Role::kRead), IsOk());
  EXPECT_THAT(authority.Caller(CallWith("Bearer secret"), Role::kAdmin),
              StatusIs(StatusCode::kPermissionDenied));
  EXPECT_THAT(authority.Caller(CallWith("Bearer other"), Role::kRead),
              StatusIs(StatusCode::kUnauthenticated, Not(HasSubstr("other"))));
  EXPECT_THAT(authority.Caller(CallWith(""), Role::kRead), StatusIs(StatusCode::kUnauthenticated));
  EXPECT_THAT(authority.Caller(CallWith("secret"), Role::kRead),
              StatusIs(StatusCode::kUnauthenticated));
  EXPECT_EQ(auth_.role.value(), 1);
  EXPECT_EQ(auth_.unknown.value(), 2);
  EXPECT_EQ(auth_.missing.value(), 1);
}

TEST_F(AuthorityTest, ACertificateMayWriteAndAKeyRaisesIt) {
  Authority authority = Make(AuthMode::kMtls);
  EXPECT_THAT(authority.Caller(CallWith("", "build-7"), Role::kWrite), IsOk());
  EXPECT_THAT(authority.Caller(CallWith("", "build-7"), Role::kAdmin),
              StatusIs(StatusCode::kPermissionDenied));
  EXPECT_THAT(authority.Caller(CallWith("Bearer open sesame", "build-7"), Role::kAdmin), IsOk());
  EXPECT_THAT(authority.Caller(CallWith(""), Role::kRead), StatusIs(StatusCode::kUnauthenticated));
  // Who shows a key means it: a wrong one is no reason to look at the certificate.
  EXPECT_THAT(authority.Caller(CallWith("Bearer other", "build-7"), Role::kRead),
              StatusIs(StatusCode::kUnauthenticated));
}

TEST_F(AuthorityTest, TheTokensOfAKeyEndWithIt) {
  Authority authority = Make(AuthMode::kKeys);
  const auto token_of = [&](absl::string_view key) {
    const auto caller = authority.Caller(CallWith(absl::StrCat("Bearer ", key)), Role::kRead);
    EXPECT_THAT(caller, IsOk());
    const auto issued = authority.IssueToken(caller.value_or(Identity{}));
    EXPECT_THAT(issued, IsOk());
    return CallWith(absl::StrCat("Bearer ", issued.ok() ? issued->token : ""));
  };
  const auto bob = token_of("secret"), ada = token_of("open sesame");
  Write(absl::StrCat(kSecret, " bob admin\n", kOpenSesame, " ada read\n"));
  ASSERT_OK(keys_.Reload());
  EXPECT_THAT(authority.Transport(bob, Role::kRead), IsOk());  // may do more than its token
  EXPECT_THAT(authority.Transport(ada, Role::kRead),
              StatusIs(StatusCode::kUnauthenticated, HasSubstr("not in force")));
  Write(absl::StrCat(kOpenSesame, " ada admin\n"));
  ASSERT_OK(keys_.Reload());
  EXPECT_THAT(authority.Transport(bob, Role::kRead), StatusIs(StatusCode::kUnauthenticated));
  EXPECT_THAT(authority.Transport(ada, Role::kRead), StatusIs(StatusCode::kUnauthenticated));
  EXPECT_EQ(tokens_.active(), 0u);
  // One that was given for a certificate asks for no key.
  Authority mtls = Make(AuthMode::kMtls);
  const auto issued = mtls.IssueToken(*mtls.Caller(CallWith("", "build-7"), Role::kRead));
  ASSERT_THAT(issued, IsOk());
  EXPECT_THAT(mtls.Transport(CallWith(absl::StrCat("Bearer ", issued->token)), Role::kRead),
              IsOk());
}

TEST_F(AuthorityTest, TheTransportWantsATokenOfTheCallersRole) {  // Z8
  Authority authority = Make(AuthMode::kKeys);
  const auto caller = authority.Caller(CallWith("Bearer secret"), Role::kRead);
  ASSERT_THAT(caller, IsOk());
  const auto issued = authority.IssueToken(*caller);
  ASSERT_THAT(issued, IsOk());
  const auto with_token = CallWith(absl::StrCat("Bearer ", issued->token));
  EXPECT_THAT(authority.Transport(with_token, Role::kRead), IsOk());
  EXPECT_THAT(authority.Transport(with_token, Role::kWrite),
              StatusIs(StatusCode::kPermissionDenied));
  // A key is no token, and a token no key.
  EXPECT_THAT(authority.Transport(CallWith("Bearer secret"), Role::kRead),
              StatusIs(StatusCode::kUnauthenticated));
  EXPECT_THAT(authority.Caller(with_token, Role::kRead), StatusIs(StatusCode::kUnauthenticated));
  EXPECT_THAT(authority.Transport(CallWith(""), Role::kRead),
              StatusIs(StatusCode::kUnauthenticated));
  EXPECT_THAT(Make(AuthMode::kKeys, /*require_token=*/false)
                  .Transport(CallWith("Bearer secret"), Role::kRead),
              IsOk());
  // Without tokens the key still decides.
  EXPECT_THAT(Make(AuthMode::kKeys, /*require_token=*/false).Transport(CallWith(""), Role::kRead),
              StatusIs(StatusCode::kUnauthenticated));
  EXPECT_THAT(Make(AuthMode::kKeys, /*require_token=*/false)
                  .Transport(CallWith("Bearer secret"), Role::kWrite),
              StatusIs(StatusCode::kPermissionDenied));
  EXPECT_THAT(Make(AuthMode::kNone).Transport(CallWith(""), Role::kRead),
              StatusIs(StatusCode::kUnauthenticated));
}

}  // namespace
}  // namespace slipway::cas
