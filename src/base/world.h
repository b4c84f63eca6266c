// The outer world as one bundle, handed down from main. Everything is borrowed and outlives its
// user.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/loop.h"
#include "base/pool.h"
#include "base/random.h"
#include "base/spawner.h"

namespace slipway::base {

// Environment variables and facts about this process. Thread-safe.
class Environment {
 public:
  virtual ~Environment() = default;
  virtual std::optional<std::string> Get(absl::string_view name) = 0;
  // The names of all variables, in no order.
  virtual std::vector<std::string> Names() { return {}; }
  virtual std::string HostName() = 0;
  virtual std::string UserName() = 0;  // of the effective uid; the number where it has no name
  virtual uint32_t UserId() = 0;
  virtual int ProcessId() = 0;
  virtual std::string WorkingDirectory() = 0;
  // Permission bits that new files and directories of this process shall not have.
  virtual uint32_t Umask() { return 022; }
};

struct World {
  Clock& clock;
  Random& random;
  Files& files;
  Spawner& spawner;
  Pool& pool;
  Environment& environment;
};

}  // namespace slipway::base
