// Rules of the core that whole groups hardly ever need: one node, whose peers, disk and time are
// the test's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/testing/status_matchers.h"
#include "raft/log.h"
#include "raft/raft.h"

namespace slipway::raft {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const Membership kThree{{1, 2, 3}, {}, {}, {}};

Entry EntryOf(Index index, Term term, const Membership* membership = nullptr) {
  Entry entry;
  entry.index = index;
  entry.term = term;
  if (membership != nullptr) {
    entry.kind = EntryKind::kMembership;
    entry.payload = Slice(EncodeMembership(*membership));
  }
  return entry;
}

// Node 1.
class One {
 public:
  explicit One(Restored restored = {}, Options options = {}) {
    options.id = 1;
    options.seed = 1;
    auto created = Raft::Create(options, kThree, std::move(restored));
    EXPECT_OK(created);
    raft = *std::move(created);
  }
  static Message From(NodeId peer, MessageKind kind, Term term) {
    Message message;
    message.kind = kind;
    message.from = peer;
    message.to = 1;
    message.term = term;
    return message;
  }
  // What the network carries in answer.
  std::vector<Message> Take(const Message& message) {
    EXPECT_OK(raft->Step(message));
    return Settle();
  }
  std::vector<Message> Settle() {
    std::vector<Message> sent;
    while (raft->HasReady()) {
      Ready ready = raft->TakeReady();
      if (ready.hard_state.has_value()) raft->OnHardStatePersisted(*ready.hard_state);
      if (!ready.entries.empty()) {
        raft->OnPersisted(ready.entries.back().term, ready.entries.back().index);
      }
      if (!ready.committed.empty()) raft->OnApplied(ready.committed.back().index);
      for (auto* list : {&ready.messages, &ready.messages_after_persist}) {
        for (Message& message : *list) sent.push_back(std::move(message));
      }
      for (const ReadState& read : ready.read_states) reads.push_back(read);
    }
    return sent;
  }
  // Elected by `voters`, who then hold all of its log.
  void Lead(const std::vector<NodeId>& voters = {2, 3}) {
    EXPECT_OK(raft->Campaign());
    Settle();
    const Term term = raft->term() + 1;
    for (const MessageKind kind : {MessageKind::kPreVoteReply, MessageKind::kVoteReply}) {
      for (const NodeId voter : voters) {
        if (raft->role() != Role::kLeader) Take(From(voter, kind, term));
      }
    }
    ASSERT_EQ(raft->role(), Role::kLeader);
    Hold(voters);
  }
  void Hold(const std::vector<NodeId>& peers) {
    for (const NodeId peer : peers) {
      Message reply = From(peer, MessageKind::kAppendReply, raft->term());
      reply.log_index = raft->GetStatus().last;
      Take(reply);
    }
  }
  void Answer(NodeId peer, uint64_t round) {
    Message reply = From(peer, MessageKind::kHeartbeatReply, raft->term());
    reply.round = round;
    Take(reply);
  }
  // A leader that took voters 1 2 3 to 1 4 5, as far as the joint configuration: it is committed
  // by nobody yet.
  void BeginJoint() {
    ASSERT_NO_FATAL_FAILURE(Lead());
    ASSERT_OK(raft->ProposeMembership({{1, 4, 5}, {}, {}, {}}).status());
    Settle();
    ASSERT_TRUE(raft->GetStatus().membership.joint());
  }

