// New clusters made of backups, on a simulated disk (E194).
#include "eraft/backup/restore.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"
#include "eraft/backup/offline_log.h"
#include "eraft/backup/test_backup.h"
#include "eraft/backup/test_node.h"
#include "eraft/wal/node_files.h"
#include "eraft/wal/two_copy.h"

namespace slipway::eraft {
namespace {

using absl::StatusCode;
using base::sim::Loss;
using base::testing::StatusIs;
using ::testing::HasSubstr;

class RestoreTest : public ::testing::Test {
 protected:
  RestoreTest() : files_(BackedUp(source_)) {
    options_.out = "/new/kv";
    options_.members = {"new:1", "new:2", "new:3"};
  }
  RestoreWorld World(base::sim::Files& files) {
    return {files, clock_, random_,
            [](EngineKind, base::Dir& dir, const std::string&) { return MemoryHome(&dir); }};
  }
  absl::StatusOr<RestoreReport> Run(base::sim::Files& files) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto backup, files.OpenRoot(kBackupPath));
    return Restore(*backup, World(files), options_);
  }
  absl::StatusOr<RestoreReport> Run() { return Run(files_); }
  absl::StatusOr<wal::Identity> IdentityOf(base::sim::Files& files, const std::string& path) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto dir, files.OpenRoot(path));
    SLIPWAY_ASSIGN_OR_RETURN(const auto file, wal::TwoCopyFile::Open(*dir, wal::kIdentityName));
    return wal::DecodeIdentity(file.payload());
  }

  TestSource source_;
  base::sim::Files files_;
  base::sim::Clock clock_;
  base::sim::Random random_{9};
  RestoreOptions options_;
};

TEST_F(RestoreTest, MakesMembersOfAnotherClusterWithTheSameKeys) {
  ASSERT_OK_AND_ASSIGN(const RestoreReport report, Run());
  EXPECT_NE(report.cluster, kOldCluster);
  EXPECT_EQ(report.keys, 5u);
  EXPECT_EQ(report.digest, source_.digest());
  ASSERT_EQ(report.nodes.size(), 3u);
  std::set<uint64_t> incarnations;
  for (size_t i = 0; i < 3; ++i) {
    const std::string path = absl::StrCat("/new/kv_", i);
    EXPECT_EQ(report.nodes[i].directory, path);
    ASSERT_OK_AND_ASSIGN(const wal::Identity identity, IdentityOf(files_, path));
    EXPECT_EQ(identity.cluster, report.cluster);
    EXPECT_EQ(identity.node, i + 1);
    EXPECT_TRUE(incarnations.insert(identity.incarnation).second);
    EXPECT_EQ(*files_.Read(path + "/MEMBERS"), "1 new:1\n2 new:2\n3 new:3\n");
    ASSERT_OK_AND_ASSIGN(const DataSummary data,
                         SummarizeData(World(files_), path, EngineKind::kMemory));
    EXPECT_EQ(data.keys, 5u);
    EXPECT_EQ(data.digest, source_.digest());
  }
}

// The state that each is given is the same down to the last row, on whichever machine it is made.
TEST_F(RestoreTest, MembersThatAreRestoredApartAgree) {
  base::sim::Files apart = files_;
  ASSERT_OK_AND_ASSIGN(const RestoreReport all, Run());
  for (size_t i = 0; i < 3; ++i) {
    options_.only = i;
    ASSERT_OK_AND_ASSIGN(const RestoreReport one, Run(apart));
    EXPECT_EQ(one.cluster, all.cluster);
    ASSERT_EQ(one.nodes.size(), 1u);
    const std::string state = absl::StrCat("/new/kv_", i, "/kv/state");
    EXPECT_EQ(*apart.Read(state), *files_.Read("/new/kv_0/kv/state"));
  }
}

TEST_F(RestoreTest, ANodeStartsOnItAndServesWhatTheBackupHeld) {
  options_.members = {"new:1"};
  ASSERT_OK_AND_ASSIGN(const RestoreReport report, Run());
  raft::Membership alone;
  alone.voters = {1};
  ASSERT_OK_AND_ASSIGN(const auto lone,
                       LoneNode::Start(files_, "/new/kv_0", 1, report.cluster, alone));
  ASSERT_TRUE(lone->AwaitLeader());
  EXPECT_EQ(lone->Get(kUserShard, "k3"), std::string(1000, 'v'));
  EXPECT_EQ(lone->Get(kSystemShard, MemberKey(1)), "new:1");
  EXPECT_EQ(lone->Get(kSystemShard, MemberKey(3)), "-");
  for (raft::NodeId id = 1; id <= 3; ++id) {  // E416: who comes under their ids is new
    EXPECT_EQ(lone->Get(kSystemShard, ReadmissionKey(id)), "-");
  }
  const GroupStatus status = lone->status();
  EXPECT_EQ(status.raft.membership, alone);
  EXPECT_FALSE(status.members_overruled);
}

