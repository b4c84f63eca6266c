// Environment variables and facts about this process. Thread-safe, as nobody sets variables.
#pragma once

#include "base/world.h"

namespace slipway::base::os {

class ProcessEnvironment : public Environment {
 public:
  std::optional<std::string> Get(absl::string_view name) override;
  std::vector<std::string> Names() override;
  std::string HostName() override;
  std::string UserName() override;
  uint32_t UserId() override;
  int ProcessId() override;
  std::string WorkingDirectory() override;  // empty when it has been removed
  uint32_t Umask() override;                // 022 when /proc does not tell
};

}  // namespace slipway::base::os