  std::unique_ptr<Raft> raft;
  std::vector<ReadState> reads;
};

// E140, thesis 4.3: in a joint configuration another leader may have been elected by neither half
// alone; so a read needs both.
TEST(Joint, AReadNeedsBothHalves) {
  One one;
  ASSERT_NO_FATAL_FAILURE(one.BeginJoint());
  one.raft->ReadIndex(7);
  one.Settle();
  const uint64_t round = one.raft->GetStatus().round_sent;
  one.Answer(4, round);
  one.Answer(5, round);
  EXPECT_THAT(one.reads, IsEmpty());
  one.Answer(2, round);
  ASSERT_THAT(one.reads, SizeIs(1));
  EXPECT_FALSE(one.reads[0].failed);
}

TEST(Joint, ALeaderThatLostEitherHalfStepsDown) {  // E102
  for (const std::vector<NodeId>& alive : {std::vector<NodeId>{2, 3}, {4, 5}, {2, 4}}) {
    One one;
    ASSERT_NO_FATAL_FAILURE(one.BeginJoint());
    for (int tick = 0; tick < 40; ++tick) {
      one.raft->Tick();
      one.Settle();
      if (one.raft->role() != Role::kLeader) break;
      for (const NodeId peer : alive) one.Answer(peer, one.raft->GetStatus().round_sent);
    }
    EXPECT_EQ(one.raft->role() == Role::kLeader, alive[0] == 2 && alive[1] == 4) << alive[0];
  }
}

// Thesis 4.2.2: who leaves with a change that is not committed may be the one whom the group needs
// to go on.
TEST(Joint, WhoLeavesCampaignsUntilTheChangeIsCommitted) {
  const Membership without{{2, 3}, {}, {}, {}};
  Restored restored;
  restored.hard_state = {1, kNoNode, 1};
  restored.entries = {EntryOf(1, 1), EntryOf(2, 1, &without)};
  One open(restored);
  EXPECT_OK(open.raft->Campaign());
  ASSERT_NO_FATAL_FAILURE(open.Lead());
  restored.hard_state.commit = 2;
  One committed(restored);
  EXPECT_FALSE(committed.raft->Campaign().ok());
}

// E140: answers to a round that was under way may be older than the read.
TEST(Round, AReadIsNotAnsweredByARoundThatBeganBeforeIt) {
  One one;
  ASSERT_NO_FATAL_FAILURE(one.Lead());
  one.raft->Tick();
  one.Settle();
  const uint64_t before = one.raft->GetStatus().round_sent;
  one.raft->ReadIndex(7);
  one.Settle();
  one.Answer(2, before);
  one.Answer(3, before);
  EXPECT_THAT(one.reads, IsEmpty());
  one.Answer(2, before + 1);
  EXPECT_THAT(one.reads, SizeIs(1));
}

// E101, E162: the log was begun anew while a write was under way.
TEST(Install, AnEarlierWriteCountsForNothingAfterwards) {
  One one;
  Message append = One::From(2, MessageKind::kAppend, 1);
  for (Index index = 1; index <= 9; ++index) append.entries.push_back(EntryOf(index, 1));
  ASSERT_OK(one.raft->Step(append));
  const Ready slow = one.raft->TakeReady();
  ASSERT_THAT(slow.entries, SizeIs(9));
  Message snapshot = One::From(3, MessageKind::kSnapshot, 2);
  snapshot.snapshot = {5, 2, kThree};
  ASSERT_OK(one.raft->Step(snapshot));
  ASSERT_TRUE(one.raft->TakeReady().install.has_value());
  one.raft->OnInstalled(snapshot.snapshot, /*ok=*/true);
  EXPECT_EQ(one.raft->GetStatus().persisted, Index{5});
  Message more = One::From(3, MessageKind::kAppend, 2);
  more.log_index = 5;
  more.log_term = 2;
  for (Index index = 6; index <= 12; ++index) more.entries.push_back(EntryOf(index, 2));
  ASSERT_OK(one.raft->Step(more));
  one.raft->TakeReady();
  one.raft->OnPersisted(1, 9);
  EXPECT_EQ(one.raft->GetStatus().persisted, Index{5});
}

// E106: what was read may be of a log that was replaced since.
TEST(LogReads, EntriesThatTheLogDoesNotHoldAreNotSent) {
  Options options;
  options.memory_bytes_max = 1;
  Restored restored;
  restored.hard_state = {1, kNoNode, 50};
  for (Index index = 1; index <= 50; ++index) restored.entries.push_back(EntryOf(index, 1));
  restored.applied = 50;
  One one(restored, options);
  ASSERT_NO_FATAL_FAILURE(one.Lead({3}));
  Message refusal = One::From(2, MessageKind::kAppendReply, 2);
  refusal.reject = true;
  refusal.context = 50;
  refusal.log_index = 1;
  ASSERT_OK(one.raft->Step(refusal));
  const Ready ready = one.raft->TakeReady();
  ASSERT_THAT(ready.reads, SizeIs(1));
  one.raft->OnEntriesRead(2, 1, {EntryOf(1, 1), EntryOf(2, 2)});
  EXPECT_THAT(one.Settle(), IsEmpty());
}

// E108: a follower that has more than the leader says is asleep about nothing.
TEST(Sleep, WhoHoldsMoreThanIsCommittedStaysAwake) {
  Options options;
  options.hibernate_ticks = 5;
  One one({}, options);
  Message append = One::From(2, MessageKind::kAppend, 1);
  append.entries = {EntryOf(1, 1), EntryOf(2, 1)};
  append.commit = 1;
  one.Take(append);
  Message sleep = One::From(2, MessageKind::kHeartbeat, 1);
  sleep.forced = true;
  sleep.commit = 1;
  one.Take(sleep);
  EXPECT_FALSE(one.raft->GetStatus().hibernating);
  sleep.commit = 2;
  one.Take(sleep);
  one.Take(sleep);  // the entry is applied by now
  EXPECT_TRUE(one.raft->GetStatus().hibernating);
}

// E31: told other times it waits by them, whatever it had waited for before.
TEST(Timers, AreThoseOfTheLastCall) {
  One one;  // stands within 10 to 20 ticks
  for (const auto& [election, heartbeat, hibernate] :
       {std::tuple{4, 1, 0}, {10, 0, 0}, {10, 1, -1}}) {
    EXPECT_FALSE(one.raft->SetTimers(election, heartbeat, hibernate).ok());
  }
  ASSERT_OK(one.raft->SetTimers(100, 20, 0));
  for (int tick = 0; tick < 99; ++tick) one.raft->Tick();
  EXPECT_EQ(one.raft->role(), Role::kFollower);
  ASSERT_OK(one.raft->SetTimers(10, 1, 0));  // it has waited for longer than that
  one.raft->Tick();
  EXPECT_EQ(one.raft->role(), Role::kPreCandidate);
}

// E141: what it promised by its timers from before, it keeps; also when its leader speaks again.
TEST(Timers, ThatAreShorterBreakNoPromise) {
  One one;
  one.Take(One::From(2, MessageKind::kHeartbeat, 1));
  ASSERT_OK(one.raft->SetTimers(5, 1, 0, /*promised_ticks=*/30));
  one.raft->Tick();
  one.Take(One::From(2, MessageKind::kHeartbeat, 1));
  for (int tick = 0; tick < 28; ++tick) {
    one.raft->Tick();
    EXPECT_TRUE(one.raft->GetStatus().hears_leader) << tick;
  }
  EXPECT_EQ(one.raft->role(), Role::kFollower);
  one.raft->Tick();
  EXPECT_EQ(one.raft->role(), Role::kPreCandidate);
}

// E102: who comes back with an older term learns the newer one, or nobody could be elected: its log
// may be the longest.
TEST(PreVote, AnOlderTermIsAnsweredWithTheNewer) {
  Restored restored;
  restored.hard_state = {5, kNoNode, 0};
  One one(restored);
  const std::vector<Message> sent = one.Take(One::From(2, MessageKind::kPreVote, 3));
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_TRUE(sent[0].reject);
  EXPECT_EQ(sent[0].term, Term{5});
}

// Figure 2, RequestVote 2: the answer may have been lost.
TEST(Vote, AskedForTwiceItIsGivenTwiceAndToNobodyElse) {
  One one;
  const Message vote = One::From(2, MessageKind::kVote, 1);
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(one.Take(vote), Each(Field(&Message::reject, false)));
  }
  EXPECT_THAT(one.Take(One::From(3, MessageKind::kVote, 1)), Each(Field(&Message::reject, true)));
}

