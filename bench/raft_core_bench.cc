// The Raft core alone (E311): three nodes in one thread, a network that is a function call and
// disks that are done at once. Counts calls of Step and what they allocate; the payload is made
// once.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "raft/raft.h"

namespace {
uint64_t allocations = 0;
}  // namespace

void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace slipway::raft {
namespace {

class Group {
 public:
  Group() {
    for (NodeId id = 1; id <= 3; ++id) {
      Options options;
      options.id = id;
      options.seed = id;
      options.memory_bytes_max = 256 << 10;
      nodes_.push_back(*Raft::Create(options, {{1, 2, 3}, {}, {}, {}}, {}));
    }
    ready_.resize(nodes_.size());
    (void)nodes_[0]->Campaign();
    Settle();
  }

  Raft& leader() { return *nodes_[0]; }
  uint64_t steps() const { return steps_; }

  // Until nobody wants anything.
  void Settle() {
    for (bool busy = true; busy;) {
      busy = false;
      for (size_t i = 0; i < nodes_.size(); ++i) {
        while (nodes_[i]->HasReady()) {
          busy = true;
          Pump(i);
        }
      }
    }
  }

 private:
  void Pump(size_t from) {
    Raft& raft = *nodes_[from];
    Ready& ready = ready_[from];
    raft.TakeReady(ready);
    if (ready.hard_state.has_value()) raft.OnHardStatePersisted(*ready.hard_state);
    if (!ready.entries.empty()) {
      raft.OnPersisted(ready.entries.back().term, ready.entries.back().index);
    }
    if (!ready.committed.empty()) raft.OnApplied(ready.committed.back().index);
    for (const Message& message : ready.messages) Send(message);
    for (const Message& message : ready.messages_after_persist) Send(message);
  }

  // As a network would: the receiver decodes into a message of its own.
  void Send(const Message& message) {
    Raft& to = *nodes_[message.to - 1];
    Message copy;
    copy.kind = message.kind;
    copy.from = message.from;
    copy.to = message.to;
    copy.term = message.term;
    copy.log_index = message.log_index;
    copy.log_term = message.log_term;
    copy.commit = message.commit;
    copy.reject = message.reject;
    copy.round = message.round;
    if (!message.entries.empty()) {
      copy.entries = to.SpareEntries();
      copy.entries.assign(message.entries.begin(), message.entries.end());
    }
    ++steps_;
    (void)to.Step(std::move(copy));
  }

  std::vector<std::unique_ptr<Raft>> nodes_;
  std::vector<Ready> ready_;
  uint64_t steps_ = 0;
};

// Proposals of `batch` commands of 256 bytes, each carried through to its commit on all three.
void Agree(benchmark::State& state) {
  const auto batch = static_cast<size_t>(state.range(0));
  const std::vector<Slice> commands(batch, Slice(base::Bytes(256, 'x')));
  Group group;
  for (int warm = 0; warm < 5000; ++warm) {
    (void)group.leader().Propose(commands);
    group.Settle();
  }
  const uint64_t steps_before = group.steps();
  const uint64_t allocations_before = allocations;
  uint64_t appends = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(group.leader().Propose(commands).ok());
    group.Settle();
    appends += batch;
  }
  const uint64_t made = allocations - allocations_before;
  state.SetItemsProcessed(static_cast<int64_t>(group.steps() - steps_before));
  state.counters["entries/s"] =
      benchmark::Counter(static_cast<double>(appends), benchmark::Counter::kIsRate);
  state.counters["allocations/entry"] = static_cast<double>(made) / static_cast<double>(appends);
}
BENCHMARK(Agree)->Arg(1)->Arg(16)->Arg(128);

// A heartbeat and its answer, as 1,000 groups have them.
void Heartbeats(benchmark::State& state) {
  Group group;
  const uint64_t before = group.steps();
  for (auto _ : state) {
    group.leader().Tick();
    group.Settle();
  }
  state.SetItemsProcessed(static_cast<int64_t>(group.steps() - before));
}
BENCHMARK(Heartbeats);

}  // namespace
}  // namespace slipway::raft

BENCHMARK_MAIN();
