// A whole file in memory, shared with every process that maps it. Thread-safe once made.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "base/status.h"

namespace slipway::base::os {

// Read-only. For files that nobody changes in place: those that are replaced by renaming over them
// stay as they were for whoever has them mapped. A file that is cut while it is mapped ends the
// process that reads beyond its new end.
class MappedFile {
 public:
  // Follows symbolic links. Errors of ErrnoError; FailedPrecondition for what is no file.
  static Owned<MappedFile> Open(absl::string_view path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  // Aligned to a page; empty for an empty file.
  BytesView bytes() const { return bytes_; }
  // Whose file it was when it was mapped, and its permission bits.
  uint32_t uid() const { return uid_; }
  uint32_t mode() const { return mode_; }

 private:
  MappedFile(BytesView bytes, uint32_t uid, uint32_t mode)
      : bytes_(bytes), uid_(uid), mode_(mode) {}
  const BytesView bytes_;
  const uint32_t uid_;
  const uint32_t mode_;
};

}  // namespace slipway::base::os
