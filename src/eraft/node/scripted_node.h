// One node whose peers are played by the test, frame by frame, and whose jobs run when the test
// says so: for orders of things that seeds meet too rarely. Only for tests. Not thread-safe.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/metrics/metrics.h"
#include "base/sim/clock.h"
#include "base/sim/files.h"
#include "base/sim/loop.h"
#include "base/sim/random.h"
#include "eraft/node/codec.h"
#include "eraft/node/node.h"
#include "eraft/store/snapshot.h"

namespace slipway::eraft {

// In order, but for a job that is kept back.
class OrderedPool : public base::Pool {
 public:
  absl::Status Submit(base::Task job) override {
    (std::exchange(keep_next_, false) ? kept_ : jobs_).push_back(std::move(job));
    return absl::OkStatus();
  }
  bool RunOne() override {
    if (jobs_.empty()) return false;
    base::Task job = std::move(jobs_.front());
    jobs_.pop_front();
    job();
    return true;
  }
  int threads() const override { return 1; }
  void KeepNext() { keep_next_ = true; }
  bool keeps() const { return !kept_.empty(); }
  void LetGo() {  // before the others
    for (base::Task& job : std::exchange(kept_, {})) jobs_.push_front(std::move(job));
  }

 private:
  bool keep_next_ = false;
  std::deque<base::Task> jobs_, kept_;
};

class ScriptedNode {
 public:
  ScriptedNode(raft::NodeId id, raft::Membership members, NodeOptions options);
  ~ScriptedNode();

  absl::Status Start();
  // Of the next start.
  void Tell(raft::Membership members) { options_.groups.front().members = std::move(members); }
  void Crash(base::sim::Loss loss = base::sim::Loss::kSeeded, uint64_t attempt = 0);
  bool Step() { return loop_.RunOne() || pool_->RunOne() || wal_pool_->RunOne(); }
  void Turn();            // all that can be done before time passes
  void TurnLogAndLoop();  // but for the jobs of the pool
  void RunFor(absl::Duration duration);

  // A frame from `from`; those that the node sent.
  template <class Body>
  void Take(raft::NodeId from, const Body& body, GroupId group) {
    wire_.receiver(from, EncodeFrame(group, body));
  }
  template <class Body>
  void Take(raft::NodeId from, const Body& body) {
    Take(from, body, group_);
  }
  template <class Body>
  std::vector<Body> Sent() const {
    std::vector<Body> found;
    for (const Frame& frame : wire_.frames) {
      if (const auto* body = std::get_if<Body>(&frame.body)) found.push_back(*body);
    }
    return found;
  }
  std::vector<raft::Message> Sent(raft::MessageKind kind) const;
  void Forget() { wire_.frames.clear(); }

  void Put(const std::string& value);
  GroupStatus Status() { return *node_->GetStatus(group_); }
  // Leads alone, in a term of at least `term`.
  void Lead(raft::Term term = 1);
  // Has a snapshot of its newest state, and no log below it.
  SnapshotName Compact();
  // The peer of this leader says that it has nothing.
  void AskForEverything(raft::NodeId peer);
  // Until the intent of an install is durable and the engine belongs to the job that exchanges it.
  void RunUntilExchange();

  Node& node() { return *node_; }
  base::sim::Files& files() { return files_; }
  base::Dir& dir() { return *dir_; }
  OrderedPool& pool() { return *pool_; }
  base::sim::Loop& loop() { return loop_; }

 private:
  struct Wire : base::Transport {
    absl::Status Send(uint64_t peer, base::FrameClass frame_class, base::Bytes bytes) override;
    void Receive(absl::AnyInvocable<void(uint64_t, base::Bytes)> r) override {
      receiver = std::move(r);
    }
    std::vector<Frame> frames;
    absl::AnyInvocable<void(uint64_t, base::Bytes)> receiver;
  };

  base::sim::Files files_;
  base::sim::Clock clock_;
  base::sim::Loop loop_;
  base::sim::Random random_;
  base::Metrics metrics_;
  NodeOptions options_;
  GroupId group_;
  Wire wire_;
  std::unique_ptr<OrderedPool> pool_, wal_pool_;
  std::unique_ptr<base::Dir> dir_;
  std::unique_ptr<EngineHome> home_;
  std::unique_ptr<Node> node_;
};

// Small files, fast ticks, no log behind a snapshot.
NodeOptions KeepsNoLog();

// A snapshot as its owner would send it.
struct Carried {
  SnapshotOffer offer;
  std::vector<SnapshotPart> parts;
};
Carried Carry(ScriptedNode& owner, const SnapshotName& name, raft::NodeId from, raft::NodeId to,
              raft::Term term);

raft::Message MessageTo(raft::NodeId to, raft::NodeId from, raft::MessageKind kind,
                        raft::Term term);
// Entries of `term` from node 1, behind `after`.
raft::Message Appending(raft::NodeId to, raft::Term term, raft::Index after, raft::Term after_term,
                        raft::Index last, size_t bytes);

}  // namespace slipway::eraft
