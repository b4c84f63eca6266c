// Nodes that talk to each other over sockets, for tests. Thread-compatible.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/testing/temp_dir.h"
#include "eraft/transport/test_node.h"

namespace slipway::eraft {

inline base::Bytes Text(absl::string_view text) {
  const base::BytesView view = base::AsBytes(text);
  return base::Bytes(view.begin(), view.end());
}

class Transports : public ::testing::Test {
 protected:
  TestNode& Make(TestNodeOptions options) {
    const raft::NodeId id = options.id;
    nodes_[id].reset();  // before the new one takes its address
    nodes_[id] = std::make_unique<TestNode>(std::move(options), dirs_[id].path());
    return *nodes_[id];
  }
  TestNode& node(raft::NodeId id) { return *nodes_.at(id); }
  // All that there are.
  void Introduce() {
    std::vector<const TestNode*> all;
    for (const auto& [id, node] : nodes_) all.push_back(node.get());
    for (const auto& [id, node] : nodes_) node->Know(all);
  }
  void MakeTwo(TestNodeOptions first = {}, TestNodeOptions second = {}) {
    first.id = 1;
    second.id = 2;
    Make(std::move(first));
    Make(std::move(second));
    Introduce();
  }

  std::map<raft::NodeId, base::testing::TempDir> dirs_;
  std::map<raft::NodeId, std::unique_ptr<TestNode>> nodes_;
};

}  // namespace slipway::eraft
