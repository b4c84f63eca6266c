#include "eraft/wal/durable_log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status.h"
#include "eraft/wal/limits.h"

namespace slipway::eraft::wal {
namespace {

// The entries [first, last] of the record that `extent` names, every CRC checked.
absl::StatusOr<std::vector<raft::Entry>> ReadPart(const Extent& extent, Segment& segment,
                                                  raft::GroupId group, raft::Index first,
                                                  raft::Index last) {
  const auto damaged = [&](absl::string_view why) {
    return absl::DataLossError(absl::StrCat("read entries ", first, " to ", last, " of group ",
                                            group, " from ", SegmentName(segment.number), " at ",
                                            extent.offset, ": ", why));
  };
  auto bytes = std::make_shared<base::Bytes>(extent.bytes);
  SLIPWAY_ASSIGN_OR_RETURN(const size_t got,
                           segment.file->ReadAt(extent.offset, absl::MakeSpan(*bytes)));
  if (got != bytes->size()) return damaged("the file is cut");
  const auto header = PeekRecordHeader(*bytes);
  if (!header.has_value() || RecordBytes(header->length) != bytes->size() ||
      header->type != RecordType::kEntries || header->group != group ||
      RecordCrc(*bytes, extent.seed) != header->crc) {
    return damaged("the record's CRC differs");
  }
  const base::BytesView payload =
      base::BytesView(*bytes).subspan(kRecordHeaderBytes, header->length);
  return ParseEntries(bytes, payload, first, last);
}

}  // namespace

void DurableLog::Restore(LogIndex index, std::deque<std::shared_ptr<Segment>> segments) {
  base::MutexLock lock(mutex_);
  index_ = std::move(index);
  segments_ = std::move(segments);
}

void DurableLog::AddSegment(std::shared_ptr<Segment> segment) {
  base::MutexLock lock(mutex_);
  segments_.push_back(std::move(segment));
}

void DurableLog::Apply(absl::Span<const RecordRef> records, uint64_t segment) {
  base::MutexLock lock(mutex_);
  for (const RecordRef& record : records) {
    const absl::Status applied = index_.Apply(record, segment);
    SLIPWAY_CHECK(applied.ok());
  }
}

std::vector<DurableLog::GroupCheckpoint> DurableLog::Checkpoints() const {
  base::MutexLock lock(mutex_);
  std::vector<GroupCheckpoint> all;
  for (const auto& [id, group] : index_.groups()) {
    all.push_back({id, group.Checkpoint(), group.extents().empty() ? 0 : group.last_index()});
  }
  return all;
}

std::vector<DurableLog::Pinned> DurableLog::FindPinned(uint64_t live_bytes_max) const {
  base::MutexLock lock(mutex_);
  std::vector<Pinned> pinned;
  if (segments_.size() <= kOldSegmentsMax + 1) return pinned;
  // The oldest that a group may hold; what is younger does not bother.
  const uint64_t oldest = segments_[segments_.size() - 1 - kOldSegmentsMax]->number;
  for (const auto& [id, group] : index_.groups()) {
    if (group.live_bytes().empty() || group.live_bytes().begin()->first >= oldest) continue;
    uint64_t live = 0;
    for (const auto& [segment, bytes] : group.live_bytes()) live += bytes;
    if (live > live_bytes_max) continue;
    for (const Extent& extent : group.extents()) {
      if (extent.segment < oldest) pinned.push_back({id, extent.first, extent.last()});
    }
  }
  return pinned;
}

std::vector<std::pair<raft::GroupId, raft::HardState>> DurableLog::HardStates() const {
  base::MutexLock lock(mutex_);
  std::vector<std::pair<raft::GroupId, raft::HardState>> all;
  for (const auto& [id, group] : index_.groups()) all.emplace_back(id, group.hard_state());
  return all;
}

absl::StatusOr<std::vector<DurableLog::Part>> DurableLog::Locate(raft::GroupId id,
                                                                 raft::Index first,
                                                                 raft::Index last) const {
  base::MutexLock lock(mutex_);
  const GroupLog* const group = index_.Find(id);
  if (group == nullptr) {
    return absl::NotFoundError(absl::StrCat("read entries of group ", id, ": unknown here"));
  }
  if (first > last || first < group->first_index() || last > group->last_index()) {
    return absl::OutOfRangeError(absl::StrCat("read entries ", first, " to ", last, " of group ",
                                              id, ": the log holds ", group->first_index(), " to ",
                                              group->last_index()));
  }
  const std::deque<Extent>& extents = group->extents();
  auto at = std::upper_bound(extents.begin(), extents.end(), first,
                             [](raft::Index index, const Extent& e) { return index < e.first; });
  std::vector<Part> parts;
  for (--at; at != extents.end() && at->first <= last; ++at) {
    const auto segment = std::lower_bound(
        segments_.begin(), segments_.end(), at->segment,
        [](const std::shared_ptr<Segment>& s, uint64_t number) { return s->number < number; });
    SLIPWAY_CHECK(segment != segments_.end());
    SLIPWAY_CHECK((*segment)->number == at->segment);
    parts.push_back({*at, *segment});
  }
  return parts;
}

absl::StatusOr<std::vector<raft::Entry>> DurableLog::Read(raft::GroupId group, raft::Index first,
                                                          raft::Index last,
                                                          uint64_t bytes_max) const {
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<Part> parts, Locate(group, first, last));
  std::vector<raft::Entry> entries;
  uint64_t bytes = 0;
  for (const Part& part : parts) {
    SLIPWAY_ASSIGN_OR_RETURN(
        std::vector<raft::Entry> read,
        ReadPart(part.extent, *part.segment, group, std::max(first, part.extent.first),
                 std::min(last, part.extent.last())));
    for (raft::Entry& entry : read) {
      bytes += entry.payload.size();
      if (bytes > bytes_max && !entries.empty()) return entries;
      entries.push_back(std::move(entry));
    }
  }
  return entries;
}

std::optional<GroupView> DurableLog::Find(raft::GroupId id) const {
  base::MutexLock lock(mutex_);
  const GroupLog* const group = index_.Find(id);
  if (group == nullptr) return std::nullopt;
  return GroupView{group->hard_state(), group->mark(),        group->membership(),
                   group->intent(),     group->first_index(), group->last_index()};
}

std::vector<raft::GroupId> DurableLog::Groups() const {
  base::MutexLock lock(mutex_);
  std::vector<raft::GroupId> ids;
  for (const auto& [id, group] : index_.groups()) ids.push_back(id);
  return ids;
}

size_t DurableLog::segment_count() const {
  base::MutexLock lock(mutex_);
  return segments_.size();
}

std::optional<uint64_t> DurableLog::FindFreeSegment() const {
  base::MutexLock lock(mutex_);
  if (segments_.size() < 2) return std::nullopt;
  const std::shared_ptr<Segment>& oldest = segments_.front();
  if (index_.Uses(oldest->number) || oldest.use_count() > 1) return std::nullopt;
  return oldest->number;
}

void DurableLog::RemoveSegment(uint64_t number) {
  base::MutexLock lock(mutex_);
  SLIPWAY_CHECK(!segments_.empty());
  SLIPWAY_CHECK(segments_.front()->number == number);
  segments_.pop_front();
}

}  // namespace slipway::eraft::wal
