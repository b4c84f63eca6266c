#include "eraft/store/sessions.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/testing/status_matchers.h"
#include "eraft/store/limits.h"
#include "eraft/store/test_engines.h"
#include "eraft/store/test_machine.h"

namespace slipway::eraft {
namespace {

using base::testing::IsOkAndHolds;
using base::testing::StatusIs;

class SessionsTest : public ::testing::TestWithParam<EngineKind> {
 protected:
  SessionsTest() : rig_(GetParam()) {}
  uint64_t sessions() { return rig_.machine().GetStatus().sessions; }
  void SetLimits(const SessionLimits& limits) {
    Command command = {.op = CommandOp::kSetSessionLimits, .value = EncodeSessionLimits(limits)};
    EXPECT_EQ(rig_.Run(command), AnswerCode::kOk);
  }
  MachineRig rig_;
};
INSTANTIATE_TEST_SUITE_P(Engines, SessionsTest, AllEngines(), EngineName);

Command Strict(Command command, ClientId client, CommandId number, CommandId acknowledged = 0) {
  command = WithSession(std::move(command), client, number);
  command.strict = true;
  command.acknowledged = acknowledged;
  return command;
}
Command Register(ClientId client, ShardId shard = kShard) {
  return {.op = CommandOp::kRegisterSession, .shard = shard, .client = client};
}

// E57
TEST_P(SessionsTest, ARepeatedCommandGetsItsFirstAnswerAndIsNotExecuted) {
  const Answer first = rig_.RunForAnswer(WithSession(Append("k", "a"), 1, 0));
  EXPECT_EQ(first, (Answer{AnswerCode::kOk, 1}));
  EXPECT_EQ(rig_.RunForAnswer(WithSession(Append("k", "a"), 1, 0)), first);
  EXPECT_EQ(rig_.Run(WithSession(CompareAndSet("k", "x", "y"), 1, 5)), AnswerCode::kMismatch);
  rig_.Run(Put("k", "x"));
  EXPECT_EQ(rig_.Run(WithSession(CompareAndSet("k", "x", "y"), 1, 5)), AnswerCode::kMismatch);
  EXPECT_EQ(rig_.Run(WithSession(Append("k", "a"), 1, 4)), AnswerCode::kStale);
  rig_.Restart();
  EXPECT_EQ(rig_.Run(WithSession(CompareAndSet("k", "x", "y"), 1, 5)), AnswerCode::kMismatch);
  EXPECT_EQ(rig_.Get("k"), "x");
  EXPECT_EQ(rig_.Run(WithSession(Append("k", "b"), 2, 0)), AnswerCode::kOk);
  EXPECT_EQ(rig_.Get("k"), "xb");
  rig_.ExpectSound();
}

TEST_P(SessionsTest, ABatchSeesTheSessionsOfItsEarlierCommands) {
  const Command append = WithSession(Append("k", "a"), 1, 0);
  rig_.ApplyAll(Entries({append, append, WithSession(Append("k", "b"), 1, 1), append}));
  EXPECT_EQ(rig_.Get("k"), "ab");
  rig_.ExpectSound();
}

// E77: a client of two shards has two sessions, which move with them.
TEST_P(SessionsTest, SessionsBelongToTheirShard) {
  EXPECT_EQ(rig_.Run(In(1, WithSession(Append("k", "a"), 9, 7))), AnswerCode::kOk);
  EXPECT_EQ(rig_.Run(In(2, WithSession(Append("k", "a"), 9, 3))), AnswerCode::kOk);
  EXPECT_EQ(rig_.machine().GetShard(1).sessions, 1u);
  EXPECT_EQ(sessions(), 2u);
}

// E143
TEST_P(SessionsTest, AStrictCommandWithoutASessionIsNotExecuted) {
  EXPECT_EQ(rig_.Run(Strict(Put("k", "1"), 4, 0)), AnswerCode::kUnknownSession);
  EXPECT_EQ(rig_.Get("k"), "-");
  EXPECT_EQ(rig_.Run(Register(4)), AnswerCode::kOk);
  EXPECT_EQ(rig_.Run(Register(4)), AnswerCode::kOk);
  EXPECT_EQ(rig_.Run(Strict(Put("k", "1"), 4, 0)), AnswerCode::kOk);
  EXPECT_EQ(rig_.Run(WithSession(Put("k", "2"), 4, 1)), AnswerCode::kInvalid);
  EXPECT_EQ(rig_.Run({.op = CommandOp::kCloseSession, .shard = kShard, .client = 4}),
            AnswerCode::kOk);
  EXPECT_EQ(rig_.Run(Strict(Put("k", "2"), 4, 1)), AnswerCode::kUnknownSession);
  EXPECT_EQ(rig_.Get("k"), "1");
  rig_.ExpectSound();
}

TEST_P(SessionsTest, TheWindowHoldsAnswersUntilTheyAreAcknowledged) {
  rig_.Run(Register(4));
  // In any order, as a pipeline may deliver them.
  for (const CommandId id : {5, 3, 4}) {
    EXPECT_EQ(rig_.Run(Strict(Append("k", absl::StrCat(id)), 4, id)), AnswerCode::kOk);
  }
  for (const CommandId id : {3, 4, 5}) {
    EXPECT_EQ(rig_.Run(Strict(Append("k", "again"), 4, id)), AnswerCode::kOk);
  }
  EXPECT_EQ(rig_.Get("k"), "534");
  EXPECT_EQ(rig_.Run(Strict(Append("k", "x"), 4, kWindowCommands)), AnswerCode::kWindowFull);
  EXPECT_EQ(rig_.Run(Strict(Append("k", "6"), 4, kWindowCommands, 4)), AnswerCode::kOk);
  EXPECT_EQ(rig_.Run(Strict(Append("k", "again"), 4, 3)), AnswerCode::kStale);
  EXPECT_EQ(rig_.Run(Strict(Append("k", "again"), 4, 4)), AnswerCode::kOk);  // its first answer
  EXPECT_EQ(rig_.Run(Strict(Append("k", "7"), 4, 1 << 30, 1 << 30)), AnswerCode::kOk);
  EXPECT_EQ(rig_.Run(Strict(Append("k", "again"), 4, kWindowCommands)), AnswerCode::kStale);
  EXPECT_EQ(rig_.Get("k"), "53467");
  rig_.ExpectSound();
  EXPECT_EQ(rig_.Run({.op = CommandOp::kCloseSession, .shard = kShard, .client = 4}),
            AnswerCode::kOk);
  rig_.Run(Delete("k"));
  EXPECT_EQ(rig_.machine().GetShard(kShard).digest, StateDigest()) << "an answer was left";
}

// A row of answers goes when the last of its numbers is acknowledged, by small steps and by jumps.
TEST_P(SessionsTest, NoRowOfAnswersOutlivesItsNumbers) {
  rig_.Run(Register(4));
  const auto rows = [&] {  // the first numbers of those that are kept
    std::vector<CommandId> ids;
    for (CommandId id = 0; id < 4 * kWindowCommands; id += kAnswersPerRow) {
      const auto row = rig_.engine().Get(AnswerKey(kGroup, kShard, 4, id));
      EXPECT_OK(row);
      if (row.ok() && row->has_value()) ids.push_back(id);
    }
    return ids;
  };
  constexpr CommandId kRow = kAnswersPerRow;
  for (CommandId id = 0; id <= 2 * kRow; ++id) rig_.Run(Strict(Put("k", ""), 4, id));
  EXPECT_EQ(rows(), (std::vector<CommandId>{0, kRow, 2 * kRow}));
  rig_.Run(Strict(Put("k", ""), 4, 2 * kRow + 1, kRow - 1));
  EXPECT_EQ(rows(), (std::vector<CommandId>{0, kRow, 2 * kRow}));
  rig_.Run(Strict(Put("k", ""), 4, 2 * kRow + 2, kRow));
  EXPECT_EQ(rows(), (std::vector<CommandId>{kRow, 2 * kRow}));
  // The highest that the window allows, then a jump over all of it.
  rig_.Run(Strict(Put("k", ""), 4, kRow + kWindowCommands - 1, kRow));
  const CommandId far = 3 * kWindowCommands + 5;
  rig_.Run(Strict(Put("k", ""), 4, far, far));
  EXPECT_EQ(rows(), (std::vector<CommandId>{far - far % kRow}));
  constexpr CommandId kLast = ~CommandId{0};
  rig_.Run(Strict(Put("k", ""), 4, kLast, kLast));
  EXPECT_EQ(rows(), std::vector<CommandId>());
  EXPECT_EQ(rig_.Run(Strict(Append("k", "again"), 4, kLast, kLast)), AnswerCode::kOk);
  EXPECT_EQ(rig_.Get("k"), "");
  rig_.ExpectSound();
}

TEST_P(SessionsTest, TimeNeverFallsAndASessionNeverExpiresEarly) {
  SetLimits({.ttl_ms = 10'000, .sessions_max = 100});
  EXPECT_EQ(rig_.Run(At(5'999, WithSession(Append("k", "a"), 1, 0))), AnswerCode::kOk);
  EXPECT_EQ(rig_.Run(At(1, Put("x", ""))), AnswerCode::kOk);
  EXPECT_EQ(rig_.machine().GetStatus().time_ms, 5'999u);
  rig_.Run(At(15'999, Put("x", "")));
  EXPECT_EQ(sessions(), 1u);
  EXPECT_EQ(rig_.Run(WithSession(Append("k", "a"), 1, 0)), AnswerCode::kOk);
  EXPECT_EQ(rig_.Get("k"), "a");
  rig_.Run(At(16'000, Put("x", "")));
  EXPECT_EQ(sessions(), 0u);
  // Implicit sessions begin anew; that is why their time to live is long.
  EXPECT_EQ(rig_.Run(WithSession(Append("k", "a"), 1, 0)), AnswerCode::kOk);
  EXPECT_EQ(rig_.Get("k"), "aa");
  rig_.ExpectSound();
}

TEST_P(SessionsTest, AnExpiredStrictSessionExecutesNothing) {
  SetLimits({.ttl_ms = 1'000, .sessions_max = 100});
  rig_.Run(At(1'000, Register(4)));
  EXPECT_EQ(rig_.Run(Strict(Put("k", "1"), 4, 0)), AnswerCode::kOk);
  EXPECT_EQ(rig_.Run(At(9'000, Strict(Put("k", "2"), 4, 1))), AnswerCode::kUnknownSession);
  EXPECT_EQ(rig_.Get("k"), "1");
  EXPECT_EQ(sessions(), 0u);
  rig_.ExpectSound();
}

// More expire at once than a command removes: each is expired for its own client all the same.
TEST_P(SessionsTest, ManyExpireABoundedNumberAtATime) {
  SetLimits({.ttl_ms = 1'000, .sessions_max = 100'000});
  std::vector<Command> commands;
  for (ClientId client = 1; client <= 100; ++client) {
    commands.push_back(At(1'000, WithSession(Append("k", "a"), client, 0)));
  }
  std::vector<raft::Entry> entries = Entries(commands);
  for (raft::Entry& entry : entries) ++entry.index;  // behind SetLimits
  rig_.ApplyAll(entries);
  rig_.Run(At(9'000, Put("x", "")));
  EXPECT_EQ(sessions(), 100u - kEvictionsPerCommand);
  rig_.ExpectSound();
  EXPECT_EQ(rig_.Run(WithSession(Put("late", "1"), 100, 0)), AnswerCode::kOk);
  EXPECT_EQ(rig_.Get("late"), "1") << "an expired session answered";
  for (int i = 0; i < 10; ++i) rig_.Run(Put("x", ""));
  EXPECT_EQ(sessions(), 1u);
  EXPECT_EQ(rig_.machine().GetStatus().sessions_evicted, 100u);
  rig_.ExpectSound();
}

TEST_P(SessionsTest, AboveTheLimitTheLeastRecentlyUsedGoes) {
  SetLimits({.ttl_ms = 1'000'000, .sessions_max = 3});
  for (ClientId client = 1; client <= 3; ++client) {
    rig_.Run(At(client * 1'000, WithSession(Append("k", "a"), client, 0)));
  }
  rig_.Run(At(10'000, WithSession(Append("k", "a"), 1, 1)));
  rig_.Run(At(11'000, WithSession(Append("k", "a"), 4, 0)));
  EXPECT_EQ(sessions(), 3u);
  rig_.Run(Put("k", ""));
  for (const ClientId client : {1, 3, 4}) {
    EXPECT_NE(rig_.Run(WithSession(Append("k", absl::StrCat(client)), client, 0)),
              AnswerCode::kInvalid);
  }
  EXPECT_EQ(rig_.Get("k"), "");
  rig_.Run(WithSession(Append("k", "2"), 2, 0));
  EXPECT_EQ(rig_.Get("k"), "2") << "session 2 should have gone";
  rig_.ExpectSound();
}

// E143: replicas that cut the same log into other batches, start again in between, or use another
// engine evict alike.
TEST_P(SessionsTest, AllReplicasEvictAlike) {
  std::mt19937 random(31);
  std::vector<Command> commands;
  commands.push_back({.op = CommandOp::kSetSessionLimits,
                      .value = EncodeSessionLimits({.ttl_ms = 20'000, .sessions_max = 25})});
  uint64_t time_ms = 0;
  for (int i = 0; i < 600; ++i) {
    time_ms += random() % 2'000;
    const ClientId client = 1 + random() % 60;
    const auto shard = static_cast<ShardId>(random() % 3);
    Command command = WithSession(Append("k", "a"), client, static_cast<CommandId>(i));
    if (client % 3 == 0) {
      command = random() % 4 == 0 ? Register(client) : Strict(Append("k", "s"), client, i % 50);
    }
    commands.push_back(At(time_ms - random() % 500, In(shard, command)));
  }
  const std::vector<raft::Entry> entries = Entries(commands);
  rig_.ApplyAll(entries);
  MachineRig other(EngineKind::kMemory);
  for (size_t at = 0; at < entries.size();) {
    const size_t count = std::min<size_t>(1 + random() % 20, entries.size() - at);
    other.ApplyAll(absl::MakeSpan(entries).subspan(at, count));
    at += count;
    if (random() % 10 == 0) other.Restart();
  }
  EXPECT_GT(rig_.machine().GetStatus().sessions_evicted, 50u);
  EXPECT_LE(sessions(), 25u);
  EXPECT_EQ(rig_.Digest(), other.Digest());
  rig_.ExpectSound();
  other.ExpectSound();
}

TEST(Session, ComesBackFromItsBytesAndDamageIsFound) {
  const Session legacy = {.active = 7, .number = 9, .answer = {AnswerCode::kNoKey, 3}};
  const Session strict = {.strict = true, .active = 7, .number = 9};
  for (const Session& session : {legacy, strict}) {
    const std::string row = EncodeSession(session);
    EXPECT_THAT(DecodeSession(row), IsOkAndHolds(session));
    for (size_t size = 0; size < row.size(); ++size) {
      EXPECT_THAT(DecodeSession(row.substr(0, size)), StatusIs(absl::StatusCode::kDataLoss));
    }
  }
}

}  // namespace
}  // namespace slipway::eraft
