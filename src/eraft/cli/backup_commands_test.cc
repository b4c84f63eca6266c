// eraftctl backup, backup verify, restore and unsafe-recover, over a server that the test plays and
// a simulated disk (E170, E193, E194).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/json/json.h"
#include "base/sim/world.h"
#include "base/testing/status_matchers.h"
#include "eraft/backup/test_backup.h"
#include "eraft/cli/commands.h"
#include "eraft/cli/eraftctl.h"

namespace slipway::eraft::cli {
namespace {

using client::FromNode;
using client::GroupInfo;
using ::testing::AllOf;
using ::testing::HasSubstr;

// Two nodes: a:1 leads, b:1 follows and has the data.
class BackupServer : public client::AdminClient {
 public:
  explicit BackupServer(TestSource& source, std::vector<std::string>& asked)
      : source_(source), asked_(asked) {}

  std::vector<FromNode<std::vector<GroupInfo>>> Groups(absl::Duration) override {
    GroupInfo leader, follower;
    leader.role = "Leader";
    follower.role = "Follower";
    leader.leader = follower.leader = 1;
    leader.applied = follower.applied = 100;
    return {{"a:1", std::vector<GroupInfo>{leader}}, {"b:1", std::vector<GroupInfo>{follower}}};
  }
  absl::Status Backup(const std::string& address, uint64_t rate,
                      const std::vector<std::string>& known, client::BackupSink& sink) override {
    asked_.push_back(absl::StrCat(address, " at ", rate, " without ", known.size()));
    const BackupHeader header = source_.header();
    client::BackupInfo info;
    info.cluster = std::string(header.cluster.begin(), header.cluster.end());
    info.node = header.node;
    info.group = header.group;
    info.term = header.term;
    info.index = header.index;
    info.engine = std::string(EngineKindName(header.engine));
    SLIPWAY_RETURN_IF_ERROR(sink.OnInfo(info));
    std::set<base::Sha256Digest> hashes;
    for (const std::string& text : known) {
      base::Sha256Digest hash{};
      std::copy(text.begin(), text.end(), hash.begin());
      hashes.insert(hash);
    }
    SLIPWAY_ASSIGN_OR_RETURN(const auto reading,
                             BackupSource::Open(source_.root(), source_.Snapshot(), hashes, 1));
    while (true) {
      SLIPWAY_ASSIGN_OR_RETURN(const auto part, reading->Next());
      if (!part.has_value()) return absl::OkStatus();
      SLIPWAY_RETURN_IF_ERROR(
          sink.OnPiece({part->file, part->offset_bytes, part->data, part->crc32c, part->last,
                        std::string(part->sha256.begin(), part->sha256.end()), part->unchanged}));
    }
  }

  std::vector<FromNode<client::NodeInfo>> Infos(absl::Duration) override { return {}; }
  std::vector<FromNode<std::vector<std::string>>> Alarms(absl::Duration) override { return {}; }
  std::vector<FromNode<bool>> Health(absl::Duration) override { return {}; }
  absl::StatusOr<uint64_t> TransferLeader(uint64_t, uint64_t, absl::Duration) override {
    return No();
  }
  absl::StatusOr<std::vector<client::MemberInfo>> ChangeMembership(const client::MembershipChange&,
                                                                   absl::Duration) override {
    return No();
  }
  absl::Status Drain(const std::string&, absl::Duration) override { return No(); }
  absl::StatusOr<uint64_t> Snapshot(const std::string&, absl::Duration) override { return No(); }
  absl::StatusOr<std::string> SetOption(const std::string&, const std::string&, const std::string&,
                                        absl::Duration) override {
    return No();
  }

