#include "eraft/cli/eraftctl.h"

#include <utility>

#include "base/sync/mutex.h"
#include "eraft/cli/commands.h"

namespace slipway::eraft::cli {
namespace {

constexpr int kExitUnreachable = 3;
constexpr int kExitCorruption = 4;

absl::Status Pause(absl::Duration duration, const base::CancelToken& cancel) {
  base::Mutex mutex;
  base::CondVar wake;
  const std::shared_ptr<void> registered = cancel.OnCancel([&] {
    const base::MutexLock lock(mutex);
    wake.NotifyAll();
  });
  const base::MutexLock lock(mutex);
  if (!cancel.cancelled() && duration > absl::ZeroDuration()) wake.WaitFor(mutex, duration);
  return cancel.status();
}

}  // namespace

int ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return base::kExitOk;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return kExitUnreachable;
    case absl::StatusCode::kDataLoss:
      return kExitCorruption;
    default:
      return base::kExitFailure;
  }
}

EraftCtl::EraftCtl(const std::string& version, OpenAdmin open) {
  base::cli::ProgramOptions options;
  options.version = version;
  options.exit_of = ExitCodeOf;
  options.go_style = true;
  program_ = std::make_unique<base::cli::Program>("eraftctl", "Looks after nodes of eraft.",
                                                  std::move(options));
  program_->globals().Example("eraftctl wal verify /var/lib/eraft/kv_0",
                              "0: the log is whole; 4: it is damaged");
  program_->globals().Example("eraftctl status -addrs kv-0:5001,kv-1:5001,kv-2:5001");
  program_->globals().Example("eraftctl doctor", "what is wrong, and what to do");
  auto context = std::make_shared<AdminContext>();
  context->open = std::move(open);
  context->pause = Pause;
  AddClusterCommands(*program_, context);
  AddMemberCommands(*program_, context);
  AddDoctorCommand(*program_, context);
  AddBackupCommands(*program_, context, version);
  AddDrillCommand(*program_, context);
  AddWalCommands(*program_);
}

EraftCtl::~EraftCtl() = default;

}  // namespace slipway::eraft::cli
