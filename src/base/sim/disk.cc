#include "base/sim/disk.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"

namespace slipway::base::sim {

Disk::Disk() {
  Node root;
  root.kind = FileKind::kDirectory;
  root.mode = 0755;
  root.links = 1;
  root.parent = kRootInode;
  SLIPWAY_CHECK(Create(std::move(root)) == kRootInode);
}

const Node* Disk::Find(Inode inode) const {
  const auto found = live_.find(inode);
  return found == live_.end() ? nullptr : &found->second;
}

Node& Disk::Get(Inode inode) {
  const auto found = live_.find(inode);
  SLIPWAY_CHECK(found != live_.end());
  return found->second;
}

uint64_t Disk::used_bytes() const {
  uint64_t bytes = 0;
  for (const auto& [inode, node] : live_) bytes += node.content.allocated_bytes();
  return bytes;
}

Inode Disk::Create(Node node) {
  const Inode inode = next_inode_++;
  // A journal writes a new inode together with the name that makes it reachable; nothing reaches
  // the durable one before that.
  durable_.emplace(inode, node);
  live_.emplace(inode, std::move(node));
  return inode;
}

void Disk::DropHandle(Inode inode) {
  const auto found = handles_.find(inode);
  if (found == handles_.end()) return;
  if (--found->second > 0) return;
  handles_.erase(found);
  DropIfUnused(inode);
}

void Disk::DropAllHandles() {
  std::vector<Inode> inodes;
  for (const auto& [inode, count] : handles_) inodes.push_back(inode);
  handles_.clear();
  for (const Inode inode : inodes) DropIfUnused(inode);
}

void Disk::DropIfUnused(Inode inode) {
  const auto found = live_.find(inode);
  if (found == live_.end() || found->second.links > 0 || handles_.count(inode) > 0) return;
  live_.erase(found);
}

void Disk::Write(Inode inode, uint64_t offset_bytes, std::string data, absl::Time now) {
  DataOp op;
  op.offset_bytes = offset_bytes;
  op.data = std::move(data);
  op.at = now;
  Apply(Get(inode), op);
  data_ops_[inode].push_back(std::move(op));
}

void Disk::Truncate(Inode inode, uint64_t size_bytes, absl::Time now) {
  DataOp op;
  op.kind = DataOp::Kind::kTruncate;
  op.offset_bytes = size_bytes;
  op.at = now;
  Apply(Get(inode), op);
  data_ops_[inode].push_back(std::move(op));
}

void Disk::SetMeta(Inode inode, const MetaChange& change, absl::Time now) {
  DataOp op;
  op.kind = DataOp::Kind::kMeta;
  op.meta = change;
  op.at = now;
  Apply(Get(inode), op);
  data_ops_[inode].push_back(std::move(op));
}

void Disk::Apply(Node& node, const DataOp& op) {
  node.ctime = op.at;
  switch (op.kind) {
    case DataOp::Kind::kWrite:
      node.content.Write(op.offset_bytes, AsBytes(op.data));
      node.mtime = op.at;
      return;
    case DataOp::Kind::kTruncate:
      node.content.Truncate(op.offset_bytes);
      node.mtime = op.at;
      return;
    case DataOp::Kind::kMeta:
      if (op.meta.mode) node.mode = *op.meta.mode & 07777;
      if (op.meta.mtime) node.mtime = *op.meta.mtime;
      if (!op.meta.xattrs) return;
      for (const auto& [name, value] : *op.meta.xattrs) node.xattrs[name] = value;
      return;
  }
}

// ---- Names ----

// An operation waits for every earlier one on the same name; one that takes a directory away for
// those inside it (it was empty, so what had been in it had gone elsewhere first).
void Disk::Remember(NameOp& op) const {
  for (const NameChange& change : op.changes) {
    const auto last = last_by_name_.find({change.dir, change.name});
    if (last != last_by_name_.end()) op.after.push_back(last->second);
    const auto& entries = live_.at(change.dir).entries;
    const auto old = entries.find(change.name);
    if (old == entries.end()) continue;
    const bool stays = std::any_of(op.changes.begin(), op.changes.end(),
                                   [&](const NameChange& c) { return c.inode == old->second; });
    const auto inside = by_dir_.find(old->second);
    if (stays || inside == by_dir_.end()) continue;
    op.gone.push_back(old->second);
    op.after.insert(op.after.end(), inside->second.begin(), inside->second.end());
  }
  RememberMoves(op);
}

// What moves must be reachable at its new place, or power loss would leave it with neither name.
// That also keeps directories from ending up in a circle: a move waits for all that put its target
// where the target is, which is not beneath what moves.
void Disk::RememberMoves(NameOp& op) const {
  if (op.changes.size() < 2) return;
  for (const NameChange& change : op.changes) {
    if (change.inode != 0) Attached(change.dir, op.after);
  }
}

// Adds the unsynced operations that gave `dir` and the directories above it their names.
void Disk::Attached(Inode dir, std::vector<uint64_t>& after) const {
  while (dir != kRootInode && dir != 0) {
    const auto named = by_inode_.find(dir);
    if (named != by_inode_.end()) after.push_back(*named->second.rbegin());
    const auto node = live_.find(dir);
    dir = node == live_.end() ? 0 : node->second.parent;
  }
}

void Disk::Rename(std::vector<NameChange> changes, absl::Time now) {
  NameOp op;
  op.changes = std::move(changes);
  op.at = now;
  Remember(op);
  const uint64_t id = next_id_++;
  // New names first, so that an inode that moves never loses its last one on the way.
  for (const NameChange& change : op.changes) {
    if (change.inode != 0) ++Get(change.inode).links;
  }
  for (const NameChange& change : op.changes) {
    ChangeLive(change, now);
    by_dir_[change.dir].insert(id);
    if (change.inode != 0) by_inode_[change.inode].insert(id);
    last_by_name_[{change.dir, change.name}] = id;
  }
  name_ops_.emplace(id, std::move(op));
}

// The links of the new inode are counted already.
void Disk::ChangeLive(const NameChange& change, absl::Time now) {
  Node& dir = Get(change.dir);
  dir.mtime = dir.ctime = now;
  const auto entry = dir.entries.find(change.name);
  const Inode old = entry == dir.entries.end() ? 0 : entry->second;
  if (change.inode == 0) {
    if (entry != dir.entries.end()) dir.entries.erase(entry);
  } else {
    dir.entries[change.name] = change.inode;
    Node& node = Get(change.inode);
    node.parent = change.dir;
    node.name = change.name;
    node.ctime = now;
  }
  if (old == 0) return;
  --Get(old).links;
  Get(old).ctime = now;
  DropIfUnused(old);
}

void Disk::Commit(const NameOp& op) {
  for (const NameChange& change : op.changes) {
    const auto dir = durable_.find(change.dir);
    if (dir == durable_.end()) continue;  // gone for good, with all that was in it
    if (change.inode == 0) {
      dir->second.entries.erase(change.name);
    } else {
      dir->second.entries[change.name] = change.inode;
    }
    dir->second.mtime = dir->second.ctime = op.at;
  }
}

void Disk::Forget(uint64_t id) {
  const auto op = name_ops_.find(id);
  for (const NameChange& change : op->second.changes) {
    for (auto [index, key] :
         {std::pair(&by_dir_, change.dir), std::pair(&by_inode_, change.inode)}) {
      const auto ids = index->find(key);
      if (ids == index->end()) continue;
      ids->second.erase(id);
      if (ids->second.empty()) index->erase(ids);
    }
    const auto last = last_by_name_.find({change.dir, change.name});
    if (last != last_by_name_.end() && last->second == id) last_by_name_.erase(last);
  }
  name_ops_.erase(op);
}

// Adds `id` and all that must be durable before it.
void Disk::Close(uint64_t id, Ids& closure) const {
  std::vector<uint64_t> open = {id};
  while (!open.empty()) {
    const uint64_t next = open.back();
    open.pop_back();
    const auto op = name_ops_.find(next);
    if (op == name_ops_.end() || !closure.insert(next).second) continue;
    open.insert(open.end(), op->second.after.begin(), op->second.after.end());
  }
}

// Whether the names of a doomed operation are all written again by later ones of `closure`, or go
// with their directory: then the sync is about them too, for what is written of a directory is its
// entries as they are, not their history.
bool Disk::Superseded(uint64_t id, const Ids& closure) const {
  const NameOp& old = name_ops_.at(id);
  return std::all_of(old.changes.begin(), old.changes.end(), [&](const NameChange& was) {
    return std::any_of(closure.upper_bound(id), closure.end(), [&](uint64_t later) {
      const NameOp& op = name_ops_.at(later);
      if (op.doomed) return false;
      if (std::count(op.gone.begin(), op.gone.end(), was.dir) > 0) return true;
      return std::any_of(op.changes.begin(), op.changes.end(), [&](const NameChange& now) {
        return now.dir == was.dir && now.name == was.name;
      });
    });
  });
}

// Commits in order; what is doomed, and what waits for something doomed, stays as it is.
void Disk::CommitAll(const Ids& wanted) {
  Ids closure;
  for (const uint64_t id : wanted) Close(id, closure);
  Ids superseded;
  for (const uint64_t id : closure) {
    if (name_ops_.at(id).doomed && Superseded(id, closure)) superseded.insert(id);
  }
  for (const uint64_t id : closure) {
    const auto found = name_ops_.find(id);
    if (found == name_ops_.end()) continue;  // doomed, and superseded
    const NameOp& op = found->second;
    const bool blocked =
        op.doomed || std::any_of(op.after.begin(), op.after.end(), [&](uint64_t before) {
          return name_ops_.count(before) > 0 && superseded.count(before) == 0;
        });
    if (blocked) continue;
    Commit(op);
    const std::vector<uint64_t> after = op.after;
    Forget(id);
    for (const uint64_t before : after) {
      if (name_ops_.count(before) > 0) Forget(before);
    }
  }
  if (durable_.size() > 2 * live_.size() + 64) CollectGarbage();
}

void Disk::CollectGarbage() {
  std::set<Inode> used;
  std::vector<Inode> open;
  for (const auto& [inode, node] : live_) open.push_back(inode);
  for (const auto& [id, op] : name_ops_) {
    for (const NameChange& change : op.changes) {
      open.push_back(change.dir);
      open.push_back(change.inode);
    }
  }
  while (!open.empty()) {
    const Inode inode = open.back();
    open.pop_back();
    const auto node = durable_.find(inode);
    if (node == durable_.end() || !used.insert(inode).second) continue;
    for (const auto& [name, child] : node->second.entries) open.push_back(child);
  }
  std::erase_if(durable_, [&](const auto& item) { return used.count(item.first) == 0; });
  std::erase_if(data_ops_, [&](const auto& item) { return used.count(item.first) == 0; });
}

// ---- Syncs ----

void Disk::SyncNode(Inode inode) {
  const auto ops = data_ops_.find(inode);
  if (ops == data_ops_.end()) return;
  Node& node = durable_.at(inode);
  for (const DataOp& op : ops->second) {
    if (!op.doomed) Apply(node, op);
  }
  std::erase_if(ops->second, [](const DataOp& op) { return !op.doomed; });
  if (ops->second.empty()) data_ops_.erase(ops);
}

void Disk::SyncData(Inode inode) {
  const auto ops = data_ops_.find(inode);
  if (ops == data_ops_.end()) return;
  Node& node = durable_.at(inode);
  const auto is_synced = [](const DataOp& op) {
    return !op.doomed && op.kind != DataOp::Kind::kMeta;
  };
  for (const DataOp& op : ops->second) {
    if (is_synced(op)) Apply(node, op);
  }
  std::erase_if(ops->second, is_synced);
  if (ops->second.empty()) data_ops_.erase(ops);
}

void Disk::SyncDir(Inode dir) {
  SyncNode(dir);
  if (const Node* node = Find(dir)) {
    for (const auto& [name, child] : node->entries) {
      // A symlink cannot be opened to be synced.
      if (Get(child).kind == FileKind::kSymlink) SyncNode(child);
    }
  }
  const auto ids = by_dir_.find(dir);
  if (ids != by_dir_.end()) CommitAll(Ids(ids->second));
}

void Disk::SyncAll() {
  std::vector<Inode> inodes;
  for (const auto& [inode, ops] : data_ops_) inodes.push_back(inode);
  for (const Inode inode : inodes) SyncNode(inode);
  Ids all;
  for (const auto& [id, op] : name_ops_) all.insert(id);
  CommitAll(all);
}

void Disk::DoomNode(Inode inode) {
  const auto ops = data_ops_.find(inode);
  if (ops == data_ops_.end()) return;
  for (DataOp& op : ops->second) op.doomed = true;
}

void Disk::DoomDir(Inode dir) {
  DoomNode(dir);
  const auto ids = by_dir_.find(dir);
  if (ids == by_dir_.end()) return;
  for (const uint64_t id : ids->second) name_ops_.at(id).doomed = true;
}

void Disk::DoomAll() {
  for (auto& [inode, ops] : data_ops_) DoomNode(inode);
  for (auto& [id, op] : name_ops_) op.doomed = true;
}

}  // namespace slipway::base::sim
