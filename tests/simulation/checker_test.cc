// Each rule of the checker turns red where it is broken (E203).
#include "checker.h"

#include <string>
#include <vector>

#include "base/digest/crc32c.h"
#include "base/sim/clock.h"
#include "base/testing/status_matchers.h"
#include "eraft/store/command.h"

namespace slipway::eraft::simulation {
namespace {

using raft::MessageKind;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

raft::Entry EntryOf(raft::Index index, raft::Term term, CommandId command = 0) {
  raft::Entry entry;
  entry.index = index;
  entry.term = term;
  entry.kind = command == 0 ? raft::EntryKind::kNoop : raft::EntryKind::kCommand;
  if (command == 0) return entry;
  Command content;
  content.client = 7;
  content.command = command;
  content.key = "k";
  entry.payload = raft::Slice(EncodeCommand(content));
  entry.payload_crc = base::Crc32c(entry.payload.view());
  return entry;
}

class CheckerTest : public ::testing::Test {
 protected:
  raft::Message MessageOf(MessageKind kind, raft::NodeId from, raft::Term term) {
    raft::Message message;
    message.kind = kind;
    message.from = from;
    message.to = from == 1 ? 2 : 1;
    message.term = term;
    return message;
  }
  void Durable(raft::NodeId id, raft::Term term, raft::NodeId vote = raft::kNoNode,
               raft::Index commit = 0) {
    checker_.OnHardState(id, {.term = term, .vote = vote, .commit = commit});
  }
  void Append(raft::NodeId leader, raft::Term term, raft::Index after, raft::Term after_term,
              std::vector<raft::Entry> entries) {
    raft::Message message = MessageOf(MessageKind::kAppend, leader, term);
    message.log_index = after;
    message.log_term = after_term;
    message.entries = std::move(entries);
    checker_.OnSend(leader, message);
  }
  void Acknowledge(raft::NodeId id, raft::Term term, raft::Index index) {
    raft::Message message = MessageOf(MessageKind::kAppendReply, id, term);
    message.log_index = index;
    checker_.OnSend(id, message);
  }
  void Apply(raft::NodeId id, std::vector<raft::Entry> entries) { checker_.OnApplied(id, entries); }

