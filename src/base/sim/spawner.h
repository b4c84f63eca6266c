// Child processes that are played by functions of the test. Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/sim/clock.h"
#include "base/spawner.h"
#include "base/sync/mutex.h"

namespace slipway::base::sim {

class Spawner : public base::Spawner {
 public:
  // How a child ends, and after which time.
  struct Outcome {
    ExitStatus status;
    absl::Duration takes = absl::ZeroDuration();
  };
  using Player = std::function<absl::StatusOr<Outcome>(const SpawnOptions& options)>;

  explicit Spawner(Clock& clock) : clock_(clock) {}

  // `program` (argv[0], or its last component) is played by `player`, whose error is that of Spawn.
  void Play(absl::string_view program, Player player);
  void Play(absl::string_view program, ExitStatus status);
  // NotFound: nobody plays the program. Waiting for the child lets the clock advance.
  Owned<Process> Spawn(SpawnOptions options) override;
  // What was spawned so far, in order.
  std::vector<SpawnOptions> calls();

 private:
  Clock& clock_;
  Mutex mutex_;
  std::map<std::string, Player> players_ ABSL_GUARDED_BY(mutex_);
  std::vector<SpawnOptions> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::base::sim
