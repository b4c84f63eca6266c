#include "eraft/node/test_cluster.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/testing/status_matchers.h"
#include "eraft/store/memory_engine.h"

namespace slipway::eraft {

raft::Membership Voters(std::vector<raft::NodeId> ids) {
  raft::Membership membership;
  membership.voters = std::move(ids);
  return membership;
}

Command PutOf(absl::string_view key, absl::string_view value) {
  Command command;
  command.op = CommandOp::kPut;
  command.shard = kTestShard;
  command.key = std::string(key);
  command.value = std::string(value);
  return command;
}

Command AppendOf(absl::string_view key, absl::string_view value) {
  Command command = PutOf(key, value);
  command.op = CommandOp::kAppend;
  return command;
}

// ---- Network ----

class TestCluster::Wire : public base::Transport {
 public:
  Wire(TestCluster& cluster, raft::NodeId id) : cluster_(cluster), id_(id) {}
  absl::Status Send(uint64_t peer, base::FrameClass /*frame_class*/, base::Bytes frame) override {
    TestCluster& c = cluster_;
    ++c.frames_;
    const auto drops = c.options_.drop_percent;
    const bool lost = c.cut_.contains({id_, peer}) || (drops > 0 && c.choices_.Chance(drops)) ||
                      (c.filter && !c.filter(id_, peer, frame));
    if (lost) return absl::OkStatus();
    const auto most = static_cast<uint64_t>(absl::ToInt64Microseconds(c.options_.delay_max));
    absl::Duration delay = absl::Microseconds(static_cast<int64_t>(c.choices_.Below(most + 1)));
    if (const auto found = c.delays_.find(id_); found != c.delays_.end()) delay = found->second;
    c.loop_.After(delay, [&c, from = id_, peer, frame = std::move(frame)]() mutable {
      c.Deliver(from, peer, std::move(frame));
    });
    return absl::OkStatus();
  }
  void Receive(absl::AnyInvocable<void(uint64_t, base::Bytes)> receiver) override {
    receiver_ = std::move(receiver);
  }
  void Take(raft::NodeId from, base::Bytes frame) { receiver_(from, std::move(frame)); }

