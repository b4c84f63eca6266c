#include "deploy/repository/folder_lock.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/mutant.h"
#include "base/status.h"
#include "base/sync/mutex.h"
#include "deploy/model/errors.h"
#include "deploy/repository/local_package.h"

namespace slipway::deploy {
namespace {

constexpr absl::Duration kPollFirst = absl::Milliseconds(5);
constexpr absl::Duration kPollMax = absl::Milliseconds(200);

// Until `duration` passed or the token fires.
void Pause(const base::CancelToken& cancel, absl::Duration duration) {
  base::Mutex mutex;
  base::CondVar wake;
  const std::shared_ptr<void> registered = cancel.OnCancel([&] {
    const base::MutexLock lock(mutex);
    wake.NotifyAll();
  });
  const base::MutexLock lock(mutex);
  if (!cancel.cancelled()) wake.WaitFor(mutex, duration);
}

}  // namespace

base::Owned<base::File> LockFolder(base::Dir& dir, base::Clock& clock,
                                   const FolderLockOptions& lock_options,
                                   const base::CancelToken& cancel) {
  const std::string what = absl::StrCat("lock ", lock_options.what);
  base::OpenOptions options;
  options.write = true;
  options.create = true;
  options.mode = lock_options.mode;
  base::Owned<base::File> file = dir.Open(kFolderLockFile, options);
  if (!file.ok()) return Wrap(file.status(), FileErrorCode(file.status(), Dt::kStorage), what);
  if (SLIPWAY_MUTANT("drop-lock")) return file;
  const absl::Duration give_up = clock.Monotonic() + lock_options.wait;
  for (absl::Duration pause = kPollFirst;; pause = std::min(2 * pause, kPollMax)) {
    const absl::Status locked = (*file)->TryLock();
    if (locked.ok()) return file;
    if (!absl::IsAborted(locked)) return Wrap(locked, FileErrorCode(locked, Dt::kStorage), what);
    const absl::Duration left = give_up - clock.Monotonic();
    if (left <= absl::ZeroDuration()) {
      return Wrap(locked, Dt::kLocked, what, lock_options.hint);
    }
    Pause(cancel, std::min(pause, left));
    SLIPWAY_RETURN_IF_ERROR(CancelError(cancel));
  }
}

}  // namespace slipway::deploy
