#include "eraft/node/scripted_node.h"

#include <gtest/gtest.h>

#include "base/digest/crc32c.h"
#include "base/testing/status_matchers.h"
#include "eraft/node/test_cluster.h"
#include "eraft/store/memory_engine.h"
#include "eraft/store/snapshot_stream.h"

namespace slipway::eraft {

using ::slipway::base::sim::Loss;

ScriptedNode::ScriptedNode(raft::NodeId id, raft::Membership members, NodeOptions options)
    : files_(id + 40),
      loop_(id, clock_),
      random_(id + 1),
      options_(std::move(options)),
      group_(kTestGroup) {
  options_.id = id;
  options_.cluster = {1, 2, 3};
  options_.groups = {{.id = group_, .members = std::move(members)}};
  files_.SetClock(&clock_);
  files_.MakeRoot("/data").value();
  files_.Settle();
}

ScriptedNode::~ScriptedNode() { node_.reset(); }

absl::Status ScriptedNode::Start() {
  pool_ = std::make_unique<OrderedPool>();
  wal_pool_ = std::make_unique<OrderedPool>();
  dir_ = files_.OpenRoot("/data").value();
  home_ = MemoryHome(dir_.get());
  const NodeWorld world = {loop_, clock_, *pool_, *wal_pool_, random_,
                           *dir_, *home_, wire_,  metrics_};
  auto node = Node::Open(world, options_);
  if (!node.ok()) return node.status();
  node_ = *std::move(node);
  return absl::OkStatus();
}

void ScriptedNode::Crash(Loss loss, uint64_t attempt) {
  files_.Reboot(loss, attempt);
  node_.reset();
}

void ScriptedNode::Turn() {
  while (Step()) {
  }
}

void ScriptedNode::TurnLogAndLoop() {
  while (loop_.RunOne() || wal_pool_->RunOne()) {
  }
}

void ScriptedNode::RunFor(absl::Duration duration) {
  const absl::Duration end = clock_.Monotonic() + duration;
  for (Turn(); clock_.Monotonic() < end; Turn()) {
    if (!loop_.Step()) return;  // a node that failed has no timer
  }
}

std::vector<raft::Message> ScriptedNode::Sent(raft::MessageKind kind) const {
  std::vector<raft::Message> found;
  for (raft::Message& message : Sent<raft::Message>()) {
    if (message.kind == kind) found.push_back(std::move(message));
  }
  return found;
}

absl::Status ScriptedNode::Wire::Send(uint64_t /*peer*/, base::FrameClass /*frame_class*/,
                                      base::Bytes bytes) {
  auto frame = DecodeFrame(std::move(bytes));
  EXPECT_OK(frame);
  frames.push_back(*std::move(frame));
  return absl::OkStatus();
}

void ScriptedNode::Put(const std::string& value) {
  bool done = false;
  node_->Propose(group_, EncodeCommand(PutOf("k", value)), absl::InfiniteDuration(),
                 [&done](const absl::StatusOr<Outcome>& outcome) {
                   EXPECT_OK(outcome);
                   done = true;
                 });
  for (int i = 0; i < 100 && !done; ++i) RunFor(absl::Milliseconds(10));
  EXPECT_TRUE(done);
}

void ScriptedNode::Lead(raft::Term term) {
  for (int life = 0; life < 20 && (node_ == nullptr || Status().raft.term < term); ++life) {
    if (node_ != nullptr) Crash(Loss::kKeepAll);
    ASSERT_OK(Start());
    RunFor(absl::Seconds(4));
  }
  ASSERT_EQ(Status().raft.role, raft::Role::kLeader);
}

SnapshotName ScriptedNode::Compact() {
  EXPECT_OK(node_->TakeSnapshot(group_));
  RunFor(absl::Seconds(1));
  const GroupStatus status = Status();
  EXPECT_GT(status.snapshot, 0u);
  return {group_, status.raft.term, status.snapshot};
}

void ScriptedNode::AskForEverything(raft::NodeId peer) {
  const raft::Status status = Status().raft;
  raft::Message refusal =
      MessageTo(options_.id, peer, raft::MessageKind::kAppendReply, status.term);
  refusal.reject = true;
  for (const raft::PeerProgress& progress : status.peers) {
    if (progress.id == peer) refusal.context = progress.next - 1;
  }
  refusal.log_index = 1;
  Take(peer, refusal);
}

void ScriptedNode::RunUntilExchange() {
  for (int i = 0; i < 10'000 && node_->machine(group_) != nullptr; ++i) {
    if (!Step()) loop_.Step();
  }
  ASSERT_EQ(node_->machine(group_), nullptr);
}

NodeOptions KeepsNoLog() {
  NodeOptions options = TestCluster::Small();
  options.log_keep_entries = 0;
  return options;
}

Carried Carry(ScriptedNode& owner, const SnapshotName& name, raft::NodeId from, raft::NodeId to,
              raft::Term term) {
  auto reader = SnapshotReader::Open(owner.dir(), name);
  EXPECT_OK(reader);
  const auto manifest = DecodeManifest((*reader)->manifest_bytes());
  EXPECT_OK(manifest);
  Carried carried;
  carried.offer.transfer = 99;
  carried.offer.manifest = (*reader)->manifest_bytes();
  raft::Message& message = carried.offer.message;
  message.kind = raft::MessageKind::kSnapshot;
  message.from = from;
  message.to = to;
  message.term = term;
  message.snapshot = {name.index, name.term,
                      *raft::DecodeMembership(base::AsBytes(manifest->membership))};
  for (uint64_t number = 0;; ++number) {
    auto chunk = (*reader)->Next();
    EXPECT_OK(chunk);
    if (!chunk->has_value()) return carried;
    carried.parts.push_back({99, number, raft::Slice(**std::move(chunk))});
  }
}

raft::Message MessageTo(raft::NodeId to, raft::NodeId from, raft::MessageKind kind,
                        raft::Term term) {
  raft::Message message;
  message.kind = kind;
  message.from = from;
  message.to = to;
  message.term = term;
  return message;
}

raft::Message Appending(raft::NodeId to, raft::Term term, raft::Index after, raft::Term after_term,
                        raft::Index last, size_t bytes) {
  raft::Message message = MessageTo(to, 1, raft::MessageKind::kAppend, term);
  message.log_index = after;
  message.log_term = after_term;
  for (raft::Index index = after + 1; index <= last; ++index) {
    raft::Entry entry;
    entry.index = index;
    entry.term = term;
    entry.payload = raft::Slice(base::Bytes(bytes, 'x'));
    entry.payload_crc = base::Crc32c(entry.payload.view());
    message.entries.push_back(entry);
  }
  return message;
}

}  // namespace slipway::eraft
