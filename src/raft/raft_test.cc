// What the scripts and the little world do not reach: values, refusals, and inputs that only a
// broken or hostile peer or disk would give.
#include "raft/raft.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/testing/status_matchers.h"
#include "raft/log.h"
#include "raft/membership.h"
#include "raft/progress.h"
#include "raft/quorum.h"

namespace slipway::raft {
namespace {

using ::slipway::base::testing::IsOkAndHolds;
using ::slipway::base::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Entry EntryOf(Index index, Term term, size_t bytes = 0) {
  Entry entry;
  entry.index = index;
  entry.term = term;
  entry.payload = Slice(base::Bytes(bytes, 'x'));
  return entry;
}

Options OptionsOf(NodeId id) {
  Options options;
  options.id = id;
  options.seed = id;
  return options;
}

const Membership kThree{{1, 2, 3}, {}, {}, {}};

std::unique_ptr<Raft> Make(NodeId id, Restored restored = {}, Options options = {}) {
  if (options.id == kNoNode) options = OptionsOf(id);
  absl::StatusOr<std::unique_ptr<Raft>> raft = Raft::Create(options, kThree, std::move(restored));
  EXPECT_OK(raft.status());
  return *std::move(raft);
}

Message AppendOf(Term term, Index after, Term after_term, std::vector<Entry> entries,
                 Index commit = 0, NodeId from = 2) {
  Message message;
  message.kind = MessageKind::kAppend;
  message.from = from;
  message.to = 1;
  message.term = term;
  message.log_index = after;
  message.log_term = after_term;
  message.commit = commit;
  message.entries = std::move(entries);
  return message;
}

// All of a Ready is done at once; what left is the answer.
std::vector<Message> Settle(Raft& raft) {
  std::vector<Message> sent;
  while (raft.HasReady()) {
    Ready ready = raft.TakeReady();
    if (ready.hard_state.has_value()) raft.OnHardStatePersisted(*ready.hard_state);
    if (!ready.entries.empty()) {
      raft.OnPersisted(ready.entries.back().term, ready.entries.back().index);
    }
    if (!ready.committed.empty()) raft.OnApplied(ready.committed.back().index);
    for (Message& message : ready.messages) sent.push_back(std::move(message));
    for (Message& message : ready.messages_after_persist) sent.push_back(std::move(message));
  }
  return sent;
}

// Node 1 as the leader of term `term` of three, with its no-op on all.
std::unique_ptr<Raft> MakeLeader(Options options = OptionsOf(1)) {
  std::unique_ptr<Raft> raft = Make(1, {}, options);
  EXPECT_OK(raft->Campaign());
  Settle(*raft);
  for (const MessageKind kind : {MessageKind::kPreVoteReply, MessageKind::kVoteReply}) {
    Message reply;
    reply.kind = kind;
    reply.from = 2;
    reply.to = 1;
    reply.term = 1;
    EXPECT_OK(raft->Step(reply));
    Settle(*raft);
  }
  for (const NodeId peer : {2, 3}) {
    Message reply;
    reply.kind = MessageKind::kAppendReply;
    reply.from = peer;
    reply.to = 1;
    reply.term = 1;
    reply.log_index = 1;
    EXPECT_OK(raft->Step(reply));
    Settle(*raft);
  }
  EXPECT_EQ(raft->role(), Role::kLeader);
  EXPECT_EQ(raft->commit(), Index{1});
  return raft;
}

Message ReplyOf(NodeId from, Index index) {
  Message reply;
  reply.kind = MessageKind::kAppendReply;
  reply.from = from;
  reply.to = 1;
  reply.term = 1;
  reply.log_index = index;
  return reply;
}

Message RefusalOf(NodeId from, Index refused, Index conflict, std::optional<Term> term) {
  Message reply = ReplyOf(from, conflict);
  reply.reject = true;
  reply.context = refused;
  reply.conflict_term = term;
  return reply;
}

// E104.
TEST(Quorum, IsTheValueThatEachMajorityReached) {
  const auto value_of = [](NodeId node) { return uint64_t{node * 10}; };
  EXPECT_EQ(QuorumValue({{1}, {}, {}, {}}, value_of), 10U);
  EXPECT_EQ(QuorumValue({{1, 2}, {}, {}, {}}, value_of), 10U);
  EXPECT_EQ(QuorumValue({{1, 2, 3}, {}, {}, {}}, value_of), 20U);
  EXPECT_EQ(QuorumValue({{1, 2, 3, 4}, {}, {}, {}}, value_of), 20U);
  EXPECT_EQ(QuorumValue({{1, 2, 3}, {4, 5, 6}, {}, {}}, value_of), 20U) << "joint: the lesser";
  EXPECT_EQ(QuorumValue({{1, 2, 3}, {}, {9}, {}}, value_of), 20U) << "learners do not count";
  EXPECT_EQ(QuorumValue({{}, {}, {9}, {}}, value_of), 0U);
}

TEST(Quorum, VotesOfAJointConfigurationNeedBothHalves) {
  const Membership joint{{1, 2, 3}, {3, 4, 5}, {}, {}};
  EXPECT_EQ(CountVotes(joint, {{1, true}, {2, true}}), VoteResult::kPending);
  EXPECT_EQ(CountVotes(joint, {{1, true}, {2, true}, {4, true}, {5, true}}), VoteResult::kWon);
  EXPECT_EQ(CountVotes(joint, {{2, true}, {3, true}, {4, true}}), VoteResult::kWon);
  EXPECT_EQ(CountVotes(joint, {{1, true}, {2, true}, {4, false}, {5, false}}), VoteResult::kLost);
  EXPECT_EQ(CountVotes({}, {{1, true}}), VoteResult::kLost);
}

TEST(Log, KnowsTermsOfWhatMemoryDropped) {  // E106
  Log log(0, 0);
  for (Index index = 1; index <= 30; ++index) log.Append(EntryOf(index, 1 + index / 10, 100));
  log.MarkApplied(25, 1000);
  EXPECT_GT(log.first_in_memory(), Index{15});
  EXPECT_LE(log.first_in_memory(), Index{26});
  EXPECT_EQ(log.TermAt(1), Term{1});
  EXPECT_EQ(log.TermAt(10), Term{2});
  EXPECT_EQ(log.TermAt(31), std::nullopt);
  EXPECT_EQ(log.FirstOfTermAt(15), Index{10});
  EXPECT_EQ(log.LastOfTerm(2, 30), Index{19});
  EXPECT_EQ(log.LastOfTerm(2, 12), Index{12});
  EXPECT_EQ(log.LastOfTerm(9, 30), std::nullopt);
  log.Compact(14);
  EXPECT_EQ(log.TermAt(13), std::nullopt);
  EXPECT_EQ(log.TermAt(14), Term{2});
  log.TruncateFrom(27);
  EXPECT_EQ(log.last(), Index{26});
  log.Shrink();
  EXPECT_EQ(log.At(26).index, Index{26});
  log.Reset(50, 7);
  EXPECT_EQ(log.last(), Index{50});
  EXPECT_EQ(log.memory_bytes(), 0U);
}

TEST(Log, CopyTakesAtLeastOneEntryAndAtMostTheBytes) {
  Log log(0, 0);
  for (Index index = 1; index <= 5; ++index) log.Append(EntryOf(index, 1, 100));
  std::vector<Entry> out;
  EXPECT_EQ(log.Copy(2, 5, 10, out), 100U);
  EXPECT_EQ(out.size(), 1U);
  EXPECT_EQ(log.Copy(3, 5, 250, out), 200U);
  EXPECT_EQ(out.size(), 3U);
}

TEST(Inflights, AreFreedInOrderAndCountBytes) {  // E103
  Inflights window;
  for (Index last = 1; last <= 100; ++last) window.Add(last, 10);
  window.FreeTo(40);
  EXPECT_EQ(window.count(), 60U);
  EXPECT_EQ(window.bytes(), 600U);
  for (Index last = 101; last <= 300; ++last) window.Add(last, 1);
  window.FreeTo(299);
  EXPECT_EQ(window.count(), 1U);
  EXPECT_EQ(window.bytes(), 1U);
  window.Clear();
  EXPECT_EQ(window.bytes(), 0U);
}

TEST(MembershipCodec, ReadsWhatItWroteAndNothingElse) {
  const Membership joint{{1, 2, 3}, {3, 4, 5}, {7}, {4}};
  base::Bytes bytes = EncodeMembership(joint);
  EXPECT_THAT(DecodeMembership(bytes), IsOkAndHolds(joint));
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    EXPECT_THAT(DecodeMembership(base::BytesView(bytes).first(cut)),
                StatusIs(absl::StatusCode::kDataLoss));
  }
  bytes.push_back(0);
  EXPECT_THAT(DecodeMembership(bytes), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("follow")));
  bytes.pop_back();
  bytes[0] = 9;
  EXPECT_THAT(DecodeMembership(bytes), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("version")));
  EXPECT_THAT(DecodeMembership(EncodeMembership({{3, 2}, {}, {}, {}})),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("unsorted")));
}

