#include "base/os/linux_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <climits>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/os/random.h"
#include "base/temp_files.h"

namespace slipway::base::os {
namespace {

constexpr int kRaceTriesMax = 64;

bool IsSelf(absl::string_view path) { return path.empty() || path == "."; }

const LinuxDir* AsLinux(const Dir& dir) { return dynamic_cast<const LinuxDir*>(&dir); }

class LinuxDirCursor : public DirCursor {
 public:
  LinuxDirCursor(DIR* stream, std::string name) : stream_(stream), name_(std::move(name)) {}
  ~LinuxDirCursor() override { closedir(stream_); }

  absl::StatusOr<std::optional<DirEntry>> Next() override {
    while (true) {
      errno = 0;
      const dirent* entry = readdir(stream_);
      if (entry == nullptr) {
        if (errno != 0) return PathError(errno, "list", name_);
        return std::nullopt;
      }
      const absl::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      DirEntry result{.name = std::string(name), .kind = FileKind::kOther};
      if (!FindKind(*entry, result.kind)) continue;
      return result;
    }
  }

 private:
  // False when the entry is gone by now.
  bool FindKind(const dirent& entry, FileKind& kind) const {
    switch (entry.d_type) {
      case DT_REG:
        kind = FileKind::kFile;
        return true;
      case DT_DIR:
        kind = FileKind::kDirectory;
        return true;
      case DT_LNK:
        kind = FileKind::kSymlink;
        return true;
      case DT_UNKNOWN:
        break;
      default:
        kind = FileKind::kOther;
        return true;
    }
    struct stat info;
    if (fstatat(dirfd(stream_), entry.d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
      return errno != ENOENT;
    }
    kind = MetaOf(info).kind;
    return true;
  }

  DIR* stream_;
  std::string name_;
};

}  // namespace

std::string LinuxDir::Shown(absl::string_view path) const {
  return IsSelf(path) ? handle_->name : JoinPath(handle_->name, path);
}

absl::Status LinuxDir::Error(int error, absl::string_view what, absl::string_view path) const {
  return PathError(error, what, Shown(path));
}

Owned<Dir> LinuxDir::OpenDir(absl::string_view path) {
  if (!IsSelf(path)) SLIPWAY_RETURN_IF_ERROR(CheckRelative(path));
  Fd opened = IsSelf(path) ? Fd(openat(fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC))
                           : OpenBeneath(fd(), path, O_RDONLY | O_DIRECTORY, 0, options_.openat2);
  if (!opened.valid()) return Error(errno, "open directory", path);
  return std::make_unique<LinuxDir>(std::move(opened), Shown(path), options_);
}

Fd LinuxDir::OpenFile(absl::string_view path, const OpenOptions& options, bool& created) const {
  // O_NONBLOCK: opening a FIFO must not wait for its other end; files do not mind.
  int flags = O_NONBLOCK | O_NOCTTY;
  flags |= options.write ? (options.read ? O_RDWR : O_WRONLY) : O_RDONLY;
  if (options.truncate) flags |= O_TRUNC;
  for (int tries = 0; tries < kRaceTriesMax; ++tries) {
    created = false;
    if (options.create) {
      Fd fresh = OpenBeneath(fd(), path, flags | O_CREAT | O_EXCL, options.mode, options_.openat2);
      created = fresh.valid();
      if (created || errno != EEXIST || options.exclusive) return fresh;
    }
    Fd existing = OpenBeneath(fd(), path, flags, 0, options_.openat2);
    // Removed between the two calls: create it after all.
    if (existing.valid() || errno != ENOENT || !options.create) return existing;
  }
  return Fd();
}

Owned<File> LinuxDir::Open(absl::string_view path, OpenOptions options) {
  SLIPWAY_RETURN_IF_ERROR(CheckRelative(path));
  if ((!options.read && !options.write) ||
      (!options.write && (options.create || options.truncate)) ||
      (options.exclusive && !options.create)) {
    return absl::InvalidArgumentError(
        absl::StrCat("open ", Shown(path), ": the options contradict each other"));
  }
  bool created = false;
  Fd opened = OpenFile(path, options, created);
  if (!opened.valid()) return Error(errno, "open", path);
  struct stat info;
  if (fstat(opened.get(), &info) != 0) return Error(errno, "open", path);
  if (S_ISDIR(info.st_mode)) return Error(EISDIR, "open", path);
  if (!S_ISREG(info.st_mode)) return Error(ENXIO, "open", path);
  if (created && (info.st_mode & 07777) != options.mode &&
      fchmod(opened.get(), options.mode) != 0) {
    return Error(errno, "set mode of", path);
  }
  return std::make_unique<LinuxFile>(std::move(opened), Shown(path), options_);
}

Owned<File> LinuxDir::CreateTemp() {
  if (options_.anonymous_temp) {
    Fd opened(openat(fd(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (opened.valid()) {
      auto file =
          std::make_unique<LinuxFile>(std::move(opened), Shown("(temporary file)"), options_);
      file->MarkTemp(LinuxFile::Temp::kAnonymous, nullptr, "");
      return file;
    }
    // EISDIR and ENOENT come from kernels that do not know the flag.
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL) {
      return Error(errno, "create a temporary file in", "");
    }
  }
  while (true) {
    const std::string name = absl::StrCat(kTempPrefix, RandomName());
    Fd opened(openat(fd(), name.c_str(), O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC, 0600));
    if (!opened.valid()) return Error(errno, "create a temporary file in", "");
    auto file = std::make_unique<LinuxFile>(std::move(opened), Shown(name), options_);
    if (!file->HoldTemp()) continue;  // swept away in the moment before
    file->MarkTemp(LinuxFile::Temp::kNamed, handle_, name);
    return file;
  }
}

absl::Status LinuxDir::Publish(File& temp, absl::string_view name, RenameMode mode) {
  SLIPWAY_RETURN_IF_ERROR(CheckRelative(name));
  if (mode == RenameMode::kExchange || name.find('/') != absl::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("publish ", Shown(name), ": needs one name and no exchange"));
  }
  auto* file = dynamic_cast<LinuxFile*>(&temp);
  SLIPWAY_CHECK(file != nullptr);
  return file->PublishTo(handle_, std::string(name), mode);
}

absl::Status LinuxDir::Rename(absl::string_view from, Dir& to_dir, absl::string_view to,
                              RenameMode mode) {
  SLIPWAY_RETURN_IF_ERROR(CheckRelative(from));
  SLIPWAY_RETURN_IF_ERROR(CheckRelative(to));
  const LinuxDir* target = AsLinux(to_dir);
  SLIPWAY_CHECK(target != nullptr);
  const Place source(fd(), from, options_.openat2);
  if (!source.valid()) return Error(errno, "rename", from);
  const Place goal(target->fd(), to, options_.openat2);
  if (!goal.valid()) return target->Error(errno, "rename to", to);
  const auto failed = [&](int error) {
    return PathError(error, absl::StrCat("rename ", Shown(from), " to"), target->Shown(to));
  };
  const unsigned flags = mode == RenameMode::kNoReplace  ? RENAME_NOREPLACE
                         : mode == RenameMode::kExchange ? RENAME_EXCHANGE
                                                         : 0u;
  if (renameat2(source.dir(), source.name(), goal.dir(), goal.name(), flags) == 0) {
    return absl::OkStatus();
  }
  const int error = errno;
  if (flags == 0 || (error != EINVAL && error != ENOSYS)) return failed(error);
  // The file system does not know the flag, or the rename is impossible in itself.
  if (mode == RenameMode::kExchange) return failed(EOPNOTSUPP);
  if (linkat(source.dir(), source.name(), goal.dir(), goal.name(), 0) != 0) {
    return failed(errno == EEXIST ? EEXIST : error);
  }
  return unlinkat(source.dir(), source.name(), 0) == 0 ? absl::OkStatus() : failed(errno);
}

absl::Status LinuxDir::MakeDir(absl::string_view path, uint32_t mode) {
  SLIPWAY_RETURN_IF_ERROR(CheckRelative(path));
  const Place place(fd(), path, options_.openat2);
  if (!place.valid() || mkdirat(place.dir(), place.name(), mode) != 0) {
    return Error(errno, "make directory", path);
  }
  struct stat info;
  if (fstatat(place.dir(), place.name(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return Error(errno, "make directory", path);
  }
  // Undoes the umask; a setgid bit that the parent handed down stays.
  const mode_t wanted = (mode & 07777) | (info.st_mode & S_ISGID);
  if ((info.st_mode & 07777) == wanted) return absl::OkStatus();
  const Fd made = OpenBeneath(place.dir(), place.name(), O_PATH | O_DIRECTORY | O_NOFOLLOW, 0,
                              options_.openat2);
  if (!made.valid()) return Error(errno, "set mode of", path);
  return ApplyMeta(made.get(), /*path_only=*/true, {.mode = wanted}, Shown(path));
}

absl::Status LinuxDir::Symlink(absl::string_view target, absl::string_view path) {
  SLIPWAY_RETURN_IF_ERROR(CheckRelative(path));
  if (target.empty() || target.find('\0') != absl::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("make symbolic link ", Shown(path), ": the target is empty or holds a NUL"));
  }
  const Place place(fd(), path, options_.openat2);
  if (!place.valid() || symlinkat(std::string(target).c_str(), place.dir(), place.name()) != 0) {
    return Error(errno, "make symbolic link", path);
  }
  return absl::OkStatus();
}

absl::Status LinuxDir::HardLink(absl::string_view existing, absl::string_view path) {
  SLIPWAY_RETURN_IF_ERROR(CheckRelative(existing));
  SLIPWAY_RETURN_IF_ERROR(CheckRelative(path));
  const Place source(fd(), existing, options_.openat2);
  if (!source.valid()) return Error(errno, "link", existing);
  const Place goal(fd(), path, options_.openat2);
  if (!goal.valid()) return Error(errno, "link to", path);
  if (linkat(source.dir(), source.name(), goal.dir(), goal.name(), 0) != 0) {
    return PathError(errno, absl::StrCat("link ", Shown(existing), " to"), Shown(path));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> LinuxDir::ReadLink(absl::string_view path) {
  SLIPWAY_RETURN_IF_ERROR(CheckRelative(path));
  const Place place(fd(), path, options_.openat2);
  if (!place.valid()) return Error(errno, "read link", path);
  std::string target(PATH_MAX, '\0');  // the longest target that Linux lets be made
  const ssize_t size = readlinkat(place.dir(), place.name(), target.data(), target.size());
  if (size < 0) {
    if (errno != EINVAL) return Error(errno, "read link", path);
    return absl::InvalidArgumentError(
        absl::StrCat("read link ", Shown(path), ": not a symbolic link"));
  }
  target.resize(static_cast<size_t>(size));
  return target;
}

absl::StatusOr<Meta> LinuxDir::Stat(absl::string_view path) {
  struct stat info;
  if (IsSelf(path)) {
    if (fstat(fd(), &info) != 0) return Error(errno, "stat", path);
    return MetaOf(info);
  }
  SLIPWAY_RETURN_IF_ERROR(CheckRelative(path));
  const Place place(fd(), path, options_.openat2);
  if (!place.valid() || fstatat(place.dir(), place.name(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return Error(errno, "stat", path);
  }
  return MetaOf(info);
}

absl::StatusOr<Xattrs> LinuxDir::GetXattrs(absl::string_view path) {
  if (IsSelf(path)) return ReadXattrs(fd(), /*path_only=*/false, Shown(path));
  SLIPWAY_RETURN_IF_ERROR(CheckRelative(path));
  const Fd object = OpenBeneath(fd(), path, O_PATH | O_NOFOLLOW, 0, options_.openat2);
  struct stat info;
  if (!object.valid() || fstat(object.get(), &info) != 0) {
    return Error(errno, "read attributes of", path);
  }
  if (S_ISLNK(info.st_mode)) return Xattrs();  // a link cannot have any
  return ReadXattrs(object.get(), /*path_only=*/true, Shown(path));
}

absl::Status LinuxDir::SetMeta(absl::string_view path, const MetaChange& change) {
  SLIPWAY_RETURN_IF_ERROR(CheckChange(change, Shown(path)));
  if (IsSelf(path)) return ApplyMeta(fd(), /*path_only=*/false, change, Shown(path));
  SLIPWAY_RETURN_IF_ERROR(CheckRelative(path));
  const Place place(fd(), path, options_.openat2);
  if (!place.valid()) return Error(errno, "change", path);
  const Fd object =
      OpenBeneath(place.dir(), place.name(), O_PATH | O_NOFOLLOW, 0, options_.openat2);
  struct stat info;
  if (!object.valid() || fstat(object.get(), &info) != 0) return Error(errno, "change", path);
  if (!S_ISLNK(info.st_mode)) {
    return ApplyMeta(object.get(), /*path_only=*/true, change, Shown(path));
  }
  if (change.mode.has_value() || change.xattrs.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("change ", Shown(path), ": a symbolic link has only a time"));
  }
  if (!change.mtime.has_value()) return absl::OkStatus();
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, absl::ToTimespec(*change.mtime)};
  if (utimensat(place.dir(), place.name(), times, AT_SYMLINK_NOFOLLOW) != 0) {
    return Error(errno, "set time of", path);
  }
  return absl::OkStatus();
}

Owned<DirCursor> LinuxDir::List() {
  // Not a duplicate of our descriptor, which would share its position with other cursors.
  const int own = openat(fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (own < 0) return Error(errno, "list", "");
  DIR* stream = fdopendir(own);
  if (stream == nullptr) {
    const int error = errno;
    close(own);
    return Error(error, "list", "");
  }
  return std::make_unique<LinuxDirCursor>(stream, handle_->name);
}

absl::Status LinuxDir::Remove(absl::string_view path) {
  SLIPWAY_RETURN_IF_ERROR(CheckRelative(path));
  const Place place(fd(), path, options_.openat2);
  if (!place.valid()) return Error(errno, "remove", path);
  if (unlinkat(place.dir(), place.name(), 0) == 0) return absl::OkStatus();
  const int error = errno;
  // POSIX has unlink of a directory give EPERM; Linux gives EISDIR.
  if (error != EISDIR && error != EPERM) return Error(error, "remove", path);
  if (unlinkat(place.dir(), place.name(), AT_REMOVEDIR) == 0) return absl::OkStatus();
  return Error(errno == ENOTDIR ? error : errno, "remove", path);
}

absl::Status LinuxDir::Sync() {
  if (RetryInterrupted([&] { return fsync(fd()); }) != 0) return Error(errno, "sync", "");
  return absl::OkStatus();
}

absl::Status LinuxDir::SyncFilesystem() {
  if (syncfs(fd()) != 0) return Error(errno, "sync the file system of", "");
  return absl::OkStatus();
}

absl::StatusOr<Space> LinuxDir::FreeSpace() {
  struct statvfs info;
  if (RetryInterrupted([&] { return fstatvfs(fd(), &info); }) != 0) {
    return Error(errno, "find the free space of", "");
  }
  Space space;
  space.free_bytes = static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  space.total_bytes = static_cast<uint64_t>(info.f_blocks) * info.f_frsize;
  space.free_inodes = info.f_favail;
  space.total_inodes = info.f_files;
  return space;
}

}  // namespace slipway::base::os
