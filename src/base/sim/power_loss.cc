// The part of Disk that decides what a power loss leaves.
#include <algorithm>

#include "base/check.h"
#include "base/sim/disk.h"

namespace slipway::base::sim {
namespace {

constexpr uint64_t kSectorBytes = 512;  // what a disk writes whole or not at all

// How likely an unsynced change survives: each power loss has its own, so that nearly nothing,
// nearly everything and mixtures all come up.
uint64_t SurvivalPercent(Stream& choices) {
  constexpr uint64_t kPercents[] = {20, 50, 80, 95};
  return kPercents[choices.Below(4)];
}

}  // namespace

// Part of a write: in kSeeded any of its sectors, in kOrdered the first few.
void Disk::ApplyTorn(Node& node, const DataOp& op, Loss loss, Stream& choices) {
  const uint64_t end = op.offset_bytes + op.data.size();
  const uint64_t sectors = (end - 1) / kSectorBytes - op.offset_bytes / kSectorBytes + 1;
  const uint64_t prefix = choices.Below(sectors);
  DataOp part;
  part.at = op.at;
  uint64_t at = op.offset_bytes;
  uint64_t kept = 0;
  for (uint64_t sector = 0; sector < sectors; ++sector) {
    const uint64_t next = std::min(end, (at / kSectorBytes + 1) * kSectorBytes);
    if (loss == Loss::kOrdered ? sector < prefix : choices.Chance(50)) {
      part.offset_bytes = at;
      part.data = op.data.substr(at - op.offset_bytes, next - at);
      Apply(node, part);
      ++kept;
    }
    at = next;
  }
  if (kept > 0 && kept < sectors) ++loss_counts_.writes_torn;
  // XFS and others may have written the new size before the bytes: zeros where they belong.
  if (loss == Loss::kSeeded && node.content.size_bytes() < end && choices.Chance(25)) {
    node.content.Truncate(end);
  }
}

void Disk::FlipBit(Inode inode, uint64_t bit) {
  const uint64_t at = bit / 8;
  const auto durable = durable_.find(inode);
  for (Node* node : {&Get(inode), durable == durable_.end() ? nullptr : &durable->second}) {
    uint8_t byte = 0;
    if (node == nullptr || node->content.Read(at, absl::MakeSpan(&byte, 1)) != 1) continue;
    byte = static_cast<uint8_t>(byte ^ (1u << (bit % 8)));
    node->content.Write(at, BytesView(&byte, 1));
  }
}

void Disk::Misdirect(Inode inode, BytesView data, Stream& choices) {
  const auto ops = data_ops_.find(inode);
  if (ops != data_ops_.end() && ops->second.back().kind == DataOp::Kind::kWrite) {
    ops->second.back().doomed = true;
    ops->second.back().lost = true;
  }
  std::vector<Inode> targets;
  for (const auto& [number, node] : durable_) {
    if (node.content.size_bytes() >= kSectorBytes) targets.push_back(number);
  }
  if (targets.empty()) return;
  Content& content = durable_.at(targets[choices.Below(targets.size())]).content;
  const uint64_t sectors = content.size_bytes() / kSectorBytes;
  const uint64_t at = choices.Below(sectors) * kSectorBytes;
  content.Write(at, data.subspan(0, static_cast<size_t>(std::min<uint64_t>(
                                        data.size(), content.size_bytes() - at))));
}

void Disk::LoseData(Loss loss, Stream& choices) {
  for (const auto& [inode, ops] : data_ops_) {
    const auto node = durable_.find(inode);
    if (node == durable_.end()) continue;
    if (loss == Loss::kLoseAllUnsynced) {
      loss_counts_.writes_lost += ops.size();
      continue;
    }
    const uint64_t percent = SurvivalPercent(choices);
    for (const DataOp& op : ops) {
      if (op.lost) continue;
      if (choices.Chance(percent)) {
        Apply(node->second, op);
        continue;
      }
      ++loss_counts_.writes_lost;
      const bool tear = op.kind == DataOp::Kind::kWrite && !op.data.empty() && choices.Chance(50);
      if (tear) ApplyTorn(node->second, op, loss, choices);
      if (loss == Loss::kOrdered) break;
    }
  }
  data_ops_.clear();
}

Disk::Ids Disk::KeptNames(Loss loss, Stream& choices) const {
  Ids kept;
  if (loss == Loss::kLoseAllUnsynced) return kept;
  const uint64_t percent = SurvivalPercent(choices);
  std::set<Inode> lost_dirs;
  for (const auto& [id, op] : name_ops_) {
    const bool possible = std::all_of(op.after.begin(), op.after.end(), [&](uint64_t before) {
      return kept.count(before) > 0 || name_ops_.count(before) == 0;
    });
    const bool lucky = choices.Chance(percent);
    const bool cut = std::any_of(op.changes.begin(), op.changes.end(),
                                 [&](const NameChange& c) { return lost_dirs.count(c.dir) > 0; });
    if (possible && lucky && !cut) {
      kept.insert(id);
    } else if (loss == Loss::kOrdered) {
      for (const NameChange& change : op.changes) lost_dirs.insert(change.dir);
    }
  }
  return kept;
}

void Disk::PowerLoss(Loss loss, Stream& choices) {
  if (loss == Loss::kKeepAll) {
    DropAllHandles();
    return;
  }
  LoseData(loss, choices);
  const Ids kept = KeptNames(loss, choices);
  loss_counts_.names_lost += name_ops_.size() - kept.size();
  for (const uint64_t id : kept) Commit(name_ops_.at(id));
  name_ops_.clear();
  by_dir_.clear();
  by_inode_.clear();
  last_by_name_.clear();
  handles_.clear();
  LiveFromDurable();
}

// What the root reaches is there, anew; the rest is what fsck would free.
void Disk::LiveFromDurable() {
  live_.clear();
  std::vector<Inode> open = {kRootInode};
  Node root = durable_.at(kRootInode);
  root.links = 1;
  root.parent = kRootInode;
  live_.emplace(kRootInode, std::move(root));
  while (!open.empty()) {
    const Inode dir = open.back();
    open.pop_back();
    for (const auto& [name, child] : live_.at(dir).entries) {
      auto [node, fresh] = live_.try_emplace(child);
      if (fresh) {
        node->second = durable_.at(child);
        node->second.links = 0;
        if (node->second.kind == FileKind::kDirectory) open.push_back(child);
      }
      ++node->second.links;
      node->second.parent = dir;
      node->second.name = name;
      // A directory with two names, or none, would be a bug of this model.
      SLIPWAY_CHECK(node->second.kind != FileKind::kDirectory || node->second.links == 1);
    }
  }
  durable_ = live_;
}

}  // namespace slipway::base::sim
