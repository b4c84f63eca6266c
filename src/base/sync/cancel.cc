#include "base/sync/cancel.h"

#include <pthread.h>

#include <atomic>
#include <list>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/sync/mutex.h"

namespace slipway::base {
namespace {

std::string TextOf(const CancelReason& reason) {
  using Kind = CancelReason::Kind;
  switch (reason.kind) {
    case Kind::kInterrupt:
      return reason.text.empty() ? "interrupted" : absl::StrCat("interrupted by ", reason.text);
    case Kind::kSiblingFailed:
      return "cancelled: another part of the same work failed";
    case Kind::kTimeout:
      return absl::StrCat("timed out after ", FormatDuration(reason.timeout));
    case Kind::kInvalidated:
      return "cancelled: the inputs changed";
    case Kind::kStarvation:
      return "cancelled: waited too long for resources";
    case Kind::kOther:
      break;
  }
  return reason.text.empty() ? "cancelled" : absl::StrCat("cancelled: ", reason.text);
}

}  // namespace

// What is to be done on cancellation: a call, or a child to be cancelled.
struct CancelToken::Callback {
  absl::AnyInvocable<void()> call;
  std::weak_ptr<State> child;
  enum class Phase { kWaiting, kRunning, kDone } phase = Phase::kWaiting;
  pthread_t runner = {};  // while running
};

struct CancelToken::State {
  Mutex mutex;
  CondVar callback_ended;
  std::atomic<bool> cancelled{false};  // set once, after `reason`
  CancelReason reason ABSL_GUARDED_BY(mutex);
  std::list<std::shared_ptr<Callback>> callbacks ABSL_GUARDED_BY(mutex);
  // Of a child: its registration with the parent, which knows the child only weakly.
  std::shared_ptr<State> parent;
  std::shared_ptr<Callback> registration;

  // A chain of sources may be long: its links end one after the other, not one inside the other.
  ~State() {
    std::shared_ptr<State> up = std::move(parent);
    std::shared_ptr<Callback> registered = std::move(registration);
    while (up != nullptr) {
      up->Unregister(registered);
      if (up.use_count() > 1) return;
      registered = std::move(up->registration);
      up = std::shared_ptr<State>(std::move(up->parent));
    }
  }

  // Takes `why` as the reason; false when there is one already.
  bool Begin(const CancelReason& why) {
    MutexLock lock(mutex);
    if (cancelled.load(std::memory_order_relaxed)) return false;
    reason = why;
    cancelled.store(true, std::memory_order_release);
    return true;
  }

  // Ends `ran`, if there is one, and begins the next callback; null when none is left.
  std::shared_ptr<Callback> Advance(const std::shared_ptr<Callback>& ran) {
    MutexLock lock(mutex);
    if (ran != nullptr) {
      ran->phase = Callback::Phase::kDone;
      callback_ended.NotifyAll();
    }
    if (callbacks.empty()) return nullptr;
    std::shared_ptr<Callback> next = std::move(callbacks.front());
    callbacks.pop_front();
    next->phase = Callback::Phase::kRunning;
    next->runner = pthread_self();
    return next;
  }

  // The whole tree below `root`, each child as one callback of its parent. Its depth is a matter of
  // memory, not of the stack.
  static bool Cancel(std::shared_ptr<State> root, const CancelReason& why) {
    if (!root->Begin(why)) return false;
    struct Level {
      std::shared_ptr<State> state;
      std::shared_ptr<Callback> running;
    };
    std::vector<Level> levels;
    levels.push_back({std::move(root), nullptr});
    while (!levels.empty()) {
      Level& level = levels.back();
      level.running = level.state->Advance(level.running);
      if (level.running == nullptr) {
        levels.pop_back();
        continue;
      }
      if (level.running->call != nullptr) {
        level.running->call();
        level.running->call = nullptr;  // what it captured ends here, outside the lock
      } else if (auto child = level.running->child.lock(); child != nullptr && child->Begin(why)) {
        levels.push_back({std::move(child), nullptr});
      }
    }
    return true;
  }

  // False when the cancellation has come already.
  bool Register(const std::shared_ptr<Callback>& callback) {
    MutexLock lock(mutex);
    if (cancelled.load(std::memory_order_relaxed)) return false;
    callbacks.push_back(callback);
    return true;
  }

  void Unregister(const std::shared_ptr<Callback>& callback) {
    absl::AnyInvocable<void()> dropped;  // destroyed after the lock is released
    MutexLock lock(mutex);
    if (callback->phase == Callback::Phase::kWaiting) {
      callbacks.remove(callback);
      callback->phase = Callback::Phase::kDone;
      dropped = std::move(callback->call);
    }
    // A callback that destroys its own registration does not wait for itself.
    while (callback->phase == Callback::Phase::kRunning &&
           pthread_equal(callback->runner, pthread_self()) == 0) {
      callback_ended.Wait(mutex);
    }
  }
};

bool CancelToken::cancelled() const {
  return state_ != nullptr && state_->cancelled.load(std::memory_order_acquire);
}

CancelReason CancelToken::reason() const {
  SLIPWAY_CHECK(cancelled());
  MutexLock lock(state_->mutex);
  return state_->reason;
}

absl::Status CancelToken::status() const {
  if (!cancelled()) return absl::OkStatus();
  const CancelReason why = reason();
  const auto code = why.kind == CancelReason::Kind::kTimeout ? absl::StatusCode::kDeadlineExceeded
                                                             : absl::StatusCode::kCancelled;
  return absl::Status(code, TextOf(why));
}

std::shared_ptr<void> CancelToken::OnCancel(absl::AnyInvocable<void()> callback) const {
  if (state_ == nullptr) return nullptr;
  struct Registration {
    std::shared_ptr<State> state;
    std::shared_ptr<Callback> callback;
    ~Registration() { state->Unregister(callback); }
  };
  auto registered = std::make_shared<Callback>();
  registered->call = std::move(callback);
  if (state_->Register(registered)) {
    return std::shared_ptr<void>(new Registration{state_, std::move(registered)});
  }
  registered->call();
  return nullptr;
}

CancelSource::CancelSource() : state_(std::make_shared<CancelToken::State>()) {}

CancelSource::CancelSource(const CancelToken& parent) : CancelSource() {
  if (parent.state_ == nullptr) return;
  auto registration = std::make_shared<CancelToken::Callback>();
  registration->child = state_;
  if (parent.state_->Register(registration)) {
    state_->parent = parent.state_;
    state_->registration = std::move(registration);
  } else {
    CancelToken::State::Cancel(state_, parent.reason());
  }
}

CancelToken CancelSource::token() const {
  CancelToken token;
  token.state_ = state_;
  return token;
}

// A copy of the reason: a callback may destroy this source, and with it what the caller's reason is
// part of. NOLINTNEXTLINE(performance-unnecessary-value-param)
bool CancelSource::Cancel(CancelReason reason) {
  return CancelToken::State::Cancel(state_, reason);
}

}  // namespace slipway::base
