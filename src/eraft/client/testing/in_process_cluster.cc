#include "eraft/client/testing/in_process_cluster.h"

#include <algorithm>
#include <future>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/metrics/metrics.h"
#include "base/os/clock.h"
#include "base/os/files.h"
#include "base/os/loop.h"
#include "base/os/pool.h"
#include "base/os/random.h"
#include "base/testing/temp_dir.h"
#include "base/transport.h"
#include "eraft/client/testing/node_dialer.h"
#include "eraft/node/node.h"
#include "eraft/store/memory_engine.h"

namespace slipway::eraft::client::testing {
namespace {

constexpr int kNodesMax = 7;
constexpr int kElectionTicks = 10;
constexpr absl::Duration kLook = absl::Milliseconds(2);

// Frames go from node to node by way of the loop.
class Hub {
 public:
  explicit Hub(base::Loop& loop) : loop_(loop) {}
  using Receiver = absl::AnyInvocable<void(uint64_t, base::Bytes)>;

  class Port final : public base::Transport {
   public:
    Port(Hub& hub, uint64_t id) : hub_(hub), id_(id) {}
    ~Port() override { hub_.receivers_.erase(id_); }
    absl::Status Send(uint64_t peer, base::FrameClass, base::Bytes frame) override {
      hub_.loop_.Post([&hub = hub_, from = id_, peer, frame = std::move(frame)]() mutable {
        const auto found = hub.receivers_.find(peer);
        if (found != hub.receivers_.end()) found->second(from, std::move(frame));
      });
      return absl::OkStatus();
    }
    void Receive(Receiver receiver) override { hub_.receivers_[id_] = std::move(receiver); }

   private:
    Hub& hub_;
    const uint64_t id_;
  };

 private:
  base::Loop& loop_;
  std::map<uint64_t, Receiver> receivers_;  // of the loop
};

}  // namespace

// Everything but construction and destruction happens on the loop.
class InProcessCluster::Parts {
 public:
  explicit Parts(const Options& options)
      : options_(options), files_(), hub_(loop_), root_(files_.OpenRoot(temp_.path()).value()) {
    SLIPWAY_CHECK(options.nodes >= 1 && options.nodes <= kNodesMax);
    for (int id = 1; id <= options.nodes; ++id) {
      members_.voters.push_back(static_cast<raft::NodeId>(id));
      Machine& machine = machines_[id];
      const std::string name = absl::StrCat(id);
      SLIPWAY_CHECK(root_->MakeDir(name).ok());
      machine.dir = root_->OpenDir(name).value();
      machine.home = MemoryHome(machine.dir.get());
      machine.wal_pool = std::make_unique<base::os::ThreadPool>(absl::StrCat("wal", id), 1, 1000);
    }
  }
  ~Parts() {
    for (auto& [id, machine] : machines_) Stop(id);
  }

  void Start(int id) {
    Do([&] {
      Machine& machine = machines_.at(id);
      if (machine.node != nullptr) return;
      machine.port = std::make_unique<Hub::Port>(hub_, static_cast<uint64_t>(id));
      NodeOptions options;
      options.id = static_cast<raft::NodeId>(id);
      options.groups = {{.id = kGroup, .members = members_}};
      options.tick = options_.election_timeout / kElectionTicks;
      options.raft.election_ticks = kElectionTicks;
      options.wal_segment_bytes = wal::kSegmentBytesMin;
      auto node = Node::Open({loop_, clock_, pool_, *machine.wal_pool, random_, *machine.dir,
                              *machine.home, *machine.port, machine.metrics},
                             std::move(options));
      SLIPWAY_CHECK(node.ok());
      machine.node = *std::move(node);
    });
  }
  void Stop(int id) {
    Do([&] {
      machines_.at(id).node.reset();
      machines_.at(id).port.reset();
    });
  }
  // Somebody stands at once; the usual silence would only be waited for.
  void Elect() {
    Do([&] { machines_.at(1).node->Campaign(kGroup).IgnoreError(); });
  }
  int leader() {
    for (;;) {
      int found = 0;
      raft::Term term = 0;
      Do([&] {
        for (auto& [id, machine] : machines_) {
          if (machine.node == nullptr) continue;
          const auto status = machine.node->GetStatus(kGroup);
          if (!status.ok() || status->raft.role != raft::Role::kLeader) continue;
          if (status->raft.term > term) found = id, term = status->raft.term;
        }
      });
      if (found != 0) return found;
      Wait();
    }
  }
  std::unique_ptr<Client> NewClient(DispatcherOptions options) {
    options.addresses.clear();
    for (const auto& [id, machine] : machines_) options.addresses.push_back(AddressOf(id));
    return Client::Make(
        std::move(options), loop_, clock_, random_,
        MakeNodeDialer({loop_, clock_, random_,
                        [this](const std::string& address) -> Node* {
                          for (auto& [id, machine] : machines_) {
                            if (AddressOf(id) == address) return machine.node.get();
                          }
                          return nullptr;
                        },
                        [](raft::NodeId id) {
                          return id == raft::kNoNode ? "" : AddressOf(static_cast<int>(id));
                        }}));
  }

 private:
  struct Machine {
    base::Metrics metrics;
    std::unique_ptr<base::Dir> dir;
    std::unique_ptr<EngineHome> home;
    std::unique_ptr<base::os::ThreadPool> wal_pool;
    std::unique_ptr<Hub::Port> port;
    std::unique_ptr<Node> node;
  };
  static std::string AddressOf(int id) { return absl::StrCat("node-", id, ":1"); }

  template <class F>
  void Do(F work) {
    std::promise<void> done;
    loop_.Post([&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }
  void Wait() {
    std::promise<void> done;
    loop_.Post([&] { loop_.After(kLook, [&] { done.set_value(); }); });
    done.get_future().wait();
  }

  const Options options_;
  const base::testing::TempDir temp_;
  base::os::LinuxFiles files_;
  base::os::SystemClock clock_;
  base::os::SystemRandom random_;
  base::os::ThreadLoop loop_{"cluster"};
  base::os::ThreadPool pool_{"cluster", 2, 10'000};
  Hub hub_;
  std::unique_ptr<base::Dir> root_;
  raft::Membership members_;
  std::map<int, Machine> machines_;
};

InProcessCluster::InProcessCluster(const Options& options)
    : parts_(std::make_unique<Parts>(options)) {
  for (int id = 1; id <= options.nodes; ++id) parts_->Start(id);
  parts_->Elect();
  parts_->leader();
}

InProcessCluster::~InProcessCluster() = default;

std::unique_ptr<Client> InProcessCluster::NewClient(DispatcherOptions options) {
  return parts_->NewClient(std::move(options));
}

int InProcessCluster::leader() { return parts_->leader(); }

void InProcessCluster::Stop(int node) { parts_->Stop(node); }

void InProcessCluster::Start(int node) { parts_->Start(node); }

}  // namespace slipway::eraft::client::testing
