#include "base/sim/spawner.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/files.h"

namespace slipway::base::sim {
namespace {

constexpr int kFirstPid = 1000;

class PlayedProcess : public Process {
 public:
  PlayedProcess(Clock& clock, int pid, Spawner::Outcome outcome)
      : clock_(clock),
        pid_(pid),
        outcome_(std::move(outcome)),
        ends_at_(clock.Monotonic() + outcome_.takes) {}

  int pid() const override { return pid_; }

  absl::Status Kill(int signal) override {
    const MutexLock lock(mutex_);
    const absl::Duration now = clock_.Monotonic();
    if (now >= ends_at_) return absl::OkStatus();  // ended, not yet waited for
    ends_at_ = now;
    outcome_.status.code = -1;
    outcome_.status.signal = signal;
    return absl::OkStatus();
  }

  absl::StatusOr<ExitStatus> Wait(absl::Duration timeout) override {
    const MutexLock lock(mutex_);
    const absl::Duration left = std::max(ends_at_ - clock_.Monotonic(), absl::ZeroDuration());
    clock_.Advance(std::min(left, std::max(timeout, absl::ZeroDuration())));
    if (left > timeout) {
      return absl::DeadlineExceededError(
          absl::StrCat("wait for process ", pid_, ": it still runs"));
    }
    return outcome_.status;
  }

 private:
  Clock& clock_;
  const int pid_;
  Mutex mutex_;
  Spawner::Outcome outcome_ ABSL_GUARDED_BY(mutex_);
  absl::Duration ends_at_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

void Spawner::Play(absl::string_view program, Player player) {
  const MutexLock lock(mutex_);
  players_[std::string(program)] = std::move(player);
}

void Spawner::Play(absl::string_view program, ExitStatus status) {
  Play(program, [status = std::move(status)](const SpawnOptions&) -> absl::StatusOr<Outcome> {
    return Outcome{status, absl::ZeroDuration()};
  });
}

Owned<Process> Spawner::Spawn(SpawnOptions options) {
  if (options.argv.empty()) return absl::InvalidArgumentError("spawn: argv is empty");
  Player player;
  int pid = 0;
  {
    const MutexLock lock(mutex_);
    pid = kFirstPid + static_cast<int>(calls_.size());
    calls_.push_back(options);
    auto found = players_.find(options.argv[0]);
    if (found == players_.end()) {
      found = players_.find(std::string(SplitPath(options.argv[0]).second));
    }
    if (found == players_.end()) return ErrnoError(ENOENT, absl::StrCat("run ", options.argv[0]));
    player = found->second;
  }
  SLIPWAY_ASSIGN_OR_RETURN(Outcome outcome, player(options));
  return std::make_unique<PlayedProcess>(clock_, pid, std::move(outcome));
}

std::vector<SpawnOptions> Spawner::calls() {
  const MutexLock lock(mutex_);
  return calls_;
}

}  // namespace slipway::base::sim
