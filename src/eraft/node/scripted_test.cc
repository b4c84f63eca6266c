// Orders of things that seeds meet too rarely: what an install, a transfer or a crash meets half
// done (E114, E141, E161, E162).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/testing/status_matchers.h"
#include "eraft/node/scripted_node.h"
#include "eraft/node/test_cluster.h"
#include "eraft/store/snapshot_stream.h"

namespace slipway::eraft {
namespace {

using ::slipway::base::sim::Loss;
using ::slipway::base::testing::StatusIs;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// E162: entries that another leader sent arrive between the exchange of the engine and its report.
// They are in memory and not yet in the log, which has others at their places; so nothing of the
// log may count as held because memory holds it.
TEST(NodeScript, AnInstallHoldsNothingThatTheLogDoesNotHave) {
  ScriptedNode donor(1, Voters({1}), KeepsNoLog());
  ASSERT_NO_FATAL_FAILURE(donor.Lead(3));
  for (int i = 0; i < 8; ++i) donor.Put(absl::StrCat(i));
  const raft::Term term = donor.Status().raft.term;
  const SnapshotName name = donor.Compact();
  const Carried carried = Carry(donor, name, 1, 3, term);
  for (int n = 1; n <= 40; ++n) {
    ScriptedNode node(3, Voters({1, 2, 3}), TestCluster::Small());
    ASSERT_OK(node.Start());
    raft::Message old = Appending(3, 1, 0, 0, name.index + 3, 5);
    old.commit = 3;
    node.Take(1, old);
    node.Turn();
    ASSERT_EQ(node.Status().raft.applied, 3u);
    node.Take(1, carried.offer);
    node.Turn();
    for (const SnapshotPart& part : carried.parts) node.Take(1, part);
    ASSERT_NO_FATAL_FAILURE(node.RunUntilExchange());
    while (node.pool().RunOne()) {
    }
    node.Take(1, Appending(3, term, 3, 1, name.index + 5, 700));
    node.files().PowerLossAt(1);
    for (int step = 0; step < 100 && !node.files().off() && node.Step(); ++step) {
    }
    node.Crash(Loss::kSeeded, static_cast<uint64_t>(n));
    ASSERT_OK(node.Start()) << n;
    EXPECT_GE(node.Status().raft.applied, 3u);
  }
}

// E168: a leader whose snapshots are damaged sends one after the other; who cannot install them
// says why, until it has one.
TEST(NodeScript, ASnapshotThatCannotBeInstalledIsTold) {
  ScriptedNode donor(1, Voters({1}), KeepsNoLog());
  ASSERT_NO_FATAL_FAILURE(donor.Lead(3));
  for (int i = 0; i < 8; ++i) donor.Put(absl::StrCat(i));
  const raft::Term term = donor.Status().raft.term;
  const SnapshotName name = donor.Compact();
  const Carried carried = Carry(donor, name, 1, 3, term);
  ScriptedNode node(3, Voters({1, 2, 3}), TestCluster::Small());
  ASSERT_OK(node.Start());
  bool damaged = false;
  for (const bool damages : {true, false}) {
    node.Take(1, carried.offer);
    node.Turn();
    for (const SnapshotPart& part : carried.parts) node.Take(1, part);
    for (int i = 0; i < 1000 && node.Step(); ++i) {
      if (!damages || damaged || !node.Status().installing) continue;
      for (const auto& [path, contents] : node.files().List()) {
        if (!absl::StrContains(path, "/files/")) continue;
        ASSERT_OK(node.files().FlipBit(path, 99));
        damaged = true;
      }
    }
    ASSERT_TRUE(damaged);
    EXPECT_EQ(node.Status().kv.applied, damages ? 0 : name.index);
    EXPECT_EQ(node.Status().snapshot_error.empty(), !damages) << node.Status().snapshot_error;
  }
}

// E163: a snapshot that is being looked at, because it may be damaged, is not replaced by one of an
// engine that an install has taken away.
TEST(NodeScript, AnInstallMayBeginWhileASnapshotIsLookedAt) {
  ScriptedNode donor(2, Voters({2}), KeepsNoLog());
  ASSERT_NO_FATAL_FAILURE(donor.Lead(1));
  for (int i = 0; i < 30; ++i) donor.Put(absl::StrCat("donor ", i));
  const SnapshotName theirs = donor.Compact();

  ScriptedNode node(1, Voters({1}), KeepsNoLog());
  ASSERT_NO_FATAL_FAILURE(node.Lead());
  for (int i = 0; i < 5; ++i) node.Put(absl::StrCat(i));
  raft::Membership with_learner = Voters({1});
  with_learner.learners = {2};
  ASSERT_OK(node.node().ProposeMembership(kTestGroup, with_learner));
  node.RunFor(absl::Milliseconds(50));
  const SnapshotName own = node.Compact();
  ASSERT_OK(node.files().FlipBit(absl::StrCat("/data/", SnapshotPath(own), "/MANIFEST"), 99));
  node.AskForEverything(2);
  // It cannot be read, so it is looked at; that takes a while.
  for (int i = 0; i < 1000 && node.Status().snapshots_sending == 0; ++i) {
    if (!node.loop().RunOne()) break;
  }
  ASSERT_TRUE(node.pool().RunOne());  // opening it fails
  node.pool().KeepNext();
  node.Turn();
  ASSERT_TRUE(node.pool().keeps());
  const Carried carried = Carry(donor, theirs, 2, 1, 9);
  node.Take(2, MessageTo(1, 2, raft::MessageKind::kHeartbeat, 9));
  node.Turn();
  node.Take(2, carried.offer);
  node.Turn();
  for (const SnapshotPart& part : carried.parts) node.Take(2, part);
  ASSERT_NO_FATAL_FAILURE(node.RunUntilExchange());
  node.pool().LetGo();
  node.RunFor(absl::Seconds(1));
  EXPECT_FALSE(node.node().failed());
  EXPECT_EQ(node.Status().kv.applied, theirs.index);
  // E168: what was bad is kept for people to look at.
  const auto all = node.files().List();
  EXPECT_TRUE(std::any_of(all.begin(), all.end(), [](const auto& file) {
    return absl::StrContains(file.first, "quarantine/") && absl::EndsWith(file.first, "_MANIFEST");
  }));
}

NodeOptions OneTransferAtATime() {
  NodeOptions options = KeepsNoLog();
  options.snapshot_transfers_max = 1;
  return options;
}

// The node leads learners 2 and 3, which want all of its state.
void LeadTwoWithoutAnything(ScriptedNode& node) {
  ASSERT_NO_FATAL_FAILURE(node.Lead());
  for (int i = 0; i < 5; ++i) node.Put(absl::StrCat(i));
  raft::Membership with_learners = Voters({1});
  with_learners.learners = {2, 3};
  ASSERT_OK(node.node().ProposeMembership(kTestGroup, with_learners));
  node.RunFor(absl::Milliseconds(50));
  node.Compact();
  node.AskForEverything(2);
  node.AskForEverything(3);
}

// E161: a transfer that waited for another one does not begin when the office is gone; its offer
// would say that this node leads a term which another leads.
TEST(NodeScript, WhoDoesNotLeadOffersNoSnapshot) {
  ScriptedNode node(1, Voters({1}), OneTransferAtATime());
  ASSERT_NO_FATAL_FAILURE(LeadTwoWithoutAnything(node));
  node.RunFor(absl::Milliseconds(250));
  ASSERT_EQ(node.Sent<SnapshotOffer>().size(), 1u);
  node.Forget();
  node.Take(2, MessageTo(1, 2, raft::MessageKind::kHeartbeat, 9));
  node.RunFor(absl::Seconds(2));
  EXPECT_THAT(node.Sent<SnapshotOffer>(), IsEmpty());
}

// E161: a peer without room says so for days.
TEST(NodeScript, APeerThatIsBusyKeepsNobodyWaiting) {
  ScriptedNode node(1, Voters({1}), OneTransferAtATime());
  ASSERT_NO_FATAL_FAILURE(LeadTwoWithoutAnything(node));
  std::map<raft::NodeId, int> offers;
  for (int turn = 0; turn < 50; ++turn) {
    node.RunFor(absl::Milliseconds(250));
    for (const SnapshotOffer& offer : node.Sent<SnapshotOffer>()) {
      ++offers[offer.message.to];
      node.Take(offer.message.to, SnapshotAnswer{offer.transfer, SnapshotReply::kBusy});
    }
    node.Forget();
  }
  EXPECT_GT(offers[2], 1);
  EXPECT_GT(offers[3], 1);
}

// E114: a part that was being read when the log failed is not sent, and nothing begins any more.
TEST(NodeScript, NothingIsSentAfterTheLogFailed) {
  ScriptedNode node(1, Voters({1}), KeepsNoLog());
  ASSERT_NO_FATAL_FAILURE(node.Lead());
  for (int i = 0; i < 5; ++i) node.Put(absl::StrCat(i));
  raft::Membership with_learner = Voters({1});
  with_learner.learners = {2};
  ASSERT_OK(node.node().ProposeMembership(kTestGroup, with_learner));
  node.RunFor(absl::Milliseconds(50));
  node.Compact();
  node.AskForEverything(2);
  node.RunFor(absl::Milliseconds(250));
  ASSERT_EQ(node.Sent<SnapshotOffer>().size(), 1u);
  node.pool().KeepNext();  // the first part takes a while to be read
  node.Take(2, SnapshotAnswer{node.Sent<SnapshotOffer>()[0].transfer, SnapshotReply::kBegin, 0});
  node.Turn();
  ASSERT_TRUE(node.pool().keeps());
  node.files().FailAt(1, absl::DataLossError("disk"), /*sticky=*/true);
  node.node().Propose(kTestGroup, EncodeCommand(PutOf("k", "v")), absl::InfiniteDuration(),
                      [](const absl::StatusOr<Outcome>& outcome) { EXPECT_FALSE(outcome.ok()); });
  node.Turn();
  ASSERT_TRUE(node.node().failed());
  node.files().ClearFaults();
  node.Forget();
  node.pool().LetGo();
  node.RunFor(absl::Seconds(5));
  EXPECT_THAT(node.Sent<SnapshotPart>(), IsEmpty());
  EXPECT_THAT(node.Sent<SnapshotOffer>(), IsEmpty());
}

// E70: there is none to send and no room to take one; when there is room again, it is taken.
TEST(NodeScript, ASnapshotThatAPeerWaitsForIsTakenWhenThereIsRoom) {
  ScriptedNode node(1, Voters({1}), KeepsNoLog());
  ASSERT_NO_FATAL_FAILURE(node.Lead());
  for (int i = 0; i < 5; ++i) node.Put(std::string(2000, 'x'));
  raft::Membership with_learner = Voters({1});
  with_learner.learners = {2};
  ASSERT_OK(node.node().ProposeMembership(kTestGroup, with_learner));
  node.RunFor(absl::Milliseconds(50));
  const SnapshotName name = node.Compact();
  node.Crash(Loss::kKeepAll);
  ASSERT_OK(RemoveSnapshot(*node.files().OpenRoot("/data").value(), name));
  ASSERT_OK(node.Start());
  node.RunFor(absl::Seconds(4));
  ASSERT_EQ(node.Status().snapshot, 0u);
  node.files().SetCapacity(1);
  node.AskForEverything(2);
  node.RunFor(absl::Seconds(1));
  ASSERT_EQ(node.Status().snapshot, 0u);
  ASSERT_FALSE(node.node().failed());
  node.files().SetCapacity(0);
  node.RunFor(absl::Seconds(30));
  EXPECT_GE(node.Sent<SnapshotOffer>().size(), 1u);
}

// A node that an install is about to reach, its engine exchanged, and the snapshot's name.
struct Exchanged {
  explicit Exchanged(size_t old_entries)
      : donor(1, Voters({1}), KeepsNoLog()), node(3, Voters({1, 2, 3}), TestCluster::Small()) {
    donor.Lead(3);
    for (int i = 0; i < 8; ++i) donor.Put(absl::StrCat(i));
    term = donor.Status().raft.term;
    name = donor.Compact();
    const Carried carried = Carry(donor, name, 1, 3, term);
    EXPECT_OK(node.Start());
    raft::Message old = Appending(3, 1, 0, 0, old_entries, 5);
    old.commit = 3;
    node.Take(1, old);
    node.Turn();
    EXPECT_EQ(node.Status().raft.applied, 3u);
    node.Take(1, carried.offer);
    node.Turn();
    for (const SnapshotPart& part : carried.parts) node.Take(1, part);
  }
  ScriptedNode donor, node;
  SnapshotName name;
  raft::Term term = 0;
};

// E101, E162: what was acknowledged above the snapshot while it was being installed is in the log
// that stays, whether the install ends in order or at the next start.
TEST(NodeScript, AnInstallKeepsWhatTheLogHoldsAboveIt) {
  for (const bool in_order : {true, false}) {
    Exchanged world(4);
    ScriptedNode& node = world.node;
    ASSERT_NO_FATAL_FAILURE(node.RunUntilExchange());
    const raft::Index last = world.name.index + 5;
    node.Forget();
    node.Take(1, Appending(3, world.term, 3, 1, last, 10));
    node.TurnLogAndLoop();
    const auto replies = node.Sent(raft::MessageKind::kAppendReply);
    ASSERT_THAT(replies, SizeIs(1));
    ASSERT_EQ(replies[0].log_index, last);
    if (in_order) node.Turn();
    node.Crash(Loss::kLoseAllUnsynced);
    ASSERT_OK(node.Start());
    EXPECT_EQ(node.Status().raft.last, last) << in_order;
    EXPECT_EQ(node.Status().kv.applied, world.name.index) << in_order;
  }
}

// E162: a log that is another's goes with the state.
TEST(NodeScript, AnInstallVoidsALogThatIsNotOfItsSnapshot) {
  Exchanged world(30);
  ASSERT_NO_FATAL_FAILURE(world.node.RunUntilExchange());
  world.node.Turn();
  EXPECT_EQ(world.node.Status().raft.last, world.name.index);
  world.node.Crash(Loss::kKeepAll);
  ASSERT_OK(world.node.Start());
  EXPECT_EQ(world.node.Status().raft.last, world.name.index);
}

// E162: who reads the state is not left without it.
TEST(NodeScript, AnInstallWaitsForWhoReadsTheState) {
  Exchanged world(4);
  ScriptedNode& node = world.node;
  node.pool().KeepNext();
  absl::StatusOr<std::optional<std::string>> value = absl::UnknownError("not answered");
  ReadOptions now;
  now.mode = ReadMode::kSerializable;
  node.node().Get(
      kTestGroup, kTestShard, "k", now,
      [&value](absl::StatusOr<std::optional<std::string>> got) { value = std::move(got); });
  ASSERT_TRUE(node.pool().keeps());
  node.Turn();
  ASSERT_EQ(node.Status().kv.applied, 3u) << "taken from under a reader";
  node.pool().LetGo();
  node.Turn();
  EXPECT_OK(value);
  EXPECT_EQ(node.Status().kv.applied, world.name.index);
}

TEST(NodeScript, AnInstallWaitsForEntriesThatAreBeingApplied) {  // E162
  Exchanged world(6);
  ScriptedNode& node = world.node;
  raft::Message more = MessageTo(3, 1, raft::MessageKind::kHeartbeat, world.term);
  more.commit = 5;
  node.pool().KeepNext();
  node.Take(1, more);
  node.TurnLogAndLoop();
  ASSERT_TRUE(node.pool().keeps());
  node.Turn();
  ASSERT_EQ(node.Status().kv.applied, 3u) << "taken from under an apply";
  node.pool().LetGo();
  node.Turn();
  EXPECT_FALSE(node.node().failed());
  EXPECT_EQ(node.Status().kv.applied, world.name.index);
}

// E101: a commit index that waits for a write goes with no later term's.
TEST(NodeScript, AnOldCommitIndexTakesNoTermBack) {
  ScriptedNode node(3, Voters({1, 2, 3}), TestCluster::Small());
  ASSERT_OK(node.Start());
  node.Take(1, Appending(3, 1, 0, 0, 4, 5));
  node.Turn();
  raft::Message commit = MessageTo(3, 1, raft::MessageKind::kHeartbeat, 1);
  commit.commit = 4;
  node.Take(1, commit);
  node.Turn();
  node.RunFor(absl::Seconds(1));  // it elects nobody before
  raft::Message vote = MessageTo(3, 2, raft::MessageKind::kVote, 2);
  vote.log_index = 9;
  vote.log_term = 1;
  node.Forget();
  node.Take(2, vote);
  node.Turn();
  const auto replies = node.Sent(raft::MessageKind::kVoteReply);
  ASSERT_THAT(replies, SizeIs(1));
  ASSERT_FALSE(replies[0].reject);
  raft::Message append = Appending(3, 2, 4, 1, 6, 5);
  append.from = 2;
  node.Take(2, append);
  node.Turn();
  node.Crash(Loss::kKeepAll);
  ASSERT_OK(node.Start());
  EXPECT_EQ(node.Status().raft.term, 2u);
  EXPECT_EQ(node.Status().raft.vote, 2u);
  EXPECT_EQ(node.Status().raft.last, 6u);
}

// E101: a write that a power loss cut in the middle commits nothing of what it was to replace.
TEST(NodeScript, ATornWriteCommitsNoEntryThatItWasToReplace) {
  for (uint64_t attempt = 1; attempt <= 40; ++attempt) {
    ScriptedNode node(3, Voters({1, 2, 3}), TestCluster::Small());
    ASSERT_OK(node.Start());
    raft::Message old = Appending(3, 1, 0, 0, 9, 5);
    old.commit = 3;
    node.Take(1, old);
    node.Turn();
    raft::Message append = Appending(3, 3, 3, 1, 9, 700);
    append.commit = 9;
    node.Take(1, append);
    node.files().PowerLossAt(1);
    for (int step = 0; step < 100 && !node.files().off() && node.Step(); ++step) {
    }
    node.Crash(Loss::kSeeded, attempt);
    ASSERT_OK(node.Start());
    node.Turn();
    const KvStatus kv = node.Status().kv;
    EXPECT_TRUE(kv.applied <= 3 || kv.applied_term == 3) << attempt << ": applied " << kv.applied;
  }
}

// E142: the word of a leader that was deposed is no contact.
TEST(NodeScript, ADeposedLeaderMakesNoReadFresh) {
  ScriptedNode node(3, Voters({1, 2, 3}), TestCluster::Small());
  ASSERT_OK(node.Start());
  raft::Message old = Appending(3, 5, 0, 0, 2, 5);
  old.commit = 2;
  node.Take(1, old);
  node.RunFor(absl::Milliseconds(700));
  node.Take(2, MessageTo(3, 2, raft::MessageKind::kHeartbeat, 4));
  ReadOptions bounded;
  bounded.mode = ReadMode::kSerializable;
  bounded.staleness_max = absl::Milliseconds(500);
  absl::StatusOr<raft::Index> index = absl::UnknownError("not answered");
  node.node().Read(kTestGroup, bounded, [&](absl::StatusOr<raft::Index> at) { index = at; });
  node.Turn();
  EXPECT_THAT(index, StatusIs(absl::StatusCode::kFailedPrecondition));
}

// E108: asleep it cannot tell how long ago it heard its leader; told to campaign it wakes, and does
// so when its timeout has passed.
TEST(NodeScript, ACampaignWakesWhoSleeps) {
  NodeOptions options = TestCluster::Small();
  options.raft.hibernate_ticks = 3;
  ScriptedNode node(3, Voters({1, 2, 3}), options);
  ASSERT_OK(node.Start());
  node.Take(1, Appending(3, 1, 0, 0, 2, 5));
  node.Turn();
  raft::Message sleep = MessageTo(3, 1, raft::MessageKind::kHeartbeat, 1);
  sleep.commit = 2;
  sleep.forced = true;
  for (int i = 0; i < 2; ++i) {
    node.Take(1, sleep);
    node.Turn();
  }
  ASSERT_TRUE(node.Status().raft.hibernating);
  node.RunFor(absl::Seconds(5));
  ASSERT_THAT(node.Sent(raft::MessageKind::kPreVote), IsEmpty());
  EXPECT_THAT(node.node().Campaign(kTestGroup), StatusIs(absl::StatusCode::kFailedPrecondition));
  node.RunFor(absl::Seconds(3));
  EXPECT_GE(node.Sent(raft::MessageKind::kPreVote).size(), 2u);
}

TEST(NodeScript, NobodySpeaksForAnother) {
  ScriptedNode node(3, Voters({1, 2, 3}), TestCluster::Small());
  ASSERT_OK(node.Start());
  node.Take(1, MessageTo(3, 2, raft::MessageKind::kHeartbeat, 7));
  node.Turn();
  EXPECT_EQ(node.Status().raft.term, 0u);
  EXPECT_EQ(node.Status().raft.leader, raft::kNoNode);
}

}  // namespace
}  // namespace slipway::eraft
