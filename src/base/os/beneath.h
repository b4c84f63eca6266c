// Opening beneath a directory and through no symbolic link. Thread-safe: free functions.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/os/fd.h"

namespace slipway::base::os {

// Opens `path`, which passed CheckRelative, beneath the directory `dir`, with O_CLOEXEC. An invalid
// Fd: errno says why, ELOOP for a symbolic link anywhere in the path (at its end too, unless
// `flags` has O_PATH). By openat2, or component by component when `use_openat2` is false or the
// kernel or a sandbox refuses the call.
Fd OpenBeneath(int dir, absl::string_view path, int flags, mode_t mode, bool use_openat2);

// Where a name stands: the directory to use with the calls that take one, and the last component.
// An invalid `dir()`: errno says why the parent could not be opened.
class Place {
 public:
  // `path` passed CheckRelative. `root` is borrowed.
  Place(int root, absl::string_view path, bool use_openat2);
  int dir() const { return parent_.valid() ? parent_.get() : root_; }
  bool valid() const { return dir() >= 0; }
  const char* name() const { return name_.c_str(); }

 private:
  int root_;
  Fd parent_;
  std::string name_;
};

// ErrnoError of "`what` `path`", with plainer words for ELOOP and for things that are no files.
absl::Status PathError(int error, absl::string_view what, absl::string_view path);

}  // namespace slipway::base::os
