#include "base/sim/node_loop.h"

#include <deque>
#include <map>
#include <utility>

namespace slipway::base::sim {

// Shared with what waits in the common loop, which may outlive this one.
struct NodeLoop::State {
  struct Waiting {
    Task task;
    uint64_t common_timer = 0;  // 0: posted
  };
  std::map<uint64_t, Waiting> waiting;  // by id
  std::deque<uint64_t> held;            // fell due during a pause
  bool paused = false;
  uint64_t next_id = 1;

  void Run(uint64_t id) {
    if (paused) {
      if (waiting.count(id) > 0) held.push_back(id);
      return;
    }
    const auto found = waiting.find(id);
    if (found == waiting.end()) return;
    Task task = std::move(found->second.task);
    waiting.erase(found);
    task();
  }
};

NodeLoop::NodeLoop(base::Loop& common, const NodeClock& clock)
    : common_(common), clock_(clock), state_(std::make_shared<State>()) {}

NodeLoop::~NodeLoop() { Forget(); }

void NodeLoop::Post(Task task) {
  const uint64_t id = state_->next_id++;
  state_->waiting[id].task = std::move(task);
  common_.Post([state = state_, id] { state->Run(id); });
}

uint64_t NodeLoop::After(absl::Duration delay, Task task) {
  const uint64_t id = state_->next_id++;
  State::Waiting& waiting = state_->waiting[id];
  waiting.task = std::move(task);
  waiting.common_timer =
      common_.After(clock_.InCommonTime(delay), [state = state_, id] { state->Run(id); });
  return id;
}

void NodeLoop::Cancel(uint64_t timer) {
  const auto found = state_->waiting.find(timer);
  if (found == state_->waiting.end()) return;
  common_.Cancel(found->second.common_timer);
  const Task task = std::move(found->second.task);  // what it holds may call back
  state_->waiting.erase(found);
}

void NodeLoop::Pause() { state_->paused = true; }

void NodeLoop::Resume() {
  state_->paused = false;
  for (const uint64_t id : std::exchange(state_->held, {})) {
    const auto found = state_->waiting.find(id);
    if (found == state_->waiting.end()) continue;
    found->second.common_timer = 0;
    common_.Post([state = state_, id] { state->Run(id); });
  }
}

bool NodeLoop::paused() const { return state_->paused; }

void NodeLoop::Forget() {
  state_->paused = false;
  state_->held.clear();
  // What is destroyed may post anew.
  while (!state_->waiting.empty()) {
    const std::map<uint64_t, State::Waiting> gone = std::exchange(state_->waiting, {});
    for (const auto& [id, waiting] : gone) {
      if (waiting.common_timer != 0) common_.Cancel(waiting.common_timer);
    }
  }
}

}  // namespace slipway::base::sim
