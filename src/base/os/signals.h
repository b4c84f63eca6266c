// Signals as cancellation and as reload. Blocked first, by World, in every thread; then awaited by
// one thread named "signals".
#pragma once

#include <atomic>
#include <thread>

#include "absl/functional/any_invocable.h"
#include "base/os/fd.h"
#include "base/sync/cancel.h"

namespace slipway::base::os {

// Blocks SIGINT, SIGTERM and SIGHUP in the calling thread and those it starts later, and ignores
// SIGPIPE and SIGXFSZ in the process (a write to a closed pipe, or past the limit of a file's size,
// then fails with an error).
void BlockSignals();

// Cancels `source` on SIGINT, SIGTERM and, unless `on_hangup` is given, SIGHUP; with reason
// kInterrupt and the signal's name. Needs BlockSignals first. Thread-safe. One at a time in a
// process.
class CancelOnSignals {
 public:
  // `source` outlives this. `on_hangup` runs on the thread of this for each SIGHUP, for reloads.
  // `on_second` likewise, when a signal comes that would cancel what is cancelled already: for
  // those who do not want to wait.
  explicit CancelOnSignals(CancelSource& source, absl::AnyInvocable<void()> on_hangup = nullptr,
                           absl::AnyInvocable<void(int signal)> on_second = nullptr);
  ~CancelOnSignals();  // stops the thread; later signals stay pending
  CancelOnSignals(const CancelOnSignals&) = delete;
  CancelOnSignals& operator=(const CancelOnSignals&) = delete;

  // The first signal that cancelled, 0 for none.
  int signal() const { return signal_.load(); }
  // 128 + that signal: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP; 0 for none.
  int exit_code() const { return signal() == 0 ? 0 : 128 + signal(); }

 private:
  void Run();
  void Handle(int signal);

  CancelSource& source_;
  absl::AnyInvocable<void()> on_hangup_;
  absl::AnyInvocable<void(int signal)> on_second_;
  std::atomic<int> signal_{0};
  Fd signals_;  // signalfd
  Fd stop_;     // eventfd: the destructor has begun
  std::thread thread_;
};

}  // namespace slipway::base::os
