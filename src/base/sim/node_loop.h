// The loop of one process among several that share one virtual time: its timers follow the clock of
// its machine, it can be paused (SIGSTOP, a suspended machine), and it forgets everything when its
// process dies. One thread: that of the common loop.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/time/time.h"
#include "base/loop.h"
#include "base/sim/node_clock.h"

namespace slipway::base::sim {

class NodeLoop : public base::Loop {
 public:
  // Both outlive it.
  NodeLoop(base::Loop& common, const NodeClock& clock);
  ~NodeLoop() override;
  void Post(Task task) override;
  // `delay` is of the node's clock, at its rate of now.
  uint64_t After(absl::Duration delay, Task task) override;
  void Cancel(uint64_t timer) override;

  // Nothing runs until Resume, while time goes on; what falls due meanwhile runs then, in order.
  void Pause();
  void Resume();
  bool paused() const;
  // The process is gone: what has not run never will, and is destroyed. A task of its own that is
  // running goes on. Not paused afterwards.
  void Forget();

 private:
  struct State;
  base::Loop& common_;
  const NodeClock& clock_;
  std::shared_ptr<State> state_;
};

}  // namespace slipway::base::sim