 private:
  TestCluster& cluster_;
  const raft::NodeId id_;
  absl::AnyInvocable<void(uint64_t, base::Bytes)> receiver_;
};

void TestCluster::Deliver(raft::NodeId from, raft::NodeId to, base::Bytes frame) {
  const auto found = machines_.find(to);
  if (found == machines_.end() || found->second->node == nullptr || cut_.contains({from, to})) {
    return;
  }
  found->second->wire->Take(from, std::move(frame));
}

void TestCluster::Cut(raft::NodeId from, raft::NodeId to, bool cut) {
  if (cut) {
    cut_.insert({from, to});
  } else {
    cut_.erase({from, to});
  }
}

void TestCluster::Isolate(raft::NodeId id, bool isolated) {
  for (const auto& [other, machine] : machines_) {
    if (other == id) continue;
    Cut(id, other, isolated);
    Cut(other, id, isolated);
  }
}

void TestCluster::HealAll() {
  cut_.clear();
  delays_.clear();
  for (const auto& [id, machine] : machines_) machine->stalled = machine->engine_stalled = false;
}

// ---- Machines ----

TestCluster::Machine::Machine(TestCluster& c, raft::NodeId i, uint64_t seed)
    : cluster(c), id(i), files(seed), random(seed + 1) {
  files.SetClock(&c.clock_);
  files.MakeRoot("/data").value();
  files.Settle();
}

void TestCluster::Machine::OnApplied(GroupId /*group*/, absl::Span<const raft::Entry> entries) {
  for (const raft::Entry& entry : entries) {
    EXPECT_EQ(entry.index, applied + 1) << "node " << id << ": applied twice or not at all";
    applied = entry.index;
    const auto what = std::make_pair(entry.term, std::string(base::AsText(entry.payload.view())));
    const auto [first, added] = cluster.history_.emplace(entry.index, what);
    EXPECT_TRUE(added || first->second == what)
        << "node " << id << " applied another entry " << entry.index;
  }
}

void TestCluster::Machine::OnInstalled(GroupId /*group*/, const raft::SnapshotMark& mark) {
  EXPECT_GT(mark.index, applied);
  applied = mark.index;
}

NodeOptions TestCluster::Small() {
  NodeOptions options;
  options.tick = absl::Milliseconds(100);
  options.wal_segment_bytes = 128 << 10;
  options.snapshot_entries = 1'000'000;
  options.log_keep_entries = 5;
  return options;
}

TestCluster::TestCluster(Options options)
    : options_(std::move(options)), choices_(options_.seed), loop_(options_.seed + 7, clock_) {
  std::vector<raft::NodeId> ids;
  for (int id = 1; id <= options_.nodes; ++id) ids.push_back(static_cast<raft::NodeId>(id));
  for (const raft::NodeId id : ids) Add(id, Voters(ids));
}

TestCluster::~TestCluster() {
  for (const auto& [id, machine] : machines_) machine->node.reset();
}

void TestCluster::Add(raft::NodeId id, raft::Membership members) {
  machines_[id] = std::make_unique<Machine>(*this, id, options_.seed * 100 + id);
  machines_[id]->members = std::move(members);
  Start(id);
}

void TestCluster::Start(raft::NodeId id) {
  Machine& m = *machines_.at(id);
  ASSERT_EQ(m.node, nullptr);
  const uint64_t seed = base::sim::Mix(options_.seed, id, ++m.starts);
  m.pool = std::make_unique<base::sim::Pool>(seed);
  m.wal_pool = std::make_unique<base::sim::Pool>(seed + 1, 16, 1);
  m.dir = m.files.OpenRoot("/data").value();
  if (options_.wrap_disk) m.dir = options_.wrap_disk(std::move(m.dir));
  m.home = options_.make_home ? options_.make_home(*m.dir) : MemoryHome(m.dir.get());
  m.wire = std::make_unique<Wire>(*this, id);
  m.fatal = absl::OkStatus();
  NodeOptions options = options_.node;
  options.id = id;
  options.cluster = {1, 2, 3};
  options.groups = {{.id = kTestGroup, .members = m.members}};
  const NodeWorld world = {.loop = loop_,
                           .clock = clock_,
                           .pool = *m.pool,
                           .wal_pool = *m.wal_pool,
                           .random = m.random,
                           .dir = *m.dir,
                           .engine = *m.home,
                           .transport = *m.wire,
                           .metrics = m.metrics,
                           .observer = &m};
  auto node = Node::Open(world, options);
  ASSERT_OK(node) << "node " << id;
  m.node = *std::move(node);
  m.node->OnFatal([&m](absl::Status status) { m.fatal = std::move(status); });
  m.applied = m.node->GetStatus(kTestGroup)->raft.applied;
}

void TestCluster::Crash(raft::NodeId id, base::sim::Loss loss) {
  Machine& m = *machines_.at(id);
  if (m.node == nullptr) return;
  m.files.Reboot(loss, m.starts);  // before anything can be closed in order
  m.node.reset();
  m.wire.reset();
  m.pool.reset();
  m.wal_pool.reset();
  m.home.reset();
  m.dir.reset();
}

void TestCluster::Wipe(raft::NodeId id, raft::Membership members) {
  Machine& m = *machines_.at(id);
  ASSERT_EQ(m.node, nullptr);
  m.files = base::sim::Files(base::sim::Mix(options_.seed, id, 99));
  m.files.SetClock(&clock_);
  m.files.MakeRoot("/data").value();
  m.files.Settle();
  m.members = std::move(members);
}

raft::Status TestCluster::raft(raft::NodeId id) {
  return up(id) ? node(id).GetStatus(kTestGroup).value_or(GroupStatus()).raft : raft::Status();
}

KvStatus TestCluster::kv(raft::NodeId id) {
  return up(id) ? node(id).GetStatus(kTestGroup).value_or(GroupStatus()).kv : KvStatus();
}

// ---- Time ----

bool TestCluster::RunJob() {
  std::vector<base::sim::Pool*> pools;
  for (const auto& [id, m] : machines_) {
    if (m->node == nullptr || m->stalled) continue;
    for (base::sim::Pool* pool : {m->pool.get(), m->wal_pool.get()}) {
      const bool waits = pool == m->pool.get() && m->engine_stalled;
      if (pool->waiting() > 0 && !waits) pools.push_back(pool);
    }
  }
  return !pools.empty() && pools[choices_.Below(pools.size())]->RunOne();
}

bool TestCluster::Step() {
  if (choices_.Chance(50) && RunJob()) return true;
  return loop_.RunOne() || RunJob() || loop_.Step();
}

void TestCluster::RunFor(absl::Duration duration) {
  RunUntil([] { return false; }, duration);
}

bool TestCluster::RunUntil(const std::function<bool()>& done, absl::Duration limit) {
  const absl::Duration end = now() + limit;
  while (!done()) {
    if (now() >= end || ::testing::Test::HasFatalFailure() || !Step()) return done();
  }
  return true;
}

raft::NodeId TestCluster::Leader() {
  raft::NodeId leader = raft::kNoNode;
  raft::Term term = 0;
  for (const auto& [id, machine] : machines_) {
    const raft::Status status = raft(id);
    if (status.role != raft::Role::kLeader || status.term <= term) continue;
    leader = id;
    term = status.term;
  }
  return leader;
}

raft::NodeId TestCluster::AwaitLeader() {
  RunUntil([this] {
    const raft::NodeId leader = Leader();
    if (leader == raft::kNoNode) return false;
    const raft::Status status = raft(leader);
    return status.commit > 0 && node(leader).GetStatus(kTestGroup)->raft.applied == status.commit;
  });
  return Leader();
}

bool TestCluster::MakeLeader(raft::NodeId id) {
  return RunUntil([&] {
    const raft::NodeId leader = Leader();
    if (leader == id && raft(id).transfer_to == raft::kNoNode) return true;
    if (leader != raft::kNoNode) node(leader).TransferLeader(kTestGroup, id).IgnoreError();
    RunFor(absl::Milliseconds(50));
    return false;
  });
}

bool TestCluster::AwaitApplied(absl::Duration limit) {
  return RunUntil(
      [this] {
        const raft::NodeId leader = Leader();
        if (leader == raft::kNoNode) return false;
        const raft::Index last = raft(leader).last;
        return std::all_of(machines_.begin(), machines_.end(), [&](const auto& machine) {
          return machine.second->node == nullptr || kv(machine.first).applied == last;
        });
      },
      limit);
}

// ---- Calls ----

std::shared_ptr<TestCluster::Reply> TestCluster::Propose(raft::NodeId id, const Command& command,
                                                         absl::Duration limit) {
  auto reply = std::make_shared<Reply>();
  node(id).Propose(kTestGroup, EncodeCommand(command), In(limit),
                   [reply](absl::StatusOr<Outcome> outcome) {
                     reply->done = true;
                     ++reply->calls;
                     reply->outcome = std::move(outcome);
                   });
  return reply;
}

absl::StatusOr<Outcome> TestCluster::Run(raft::NodeId id, const Command& command) {
  const auto reply = Propose(id, command);
  RunUntil([&] { return reply->done; });
  return reply->outcome;
}

bool TestCluster::RunSomewhere(const Command& command, absl::Duration limit) {
  return RunUntil(
      [&] {
        const raft::NodeId leader = Leader();
        if (leader == raft::kNoNode) return false;
        const auto reply = Propose(leader, command, absl::Seconds(3));
        RunUntil([&] { return reply->done; }, absl::Seconds(5));
        return reply->outcome.ok();
      },
      limit);
}

std::shared_ptr<TestCluster::Value> TestCluster::StartGet(raft::NodeId id, absl::string_view key,
                                                          ReadOptions options) {
  auto value = std::make_shared<Value>();
  node(id).Get(kTestGroup, kTestShard, std::string(key), options,
               [value](absl::StatusOr<std::optional<std::string>> got) {
                 value->done = true;
                 value->value = std::move(got);
               });
  return value;
}

std::string TestCluster::Get(raft::NodeId id, absl::string_view key, ReadMode mode) {
  ReadOptions options;
  options.mode = mode;
  options.deadline = In(absl::Seconds(10));
  const auto value = StartGet(id, key, options);
  RunUntil([&] { return value->done; });
  return value->value.ok() ? value->value->value_or("-")
                           : std::string(value->value.status().message());
}

std::string TestCluster::LogicalState(raft::NodeId id) {
  const std::shared_ptr<KvMachine> machine = node(id).machine(kTestGroup);
  if (machine == nullptr) return "none";
  std::string out;
  for (const ShardId shard : machine->Shards()) {
    const ShardStats stats = machine->GetShard(shard);
    absl::StrAppend(&out, shard, ":", stats.keys, ":", stats.bytes, ":", stats.digest.low, ":",
                    stats.digest.high, ";");
  }
  return absl::StrCat(out, absl::CEscape(machine->membership()));
}

}  // namespace slipway::eraft
