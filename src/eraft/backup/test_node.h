// A node that runs alone on a data directory of a simulated disk, for tests of what others made.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/metrics/metrics.h"
#include "base/sim/clock.h"
#include "base/sim/files.h"
#include "base/sim/loop.h"
#include "base/sim/pool.h"
#include "base/sim/random.h"
#include "eraft/node/cluster.h"
#include "eraft/node/node.h"
#include "eraft/store/memory_engine.h"

namespace slipway::eraft {

class LoneNode {
 public:
  // `members` is what its configuration says.
  static absl::StatusOr<std::unique_ptr<LoneNode>> Start(base::sim::Files& files,
                                                         const std::string& path, raft::NodeId id,
                                                         const wal::ClusterId& cluster,
                                                         raft::Membership members) {
    std::unique_ptr<LoneNode> lone(new LoneNode);
    SLIPWAY_ASSIGN_OR_RETURN(lone->dir_, files.OpenRoot(path));
    lone->home_ = MemoryHome(lone->dir_.get());
    NodeOptions options;
    options.id = id;
    options.cluster = cluster;
    GroupOptions group;
    group.id = kKvGroup;
    group.members = std::move(members);
    options.groups.push_back(std::move(group));
    options.tick = absl::Milliseconds(10);
    options.wal_segment_bytes = 64 << 10;
    SLIPWAY_ASSIGN_OR_RETURN(lone->node_, Node::Open({lone->loop_, lone->clock_, lone->pool_,
                                                      lone->wal_pool_, lone->random_, *lone->dir_,
                                                      *lone->home_, lone->nobody_, lone->metrics_},
                                                     std::move(options)));
    return lone;
  }
  Node& node() { return *node_; }
  GroupStatus status() { return node_->GetStatus(kKvGroup).value(); }
  // Whether it came to lead, with all it has applied.
  bool AwaitLeader() {
    return Until([this] {
      const GroupStatus now = status();
      return now.raft.role == raft::Role::kLeader && now.raft.applied == now.raft.last;
    });
  }
  // "-": not there.
  std::string Get(ShardId shard, std::string key) {
    std::optional<std::string> answer;
    ReadOptions options;
    options.deadline = clock_.Monotonic() + absl::Seconds(60);
    node_->Get(kKvGroup, shard, std::move(key), options,
               [&](const absl::StatusOr<std::optional<std::string>>& value) {
                 answer = value.ok() ? value->value_or("-") : value.status().ToString();
               });
    Until([&] { return answer.has_value(); });
    return answer.value_or("no answer");
  }

 private:
  struct Nobody : base::Transport {
    absl::Status Send(uint64_t, base::FrameClass, base::Bytes) override { return absl::OkStatus(); }
    void Receive(absl::AnyInvocable<void(uint64_t, base::Bytes)>) override {}
  };
  LoneNode() = default;
  bool Until(const std::function<bool()>& done) {
    const absl::Duration end = clock_.Monotonic() + absl::Seconds(120);
    while (!done()) {
      if (clock_.Monotonic() > end) return false;
      const bool ran = loop_.RunOne() || pool_.RunOne() || wal_pool_.RunOne();
      if (!ran && !loop_.Step()) return false;
    }
    return true;
  }

  base::sim::Clock clock_;
  base::sim::Loop loop_{1, clock_};
  base::sim::Pool pool_{1}, wal_pool_{2};
  base::sim::Random random_{3};
  base::Metrics metrics_;
  Nobody nobody_;
  std::unique_ptr<base::Dir> dir_;
  std::unique_ptr<EngineHome> home_;
  std::unique_ptr<Node> node_;
};

}  // namespace slipway::eraft
