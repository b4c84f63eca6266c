// kvserver's command line (spec 6.4). Thread-compatible.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "base/cli/command.h"
#include "base/cli/server_flags.h"
#include "base/config/reader.h"
#include "eraft/service/config.h"

namespace slipway::eraft {

struct KvServerSettings {
  KvServerConfig config;
  KvServerPlan plan;
  std::vector<base::ConfigField> values;
  bool shown = false;  // they were only asked for: nothing is to be started
};

// A flag for each key, named as it with dashes for underscores and dots.
void AddKvServerFlags(base::cli::Command& command, base::cli::ServerFlags& flags);

// Errors name file, line, variable or flag. InvalidArgument.
absl::StatusOr<KvServerSettings> ReadKvServerSettings(const base::cli::ServerFlags& flags,
                                                      base::cli::Invocation& in);

}  // namespace slipway::eraft
