#include "base/os/files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <climits>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "base/os/linux_dir.h"

namespace slipway::base::os {
namespace {

constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

absl::Status CheckUserPath(absl::string_view path) {
  if (path.empty()) return absl::InvalidArgumentError("path is empty");
  if (path.find('\0') != absl::string_view::npos) {
    return absl::InvalidArgumentError("path holds a NUL byte");
  }
  return absl::OkStatus();
}

// {"parent", "last"} without trailing slashes; the parent is never empty.
std::pair<std::string, std::string> SplitUserPath(absl::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const auto [parent, last] = SplitPath(path);
  if (parent.data() == nullptr || parent.empty()) {
    return {path.front() == '/' ? "/" : ".", std::string(last)};
  }
  return {std::string(parent), std::string(last)};
}

absl::StatusOr<std::string> RealPath(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr),
                                                         &std::free);
  if (real == nullptr) {
    if (errno == ELOOP) {
      return absl::FailedPreconditionError(
          absl::StrCat("resolve ", path, ": too many symbolic links"));
    }
    return ErrnoError(errno, absl::StrCat("resolve ", path));
  }
  return std::string(real.get());
}

}  // namespace

Owned<Dir> LinuxFiles::OpenRoot(absl::string_view path) {
  SLIPWAY_RETURN_IF_ERROR(CheckUserPath(path));
  const std::string name(path);
  Fd fd(RetryInterrupted([&] { return open(name.c_str(), kOpenDirectory); }));
  if (!fd.valid()) return ErrnoError(errno, absl::StrCat("open directory ", name));
  return std::make_unique<LinuxDir>(std::move(fd), name, options_);
}

Owned<Dir> LinuxFiles::MakeRoot(absl::string_view path) {
  SLIPWAY_RETURN_IF_ERROR(CheckUserPath(path));
  Owned<Dir> existing = OpenRoot(path);
  if (existing.ok() || !absl::IsNotFound(existing.status())) return existing;
  const auto [parent_path, last] = SplitUserPath(path);
  if (last == "." || last == ".." || last.empty()) return existing;
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<Dir> parent, MakeRoot(parent_path));
  const absl::Status made = parent->MakeDir(last, 0755);
  if (!made.ok() && !absl::IsAlreadyExists(made)) return made;
  SLIPWAY_RETURN_IF_ERROR(parent->Sync());
  return OpenRoot(path);
}

absl::StatusOr<std::string> LinuxFiles::Canonical(absl::string_view path) {
  SLIPWAY_RETURN_IF_ERROR(CheckUserPath(path));
  const std::string name(path);
  absl::StatusOr<std::string> real = RealPath(name);
  if (real.ok() || !absl::IsNotFound(real.status())) return real;
  const auto [parent, last] = SplitUserPath(path);
  struct stat info;
  // What is there and yet not found is a link to nowhere: it has no path without links.
  if (last == "." || last == ".." || lstat(name.c_str(), &info) == 0) return real;
  SLIPWAY_ASSIGN_OR_RETURN(const std::string real_parent, RealPath(parent));
  return JoinPath(real_parent, last);
}

}  // namespace slipway::base::os
