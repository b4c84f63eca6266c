// Links to nodes of the same process: what a server does with a batch, without one. Private to this
// folder. On the loop of the nodes.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/loop.h"
#include "eraft/client/session/link.h"
#include "eraft/node/node.h"

namespace slipway::eraft::client::testing {

inline constexpr GroupId kGroup = 1;
inline constexpr ShardId kShard = 0;

struct NodeDialerWorld {
  base::Loop& loop;
  base::Clock& clock;
  base::Random& random;
  std::function<Node*(const std::string& address)> node;  // null: it is stopped
  std::function<std::string(raft::NodeId)> address;       // of a member
};

std::unique_ptr<Dialer> MakeNodeDialer(NodeDialerWorld world);

}  // namespace slipway::eraft::client::testing