TEST(Change, OneVoterIsSingleAndMoreAreJoint) {
  EXPECT_THAT(FirstStep(kThree, {{1, 2, 3, 4}, {}, {}, {}}),
              IsOkAndHolds(Membership{{1, 2, 3, 4}, {}, {}, {}}));
  EXPECT_THAT(FirstStep(kThree, {{1, 2, 4}, {}, {3, 5}, {}}),
              IsOkAndHolds(Membership{{1, 2, 4}, {1, 2, 3}, {5}, {3}}));
  EXPECT_EQ(AfterJoint({{1, 2, 4}, {1, 2, 3}, {5}, {3}}), (Membership{{1, 2, 4}, {}, {3, 5}, {}}));
  for (const Membership& bad : {kThree, Membership{{}, {}, {1}, {}}, Membership{{2, 1}, {}, {}, {}},
                                Membership{{1, 1}, {}, {}, {}}, Membership{{0, 1}, {}, {}, {}},
                                Membership{{1}, {}, {1}, {}}, Membership{{1}, {2}, {}, {}}}) {
    EXPECT_THAT(FirstStep(kThree, bad), StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

TEST(Create, RefusesWhatContradictsItself) {
  Options options = OptionsOf(1);
  options.election_ticks = 4;
  EXPECT_THAT(Raft::Create(options, kThree, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("five heartbeats")));
  EXPECT_THAT(Raft::Create(OptionsOf(0), kThree, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no id")));
  Restored gap;
  gap.entries = {EntryOf(1, 1), EntryOf(3, 1)};
  EXPECT_THAT(Raft::Create(OptionsOf(1), kThree, gap),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("gap")));
  Restored falls;
  falls.entries = {EntryOf(1, 2), EntryOf(2, 1)};
  EXPECT_THAT(Raft::Create(OptionsOf(1), kThree, falls),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("fall")));
  Restored ahead;
  ahead.applied = 5;
  EXPECT_THAT(Raft::Create(OptionsOf(1), kThree, ahead),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("applied")));
}

TEST(Create, ATornTailOfTheLogIsNoContradiction) {
  Restored torn;
  torn.hard_state = {2, 3, 9};  // its commit index was written, the entries behind it were not
  torn.entries = {EntryOf(1, 1), EntryOf(2, 2)};
  std::unique_ptr<Raft> raft = Make(1, torn);
  EXPECT_EQ(raft->commit(), Index{2});
  Restored newer;
  newer.hard_state = {2, 3, 0};
  newer.entries = {EntryOf(1, 5)};  // and the reverse: nobody can have voted in term 5 here
  raft = Make(1, newer);
  EXPECT_EQ(raft->term(), Term{5});
  EXPECT_EQ(raft->GetStatus().vote, kNoNode);
}

// E102, E141: who starts again may have promised its leader an election timeout.
TEST(Restart, ElectsNobodyForAnElectionTimeout) {
  Restored restored;
  restored.hard_state = {3, 2, 0};
  std::unique_ptr<Raft> raft = Make(1, restored);
  Message vote;
  vote.kind = MessageKind::kVote;
  vote.from = 3;
  vote.to = 1;
  vote.term = 4;
  ASSERT_OK(raft->Step(vote));
  EXPECT_THAT(Settle(*raft), IsEmpty());
  EXPECT_EQ(raft->term(), Term{3});
  for (int i = 0; i < 10; ++i) raft->Tick();
  ASSERT_OK(raft->Step(vote));
  const std::vector<Message> sent = Settle(*raft);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_FALSE(sent[0].reject);
  EXPECT_EQ(raft->term(), Term{4});
}

TEST(Step, RefusesWhatIsMalformedAndChangesNothing) {
  std::unique_ptr<Raft> raft = Make(1);
  const auto refuses = [&raft](Message message, const char* why) {
    EXPECT_THAT(raft->Step(std::move(message)),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(why)));
  };
  refuses(AppendOf(0, 0, 0, {}), "term 0");  // E69
  refuses(AppendOf(1, 0, 0, {}, 0, /*from=*/1), "not from a peer");
  refuses(AppendOf(1, 0, 0, {EntryOf(2, 1)}), "gaps");
  refuses(AppendOf(1, 0, 0, {EntryOf(1, 2)}), "terms");
  Message elsewhere = AppendOf(1, 0, 0, {});
  elsewhere.to = 9;
  refuses(elsewhere, "another node");
  Message vote = AppendOf(1, 0, 0, {EntryOf(1, 1)});
  vote.kind = MessageKind::kVote;
  refuses(vote, "has entries");
  Entry change = EntryOf(1, 1, 3);
  change.kind = EntryKind::kMembership;
  refuses(AppendOf(1, 0, 0, {change}), "does not decode");
  Message unknown = AppendOf(1, 0, 0, {});
  unknown.kind = static_cast<MessageKind>(77);
  refuses(unknown, "unknown kind");
  Message snapshot = AppendOf(1, 0, 0, {});
  snapshot.kind = MessageKind::kSnapshot;
  refuses(snapshot, "no place");
}

TEST(Step, NeverReplacesWhatIsCommitted) {
  std::unique_ptr<Raft> raft = Make(1);
  ASSERT_OK(raft->Step(AppendOf(1, 0, 0, {EntryOf(1, 1), EntryOf(2, 1)}, 2)));
  Settle(*raft);
  EXPECT_THAT(raft->Step(AppendOf(2, 1, 1, {EntryOf(2, 2)})),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("committed here")));
  EXPECT_EQ(raft->term(), Term{1}) << "nothing changed";
}

