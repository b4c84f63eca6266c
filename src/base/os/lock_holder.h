// Who holds a lock, for the message of the one who did not get it.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/strings/string_view.h"

namespace slipway::base::os {

// "process 123", "this process (123)" or "another process" where the system does not tell, from
// /proc/locks. Thread-safe.
std::string LockHolder(dev_t device, ino_t inode);

// The pid in `locks`, the text of /proc/locks, that holds the flock of the file; 0 when none does.
// A line of the same inode on another device counts only for a `device` of major number 0, and only
// when no line has both and all such lines name one process: file systems without a disk of their
// own show other device numbers there than stat does.
int FindLockHolder(absl::string_view locks, dev_t device, ino_t inode);

}  // namespace slipway::base::os
