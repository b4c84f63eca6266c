#include "eraft/store/kv_machine.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/testing/status_matchers.h"
#include "eraft/store/forwarding_engine.h"
#include "eraft/store/limits.h"
#include "eraft/store/test_engines.h"
#include "eraft/store/test_machine.h"
#include "eraft/store/values.h"

namespace slipway::eraft {
namespace {

using base::testing::IsOkAndHolds;
using base::testing::StatusIs;
using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::Optional;

class KvMachineTest : public ::testing::TestWithParam<EngineKind> {
 protected:
  KvMachineTest() : rig_(GetParam()) {}
  MachineRig rig_;
};
INSTANTIATE_TEST_SUITE_P(Engines, KvMachineTest, AllEngines(), EngineName);

TEST_P(KvMachineTest, PutAppendDeleteAndCompare) {
  EXPECT_EQ(rig_.Run(Put("k", "1")), AnswerCode::kOk);
  EXPECT_EQ(rig_.Run(Append("k", "2")), AnswerCode::kOk);
  EXPECT_EQ(rig_.Get("k"), "12");
  EXPECT_EQ(rig_.Run(CompareAndSet("k", "1", "x")), AnswerCode::kMismatch);
  EXPECT_EQ(rig_.Run(CompareAndSet("k", "12", "x")), AnswerCode::kOk);
  EXPECT_EQ(rig_.Run(CompareAndSet("none", "", "x")), AnswerCode::kNoKey);
  Command create = CompareAndSet("k", "", "y");
  create.expect_absent = true;
  EXPECT_EQ(rig_.Run(create), AnswerCode::kMismatch);
  EXPECT_EQ(rig_.Get("k"), "x");
  EXPECT_EQ(rig_.Run(Delete("k")), AnswerCode::kOk);
  EXPECT_EQ(rig_.Run(Delete("k")), AnswerCode::kNoKey);
  EXPECT_EQ(rig_.Get("k"), "-");
  EXPECT_EQ(rig_.Run(create), AnswerCode::kOk);
  EXPECT_EQ(rig_.Get("k"), "y");
  EXPECT_EQ(rig_.Run(Append("fresh", "")), AnswerCode::kOk);
  EXPECT_EQ(rig_.Get("fresh"), "");
  rig_.ExpectSound();
}

// E152: a command sees what those before it in its batch have done, and how entries are cut into
// batches changes nothing.
TEST_P(KvMachineTest, BatchesOfAnySizeLeaveTheSameState) {
  std::vector<Command> commands;
  std::mt19937 random(11);
  for (int i = 0; i < 300; ++i) commands.push_back(RandomCommand(random, i));
  const std::vector<raft::Entry> entries = Entries(commands);
  rig_.ApplyAll(entries);
  MachineRig one_by_one(GetParam());
  for (const raft::Entry& entry : entries) one_by_one.ApplyAll({entry});
  EXPECT_EQ(rig_.Digest(), one_by_one.Digest());
  rig_.ExpectSound();
}

TEST_P(KvMachineTest, RandomCommandsMatchAMap) {
  std::mt19937 random(23);
  std::map<std::string, std::string> oracle;
  for (int i = 0; i < 400; ++i) {
    const Command command = RandomCommand(random, i);
    rig_.Run(command);
    std::string& value = oracle[absl::StrCat(command.shard, "/", command.key)];
    switch (command.op) {
      case CommandOp::kPut:
        value = command.value;
        break;
      case CommandOp::kAppend:
        value += command.value;
        break;
      default:
        value = "-";
    }
    ASSERT_EQ(rig_.Get(command.key, command.shard), value) << i;
    if (command.op == CommandOp::kDelete) {
      oracle.erase(absl::StrCat(command.shard, "/", command.key));
    }
    if (i % 100 == 99) rig_.Restart();
  }
  uint64_t bytes = 0;
  for (const auto& [key, value] : oracle) bytes += key.size() - 2 + value.size();
  EXPECT_EQ(rig_.machine().GetStatus().keys, oracle.size());
  EXPECT_EQ(rig_.machine().GetStatus().bytes, bytes);
  rig_.ExpectSound();
}

// E65, E57: the whole log is offered again after a restart, and nothing happens twice.
TEST_P(KvMachineTest, RestartDoesNotReapply) {
  std::vector<Command> commands;
  for (int i = 0; i < 20; ++i) commands.push_back(Append("k", absl::StrCat(i, ",")));
  const std::vector<raft::Entry> entries = Entries(commands);
  rig_.ApplyAll(entries);
  const std::string value = rig_.Get("k");
  rig_.Restart();
  EXPECT_EQ(rig_.machine().GetStatus().applied, 20u);
  EXPECT_THAT(rig_.machine().Apply(entries), IsOkAndHolds(::testing::IsEmpty()));
  EXPECT_EQ(rig_.Get("k"), value);
}

// E151: after a crash the log is replayed from the durable index; the state is the same.
TEST_P(KvMachineTest, ReplayAfterACrashGivesTheSameState) {
  std::mt19937 random(5);
  std::vector<Command> commands;
  for (int i = 0; i < 200; ++i) commands.push_back(RandomCommand(random, i));
  const std::vector<raft::Entry> entries = Entries(commands);
  rig_.ApplyAll(absl::MakeSpan(entries).subspan(0, 90));
  ASSERT_OK(rig_.engine().Flush());
  rig_.ApplyAll(absl::MakeSpan(entries).subspan(90));
  EXPECT_THAT(DurableIndex(rig_.engine(), kGroup), IsOkAndHolds(::testing::Ge(90u)));
  const std::string digest = rig_.Digest();
  ASSERT_OK_AND_ASSIGN(const raft::Index durable, DurableIndex(rig_.engine(), kGroup));
  rig_.Crash();
  EXPECT_GE(rig_.machine().GetStatus().applied, durable);
  rig_.ApplyAll(entries);
  EXPECT_EQ(rig_.Digest(), digest);
  rig_.ExpectSound();
}

// E71
TEST_P(KvMachineTest, PoisonCommandIsAnsweredAndTheNextOnesGoOn) {
  for (const base::Bytes& poison : {base::Bytes{}, base::Bytes{1, 99, 0}, base::Bytes(100, 0xff)}) {
    EXPECT_EQ(rig_.Run(Append("a", "1")), AnswerCode::kOk);
    raft::Entry bad = EntryOf(rig_.next_index(), poison);
    EXPECT_THAT(rig_.machine().Apply({bad}), IsOkAndHolds(::testing::SizeIs(1)));
    EXPECT_EQ(rig_.machine().GetStatus().applied, bad.index);
  }
  EXPECT_EQ(rig_.machine().GetStatus().commands_invalid, 3u);
  EXPECT_EQ(rig_.Run(Append("a", "1")), AnswerCode::kOk);
  EXPECT_EQ(rig_.Get("a"), "1111");
  Command nested = Put("x", "");
  nested.op = CommandOp::kCloseSession;
  nested.client = 5;
  EXPECT_EQ(rig_.Run(nested), AnswerCode::kUnknownSession);
  rig_.ExpectSound();
}

// E163
TEST_P(KvMachineTest, AnEntryWhoseBytesChangedStopsTheMachine) {
  raft::Entry entry = Entries({Put("a", "1")})[0];
  ++entry.payload_crc;
  EXPECT_THAT(rig_.machine().Apply({entry}), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(rig_.machine().Apply(Entries({Put("a", "1")})),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("has stopped")));
}

TEST_P(KvMachineTest, AMissingEntryIsNotPassedOver) {
  std::vector<raft::Entry> entries = Entries({Put("a", "1"), Put("b", "1"), Put("c", "1")});
  EXPECT_THAT(rig_.machine().Apply({entries[0], entries[2]}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("entry 2 is missing")));
  rig_.Restart();
  EXPECT_EQ(rig_.Get("a"), "-") << "the batch was not atomic";
}

TEST_P(KvMachineTest, MembershipIsThatOfTheAppliedIndex) {
  EXPECT_EQ(rig_.machine().membership(), "first");
  raft::Entry entry = EntryOf(1, base::Bytes{'s', 'e', 'c', 'o', 'n', 'd'});
  entry.kind = raft::EntryKind::kMembership;
  raft::Entry noop = EntryOf(2, {});
  noop.kind = raft::EntryKind::kNoop;
  EXPECT_THAT(rig_.machine().Apply({entry, noop}), IsOkAndHolds(::testing::IsEmpty()));
  EXPECT_EQ(rig_.machine().membership(), "second");
  rig_.Restart();
  EXPECT_EQ(rig_.machine().membership(), "second");
  EXPECT_EQ(rig_.machine().GetStatus().applied, 2u);
}

// E153
TEST_P(KvMachineTest, LongValuesComeBackWhateverTheyGrewFrom) {
  std::string expected;
  for (const size_t size : {size_t{1}, kTailBytesMax, kTailBytesMax - 1, kPlainBytesMax + 1,
                            size_t{3}, 3 * kChunkBytesMax, size_t{0}}) {
    const std::string more(size, static_cast<char>('a' + expected.size() % 26));
    EXPECT_EQ(rig_.Run(Append("k", more)), AnswerCode::kOk);
    expected += more;
    ASSERT_EQ(rig_.Get("k"), expected);
  }
  const std::string fits(kValueBytesMax - expected.size(), 'z');
  EXPECT_EQ(rig_.Run(Append("k", fits + "z")), AnswerCode::kTooLarge);
  EXPECT_EQ(rig_.Get("k"), expected);
  EXPECT_EQ(rig_.Run(CompareAndSet("k", expected, fits)), AnswerCode::kOk);
  EXPECT_EQ(rig_.Get("k"), fits);
  EXPECT_EQ(rig_.machine().GetStatus().bytes, 1 + fits.size());
  const std::string rest(kValueBytesMax - fits.size(), 'y');
  EXPECT_EQ(rig_.Run(Append("k", rest)), AnswerCode::kOk);  // the limit itself
  EXPECT_EQ(rig_.Get("k"), fits + rest);
  EXPECT_EQ(rig_.Run(Append("k", "x")), AnswerCode::kTooLarge);
  rig_.ExpectSound();
  EXPECT_EQ(rig_.Run(Put("k", "short")), AnswerCode::kOk);
  EXPECT_EQ(rig_.Get("k"), "short");
  rig_.ExpectSound();  // and so no chunk is left
}

// E66, E135: also for shards whose numbers are neighbours in the order of bytes.
// Spec 6.2, SCAN.
TEST_P(KvMachineTest, AScanKeepsToItsRangeItsShardAndItsLimits) {
  const std::string long_value(200'000, 'v');
  Command other = Put("b", "of another shard");
  other.shard = kShard + 1;
  ASSERT_EQ(rig_.Run(other), AnswerCode::kOk);
  for (const char* key : {"a", "b", "b\xff", "c"}) {
    ASSERT_EQ(rig_.Run(Put(key, absl::StrCat("=", key))), AnswerCode::kOk);
  }
  ASSERT_EQ(rig_.Run(Put(std::string("b\0c", 3), long_value)), AnswerCode::kOk);
  const auto keys = [this, &long_value](absl::string_view begin, absl::string_view end,
                                        uint64_t keys_max, uint64_t bytes_max) {
    const auto found = rig_.machine().Scan(kShard, begin, end, keys_max, bytes_max);
    EXPECT_OK(found);
    std::string out;
    if (!found.ok()) return out;
    for (const auto& [key, value] : found->rows) {
      EXPECT_EQ(value, key.size() == 3 ? long_value : absl::StrCat("=", key));
      absl::StrAppend(&out, absl::CHexEscape(key), " ");
    }
    return absl::StrCat(out, found->more ? "more" : "end");
  };
  constexpr uint64_t kMany = 1'000'000;
  EXPECT_EQ(keys("", "", kMany, kMany), "a b b\\x00\\x63 b\\xff c end");
  EXPECT_EQ(keys("b", "c", kMany, kMany), "b b\\x00\\x63 b\\xff end");
  EXPECT_EQ(keys("b", "b", kMany, kMany), "end");
  EXPECT_EQ(keys("c", "b", kMany, kMany), "end");
  EXPECT_EQ(keys("aa", "", 1, kMany), "b more");
  EXPECT_EQ(keys("c", "", 1, kMany), "c end");
  EXPECT_EQ(keys("", "", kMany, 1), "a more");
  EXPECT_EQ(keys("b", "", kMany, 1000), "b b\\x00\\x63 more");
  EXPECT_EQ(keys("", "", 0, kMany), "more");
}

TEST_P(KvMachineTest, ShardDeleteTouchesOnlyShard) {
  const ShardId shards[] = {0, 1, 2, 0xff, 0x100, 0x101, 0xfffffffe, 0xffffffff};
  for (const ShardId doomed : shards) {
    MachineRig rig(GetParam());
    for (const ShardId shard : shards) {
      rig.Run(In(shard, Put("", "empty key")));
      rig.Run(In(shard, Put("\xff\xff", "high key")));
      rig.Run(In(shard, Append("long", std::string(100'000, 'x'))));
      rig.Run(WithSession(In(shard, Put("session", "1")), /*client=*/ClientId{shard} + 1,
                          /*command=*/0));
    }
    Command command = {.op = CommandOp::kDeleteShard, .shard = doomed};
    EXPECT_EQ(rig.Run(command), AnswerCode::kOk);
    rig.ExpectSound();
    rig.Restart();
    for (const ShardId shard : shards) {
      const bool gone = shard == doomed;
      EXPECT_EQ(rig.machine().GetShard(shard).keys, gone ? 0u : 4u) << shard;
      EXPECT_EQ(rig.Get("", shard), gone ? "-" : "empty key");
      EXPECT_EQ(rig.Get("\xff\xff", shard), gone ? "-" : "high key");
      EXPECT_EQ(rig.Get("long", shard).size(), gone ? 1 : 100'000);
      EXPECT_EQ(rig.machine().GetShard(shard).sessions, gone ? 0u : 1u);
    }
    EXPECT_EQ(rig.machine().GetStatus().sessions, 7u);
    EXPECT_EQ(rig.machine().GetStatus().shards, 7u);
  }
}

// E135, E152: what a command of a batch deletes is gone for those behind it.
TEST_P(KvMachineTest, ABatchSeesTheShardThatItDeleted) {
  const Command append = WithSession(Append("k", "a"), /*client=*/1, /*command=*/5);
  EXPECT_EQ(rig_.Run(append), AnswerCode::kOk);
  EXPECT_EQ(rig_.Run(Put("other", "1")), AnswerCode::kOk);
  std::vector<raft::Entry> entries = Entries({{.op = CommandOp::kDeleteShard, .shard = kShard},
                                              append,
                                              WithSession(Append("k", "b"), 2, 0),
                                              CompareAndSet("other", "1", "2")});
  for (raft::Entry& entry : entries) entry.index += 2;
  ASSERT_OK_AND_ASSIGN(const auto outcomes, rig_.machine().Apply(entries));
  EXPECT_EQ(outcomes[1].answer.code, AnswerCode::kOk);
  EXPECT_EQ(outcomes[3].answer.code, AnswerCode::kNoKey);
  EXPECT_EQ(rig_.Get("k"), "ab");
  EXPECT_EQ(rig_.Get("other"), "-");
  EXPECT_EQ(rig_.machine().GetShard(kShard).keys, 1u);
  EXPECT_EQ(rig_.machine().GetStatus().sessions, 2u);
  rig_.ExpectSound();
}

// E134
TEST_P(KvMachineTest, TheDigestOfAShardIsThatOfItsContent) {
  rig_.Run(Put("a", "1"));
  const StateDigest only_a = rig_.machine().GetShard(kShard).digest;
  rig_.Run(Put("b", "2"));
  const StateDigest both = rig_.machine().GetShard(kShard).digest;
  MachineRig other(GetParam());
  other.Run(Put("b", "other"));
  other.Run(Put("a", "1"));
  EXPECT_NE(other.machine().GetShard(kShard).digest, both);
  other.Run(Put("b", "2"));
  EXPECT_EQ(other.machine().GetShard(kShard).digest, both);
  rig_.Run(Delete("b"));
  EXPECT_EQ(rig_.machine().GetShard(kShard).digest, only_a);
  rig_.Run(Delete("a"));
  EXPECT_EQ(rig_.machine().GetShard(kShard).digest, StateDigest());
}

TEST_P(KvMachineTest, RowsThatDoNotAddUpAreFound) {
  rig_.Run(WithSession(Put("a", "1"), 7, 0));
  rig_.Run(Append("long", std::string(100'000, 'x')));
  const auto damage = [&](const std::function<void(Batch&)>& change) {
    Batch batch;
    change(batch);
    MachineRig copy(GetParam());
    copy.Run(WithSession(Put("a", "1"), 7, 0));
    copy.Run(Append("long", std::string(100'000, 'x')));
    ASSERT_OK(copy.engine().Write(batch));
    EXPECT_THAT(copy.Verify(), StatusIs(absl::StatusCode::kDataLoss));
  };
  damage([](Batch& b) {
    b.Put(DataKey(kGroup, kShard, "a"), std::string("\0"
                                                    "2",
                                                    2));
  });
  damage([](Batch& b) { b.Put(DataKey(kGroup, kShard, "new"), std::string("\0", 1)); });
  damage([](Batch& b) { b.Put(DataKey(kGroup, 99, "new"), std::string("\0", 1)); });
  damage([](Batch& b) { b.Delete(DataKey(kGroup, kShard, "a")); });
  damage([](Batch& b) { b.Delete(ChunkKey(kGroup, kShard, "long", 0)); });
  damage([](Batch& b) { b.Delete(SessionKey(kGroup, kShard, 7)); });
  damage([](Batch& b) { b.DeleteRange(KindRange(kGroup, KeyKind::kExpiry)); });
  damage([](Batch& b) { b.Put(DataKey(kGroup, kShard, "a"), "\x07"); });
}

// ---- What needs an engine that counts or fails ----

// Passes on, counts, and after `writes_left` writes keeps what it has and fails.
class WatchedEngine : public ForwardingEngine {
 public:
  using ForwardingEngine::ForwardingEngine;
  absl::Status Write(const Batch& batch) override {
    if (writes_left == 0) return absl::UnavailableError("the power is gone");
    if (no_room) return absl::ResourceExhaustedError("the disk is full");
    --writes_left;
    bytes += batch.bytes();
    SLIPWAY_RETURN_IF_ERROR(ForwardingEngine::Write(batch));
    return flush_each ? Flush() : absl::OkStatus();
  }
  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) override {
    ++reads;
    return ForwardingEngine::Get(key);
  }
  base::Owned<View> NewView() override {
    ++reads;
    return ForwardingEngine::NewView();
  }

  int writes_left = 1 << 30;
  bool flush_each = false;
  bool no_room = false;
  uint64_t bytes = 0;
  uint64_t reads = 0;
};

// E65: whatever write of the engine is the last that survives, the log replayed from the applied
// index that it left appends each piece once.
TEST(KvMachine, ACrashBetweenAnyTwoWritesDoublesNothing) {
  std::vector<Command> commands;
  for (int i = 0; i < 6; ++i) commands.push_back(WithSession(Append("k", absl::StrCat(i)), 9, i));
  const std::vector<raft::Entry> entries = Entries(commands);
  for (int survive = 0; survive < 12; ++survive) {
    const auto world = MakeWorld(EngineKind::kMemory);
    ASSERT_OK_AND_ASSIGN(const auto engine, world->home().Open("kv"));
    WatchedEngine watched(*engine);
    watched.flush_each = true;
    watched.writes_left = survive;
    const auto machine = KvMachine::Open(watched, kGroup, "");
    ASSERT_OK(machine);
    for (const raft::Entry& entry : entries) {
      if (!(*machine)->Apply({entry}).ok()) break;
    }
    const auto after = world->AfterCrash();
    ASSERT_OK_AND_ASSIGN(const auto left, after->home().Open("kv"));
    ASSERT_OK_AND_ASSIGN(const auto again, KvMachine::Open(*left, kGroup, ""));
    ASSERT_OK(again->Apply(entries));
    EXPECT_THAT(again->Get(kShard, "k"), IsOkAndHolds(Optional(Eq("012345")))) << survive;
  }
}

// Without sessions, which would hide it.
TEST(KvMachine, AppliedIndexAndDataAreOneWrite) {
  std::vector<Command> commands;
  commands.reserve(6);
  for (int i = 0; i < 6; ++i) commands.push_back(Append("k", absl::StrCat(i)));
  const std::vector<raft::Entry> entries = Entries(commands);
  for (int survive = 0; survive < 12; ++survive) {
    const auto world = MakeWorld(EngineKind::kMemory);
    ASSERT_OK_AND_ASSIGN(const auto engine, world->home().Open("kv"));
    WatchedEngine watched(*engine);
    watched.writes_left = survive;
    ASSERT_OK_AND_ASSIGN(const auto machine, KvMachine::Open(watched, kGroup, ""));
    for (const raft::Entry& entry : entries) {
      if (!machine->Apply({entry}).ok()) break;
    }
    ASSERT_OK_AND_ASSIGN(const auto again, KvMachine::Open(*engine, kGroup, ""));
    ASSERT_OK(again->Apply(entries));
    EXPECT_THAT(again->Get(kShard, "k"), IsOkAndHolds(Optional(Eq("012345")))) << survive;
  }
}

// E167: what found no room is not lost, not done twice, and answered once there is some.
TEST(KvMachine, AFullDiskIsWaitedOut) {
  const std::unique_ptr<EngineHome> home = MemoryHome(nullptr);
  ASSERT_OK_AND_ASSIGN(const auto engine, home->Open("kv"));
  WatchedEngine watched(*engine);
  ASSERT_OK_AND_ASSIGN(const auto machine, KvMachine::Open(watched, kGroup, ""));
  const auto entries = Entries({Append("k", "1"), Append("k", "2"), Append("k", "3")});
  watched.no_room = true;
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(machine->Apply(absl::MakeSpan(entries).subspan(0, 2)),
                StatusIs(absl::StatusCode::kResourceExhausted));
    EXPECT_EQ(machine->GetStatus().applied, 0u);
  }
  watched.no_room = false;
  ASSERT_OK_AND_ASSIGN(const auto outcomes, machine->Apply(entries));
  ASSERT_EQ(outcomes.size(), 3u);
  for (raft::Index i = 1; i <= 3; ++i) EXPECT_EQ(outcomes[i - 1].index, i);
  EXPECT_THAT(machine->Get(kShard, "k"), IsOkAndHolds(Optional(Eq("123"))));
  EXPECT_EQ(machine->GetShard(kShard).keys, 1u);
}

// E78: a million keys are there, and the status of the group asks the engine for nothing.
TEST(KvMachine, StatusIsConstantTime) {
  const std::unique_ptr<EngineHome> home = MemoryHome(nullptr);
  ASSERT_OK_AND_ASSIGN(const auto engine, home->Open("kv"));
  Batch batch;
  for (int i = 0; i < 1'000'000; ++i) {
    batch.Put(DataKey(kGroup, kShard, absl::StrFormat("k%07d", i)), std::string("\0v", 2));
  }
  batch.Put(ShardMetaKey(kGroup, kShard),
            EncodeShardStats({.keys = 1'000'000, .bytes = 9'000'000}));
  ASSERT_OK(engine->Write(batch));
  WatchedEngine watched(*engine);
  ASSERT_OK_AND_ASSIGN(const auto machine, KvMachine::Open(watched, kGroup, ""));
  ASSERT_OK(machine->Apply(Entries({Put("new", "12345"), Delete("k0000001")})));
  EXPECT_LT(watched.reads, 10u);
  watched.reads = 0;
  const KvStatus status = machine->GetStatus();
  EXPECT_EQ(machine->GetShard(kShard).keys, 1'000'000u);
  EXPECT_EQ(watched.reads, 0u);
  EXPECT_EQ(status.keys, 1'000'000u);
  EXPECT_EQ(status.bytes, 9'000'000u + 8 - 9);
}

// E153, E320: what n appends write follows the bytes they append, not their square.
TEST(KvMachine, AppendWritesInProportionToItsBytes) {
  const auto written = [](int appends) {
    const std::unique_ptr<EngineHome> home = MemoryHome(nullptr);
    const auto engine = home->Open("kv");
    WatchedEngine watched(**engine);
    const auto machine = KvMachine::Open(watched, kGroup, "");
    for (int i = 0; i < appends; ++i) {
      raft::Entry entry = Entries({Append("k", std::string(100, 'a'))})[0];
      entry.index = static_cast<raft::Index>(i) + 1;
      EXPECT_OK((*machine)->Apply({entry}));
    }
    return watched.bytes;
  };
  const uint64_t some = written(1000);
  const uint64_t many = written(8000);
  EXPECT_LT(many, some * 9);
  EXPECT_LT(many / 8000, kTailBytesMax);
}

}  // namespace
}  // namespace slipway::eraft