// Figure 2, AppendEntries 5: what follows the new entries in the own log may be of another leader.
TEST(Follower, CommitsNothingBeyondTheNewEntries) {
  std::unique_ptr<Raft> raft = Make(1);
  ASSERT_OK(raft->Step(AppendOf(1, 0, 0, {EntryOf(1, 1), EntryOf(2, 1), EntryOf(3, 1)}, 0)));
  Settle(*raft);
  ASSERT_OK(raft->Step(AppendOf(2, 1, 1, {}, 3, /*from=*/3)));
  EXPECT_EQ(raft->commit(), Index{1});
}

TEST(Follower, TruncatesAConflictAndNothingElse) {
  std::unique_ptr<Raft> raft = Make(1);
  ASSERT_OK(raft->Step(AppendOf(1, 0, 0, {EntryOf(1, 1), EntryOf(2, 1), EntryOf(3, 1)})));
  ASSERT_OK(raft->Step(AppendOf(1, 0, 0, {EntryOf(1, 1)})));  // late: agrees, so nothing goes
  EXPECT_EQ(raft->GetStatus().last, Index{3});
  ASSERT_OK(raft->Step(AppendOf(2, 1, 1, {EntryOf(2, 2)}, 0, /*from=*/3)));
  EXPECT_EQ(raft->GetStatus().last, Index{2});
  EXPECT_EQ(raft->TermAt(2), Term{2});
}

