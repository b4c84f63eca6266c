// A whole cluster in this process, for tests of whoever keeps something in eraft (E147): real nodes
// with the real protocol, in memory but for a log in a temporary directory, without sockets. Up in
// a fraction of a second.
//
//   InProcessCluster cluster;
//   const auto client = cluster.NewClient();
//   ASSERT_OK(client->Put("k", "v"));
//   cluster.Stop(cluster.leader());          // a node goes away; the client finds the next
//
// Thread-compatible; its clients are thread-safe.
#pragma once

#include <memory>

#include "eraft/client/session/client.h"

namespace slipway::eraft::client::testing {

class InProcessCluster {
 public:
  struct Options {
    int nodes = 3;  // 1 to 7
    // Silence after which others stand for the leader's office, at least.
    absl::Duration election_timeout = absl::Milliseconds(100);
  };
  // Returns when a leader is elected. What cannot be (no room for temporary files) is a failure of
  // the test.
  InProcessCluster() : InProcessCluster(Options()) {}
  explicit InProcessCluster(const Options& options);
  // The clients end before.
  ~InProcessCluster();
  InProcessCluster(const InProcessCluster&) = delete;
  InProcessCluster& operator=(const InProcessCluster&) = delete;

  // `options.addresses` is set here.
  std::unique_ptr<Client> NewClient(DispatcherOptions options = {});

  // Who leads, 1 to `nodes`; waits until somebody does. With a majority stopped, for ever.
  int leader();
  // Ends a node as a crash would; all it had in the log is there after Start. No effect on one that
  // is stopped, or runs.
  void Stop(int node);
  void Start(int node);

 private:
  class Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace slipway::eraft::client::testing
