// Backups on a simulated disk (E193).
#include "eraft/backup/backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"
#include "eraft/backup/test_backup.h"

namespace slipway::eraft {
namespace {

using absl::StatusCode;
using base::sim::Loss;
using base::testing::StatusIs;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr char kManifestPath[] = "/backup/BACKUP.json";

TEST(BackupManifestTest, IsReadBackAndEachFlippedBitIsFound) {
  BackupManifest manifest;
  manifest.header = {.cluster = kOldCluster, .node = 2, .group = 1, .term = 3, .index = 9};
  manifest.header.members = {{1, "a:1"}, {2, "[::1]:2"}};
  manifest.created = absl::FromUnixSeconds(1'700'000'000);
  manifest.version = "1.0.0";
  manifest.files = {{"000009.sst", 12, {1}}, {"MANIFEST", 3, {2}}};
  const std::string text = EncodeBackupManifest(manifest);
  ASSERT_OK_AND_ASSIGN(const BackupManifest read, DecodeBackupManifest(text));
  EXPECT_EQ(read, manifest);
  for (size_t bit = 0; bit < text.size() * 8; ++bit) {
    std::string bad = text;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ 1 << bit % 8);
    const auto decoded = DecodeBackupManifest(bad);
    EXPECT_TRUE(!decoded.ok() || *decoded == manifest) << "bit " << bit;  // white space may change
  }
}

TEST(BackupManifestTest, ANewerFormatIsRefusedByName) {
  const std::string newer =
      absl::StrReplaceAll(EncodeBackupManifest({}), {{"\"format\": 1", "\"format\": 2"}});
  EXPECT_THAT(DecodeBackupManifest(newer),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("format 2")));
}

TEST(Backup, HoldsTheStateOfOneIndex) {
  TestSource source;
  base::sim::Files files(5);
  source.Put("a", "1");
  ASSERT_OK_AND_ASSIGN(const BackupReport report, source.BackUp(files));
  EXPECT_EQ(report.manifest.header, source.header());
  EXPECT_GT(report.bytes_received, 0u);
  ASSERT_OK_AND_ASSIGN(const BackupManifest verified, Verify(files));
  EXPECT_EQ(verified, report.manifest);
  EXPECT_EQ(verified.version, "1.2.3");
}

TEST(Backup, WhatIsThereIsNotSentAgainAndWhatNobodyNamesGoes) {
  TestSource source;
  base::sim::Files files = BackedUp(source);
  ASSERT_OK_AND_ASSIGN(const BackupReport same, source.BackUp(files));
  EXPECT_EQ(same.bytes_received, 0u);
  EXPECT_EQ(same.files_reused, same.manifest.files.size());
  source.Put("more", "1");
  ASSERT_OK_AND_ASSIGN(const BackupReport changed, source.BackUp(files));
  EXPECT_GT(changed.bytes_received, 0u);
  ASSERT_OK_AND_ASSIGN(const auto dir, files.OpenRoot(kBackupPath));
  ASSERT_OK_AND_ASSIGN(const auto stored, dir->OpenDir(kBackupFilesDir));
  ASSERT_OK_AND_ASSIGN(const auto names, NamesIn(*stored));
  EXPECT_EQ(names.size(), changed.manifest.files.size());
  EXPECT_OK(Verify(files));
}

// A file that a disk has changed since is no file that one has.
TEST(Backup, ADamagedFileOfAnOlderBackupIsSentAgain) {
  TestSource source;
  base::sim::Files files = BackedUp(source);
  ASSERT_OK_AND_ASSIGN(const BackupManifest before, Verify(files));
  ASSERT_OK(files.FlipBit("/backup/" + BackupFilePath(before.files[0]), 99));
  ASSERT_OK_AND_ASSIGN(const BackupReport report, source.BackUp(files));
  EXPECT_EQ(report.files_reused, before.files.size() - 1);
  EXPECT_OK(Verify(files));
}

// E193: the power may go at any operation, in a first backup and in a later one.
TEST(Backup, PowerLossAtEveryOperationLeavesTheOldOneOrTheNewOneOrNone) {
  TestSource source;
  const base::sim::Files none(5);
  base::sim::Files old = BackedUp(source);
  ASSERT_OK_AND_ASSIGN(const BackupManifest before, Verify(old));
  source.Put("new", "value");
  const raft::Index now = source.header().index;
  for (const bool first : {true, false}) {
    for (int n = 1;; ++n) {
      base::sim::Files files = first ? none : old;
      files.PowerLossAt(n);
      const auto made = source.BackUp(files);
      const bool lost = files.off();
      for (const Loss loss : {Loss::kSeeded, Loss::kLoseAllUnsynced, Loss::kKeepAll}) {
        base::sim::Files after = files.AfterReboot(loss);
        const auto found = Verify(after);
        if (first && !made.ok() && absl::IsNotFound(found.status())) continue;
        ASSERT_OK(found) << "operation " << n;
        if (made.ok()) {
          EXPECT_EQ(found->header.index, now) << "operation " << n;
        }
        EXPECT_THAT(found->header.index, AnyOf(before.header.index, now));
        ASSERT_OK(source.BackUp(after)) << "operation " << n;
      }
      if (!lost) break;
    }
  }
}

TEST(Backup, AfterEachErrorOfTheDiskTheOldOneCounts) {
  TestSource source;
  base::sim::Files old = BackedUp(source);
  source.Put("new", "value");
  for (int n = 1;; ++n) {
    base::sim::Files files = old;
    const uint64_t failed = files.counts().faults.failed;
    files.FailAt(n, absl::DataLossError("input/output error"));
    const auto made = source.BackUp(files);
    if (files.counts().faults.failed == failed) break;
    files.ClearFaults();
    EXPECT_OK(Verify(files)) << "operation " << n << ": " << made.status();
    base::sim::Files after = files.AfterReboot();
    EXPECT_OK(Verify(after)) << "operation " << n;
  }
}

TEST(Backup, EachDamagedFileIsNamed) {
  TestSource source;
  base::sim::Files files = BackedUp(source);
  ASSERT_OK_AND_ASSIGN(const BackupManifest manifest, Verify(files));
  for (const SnapshotFile& file : manifest.files) {
    base::sim::Files bad = files;
    ASSERT_OK(bad.FlipBit("/backup/" + BackupFilePath(file), 12));
    EXPECT_THAT(Verify(bad), StatusIs(StatusCode::kDataLoss, AllOf(HasSubstr(BackupFilePath(file)),
                                                                   HasSubstr(file.name))));
  }
  base::sim::Files gone = files;
  ASSERT_OK_AND_ASSIGN(const auto dir, gone.OpenRoot(kBackupPath));
  ASSERT_OK(dir->Remove(BackupFilePath(manifest.files.back())));
  EXPECT_THAT(Verify(gone), StatusIs(StatusCode::kDataLoss, HasSubstr("missing")));
  ASSERT_OK(files.FlipBit(kManifestPath, 999));
  EXPECT_THAT(Verify(files), StatusIs(StatusCode::kDataLoss, HasSubstr("BACKUP.json")));
}

TEST(Backup, AFolderOfOtherThingsIsNotTaken) {
  TestSource source;
  base::sim::Files files(5);
  ASSERT_OK_AND_ASSIGN(const auto dir, files.MakeRoot(kBackupPath));
  ASSERT_OK(base::WriteFileDurably(*dir, "thesis.tex", "…"));
  EXPECT_THAT(source.BackUp(files),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("thesis.tex")));
  EXPECT_FALSE(files.Exists("/backup/LOCK"));
}

