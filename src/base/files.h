// The file system as the project uses it: every path resolves beneath a directory handle and
// through no symbolic link. Implementations: base/os (Linux), base/sim (memory, with power loss and
// faults).
//
// Thread-safe: a Dir may be used by several threads; a File by one thread at a time, except ReadAt
// and WriteAt of disjoint ranges. All calls block.
//
// Errors are those of base::ErrnoError with the operation and the path in the text: NotFound,
// AlreadyExists, PermissionDenied, ResourceExhausted (no space, no descriptors), FailedPrecondition
// (not a directory, is a directory, not empty, a symbolic link or `..` on the way), DataLoss (I/O
// error), Unavailable (simulated machine is off).
//
// Durability: after OK of File::Sync its bytes and attributes survive power loss (of SyncData its
// bytes); after OK of Dir::Sync the names in that directory do. Nothing else is promised. An error
// of a Sync is final: report it, never retry it into success.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/bytes.h"
#include "base/status.h"

namespace slipway::base {

enum class FileKind : uint8_t {
  kFile,
  kDirectory,
  kSymlink,
  kOther
};  // other: device, FIFO, socket

// What stat tells. Times have nanosecond precision.
struct Meta {
  FileKind kind = FileKind::kFile;
  uint32_t mode = 0;        // permission bits with setuid, setgid and sticky: 07777
  uint64_t size_bytes = 0;  // of a symlink: length of its target
  absl::Time mtime;
  absl::Time ctime;
  uint64_t inode = 0;
  uint64_t device = 0;
  uint64_t link_count = 1;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint64_t allocated_bytes = 0;  // less than size_bytes where the file has holes
};

using Xattrs =
    std::vector<std::pair<std::string, std::string>>;  // name with "user.", value; sorted

// What SetMeta changes; absent means untouched.
struct MetaChange {
  std::optional<uint32_t> mode;
  std::optional<absl::Time> mtime;
  std::optional<Xattrs> xattrs;  // added or replaced; others stay
};

struct OpenOptions {
  bool read = true;
  bool write = false;
  bool create = false;     // with `write`
  bool exclusive = false;  // with `create`: AlreadyExists when there is one
  bool truncate = false;   // with `write`
  uint32_t mode = 0644;    // of a created file; the umask does not apply
};

class File {
 public:
  virtual ~File() = default;
  // Reads up to out.size() bytes; fewer only at the end of the file, 0 at or past it.
  virtual absl::StatusOr<size_t> ReadAt(uint64_t offset_bytes, absl::Span<uint8_t> out) = 0;
  // Writes all of `data`; after an error any part of it may have been written.
  virtual absl::Status WriteAt(uint64_t offset_bytes, BytesView data) = 0;
  virtual absl::Status Truncate(uint64_t size_bytes) = 0;
  // Copies a range from another file, in the kernel where possible. Bytes past its end: OutOfRange.
  virtual absl::Status CopyFrom(File& source, uint64_t source_offset_bytes, uint64_t offset_bytes,
                                uint64_t size_bytes) = 0;
  // The first byte at or after `offset_bytes` that is data and the first hole (or end) after that:
  // {size, size} when only a hole is left. A file system without holes gives one range.
  virtual absl::StatusOr<std::pair<uint64_t, uint64_t>> NextData(uint64_t offset_bytes) = 0;
  virtual absl::StatusOr<Meta> Stat() = 0;
  virtual absl::StatusOr<Xattrs> GetXattrs() = 0;  // "user.*" only
  virtual absl::Status SetMeta(const MetaChange& change) = 0;
  virtual absl::Status Sync() = 0;
  // As Sync for the bytes and the size only: mode, times and xattrs may stay unsynced. Cheaper in a
  // file whose blocks are allocated. An implementation without it syncs all.
  virtual absl::Status SyncData() { return Sync(); }
  // Takes the exclusive lock of this file until it is destroyed. Aborted when another process (or
  // another File here) holds it; the text names the holder's pid where the system tells it.
  virtual absl::Status TryLock() = 0;
  // Begins to write the range to the disk, so that a later sync has less to wait for. Advice only.
  virtual void StartWriting(uint64_t /*offset_bytes*/, uint64_t /*size_bytes*/) {}
  // The pages will not be needed again (after a large sequential read). Advice only.
  virtual void DropCache(uint64_t offset_bytes, uint64_t size_bytes) = 0;
};

enum class RenameMode : uint8_t {
  kReplace,    // an existing target is replaced
  kNoReplace,  // AlreadyExists
  kExchange,   // both must exist; swapped at once. Unimplemented where the file system cannot
};

struct DirEntry {
  std::string name;
  FileKind kind = FileKind::kFile;
};

// Streams the entries of a directory, without "." and "..", in no order.
class DirCursor {
 public:
  virtual ~DirCursor() = default;
  // nullopt at the end.
  virtual absl::StatusOr<std::optional<DirEntry>> Next() = 0;
};

struct Space {
  uint64_t free_bytes = 0;  // for an unprivileged user
  uint64_t total_bytes = 0;
  uint64_t free_inodes = 0;
  uint64_t total_inodes = 0;  // 0: the file system does not count
};

// Paths: relative, "a/b/c"; "" and "." are the directory itself where that makes sense. Absolute
// paths and ".." are InvalidArgument.
class Dir {
 public:
  virtual ~Dir() = default;
  virtual Owned<Dir> OpenDir(absl::string_view path) = 0;
  virtual Owned<File> Open(absl::string_view path, OpenOptions options) = 0;
  // A file without a name, mode 0600, discarded unless Publish gives it one.
  virtual Owned<File> CreateTemp() = 0;
  // Gives `temp` (from CreateTemp of this directory or another of its file system) its name here.
  // kReplace or kNoReplace.
  // The name is durable after Sync of this directory.
  virtual absl::Status Publish(File& temp, absl::string_view name, RenameMode mode) = 0;
  virtual absl::Status Rename(absl::string_view from, Dir& to_dir, absl::string_view to,
                              RenameMode mode) = 0;
  virtual absl::Status MakeDir(absl::string_view path, uint32_t mode = 0755) = 0;
  virtual absl::Status Symlink(absl::string_view target, absl::string_view path) = 0;
  virtual absl::Status HardLink(absl::string_view existing, absl::string_view path) = 0;
  virtual absl::StatusOr<std::string> ReadLink(absl::string_view path) = 0;
  virtual absl::StatusOr<Meta> Stat(absl::string_view path) = 0;  // of a link: of the link itself
  virtual absl::StatusOr<Xattrs> GetXattrs(absl::string_view path) = 0;
  // On a symlink only `mtime` is allowed; a mode or xattrs there are InvalidArgument.
  virtual absl::Status SetMeta(absl::string_view path, const MetaChange& change) = 0;
  virtual Owned<DirCursor> List() = 0;
  // A file, a symlink or an empty directory.
  virtual absl::Status Remove(absl::string_view path) = 0;
  virtual absl::Status Sync() = 0;
  // Everything written to the file system of this directory before the call.
  virtual absl::Status SyncFilesystem() = 0;
  virtual absl::StatusOr<Space> FreeSpace() = 0;
};

class Files {
 public:
  virtual ~Files() = default;
  // The only call that takes an absolute path or one relative to the working directory; symbolic
  // links in it are followed, as the user who named it expects.
  virtual Owned<Dir> OpenRoot(absl::string_view path) = 0;
  // Makes the directory and missing parents (mode 0755), each synced into its parent, and opens it.
  virtual Owned<Dir> MakeRoot(absl::string_view path) = 0;
  // The absolute path without symbolic links; the last component may be missing.
  virtual absl::StatusOr<std::string> Canonical(absl::string_view path) = 0;
};

// ---- Built on the above, for every implementation ----

// The whole file. ResourceExhausted when it is larger than `limit_bytes`, naming both.
absl::StatusOr<std::string> ReadFile(Dir& dir, absl::string_view path, uint64_t limit_bytes);

// The file that a user named by any path (symbolic links followed).
absl::StatusOr<std::string> ReadUserFile(Files& files, absl::string_view path,
                                         uint64_t limit_bytes);

// Writes `data` to a temporary file, syncs it, publishes it as `name` in `dir` and syncs `dir`:
// after OK the file is there whole and stays; after an error or a crash the old one is.
absl::Status WriteFileDurably(Dir& dir, absl::string_view name, absl::string_view data,
                              uint32_t mode = 0644, RenameMode rename = RenameMode::kReplace);

// Removes a file or a tree; follows no link and crosses no file system boundary. Directories
// without write permission are made writable first. NotFound is OK. Does not sync.
absl::Status RemoveTree(Dir& dir, absl::string_view path);

// Makes `path` and its missing parents beneath `dir`. An existing directory is fine. Does not sync.
absl::Status MakeDirs(Dir& dir, absl::string_view path, uint32_t mode = 0755);

// Splits "a/b/c" into {"a/b", "c"}; {"", "c"} for one component.
std::pair<absl::string_view, absl::string_view> SplitPath(absl::string_view path);
// a + "/" + b, without doubled slashes and without a leading one for an empty `a`.
std::string JoinPath(absl::string_view a, absl::string_view b);
// OK for a relative path of plain components: not absolute, no "", ".", "..", no NUL.
absl::Status CheckRelative(absl::string_view path);

}  // namespace slipway::base
