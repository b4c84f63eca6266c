// eraftctl over nodes that say what the test makes them say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/json/json.h"
#include "base/sim/world.h"
#include "base/status.h"
#include "base/testing/status_matchers.h"
#include "eraft/cli/commands.h"
#include "eraft/cli/eraftctl.h"

namespace slipway::eraft::cli {
namespace {

using client::FromNode;
using client::GroupInfo;
using client::MemberInfo;
using client::MemberRole;
using client::MembershipChange;
using client::NodeInfo;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Three nodes, well, the first of them leading.
struct Cluster {
  std::vector<std::string> addresses = {"a:1", "b:1", "c:1"};
  std::vector<absl::StatusOr<NodeInfo>> infos;
  std::vector<absl::StatusOr<GroupInfo>> groups;
  std::vector<std::vector<std::string>> alarms = {{}, {}, {}};
  std::vector<absl::Status> health = {absl::OkStatus(), absl::OkStatus(), absl::OkStatus()};
  std::vector<MembershipChange> changes;
  absl::Status change_refused;
  std::vector<std::string> done;  // other writes
  bool moves = false;             // the office, when it is handed over

  explicit Cluster(absl::Time now) {
    for (uint64_t id = 1; id <= 3; ++id) {
      NodeInfo info;
      info.node = id;
      info.version = "1.0.0";
      info.engine = "rocksdb";
      info.cluster = "aa";
      info.address = addresses[id - 1];
      info.wall = info.heard = now;
      info.sync = absl::Milliseconds(1);
      info.disk_free_bytes = uint64_t{10} << 30;
      info.options = {"election_timeout=1s"};
      GroupInfo group;
      group.id = 1;
      group.role = id == 1 ? "Leader" : "Follower";
      group.leader = 1;
      group.term = 5;
      group.commit = group.applied = group.last = 100;
      group.snapshot = 90;
      group.keys = 7;
      group.storage_bytes = 4096;
      for (uint64_t other = 1; other <= 3; ++other) {
        if (other != id) info.peers.push_back({other, addresses[other - 1], true});
        group.members.push_back({other, addresses[other - 1], MemberRole::kVoter, 100, true});
      }
      infos.emplace_back(std::move(info));
      groups.emplace_back(std::move(group));
    }
  }
};

class FakeAdmin : public client::AdminClient {
 public:
  explicit FakeAdmin(Cluster& cluster) : cluster_(cluster) {}
  template <class T>
  std::vector<FromNode<T>> All(const std::function<absl::StatusOr<T>(size_t)>& of) {
    std::vector<FromNode<T>> out;
    for (size_t i = 0; i < cluster_.addresses.size(); ++i) {
      out.push_back({cluster_.addresses[i], of(i)});
    }
    return out;
  }
  std::vector<FromNode<NodeInfo>> Infos(absl::Duration) override {
    return All<NodeInfo>([this](size_t i) { return cluster_.infos[i]; });
  }
  std::vector<FromNode<std::vector<GroupInfo>>> Groups(absl::Duration) override {
    return All<std::vector<GroupInfo>>([this](size_t i) -> absl::StatusOr<std::vector<GroupInfo>> {
      if (!cluster_.groups[i].ok()) return cluster_.groups[i].status();
      return std::vector<GroupInfo>{*cluster_.groups[i]};
    });
  }
  std::vector<FromNode<std::vector<std::string>>> Alarms(absl::Duration) override {
    return All<std::vector<std::string>>([this](size_t i) { return cluster_.alarms[i]; });
  }
  std::vector<FromNode<bool>> Health(absl::Duration) override {
    return All<bool>([this](size_t i) -> absl::StatusOr<bool> {
      if (cluster_.health[i].ok()) return true;
      return cluster_.health[i];
    });
  }
  absl::StatusOr<uint64_t> TransferLeader(uint64_t to, uint64_t expected_term,
                                          absl::Duration) override {
    cluster_.done.push_back(absl::StrCat("transfer ", to, " term ", expected_term));
    if (to == 0) to = cluster_.groups[0]->leader == 2 ? 3 : 2;
    for (auto& group : cluster_.groups) {
      if (!cluster_.moves) break;
      group->role = &group == &cluster_.groups[to - 1] ? "Leader" : "Follower";
      group->leader = to;
      ++group->term;
    }
    return to;
  }
  absl::StatusOr<std::vector<MemberInfo>> ChangeMembership(const MembershipChange& change,
                                                           absl::Duration) override {
    if (!cluster_.change_refused.ok()) return cluster_.change_refused;
    cluster_.changes.push_back(change);
    return cluster_.groups[0]->members;
  }
  absl::Status Drain(const std::string& address, absl::Duration) override {
    cluster_.done.push_back("drain " + address);
    return absl::OkStatus();
  }
  absl::StatusOr<uint64_t> Snapshot(const std::string& address, absl::Duration) override {
    cluster_.done.push_back("snapshot " + address);
    return 77;
  }
  absl::StatusOr<std::string> SetOption(const std::string& address, const std::string& name,
                                        const std::string& value, absl::Duration) override {
    if (address == "b:1") return absl::UnavailableError("b:1: nobody answers there");
    cluster_.done.push_back(absl::StrCat("set ", address, " ", name, " ", value));
    return "1s";
  }
  absl::Status Backup(const std::string&, uint64_t, const std::vector<std::string>&,
                      client::BackupSink&) override {
    return absl::UnimplementedError("see backup_commands_test.cc");
  }