// E107: asked for again and again, a transfer still ends, and proposals are taken again.
TEST(Transfer, AskedForAgainItIsNoLonger) {
  One one;
  ASSERT_NO_FATAL_FAILURE(one.Lead());
  int refused = 0;
  for (int tick = 0; tick < 40 && refused == tick; ++tick) {
    ASSERT_OK(one.raft->TransferLeader(2));
    one.raft->Tick();
    one.Settle();
    for (const NodeId peer : {2, 3}) one.Answer(peer, one.raft->GetStatus().round_sent);
    refused += one.raft->Propose({}).ok() ? 0 : 1;
  }
  EXPECT_LE(refused, 10);
}

// E323: one command at a time costs each peer one message and one answer; a tick tells the last
// one.
TEST(Append, NewsOfTheCommitIndexWaitForTheNextMessage) {
  Options options;
  options.commit_waits = true;
  One one({}, options);
  ASSERT_NO_FATAL_FAILURE(one.Lead());
  one.raft->Tick();
  one.Settle();
  const auto propose = [&] {
    EXPECT_OK(one.raft->Propose({Slice(base::Bytes(1, 7))}).status());
    return one.Settle();
  };
  const std::vector<Message> first = propose();
  ASSERT_THAT(first, SizeIs(2));
  const Index index = one.raft->GetStatus().last;
  Message reply = One::From(2, MessageKind::kAppendReply, one.raft->term());
  reply.log_index = index;
  EXPECT_THAT(one.Take(reply), IsEmpty());
  ASSERT_EQ(one.raft->commit(), index);

  const std::vector<Message> second = propose();
  EXPECT_THAT(second, AllOf(SizeIs(2), Each(Field(&Message::commit, index))));
  reply.log_index = index + 1;
  one.Take(reply);
  reply.from = 3;
  EXPECT_THAT(one.Take(reply), IsEmpty());
  one.raft->Tick();
  const std::vector<Message> told = one.Settle();
  EXPECT_THAT(told, Contains(AllOf(Field(&Message::to, 2), Field(&Message::commit, index + 1))));
  EXPECT_THAT(told, Contains(AllOf(Field(&Message::to, 3), Field(&Message::commit, index + 1))));
  one.raft->Tick();
  for (const Message& message : one.Settle()) EXPECT_NE(message.kind, MessageKind::kAppend);
}

