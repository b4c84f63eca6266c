// The system calls of a simulated machine: paths, permissions and POSIX's rules about names, over a
// Disk. One object is one machine; files.h adds locking, counting and faults. Thread-compatible.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/files.h"
#include "base/sim/disk.h"

namespace slipway::base::sim {

// What the simulated file system can do.
struct Features {
  bool exchange = true;  // else RenameMode::kExchange is Unimplemented
  bool xattrs = true;    // else setting one is Unimplemented, and files have none
  bool holes = true;     // else NextData gives one range
};

// Who calls. uid 0 may do everything.
struct Caller {
  uint32_t uid = 0;
  uint32_t gid = 0;
  int pid = 1;
};

class Kernel {
 public:
  Disk disk;
  Features features;
  Caller caller;
  uint64_t capacity_bytes = 0;   // of all files' blocks; 0: no limit
  uint64_t capacity_inodes = 0;  // 0: no limit
  std::string working_directory = "/";
  absl::Time now;  // set before each call

  // ---- Beneath a directory, through no symlink ----
  absl::StatusOr<Inode> OpenDir(Inode base, absl::string_view path);
  absl::StatusOr<Inode> Open(Inode base, absl::string_view path, const OpenOptions& options);
  absl::StatusOr<Inode> CreateTemp(Inode dir);
  absl::Status Publish(Inode dir, Inode temp, absl::string_view name, RenameMode mode);
  absl::Status Rename(Inode from_base, absl::string_view from, Inode to_base, absl::string_view to,
                      RenameMode mode);
  absl::Status MakeDir(Inode base, absl::string_view path, uint32_t mode);
  absl::Status Symlink(Inode base, absl::string_view target, absl::string_view path);
  absl::Status HardLink(Inode base, absl::string_view existing, absl::string_view path);
  absl::Status Remove(Inode base, absl::string_view path);
  // The inode itself: a symlink is not followed. "" and ".": the directory.
  absl::StatusOr<Inode> Lookup(Inode base, absl::string_view path, absl::string_view what);
  absl::StatusOr<std::vector<DirEntry>> List(Inode dir);

  // ---- Inodes ----
  Meta Stat(Inode inode) const;
  Xattrs GetXattrs(Inode inode) const;
  absl::Status SetMeta(Inode inode, const MetaChange& change);
  // InvalidArgument past 2^63-1, as Linux does.
  absl::Status CheckOffset(absl::string_view verb, Inode inode, uint64_t offset_bytes) const;
  // ResourceExhausted after as much as the capacity allows was written.
  absl::Status Write(Inode inode, uint64_t offset_bytes, BytesView data);
  Space FreeSpace() const;
  // Aborted with the holder's pid. `owner`: one for each open file.
  absl::Status Lock(Inode inode, uint64_t owner);
  void Unlock(Inode inode, uint64_t owner);
  void UnlockAll() { locks_.clear(); }

  // ---- Paths of the user, symlinks followed ----
  struct Place {
    Inode dir = 0;     // the directory of the last component
    std::string name;  // empty for the root
    Inode inode = 0;   // 0: missing
    std::string path;  // absolute, canonical
  };
  absl::StatusOr<Place> Resolve(absl::string_view path);

  // A name of the inode from the root, without a leading slash; "." for the root.
  std::string NameOf(Inode inode) const;

 private:
  struct Slot {
    Inode dir = 0;
    std::string name;
    Inode inode = 0;  // 0: missing
  };
  struct LockHolder {
    uint64_t owner = 0;
    int pid = 0;
  };

  bool May(const Node& node, uint32_t bits) const;
  bool MayDelete(const Node& dir, const Node& node) const;
  absl::StatusOr<Slot> Locate(Inode base, absl::string_view path, absl::string_view what);
  absl::StatusOr<Slot> LocateFree(Inode base, absl::string_view path, absl::string_view what);
  absl::StatusOr<Inode> Create(FileKind kind, uint32_t mode, absl::string_view what);
  absl::Status CheckWritableDir(Inode dir, absl::string_view what);
  absl::Status CheckReplace(Inode moved, const Slot& to, absl::string_view what);
  absl::Status Exchange(const Slot& from, const Slot& to, absl::string_view what);
  bool IsBeneath(Inode inode, Inode ancestor) const;

  std::map<Inode, LockHolder> locks_;
};

}  // namespace slipway::base::sim
