#include "base/config/secret.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/config/test_schema.h"
#include "base/sim/world.h"
#include "base/testing/status_matchers.h"

namespace slipway::base {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using ::testing::Not;
using testing::StatusIs;

class SecretFileTest : public ::testing::Test {
 protected:
  void Write(absl::string_view name, absl::string_view text, uint32_t mode) {
    auto dir = world_.files.MakeRoot("/secrets");
    ASSERT_OK(dir);
    ASSERT_OK(WriteFileDurably(**dir, name, text, mode));
  }
  absl::StatusOr<SecretFile> Read(absl::string_view name) {
    return ReadSecretFile(world_.files, absl::StrCat("/secrets/", name));
  }
  sim::World world_{1};
};

TEST_F(SecretFileTest, IsReadWithoutItsLastLineEnd) {
  Write("a", "canary\n", 0600);
  Write("b", "two\nlines\r\n", 0400);
  EXPECT_EQ(Read("a")->secret.Reveal(), "canary");
  EXPECT_EQ(Read("a")->warning, "");
  EXPECT_EQ(Read("b")->secret.Reveal(), "two\nlines");
}

TEST_F(SecretFileTest, ReadableByOthersIsRefusedByTheGroupWarns) {  // DECISIONS 3, D16
  for (const uint32_t mode : {0604u, 0644u, 0602u, 0601u}) {
    Write("open", "canary", mode);
    EXPECT_THAT(Read("open").status(), StatusIs(absl::StatusCode::kPermissionDenied,
                                                HasSubstr("run chmod 600 /secrets/open")));
  }
  Write("group", "canary", 0640);
  EXPECT_EQ(Read("group")->warning,
            "secret file /secrets/group: its group may read it (mode 0640)");
}

TEST_F(SecretFileTest, WhatIsNoSecretIsRefused) {
  Write("empty", "\n", 0600);
  Write("large", std::string(64 * 1024 + 1, 'x'), 0600);
  EXPECT_THAT(Read("empty").status(), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Read("large").status(), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(Read("none").status(), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(ReadSecretFile(world_.files, "/secrets").status(),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(SecretFileTest, AMountedSecretIsALinkIntoAVersionedDirectory) {
  Write("real", "canary", 0400);
  ASSERT_OK(world_.files.OpenRoot("/secrets").value()->Symlink("real", "link"));
  EXPECT_EQ(Read("link")->secret.Reveal(), "canary");
}

TEST_F(SecretFileTest, TheReaderFindsFilesBesideTheConfiguration) {
  Write("t", "canary", 0640);
  Write("open", "canary", 0644);
  const ConfigNode root = ParseConfig(
                              "publish: {targets: [{name: a, token: 'file:t'},\n"
                              "  {name: b, token_file: t}, {name: c, token_file: open}]}",
                              "f.yaml")
                              .value();
  ConfigReader reader(root, {&world_.environment, &world_.files, "/secrets"});
  TestConfig config;
  BindTestConfig(reader, config);
  const absl::Status status = reader.Finish();
  EXPECT_EQ(config.targets[0].token.Reveal(), "canary");
  EXPECT_EQ(config.targets[1].token.Reveal(), "canary");
  EXPECT_THAT(reader.Warnings(),
              ElementsAre(HasSubstr("publish.targets[0].token: secret file /secrets/t: its group"),
                          HasSubstr("publish.targets[1].token_file: secret file /secrets/t")));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("f.yaml:2:51: publish.targets[2].token_file: read secret /secrets/open"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("canary")));
}

TEST(Secret, MovesLeaveNothingBehind) {
  Secret a(std::string("short"));  // within the string object itself
  const char* bytes = a.Reveal().data();
  Secret b(std::move(a));
  EXPECT_EQ(b.Reveal(), "short");
  EXPECT_EQ(std::string(bytes, 5), std::string(5, '\0'));
  Secret c;
  c = b;
  EXPECT_EQ(c, b);
  c = std::move(b);
  EXPECT_EQ(c.Reveal(), "short");
  EXPECT_TRUE(b.empty());
  EXPECT_FALSE(c == Secret(std::string("shorT")));
  EXPECT_EQ(::testing::PrintToString(c), "***");
}

TEST(Secret, FormsAreToldByTheirPrefix) {
  EXPECT_EQ(ParseSecretForm("env:A").first, SecretForm::kEnvironment);
  EXPECT_EQ(ParseSecretForm("file:/a").second, "/a");
  EXPECT_EQ(ParseSecretForm("plain").first, SecretForm::kLiteral);
}

}  // namespace
}  // namespace slipway::base
