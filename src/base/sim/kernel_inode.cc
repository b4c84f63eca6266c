// The calls of the kernel on inodes, and the user's own paths.
#include <algorithm>
#include <cerrno>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/sim/kernel.h"

namespace slipway::base::sim {
namespace {

// As Linux.
constexpr int kSymlinksMax = 40;
constexpr size_t kXattrBytesMax = 64 * 1024;
constexpr uint64_t kFileBytesMax = std::numeric_limits<int64_t>::max();
constexpr absl::string_view kUserPrefix = "user.";

// What Linux refuses whoever asks, on whatever file.
absl::Status CheckChange(const MetaChange& change, const std::string& what) {
  if (change.mode && *change.mode > 07777) return ErrnoError(EINVAL, what);
  if (!change.xattrs) return absl::OkStatus();
  for (const auto& [name, value] : *change.xattrs) {
    if (!absl::StartsWith(name, kUserPrefix) || name.size() == kUserPrefix.size()) {
      return ErrnoError(EINVAL, absl::StrCat(what, ": only user.* can be set"));
    }
    if (value.size() > kXattrBytesMax) return ErrnoError(E2BIG, what);
  }
  return absl::OkStatus();
}

}  // namespace

Meta Kernel::Stat(Inode inode) const {
  const Node& node = *disk.Find(inode);
  Meta meta;
  meta.kind = node.kind;
  meta.mode = node.mode;
  meta.mtime = node.mtime;
  meta.ctime = node.ctime;
  meta.inode = inode;
  meta.device = 1;
  meta.link_count = node.links;
  meta.uid = node.uid;
  meta.gid = node.gid;
  meta.allocated_bytes = node.content.allocated_bytes();
  if (node.kind == FileKind::kFile) meta.size_bytes = node.content.size_bytes();
  if (node.kind == FileKind::kSymlink) meta.size_bytes = node.target.size();
  if (node.kind != FileKind::kDirectory) return meta;
  meta.size_bytes = Content::kBlockBytes;
  // Its name, its own ".", and the ".." of each directory in it.
  ++meta.link_count;
  for (const auto& [name, child] : node.entries) {
    if (disk.Find(child)->kind == FileKind::kDirectory) ++meta.link_count;
  }
  return meta;
}

Xattrs Kernel::GetXattrs(Inode inode) const {
  const Node& node = *disk.Find(inode);
  return Xattrs(node.xattrs.begin(), node.xattrs.end());
}

absl::Status Kernel::SetMeta(Inode inode, const MetaChange& change) {
  const std::string what = absl::StrCat("set attributes of ", NameOf(inode));
  SLIPWAY_RETURN_IF_ERROR(CheckChange(change, what));
  const Node& node = disk.Get(inode);
  if (node.kind == FileKind::kSymlink && (change.mode || change.xattrs)) {
    return ErrnoError(EINVAL, absl::StrCat(what, ": a symbolic link has only a time"));
  }
  if (caller.uid != 0 && caller.uid != node.uid && (change.mode || change.mtime)) {
    return ErrnoError(EPERM, what);
  }
  if (change.xattrs) {
    if (!features.xattrs && !change.xattrs->empty()) return ErrnoError(EOPNOTSUPP, what);
    if (!May(node, 2)) return ErrnoError(EACCES, what);
  }
  disk.SetMeta(inode, change, now);
  return absl::OkStatus();
}

absl::Status Kernel::CheckOffset(absl::string_view verb, Inode inode, uint64_t offset_bytes) const {
  if (offset_bytes <= kFileBytesMax) return absl::OkStatus();
  return ErrnoError(EINVAL, absl::StrCat(verb, " ", NameOf(inode), " at ", offset_bytes));
}

absl::Status Kernel::Write(Inode inode, uint64_t offset_bytes, BytesView data) {
  SLIPWAY_RETURN_IF_ERROR(CheckOffset("write", inode, offset_bytes));
  if (data.size() > kFileBytesMax - offset_bytes) {
    return ErrnoError(EFBIG, absl::StrCat("write ", NameOf(inode)));
  }
  uint64_t size = data.size();
  if (capacity_bytes != 0) {
    const uint64_t used = disk.used_bytes();
    const uint64_t budget = capacity_bytes > used ? capacity_bytes - used : 0;
    size = disk.Get(inode).content.WritableBytes(offset_bytes, size, budget);
  }
  if (size > 0) {
    disk.Write(inode, offset_bytes, std::string(AsText(data.subspan(0, size))), now);
  }
  if (size == data.size()) return absl::OkStatus();
  return ErrnoError(ENOSPC, absl::StrCat("write ", NameOf(inode)));
}

Space Kernel::FreeSpace() const {
  constexpr uint64_t kPlenty = uint64_t{1} << 50;
  Space space;
  space.total_bytes = capacity_bytes != 0 ? capacity_bytes : kPlenty;
  space.free_bytes = space.total_bytes - std::min(space.total_bytes, disk.used_bytes());
  space.total_inodes = capacity_inodes;
  if (capacity_inodes != 0) {
    space.free_inodes = capacity_inodes - std::min(capacity_inodes, disk.inode_count());
  }
  return space;
}

absl::Status Kernel::Lock(Inode inode, uint64_t owner) {
  const auto [holder, fresh] = locks_.try_emplace(inode, LockHolder{owner, caller.pid});
  if (fresh || holder->second.owner == owner) return absl::OkStatus();
  return absl::AbortedError(
      absl::StrCat("lock ", NameOf(inode), ": held by process ", holder->second.pid));
}

void Kernel::Unlock(Inode inode, uint64_t owner) {
  const auto holder = locks_.find(inode);
  if (holder != locks_.end() && holder->second.owner == owner) locks_.erase(holder);
}

absl::StatusOr<Kernel::Place> Kernel::Resolve(absl::string_view path) {
  const std::string what = absl::StrCat("open ", path);
  if (path.empty()) return ErrnoError(ENOENT, what);
  std::string todo(path);
  if (path.front() != '/') todo = absl::StrCat(working_directory, "/", path);
  std::vector<std::string> parts = absl::StrSplit(todo, '/', absl::SkipEmpty());
  std::reverse(parts.begin(), parts.end());
  std::vector<std::pair<std::string, Inode>> way = {{"", kRootInode}};
  for (int links = 0; !parts.empty();) {
    const std::string part = std::move(parts.back());
    parts.pop_back();
    if (way.back().second == 0) return ErrnoError(ENOENT, what);
    const Node& node = disk.Get(way.back().second);
    if (node.kind != FileKind::kDirectory) return ErrnoError(ENOTDIR, what);
    if (!May(node, 1)) return ErrnoError(EACCES, what);
    if (part == ".") continue;
    if (part == "..") {
      if (way.size() > 1) way.pop_back();
      continue;
    }
    const auto entry = node.entries.find(part);
    const Inode inode = entry == node.entries.end() ? 0 : entry->second;
    const Node* found = disk.Find(inode);
    if (found == nullptr || found->kind != FileKind::kSymlink) {
      way.emplace_back(part, inode);
      continue;
    }
    if (++links > kSymlinksMax) return ErrnoError(ELOOP, what);
    if (absl::StartsWith(found->target, "/")) way.resize(1);
    std::vector<std::string> more = absl::StrSplit(found->target, '/', absl::SkipEmpty());
    parts.insert(parts.end(), more.rbegin(), more.rend());
  }
  Place place;
  place.inode = way.back().second;
  place.name = way.back().first;
  place.dir = way.size() > 1 ? way[way.size() - 2].second : kRootInode;
  for (size_t i = 1; i < way.size(); ++i) absl::StrAppend(&place.path, "/", way[i].first);
  if (place.path.empty()) place.path.assign(1, '/');
  return place;
}

std::string Kernel::NameOf(Inode inode) const {
  if (inode == kRootInode) return ".";
  std::vector<std::string> parts;
  while (inode != kRootInode) {
    const Node* node = disk.Find(inode);
    if (node == nullptr || node->links == 0) {
      parts.push_back("(unnamed)");
      break;
    }
    // Of several hard links the one that is known may be gone.
    const auto& names = disk.Find(node->parent)->entries;
    const auto entry = names.find(node->name);
    const bool known = entry != names.end() && entry->second == inode;
    parts.push_back(known ? node->name : absl::StrCat("(inode ", inode, ")"));
    inode = node->parent;
  }
  std::reverse(parts.begin(), parts.end());
  return absl::StrJoin(parts, "/");
}

}  // namespace slipway::base::sim
