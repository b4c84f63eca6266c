#include "base/net/health.h"

namespace slipway::base::net {

absl::string_view PhaseName(Health::Phase phase) {
  switch (phase) {
    case Health::Phase::kStarting:
      return "starting";
    case Health::Phase::kServing:
      return "serving";
    case Health::Phase::kDraining:
      return "draining";
  }
  return "unknown";
}

void Health::SetPhase(Phase phase) {
  MutexLock order(order_);
  {
    MutexLock lock(mutex_);
    phase_ = phase;
  }
  Announce();
}

Health::Phase Health::phase() const {
  MutexLock lock(mutex_);
  return phase_;
}

void Health::Set(absl::string_view name, bool ok, absl::string_view reason) {
  MutexLock order(order_);
  {
    MutexLock lock(mutex_);
    checks_[std::string(name)] = Check{std::string(name), ok, std::string(reason)};
  }
  Announce();
}

bool Health::ready() const {
  MutexLock lock(mutex_);
  return ReadyLocked();
}

bool Health::ReadyLocked() const {
  if (phase_ != Phase::kServing) return false;
  for (const auto& [name, check] : checks_) {
    if (!check.ok) return false;
  }
  return true;
}

std::vector<Health::Check> Health::checks() const {
  MutexLock lock(mutex_);
  std::vector<Check> checks;
  checks.reserve(checks_.size());
  for (const auto& [name, check] : checks_) checks.push_back(check);
  return checks;
}

void Health::OnChange(std::function<void(bool ready)> callback) {
  MutexLock order(order_);
  MutexLock lock(mutex_);
  callbacks_.push_back(std::move(callback));
}

void Health::AddService(absl::string_view name, std::function<bool()> serving) {
  MutexLock lock(mutex_);
  services_[std::string(name)] = std::move(serving);
}

std::optional<bool> Health::ServiceServing(absl::string_view name) const {
  std::function<bool()> serving;
  {
    MutexLock lock(mutex_);
    const auto found = services_.find(std::string(name));
    if (found == services_.end()) return std::nullopt;
    serving = found->second;
  }
  return serving();
}

void Health::LookAtServices() {
  MutexLock order(order_);
  std::vector<std::function<void(bool)>> callbacks;
  {
    MutexLock lock(mutex_);
    callbacks = callbacks_;
    announced_ = ReadyLocked();
  }
  for (const auto& callback : callbacks) callback(announced_);
}

void Health::Announce() {
  bool now = false;
  std::vector<std::function<void(bool)>> callbacks;
  {
    MutexLock lock(mutex_);
    now = ReadyLocked();
    if (now == announced_) return;
    callbacks = callbacks_;
  }
  announced_ = now;
  for (const auto& callback : callbacks) callback(now);
}

}  // namespace slipway::base::net
