// Links under real threads: for the thread sanitizer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "base/metrics/metrics.h"
#include "base/os/clock.h"
#include "base/os/loop.h"
#include "base/os/pool.h"
#include "base/os/random.h"
#include "base/testing/status_matchers.h"
#include "eraft/transport/link/test_hub.h"

namespace slipway::eraft::link {
namespace {

constexpr int kFrames = 2000;

// Nodes 1 to 3, each with a loop of its own; the network has one, too.
class Threads : public ::testing::Test {
 protected:
  struct Node {
    explicit Node(raft::NodeId id) : loop(absl::StrCat("node", id)) {}
    base::os::ThreadLoop loop;
    base::Metrics metrics;
    TestIncarnations incarnations;
    std::shared_ptr<Hub> hub;
  };

  Threads() {
    for (raft::NodeId id = 1; id <= 3; ++id) {
      nodes_[id] = std::make_unique<Node>(id);
      const Running running;
      nodes_[id]->hub = std::make_shared<Hub>(
          std::make_shared<const LinkWorld>(
              LinkWorld{.own = {.self = id, .incarnation = id, .address = AddressOf(id)},
                        .limits = {},
                        .clock = clock_,
                        .pool = pool_,
                        .random = random_,
                        .incarnations = nodes_[id]->incarnations,
                        .dialer = std::make_shared<TestDialer>(net_, id, running),
                        .teller = std::make_shared<Teller>(clock_),
                        .running = running}),
          nodes_[id]->loop, nodes_[id]->metrics);
      net_.Listen(AddressOf(id), nodes_[id]->hub->inbox());
      nodes_[id]->hub->Start();
    }
  }
  ~Threads() override {
    for (const auto& [id, node] : nodes_) node->hub->Stop();
  }
  void KnowAll(raft::NodeId id) {
    nodes_[id]->hub->SetPeers({{1, AddressOf(1)}, {2, AddressOf(2)}, {3, AddressOf(3)}});
  }
  // False: not sent.
  bool Send(raft::NodeId from, raft::NodeId to, base::FrameClass frame_class, int number) {
    const std::string text = absl::StrCat(number);
    const base::BytesView view = base::AsBytes(text);
    return nodes_[from]->hub->Send(to, frame_class, base::Bytes(view.begin(), view.end())).ok();
  }

  base::os::SystemClock clock_;
  base::os::SystemRandom random_;
  base::os::ThreadPool pool_{"jobs", 2, 1024};
  base::os::ThreadLoop net_loop_{"net"};
  TestNet net_{net_loop_};
  std::map<raft::NodeId, std::unique_ptr<Node>> nodes_;
};

TEST_F(Threads, FramesOfManySendersArriveInTheirOrder) {  // E122
  std::array<std::atomic<int>, 4> arrived{};              // of each peer
  std::array<int, 4> next{};                              // likewise, on the loop
  nodes_[1]->hub->inbox()->Receive([&](uint64_t peer, base::Bytes frame) {
    int number = 0;
    ASSERT_TRUE(absl::SimpleAtoi(base::AsText(frame), &number));
    EXPECT_GE(number, next[peer]) << "some may be given up before there is a connection";
    next[peer] = number + 1;
    arrived[peer].fetch_add(1);
  });
  for (raft::NodeId id = 1; id <= 3; ++id) KnowAll(id);
  std::vector<std::thread> senders;
  for (const raft::NodeId from : {2, 3}) {
    senders.emplace_back([this, from, &arrived] {
      for (int i = 0; arrived[from].load() < kFrames;) {
        if (Send(from, 1, base::FrameClass::kBulk, i)) ++i;
        if (i % 100 == 0) nodes_[from]->hub->Status();
        if (i > arrived[from].load() + kFrames) std::this_thread::yield();
      }
    });
  }
  for (std::thread& sender : senders) sender.join();
  nodes_[1]->hub->Stop();  // before what its receiver uses goes
}

TEST_F(Threads, StopWhileEverythingIsBusy) {
  std::atomic<bool> stopped{false};
  std::atomic<bool> late{false};
  nodes_[1]->hub->inbox()->Receive([&](uint64_t peer, base::Bytes) {
    if (stopped.load()) late.store(true);
    Send(1, peer, base::FrameClass::kControl, 1);
  });
  for (raft::NodeId id = 1; id <= 3; ++id) KnowAll(id);
  std::atomic<bool> end{false};
  std::vector<std::thread> busy;
  busy.emplace_back([&] {
    for (int i = 0; !end.load(); ++i) {
      Send(2, 1, base::FrameClass::kBulk, i);
      Send(3, 1, base::FrameClass::kSnapshot, i);
      std::this_thread::yield();
    }
  });
  busy.emplace_back([&] {
    while (!end.load()) {
      nodes_[2]->hub->SetPeers({{1, AddressOf(1)}});
      nodes_[2]->hub->SetPeers({{1, AddressOf(1)}, {3, AddressOf(3)}});
      nodes_[2]->hub->Status();
      std::this_thread::yield();
    }
  });
  while (nodes_[1]->hub->Status().empty() || !nodes_[2]->hub->Status()[0].messages.open) {
    std::this_thread::yield();
  }
  nodes_[1]->hub->Stop();
  stopped.store(true);
  end.store(true);
  for (std::thread& thread : busy) thread.join();
  nodes_[2]->hub->Stop();
  nodes_[3]->hub->Stop();
  EXPECT_FALSE(late.load()) << "a frame came after Stop";
}

}  // namespace
}  // namespace slipway::eraft::link