TEST(Backup, OneDirectoryIsOfOneClusterAndOfOneBackupAtATime) {
  TestSource source;
  base::sim::Files files = BackedUp(source);
  ASSERT_OK_AND_ASSIGN(const auto dir, files.OpenRoot(kBackupPath));
  ASSERT_OK_AND_ASSIGN(const auto writer, BackupWriter::Open(*dir));
  EXPECT_THAT(source.BackUp(files), StatusIs(StatusCode::kAborted));
  BackupHeader other = source.header();
  other.cluster = {1};
  EXPECT_THAT(writer->Begin(other),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("of cluster")));
}

TEST(Backup, WhatComesDamagedOrOutOfOrderIsRefused) {
  TestSource source;
  base::sim::Files files(5);
  ASSERT_OK_AND_ASSIGN(const auto dir, files.MakeRoot(kBackupPath));
  ASSERT_OK_AND_ASSIGN(const auto writer, BackupWriter::Open(*dir));
  EXPECT_THAT(writer->Add({}), StatusIs(StatusCode::kInvalidArgument));
  ASSERT_OK(writer->Begin(source.header()));
  BackupPart part = {.file = "state", .data = "abc", .crc32c = 1};
  EXPECT_THAT(writer->Add(part), StatusIs(StatusCode::kDataLoss));
  part.crc32c = base::Crc32c(base::AsBytes(part.data));
  ASSERT_OK(writer->Add(part));
  EXPECT_THAT(writer->Add(part), StatusIs(StatusCode::kInvalidArgument));  // the same again
  part.offset_bytes = 3;
  part.last = true;
  EXPECT_THAT(writer->Add(part), StatusIs(StatusCode::kDataLoss));  // another hash
  EXPECT_THAT(writer->Finish(absl::UnixEpoch(), "1"), StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(Verify(files), StatusIs(StatusCode::kNotFound));
}

TEST(BackupSourceTest, SurvivesTheRemovalOfItsSnapshot) {
  TestSource source;
  source.Put("a", std::string(3 << 20, 'x'));
  const SnapshotName name = source.Snapshot();
  ASSERT_OK_AND_ASSIGN(auto reading, BackupSource::Open(source.root(), name, {}, 1));
  ASSERT_OK_AND_ASSIGN(const auto first, reading->Next());
  EXPECT_EQ(first->data.size(), size_t{1} << 20);
  ASSERT_OK(RemoveSnapshot(source.root(), name));
  int parts = 1;
  for (auto part = reading->Next();; part = reading->Next()) {
    ASSERT_OK(part);
    if (!part->has_value()) break;
    ++parts;
  }
  EXPECT_GT(parts, 4);
  reading = nullptr;
  EXPECT_FALSE(source.files().Exists("/node/snap/backup-1.tmp"));
  EXPECT_THAT(BackupSource::Open(source.root(), name, {}, 1).status(),
              StatusIs(StatusCode::kNotFound));
}

TEST(BackupSourceTest, ADamagedSnapshotIsNotSent) {
  TestSource source;
  source.Put("a", std::string(3000, 'x'));
  const SnapshotName name = source.Snapshot();
  ASSERT_OK(source.files().FlipBit(absl::StrCat("/node/", SnapshotPath(name), "/files/state"), 99));
  base::sim::Files files(5);
  EXPECT_THAT(source.BackUp(files), StatusIs(StatusCode::kDataLoss,
                                             AllOf(HasSubstr("state"), HasSubstr("another node"))));
}

}  // namespace
}  // namespace slipway::eraft
