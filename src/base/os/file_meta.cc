// What stat, chmod, utimensat and the extended attributes tell and change.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/os/beneath.h"
#include "base/os/linux_file.h"

namespace slipway::base::os {
namespace {

constexpr char kUserPrefix[] = "user.";
constexpr int kRaceTriesMax = 16;  // an attribute may grow between the question and the answer

FileKind KindOf(mode_t mode) {
  if (S_ISREG(mode)) return FileKind::kFile;
  if (S_ISDIR(mode)) return FileKind::kDirectory;
  if (S_ISLNK(mode)) return FileKind::kSymlink;
  return FileKind::kOther;
}

std::string SelfPath(int fd) { return absl::StrCat("/proc/self/fd/", fd); }

// Calls `read(buffer, size)` until the answer fits; a negative count leaves errno set.
template <class Read>
ssize_t ReadGrowing(std::string& out, Read read) {
  for (int tries = 0; tries < kRaceTriesMax; ++tries) {
    const ssize_t need = read(nullptr, 0);
    if (need <= 0) {
      out.clear();
      return need;
    }
    out.resize(static_cast<size_t>(need));
    const ssize_t got = read(out.data(), out.size());
    if (got >= 0) {
      out.resize(static_cast<size_t>(got));
      return got;
    }
    if (errno != ERANGE) return got;
  }
  return -1;
}

}  // namespace

Meta MetaOf(const struct stat& info) {
  Meta meta;
  meta.kind = KindOf(info.st_mode);
  meta.mode = info.st_mode & 07777;
  meta.size_bytes = static_cast<uint64_t>(info.st_size);
  meta.mtime = absl::TimeFromTimespec(info.st_mtim);
  meta.ctime = absl::TimeFromTimespec(info.st_ctim);
  meta.inode = info.st_ino;
  meta.device = info.st_dev;
  meta.link_count = info.st_nlink;
  meta.uid = info.st_uid;
  meta.gid = info.st_gid;
  meta.allocated_bytes = static_cast<uint64_t>(info.st_blocks) * 512;  // the unit of st_blocks
  return meta;
}

absl::StatusOr<Xattrs> ReadXattrs(int fd, bool path_only, absl::string_view name) {
  const std::string self = SelfPath(fd);
  std::string names;
  const ssize_t listed = ReadGrowing(names, [&](char* out, size_t size) {
    return path_only ? listxattr(self.c_str(), out, size) : flistxattr(fd, out, size);
  });
  if (listed < 0) {
    if (errno == EOPNOTSUPP) return Xattrs();
    return PathError(errno, "read attributes of", name);
  }
  Xattrs result;
  for (const absl::string_view entry : absl::StrSplit(names, '\0', absl::SkipEmpty())) {
    if (!absl::StartsWith(entry, kUserPrefix)) continue;
    const std::string key(entry);
    std::string value;
    const ssize_t got = ReadGrowing(value, [&](char* out, size_t size) {
      return path_only ? getxattr(self.c_str(), key.c_str(), out, size)
                       : fgetxattr(fd, key.c_str(), out, size);
    });
    if (got < 0) {
      if (errno == ENODATA) continue;  // removed meanwhile
      return PathError(errno, "read attributes of", name);
    }
    result.emplace_back(key, std::move(value));
  }
  std::sort(result.begin(), result.end());
  return result;
}

absl::Status CheckChange(const MetaChange& change, absl::string_view name) {
  if (change.mode.has_value() && *change.mode > 07777) {
    return absl::InvalidArgumentError(absl::StrCat("set mode of ", name, ": beyond 07777"));
  }
  if (!change.xattrs.has_value()) return absl::OkStatus();
  for (const auto& [key, value] : *change.xattrs) {
    if (absl::StartsWith(key, kUserPrefix) && key.size() > sizeof(kUserPrefix) - 1) continue;
    return absl::InvalidArgumentError(absl::StrCat("set attribute ", EscapeForTerminal(key), " of ",
                                                   name, ": only user.* can be set"));
  }
  return absl::OkStatus();
}

// Attributes first, since a new mode may forbid them; the time last, since others touch it.
absl::Status ApplyMeta(int fd, bool path_only, const MetaChange& change, absl::string_view name) {
  const std::string self = SelfPath(fd);
  if (change.xattrs.has_value()) {
    for (const auto& [key, value] : *change.xattrs) {
      const int result = path_only
                             ? setxattr(self.c_str(), key.c_str(), value.data(), value.size(), 0)
                             : fsetxattr(fd, key.c_str(), value.data(), value.size(), 0);
      if (result != 0) {
        return PathError(errno, absl::StrCat("set attribute ", EscapeForTerminal(key), " of"),
                         name);
      }
    }
  }
  if (change.mode.has_value()) {
    const int result = path_only ? chmod(self.c_str(), *change.mode) : fchmod(fd, *change.mode);
    if (result != 0) return PathError(errno, "set mode of", name);
  }
  if (change.mtime.has_value()) {
    const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT},
                               absl::ToTimespec(*change.mtime)};
    const int result =
        path_only ? utimensat(AT_FDCWD, self.c_str(), times, 0) : futimens(fd, times);
    if (result != 0) return PathError(errno, "set time of", name);
  }
  return absl::OkStatus();
}

}  // namespace slipway::base::os
