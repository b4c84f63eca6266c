// A state machine over any engine, and short ways to feed it, for tests. Thread-compatible.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/digest/crc32c.h"
#include "base/testing/status_matchers.h"
#include "eraft/store/kv_machine.h"
#include "eraft/store/test_engines.h"

namespace slipway::eraft {

inline constexpr GroupId kGroup = 7;
inline constexpr ShardId kShard = 3;

inline Command Put(absl::string_view key, absl::string_view value) {
  return {
      .op = CommandOp::kPut, .shard = kShard, .key = std::string(key), .value = std::string(value)};
}
inline Command Append(absl::string_view key, absl::string_view value) {
  Command command = Put(key, value);
  command.op = CommandOp::kAppend;
  return command;
}
inline Command Delete(absl::string_view key) {
  Command command = Put(key, "");
  command.op = CommandOp::kDelete;
  return command;
}
inline Command CompareAndSet(absl::string_view key, absl::string_view from, absl::string_view to) {
  Command command = Put(key, to);
  command.op = CommandOp::kCompareAndSet;
  command.expected = std::string(from);
  return command;
}
inline Command In(ShardId shard, Command command) {
  command.shard = shard;
  return command;
}
inline Command WithSession(Command command, ClientId client, CommandId number) {
  command.client = client;
  command.command = number;
  return command;
}
inline Command At(uint64_t time_ms, Command command) {
  command.time_ms = time_ms;
  return command;
}
inline Command RandomCommand(std::mt19937& random, int number) {
  constexpr CommandOp kOps[] = {CommandOp::kPut, CommandOp::kAppend, CommandOp::kAppend,
                                CommandOp::kDelete};
  Command command = Put(absl::StrCat("k", random() % 10), "");
  command.op = kOps[random() % 4];
  command.shard = static_cast<ShardId>(random() % 3);
  if (command.op != CommandOp::kDelete) {
    const unsigned limit = random() % 8 == 0 ? 200'000 : 3000;
    command.value = std::string(random() % limit, static_cast<char>('a' + number % 26));
  }
  return command;
}

inline raft::Entry EntryOf(raft::Index index, base::Bytes payload) {
  const uint32_t crc = base::Crc32c(payload);
  return {.index = index,
          .term = 1 + index / 10,
          .payload_crc = crc,
          .payload = raft::Slice(std::move(payload))};
}
// Numbered from 1.
inline std::vector<raft::Entry> Entries(const std::vector<Command>& commands) {
  std::vector<raft::Entry> out;
  out.reserve(commands.size());
  for (const Command& command : commands) {
    out.push_back(EntryOf(out.size() + 1, EncodeCommand(command)));
  }
  return out;
}

class MachineRig {
 public:
  explicit MachineRig(EngineKind kind) : world_(MakeWorld(kind)) { Open(); }

  Engine& engine() { return *engine_; }
  KvMachine& machine() { return *machine_; }
  EngineWorld& world() { return *world_; }
  raft::Index next_index() { return machine_->GetStatus().applied + 1; }

  // The code of the answer.
  AnswerCode Run(const Command& command) { return RunForAnswer(command).code; }
  Answer RunForAnswer(const Command& command) {
    const auto outcomes = machine_->Apply({EntryOf(next_index(), EncodeCommand(command))});
    EXPECT_OK(outcomes);
    return outcomes.ok() && outcomes->size() == 1 ? outcomes->front().answer : Answer();
  }
  void ApplyAll(absl::Span<const raft::Entry> entries) { EXPECT_OK(machine_->Apply(entries)); }
  // "-": not there.
  std::string Get(absl::string_view key, ShardId shard = kShard) {
    const auto value = machine_->Get(shard, key);
    return value.ok() ? value->value_or("-") : value.status().ToString();
  }
  std::string Digest() {
    const auto view = engine_->NewView();
    const auto rows = ReadMetaRows(**view, kGroup);
    EXPECT_OK(rows);
    return absl::BytesToHexString(LogicalDigest(*rows));
  }
  absl::Status Verify() {
    const auto view = engine_->NewView();
    const auto rows = ReadMetaRows(**view, kGroup);
    return rows.ok() ? VerifyRows(**view, kGroup, *rows) : rows.status();
  }
  void ExpectSound() { EXPECT_OK(Verify()); }

  // The process ends and starts again.
  void Restart() {
    CloseAnd([] {});
  }
  // Does `work` while the engine is closed.
  void CloseAnd(const std::function<void()>& work) {
    machine_ = nullptr;
    EXPECT_OK(engine_->Close());
    engine_ = nullptr;
    work();
    Open();
  }
  void Crash() {
    std::unique_ptr<EngineWorld> after = world_->AfterCrash();
    machine_ = nullptr;
    engine_ = nullptr;
    world_ = std::move(after);
    Open();
  }

 private:
  void Open() {
    engine_ = world_->home().Open("kv").value();
    machine_ = KvMachine::Open(*engine_, kGroup, "first").value();
  }

  std::unique_ptr<EngineWorld> world_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<KvMachine> machine_;
};

}  // namespace slipway::eraft
