// Which node to talk to: the one that answered, the one that others name as leader, else one after
// the other, with pauses that grow. Thread-compatible.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/random.h"

namespace slipway::eraft::client {

struct RouteOptions {
  absl::Duration pause = absl::Milliseconds(10);  // of the first round without success; doubles
  absl::Duration pause_max = absl::Seconds(1);
};

class Route {
 public:
  // `addresses` is not empty; `random` outlives this.
  Route(std::vector<std::string> addresses, base::Random& random, RouteOptions options = {});

  const std::string& address() const { return addresses_[current_]; }
  const std::vector<std::string>& addresses() const { return addresses_; }
  // The node executed or answered something: the next trouble is a new one.
  void Worked();
  // The node cannot be reached or does not answer. Moves to another; returns how long to wait
  // first: nothing within a round over all nodes, then a random part of the pause.
  absl::Duration Failed();
  // The node is not the leader and names `leader` (empty: it knows none). Follows, also to a node
  // that was not among the addresses, but not for ever round in a circle.
  absl::Duration Redirected(absl::string_view leader);
  // The node asks for patience; stays with it.
  absl::Duration Busy();

 private:
  absl::Duration Pause();
  void MoveOn() { current_ = (current_ + 1) % addresses_.size(); }

  base::Random& random_;
  const RouteOptions options_;
  std::vector<std::string> addresses_;
  size_t current_ = 0;
  size_t failures_ = 0;   // since something worked
  size_t redirects_ = 0;  // since something worked or a pause
  int pauses_ = 0;        // since something worked
};

}  // namespace slipway::eraft::client
