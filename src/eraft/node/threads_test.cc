// The same code on real threads, files and time: for the thread sanitizer. Three nodes in one
// process, each with a loop and pools of its own.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/metrics/metrics.h"
#include "base/os/clock.h"
#include "base/os/files.h"
#include "base/os/loop.h"
#include "base/os/pool.h"
#include "base/os/random.h"
#include "base/sync/mutex.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "eraft/node/node.h"
#include "eraft/node/test_cluster.h"
#include "eraft/store/memory_engine.h"

namespace slipway::eraft {
namespace {

// Frames go from loop to loop.
class Hub {
 public:
  class Port : public base::Transport {
   public:
    Port(Hub& hub, uint64_t id, base::Loop& loop) : hub_(hub), id_(id), loop_(loop) {
      const base::MutexLock lock(hub_.mutex_);
      hub_.ports_[id_] = this;
    }
    ~Port() override {
      const base::MutexLock lock(hub_.mutex_);
      hub_.ports_.erase(id_);
    }
    absl::Status Send(uint64_t peer, base::FrameClass /*frame_class*/, base::Bytes frame) override {
      const base::MutexLock lock(hub_.mutex_);
      const auto found = hub_.ports_.find(peer);
      if (found == hub_.ports_.end()) return absl::NotFoundError("no such peer");
      Port* port = found->second;
      port->loop_.Post(
          [receiver = port->receiver_, from = id_, frame = std::move(frame)]() mutable {
            if (receiver != nullptr) (*receiver)(from, std::move(frame));
          });
      return absl::OkStatus();
    }
    void Receive(absl::AnyInvocable<void(uint64_t, base::Bytes)> receiver) override {
      const base::MutexLock lock(hub_.mutex_);
      receiver_ =
          std::make_shared<absl::AnyInvocable<void(uint64_t, base::Bytes)>>(std::move(receiver));
    }

   private:
    Hub& hub_;
    const uint64_t id_;
    base::Loop& loop_;
    std::shared_ptr<absl::AnyInvocable<void(uint64_t, base::Bytes)>> receiver_;
  };

 private:
  base::Mutex mutex_;
  std::map<uint64_t, Port*> ports_ ABSL_GUARDED_BY(mutex_);
};

class RealNode {
 public:
  RealNode(Hub& hub, raft::NodeId id)
      : id_(id),
        loop_(absl::StrCat("n", id)),
        pool_("pool", 2, 100),
        wal_pool_("wal", 1, 100),
        dir_(files_.OpenRoot(temp_.path()).value()),
        home_(MemoryHome(dir_.get())),
        port_(hub, id, loop_) {}
  ~RealNode() {
    OnLoop([this] { node_.reset(); });
  }

  // Runs `work` on the loop and waits.
  template <class F>
  void OnLoop(F work) {
    std::promise<void> done;
    loop_.Post([&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }
  void Start() {
    OnLoop([this] {
      NodeOptions options = TestCluster::Small();
      options.id = id_;
      options.tick = absl::Milliseconds(10);
      options.raft.election_ticks = 30;
      options.snapshot_entries = 50;
      options.groups = {{.id = kTestGroup, .members = Voters({1, 2, 3})}};
      auto node = Node::Open(
          {loop_, clock_, pool_, wal_pool_, random_, *dir_, *home_, port_, metrics_}, options);
      ASSERT_OK(node);
      node_ = *std::move(node);
    });
  }
  void Stop() {
    OnLoop([this] {
      EXPECT_OK(node_->Stop());
      node_.reset();
    });
  }
  absl::StatusOr<Outcome> Run(const Command& command) {
    std::promise<absl::StatusOr<Outcome>> done;
    loop_.Post([&] {
      node_->Propose(kTestGroup, EncodeCommand(command), clock_.Monotonic() + absl::Seconds(5),
                     [&](absl::StatusOr<Outcome> outcome) { done.set_value(std::move(outcome)); });
    });
    return done.get_future().get();
  }
  absl::StatusOr<std::optional<std::string>> Get(std::string key) {
    std::promise<absl::StatusOr<std::optional<std::string>>> done;
    loop_.Post([&] {
      ReadOptions options;
      options.deadline = clock_.Monotonic() + absl::Seconds(20);
      node_->Get(kTestGroup, kTestShard, key, options,
                 [&](absl::StatusOr<std::optional<std::string>> value) {
                   done.set_value(std::move(value));
                 });
    });
    return done.get_future().get();
  }

 private:
  const raft::NodeId id_;
  const base::testing::TempDir temp_;
  base::os::LinuxFiles files_;
  base::os::SystemClock clock_;
  base::os::SystemRandom random_;
  base::Metrics metrics_;
  base::os::ThreadLoop loop_;
  base::os::ThreadPool pool_;
  base::os::ThreadPool wal_pool_;
  std::unique_ptr<base::Dir> dir_;
  std::unique_ptr<EngineHome> home_;
  Hub::Port port_;
  std::unique_ptr<Node> node_;
};

TEST(NodeThreads, ThreeNodesOnRealThreadsAgree) {
  Hub hub;
  std::vector<std::unique_ptr<RealNode>> nodes;
  for (raft::NodeId id = 1; id <= 3; ++id) nodes.push_back(std::make_unique<RealNode>(hub, id));
  for (const auto& node : nodes) node->Start();
  // In a session, so that what is unknown may be sent again: a busy machine costs elections.
  uint64_t number = 0;
  const auto execute = [&](Command command) {
    command.client = 1;
    command.command = number++;
    for (int i = 0; i < 100'000; ++i) {
      if (nodes[static_cast<size_t>(i) % 3]->Run(command).ok()) return true;
    }
    return false;
  };
  for (int i = 0; i < 120; ++i) ASSERT_TRUE(execute(AppendOf("k", "x"))) << i;
  for (const auto& node : nodes) {
    const auto value = node->Get("k");
    ASSERT_OK(value);
    EXPECT_EQ(*value, std::string(120, 'x'));
  }
  for (const auto& node : nodes) node->Stop();
  for (const auto& node : nodes) node->Start();
  const auto value = nodes[0]->Get("k");
  ASSERT_OK(value);
  EXPECT_EQ(*value, std::string(120, 'x'));
}

}  // namespace
}  // namespace slipway::eraft