  base::sim::Clock clock_;
  Trace trace_{clock_, nullptr};
  Checker checker_{trace_};
};

TEST_F(CheckerTest, ARightRunHasNoViolation) {
  for (const raft::NodeId id : {1, 2, 3}) Durable(id, 1, 1);
  Append(1, 1, 0, 0, {EntryOf(1, 1), EntryOf(2, 1, 5)});
  Acknowledge(2, 1, 2);
  for (const raft::NodeId id : {1, 2}) Apply(id, {EntryOf(1, 1), EntryOf(2, 1, 5)});
  checker_.OnAcknowledged(7, 5, 2);
  Durable(2, 2, 2);
  Append(2, 2, 2, 1, {EntryOf(3, 2)});
  checker_.OnRestart(2, {.term = 2, .vote = 2, .last = 3, .applied = 1});
  Apply(2, {EntryOf(2, 1, 5)});
  checker_.OnInstalled(3, {.index = 2, .term = 1});
  EXPECT_THAT(checker_.violation(), IsEmpty());
  EXPECT_EQ(checker_.applied_max(), 2u);
}

TEST_F(CheckerTest, TwoLeadersOfOneTerm) {
  Durable(1, 3);
  Durable(2, 3);
  checker_.OnSend(1, MessageOf(MessageKind::kHeartbeat, 1, 3));
  checker_.OnSend(2, MessageOf(MessageKind::kHeartbeat, 2, 3));
  EXPECT_THAT(checker_.violation(), HasSubstr("lead term 3"));
}

TEST_F(CheckerTest, ATermThatIsNotDurable) {
  Durable(1, 1);
  checker_.OnSend(1, MessageOf(MessageKind::kPreVote, 1, 2));
  EXPECT_THAT(checker_.violation(), IsEmpty());
  checker_.OnSend(1, MessageOf(MessageKind::kVote, 1, 2));
  EXPECT_THAT(checker_.violation(), HasSubstr("shows term 2, durable is 1"));
}

TEST_F(CheckerTest, AVoteThatIsNotDurable) {
  Durable(1, 2);
  checker_.OnSend(1, MessageOf(MessageKind::kVoteReply, 1, 2));
  EXPECT_THAT(checker_.violation(), HasSubstr("shows a vote"));
}

TEST_F(CheckerTest, TwoVotesInATermAlsoAcrossARestart) {
  Durable(2, 2, 1);
  checker_.OnSend(2, MessageOf(MessageKind::kVoteReply, 2, 2));
  raft::Message other = MessageOf(MessageKind::kVoteReply, 2, 2);
  other.to = 3;
  checker_.OnSend(2, other);
  EXPECT_THAT(checker_.violation(), HasSubstr("votes for 1 and 3 in term 2"));
}

TEST_F(CheckerTest, TermVoteAndCommitThatGoBack) {
  Durable(1, 3, 2, 5);
  Durable(1, 3, 2, 4);
  EXPECT_THAT(checker_.violation(), HasSubstr("uncommits"));
  checker_ = Checker(trace_);
  Durable(1, 3, 2);
  Durable(1, 3, 1);
  EXPECT_THAT(checker_.violation(), HasSubstr("takes its vote"));
  checker_ = Checker(trace_);
  Durable(1, 3);
  Durable(1, 2);
  EXPECT_THAT(checker_.violation(), HasSubstr("falls from term 3"));
}

TEST_F(CheckerTest, OneIndexAndTermWithTwoEntries) {
  Durable(1, 2);
  Append(1, 2, 0, 0, {EntryOf(1, 1, 5)});
  Append(1, 2, 0, 0, {EntryOf(1, 1, 6)});
  EXPECT_THAT(checker_.violation(), HasSubstr("another entry 1 of term 1"));
}

TEST_F(CheckerTest, OneEntryWithTwoPredecessors) {
  Durable(1, 3);
  Append(1, 3, 1, 1, {EntryOf(2, 3, 5)});
  Append(1, 3, 1, 2, {EntryOf(2, 3, 5)});
  EXPECT_THAT(checker_.violation(), HasSubstr("another entry 2 of term 3"));
}

TEST_F(CheckerTest, ALeaderWithoutAnAppliedEntry) {
  Durable(1, 1);
  Apply(1, {EntryOf(1, 1, 5)});
  Durable(2, 2);
  Append(2, 2, 0, 0, {EntryOf(1, 2)});
  EXPECT_THAT(checker_.violation(), HasSubstr("leads term 2 with entry 1 of term 2"));
}

TEST_F(CheckerTest, AnotherEntryAppliedOrAGap) {
  Apply(1, {EntryOf(1, 1, 5)});
  Apply(2, {EntryOf(1, 1, 6)});
  EXPECT_THAT(checker_.violation(), HasSubstr("applies another entry 1"));
  checker_ = Checker(trace_);
  Apply(1, {EntryOf(1, 1, 5), EntryOf(3, 1, 6)});
  EXPECT_THAT(checker_.violation(), HasSubstr("applies 3 after 1"));
}

TEST_F(CheckerTest, ASnapshotThatNobodyAppliedOrThatGoesBack) {
  Apply(1, {EntryOf(1, 1, 5), EntryOf(2, 1, 6)});
  checker_.OnInstalled(2, {.index = 3, .term = 1});
  EXPECT_THAT(checker_.violation(), HasSubstr("which nobody applied"));
  checker_ = Checker(trace_);
  Apply(1, {EntryOf(1, 1, 5), EntryOf(2, 1, 6)});
  checker_.OnInstalled(1, {.index = 1, .term = 1});
  EXPECT_THAT(checker_.violation(), HasSubstr("goes back from 2 to 1"));
}

TEST_F(CheckerTest, ANodeThatForgets) {
  Durable(2, 2, 1);
  Acknowledge(2, 2, 9);
  checker_.OnRestart(2, {.term = 2, .vote = 1, .last = 8});
  EXPECT_THAT(checker_.violation(), HasSubstr("acknowledged 9, restarts with 8"));
  checker_ = Checker(trace_);
  Durable(2, 2, 1);
  checker_.OnRestart(2, {.term = 2, .vote = raft::kNoNode});
  EXPECT_THAT(checker_.violation(), HasSubstr("forgot its vote"));
  checker_ = Checker(trace_);
  Durable(2, 2, 1);
  checker_.OnRestart(2, {.term = 1});
  EXPECT_THAT(checker_.violation(), HasSubstr("forgot term 2"));
}

TEST_F(CheckerTest, ReplicasThatAppliedTheSameAndDiffer) {
  checker_.OnState(1, 4, 11);
  checker_.OnState(2, 4, 11);
  checker_.OnState(2, 5, 12);
  EXPECT_THAT(checker_.violation(), IsEmpty());
  checker_.OnState(3, 5, 13);
  EXPECT_THAT(checker_.violation(), HasSubstr("nodes 2 and 3 have applied 5 and differ"));
}

TEST_F(CheckerTest, AnAnswerForSomebodyElsesEntry) {
  Apply(1, {EntryOf(1, 1, 5)});
  checker_.OnAcknowledged(7, 6, 1);
  EXPECT_THAT(checker_.violation(), HasSubstr("was told that its command 6 is entry 1"));
  checker_ = Checker(trace_);
  checker_.OnAcknowledged(7, 6, 1);  // nothing was applied
  EXPECT_THAT(checker_.violation(), HasSubstr("was told"));
}

}  // namespace
}  // namespace slipway::eraft::simulation
