// What this process can do now: one object behind /livez, /readyz, /health and gRPC health.
// Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/sync/mutex.h"

namespace slipway::base::net {

class Health {
 public:
  enum class Phase : uint8_t { kStarting, kServing, kDraining };
  struct Check {
    std::string name;
    bool ok = true;
    std::string reason;  // why not; no secret, no path
  };

  void SetPhase(Phase phase);
  Phase phase() const;
  // A part that must work for the process to be ready ("storage"). Known from the first call on.
  void Set(absl::string_view name, bool ok, absl::string_view reason = "");
  // Ready: serving, and every part works.
  bool ready() const;
  std::vector<Check> checks() const;  // by name
  // Called after each change of ready() and at each LookAtServices, in order, on the thread that
  // made it. The callback may ask this object, but must not change it.
  void OnChange(std::function<void(bool ready)> callback);

  // Another name of gRPC health, with an answer of its own, asked for at each Check on a gRPC
  // thread; whoever watches it hears of a change at the next LookAtServices. Before the first call.
  void AddService(absl::string_view name, std::function<bool()> serving);
  // nullopt: no such name.
  std::optional<bool> ServiceServing(absl::string_view name) const;
  void LookAtServices();

 private:
  bool ReadyLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Tells the callbacks what ready() became, if it is not what they heard last.
  void Announce() ABSL_EXCLUSIVE_LOCKS_REQUIRED(order_);

  // Held over a change and its callbacks, so that they come in order; taken before mutex_.
  Mutex order_;
  bool announced_ ABSL_GUARDED_BY(order_) = false;
  mutable Mutex mutex_;
  Phase phase_ ABSL_GUARDED_BY(mutex_) = Phase::kStarting;
  std::map<std::string, Check> checks_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::function<void(bool)>> callbacks_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::function<bool()>> services_ ABSL_GUARDED_BY(mutex_);
};

// "starting", "serving", "draining".
absl::string_view PhaseName(Health::Phase phase);

}  // namespace slipway::base::net
