// One command at a time in a folder of the project. Thread-safe: a free function.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/sync/cancel.h"

namespace slipway::deploy {

inline constexpr char kFolderLockFile[] = ".lock";  // stays: a lock file that goes locks nothing

struct FolderLockOptions {
  std::string what;  // "publish records", for messages
  std::string hint;
  absl::Duration wait;
  uint32_t mode = 0644;  // of the lock file, when it is made
};

// Keeps other commands away from `dir` until it is destroyed; the lock dies with the process. Waits
// for another holder. DT021 after `options.wait`; DT026; DT004 and DT005 of the file.
base::Owned<base::File> LockFolder(base::Dir& dir, base::Clock& clock,
                                   const FolderLockOptions& options,
                                   const base::CancelToken& cancel);

}  // namespace slipway::deploy
