#include "eraft/cli/eraftctl.h"

#include "eraft/cli/commands.h"

namespace slipway::eraft::cli {
namespace {

constexpr int kExitUnreachable = 3;
constexpr int kExitCorruption = 4;

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

EraftCtl::EraftCtl(const std::string& version) {
  base::cli::ProgramOptions options;
  options.version = version;
  options.exit_of = ExitCodeOf;
  program_ = std::make_unique<base::cli::Program>("eraftctl", "Looks after nodes of eraft.",
                                                  std::move(options));
  program_->globals().Example("eraftctl wal verify /var/lib/eraft/kv_0",
                              "0: the log is whole; 4: it is damaged");
  AddWalCommands(*program_);
}

EraftCtl::~EraftCtl() = default;

}  // namespace slipway::eraft::cli
