#include "eraft/chaos/tools.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/sync/mutex.h"

namespace slipway::eraft::chaos {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(20);

}  // namespace

absl::Status Wait(absl::Duration time, const base::CancelToken& cancel) {
  base::Mutex mutex;
  base::CondVar wake;
  bool woken = false;
  const std::shared_ptr<void> registered = cancel.OnCancel([&] {
    const base::MutexLock lock(mutex);
    woken = true;
    wake.NotifyAll();
  });
  const base::MutexLock lock(mutex);
  if (!woken && time > absl::ZeroDuration()) wake.WaitFor(mutex, time);
  return cancel.status();
}

absl::Status WaitFor(absl::string_view what, absl::Duration timeout, base::Clock& clock,
                     const base::CancelToken& cancel, const std::function<bool()>& done) {
  const absl::Duration deadline = clock.Monotonic() + timeout;
  while (!done()) {
    if (clock.Monotonic() > deadline) {
      return absl::DeadlineExceededError(
          absl::StrCat(what, ": not within ", absl::FormatDuration(timeout)));
    }
    SLIPWAY_RETURN_IF_ERROR(Wait(kLook, cancel));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> RunTool(base::World& world, std::vector<std::string> argv,
                                    absl::Duration timeout) {
  const std::string shown = absl::StrJoin(argv, " ");
  base::SpawnOptions options;
  options.argv = std::move(argv);
  SLIPWAY_ASSIGN_OR_RETURN(const auto process, world.spawner.Spawn(std::move(options)));
  SLIPWAY_ASSIGN_OR_RETURN(const base::ExitStatus status, process->Wait(timeout));
  if (status.code == 0) return status.out;
  return absl::InternalError(absl::StrCat("run ", shown, ": exit code ", status.code, ": ",
                                          absl::StripTrailingAsciiWhitespace(status.err)));
}

absl::Status WriteSmall(base::World& world, const std::string& path, absl::string_view text) {
  const auto [parent, name] = base::SplitPath(path);
  SLIPWAY_ASSIGN_OR_RETURN(const auto dir, world.files.OpenRoot(absl::StrCat(parent, "/")));
  return base::WriteFileDurably(*dir, name, text, 0666);
}

bool FileExists(base::World& world, const std::string& path) {
  const auto [parent, name] = base::SplitPath(path);
  const auto dir = world.files.OpenRoot(parent.empty() ? "." : std::string(parent));
  return dir.ok() && (*dir)->Stat(name).ok();
}

std::string FindTool(base::World& world, const std::string& name) {
  for (const char* folder : {"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"}) {
    const std::string path = absl::StrCat(folder, name);
    if (FileExists(world, path)) return path;
  }
  return "";
}

}  // namespace slipway::eraft::chaos