 private:
  static absl::Status No() { return absl::UnimplementedError("not asked for here"); }
  TestSource& source_;
  std::vector<std::string>& asked_;
};

struct Result {
  int exit = 0;
  std::string out, err;
  base::Json json() const { return base::ParseJson(out).value_or(base::Json()); }
};

class BackupCommands : public ::testing::Test {
 protected:
  Result Run(absl::string_view line) {
    std::istringstream in;
    std::ostringstream out, err;
    base::cli::Streams streams{in, out, err};
    EraftCtl tool("1.2.3",
                  [this](const client::ConnectOptions&, base::World&,
                         base::CancelToken) -> base::Owned<client::AdminClient> {
                    return std::make_unique<BackupServer>(source_, asked_);
                  });
    Result result;
    const std::vector<std::string> args = absl::StrSplit(line, ' ');
    result.exit = tool.program().Run(args, streams, world_.world());
    result.out = out.str();
    result.err = err.str();
    return result;
  }
  TestSource source_;
  base::sim::World world_{1};
  std::vector<std::string> asked_;
};

TEST_F(BackupCommands, AFollowerIsAskedAndOnlyForWhatIsNew) {
  source_.Put("k", "v");
  const Result first = Run("backup -addrs a:1,b:1 --out /backup --rate 1MiB");
  ASSERT_EQ(first.exit, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr("came from b:1"));
  const Result second = Run("backup --cluster a:1,b:1 --out /backup --json");
  ASSERT_EQ(second.exit, 0) << second.out;
  EXPECT_EQ(second.json().Find("bytes_received")->AsUint(), 0u);
  EXPECT_GT(*second.json().Find("bytes_reused")->AsUint(), 0u);
  EXPECT_EQ(Run("backup --from a:1 --out /backup").exit, 0);
  EXPECT_THAT(asked_, ::testing::ElementsAre("b:1 at 1048576 without 0", "b:1 at 0 without 2",
                                             "a:1 at 0 without 2"));
  const Result whole = Run("backup verify /backup");
  EXPECT_EQ(whole.exit, 0);
  EXPECT_THAT(whole.out, HasSubstr("whole: cluster 070707"));
}

TEST_F(BackupCommands, WrongUsageEndsWithTwo) {
  EXPECT_EQ(Run("backup").exit, 2);
  EXPECT_EQ(Run("drill").exit, 2);
  ASSERT_EQ(Run("backup --from a:1 --out /backup").exit, 0);
  for (const char* line : {"restore /backup --out /new/kv", "restore /backup --cluster h:1",
                           "restore /backup --out /new/kv --cluster nowhere",
                           "restore /backup --out /new/kv --cluster h:1,h:1",
                           "restore /backup --out /new/kv --cluster h:1,h:2 --id 2"}) {
    EXPECT_EQ(Run(line).exit, 2) << line;
  }
  EXPECT_FALSE(world_.files.Exists("/new"));
}

TEST_F(BackupCommands, WhatIsRestoredIsToldWithTheLinesToStartIt) {
  source_.Put("k", "v");
  ASSERT_EQ(Run("backup --from a:1 --out /backup").exit, 0);
  const Result one = Run("restore /backup --out /new/kv --cluster h:1,h:2 --id 1");
  ASSERT_EQ(one.exit, 0) << one.err;
  EXPECT_THAT(one.out, AllOf(HasSubstr("kvserver -id 1 -cluster h:1,h:2 --data-dir /new/kv_1"),
                             HasSubstr("with 1 keys")));
  EXPECT_FALSE(world_.files.Exists("/new/kv_0"));
  const Result again = Run("restore /backup --out /new/kv --cluster h:1,h:2");
  EXPECT_EQ(again.exit, 1);
  EXPECT_THAT(again.err, HasSubstr("/new/kv_1"));
}

TEST_F(BackupCommands, DamageEndsWithFour) {
  ASSERT_EQ(Run("backup --from a:1 --out /backup").exit, 0);
  ASSERT_OK(world_.files.FlipBit("/backup/BACKUP.json", 99));
  EXPECT_EQ(Run("backup verify /backup").exit, 4);
  EXPECT_EQ(Run("restore /backup --out /new/kv --cluster h:1").exit, 4);
}

TEST_F(BackupCommands, TheLastResortWantsToBeConfirmed) {
  ASSERT_EQ(Run("backup --from a:1 --out /backup").exit, 0);
  ASSERT_EQ(Run("restore /backup --out /new/kv --cluster h:1,h:2,h:3").exit, 0);
  const Result doubted = Run("unsafe-recover /new/kv_0 --survivor 1");
  EXPECT_EQ(doubted.exit, 1);
  EXPECT_THAT(doubted.err, AllOf(HasSubstr("DATA MAY BE LOST"), HasSubstr("nodes 2, 3"),
                                 HasSubstr("--yes-i-accept-data-loss")));
  EXPECT_EQ(Run("unsafe-recover /new/kv_0 --survivor 2 --yes-i-accept-data-loss").exit, 2);
  EXPECT_FALSE(world_.files.Exists("/new/kv_0/unsafe-recover.log"));
  const Result done = Run("unsafe-recover /new/kv_0 --survivor 1 --yes-i-accept-data-loss");
  EXPECT_EQ(done.exit, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr("node 1 is the only member now"));
  EXPECT_TRUE(world_.files.Exists("/new/kv_0/unsafe-recover.log"));
}

}  // namespace
}  // namespace slipway::eraft::cli
