// A directory for one test. Thread-compatible.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace slipway::base::testing {

// A new empty directory, mode 0700, under $TMPDIR or /tmp. The destructor removes it with all that
// is in it, also where a test took the write permission of a directory away; it follows no link.
// What cannot be removed is a failure of the test.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  // Absolute, without symbolic links.
  const std::string& path() const { return path_; }
  // path() + "/" + `relative`.
  std::string Join(absl::string_view relative) const;

 private:
  std::string path_;
};

}  // namespace slipway::base::testing