// E101: the same entry stands there, goes, and comes back; only its last write makes it durable.
TEST(Persistence, AnEntryThatCameBackIsNotDurableByItsFirstWrite) {
  std::unique_ptr<Raft> raft = Make(1);
  ASSERT_OK(raft->Step(AppendOf(1, 0, 0, {EntryOf(1, 1), EntryOf(2, 1)})));
  raft->TakeReady();
  ASSERT_OK(raft->Step(AppendOf(2, 1, 1, {EntryOf(2, 2)}, 0, /*from=*/3)));
  raft->TakeReady();
  ASSERT_OK(raft->Step(AppendOf(3, 1, 1, {EntryOf(2, 1)})));
  raft->TakeReady();
  raft->OnPersisted(1, 2);
  EXPECT_EQ(raft->GetStatus().persisted, Index{1}) << "the disk is about to have another there";
  raft->OnPersisted(2, 2);
  EXPECT_EQ(raft->GetStatus().persisted, Index{1});
  raft->OnPersisted(7, 2);
  EXPECT_EQ(raft->GetStatus().persisted, Index{1}) << "of no write";
  raft->OnPersisted(1, 2);
  EXPECT_EQ(raft->GetStatus().persisted, Index{2});
}

TEST(Persistence, VotesAndAcknowledgementsWaitForTheDisk) {
  std::unique_ptr<Raft> raft = Make(1);
  Message vote;
  vote.kind = MessageKind::kVote;
  vote.from = 2;
  vote.to = 1;
  vote.term = 1;
  ASSERT_OK(raft->Step(vote));
  Ready ready = raft->TakeReady();
  EXPECT_THAT(ready.messages, IsEmpty());
  EXPECT_EQ(ready.messages_after_persist.size(), 1U);
  EXPECT_TRUE(ready.must_sync);
  raft->OnHardStatePersisted(*ready.hard_state);
  ASSERT_OK(raft->Step(AppendOf(1, 0, 0, {EntryOf(1, 1)})));
  ready = raft->TakeReady();
  EXPECT_THAT(ready.messages, IsEmpty());
  EXPECT_EQ(ready.messages_after_persist.size(), 1U);
}

