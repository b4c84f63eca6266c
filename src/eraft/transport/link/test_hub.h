// A node's links on a simulated loop, without a node. Thread-compatible.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/metrics/metrics.h"
#include "base/sim/clock.h"
#include "base/sim/loop.h"
#include "base/sim/pool.h"
#include "base/sim/random.h"
#include "eraft/transport/link/hub.h"
#include "eraft/transport/link/test_dialer.h"
#include "eraft/transport/link/test_net.h"

namespace slipway::eraft::link {

// In memory; survives what the test calls a restart.
class TestIncarnations : public Incarnations {
 public:
  std::optional<uint64_t> Get(raft::NodeId id) const override {
    const base::MutexLock lock(mutex_);
    const auto found = known_.find(id);
    if (found == known_.end()) return std::nullopt;
    return found->second;
  }
  absl::Status Remember(raft::NodeId id, uint64_t incarnation) override {
    const base::MutexLock lock(mutex_);
    known_.emplace(id, incarnation);
    return absl::OkStatus();
  }
  absl::Status Replace(raft::NodeId id, uint64_t incarnation) override {
    const base::MutexLock lock(mutex_);
    known_[id] = incarnation;
    return absl::OkStatus();
  }
  absl::Status Forget(raft::NodeId id) override {
    const base::MutexLock lock(mutex_);
    known_.erase(id);
    return absl::OkStatus();
  }

 private:
  mutable base::Mutex mutex_;
  std::map<raft::NodeId, uint64_t> known_ ABSL_GUARDED_BY(mutex_);
};

// Virtual time for all nodes of a test.
struct TestWorld {
  base::sim::Clock clock;
  base::sim::Loop loop{1, clock};
  TestNet net{loop};

  // Jobs run as soon as the loop turns; whoever waits for them turns it.
  class Pool : public base::Pool {
   public:
    explicit Pool(base::sim::Loop& loop) : loop_(loop) {}
    absl::Status Submit(base::Task job) override {
      loop_.Post(std::move(job));
      return absl::OkStatus();
    }
    bool RunOne() override { return loop_.RunOne(); }
    int threads() const override { return 1; }

   private:
    base::sim::Loop& loop_;
  } pool{loop};
  base::sim::Random random{1};

  void RunFor(absl::Duration duration) { loop.RunFor(duration); }
};

inline std::string AddressOf(raft::NodeId id) { return absl::StrCat("node", id, ":1"); }

class TestHub {
 public:
  struct Options {
    raft::NodeId id = 1;
    uint64_t incarnation = 0;  // 0: 100 + id
    uint32_t feature_level = 1, feature_level_min = 1;
    uint8_t cluster = 1;
    QueueLimits limits;
  };

  TestHub(TestWorld& world, TestIncarnations& incarnations, Options options)
      : world_(world), id_(options.id) {
    const Running running;
    Identity own{.self = id_,
                 .incarnation = options.incarnation != 0 ? options.incarnation : 100 + id_,
                 .feature_level = options.feature_level,
                 .feature_level_min = options.feature_level_min,
                 .address = AddressOf(id_)};
    own.cluster.fill(options.cluster);
    links_ = std::make_shared<const LinkWorld>(
        LinkWorld{.own = own,
                  .limits = options.limits,
                  .clock = world.clock,
                  .pool = world.pool,
                  .random = world.random,
                  .incarnations = incarnations,
                  .dialer = std::make_shared<TestDialer>(world.net, id_, running),
                  .teller = std::make_shared<Teller>(world.clock),
                  .running = running});
    hub_ = std::make_shared<Hub>(links_, world.loop, metrics_);
    hub_->inbox()->Receive([this](uint64_t peer, const base::Bytes& frame) {
      received_.emplace_back(peer, std::string(base::AsText(frame)));
    });
    world.net.Listen(AddressOf(id_), hub_->inbox());
    hub_->Start();
  }
  ~TestHub() { Stop(); }

  void Stop() {
    if (world_.net.Find(AddressOf(id_)) == hub_->inbox()) world_.net.Hang(AddressOf(id_));
    hub_->Stop();
  }
  void Know(const std::vector<raft::NodeId>& ids) {
    std::map<raft::NodeId, std::string> peers;
    for (const raft::NodeId id : ids) peers[id] = AddressOf(id);
    hub_->SetPeers(peers);
  }
  absl::Status Send(raft::NodeId peer, absl::string_view text,
                    base::FrameClass frame_class = base::FrameClass::kControl) {
    const base::BytesView bytes = base::AsBytes(text);
    return hub_->Send(peer, frame_class, base::Bytes(bytes.begin(), bytes.end()));
  }
  Hub::Peer StatusOf(raft::NodeId peer) const {
    for (const Hub::Peer& status : hub_->Status()) {
      if (status.id == peer) return status;
    }
    return {};
  }
  bool Connected(raft::NodeId peer) const { return StatusOf(peer).messages.open; }
  std::string ErrorOf(raft::NodeId peer) const { return StatusOf(peer).messages.error; }
  // How many sets of labels it is shown for.
  size_t SeriesOf(absl::string_view name) const {
    for (const base::MetricFamily& family : metrics_.Collect()) {
      if (family.name == name) return family.series.size();
    }
    return 0;
  }
  double Metric(absl::string_view name) const {
    double sum = 0;
    for (const base::MetricFamily& family : metrics_.Collect()) {
      if (family.name != name) continue;
      for (const base::MetricSeries& series : family.series) sum += series.value;
    }
    return sum;
  }

  Hub& hub() { return *hub_; }
  const Identity& own() const { return links_->own; }
  Running running() const { return links_->running; }
  std::vector<std::pair<uint64_t, std::string>>& received() { return received_; }

 private:
  TestWorld& world_;
  const raft::NodeId id_;
  base::Metrics metrics_;
  std::shared_ptr<const LinkWorld> links_;
  std::shared_ptr<Hub> hub_;
  std::vector<std::pair<uint64_t, std::string>> received_;
};

}  // namespace slipway::eraft::link
