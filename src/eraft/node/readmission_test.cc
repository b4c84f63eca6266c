// Members that lost their data: what a leader does about them, step by step, and whole groups that
// lose disks and leaders meanwhile.
#include "eraft/node/readmission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/testing/status_matchers.h"
#include "eraft/node/cluster.h"
#include "eraft/node/test_cluster.h"
#include "raft/membership.h"

namespace slipway::eraft {
namespace {

using ::slipway::base::sim::Loss;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

using Stage = Readmission::Stage;
using Kind = ReadmissionStep::Kind;

TEST(ReadmissionText, IsReadBackAndNothingElse) {
  const Readmission decided{
      .stage = Stage::kAdmit, .incarnation = 0x0123456789abcdef, .times = 2, .began_ms = 17};
  EXPECT_EQ(EncodeReadmission(decided), "admit 0123456789abcdef voter 2 17");
  for (const Stage stage : {Stage::kRemove, Stage::kAdmit, Stage::kDone}) {
    for (const bool voter : {false, true}) {
      const Readmission each{.stage = stage, .incarnation = 5, .voter = voter};
      EXPECT_EQ(DecodeReadmission(EncodeReadmission(each)), each);
    }
  }
  for (const char* bad :
       {"", "admit", "admit 5 voter 2 17", "begin 0123456789abcdef voter 2 17",
        "admit 0123456789abcdef judge 2 17", "host:5001", "admit 0123456789abcdef voter 2 17 "}) {
    EXPECT_EQ(DecodeReadmission(bad), std::nullopt) << bad;
  }
}

TEST(ReadmissionText, ItsKeyIsNoAddress) {
  EXPECT_EQ(ReadmissionOfKey(ReadmissionKey(17)), 17u);
  EXPECT_EQ(MemberOfKey(ReadmissionKey(17)), raft::kNoNode);
  EXPECT_EQ(ReadmissionOfKey(MemberKey(17)), raft::kNoNode);
  EXPECT_GT(ReadmissionKey(17), kMemberPrefix);
  EXPECT_LT(ReadmissionKey(17), kMemberEnd) << "a restore drops it with the addresses";
}

TEST(ReadmissionText, DataCountOnceTheOldVoteIsGone) {  // E123
  const Readmissions all = {{1, {.stage = Stage::kRemove, .incarnation = 10}},
                            {2, {.stage = Stage::kAdmit, .incarnation = 20}},
                            {3, {.stage = Stage::kDone, .incarnation = 30}}};
  EXPECT_THAT(AdmittedData(all), ElementsAre(Pair(2, 20), Pair(3, 30)));
}

// ---- Steps ----

// A leader, node 1, of three voters; node 3 shows other data.
class Steps : public ::testing::Test {
 protected:
  static constexpr absl::Duration kElection = absl::Seconds(1);
  Steps() {
    raft_.role = raft::Role::kLeader;
    raft_.leader = 1;
    raft_.membership = Voters({1, 2, 3});
    raft_.commit = 1000;
    raft_.peers = {{.id = 2, .match = 1000, .active = true}, {.id = 3, .match = 900}};
    others_ = {{.id = 3, .incarnation = 7, .since = absl::Seconds(10), .last = absl::Seconds(20)}};
  }
  ReadmissionStep Next() {
    return NextReadmission({.raft = raft_,
                            .self = 1,
                            .readmissions = readmissions_,
                            .current = current_,
                            .others = others_,
                            .now = absl::Seconds(21),
                            .led_for = led_for_,
                            .election_timeout = kElection,
                            .wall_ms = wall_ms_});
  }
  raft::PeerProgress& peer(raft::NodeId id) {
    for (raft::PeerProgress& peer : raft_.peers) {
      if (peer.id == id) return peer;
    }
    return raft_.peers.emplace_back(raft::PeerProgress{.id = id});
  }

