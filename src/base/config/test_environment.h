// An environment made of a map, for tests of this folder and of base/cli.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/world.h"

namespace slipway::base {

class MapEnvironment : public Environment {
 public:
  explicit MapEnvironment(std::map<std::string, std::string> variables)
      : variables_(std::move(variables)) {}
  std::optional<std::string> Get(absl::string_view name) override {
    const auto found = variables_.find(std::string(name));
    return found == variables_.end() ? std::nullopt : std::optional<std::string>(found->second);
  }
  std::vector<std::string> Names() override {
    std::vector<std::string> names;
    for (const auto& variable : variables_) names.push_back(variable.first);
    return names;
  }
  std::string HostName() override { return "host"; }
  std::string UserName() override { return "user"; }
  uint32_t UserId() override { return 1000; }
  int ProcessId() override { return 4711; }
  std::string WorkingDirectory() override { return "/work"; }

 private:
  std::map<std::string, std::string> variables_;
};

}  // namespace slipway::base