// E69.
TEST(Leader, MatchNeverFalls) {
  std::unique_ptr<Raft> raft = MakeLeader();
  const std::vector<Slice> commands(5, Slice(base::Bytes(1, 'x')));
  ASSERT_OK(raft->Propose(commands).status());
  Settle(*raft);
  ASSERT_OK(raft->Step(ReplyOf(2, 5)));
  ASSERT_OK(raft->Step(ReplyOf(2, 3)));
  ASSERT_OK(raft->Step(RefusalOf(2, 2, 1, std::nullopt)));
  EXPECT_EQ(raft->GetStatus().peers[0].match, Index{5});
  EXPECT_EQ(raft->GetStatus().peers[0].state, PeerProgress::State::kReplicate);
}

TEST(Leader, EachRefusalMakesProgressWhateverThePeerSays) {  // E69
  std::unique_ptr<Raft> raft = MakeLeader();
  const std::vector<Slice> commands(20, Slice(base::Bytes(1, 'x')));
  ASSERT_OK(raft->Propose(commands).status());
  Settle(*raft);
  raft->OnUnreachable(2);
  // A peer that lost everything, answers with term 0, and always points where it is no use.
  Index place = 21;
  int refusals = 0;
  ASSERT_OK(raft->Step(RefusalOf(3, place, place, Term{0})));
  for (const Message& message : Settle(*raft)) {
    if (message.to == 3) place = message.log_index;
  }
  while (place > 0 && ++refusals < 100) {
    const Index before = place;
    ASSERT_OK(raft->Step(RefusalOf(3, place, 1000000, Term{0})));
    for (const Message& message : Settle(*raft)) {
      if (message.to == 3) place = message.log_index;
    }
    ASSERT_LT(place, before);
  }
  EXPECT_LE(refusals, 21);
  EXPECT_EQ(raft->GetStatus().peers[1].match, Index{1}) << "what it acknowledged once still counts";
  ASSERT_OK(raft->Step(ReplyOf(3, 21)));
  EXPECT_EQ(raft->GetStatus().peers[1].match, Index{21});
}

TEST(Leader, RefusesAnswersAboutWhatItDoesNotHave) {
  std::unique_ptr<Raft> raft = MakeLeader();
  EXPECT_THAT(raft->Step(ReplyOf(2, 99)), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(raft->Step(AppendOf(1, 0, 0, {})),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("leads term 1")));
}

TEST(Leader, MakesOneMessageOfWhatWasProposedSinceTheLastReady) {  // E103
  std::unique_ptr<Raft> raft = MakeLeader();
  for (int i = 0; i < 10; ++i) {
    ASSERT_OK(raft->Propose({Slice(base::Bytes(1, 'x'))}).status());
  }
  const Ready ready = raft->TakeReady();
  ASSERT_EQ(ready.messages.size(), 2U);
  EXPECT_EQ(ready.messages[0].entries.size(), 10U);
}

