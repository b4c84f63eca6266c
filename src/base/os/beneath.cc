#include "base/os/beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status.h"

namespace slipway::base::os {
namespace {

// openat2 gives EAGAIN when a rename elsewhere in the tree keeps it from being sure.
constexpr int kRaceTriesMax = 64;

int OpenAt2(int dir, const char* path, int flags, mode_t mode) {
  open_how how = {};
  how.flags = static_cast<uint64_t>(flags) | O_CLOEXEC;
  // Unlike open, openat2 refuses a mode where nothing can be created.
  const bool creates = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  how.mode = creates ? mode : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  int fd = -1;
  for (int tries = 0; tries < kRaceTriesMax; ++tries) {
    fd = static_cast<int>(
        RetryInterrupted([&] { return syscall(SYS_openat2, dir, path, &how, sizeof(how)); }));
    if (fd >= 0 || errno != EAGAIN) break;
  }
  return fd;
}

// With O_NOFOLLOW a link gives ENOTDIR where a directory was asked for; says ELOOP in both cases.
int OpenComponent(int dir, const char* name, int flags, mode_t mode) {
  const int fd =
      RetryInterrupted([&] { return openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC, mode); });
  if (fd >= 0 || errno != ENOTDIR) return fd;
  struct stat info;
  if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode)) {
    errno = ELOOP;
  } else {
    errno = ENOTDIR;
  }
  return -1;
}

Fd OpenByComponents(int dir, absl::string_view path, int flags, mode_t mode) {
  Fd current;
  int at = dir;
  while (true) {
    const size_t slash = path.find('/');
    const std::string name(path.substr(0, slash));
    if (slash == absl::string_view::npos) return Fd(OpenComponent(at, name.c_str(), flags, mode));
    Fd next(OpenComponent(at, name.c_str(), O_PATH | O_DIRECTORY, 0));
    if (!next.valid()) return next;
    current = std::move(next);
    at = current.get();
    path.remove_prefix(slash + 1);
  }
}

}  // namespace

Fd OpenBeneath(int dir, absl::string_view path, int flags, mode_t mode, bool use_openat2) {
  if (use_openat2) {
    Fd fd(OpenAt2(dir, std::string(path).c_str(), flags, mode));
    // EPERM: a sandbox that does not know the call, or a true refusal that comes again below.
    if (fd.valid() || (errno != ENOSYS && errno != EPERM)) return fd;
  }
  return OpenByComponents(dir, path, flags, mode);
}

Place::Place(int root, absl::string_view path, bool use_openat2) : root_(root) {
  const auto [parent, name] = SplitPath(path);
  name_ = std::string(name);
  if (parent.empty()) return;
  parent_ = OpenBeneath(root, parent, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, use_openat2);
  if (!parent_.valid()) root_ = -1;
}

absl::Status PathError(int error, absl::string_view what, absl::string_view path) {
  switch (error) {
    case ELOOP:
      return absl::FailedPreconditionError(
          absl::StrCat(what, " ", path, ": there is a symbolic link on the way"));
    case ENXIO:
      return absl::FailedPreconditionError(absl::StrCat(what, " ", path, ": not a regular file"));
    default:
      return ErrnoError(error, absl::StrCat(what, " ", path));
  }
}

}  // namespace slipway::base::os
