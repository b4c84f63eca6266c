#include "base/sim/kernel.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/check.h"

namespace slipway::base::sim {
namespace {

constexpr size_t kNameBytesMax = 255;
constexpr size_t kPathBytesMax = 4095;
constexpr uint32_t kRead = 4, kWrite = 2, kSearch = 1;

std::string Op(absl::string_view verb, absl::string_view path) {
  return absl::StrCat(verb, " ", path.empty() ? "." : path);
}

}  // namespace

bool Kernel::May(const Node& node, uint32_t bits) const {
  if (caller.uid == 0) return true;
  const int shift = caller.uid == node.uid ? 6 : caller.gid == node.gid ? 3 : 0;
  return ((node.mode >> shift) & bits) == bits;
}

// In a sticky directory only the owner of the directory or of the entry takes the entry away.
bool Kernel::MayDelete(const Node& dir, const Node& node) const {
  if (!May(dir, kWrite | kSearch)) return false;
  return caller.uid == 0 || (dir.mode & 01000) == 0 || caller.uid == dir.uid ||
         caller.uid == node.uid;
}

// The place of `path`; its parent must exist and be searchable.
absl::StatusOr<Kernel::Slot> Kernel::Locate(Inode base, absl::string_view path,
                                            absl::string_view what) {
  SLIPWAY_RETURN_IF_ERROR(Annotate(CheckRelative(path), what));
  if (path.size() > kPathBytesMax) return ErrnoError(ENAMETOOLONG, what);
  Slot slot{base, "", base};
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    if (slot.inode == 0) return ErrnoError(ENOENT, what);
    const Node& node = disk.Get(slot.inode);
    if (node.kind == FileKind::kSymlink) return ErrnoError(ELOOP, what);
    if (node.kind != FileKind::kDirectory) return ErrnoError(ENOTDIR, what);
    if (!May(node, kSearch)) return ErrnoError(EACCES, what);
    if (part.size() > kNameBytesMax) return ErrnoError(ENAMETOOLONG, what);
    slot.dir = slot.inode;
    slot.name = std::string(part);
    const auto entry = node.entries.find(slot.name);
    slot.inode = entry == node.entries.end() ? 0 : entry->second;
  }
  return slot;
}

absl::StatusOr<Inode> Kernel::Lookup(Inode base, absl::string_view path, absl::string_view what) {
  if (path.empty() || path == ".") return base;
  SLIPWAY_ASSIGN_OR_RETURN(const Slot slot, Locate(base, path, what));
  if (slot.inode == 0) return ErrnoError(ENOENT, what);
  return slot.inode;
}

// As Locate, for a name that is to be made: it must be free and the directory writable.
absl::StatusOr<Kernel::Slot> Kernel::LocateFree(Inode base, absl::string_view path,
                                                absl::string_view what) {
  SLIPWAY_ASSIGN_OR_RETURN(Slot slot, Locate(base, path, what));
  if (slot.inode != 0) return ErrnoError(EEXIST, what);
  SLIPWAY_RETURN_IF_ERROR(CheckWritableDir(slot.dir, what));
  return slot;
}

absl::Status Kernel::CheckWritableDir(Inode dir, absl::string_view what) {
  const Node& node = disk.Get(dir);
  if (node.links == 0) return ErrnoError(ENOENT, what);  // removed, but still open
  if (!May(node, kWrite | kSearch)) return ErrnoError(EACCES, what);
  return absl::OkStatus();
}

absl::StatusOr<Inode> Kernel::Create(FileKind kind, uint32_t mode, absl::string_view what) {
  if (capacity_inodes != 0 && disk.inode_count() >= capacity_inodes) {
    return ErrnoError(ENOSPC, what);
  }
  Node node;
  node.kind = kind;
  node.mode = mode & 07777;
  node.uid = caller.uid;
  node.gid = caller.gid;
  node.mtime = node.ctime = now;
  return disk.Create(std::move(node));
}

absl::StatusOr<Inode> Kernel::OpenDir(Inode base, absl::string_view path) {
  const std::string what = Op("open directory", path);
  SLIPWAY_ASSIGN_OR_RETURN(const Inode inode, Lookup(base, path, what));
  const Node& node = disk.Get(inode);
  if (node.kind == FileKind::kSymlink) return ErrnoError(ELOOP, what);
  if (node.kind != FileKind::kDirectory) return ErrnoError(ENOTDIR, what);
  if (!May(node, kRead)) return ErrnoError(EACCES, what);
  return inode;
}

