// What the links use to move messages: gRPC's calls, or a test's.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/pool.h"
#include "base/sync/mutex.h"
#include "eraft/transport/link/wire.h"

namespace slipway::eraft::link {

// A stream that this node opened. Thread-safe.
class ClientStream {
 public:
  virtual ~ClientStream() = default;
  // One at a time: the next after OnWritten. Not after OnBroken.
  virtual void Write(OutMessage message) = 0;
  // OnBroken and OnClosed follow, if they have not come yet. Idempotent.
  virtual void Cancel() = 0;
};

// What becomes of it; from any thread, but OnMessage one at a time.
class ClientEvents {
 public:
  virtual ~ClientEvents() = default;
  virtual void OnMessage(Slices message) = 0;
  virtual void OnWritten() = 0;
  // No message comes any more. When this returns, Write is not called any more.
  virtual void OnBroken() = 0;
  // The last. `status`: what the peer or gRPC said.
  virtual void OnClosed(const absl::Status& status) = 0;
};

class Dialer {
 public:
  virtual ~Dialer() = default;
  // Begins a stream to `address`, looked up now. Blocks (it reads certificates). Events may come
  // before this returns. Thread-safe.
  virtual absl::StatusOr<std::shared_ptr<ClientStream>> Dial(
      const std::string& address, std::shared_ptr<ClientEvents> events) = 0;
};

// A stream that came. Its methods are called one at a time; none after Finish.
class ServerStream {
 public:
  virtual ~ServerStream() = default;
  virtual void Write(OutMessage message) = 0;  // one at a time: the next after OnWritten
  virtual void Read() = 0;                     // asks for a message, one at a time
  virtual void Finish(const absl::Status& status) = 0;
};

// What goes on, for whoever waits for its end: streams, jobs. Thread-safe; copies are the same.
class Running {
 public:
  // Counts until what it returns is gone.
  std::shared_ptr<void> Hold() {
    {
      const base::MutexLock lock(state_->mutex);
      ++state_->count;
    }
    return {nullptr, [state = state_](void*) {
              const base::MutexLock lock(state->mutex);
              if (--state->count == 0) state->none.NotifyAll();
            }};
  }
  // Until nothing is held, running queued jobs of `pool` meanwhile.
  void WaitNone(base::Pool& pool) {
    while (count() > 0) {
      if (pool.RunOne()) continue;
      const base::MutexLock lock(state_->mutex);
      if (state_->count > 0) state_->none.WaitFor(state_->mutex, absl::Milliseconds(100));
    }
  }
  int count() const {
    const base::MutexLock lock(state_->mutex);
    return state_->count;
  }

 private:
  struct State {
    base::Mutex mutex;
    base::CondVar none;
    int count ABSL_GUARDED_BY(mutex) = 0;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace slipway::eraft::link
