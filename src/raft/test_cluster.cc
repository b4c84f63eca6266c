#include "raft/test_cluster.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "raft/membership.h"
#include "raft/quorum.h"

namespace slipway::raft::testing {
namespace {

Membership FirstMembership(int nodes) {
  Membership membership;
  for (int id = 1; id <= nodes; ++id) membership.voters.push_back(static_cast<NodeId>(id));
  return membership;
}

}  // namespace

TestCluster::TestCluster(const ClusterOptions& options)
    : options_(options), random_(options_.seed * 0x2545f4914f6cdd1d + 1) {
  const int all = options_.nodes + options_.spare_nodes;
  for (int id = 1; id <= all; ++id) nodes_[static_cast<NodeId>(id)];
  for (int id = 1; id <= all; ++id) {
    Start(static_cast<NodeId>(id),
          id <= options_.nodes ? FirstMembership(options_.nodes) : Membership{});
  }
}

uint64_t TestCluster::Random(uint64_t below) {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return random_ % below;
}

void TestCluster::Violate(const std::string& what) {
  if (!violation_.empty()) return;
  violation_ = absl::StrCat("seed ", options_.seed, ", time ", now_, ": ", what);
}

void TestCluster::Start(NodeId id, const Membership& initial) {
  Node& node = nodes_.at(id);
  Options raft = options_.raft;
  raft.id = id;
  raft.seed = options_.seed * 1000 + id * 100 + static_cast<uint64_t>(++node.starts);
  Restored restored;
  restored.hard_state = node.disk.hard_state;
  restored.snapshot = node.disk.log_start;
  restored.entries = node.disk.entries;
  restored.applied = node.disk.state.mark.index;
  absl::StatusOr<std::unique_ptr<Raft>> started = Raft::Create(raft, initial, std::move(restored));
  if (!started.ok()) {
    Violate(absl::StrCat("node ", id, " does not start: ", started.status().message()));
    return;
  }
  node.raft = *std::move(started);
  node.state = node.disk.state;
  node.applied = node.state.mark.index;
  node.commit_seen = 0;
  node.writes.clear();
  node.incoming.reset();
  node.reads.clear();
  CheckNode(id);
}

void TestCluster::Crash(NodeId id) {
  Node& node = nodes_.at(id);
  if (node.raft == nullptr) return;
  node.raft.reset();
  // The disk may have done some of what was asked of it, in order.
  for (uint64_t kept = Random(node.writes.size() + 1); kept > 0; --kept) {
    Persist(id, node.writes.front());
    node.writes.pop_front();
  }
  node.writes.clear();
}

void TestCluster::Restart(NodeId id) {
  const bool voter = id <= static_cast<NodeId>(options_.nodes);
  if (!up(id)) Start(id, voter ? FirstMembership(options_.nodes) : Membership{});
}

std::vector<NodeId> TestCluster::ids() const {
  std::vector<NodeId> ids;
  for (const auto& [id, node] : nodes_) ids.push_back(id);
  return ids;
}

void TestCluster::Connect(NodeId a, NodeId b, bool connected) {
  for (const auto& link : {std::make_pair(a, b), std::make_pair(b, a)}) {
    if (connected) {
      cut_.erase(link);
    } else {
      cut_.insert(link);
    }
  }
}

void TestCluster::Connect(NodeId node, bool connected) {
  for (const NodeId other : ids()) {
    if (other != node) Connect(node, other, connected);
  }
}

void TestCluster::HealAll() {
  cut_.clear();
  for (auto& [id, node] : nodes_) node.stalled = false;
}

bool TestCluster::Step() {
  ++now_;
  while (!network_.empty() && network_.begin()->first.first <= now_) {
    Packet packet = std::move(network_.begin()->second);
    network_.erase(network_.begin());
    Deliver(std::move(packet));
  }
  for (const NodeId id : ids()) FinishWrites(id);
  if (now_ % options_.units_per_tick == 0) {
    for (auto& [id, node] : nodes_) {
      if (node.raft == nullptr) continue;
      const int64_t limit = int64_t{options_.raft.election_ticks} * options_.units_per_tick;
      const bool slow =
          !node.writes.empty() && node.stalled && node.writes.front().due + limit < now_;
      node.raft->Tick(slow);
      Pump(id);
    }
  }
  return violation_.empty();
}

bool TestCluster::Run(int units) {
  for (int i = 0; i < units; ++i) {
    if (!Step()) return false;
  }
  return true;
}

bool TestCluster::RunUntil(const std::function<bool()>& done, int units_max) {
  for (int i = 0; i < units_max && !done(); ++i) {
    if (!Step()) return false;
  }
  return done();
}

NodeId TestCluster::Leader() const {
  NodeId leader = kNoNode;
  Term term = 0;
  for (const auto& [id, node] : nodes_) {
    if (node.raft == nullptr || node.raft->role() != Role::kLeader) continue;
    if (node.raft->term() > term) {
      term = node.raft->term();
      leader = id;
    }
  }
  return leader;
}

NodeId TestCluster::AwaitLeader() {
  RunUntil([this] { return Leader() != kNoNode; });
  return Leader();
}

absl::StatusOr<Raft::Place> TestCluster::Propose(NodeId id, absl::string_view command) {
  Node& node = nodes_.at(id);
  if (node.raft == nullptr) return absl::UnavailableError("down");
  const base::BytesView bytes = base::AsBytes(command);
  const Slice slice(base::Bytes(bytes.begin(), bytes.end()));
  absl::StatusOr<Raft::Place> place = node.raft->Propose({slice});
  Pump(id);
  return place;
}

Index TestCluster::Agree(absl::string_view command, int nodes, int units_max) {
  const int64_t end = now_ + units_max;
  while (now_ < end) {
    for (const NodeId id : ids()) {
      if (!up(id) || raft(id).role() != Role::kLeader) continue;
      const absl::StatusOr<Raft::Place> place = Propose(id, command);
      if (!place.ok()) continue;
      const auto agreed = [&] {
        return AppliedBy(place->index) >= nodes && Command(place->index) == command;
      };
      if (RunUntil(agreed, 150)) return place->index;
      if (!violation_.empty()) return 0;
    }
    if (!Run(5)) return 0;
  }
  return 0;
}

int TestCluster::AppliedBy(Index index) const {
  const auto found = committed_.find(index);
  return found == committed_.end() ? 0 : static_cast<int>(found->second.by.size());
}

std::string TestCluster::Command(Index index) const {
  const auto found = committed_.find(index);
  return found == committed_.end() ? "" : found->second.command;
}

void TestCluster::Read(NodeId id) {
  Node& node = nodes_.at(id);
  if (node.raft == nullptr) return;
  node.reads[next_context_] = commit_max_;
  node.raft->ReadIndex(next_context_++);
  Pump(id);
}

absl::Status TestCluster::Change(const Membership& target) {
  const NodeId leader = Leader();
  if (leader == kNoNode) return absl::UnavailableError("no leader");
  const absl::Status status = raft(leader).ProposeMembership(target).status();
  Pump(leader);
  return status;
}

void TestCluster::Send(NodeId from, const Message& message, const std::optional<State>& state) {
  CheckSent(from, message);
  ++messages_;
  for (const Entry& entry : message.entries) payload_bytes_ += entry.payload.size();
  const auto percent = [this](int chance) {
    return chance > 0 && Random(100) < static_cast<uint64_t>(chance);
  };
  const bool cut = cut_.contains({message.from, message.to});
  if (cut || percent(options_.drop_percent)) {
    if (state.has_value()) raft(from).OnSnapshotSent(message.to, state->mark.index, false);
    return;
  }
  for (int copies = percent(options_.duplicate_percent) ? 2 : 1; copies > 0; --copies) {
    const auto range = static_cast<uint64_t>(options_.delay_units_max);
    int64_t delay = 1 + static_cast<int64_t>(Random(range));
    if (percent(options_.late_percent)) delay *= 10;
    network_.emplace(std::make_pair(now_ + delay, order_++), Packet{message, state});
  }
}

void TestCluster::Deliver(Packet packet) {
  const NodeId from = packet.message.from;
  const NodeId to = packet.message.to;
  const bool lost = cut_.contains({from, to}) || !up(to);
  if (packet.state.has_value() && up(from)) {
    raft(from).OnSnapshotSent(to, packet.state->mark.index, !lost);
    Pump(from);
  }
  if (lost) return;
  Node& node = nodes_.at(to);
  if (packet.state.has_value()) node.incoming = packet.state;
  const absl::Status status = node.raft->Step(std::move(packet.message));
  if (!status.ok()) Violate(absl::StrCat("node ", to, " refuses: ", status.message()));
  Pump(to);
}

void TestCluster::Pump(NodeId id) {
  Node& node = nodes_.at(id);
  CheckNode(id);
  while (node.raft->HasReady() && violation_.empty()) {
    TakeReady(id, node.raft->TakeReady());
    CheckNode(id);
  }
}

void TestCluster::TakeReady(NodeId id, Ready ready) {
  Node& node = nodes_.at(id);
  Trace(ready);
  CheckEntries(id, ready.entries);
  for (const Message& message : ready.messages) Send(id, message);
  Write write;
  write.hard_state = ready.hard_state;
  write.entries = std::move(ready.entries);
  write.then = std::move(ready.messages_after_persist);
  if (ready.install.has_value()) write.install = node.incoming;
  const int64_t start = node.writes.empty() ? now_ : node.writes.back().due;
  write.due = start;
  if (options_.write_units_max > 0 && ready.must_sync) {
    write.due += static_cast<int64_t>(Random(static_cast<uint64_t>(options_.write_units_max) + 1));
  }
  node.writes.push_back(std::move(write));
  for (const ReadState& read : ready.read_states) {
    const auto asked = node.reads.find(read.context);
    if (asked == node.reads.end()) {
      Violate(absl::StrCat("node ", id, " answers a read twice"));
    } else if (!read.failed) {
      ++reads_answered_;
      if (read.index < asked->second) {
        Violate(absl::StrCat("node ", id, " reads at ", read.index, " though ", asked->second,
                             " was committed before"));
      }
    }
    node.reads.erase(read.context);
  }
  Apply(id, ready.committed);
  ServeReads(id, ready.reads);
  for (const NodeId peer : ready.send_snapshot) {
    Message message;
    message.kind = MessageKind::kSnapshot;
    message.from = id;
    message.to = peer;
    message.term = node.raft->term();
    message.snapshot = node.disk.state.mark;
    ++snapshots_sent_;
    Send(id, message, node.disk.state);
  }
  FinishWrites(id);
}

void TestCluster::WriteEntries(Disk& disk, const std::vector<Entry>& entries) {
  for (const Entry& entry : entries) {
    if (entry.index <= disk.log_start.index) continue;
    const auto at = static_cast<size_t>(entry.index - disk.log_start.index - 1);
    if (at < disk.entries.size()) disk.entries.resize(at);
    if (at == disk.entries.size()) disk.entries.push_back(entry);
  }
}

void TestCluster::InstallOnDisk(NodeId id, const State& state) {
  Node& node = nodes_.at(id);
  Disk& disk = node.disk;
  const bool held = HasDurably(id, state.mark.index, state.mark.term);
  if (disk.state.mark.index < state.mark.index) disk.state = state;
  if (held) return;
  disk.entries.clear();
  disk.log_start = state.mark;
}

void TestCluster::Persist(NodeId id, Write& write) {
  Disk& disk = nodes_.at(id).disk;
  if (write.hard_state.has_value()) disk.hard_state = *write.hard_state;
  WriteEntries(disk, write.entries);
  if (write.install.has_value()) InstallOnDisk(id, *write.install);
}

void TestCluster::FinishWrites(NodeId id) {
  Node& node = nodes_.at(id);
  while (node.raft != nullptr && !node.writes.empty() && !node.stalled &&
         node.writes.front().due <= now_) {
    Write write = std::move(node.writes.front());
    node.writes.pop_front();
    Persist(id, write);
    if (write.hard_state.has_value()) node.raft->OnHardStatePersisted(*write.hard_state);
    if (!write.entries.empty()) {
      node.raft->OnPersisted(write.entries.back().term, write.entries.back().index);
    }
    if (write.install.has_value()) {
      ++snapshots_installed_;
      if (write.install->mark.index > node.applied) {
        node.state = *write.install;
        node.applied = node.state.mark.index;
      }
      node.raft->OnInstalled(write.install->mark, true);
    }
    for (const Message& message : write.then) Send(id, message);
    CheckNode(id);
    while (node.raft->HasReady() && violation_.empty()) TakeReady(id, node.raft->TakeReady());
  }
}

void TestCluster::ServeReads(NodeId id, const std::vector<LogRead>& reads) {
  const Disk& disk = nodes_.at(id).disk;
  for (const LogRead& read : reads) {
    ++log_reads_;
    std::vector<Entry> found;
    uint64_t bytes = 0;
    for (const Entry& entry : disk.entries) {
      if (entry.index < read.first || entry.index > read.last) continue;
      if (!found.empty() && bytes + entry.payload.size() > read.bytes_max) break;
      bytes += entry.payload.size();
      found.push_back(entry);
    }
    if (!found.empty() && found.front().index != read.first) found.clear();
    raft(id).OnEntriesRead(read.peer, read.first, std::move(found));
  }
}

void TestCluster::MaybeSnapshot(NodeId id) {
  Node& node = nodes_.at(id);
  Disk& disk = node.disk;
  if (options_.snapshot_every == 0 ||
      node.applied < disk.state.mark.index + options_.snapshot_every) {
    return;
  }
  node.state.mark = *node.raft->MarkAt(node.applied);
  disk.state = node.state;
  const Index keep = std::min(options_.keep_entries, node.applied);
  const std::optional<SnapshotMark> start = node.raft->MarkAt(node.applied - keep);
  if (!start.has_value() || start->index <= disk.log_start.index) return;
  const auto gone = static_cast<ptrdiff_t>(start->index - disk.log_start.index);
  disk.entries.erase(disk.entries.begin(), disk.entries.begin() + gone);
  disk.log_start = *start;
  node.raft->OnCompacted(*start);
}

bool TestCluster::HasDurably(NodeId id, Index index, Term term) const {
  const Disk& disk = nodes_.at(id).disk;
  if (index <= disk.state.mark.index) return true;
  if (index <= disk.log_start.index) return true;
  const auto at = static_cast<size_t>(index - disk.log_start.index - 1);
  return at < disk.entries.size() && disk.entries[at].term == term;
}

}  // namespace slipway::raft::testing