absl::StatusOr<Inode> Kernel::Open(Inode base, absl::string_view path, const OpenOptions& options) {
  const std::string what = Op("open", path);
  if (path.empty() || path == ".") return ErrnoError(EISDIR, what);
  SLIPWAY_ASSIGN_OR_RETURN(const Slot slot, Locate(base, path, what));
  if (slot.inode == 0) {
    if (!options.create) return ErrnoError(ENOENT, what);
    SLIPWAY_RETURN_IF_ERROR(CheckWritableDir(slot.dir, what));
    SLIPWAY_ASSIGN_OR_RETURN(const Inode made, Create(FileKind::kFile, options.mode, what));
    disk.Rename({{slot.dir, slot.name, made}}, now);
    return made;
  }
  if (options.create && options.exclusive) return ErrnoError(EEXIST, what);
  const Node& node = disk.Get(slot.inode);
  if (node.kind == FileKind::kSymlink) return ErrnoError(ELOOP, what);
  if (node.kind == FileKind::kDirectory) return ErrnoError(EISDIR, what);
  const uint32_t bits = (options.read ? kRead : 0) | (options.write ? kWrite : 0);
  if (!May(node, bits)) return ErrnoError(EACCES, what);
  if (options.truncate) disk.Truncate(slot.inode, 0, now);
  return slot.inode;
}

absl::StatusOr<Inode> Kernel::CreateTemp(Inode dir) {
  const std::string what = "create temporary file";
  SLIPWAY_RETURN_IF_ERROR(CheckWritableDir(dir, what));
  return Create(FileKind::kFile, 0600, what);
}

absl::Status Kernel::Publish(Inode dir, Inode temp, absl::string_view name, RenameMode mode) {
  const std::string what = Op("publish", name);
  if (mode == RenameMode::kExchange) return ErrnoError(EINVAL, what);
  SLIPWAY_ASSIGN_OR_RETURN(const Slot slot, Locate(dir, name, what));
  SLIPWAY_RETURN_IF_ERROR(CheckWritableDir(slot.dir, what));
  if (slot.inode != 0) {
    if (mode == RenameMode::kNoReplace) return ErrnoError(EEXIST, what);
    SLIPWAY_RETURN_IF_ERROR(CheckReplace(temp, slot, what));
  }
  disk.Rename({{slot.dir, slot.name, temp}}, now);
  return absl::OkStatus();
}

// Whether `moved` may take the place of what is at `to`.
absl::Status Kernel::CheckReplace(Inode moved, const Slot& to, absl::string_view what) {
  const Node& target = disk.Get(to.inode);
  const bool moved_directory = disk.Get(moved).kind == FileKind::kDirectory;
  const bool target_directory = target.kind == FileKind::kDirectory;
  if (!MayDelete(disk.Get(to.dir), target)) return ErrnoError(EACCES, what);
  if (target_directory && !moved_directory) return ErrnoError(EISDIR, what);
  if (moved_directory && !target_directory) return ErrnoError(ENOTDIR, what);
  if (!target.entries.empty()) return ErrnoError(ENOTEMPTY, what);
  return absl::OkStatus();
}

bool Kernel::IsBeneath(Inode inode, Inode ancestor) const {
  while (inode != ancestor) {
    const Node* node = disk.Find(inode);
    if (inode == kRootInode || node == nullptr) return false;
    inode = node->parent;
  }
  return true;
}

absl::Status Kernel::Exchange(const Slot& from, const Slot& to, absl::string_view what) {
  if (!features.exchange) return ErrnoError(ENOSYS, what);
  if (to.inode == 0) return ErrnoError(ENOENT, what);
  if (!MayDelete(disk.Get(to.dir), disk.Get(to.inode))) return ErrnoError(EACCES, what);
  if (IsBeneath(from.dir, to.inode)) return ErrnoError(EINVAL, what);
  if (from.inode == to.inode) return absl::OkStatus();
  disk.Rename({{from.dir, from.name, to.inode}, {to.dir, to.name, from.inode}}, now);
  return absl::OkStatus();
}

