#include "base/os/signals.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include <csignal>
#include <utility>

#include "base/check.h"
#include "base/os/thread.h"

namespace slipway::base::os {
namespace {

sigset_t AwaitedSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  return set;
}

const char* NameOf(int signal) {
  switch (signal) {
    case SIGINT:
      return "SIGINT";
    case SIGTERM:
      return "SIGTERM";
    default:
      return "SIGHUP";
  }
}

}  // namespace

void BlockSignals() {
  const sigset_t set = AwaitedSignals();
  SLIPWAY_CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

CancelOnSignals::CancelOnSignals(CancelSource& source, absl::AnyInvocable<void()> on_hangup,
                                 absl::AnyInvocable<void(int signal)> on_second)
    : source_(source), on_hangup_(std::move(on_hangup)), on_second_(std::move(on_second)) {
  // A descriptor rather than sigwait: the thread must also hear the destructor.
  const sigset_t set = AwaitedSignals();
  signals_ = Fd(signalfd(-1, &set, SFD_CLOEXEC));
  stop_ = Fd(eventfd(0, EFD_CLOEXEC));
  SLIPWAY_CHECK(signals_.valid());
  SLIPWAY_CHECK(stop_.valid());
  thread_ = StartThread("signals", [this] { Run(); });
}

CancelOnSignals::~CancelOnSignals() {
  const uint64_t one = 1;
  SLIPWAY_CHECK(write(stop_.get(), &one, sizeof(one)) == sizeof(one));
  thread_.join();
}

void CancelOnSignals::Run() {
  while (true) {
    pollfd waited[2] = {{.fd = signals_.get(), .events = POLLIN, .revents = 0},
                        {.fd = stop_.get(), .events = POLLIN, .revents = 0}};
    if (RetryInterrupted([&] { return poll(waited, 2, -1); }) < 0) return;
    if (waited[1].revents != 0) return;
    signalfd_siginfo info;
    const ssize_t got = RetryInterrupted([&] { return read(signals_.get(), &info, sizeof(info)); });
    if (got == sizeof(info)) Handle(static_cast<int>(info.ssi_signo));
  }
}

void CancelOnSignals::Handle(int signal) {
  if (signal == SIGHUP && on_hangup_ != nullptr) {
    on_hangup_();
    return;
  }
  int none = 0;
  if (!signal_.compare_exchange_strong(none, signal)) {
    if (on_second_ != nullptr) on_second_(signal);
    return;
  }
  source_.Cancel({.kind = CancelReason::Kind::kInterrupt, .text = NameOf(signal)});
}

}  // namespace slipway::base::os
