// kvservers as processes of this machine, each behind a front of a proxy whose links can be cut.
// Thread-compatible; calls block. All processes end with the object.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/net/testing/fault_proxy.h"
#include "base/spawner.h"
#include "base/sync/cancel.h"
#include "base/world.h"
#include "eraft/client/admin_client.h"

namespace slipway::eraft::chaos {

struct ClusterOptions {
  int nodes = 3;
  std::string kvserver;                // the program
  std::string dir;                     // absolute; the nodes' data and logs go beneath it
  std::vector<std::string> arguments;  // of every node, beside those that it needs
  std::string shim;                    // preloaded into every node; empty: none
};

class Cluster {
 public:
  static base::Owned<Cluster> Make(ClusterOptions options, base::World& world,
                                   base::CancelToken cancel);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // All nodes, up to the first leader.
  absl::Status StartAll();
  // Starts a node that is down and waits until it serves. FailedPrecondition: it ended instead;
  // the text says how.
  absl::Status StartNode(int node);
  absl::Status Launch(int node);        // without waiting
  absl::Status AwaitServing(int node);  // after Launch
  // SIGKILL; gone when this returns. Internal: it had ended by itself.
  absl::Status Kill(int node);
  absl::Status Pause(int node);   // SIGSTOP; all threads stand still when this returns
  absl::Status Resume(int node);  // SIGCONT
  // Waits for a node to end by itself.
  absl::StatusOr<base::ExitStatus> AwaitExit(int node, absl::Duration timeout);
  // Whether the process is there (paused too). One that ended by itself is no longer.
  bool IsUp(int node);
  bool IsPaused(int node) const { return nodes_[static_cast<size_t>(node)].paused; }
  // Internal: it has ended by itself. OK where it was killed, or its end was waited for.
  absl::Status CheckAlive(int node);
  int pid(int node) const;

  // A node that waits to be taken in by the running cluster; its number.
  absl::StatusOr<int> AddNode();
  // The node, which has no data, waits at its next start to be taken in.
  absl::Status Join(int node);
  // What stands in a node's environment besides, from its next start on.
  void SetEnvironment(int node, std::map<std::string, std::string> environment);
  // What the shim does to a node from now on: "ok", "lie", "eio", "slow 2000".
  absl::Status SetDiskFault(int node, const std::string& fault);

  int size() const { return static_cast<int>(nodes_.size()); }
  static uint64_t IdOf(int node) { return static_cast<uint64_t>(node) + 1; }
  std::string address(int node) const;  // its front's
  std::vector<std::string> addresses() const;
  std::string DiskDir(int node) const;  // the node's own; its data is in `data` there
  std::string DataDir(int node) const;
  std::string LogFile(int node) const;
  base::net::FaultProxy& proxy() { return *proxy_; }
  client::AdminClient& admin() { return *admin_; }

  // What the nodes say of the group; nothing from those that do not answer.
  std::vector<std::optional<client::GroupInfo>> Groups(
      absl::Duration each = absl::Milliseconds(500));
  // The node that leads and that a majority of the voters follow, as far as they answer.
  std::optional<int> Leader();
  absl::StatusOr<int> AwaitLeader(absl::Duration timeout = absl::Seconds(60));
  uint64_t Term();  // the highest that anybody tells

 private:
  struct Node {
    std::unique_ptr<base::Process> process;
    bool paused = false;
    bool joins = false;
    std::map<std::string, std::string> environment;
  };
  Cluster(ClusterOptions options, base::World& world, base::CancelToken cancel)
      : options_(std::move(options)), world_(world), cancel_(std::move(cancel)) {}
  absl::Status AddFront();
  absl::Status OpenAdmin();
  absl::Status LearnClusterId();
  bool StandsStill(int pid);
  absl::Status EndedByItself(int node);
  std::vector<std::string> CommandOf(int node) const;
  std::map<std::string, std::string> EnvironmentOf(int node) const;
  std::string EndOf(int node);  // the last of its log
  Node& at(int node) { return nodes_[static_cast<size_t>(node)]; }

  const ClusterOptions options_;
  base::World& world_;
  const base::CancelToken cancel_;
  std::unique_ptr<base::net::FaultProxy> proxy_;
  std::unique_ptr<client::AdminClient> admin_;
  std::vector<Node> nodes_;
  size_t first_nodes_ = 0;
  std::string cluster_id_;
};

}  // namespace slipway::eraft::chaos