// E103: what an entry takes besides its payload is bounded, too.
TEST(Append, ManyEmptyCommandsGoInSeveralMessages) {
  Options options;
  options.append_bytes_max = 4096;
  One one({}, options);
  ASSERT_NO_FATAL_FAILURE(one.Lead());
  ASSERT_OK(one.raft->Propose(std::vector<Slice>(10'000)).status());
  size_t most = 0, sent = 0;
  for (const Message& message : one.Settle()) {
    if (message.to != 2) continue;
    most = std::max(most, message.entries.size());
    sent += message.entries.size();
  }
  EXPECT_EQ(sent, 10'000U);
  EXPECT_LE(most, EntriesMax(4096));
}

TEST(Append, ManyEmptyCommandsOfTheDiskGoInSeveralMessages) {  // E103
  Options options;
  options.append_bytes_max = 4096;
  options.memory_bytes_max = 1;
  Restored restored;
  restored.hard_state = {1, kNoNode, 1000};
  for (Index index = 1; index <= 1000; ++index) restored.entries.push_back(EntryOf(index, 1));
  restored.applied = 1000;
  One one(restored, options);
  ASSERT_NO_FATAL_FAILURE(one.Lead({3}));
  Message refusal = One::From(2, MessageKind::kAppendReply, 2);
  refusal.reject = true;
  refusal.context = 1000;
  refusal.log_index = 1;
  ASSERT_OK(one.raft->Step(refusal));
  const Ready ready = one.raft->TakeReady();
  ASSERT_THAT(ready.reads, SizeIs(1));
  one.raft->OnEntriesRead(2, ready.reads[0].first, restored.entries);
  const std::vector<Message> sent = one.Settle();
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_THAT(sent[0].entries, SizeIs(EntriesMax(4096)));
}

}  // namespace
}  // namespace slipway::raft
