// The simulated world: one seed decides everything that is not decided by the test.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "base/sim/clock.h"
#include "base/sim/files.h"
#include "base/sim/loop.h"
#include "base/sim/pool.h"
#include "base/sim/random.h"
#include "base/sim/spawner.h"
#include "base/sync/mutex.h"
#include "base/world.h"

namespace slipway::base::sim {

// Variables and facts that the test sets. Thread-safe.
class Environment : public base::Environment {
 public:
  std::optional<std::string> Get(absl::string_view name) override;
  std::vector<std::string> Names() override;
  std::string HostName() override;
  std::string UserName() override;
  uint32_t UserId() override;
  int ProcessId() override;
  std::string WorkingDirectory() override;

  void Set(absl::string_view name, absl::string_view value);
  void Unset(absl::string_view name);
  void SetUser(absl::string_view name, uint32_t id);
  void SetProcessId(int id);
  void SetWorkingDirectory(absl::string_view path);

 private:
  Mutex mutex_;
  std::map<std::string, std::string> variables_ ABSL_GUARDED_BY(mutex_);
  std::string user_name_ ABSL_GUARDED_BY(mutex_) = "root";
  uint32_t user_id_ ABSL_GUARDED_BY(mutex_) = 0;
  int process_id_ ABSL_GUARDED_BY(mutex_) = 1;
  std::string working_directory_ ABSL_GUARDED_BY(mutex_) = "/";
};

// Everything for one simulated process. The members are the knobs; world() is what the code under
// test is handed.
class World {
 public:
  explicit World(uint64_t seed);
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  base::World& world() { return world_; }
  // Who the process is, for the file system and the environment alike.
  void SetUser(absl::string_view name, uint32_t id);
  void SetWorkingDirectory(absl::string_view path);

  Clock clock;
  Random random;
  Files files;
  Loop loop;
  Pool pool;
  Spawner spawner;
  Environment environment;

 private:
  base::World world_;
};

}  // namespace slipway::base::sim