 private:
  Cluster& cluster_;
};

struct Result {
  int exit = 0;
  std::string out, err;
};

class AdminTest : public ::testing::Test {
 protected:
  Result Run(absl::string_view line) {
    std::istringstream in;
    std::ostringstream out, err;
    base::cli::Streams streams{in, out, err};
    EraftCtl tool("1.2.3",
                  [this](const client::ConnectOptions&, base::World&,
                         const base::CancelToken&) -> base::Owned<client::AdminClient> {
                    return std::make_unique<FakeAdmin>(cluster_);
                  });
    Result result;
    std::vector<std::string> args = absl::StrSplit(line, ' ');
    args.insert(args.end(), {"-addrs", "a:1,b:1,c:1"});
    result.exit = tool.program().Run(args, streams, world_.world());
    result.out = out.str();
    result.err = err.str();
    return result;
  }
  base::Json RunJson(absl::string_view line) {
    const Result result = Run(absl::StrCat(line, " --json"));
    const auto parsed = base::ParseJson(result.out);
    EXPECT_OK(parsed) << result.out;
    return parsed.ok() ? *parsed : base::Json();
  }
  // Doctor without the second that it waits.
  base::cli::Doctor Look() {
    FakeAdmin admin(cluster_);
    base::cli::Doctor doctor;
    Examine(admin.Infos({}), before_.has_value() ? *before_ : admin.Groups({}), admin.Groups({}),
            admin.Alarms({}), world_.clock.Wall(), doctor);
    return doctor;
  }
  // The verdict and text of a check; of the worst line where there are several.
  std::string Of(absl::string_view check) {
    std::string worst = "none";
    base::cli::Doctor::Verdict verdict = base::cli::Doctor::Verdict::kOk;
    const base::cli::Doctor doctor = Look();
    for (const auto& finding : doctor.findings()) {
      if (finding.check != check || (worst != "none" && finding.verdict <= verdict)) continue;
      verdict = finding.verdict;
      worst = absl::StrCat(verdict == base::cli::Doctor::Verdict::kOk     ? "OK "
                           : verdict == base::cli::Doctor::Verdict::kWarn ? "WARN "
                                                                          : "FAIL ",
                           finding.text, finding.remedy.empty() ? "" : " -> ", finding.remedy);
    }
    return worst;
  }