  raft::Status raft_;
  Readmissions readmissions_;
  std::vector<OtherData> others_;
  absl::Duration led_for_ = absl::Minutes(1);
  bool current_ = true;
  uint64_t wall_ms_ = 1'000'000'000;
};

TEST_F(Steps, TheVoteGoesThenALearnerComesThenItVotesAgain) {  // E165, E416
  ReadmissionStep step = Next();
  ASSERT_EQ(step.kind, Kind::kWrite);
  EXPECT_EQ(step.id, 3u);
  EXPECT_EQ(step.readmission.stage, Stage::kRemove);
  EXPECT_EQ(step.readmission.incarnation, 7u);
  EXPECT_TRUE(step.readmission.voter);
  readmissions_[3] = step.readmission;
  step = Next();
  ASSERT_EQ(step.kind, Kind::kPropose);
  EXPECT_EQ(step.target, Voters({1, 2}));
  raft_.membership = step.target;
  raft_.peers.pop_back();
  step = Next();
  ASSERT_EQ(step.kind, Kind::kWrite);
  EXPECT_EQ(step.readmission.stage, Stage::kAdmit);
  readmissions_[3] = step.readmission;
  step = Next();
  ASSERT_EQ(step.kind, Kind::kPropose);
  raft::Membership learning = Voters({1, 2});
  learning.learners = {3};
  EXPECT_EQ(step.target, learning);
  raft_.membership = step.target;
  peer(3) = {.id = 3, .match = 0, .learner = true, .active = true};
  EXPECT_THAT(Next().waits_for, HasSubstr("caught up"));
  peer(3).match = 899;
  EXPECT_THAT(Next().waits_for, HasSubstr("caught up"));
  peer(3).match = 900;
  step = Next();
  ASSERT_EQ(step.kind, Kind::kPropose);
  EXPECT_EQ(step.target, Voters({1, 2, 3}));
  raft_.membership = step.target;
  step = Next();
  ASSERT_EQ(step.kind, Kind::kWrite);
  EXPECT_EQ(step.readmission.stage, Stage::kDone);
  readmissions_[3] = step.readmission;
  step = Next();
  EXPECT_EQ(step.kind, Kind::kNone);
  EXPECT_THAT(step.waits_for, IsEmpty());
}

TEST_F(Steps, WithoutAMajorityOfTheOthersNoVoteIsTaken) {  // E165
  peer(2).active = false;
  ReadmissionStep step = Next();
  EXPECT_EQ(step.kind, Kind::kNone);
  EXPECT_THAT(step.waits_for, HasSubstr("majority of the other voters"));
  readmissions_[3] = {.stage = Stage::kRemove, .incarnation = 7};
  step = Next();
  EXPECT_EQ(step.kind, Kind::kNone) << "nor where it was begun before";
  EXPECT_THAT(step.waits_for, HasSubstr("majority of the other voters"));
  raft_.membership = Voters({1, 2, 3, 4, 5});
  peer(4).active = true;
  EXPECT_EQ(Next().kind, Kind::kNone) << "two of four";
  peer(5).active = true;
  EXPECT_EQ(Next().kind, Kind::kPropose) << "three of four";
}

TEST_F(Steps, ANewLeaderWaitsUntilItKnowsWhoIsThere) {
  led_for_ = kElection;
  EXPECT_EQ(Next().kind, Kind::kNone);
  readmissions_[3] = {.stage = Stage::kRemove, .incarnation = 7};
  EXPECT_EQ(Next().kind, Kind::kNone);
  led_for_ = 2 * kElection;
  EXPECT_EQ(Next().kind, Kind::kPropose);
}

TEST_F(Steps, ALeaderThatHasNotAppliedWhatOthersDecidedDoesNothing) {
  readmissions_[3] = {.stage = Stage::kAdmit, .incarnation = 7};
  raft_.membership = Voters({1, 2});
  EXPECT_EQ(Next().kind, Kind::kPropose);
  current_ = false;
  EXPECT_EQ(Next().kind, Kind::kNone);
}

TEST_F(Steps, WhatPassesIsNoLostDisk) {
  others_[0].since = absl::Seconds(18);
  EXPECT_EQ(Next().kind, Kind::kNone) << "refused for two election timeouts";
  others_[0].since = absl::Seconds(10);
  others_[0].last = absl::Seconds(15);
  EXPECT_EQ(Next().kind, Kind::kNone) << "and not any more";
}

TEST_F(Steps, AMemberThatIsHereKeepsItsPlace) {
  peer(3).active = true;
  ReadmissionStep step = Next();
  EXPECT_EQ(step.kind, Kind::kNone);
  EXPECT_THAT(step.waits_for, HasSubstr("another node says"));
  readmissions_[3] = {.stage = Stage::kRemove, .incarnation = 7};
  step = Next();
  EXPECT_EQ(step.kind, Kind::kErase) << "its old disk was found before anything was changed";
}

TEST_F(Steps, OnlyALeaderActsAndNotInAChange) {
  raft_.membership.outgoing = {1, 2};
  EXPECT_EQ(Next().kind, Kind::kNone);
  raft_.membership.outgoing.clear();
  raft_.role = raft::Role::kFollower;
  EXPECT_EQ(Next().kind, Kind::kNone);
}

TEST_F(Steps, ALearnerStaysOne) {
  raft_.membership = Voters({1, 2});
  raft_.membership.learners = {3};
  peer(3).learner = true;
  ReadmissionStep step = Next();
  ASSERT_EQ(step.kind, Kind::kWrite);
  EXPECT_FALSE(step.readmission.voter);
  readmissions_[3] = step.readmission;
  readmissions_[3].stage = Stage::kAdmit;
  peer(3) = {.id = 3, .match = 1000, .learner = true, .active = true};
  others_.clear();
  step = Next();
  ASSERT_EQ(step.kind, Kind::kWrite);
  EXPECT_EQ(step.readmission.stage, Stage::kDone);
}

TEST_F(Steps, OneAtATime) {
  raft_.membership = Voters({1, 2, 3, 4, 5});
  raft_.peers = {{.id = 2, .active = true}, {.id = 3}, {.id = 4}, {.id = 5, .active = true}};
  others_.push_back(
      {.id = 4, .incarnation = 8, .since = absl::Seconds(10), .last = absl::Seconds(20)});
  readmissions_[4] = {.stage = Stage::kAdmit, .incarnation = 8};
  raft_.membership = Voters({1, 2, 3, 5});
  raft_.membership.learners = {4};
  peer(4) = {.id = 4, .match = 5, .learner = true, .active = true};
  EXPECT_EQ(Next().id, 4u);
  EXPECT_EQ(Next().kind, Kind::kNone) << "node 3 waits for node 4";
  peer(4).active = false;
  const ReadmissionStep step = Next();
  EXPECT_EQ(step.kind, Kind::kWrite) << "but not for one that is gone";
  EXPECT_EQ(step.id, 3u);
}

TEST_F(Steps, WhoLosesItsDataAgainWaitsLonger) {
  readmissions_[3] = {
      .stage = Stage::kDone, .incarnation = 6, .times = 1, .began_ms = wall_ms_ - 9'999};
  EXPECT_EQ(Next().kind, Kind::kNone);
  EXPECT_THAT(Next().waits_for, HasSubstr("longer each time"));
  --readmissions_[3].began_ms;
  EXPECT_EQ(Next().kind, Kind::kWrite);
  EXPECT_EQ(Next().readmission.times, 2u);
  readmissions_[3].times = 4;
  readmissions_[3].began_ms = wall_ms_ - 79'999;
  EXPECT_EQ(Next().kind, Kind::kNone);
  readmissions_[3].times = 60;
  readmissions_[3].began_ms = wall_ms_ - 3'599'999;
  EXPECT_EQ(Next().kind, Kind::kNone);
  --readmissions_[3].began_ms;
  EXPECT_EQ(Next().kind, Kind::kWrite);
  EXPECT_EQ(Next().readmission.times, 1u) << "after an hour it is forgotten";
  readmissions_[3].incarnation = 7;
  EXPECT_EQ(Next().kind, Kind::kNone) << "decided already; the transport does not know yet";
}

TEST_F(Steps, WhoLosesItsDataBeforeItCaughtUpBeginsAnew) {
  readmissions_[3] = {
      .stage = Stage::kAdmit, .incarnation = 6, .times = 1, .began_ms = wall_ms_ - 60'000};
  raft_.membership = Voters({1, 2});
  raft_.membership.learners = {3};
  peer(3) = {.id = 3, .match = 500, .learner = true};
  const ReadmissionStep step = Next();
  ASSERT_EQ(step.kind, Kind::kWrite);
  EXPECT_EQ(step.readmission.stage, Stage::kRemove);
  EXPECT_EQ(step.readmission.incarnation, 7u);
  EXPECT_TRUE(step.readmission.voter) << "as it was at first";
  readmissions_[3] = step.readmission;
  EXPECT_EQ(Next().target, Voters({1, 2})) << "what the leader knows of its log goes, too";
}

// ---- Groups ----

// Nodes that do what a kvserver does with such steps, over a network that refuses data as its
// transport does: a peer's word is heard once the group has decided that its data are its.
class LostDisks {
 public:
  LostDisks(uint64_t seed, int nodes) : cluster_({.seed = seed, .nodes = nodes}), nodes_(nodes) {
    cluster_.filter = [this](raft::NodeId from, raft::NodeId to, base::BytesView) {
      return Believes(to, from) && Believes(from, to);
    };
  }
  TestCluster& cluster() { return cluster_; }

  void LoseDisk(raft::NodeId id) {
    if (cluster_.up(id)) cluster_.Crash(id);
    std::vector<raft::NodeId> all;
    for (int i = 1; i <= nodes_; ++i) all.push_back(static_cast<raft::NodeId>(i));
    cluster_.Wipe(id, Voters(all));
    cluster_.Start(id);
    now_[id] = cluster_.node(id).incarnation();
    known_[id].clear();  // whom it has met went with its disk
    lost_at_[id] = cluster_.now();
    cluster_.node(id).SetFenced(true);
  }

  // What goes on for so long; each 50 ms the leaders look.
  void RunFor(absl::Duration duration) {
    const absl::Duration until = cluster_.now() + duration;
    while (cluster_.now() < until) Turn();
  }
  bool RunUntil(const std::function<bool()>& done, absl::Duration limit = absl::Minutes(5)) {
    const absl::Duration until = cluster_.now() + limit;
    while (cluster_.now() < until && !done()) Turn();
    return done();
  }
  std::string Describe() {
    std::string text;
    for (int i = 1; i <= nodes_; ++i) {
      const auto id = static_cast<raft::NodeId>(i);
      absl::StrAppend(&text, "node ", i);
      if (!cluster_.up(id) || !cluster_.fatal(id).ok()) {
        absl::StrAppend(&text, " is down; ");
        continue;
      }
      const raft::Status raft = cluster_.raft(id);
      absl::StrAppend(&text, raft.role == raft::Role::kLeader ? " leads in" : " is in", " term ",
                      raft.term, ", voters ", absl::StrJoin(raft.membership.voters, ","),
                      ", learners ", absl::StrJoin(raft.membership.learners, ","), ", last ",
                      raft.last, ", commit ", raft.commit,
                      cluster_.node(id).GetStatus(kTestGroup)->fenced ? ", fenced" : "");
      for (const auto& [member, row] : RowsOf(id)) {
        absl::StrAppend(&text, ", ", member, ": ", EncodeReadmission(row));
      }
      absl::StrAppend(&text, "; ");
    }
    return text;
  }
  // Every member votes and has all that was decided.
  bool Whole() {
    const raft::NodeId leader = cluster_.Leader();
    if (leader == raft::kNoNode) return false;
    if (static_cast<int>(cluster_.raft(leader).membership.voters.size()) != nodes_) return false;
    const Readmissions rows = RowsOf(leader);
    for (const auto& [id, incarnation] : now_) {
      const auto row = rows.find(id);
      if (row == rows.end() || row->second.stage != Stage::kDone) return false;
      if (row->second.incarnation != incarnation) return false;
      if (cluster_.node(id).GetStatus(kTestGroup)->fenced) return false;
    }
    return true;
  }

 private:
  uint64_t DataOf(raft::NodeId id) { return now_.count(id) != 0 ? now_[id] : id; }
  bool Believes(raft::NodeId who, raft::NodeId peer) {
    const auto known = known_[who].find(peer);
    if (known != known_[who].end()) return known->second == DataOf(peer);
    return lost_at_.count(who) != 0 || now_.count(peer) == 0;  // a new one believes whom it meets
  }
  Readmissions RowsOf(raft::NodeId id) {
    Readmissions rows;
    const auto machine = cluster_.node(id).machine(kTestGroup);
    if (machine == nullptr) return rows;
    for (int i = 1; i <= nodes_; ++i) {
      const auto member = static_cast<raft::NodeId>(i);
      const auto text = machine->Get(kTestShard, ReadmissionKey(member));
      if (!text.ok() || !text->has_value()) continue;
      if (const auto row = DecodeReadmission(**text); row.has_value()) rows[member] = *row;
    }
    return rows;
  }
  void Turn() {
    cluster_.RunFor(absl::Milliseconds(50));
    for (int i = 1; i <= nodes_; ++i) {
      const auto id = static_cast<raft::NodeId>(i);
      if (!cluster_.up(id) || !cluster_.fatal(id).ok()) continue;
      const Readmissions rows = RowsOf(id);
      for (const auto& [member, incarnation] : AdmittedData(rows)) known_[id][member] = incarnation;
      for (int j = 1; j <= nodes_; ++j) {  // whom it meets it remembers
        const auto peer = static_cast<raft::NodeId>(j);
        if (cluster_.up(peer) && Believes(id, peer)) known_[id][peer] = DataOf(peer);
      }
      if (cluster_.raft(id).role == raft::Role::kLeader) Act(id, rows);
    }
  }
  void Act(raft::NodeId id, const Readmissions& rows) {
    const raft::Status raft = cluster_.raft(id);
    const auto [since, first] = led_since_.emplace(std::pair(id, raft.term), cluster_.now());
    if (!raft.lease_allowed) return;
    const auto [known, first_known] = known_at_.emplace(std::pair(id, raft.term), raft.commit);
    std::vector<OtherData> others;
    for (const auto& [member, lost_at] : lost_at_) {
      if (member == id || Believes(id, member) || !cluster_.up(member)) continue;
      others.push_back({member, DataOf(member), lost_at, cluster_.now()});
    }
    const ReadmissionStep step = NextReadmission(
        {.raft = raft,
         .self = id,
         .readmissions = rows,
         .current = raft.applied >= known->second,
         .others = others,
         .now = cluster_.now(),
         .led_for = cluster_.now() - since->second,
         .election_timeout = absl::Seconds(1),
         .wall_ms = static_cast<uint64_t>(absl::ToInt64Milliseconds(cluster_.now()))});
    if (step.kind == Kind::kPropose) {
      cluster_.node(id).ProposeMembership(kTestGroup, step.target).IgnoreError();
    } else if (step.kind != Kind::kNone) {
      Command command = PutOf(ReadmissionKey(step.id), EncodeReadmission(step.readmission));
      if (step.kind == Kind::kErase) command.op = CommandOp::kDelete;
      writes_.push_back(cluster_.Propose(id, command));
    }
  }

  TestCluster cluster_;
  const int nodes_;
  std::map<raft::NodeId, uint64_t> now_;  // the data of those that lost theirs
  std::map<raft::NodeId, absl::Duration> lost_at_;
  std::map<raft::NodeId, std::map<raft::NodeId, uint64_t>> known_;
  std::map<std::pair<raft::NodeId, raft::Term>, absl::Duration> led_since_;
  std::map<std::pair<raft::NodeId, raft::Term>, raft::Index> known_at_;
  std::vector<std::shared_ptr<TestCluster::Reply>> writes_;
};

TEST(LostDisk, TheMemberIsTakenInAgainAndVotes) {  // E416
  LostDisks group(1, 3);
  ASSERT_NE(group.cluster().AwaitLeader(), raft::kNoNode);
  ASSERT_TRUE(group.cluster().MakeLeader(1));
  ASSERT_TRUE(group.cluster().RunSomewhere(PutOf("k", "before")));
  ASSERT_NO_FATAL_FAILURE(group.LoseDisk(3));
  group.RunFor(absl::Seconds(2));
  EXPECT_EQ(group.cluster().raft(3).last, 0u) << "nobody speaks to it";
  ASSERT_TRUE(group.RunUntil([&] { return group.Whole(); }));
  ASSERT_TRUE(group.cluster().AwaitApplied());
  EXPECT_EQ(group.cluster().Get(3, "k"), "before");
  EXPECT_TRUE(group.cluster().MakeLeader(3));
}

// With two of three there is a majority of three, and none of the two that stay.
TEST(LostDisk, WithoutTheOthersItIsNotTakenIn) {  // E165
  LostDisks group(2, 3);
  ASSERT_NE(group.cluster().AwaitLeader(), raft::kNoNode);
  ASSERT_TRUE(group.cluster().MakeLeader(1));
  group.cluster().Crash(2, Loss::kLoseAllUnsynced);
  ASSERT_NO_FATAL_FAILURE(group.LoseDisk(3));
  group.RunFor(absl::Seconds(60));
  EXPECT_EQ(group.cluster().raft(1).membership, Voters({1, 2, 3}));
  ASSERT_NO_FATAL_FAILURE(group.cluster().Start(2));
  ASSERT_TRUE(group.RunUntil([&] { return group.Whole(); }));
}

// Leaders die at any moment of it, disks are lost again, commands go on: what was acknowledged
// stays, all apply the same (TestCluster sees to that), and in the end all of them vote.
TEST(LostDisk, WhoeverLeadsGoesOnWhereTheLastOneStopped) {  // E165, E416
  int lost = 0, killed = 0;
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    const int nodes = seed % 2 == 0 ? 5 : 3;
    LostDisks group(seed, nodes);
    TestCluster& cluster = group.cluster();
    ASSERT_NE(cluster.AwaitLeader(), raft::kNoNode);
    std::map<std::string, std::string> acknowledged;
    for (int round = 0; round < 3; ++round) {
      const std::string key = absl::StrCat("k", round);
      ASSERT_TRUE(cluster.RunSomewhere(PutOf(key, absl::StrCat(seed))));
      acknowledged[key] = absl::StrCat(seed);
      const auto victim = static_cast<raft::NodeId>(1 + cluster.Random(nodes));
      ASSERT_NO_FATAL_FAILURE(group.LoseDisk(victim));
      ++lost;
      for (int kill = 0; kill < 2; ++kill) {
        group.RunFor(absl::Milliseconds(static_cast<int64_t>(cluster.Random(6'000))));
        const raft::NodeId leader = cluster.Leader();
        if (leader == raft::kNoNode || leader == victim) continue;
        cluster.Crash(leader);
        group.RunFor(absl::Milliseconds(static_cast<int64_t>(cluster.Random(3'000))));
        ASSERT_NO_FATAL_FAILURE(cluster.Start(leader));
        ++killed;
      }
      ASSERT_TRUE(group.RunUntil([&] { return group.Whole(); }))
          << "round " << round << ", lost: " << victim << ": " << group.Describe();
    }
    ASSERT_TRUE(cluster.AwaitApplied());
    for (const auto& [key, value] : acknowledged) {
      for (int id = 1; id <= nodes; ++id) {
        EXPECT_EQ(cluster.Get(static_cast<raft::NodeId>(id), key), value);
      }
    }
  }
  EXPECT_EQ(lost, 36);
  EXPECT_GE(killed, 20) << "moments of it that were met";
}

}  // namespace
}  // namespace slipway::eraft
