#include "base/sync/cancel.h"

#include <pthread.h>

#include <atomic>
#include <list>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/sync/mutex.h"
#include "base/units.h"

namespace slipway::base {
namespace {

struct Callback {
  absl::AnyInvocable<void()> call;
  enum class Phase { kWaiting, kRunning, kDone } phase = Phase::kWaiting;
  pthread_t runner = {};  // while running
};

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

struct CancelToken::State {
  Mutex mutex;
  CondVar callback_ended;
  std::atomic<bool> cancelled{false};  // set once, after `reason`
  CancelReason reason ABSL_GUARDED_BY(mutex);
  std::list<std::shared_ptr<Callback>> callbacks ABSL_GUARDED_BY(mutex);
  // Of a child: its registration with the parent, which knows the child only weakly.
  std::shared_ptr<void> parent_registration;

  bool Cancel(CancelReason why) {
    MutexLock lock(mutex);
    if (cancelled.load(std::memory_order_relaxed)) return false;
    reason = std::move(why);
    cancelled.store(true, std::memory_order_release);
    while (!callbacks.empty()) {
      const std::shared_ptr<Callback> callback = std::move(callbacks.front());
      callbacks.pop_front();
      callback->phase = Callback::Phase::kRunning;
      callback->runner = pthread_self();
      mutex.Unlock();
      callback->call();
      callback->call = nullptr;  // what it captured ends here, outside the lock
      mutex.Lock();
      callback->phase = Callback::Phase::kDone;
      callback_ended.NotifyAll();
    }
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
  auto registered = std::make_shared<Callback>();
  {
    MutexLock lock(state_->mutex);
    if (!state_->cancelled.load(std::memory_order_relaxed)) {
      registered->call = std::move(callback);
      state_->callbacks.push_back(registered);
      struct Registration {
        std::shared_ptr<State> state;
        std::shared_ptr<Callback> callback;
        ~Registration() { state->Unregister(callback); }
      };
      return std::shared_ptr<void>(new Registration{state_, std::move(registered)});
    }
  }
  callback();
  return nullptr;
}

CancelSource::CancelSource() : state_(std::make_shared<CancelToken::State>()) {}

CancelSource::CancelSource(const CancelToken& parent) : CancelSource() {
  std::weak_ptr<CancelToken::State> child = state_;
  state_->parent_registration =
      parent.OnCancel([parent_state = std::weak_ptr(parent.state_), child] {
        // The parent's state is alive: it is what calls this.
        const auto from = parent_state.lock();
        const auto to = child.lock();
        if (from == nullptr || to == nullptr) return;
        CancelToken view;
        view.state_ = from;
        to->Cancel(view.reason());
      });
}

CancelToken CancelSource::token() const {
  CancelToken token;
  token.state_ = state_;
  return token;
}

bool CancelSource::Cancel(CancelReason reason) {
  const std::shared_ptr<CancelToken::State> kept = state_;  // a callback may destroy this source
  return kept->Cancel(std::move(reason));
}

}  // namespace slipway::base