  base::sim::World world_{1};
  Cluster cluster_{world_.clock.Wall()};
  std::optional<Groups> before_;
};

TEST_F(AdminTest, StatusShowsEachNode) {
  cluster_.groups[2] = absl::UnavailableError("nobody answers there");
  cluster_.infos[2] = absl::UnavailableError("nobody answers there");
  const Result status = Run("status");
  EXPECT_EQ(status.exit, 0) << status.err;
  EXPECT_EQ(status.out,
            "NODE  ADDRESS  ROLE      TERM  COMMIT  APPLIED  KEYS  STORAGE   FREE  VERSION\n"
            "   1  a:1      Leader       5     100      100     7     4KiB  10GiB  1.0.0\n"
            "   2  b:1      Follower     5     100      100     7     4KiB  10GiB  1.0.0\n"
            "   -  c:1      Offline      -       -        -     -        -      -  -\n");
  const base::Json json = RunJson("status");
  const auto& nodes = *json.Find("nodes")->AsArray();
  EXPECT_EQ(nodes.size(), 3);
  EXPECT_EQ(nodes[0].Find("groups")->AsArray()->front().Find("term")->Dump(), "5");
  EXPECT_EQ(nodes[2].Find("online")->Dump(), "false");
}

TEST_F(AdminTest, WithoutAnyNodeStatusIsUnreachable) {
  for (auto& group : cluster_.groups) group = absl::UnavailableError("nobody answers there");
  const Result status = Run("status");
  EXPECT_EQ(status.exit, 3);
  EXPECT_THAT(status.err, HasSubstr("status: no server answered: a:1: nobody answers there"));
}

// Whoever reads JSON may have no integers above 2^53.
TEST_F(AdminTest, AnIncarnationIsShownDigitByDigit) {
  cluster_.infos[0]->incarnation = 16190296369729257595u;
  EXPECT_THAT(Run("status --json").out, HasSubstr(R"("incarnation":"16190296369729257595")"));
}

TEST_F(AdminTest, HealthIsZeroOrOne) {  // E12, E28
  EXPECT_EQ(Run("health").exit, 0);
  EXPECT_EQ(Run("health").out, "a:1 is healthy\nb:1 is healthy\nc:1 is healthy\n");
  cluster_.health[1] = absl::FailedPreconditionError("NOT_SERVING");
  const Result one = Run("health");
  EXPECT_EQ(one.exit, 1);
  EXPECT_THAT(one.out, HasSubstr("b:1 is not: NOT_SERVING\n"));
  EXPECT_THAT(one.err, HasSubstr("1 of 3 nodes do not serve"));
  cluster_.health[1] = base::MakeError(absl::StatusCode::kFailedPrecondition, "server expects TLS",
                                       {"", "give --tls-ca FILE"});
  EXPECT_THAT(Run("health").err, HasSubstr("hint: give --tls-ca FILE"));
  cluster_.health[1] = absl::FailedPreconditionError("NOT_SERVING");
  cluster_.infos[1]->phase = "draining";
  cluster_.infos[1]->not_ready = {"leader: no leader is known"};
  EXPECT_THAT(Run("health").out,
              HasSubstr("b:1 is not: NOT_SERVING: draining; leader: no leader is known\n"));
}

TEST_F(AdminTest, MembersAreListedAsTheLeaderSeesThem) {  // E169
  cluster_.groups[0]->members[2].match = 60;
  cluster_.groups[0]->members[2].active = false;
  EXPECT_EQ(Run("member list").out,
            "NODE  ADDRESS  ROLE    BEHIND  HEARD\n"
            "   1  a:1      leader       0  yes\n"
            "   2  b:1      voter        0  yes\n"
            "   3  c:1      voter       40  no\n");
}

TEST_F(AdminTest, ChangesOfMembersNameTheTermTheyWereDecidedIn) {  // E169
  EXPECT_EQ(Run("member add 4 d:1 --learner").out, "node 4 is a learner\n");
  EXPECT_EQ(Run("member remove 2 --yes").out, "node 2 is no member any more\n");
  EXPECT_EQ(Run("member replace 2 4 d:1 --yes --force").exit, 0);
  cluster_.groups[0]->members[2].role = MemberRole::kLearner;
  EXPECT_EQ(Run("member promote 3").out, "node 3 is a voter\n");
  ASSERT_EQ(cluster_.changes.size(), 4);
  for (const MembershipChange& change : cluster_.changes) EXPECT_EQ(change.expected_term, 5);
  EXPECT_EQ(cluster_.changes[0].add[0].address, "d:1");
  EXPECT_EQ(cluster_.changes[0].add[0].role, MemberRole::kLearner);
  EXPECT_FALSE(cluster_.changes[1].force);
  EXPECT_EQ(cluster_.changes[2].add[0].node, 4);
  EXPECT_EQ(cluster_.changes[2].remove[0], 2);
  EXPECT_TRUE(cluster_.changes[2].force);
  EXPECT_EQ(cluster_.changes[3].add[0].address, "c:1");
}

// It is not refused because of who happens to lead.
TEST_F(AdminTest, WhoLeadsHandsTheOfficeOverBeforeItGoes) {  // E169
  cluster_.moves = true;
  EXPECT_EQ(Run("member remove 1 --yes").out, "node 2 leads\nnode 1 is no member any more\n");
  EXPECT_THAT(cluster_.done, ::testing::ElementsAre("transfer 0 term 5"));
  ASSERT_EQ(cluster_.changes.size(), 1);
  EXPECT_EQ(cluster_.changes[0].expected_term, 6);
  EXPECT_EQ(Run("member replace 2 4 d:1 --yes").exit, 0);
  EXPECT_EQ(cluster_.done.back(), "transfer 0 term 6");
}

TEST_F(AdminTest, WhoIsAMemberAlreadyIsToldWithWhatToDo) {  // E169
  EXPECT_THAT(Run("member add 3 c:1").err, HasSubstr("node 3 is one already, a voter at c:1"));
  cluster_.groups[0]->members[2].role = MemberRole::kLearner;
  EXPECT_THAT(Run("member add 3 c:1").err,
              AllOf(HasSubstr("a learner at c:1"), HasSubstr("eraftctl member promote 3"),
                    HasSubstr("eraftctl member remove 3")));
}

TEST_F(AdminTest, HelpTellsTheLimitThatIsInForce) {
  EXPECT_THAT(Run("member add --help").out, HasSubstr("without: 60s"));
  EXPECT_THAT(Run("status --help").out, HasSubstr("without: 10s"));
}

TEST_F(AdminTest, ChangesThatMakeNoSenseAreNotSent) {  // E169
  EXPECT_EQ(Run("member add 2 x:1").exit, 1);
  EXPECT_EQ(Run("member remove 9 --yes").exit, 1);
  EXPECT_EQ(Run("member promote 2").exit, 1);
  EXPECT_EQ(Run("member add four d:1").exit, 2);
  EXPECT_EQ(Run("member add 4 d").exit, 2);
  EXPECT_EQ(Run("member add 4").exit, 2);
  EXPECT_NE(Run("member remove 2").exit, 0);  // no terminal to ask on
  EXPECT_EQ(cluster_.changes.size(), 0);
  cluster_.change_refused = absl::AbortedError("a:1: decided in term 5, this is term 6");
  const Result late = Run("member add 4 d:1");
  EXPECT_EQ(late.exit, 1);
  EXPECT_THAT(late.err, HasSubstr("this is term 6"));
}

TEST_F(AdminTest, OneNodeOrTheOfficeIsGivenAway) {
  EXPECT_EQ(Run("transfer 3").out, "node 3 leads\n");
  EXPECT_EQ(Run("transfer").out, "node 2 leads\n");
  EXPECT_EQ(Run("drain b:1").exit, 0);
  EXPECT_EQ(Run("snapshot take c:1").out, "snapshot at index 77\n");
  EXPECT_THAT(cluster_.done, ::testing::ElementsAre("transfer 3 term 5", "transfer 0 term 5",
                                                    "drain b:1", "snapshot c:1"));
  EXPECT_EQ(Run("transfer x").exit, 2);
}

TEST_F(AdminTest, AnOptionIsSetOnAllNodesAndWhereNotIsTold) {
  EXPECT_THAT(Run("set").out, HasSubstr("c:1 election_timeout=1s\n"));
  const Result set = Run("set election_timeout 2s");
  EXPECT_EQ(set.exit, 3);
  EXPECT_EQ(set.out, "a:1 election_timeout: 1s -> 2s\nc:1 election_timeout: 1s -> 2s\n");
  EXPECT_THAT(set.err, HasSubstr("not set: b:1: nobody answers there"));
  EXPECT_EQ(Run("set election_timeout").exit, 2);
}

TEST_F(AdminTest, AlarmsAreShown) {
  EXPECT_EQ(Run("alarms").out, "no alarms\n");
  cluster_.alarms[1] = {"NOSPACE"};
  const Result all = Run("alarms");
  EXPECT_EQ(all.out, "b:1 NOSPACE\n");
  EXPECT_EQ(all.err, "");
  cluster_.addresses.pop_back();
  EXPECT_THAT(Run("alarms").err, HasSubstr("2 of 3 members were asked; name all in --addrs"));
}

TEST_F(AdminTest, DoctorHasNothingToSayOfAClusterThatIsWell) {  // E35
  const base::cli::Doctor doctor = Look();
  for (const auto& finding : doctor.findings()) {
    EXPECT_EQ(finding.verdict, base::cli::Doctor::Verdict::kOk) << finding.text;
  }
  EXPECT_GE(doctor.findings().size(), 10);
}

TEST_F(AdminTest, DoctorKnowsAMajorityThatLostItsData) {  // E35
  const std::string refusal = "its data are not those that it had; if they were lost";
  for (auto& group : cluster_.groups) {
    group->role = "Follower";
    group->leader = 0;
  }
  cluster_.infos[0]->peers[0].error = absl::StrCat("greet node 2: ", refusal);
  EXPECT_THAT(Of("quorum"), HasSubstr("-> start enough nodes for a majority"));
  cluster_.infos[2]->peers[0].error = absl::StrCat("greet node 3: ", refusal);
  EXPECT_THAT(Of("quorum"), HasSubstr("nodes 2, 3 of 3 voters lost their data -> start them with"));
  EXPECT_THAT(Of("quorum"), HasSubstr("eraftctl unsafe-recover"));
}

TEST_F(AdminTest, DoctorFindsEachTroubleAndARemedy) {  // E35
  const Cluster well = cluster_;
  const auto reset = [&] {
    cluster_.infos = well.infos;
    cluster_.groups = well.groups;
    cluster_.alarms = well.alarms;
    before_.reset();
  };
  cluster_.infos[2] = absl::UnavailableError("nobody answers there");
  EXPECT_THAT(Of("reachable"), HasSubstr("FAIL c:1: nobody answers there -> start kvserver"));
  reset();
  cluster_.infos[0]->peers[1].reachable = false;
  cluster_.infos[0]->peers[1].error = "connection refused";
  EXPECT_THAT(Of("peers"), HasSubstr("FAIL node 1 does not reach node 3 at c:1: connection"));
  reset();
  cluster_.infos[1]->wall += absl::Seconds(2);
  EXPECT_THAT(Of("clock"), HasSubstr("WARN node 2 differs by 2s"));
  cluster_.infos[1]->wall -= absl::Hours(1);
  EXPECT_THAT(Of("clock"), HasSubstr("FAIL node 2 differs by 59m58s"));
  cluster_.infos[1]->asked_for = absl::Hours(1);  // nothing is known then
  EXPECT_THAT(Of("clock"), HasSubstr("OK"));
  reset();
  cluster_.groups[0]->members[1].active = false;
  EXPECT_THAT(Of("quorum"), HasSubstr("WARN 2 of 3 voters are heard from -> bring back node 2"));
  cluster_.groups[0]->members[2].active = false;
  EXPECT_THAT(Of("quorum"), HasSubstr("FAIL 1 of 3 voters"));
  cluster_.groups[0]->role = "Follower";
  EXPECT_THAT(Of("quorum"), HasSubstr("FAIL nobody who answers leads"));
  for (auto& group : cluster_.groups) group->leader = 9;
  EXPECT_THAT(Of("quorum"), HasSubstr("FAIL node 9 leads, and it is not among those who answer"));
  reset();
  before_ = FakeAdmin(cluster_).Groups({});
  cluster_.groups[0]->term = 6;
  EXPECT_THAT(Of("leader"), HasSubstr("WARN the term rose from 5 to 6"));
  reset();
  cluster_.groups[0]->commit = 100'000;
  EXPECT_THAT(Of("log"), HasSubstr("FAIL a:1 is 99900 entries behind and does not move"));
  before_ = FakeAdmin(cluster_).Groups({});
  for (auto& group : cluster_.groups) group->applied += 10;
  EXPECT_THAT(Of("log"), HasSubstr("WARN a:1 is 99890 entries behind -> wait"));
  reset();
  cluster_.groups[1]->applied = cluster_.groups[1]->commit = 20'000'000;
  EXPECT_THAT(Of("snapshot"), HasSubstr("WARN b:1: 19999910 entries since the last"));
  reset();
  cluster_.infos[0]->sync = absl::Milliseconds(80);
  EXPECT_THAT(Of("disk latency"), HasSubstr("WARN node 1 syncs in 80ms"));
  cluster_.infos[0]->disk_free_bytes = 1000;
  EXPECT_THAT(Of("disk space"), HasSubstr("FAIL node 1 has 1000B free -> free space at a:1"));
  reset();
  cluster_.infos[0]->cert_not_after = world_.clock.Wall() + absl::Hours(24);
  EXPECT_THAT(Of("certificate"), HasSubstr("WARN that of node 1 is good until"));
  cluster_.infos[0]->cert_not_after = world_.clock.Wall() - absl::Hours(24);
  EXPECT_THAT(Of("certificate"), HasSubstr("FAIL"));
  reset();
  cluster_.infos[0]->phase = "draining";
  EXPECT_THAT(Of("ready"), HasSubstr("WARN node 1 was drained and begins nothing new"));
  reset();
  cluster_.infos[1]->not_ready = {"member: this node was removed from its cluster", "space: low"};
  EXPECT_THAT(Of("ready"), HasSubstr("FAIL node 2: member: this node was removed from its cluster "
                                     "-> stop it, and move its data directory away"));
  EXPECT_THAT(Of("ready"), Not(HasSubstr("space")));
  reset();
  cluster_.infos[2]->engine = "leveldb";
  EXPECT_THAT(Of("engine"),
              HasSubstr("WARN node 3: leveldb; node 1, node 2: rocksdb -> no member"));
  reset();
  cluster_.addresses.pop_back();
  EXPECT_THAT(Of("asked"), HasSubstr("WARN not asked, and may have alarms: node 3 at c:1 -> name"));
  cluster_.infos[1] = absl::UnavailableError("nobody answers there");  // c:1 by another name?
  cluster_.groups[0]->members[1].address = "b:2";
  EXPECT_THAT(Of("asked"), HasSubstr("WARN not asked, and may have alarms: node 2 at b:2, node 3"));
  cluster_.groups[0]->members[2].address = "b:1";
  EXPECT_THAT(Of("asked"), HasSubstr("OK all members"));
  cluster_.addresses = well.addresses;
  reset();
  cluster_.infos[0]->version = "1.1.0";
  EXPECT_THAT(Of("version"), HasSubstr("WARN node 2, node 3: 1.0.0; node 1: 1.1.0"));
  cluster_.infos[0]->cluster = "bb";
  EXPECT_THAT(Of("cluster"), HasSubstr("FAIL the addresses belong to 2 clusters"));
  cluster_.alarms[0] = {"CORRUPT"};
  EXPECT_THAT(Of("alarms"), HasSubstr("FAIL a:1: CORRUPT"));
}

TEST_F(AdminTest, DoctorPrintsLinesAndExitsWithOneOnlyIfSomethingFailed) {  // E35
  cluster_.infos[0]->version = "1.1.0";
  const Result warned = Run("doctor");
  EXPECT_EQ(warned.exit, 0) << warned.err;
  EXPECT_THAT(warned.out,
              AllOf(HasSubstr("OK    quorum: 3 of 3 voters are heard from\n"),
                    HasSubstr("WARN  version: "), HasSubstr("\n      do: finish the upgrade\n")));
  cluster_.alarms[0] = {"NOSPACE"};
  const Result failed = Run("doctor");
  EXPECT_EQ(failed.exit, 1);
  EXPECT_THAT(failed.out, HasSubstr("FAIL  alarms: a:1: NOSPACE\n"));
  const base::Json json = RunJson("doctor");
  EXPECT_EQ(json.Find("data")->Find("failed")->Dump(), "1");
  EXPECT_EQ(json.Find("error")->Find("exit")->Dump(), "1");
}

}  // namespace
}  // namespace slipway::eraft::cli