absl::Status Kernel::Rename(Inode from_base, absl::string_view from_path, Inode to_base,
                            absl::string_view to_path, RenameMode mode) {
  const std::string what = absl::StrCat("rename ", from_path, " to ", to_path);
  SLIPWAY_ASSIGN_OR_RETURN(const Slot from, Locate(from_base, from_path, what));
  SLIPWAY_ASSIGN_OR_RETURN(const Slot to, Locate(to_base, to_path, what));
  if (from.inode == 0) return ErrnoError(ENOENT, what);
  if (!MayDelete(disk.Get(from.dir), disk.Get(from.inode))) return ErrnoError(EACCES, what);
  SLIPWAY_RETURN_IF_ERROR(CheckWritableDir(to.dir, what));
  if (IsBeneath(to.dir, from.inode)) return ErrnoError(EINVAL, what);
  if (mode == RenameMode::kExchange) return Exchange(from, to, what);
  if (to.inode != 0) {
    if (mode == RenameMode::kNoReplace) return ErrnoError(EEXIST, what);
    if (to.inode == from.inode) return absl::OkStatus();  // two names of one file: POSIX keeps both
    SLIPWAY_RETURN_IF_ERROR(CheckReplace(from.inode, to, what));
  }
  disk.Rename({{from.dir, from.name, 0}, {to.dir, to.name, from.inode}}, now);
  return absl::OkStatus();
}

absl::Status Kernel::MakeDir(Inode base, absl::string_view path, uint32_t mode) {
  const std::string what = Op("make directory", path);
  if (path.empty() || path == ".") return ErrnoError(EEXIST, what);
  SLIPWAY_ASSIGN_OR_RETURN(const Slot slot, LocateFree(base, path, what));
  SLIPWAY_ASSIGN_OR_RETURN(const Inode made, Create(FileKind::kDirectory, mode, what));
  disk.Rename({{slot.dir, slot.name, made}}, now);
  return absl::OkStatus();
}

absl::Status Kernel::Symlink(Inode base, absl::string_view target, absl::string_view path) {
  const std::string what = Op("make symbolic link", path);
  if (target.empty()) return ErrnoError(ENOENT, what);
  if (target.size() > kPathBytesMax) return ErrnoError(ENAMETOOLONG, what);
  if (absl::StrContains(target, absl::string_view("\0", 1))) return ErrnoError(EINVAL, what);
  SLIPWAY_ASSIGN_OR_RETURN(const Slot slot, LocateFree(base, path, what));
  if (capacity_inodes != 0 && disk.inode_count() >= capacity_inodes) {
    return ErrnoError(ENOSPC, what);
  }
  Node node;
  node.kind = FileKind::kSymlink;
  node.mode = 0777;
  node.uid = caller.uid;
  node.gid = caller.gid;
  node.mtime = node.ctime = now;
  node.target = std::string(target);
  disk.Rename({{slot.dir, slot.name, disk.Create(std::move(node))}}, now);
  return absl::OkStatus();
}

absl::Status Kernel::HardLink(Inode base, absl::string_view existing, absl::string_view path) {
  const std::string what = absl::StrCat("link ", existing, " as ", path);
  SLIPWAY_ASSIGN_OR_RETURN(const Slot from, Locate(base, existing, what));
  if (from.inode == 0) return ErrnoError(ENOENT, what);
  SLIPWAY_ASSIGN_OR_RETURN(const Slot slot, LocateFree(base, path, what));
  if (disk.Get(from.inode).kind == FileKind::kDirectory) return ErrnoError(EPERM, what);
  disk.Rename({{slot.dir, slot.name, from.inode}}, now);
  return absl::OkStatus();
}

absl::Status Kernel::Remove(Inode base, absl::string_view path) {
  const std::string what = Op("remove", path);
  SLIPWAY_ASSIGN_OR_RETURN(const Slot slot, Locate(base, path, what));
  if (slot.inode == 0) return ErrnoError(ENOENT, what);
  const Node& node = disk.Get(slot.inode);
  if (!MayDelete(disk.Get(slot.dir), node)) return ErrnoError(EACCES, what);
  if (!node.entries.empty()) return ErrnoError(ENOTEMPTY, what);
  disk.Rename({{slot.dir, slot.name, 0}}, now);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<DirEntry>> Kernel::List(Inode dir) {
  const Node& node = disk.Get(dir);
  if (!May(node, kRead)) return ErrnoError(EACCES, "list directory");
  std::vector<DirEntry> entries;
  for (const auto& [name, inode] : node.entries) entries.push_back({name, disk.Get(inode).kind});
  return entries;
}

}  // namespace slipway::base::sim
