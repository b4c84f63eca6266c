#include "eraft/wal/wal_writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/failpoint.h"
#include "base/mutant.h"
#include "eraft/wal/limits.h"

namespace slipway::eraft::wal {
namespace {

// Larger buffers are given back: a rare long batch need not cost its memory for ever.
constexpr size_t kBufferKeptBytesMax = 4 << 20;

}  // namespace

WalWriter::WalWriter(Parts parts, ClusterId cluster, uint64_t segment_bytes)
    : parts_(parts),
      cluster_(cluster),
      segment_bytes_(segment_bytes),
      batch_bytes_max_((segment_bytes - kSegmentHeaderBytes) / kBatchesPerSegmentMin) {}

absl::Status WalWriter::Start(base::Dir& dir, const LogImage& image) {
  for (const std::string& stray : image.strays) SLIPWAY_RETURN_IF_ERROR(dir.Remove(stray));
  if (!image.strays.empty()) SLIPWAY_RETURN_IF_ERROR(SyncFailed(dir.Sync()));
  SLIPWAY_ASSIGN_OR_RETURN(hard_found_, DecodeHard(parts_.hard.payload()));
  number_ = image.number_max;
  next_sequence_ = image.next_sequence;
  durable_sequence_ = next_sequence_ - 1;
  std::deque<std::shared_ptr<Segment>> segments;
  for (const SegmentSummary& summary : image.segments) {
    auto segment = std::make_shared<Segment>();
    segment->number = summary.header.number;
    SLIPWAY_ASSIGN_OR_RETURN(segment->file, dir.Open(summary.name, {.write = true}));
    epoch_ = std::max(epoch_, summary.header.epoch);
    segments.push_back(std::move(segment));
  }
  parts_.log.Restore(image.index, segments);
  if (segments.empty()) return BeginSegment(0);

  // The last batch was perhaps only in the cache, left there by a sync that failed: written again,
  // it is dirty again. Behind it, what the crash left of a batch must not meet a later one.
  const SegmentSummary& last = image.segments.back();
  segment_ = segments.back();
  size_ = std::max(segment_bytes_, last.file_bytes);
  offset_ = last.used_bytes;
  crc_ = image.end_crc;
  const uint64_t batch = std::max(batch_bytes_max_, kEntryRecordBytesMax);
  const uint64_t tail = std::max(batch + RecordBytes(kBatchPayloadBytes), image.torn_bytes);
  const uint64_t end = std::min(last.file_bytes, offset_ + tail);
  base::Bytes bytes(std::max(end, offset_) - image.last_batch_offset);
  SLIPWAY_ASSIGN_OR_RETURN(const size_t got,
                           segment_->file->ReadAt(image.last_batch_offset, absl::MakeSpan(bytes)));
  SLIPWAY_CHECK(got == bytes.size());
  const auto cut = bytes.begin() + static_cast<std::ptrdiff_t>(offset_ - image.last_batch_offset);
  while (bytes.end() != cut && bytes.back() == 0) bytes.pop_back();
  std::fill(cut, bytes.end(), uint8_t{0});
  SLIPWAY_RETURN_IF_ERROR(WriteAndSync(bytes, image.last_batch_offset));
  // A batch that lost its end announces more records than there are; an empty one behind it says
  // so, before others can be taken for them.
  return image.torn_bytes > 0 ? Seal() : absl::OkStatus();
}

absl::Status WalWriter::WriteAndSync(base::BytesView bytes, uint64_t offset) {
  const std::string name = SegmentName(segment_->number);
  const auto failed = [&](const absl::Status& status, absl::string_view verb) {
    const absl::Status last = SyncFailed(status);
    return absl::Status(
        last.code(),
        absl::StrCat("write-ahead log: ", verb, " ", bytes.size(), " bytes at ", offset, " of ",
                     name, ": ", last.message(), "; the node must stop and recover"));
  };
  SLIPWAY_FAILPOINT("eraft.wal.before");
  absl::Status status = segment_->file->WriteAt(offset, bytes);
  if (!status.ok()) {
    parts_.metrics.write_errors.Increment();
    return failed(status, "write");
  }
  if (SLIPWAY_MUTANT("wal-ack-before-sync")) return absl::OkStatus();
  const absl::Duration begun = parts_.clock.Monotonic();
  status = segment_->file->SyncData();
  if (!status.ok() && SLIPWAY_MUTANT("wal-retry-sync")) status = segment_->file->SyncData();
  parts_.metrics.fsync_seconds.Observe(absl::ToDoubleSeconds(parts_.clock.Monotonic() - begun));
  if (!status.ok()) {
    parts_.metrics.sync_errors.Increment();
    return failed(status, "sync");
  }
  SLIPWAY_FAILPOINT("eraft.wal.after");
  return absl::OkStatus();
}

// The header goes to the disk with the segment's first batch, so a new segment costs no sync of its
// own; and with the state of every group, so that older segments are needed for entries only, and
// with how far those reach, so that one that is gone is missed.
absl::Status WalWriter::BeginSegment(uint64_t room) {
  auto segment = std::make_shared<Segment>();
  segment->number = number_ + 1;
  // What comes before the request takes less than half of a usual one.
  const uint64_t needed =
      segment_bytes_ / 2 + kSegmentHeaderBytes + room + 2 * RecordBytes(kBatchPayloadBytes);
  const uint64_t pages = (needed + kSegmentHeaderBytes - 1) / kSegmentHeaderBytes;
  const uint64_t size = std::max(segment_bytes_, pages * kSegmentHeaderBytes);
  absl::StatusOr<std::unique_ptr<base::File>> file = parts_.files.Begin(segment->number, size);
  if (!file.ok()) {
    const bool full = absl::IsResourceExhausted(file.status());
    (full ? parts_.metrics.space_errors : parts_.metrics.write_errors).Increment();
    return base::Annotate(file.status(),
                          absl::StrCat("write-ahead log: begin ", SegmentName(number_ + 1)));
  }
  segment->file = *std::move(file);
  ++number_;
  ++epoch_;
  segment_ = segment;
  size_ = size;
  header_.resize(kSegmentHeaderBytes);
  crc_ = EncodeSegmentHeader({epoch_, number_, next_sequence_, cluster_}, header_.data());
  offset_ = kSegmentHeaderBytes;

  BatchBuilder builder;
  for (const DurableLog::GroupCheckpoint& checkpoint : parts_.log.Checkpoints()) {
    builder.Add(checkpoint.group, checkpoint.state);
    if (checkpoint.last_entry != 0) builder.AddLastEntry(checkpoint.group, checkpoint.last_entry);
  }
  if (RecordBytes(0) + builder.bytes() > segment_bytes_ / 2) {
    return absl::InternalError(absl::StrCat("write-ahead log: the state of all groups takes ",
                                            builder.bytes(), " bytes of a segment of ",
                                            segment_bytes_, "; configure larger segments"));
  }
  SLIPWAY_RETURN_IF_ERROR(Write(std::move(builder)));
  // Not before: with it there, the segment before it may be retired.
  parts_.log.AddSegment(std::move(segment));
  for (const DurableLog::Pinned& pinned :
       parts_.log.FindPinned(segment_bytes_ / kCopyForwardDivisor)) {
    to_copy_.push_back(pinned);
  }
  return absl::OkStatus();
}

absl::Status WalWriter::Write(BatchBuilder builder) {
  BatchBuilder::Built built = builder.Finish({.offset = offset_,
                                              .sequence = next_sequence_,
                                              .epoch_low = static_cast<uint32_t>(epoch_),
                                              .seed = crc_,
                                              .durable_sequence = durable_sequence_});
  SLIPWAY_CHECK(offset_ + built.bytes.size() <= size_);
  const uint64_t batch_bytes = built.bytes.size();
  if (header_.empty()) {
    SLIPWAY_RETURN_IF_ERROR(WriteAndSync(built.bytes, offset_));
  } else {
    header_.insert(header_.end(), built.bytes.begin(), built.bytes.end());
    SLIPWAY_RETURN_IF_ERROR(WriteAndSync(header_, 0));
    header_.clear();
  }
  offset_ += batch_bytes;
  next_sequence_ += built.records.size();
  durable_sequence_ = next_sequence_ - 1;
  crc_ = built.crc;
  parts_.log.Apply(built.records, segment_->number);
  parts_.metrics.batch_records.Observe(static_cast<double>(built.records.size()));
  parts_.metrics.batch_bytes.Observe(static_cast<double>(batch_bytes));
  if (built.buffer.size() <= kBufferKeptBytesMax) buffer_ = std::move(built.buffer);
  return absl::OkStatus();
}

bool WalWriter::Fits(const BatchBuilder& builder, uint64_t more) const {
  if (offset_ + builder.bytes() + more > size_) return false;
  const bool alone = builder.records() == 0;  // as large as it is
  return alone || builder.bytes() + more <= RecordBytes(kBatchPayloadBytes) + batch_bytes_max_;
}

// One group's pinned entries at the head of a batch. The state they belong to is that before the
// batch, so they come before everything else in it.
void WalWriter::AddCopies(BatchBuilder& builder) {
  while (!to_copy_.empty()) {
    DurableLog::Pinned& pinned = to_copy_.front();
    const auto entries =
        parts_.log.Read(pinned.group, pinned.first, pinned.last, batch_bytes_max_ / 2);
    // Gone meanwhile; or the disk gave other bytes, and then the old segment stays as it is.
    if (!entries.ok()) {
      if (!absl::IsNotFound(entries.status()) && !absl::IsOutOfRange(entries.status())) {
        parts_.metrics.read_errors.Increment();
      }
      to_copy_.pop_front();
      continue;
    }
    const uint64_t bytes = EntriesRecordBytes(*entries);
    if (!Fits(builder, bytes)) {
      if (builder.records() == 0) to_copy_.pop_front();  // never fits: more tables than payload
      return;
    }
    builder.AddEntries(pinned.group, *entries, kFlagCopy);
    pinned.first = entries->back().index + 1;
    if (pinned.first > pinned.last) to_copy_.pop_front();
  }
}

absl::Status WalWriter::Step(std::deque<Pending>& queue, std::vector<Pending>& written) {
  if (queue.empty()) return absl::OkStatus();
  if (!Fits(BatchBuilder(), queue.front().bytes)) {
    SLIPWAY_RETURN_IF_ERROR(BeginSegment(queue.front().bytes));
  }
  BatchBuilder builder(std::move(buffer_));
  bool vote = false;
  const auto take = [&] {
    Pending& next = queue.front();
    builder.Add(next.group, next.batch);
    if (next.batch.hard_state.has_value()) {
      const std::optional<GroupView> known = parts_.log.Find(next.group);
      vote = vote || !known.has_value() || known->hard_state.term != next.batch.hard_state->term ||
             known->hard_state.vote != next.batch.hard_state->vote;
    }
    if (next.batch.remove_group) {
      hard_found_.groups.erase(next.group);
      vote = true;  // else its vote could come back
    }
    written.push_back(std::move(next));
    queue.pop_front();
  };
  // Copies stand before what may change what they are copies of, and must leave room for it.
  if (!to_copy_.empty() && offset_ + 2 * batch_bytes_max_ + queue.front().bytes <= size_) {
    AddCopies(builder);
  }
  do {
    if (!Fits(builder, queue.front().bytes)) break;
    take();
  } while (!queue.empty());
  SLIPWAY_RETURN_IF_ERROR(Write(std::move(builder)));
  hard_is_old_ = true;
  // Term and vote survive a damaged log only if they are elsewhere too before anybody hears of
  // them.
  return vote ? WriteHard() : absl::OkStatus();
}

absl::Status WalWriter::WriteHard() {
  HardCopies copies = hard_found_;
  copies.durable_sequence = durable_sequence_;
  for (const auto& [id, state] : parts_.log.HardStates()) {
    copies.groups[id] = NewerOf(state, copies.groups[id]);
  }
  absl::Status written = parts_.hard.Write(EncodeHard(copies));
  if (!written.ok()) {
    parts_.metrics.write_errors.Increment();
    return SyncFailed(written);
  }
  hard_is_old_ = false;
  return absl::OkStatus();
}

absl::Status WalWriter::Seal() {
  if (offset_ + RecordBytes(kBatchPayloadBytes) > size_) return absl::OkStatus();
  return Write(BatchBuilder());
}

}  // namespace slipway::eraft::wal
