// Much more than a cluster can do: writes without end, nothing of which is recorded. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/os/loop.h"
#include "base/sync/mutex.h"
#include "base/world.h"
#include "eraft/client/session/client.h"

namespace slipway::eraft::chaos {

class Flood {
 public:
  // `each`: operations that each client has under way.
  Flood(int clients, int each, std::vector<std::string> addresses, base::World& world);
  ~Flood();  // as Stop
  absl::Status Start();
  void Stop();  // waits for what is under way

  uint64_t done() const { return done_; }
  uint64_t failed() const { return failed_; }

 private:
  void Next(size_t client);

  const int clients_wanted_, each_;
  const std::vector<std::string> addresses_;
  base::World& world_;
  std::atomic<uint64_t> done_{0}, failed_{0};
  uint64_t number_ = 0;  // on the loop
  base::Mutex mutex_;
  base::CondVar changed_;
  int under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  base::os::ThreadLoop loop_{"flood"};
  std::vector<std::unique_ptr<client::Client>> clients_;
};

}  // namespace slipway::eraft::chaos
