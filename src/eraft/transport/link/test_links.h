// Nodes with links between them, for tests. Thread-compatible.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>

#include "eraft/transport/link/test_hub.h"

namespace slipway::eraft::link {

class Links : public ::testing::Test {
 protected:
  void Make(TestHub::Options options) {
    hubs_[options.id].reset();
    hubs_[options.id] = std::make_unique<TestHub>(world_, incarnations_[options.id], options);
  }
  // Nodes 1 and 2 that know each other.
  void MakeTwo(TestHub::Options first = {}, TestHub::Options second = {}) {
    first.id = 1;
    second.id = 2;
    Make(first);
    Make(second);
    hub(1).Know({1, 2});
    hub(2).Know({1, 2});
    world_.RunFor(absl::Seconds(1));
  }
  TestHub& hub(raft::NodeId id) { return *hubs_.at(id); }
  bool BothConnected() { return hub(1).Connected(2) && hub(2).Connected(1); }

  TestWorld world_;
  std::map<raft::NodeId, TestIncarnations> incarnations_;
  std::map<raft::NodeId, std::unique_ptr<TestHub>> hubs_;
};

}  // namespace slipway::eraft::link
