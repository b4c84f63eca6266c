// The last resort, on a simulated disk (E170).
#include "eraft/backup/unsafe_recover.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/audit/audit.h"
#include "base/status.h"
#include "eraft/backup/test_backup.h"
#include "eraft/backup/test_node.h"
#include "eraft/wal/node_files.h"
#include "eraft/wal/two_copy.h"

namespace slipway::eraft {
namespace {

using absl::StatusCode;
using base::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kData[] = "/new/kv_0";

// A member of a cluster of three, of which the other two are gone.
class UnsafeRecoveryTest : public ::testing::Test {
 protected:
  UnsafeRecoveryTest() : files_(BackedUp(source_)) {
    RestoreOptions options;
    options.out = "/new/kv";
    options.members = {"new:1", "new:2", "new:3"};
    options.only = 0;
    const auto backup = files_.OpenRoot(kBackupPath);
    const auto report = Restore(**backup, {files_, clock_, random_}, options);
    EXPECT_OK(report);
    cluster_ = report->cluster;
    files_.Settle();
  }
  base::Owned<UnsafeRecovery> Open(base::sim::Files& files) {
    return UnsafeRecovery::Open(kData, {files, clock_, random_, 64 << 10});
  }
  absl::Status Run(base::sim::Files& files) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto recovery, Open(files));
    return recovery->Run("test");
  }
  // Its configuration still names three.
  absl::StatusOr<std::unique_ptr<LoneNode>> Start(base::sim::Files& files) {
    raft::Membership three;
    three.voters = {1, 2, 3};
    return LoneNode::Start(files, kData, 1, cluster_, three);
  }
  uint64_t IncarnationIn(base::sim::Files& files) {
    const auto dir = files.OpenRoot(kData);
    const auto file = wal::TwoCopyFile::Open(**dir, wal::kIdentityName);
    return wal::DecodeIdentity(file->payload())->incarnation;
  }

  TestSource source_;
  base::sim::Files files_;
  base::sim::Clock clock_;
  base::sim::Random random_{9};
  wal::ClusterId cluster_{};
};

TEST_F(UnsafeRecoveryTest, TellsWhatStandsAndChangesNothingByLooking) {
  const uint64_t incarnation = IncarnationIn(files_);
  ASSERT_OK_AND_ASSIGN(const auto recovery, Open(files_));
  EXPECT_THAT(recovery->lost(), ElementsAre(2, 3));
  EXPECT_EQ(recovery->found().identity.node, 1u);
  EXPECT_GT(recovery->found().last, 0u);
  EXPECT_EQ(recovery->found().addresses.size(), 3u);
  EXPECT_EQ(IncarnationIn(files_), incarnation);
}

TEST_F(UnsafeRecoveryTest, TheSurvivorLeadsAloneWithAllThatItHad) {
  {
    ASSERT_OK_AND_ASSIGN(const auto before, Start(files_));
    ASSERT_FALSE(before->AwaitLeader());
  }
  const uint64_t incarnation = IncarnationIn(files_);
  ASSERT_OK(Run(files_));
  EXPECT_NE(IncarnationIn(files_), incarnation);
  EXPECT_EQ(*files_.Read(absl::StrCat(kData, "/MEMBERS")), "1 new:1\n");
  ASSERT_OK_AND_ASSIGN(const auto lone, Start(files_));
  ASSERT_TRUE(lone->AwaitLeader());
  EXPECT_THAT(lone->status().raft.membership.voters, ElementsAre(1));
  EXPECT_EQ(lone->Get(kUserShard, "k1"), std::string(1000, 'v'));
  EXPECT_EQ(lone->Get(kSystemShard, MemberKey(1)), "new:1");
  EXPECT_EQ(lone->Get(kSystemShard, MemberKey(2)), "-");
}

TEST_F(UnsafeRecoveryTest, LeavesARecordAndIsDoneOnce) {
  ASSERT_OK(Run(files_));
  ASSERT_OK_AND_ASSIGN(const std::string audit,
                       files_.Read(absl::StrCat(kData, "/", kRecoveryAuditName)));
  EXPECT_OK(base::VerifyAudit(audit));
  EXPECT_THAT(audit, HasSubstr("unsafe_recover_begin"));
  EXPECT_THAT(audit, HasSubstr("\"lost\":\"2,3\""));
  EXPECT_THAT(Run(files_), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("only member")));
}

TEST_F(UnsafeRecoveryTest, ANodeThatRunsIsRefused) {
  ASSERT_OK_AND_ASSIGN(const auto running, Start(files_));
  const absl::Status refused = Open(files_).status();
  EXPECT_THAT(refused, StatusIs(StatusCode::kAborted, HasSubstr(kData)));
  EXPECT_EQ(base::GetErrorInfo(refused).hint, "stop that process first");
}

TEST_F(UnsafeRecoveryTest, AnotherDirectoryIsRefused) {
  ASSERT_OK(files_.MakeRoot("/empty").status());
  EXPECT_THAT(UnsafeRecovery::Open("/empty", {files_, clock_, random_}).status(),
              StatusIs(StatusCode::kNotFound, HasSubstr("IDENTITY")));
}

TEST_F(UnsafeRecoveryTest, AfterPowerLossAtEveryOperationItIsRunAgain) {
  const uint64_t incarnation = IncarnationIn(files_);
  {
    const auto dir = files_.OpenRoot(kData);
    ASSERT_OK(base::WriteFileDurably(**dir, "PEERS", "2 7"));
  }
  for (int n = 1;; ++n) {
    base::sim::Files files = files_;
    files.PowerLossAt(n);
    const absl::Status done = Run(files);
    const bool lost = files.off();
    base::sim::Files after = files.AfterReboot();
    const absl::Status again = Run(after);
    ASSERT_TRUE(again.ok() || absl::IsFailedPrecondition(again))
        << "operation " << n << ": " << again;
    if (done.ok()) {
      ASSERT_THAT(again, StatusIs(StatusCode::kFailedPrecondition));
    }
    ASSERT_NE(IncarnationIn(after), incarnation) << "operation " << n;
    ASSERT_EQ(*after.Read(absl::StrCat(kData, "/MEMBERS")), "1 new:1\n") << "operation " << n;
    ASSERT_FALSE(after.Read(absl::StrCat(kData, "/PEERS")).ok()) << "operation " << n;
    ASSERT_OK_AND_ASSIGN(const auto lone, Start(after));
    ASSERT_TRUE(lone->AwaitLeader()) << "operation " << n;
    ASSERT_EQ(lone->Get(kUserShard, "k1"), std::string(1000, 'v')) << "operation " << n;
    if (!lost) break;
  }
}

}  // namespace
}  // namespace slipway::eraft
