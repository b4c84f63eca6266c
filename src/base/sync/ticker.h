// Does something every so often on a loop. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "base/loop.h"
#include "base/sync/mutex.h"

namespace slipway::base {

class Ticker {
 public:
  // `tick` runs on `loop`, first after one `interval`, and must not block.
  Ticker(Loop& loop, absl::Duration interval, std::function<void()> tick)
      : state_(std::make_shared<State>()) {
    state_->loop = &loop;
    state_->interval = interval;
    state_->tick = std::move(tick);
    loop.Post([state = state_] { Arm(state); });
  }
  // No tick runs after this. Not from the tick.
  ~Ticker() {
    MutexLock lock(state_->mutex);
    state_->tick = nullptr;
  }
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

 private:
  struct State {
    Loop* loop = nullptr;
    absl::Duration interval;
    Mutex mutex;
    std::function<void()> tick ABSL_GUARDED_BY(mutex);
  };
  // On the loop. The timer of a stopped ticker fires once more and finds nothing to do.
  static void Arm(const std::shared_ptr<State>& state) {
    state->loop->After(state->interval, [state] {
      {
        MutexLock lock(state->mutex);
        if (!state->tick) return;
        state->tick();
      }
      Arm(state);
    });
  }
  std::shared_ptr<State> state_;
};

}  // namespace slipway::base
