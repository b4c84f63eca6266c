#include "eraft/wal/log_index.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutant.h"
#include "base/status.h"

namespace slipway::eraft::wal {

raft::Index GroupLog::first_index() const {
  return extents_.empty() ? mark_.index + 1 : extents_.front().first;
}

raft::Index GroupLog::last_index() const {
  return extents_.empty() ? mark_.index : extents_.back().last();
}

void GroupLog::Release(const Extent& extent) {
  const auto used = live_bytes_.find(extent.segment);
  used->second -= extent.bytes;
  if (used->second == 0) live_bytes_.erase(used);
}

void GroupLog::EraseFrom(raft::Index first) {
  while (!extents_.empty() && extents_.back().last() >= first) {
    Extent& back = extents_.back();
    if (back.first < first) {
      back.count = static_cast<uint32_t>(first - back.first);
      return;
    }
    Release(back);
    extents_.pop_back();
  }
}

void GroupLog::EraseUpTo(raft::Index last) {
  while (!extents_.empty() && extents_.front().first <= last) {
    Extent& front = extents_.front();
    if (front.last() > last) {
      front.count = static_cast<uint32_t>(front.last() - last);
      front.first = last + 1;
      return;
    }
    Release(front);
    extents_.pop_front();
  }
}

void GroupLog::Void(raft::Index from) {
  EraseFrom(from);
  promised_last_ = std::min(promised_last_, from - 1);
}

void GroupLog::Append(const Extent& extent) {
  EraseFrom(extent.first);
  if (extent.last() <= mark_.index) return;
  extents_.push_back(extent);
  Use(extent);
  EraseUpTo(mark_.index);
}

// A copy: takes the place of the same entries, wherever they lie.
void GroupLog::Replace(const Extent& extent) {
  std::deque<Extent> behind;
  while (!extents_.empty() && extents_.back().last() > extent.last()) {
    Extent part = extents_.back();
    extents_.pop_back();
    if (part.first <= extent.last()) {
      Extent rest = part;  // both halves name the record, and each counts it
      rest.count = static_cast<uint32_t>(part.last() - extent.last());
      rest.first = extent.last() + 1;
      behind.push_front(rest);
      part.count -= rest.count;
      Use(rest);
      extents_.push_back(part);
      break;
    }
    behind.push_front(part);
  }
  Append(extent);
  for (const Extent& part : behind) {
    if (part.last() > mark_.index) {
      extents_.push_back(part);
    } else {
      Release(part);
    }
  }
}

std::vector<IndexRange> GroupLog::Missing() const {
  std::vector<IndexRange> missing;
  raft::Index next = mark_.index + 1;
  for (const Extent& extent : extents_) {
    if (extent.first > next) missing.push_back({next, extent.first - 1});
    next = extent.last() + 1;
  }
  if (promised_last_ >= next) missing.push_back({next, promised_last_});
  return missing;
}

Batch GroupLog::Checkpoint() const {
  Batch batch;
  batch.hard_state = hard_state_;
  if (mark_.index != 0) batch.truncate_prefix = mark_;
  batch.membership = membership_;
  batch.snapshot_intent = intent_;
  return batch;
}

const GroupLog* LogIndex::Find(raft::GroupId group) const {
  const auto found = groups_.find(group);
  return found == groups_.end() ? nullptr : &found->second;
}

bool LogIndex::Uses(uint64_t segment) const {
  return std::any_of(groups_.begin(), groups_.end(), [&](const auto& group) {
    return group.second.live_bytes().count(segment) > 0;
  });
}

absl::Status LogIndex::ApplyEntries(const RecordRef& record, uint64_t segment) {
  SLIPWAY_ASSIGN_OR_RETURN(const EntriesSummary entries, ParseEntriesSummary(record.payload));
  Extent extent;
  extent.first = entries.first;
  extent.count = entries.count;
  extent.segment = segment;
  extent.offset = static_cast<uint32_t>(record.offset);
  extent.bytes = static_cast<uint32_t>(RecordBytes(record.header.length));
  extent.seed = record.seed;
  GroupLog& group = groups_[record.header.group];
  if ((record.header.flags & kFlagCopy) != 0) {
    group.Replace(extent);
  } else {
    group.Void(extent.first);
    group.Append(extent);
  }
  return absl::OkStatus();
}

absl::Status LogIndex::Apply(const RecordRef& record, uint64_t segment) {
  const base::BytesView payload = record.payload;
  const raft::GroupId id = record.header.group;
  switch (record.header.type) {
    case RecordType::kEntries:
      return ApplyEntries(record, segment);
    case RecordType::kHardState: {
      SLIPWAY_ASSIGN_OR_RETURN(groups_[id].hard_state_, ParseHardState(payload));
      return absl::OkStatus();
    }
    case RecordType::kTruncatePrefix: {
      SLIPWAY_ASSIGN_OR_RETURN(raft::SnapshotMark mark, ParseMark(payload));
      if ((record.header.flags & kFlagGone) != 0) {
        groups_.erase(id);
        return absl::OkStatus();
      }
      GroupLog& group = groups_[id];
      if (mark.index >= group.mark_.index) group.mark_ = std::move(mark);
      group.EraseUpTo(group.mark_.index);
      return absl::OkStatus();
    }
    case RecordType::kTruncateSuffix: {
      SLIPWAY_ASSIGN_OR_RETURN(const raft::Index from, ParseIndex(payload));
      groups_[id].Void(from);
      return absl::OkStatus();
    }
    case RecordType::kSnapshotIntent: {
      SLIPWAY_ASSIGN_OR_RETURN(groups_[id].intent_, ParseIntent(payload));
      return absl::OkStatus();
    }
    case RecordType::kSnapshotDone: {
      SLIPWAY_RETURN_IF_ERROR(ParseDone(payload, record.header.flags).status());
      groups_[id].intent_.reset();
      return absl::OkStatus();
    }
    case RecordType::kMembership: {
      SLIPWAY_ASSIGN_OR_RETURN(groups_[id].membership_, ParseMembership(payload));
      return absl::OkStatus();
    }
    case RecordType::kBatch:
      return ParseBatchHeader(payload).status();
    case RecordType::kLastEntry: {
      SLIPWAY_ASSIGN_OR_RETURN(const raft::Index last, ParseIndex(payload));
      if (!SLIPWAY_MUTANT("wal-lost-segment-unseen")) groups_[id].promised_last_ = last;
      return absl::OkStatus();
    }
    case RecordType::kPad:
      return absl::OkStatus();
  }
  return absl::DataLossError("a record of no known type");
}

}  // namespace slipway::eraft::wal
