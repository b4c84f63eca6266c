// base::Files on Linux. Thread-safe.
//
// Every path is resolved by openat2 beneath its directory and through no link; where the kernel or
// a sandbox refuses that call, component by component with O_NOFOLLOW, with the same results.
// A handle holds one descriptor, close-on-exec.
#pragma once

#include "base/files.h"

namespace slipway::base::os {

// What to use of the kernel. Tests turn things off to take the ways around them.
struct FilesOptions {
  bool openat2 = true;
  bool anonymous_temp = true;   // O_TMPFILE; else temporary files have a hidden name at first
  bool copy_file_range = true;  // else through a buffer
};

class LinuxFiles : public Files {
 public:
  explicit LinuxFiles(FilesOptions options = {}) : options_(options) {}
  Owned<Dir> OpenRoot(absl::string_view path) override;
  Owned<Dir> MakeRoot(absl::string_view path) override;
  absl::StatusOr<std::string> Canonical(absl::string_view path) override;

 private:
  FilesOptions options_;
};

}  // namespace slipway::base::os
