#include <algorithm>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "base/os/files.h"
#include "base/sim/files.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "deploy/repository/repository.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace slipway::deploy {
namespace {

using ::slipway::base::testing::IsOkAndHolds;
using ::slipway::base::testing::StatusIs;
using ::testing::AnyOf;

constexpr char kKey[] = "model/1.0.0/model-1.0.0.tar.gz";
constexpr uint64_t kLimit = 1 << 20;
constexpr int kStepsMax = 60;

// D14, D17
TEST(FilesystemRepository, LocationIsAbsoluteAndItsUrlEncoded) {
  base::sim::Files files(1);
  files.SetWorkingDirectory("/");
  auto repository = OpenFilesystemRepository(files, "local", "data/a b%");
  ASSERT_OK(repository);
  const Location location = (*repository)->LocationOf({"model", "1.0.0"}, "model-1.0.0.tar.gz");
  EXPECT_EQ(location.name, "local");
  EXPECT_EQ(location.type, "filesystem");
  EXPECT_EQ(location.path, "/data/a b%/model/1.0.0/");
  EXPECT_EQ(location.url, "file:///data/a%20b%25/model/1.0.0/model-1.0.0.tar.gz");
}

// D51
TEST(FilesystemRepository, ObjectsHaveTheConfiguredMode) {
  base::sim::Files files(1);
  auto repository = OpenFilesystemRepository(files, "local", "/s", 0640);
  ASSERT_OK(repository);
  ASSERT_OK(PutText(**repository, "a/b", "x", If::kAny));
  auto root = files.OpenRoot("/s");
  ASSERT_OK(root);
  EXPECT_EQ((*root)->Stat("a/b")->mode, 0640u);
  EXPECT_EQ((*root)->Stat("a")->mode, 0750u);  // to be searched by whoever may read
  EXPECT_EQ((*root)->Stat("")->mode, 0750u);
}

TEST(FilesystemRepository, WhatAKilledPublishLeftGoesWithTheNextObject) {  // D24, D289
  base::testing::TempDir dir;
  base::os::LinuxFiles files;
  auto repository = OpenFilesystemRepository(files, "local", dir.path());
  ASSERT_OK(repository);
  ASSERT_OK(PutText(**repository, "a/b", "x", If::kAny));
  auto folder = files.OpenRoot(dir.Join("a"));
  ASSERT_OK(folder);
  ASSERT_OK(base::WriteFileDurably(**folder, ".slipway-tmp-1", "left over"));
  ASSERT_OK(PutText(**repository, "a/c", "x", If::kAny));
  EXPECT_THAT((*folder)->Stat(".slipway-tmp-1"), StatusIs(absl::StatusCode::kNotFound));
}

TEST(FilesystemRepository, ForeignThingsInTheFolderAreNoObjects) {
  base::testing::TempDir dir;
  base::os::LinuxFiles files;
  auto repository = OpenFilesystemRepository(files, "local", dir.path());
  ASSERT_OK(repository);
  auto root = files.OpenRoot(dir.path());
  ASSERT_OK(root);
  ASSERT_OK(base::WriteFileDurably(**root, ".slipway-tmp-1", "left over"));
  ASSERT_OK((*root)->Symlink("/etc/passwd", "link"));
  ASSERT_OK((*root)->Symlink("/etc", "folder"));
  EXPECT_TRUE((*repository)->List("", "")->objects.empty());
  EXPECT_THAT(GetText(**repository, "link", kLimit), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(GetText(**repository, "folder/passwd", kLimit),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_FALSE(PutText(**repository, "folder/x", "x", If::kAny).ok());
}

// Spec 6.14: nothing is said before the file, its name and new folders are synced.
TEST(FilesystemRepository, PutSyncsTheFileItsNameAndNewFolders) {
  base::sim::Files files(1);
  auto repository = OpenFilesystemRepository(files, "local", "/s");
  ASSERT_OK(repository);
  files.Settle();
  ASSERT_OK(PutText(**repository, kKey, "bytes", If::kAbsent));
  EXPECT_THAT(files.AfterReboot(base::sim::Loss::kLoseAllUnsynced).Read(std::string("/s/") + kKey),
              IsOkAndHolds("bytes"));
}

// What was taken back must not come back: a manifest without its package would be a version.
TEST(FilesystemRepository, RemoveIsDurable) {  // D18, D19
  base::sim::Files files(1);
  auto repository = OpenFilesystemRepository(files, "local", "/s");
  ASSERT_OK(repository);
  ASSERT_OK(PutText(**repository, kKey, "bytes", If::kAbsent));
  files.Settle();
  ASSERT_OK((*repository)->Remove(kKey));
  EXPECT_FALSE(
      files.AfterReboot(base::sim::Loss::kLoseAllUnsynced).Exists(absl::StrCat("/s/", kKey)));
}

// Else listing a store of n versions would read n * n / page directories.
TEST(FilesystemRepository, ListFromATokenReadsOnlyWhatComesAfterIt) {
  base::sim::Files files(1);
  auto repository = OpenFilesystemRepository(files, "local", "/s");
  ASSERT_OK(repository);
  for (int i = 10; i < 60; ++i) {
    ASSERT_OK(PutText(**repository, absl::StrCat("d", i, "/e/f"), "x", If::kAny));
  }
  files.CountReads(true);
  const auto reads = [&](absl::string_view token, size_t found) {
    const int before = files.operations();
    const absl::StatusOr<Page> page = (*repository)->List("", token);
    EXPECT_OK(page);
    EXPECT_EQ(page->objects.size(), found);
    return files.operations() - before;
  };
  const int all = reads("", 50);
  EXPECT_LT(reads("d57/e/f", 2), all / 3);
}

// S24, D283: after OK it survives; after a power loss it is there whole or not at all.
TEST(FilesystemRepository, PutIsAtomicAndDurableUnderPowerLoss) {
  for (const If condition : {If::kAbsent, If::kAny}) {
    base::sim::Files before(7);
    {
      auto repository = OpenFilesystemRepository(before, "local", "/s");
      ASSERT_OK(repository);
      if (condition == If::kAny) {
        ASSERT_OK(PutText(**repository, kKey, "old", If::kAbsent));
      }
      before.Settle();
    }
    bool completed = false;
    for (int n = 1; n <= kStepsMax && !completed; ++n) {
      base::sim::Files files = before;
      auto repository = OpenFilesystemRepository(files, "local", "/s");
      ASSERT_OK(repository);
      files.PowerLossAt(n);
      const absl::Status status = PutText(**repository, kKey, "new bytes", condition);
      completed = !files.off();
      EXPECT_EQ(completed, status.ok()) << status;
      for (uint64_t attempt = 0; attempt < 8; ++attempt) {
        base::sim::Files after = files.AfterReboot(base::sim::Loss::kSeeded, attempt);
        auto reopened = OpenFilesystemRepository(after, "local", "/s");
        ASSERT_OK(reopened);
        const absl::StatusOr<std::string> text = GetText(**reopened, kKey, kLimit);
        if (completed) {
          EXPECT_THAT(text, IsOkAndHolds("new bytes")) << "n " << n;
        } else if (condition == If::kAny) {
          EXPECT_THAT(text, IsOkAndHolds(AnyOf("old", "new bytes"))) << "n " << n;
        } else if (text.ok()) {
          EXPECT_EQ(*text, "new bytes") << "n " << n;
        } else {
          EXPECT_THAT(text, StatusIs(absl::StatusCode::kNotFound)) << "n " << n;
        }
      }
    }
    EXPECT_TRUE(completed) << "more steps than " << kStepsMax;
  }
}

// S24, D284: a failed operation is reported, shows nothing new, and the next try succeeds.
TEST(FilesystemRepository, PutReportsNoSpaceAndIoErrors) {
  for (const int error : {ENOSPC, EIO, EDQUOT, EACCES}) {
    bool completed = false;
    for (int n = 1; n <= kStepsMax && !completed; ++n) {
      base::sim::Files files(7);
      auto repository = OpenFilesystemRepository(files, "local", "/s");
      ASSERT_OK(repository);
      files.Settle();
      files.FailAt(n, base::ErrnoError(error, "fault"));
      const absl::Status status = PutText(**repository, kKey, "new bytes", If::kAbsent);
      completed = files.operations() < n;
      EXPECT_EQ(completed, status.ok()) << n << " " << status;
      if (!completed) {
        EXPECT_EQ(status.code(), base::ErrnoError(error, "").code()) << status;
        EXPECT_THAT((*repository)->Stat(kKey).status(), StatusIs(absl::StatusCode::kNotFound)) << n;
        files.ClearFaults();
        EXPECT_OK(PutText(**repository, kKey, "new bytes", If::kAbsent)) << n;
      }
      EXPECT_THAT(GetText(**repository, kKey, kLimit), IsOkAndHolds("new bytes"));
    }
    EXPECT_TRUE(completed) << "more steps than " << kStepsMax;
  }
}

// The proof of the proof: with a disk whose syncs lie, the power loss test finds the loss.
TEST(FilesystemRepository, ALyingSyncIsSeen) {
  for (const auto lie : {base::sim::Lie::kFileSync, base::sim::Lie::kDirSync}) {
    base::sim::Files files(7);
    auto repository = OpenFilesystemRepository(files, "local", "/s");
    ASSERT_OK(repository);
    files.Settle();
    files.SetLie(lie);
    ASSERT_OK(PutText(**repository, kKey, "bytes", If::kAbsent));
    const base::sim::Files after = files.AfterReboot(base::sim::Loss::kLoseAllUnsynced);
    EXPECT_NE(after.Read(std::string("/s/") + kKey).value_or(""), "bytes");
  }
}

}  // namespace
}  // namespace slipway::deploy
