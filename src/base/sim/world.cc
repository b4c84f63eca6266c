#include "base/sim/world.h"

namespace slipway::base::sim {

std::optional<std::string> Environment::Get(absl::string_view name) {
  const MutexLock lock(mutex_);
  const auto found = variables_.find(std::string(name));
  if (found == variables_.end()) return std::nullopt;
  return found->second;
}

std::vector<std::string> Environment::Names() {
  const MutexLock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& variable : variables_) names.push_back(variable.first);
  return names;
}

std::string Environment::HostName() { return "sim"; }

std::string Environment::UserName() {
  const MutexLock lock(mutex_);
  return user_name_;
}

uint32_t Environment::UserId() {
  const MutexLock lock(mutex_);
  return user_id_;
}

int Environment::ProcessId() {
  const MutexLock lock(mutex_);
  return process_id_;
}

std::string Environment::WorkingDirectory() {
  const MutexLock lock(mutex_);
  return working_directory_;
}

void Environment::Set(absl::string_view name, absl::string_view value) {
  const MutexLock lock(mutex_);
  variables_[std::string(name)] = std::string(value);
}

void Environment::Unset(absl::string_view name) {
  const MutexLock lock(mutex_);
  variables_.erase(std::string(name));
}

void Environment::SetUser(absl::string_view name, uint32_t id) {
  const MutexLock lock(mutex_);
  user_name_ = std::string(name);
  user_id_ = id;
}

void Environment::SetProcessId(int id) {
  const MutexLock lock(mutex_);
  process_id_ = id;
}

void Environment::SetWorkingDirectory(absl::string_view path) {
  const MutexLock lock(mutex_);
  working_directory_ = std::string(path);
}

// Each part has a seed of its own, so that what one uses up does not change another.
World::World(uint64_t seed)
    : random(Mix(seed, 1)),
      files(Mix(seed, 2)),
      loop(Mix(seed, 3), clock),
      pool(Mix(seed, 4)),
      spawner(clock),
      world_{clock, random, files, spawner, pool, environment} {
  files.SetClock(&clock);
}

void World::SetUser(absl::string_view name, uint32_t id) {
  environment.SetUser(name, id);
  files.SetCaller({.uid = id, .gid = id, .pid = environment.ProcessId()});
}

void World::SetWorkingDirectory(absl::string_view path) {
  environment.SetWorkingDirectory(path);
  files.SetWorkingDirectory(path);
}

}  // namespace slipway::base::sim
