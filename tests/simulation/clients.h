// Clients of the simulated cluster: each a session that does one thing after the other, tries again
// until it knows what became of it or gives up, and notes what it saw (E144, E204). One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/sim/random.h"
#include "checker.h"
#include "eraft/check/linearizability.h"
#include "eraft/check/models.h"
#include "eraft/node/node.h"
#include "machine.h"
#include "trace.h"

namespace slipway::eraft::simulation {

using History = std::vector<check::Operation<check::RegisterModel>>;

struct ClientOptions {
  int count = 4;
  bool leases = false;  // reads may be of ReadMode::kLease
  bool strict = false;  // sessions are registered
  // Clients have no sessions, and those of bursts are few and short: nobody misses what is evicted.
  bool short_sessions = false;
  int keys = 4;                // of each group, for put, append and get
  uint64_t pad_bytes_max = 0;  // added to some values
};

class Clients {
 public:
  Clients(Common& common, std::vector<std::unique_ptr<Machine>>& machines, ClientOptions options);
  ~Clients();

  void Start();
  // No new operations; those under way go on.
  void Finish() { finishing_ = true; }
  bool done() const;
  // A crowd that wants much at once (E201: overload): commands that nobody waits for.
  void Burst(raft::NodeId node, int commands);

  // Where a key lies. Shard 0 is that of bursts.
  static ShardId ShardOf(uint64_t key);
  // Each group's. Keys are "<group>/<key>".
  const History& history() const { return history_; }
  uint64_t completed() const { return completed_; }
  uint64_t unknown() const { return unknown_; }
  uint64_t retries() const { return retries_; }
  uint64_t lease_reads() const { return lease_reads_; }
  uint64_t overloads() const { return overloads_; }
  // What clients wait for, one line each.
  std::string Waiting() const;

 private:
  struct Client;
  struct Attempt;
  void Next(Client& client);
  void Choose(Client& client);
  void Try(Client& client);
  void TryWrite(Client& client, Machine& machine);
  void TryRead(Client& client, Machine& machine);
  void OnWritten(Client& client, const absl::StatusOr<Outcome>& outcome);
  void OnRead(Client& client, const absl::StatusOr<std::optional<std::string>>& value);
  void Again(Client& client, bool maybe_done);
  void Complete(Client& client);
  void GiveUp(Client& client);
  void Renew(Client& client);
  absl::Duration now() const { return common_.clock.Monotonic() - start_; }

  Common& common_;
  std::vector<std::unique_ptr<Machine>>& machines_;
  const ClientOptions options_;
  base::sim::Stream choices_;
  const absl::Duration start_;
  std::vector<std::unique_ptr<Client>> clients_;
  History history_;
  ClientId next_client_ = 1;
  CommandId next_burst_ = 1;
  bool finishing_ = false;
  uint64_t completed_ = 0, unknown_ = 0, retries_ = 0;
  uint64_t lease_reads_ = 0, overloads_ = 0;
};

}  // namespace slipway::eraft::simulation