// A majority is needed of the new members, not of whoever is there.
TEST_F(RestoreTest, OneOfThreeDoesNotLeadAlone) {
  ASSERT_OK_AND_ASSIGN(const RestoreReport report, Run());
  raft::Membership alone;
  alone.voters = {1};
  ASSERT_OK_AND_ASSIGN(const auto lone,
                       LoneNode::Start(files_, "/new/kv_0", 1, report.cluster, alone));
  EXPECT_FALSE(lone->AwaitLeader());
  EXPECT_TRUE(lone->status().members_overruled);
}

TEST_F(RestoreTest, PowerLossAtEveryOperationLeavesWholeDirectoriesOrNone) {
  options_.members = {"new:1", "new:2"};
  int losses = 0;
  for (int n = 1;; ++n) {
    base::sim::Files files = files_;
    files.KeepTrace(false);
    files.PowerLossAt(n);
    const auto made = Run(files);
    const bool lost = files.off();
    losses += lost ? 1 : 0;
    base::sim::Files after = files.AfterReboot(n % 2 == 0 ? Loss::kSeeded : Loss::kLoseAllUnsynced);
    for (size_t i = 0; i < 2; ++i) {
      const std::string path = absl::StrCat("/new/kv_", i);
      options_.only = i;
      if (!after.Exists(path)) {
        ASSERT_FALSE(made.ok()) << "operation " << n;
        ASSERT_OK(Run(after)) << "operation " << n;
      }
      ASSERT_OK_AND_ASSIGN(const DataSummary data,
                           SummarizeData(World(after), path, EngineKind::kMemory));
      EXPECT_EQ(data.digest, source_.digest()) << "operation " << n;
      ASSERT_OK_AND_ASSIGN(const wal::Identity identity, IdentityOf(after, path));
      ASSERT_OK_AND_ASSIGN(const auto dir, after.OpenRoot(path));
      ASSERT_OK_AND_ASSIGN(const auto log,
                           OfflineLog::Open(*dir, identity.cluster, 64 << 10, clock_));
      ASSERT_OK_AND_ASSIGN(const raft::Restored restored, log->Restore(kKvGroup));
      EXPECT_EQ(restored.snapshot.membership.voters.size(), 2u) << "operation " << n;
    }
    options_.only.reset();
    if (!lost) break;
  }
  EXPECT_GT(losses, 50);
}

TEST_F(RestoreTest, WhatIsThereIsNotTouched) {
  ASSERT_OK_AND_ASSIGN(const auto dir, files_.MakeRoot("/new/kv_2"));
  ASSERT_OK(base::WriteFileDurably(*dir, "precious", "…"));
  EXPECT_THAT(Run(), StatusIs(StatusCode::kAlreadyExists, HasSubstr("/new/kv_2")));
  EXPECT_FALSE(files_.Exists("/new/kv_0"));
  ASSERT_OK(dir->Remove("precious"));
  EXPECT_OK(Run());  // an empty directory is fine
}

TEST_F(RestoreTest, ADamagedBackupIsNamedAndLeavesNothing) {
  ASSERT_OK_AND_ASSIGN(const BackupManifest manifest, Verify(files_));
  for (const SnapshotFile& file : manifest.files) {
    base::sim::Files bad = files_;
    ASSERT_OK(bad.FlipBit("/backup/" + BackupFilePath(file), 77));
    EXPECT_THAT(Run(bad), StatusIs(StatusCode::kDataLoss, HasSubstr(BackupFilePath(file))));
    EXPECT_FALSE(bad.Exists("/new/kv_0"));
  }
}

TEST_F(RestoreTest, ANewerFormatIsRefused) {
  ASSERT_OK_AND_ASSIGN(const auto dir, files_.OpenRoot(kBackupPath));
  ASSERT_OK_AND_ASSIGN(const std::string text,
                       base::ReadFile(*dir, kBackupManifestName, uint64_t{1} << 20));
  ASSERT_OK(base::WriteFileDurably(
      *dir, kBackupManifestName, absl::StrReplaceAll(text, {{"\"format\": 1", "\"format\": 9"}})));
  EXPECT_THAT(Run(), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("format 9")));
}

TEST_F(RestoreTest, TheOldClusterIsNeverContinued) {
  options_.token = base::ToHex(base::BytesView(kOldCluster));
  EXPECT_THAT(Run(), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("choose another token")));
  options_.token = "blue";
  ASSERT_OK_AND_ASSIGN(const RestoreReport report, Run());
  EXPECT_EQ(report.cluster, ClusterIdOf("blue"));
}

}  // namespace
}  // namespace slipway::eraft