TEST(Leader, PagesWhatIsCommitted) {
  Options options = OptionsOf(1);
  options.committed_bytes_max = 100;
  std::unique_ptr<Raft> raft = MakeLeader(options);
  const std::vector<Slice> commands(5, Slice(base::Bytes(60, 'x')));
  ASSERT_OK(raft->Propose(commands).status());
  Ready ready = raft->TakeReady();
  raft->OnPersisted(1, 6);
  ASSERT_OK(raft->Step(ReplyOf(2, 6)));
  int pages = 0;
  while (raft->HasReady()) {
    ready = raft->TakeReady();
    pages += ready.committed.empty() ? 0 : 1;
  }
  EXPECT_EQ(pages, 5);
}

TEST(Leader, MarksNameTheMembershipInForce) {
  std::unique_ptr<Raft> raft = MakeLeader();
  ASSERT_OK(raft->ProposeMembership({{1, 2}, {}, {}, {}}).status());
  Settle(*raft);
  EXPECT_EQ(raft->MarkAt(1)->membership, kThree);
  EXPECT_THAT(raft->MarkAt(2)->membership.voters, ElementsAre(1, 2));
  EXPECT_EQ(raft->MarkAt(3), std::nullopt);
}

TEST(Lease, RoundsAreNumberedAndConfirmedByAQuorum) {  // E141
  std::unique_ptr<Raft> raft = MakeLeader();
  raft->Tick();
  Settle(*raft);
  EXPECT_EQ(raft->GetStatus().round_sent, 1U);
  EXPECT_EQ(raft->GetStatus().round_confirmed, 0U);
  Message reply = ReplyOf(2, 0);
  reply.kind = MessageKind::kHeartbeatReply;
  reply.round = 99;  // of no round so far: counts for the newest only
  ASSERT_OK(raft->Step(reply));
  EXPECT_EQ(raft->GetStatus().round_confirmed, 1U);
}

TEST(Lease, IsNotAllowedAgainInATermThatSawATransfer) {  // E141
  std::unique_ptr<Raft> raft = MakeLeader();
  EXPECT_TRUE(raft->GetStatus().lease_allowed);
  ASSERT_OK(raft->TransferLeader(3));
  EXPECT_FALSE(raft->GetStatus().lease_allowed);
  for (int i = 0; i < 10; ++i) raft->Tick();
  EXPECT_EQ(raft->GetStatus().transfer_to, kNoNode) << "given up";
  EXPECT_FALSE(raft->GetStatus().lease_allowed) << "the message may still be on its way";
}

TEST(Reads, ALateAnswerMeetsNoLaterRead) {
  std::unique_ptr<Raft> raft = Make(1);
  ASSERT_OK(raft->Step(AppendOf(1, 0, 0, {EntryOf(1, 1)}, 1)));
  Settle(*raft);
  raft->ReadIndex(7);
  const std::vector<Message> first = Settle(*raft);
  ASSERT_EQ(first.size(), 1U);
  Message answer;
  answer.kind = MessageKind::kReadIndexReply;
  answer.from = 2;
  answer.to = 1;
  answer.term = 1;
  answer.log_index = 1;
  answer.context = first[0].context;
  ASSERT_OK(raft->Step(answer));
  EXPECT_EQ(raft->TakeReady().read_states.size(), 1U);
  raft->ReadIndex(7);  // the caller uses its name again
  Settle(*raft);
  ASSERT_OK(raft->Step(answer));  // the network delivers twice
  EXPECT_FALSE(raft->HasReady());
}

TEST(Ready, GivesTheSameMemoryBack) {  // E311
  std::unique_ptr<Raft> raft = MakeLeader();
  Ready ready;
  ASSERT_OK(raft->Propose({Slice(base::Bytes(1, 'x'))}).status());
  raft->TakeReady(ready);
  ASSERT_EQ(ready.entries.size(), 1U);
  raft->TakeReady(ready);
  EXPECT_THAT(ready.entries, IsEmpty());
  EXPECT_THAT(ready.messages, IsEmpty());
  EXPECT_FALSE(ready.must_sync);
}

}  // namespace
}  // namespace slipway::raft
