// Drives a Load over single calls (legacy, etcd), on the calling thread. Each client of the load is
// one of the servers' clients: it has an id, sends one request at a time, and sends it again, to
// whoever leads, until it is done or its time is over.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/sync/cancel.h"
#include "eraft/bench/load.h"
#include "eraft/client/session/route.h"
#include "eraft/client/unary_calls.h"

namespace slipway::eraft::bench {

struct UnaryLoadOptions {
  std::vector<std::string> addresses;
  client::UnaryApi api = client::UnaryApi::kLegacy;
  int connections = 1;                         // that the clients share, in turn
  uint64_t clients = 1;                        // as in LoadOptions
  absl::Duration timeout = absl::Seconds(10);  // of a request with all its attempts
  absl::Duration attempt = absl::Seconds(2);   // that a server may take to answer
  bool serializable = false;                   // etcd: reads
};

class UnaryLoad {
 public:
  // All outlives this.
  UnaryLoad(UnaryLoadOptions options, Load& load, client::UnaryCalls& calls, base::Clock& clock,
            base::Random& random);
  // Blocks until the load is over. What `cancel` says, if that comes first.
  absl::Status Run(const base::CancelToken& cancel);

 private:
  struct Client {
    client::Route route;
    client::UnaryRequest request;
    absl::Duration deadline;
    uint64_t attempts = 0;
  };
  void Send(uint64_t index);
  void SendDue();
  absl::Duration WaitMax() const;
  void Take(const client::UnaryAnswer& answer);
  // Sends again after `wait`, or gives up.
  void Again(uint64_t index, absl::Duration wait, const std::string& trouble);
  void End(uint64_t index, std::string error);

  const UnaryLoadOptions options_;
  Load& load_;
  client::UnaryCalls& calls_;
  base::Clock& clock_;
  std::vector<Client> clients_;
  std::multimap<absl::Duration, uint64_t> waiting_;  // clients, by when they send again
};

}  // namespace slipway::eraft::bench
