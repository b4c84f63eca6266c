#include "base/os/lock_holder.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/os/fd.h"

namespace slipway::base::os {
namespace {

constexpr size_t kLocksBytesMax = 4 << 20;
constexpr int kSeveral = -1;

std::string ReadLocks() {
  std::string text;
  const Fd fd(open("/proc/locks", O_RDONLY | O_CLOEXEC));
  char buffer[16384];
  while (fd.valid() && text.size() < kLocksBytesMax) {
    const ssize_t got = RetryInterrupted([&] { return read(fd.get(), buffer, sizeof(buffer)); });
    if (got <= 0) break;
    text.append(buffer, static_cast<size_t>(got));
  }
  return text;
}

}  // namespace

int FindLockHolder(absl::string_view locks, dev_t device, ino_t inode) {
  // A line: "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF". One that waits has "->" after "1:".
  const std::string exact = absl::StrFormat("%02x:%02x:%d", major(device), minor(device), inode);
  const std::string inode_end = absl::StrCat(":", inode);
  // Where files have no device of their own (btrfs, overlays; its major number is 0), stat tells
  // another one than the lock: there the inode alone has to do, unless it points to several.
  const bool inode_may_do = major(device) == 0;
  int by_inode = 0;
  for (const absl::string_view line : absl::StrSplit(locks, '\n')) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ', absl::SkipWhitespace());
    if (fields.size() < 6 || fields[1] != "FLOCK") continue;
    int pid = 0;
    if (!absl::SimpleAtoi(fields[4], &pid) || pid <= 0) continue;
    const absl::string_view id = fields[5];
    if (id == exact) return pid;
    if (!inode_may_do || !absl::EndsWith(id, inode_end)) continue;
    by_inode = by_inode == 0 || by_inode == pid ? pid : kSeveral;
  }
  return std::max(by_inode, 0);
}

std::string LockHolder(dev_t device, ino_t inode) {
  const int pid = FindLockHolder(ReadLocks(), device, inode);
  if (pid == 0) return "another process";
  if (pid == getpid()) return absl::StrCat("this process (", pid, ")");
  return absl::StrCat("process ", pid);
}

}  // namespace slipway::base::os
