#include "base/config/secret.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <new>

#include "base/config/test_schema.h"
#include "base/sim/world.h"
#include "base/testing/forwarding_files.h"
#include "base/testing/status_matchers.h"

namespace slipway::base {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
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
  for (const uint32_t mode : {0620u, 0610u}) {
    Write("group", "canary", mode);
    EXPECT_NE(Read("group")->warning, "") << mode;
  }
}

// Opens /secrets as a directory in which `s` is replaced between a question about its name and its
// opening.
class SwappingFiles : public Files {
 public:
  explicit SwappingFiles(Files& files) : files_(files) {}
  Owned<Dir> OpenRoot(absl::string_view path) override {
    SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<Dir> dir, files_.OpenRoot(path));
    return std::make_unique<Swapping>(std::move(dir));
  }
  Owned<Dir> MakeRoot(absl::string_view path) override { return files_.MakeRoot(path); }
  absl::StatusOr<std::string> Canonical(absl::string_view path) override {
    return files_.Canonical(path);
  }

 private:
  class Swapping : public testing::ForwardingDir {
   public:
    using ForwardingDir::ForwardingDir;
    Owned<File> Open(absl::string_view path, OpenOptions options) override {
      SLIPWAY_RETURN_IF_ERROR(WriteFileDurably(inner(), path, "canary of another", 0644));
      return ForwardingDir::Open(path, options);
    }
  };
  Files& files_;
};

TEST_F(SecretFileTest, TheFileThatIsReadIsTheOneThatWasChecked) {
  Write("s", "canary", 0600);
  SwappingFiles files(world_.files);
  EXPECT_THAT(ReadSecretFile(files, "/secrets/s").status(),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("mode 0644")));
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

TEST(Secret, NothingIsLeftWhereItEnded) {
  alignas(Secret) unsigned char room[sizeof(Secret)];
  std::memset(room, 0, sizeof(room));
  auto* const secret = new (room) Secret(std::string("canary"));  // short: within the object itself
  secret->~Secret();
  const absl::string_view left(reinterpret_cast<const char*>(room), sizeof(room));
  EXPECT_EQ(left.find("canary"), absl::string_view::npos);
}

TEST(Secret, FormsAreToldByTheirPrefix) {
  EXPECT_EQ(ParseSecretForm("env:A").first, SecretForm::kEnvironment);
  EXPECT_EQ(ParseSecretForm("file:/a").second, "/a");
  EXPECT_EQ(ParseSecretForm("plain").first, SecretForm::kLiteral);
}

}  // namespace
}  // namespace slipway::base
