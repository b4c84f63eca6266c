#include "eraft/wal/scan.h"

#include <algorithm>
#include <utility>

#include "base/mutant.h"

namespace slipway::eraft::wal {
namespace {

using base::BytesView;

// Bytes that may be run through the CRC while looking for records, in sizes of the segment.
constexpr uint64_t kSearchEffort = 16;

uint32_t LowBits(uint64_t epoch) { return static_cast<uint32_t>(epoch); }

bool HasCrc(BytesView segment, uint64_t offset, const RecordHeader& header, uint32_t seed) {
  return RecordCrc(segment.subspan(offset, RecordBytes(header.length)), seed) == header.crc;
}

RecordRef RefOf(BytesView segment, uint64_t offset, const RecordHeader& header, uint32_t seed) {
  RecordRef ref;
  ref.offset = offset;
  ref.seed = seed;
  ref.header = header;
  ref.payload = segment.subspan(offset + kRecordHeaderBytes, header.length);
  return ref;
}

// The record at `offset` if it is the one of `sequence` after `seed`.
std::optional<RecordRef> NextInChain(BytesView segment, uint64_t offset, uint64_t sequence,
                                     uint32_t epoch_low, uint32_t seed) {
  const auto header = PeekRecordHeader(segment.subspan(offset));
  if (!header.has_value()) return std::nullopt;
  const bool mine = header->epoch_low == epoch_low && header->sequence == sequence;
  if (!mine && !SLIPWAY_MUTANT("wal-recycled-accepted")) return std::nullopt;
  if (!HasCrc(segment, offset, *header, seed)) return std::nullopt;
  return RefOf(segment, offset, *header, seed);
}

// The search behind a break.
class Search {
 public:
  Search(BytesView segment, const SegmentScan& scan, uint64_t sequence_min)
      : segment_(segment),
        sequence_min_(sequence_min),
        budget_(kSearchEffort * segment.size() + kSegmentHeaderBytes) {
    if (scan.header_status.ok()) {
      epoch_low_ = LowBits(scan.header.header.epoch);
      broken_at_ = scan.end_offset;
    }
    Restart(scan.end_offset, scan.end_crc);
  }

  LaterRecords Run() {
    while (at_ + kRecordHeaderBytes <= segment_.size() && !found_.gave_up) {
      const auto header = Plausible(at_);
      if (!header.has_value() || !TryAt(*header)) at_ += kRecordAlignBytes;
    }
    return std::move(found_);
  }

 private:
  // The chain broke at `offset`, where a record should have continued `seed`.
  void Restart(uint64_t offset, uint32_t seed) {
    at_ = break_ = offset;
    seeds_.clear();
    if (offset + kRecordHeaderBytes > segment_.size()) return;
    // If only its payload is bad, the next one continues the CRC that is written in it; if only
    // that CRC is bad, it continues the one that belongs there.
    seeds_.push_back(base::LoadLittle<uint32_t>(segment_.data() + offset + sizeof(uint32_t)));
    if (const auto header = PeekRecordHeader(segment_.subspan(offset))) {
      const uint64_t bytes = RecordBytes(header->length);
      if (Spend(bytes)) seeds_.push_back(RecordCrc(segment_.subspan(offset, bytes), seed));
    }
  }

  bool Spend(uint64_t bytes) {
    found_.gave_up = found_.gave_up || bytes > budget_;
    budget_ -= std::min(bytes, budget_);
    return !found_.gave_up;
  }

  std::optional<RecordHeader> Plausible(uint64_t offset) {
    if (offset >= segment_.size()) return std::nullopt;
    auto header = PeekRecordHeader(segment_.subspan(offset));
    if (!header.has_value() || header->sequence < sequence_min_) return std::nullopt;
    if (epoch_low_.has_value() && header->epoch_low != *epoch_low_) return std::nullopt;
    // More records than have room since the break: bytes of a user's value that look like a log.
    if (broken_at_.has_value() &&
        header->sequence - sequence_min_ > (offset - *broken_at_) / RecordBytes(0)) {
      return std::nullopt;
    }
    return header;
  }

  // Whether a run begins at this record or, this one being doubtful, behind it.
  bool TryAt(const RecordHeader& header) {
    if (at_ != break_) {
      for (const uint32_t seed : seeds_) {
        if (!Spend(RecordBytes(header.length))) return false;
        if (!HasCrc(segment_, at_, header, seed)) continue;
        TakeRun(at_, header, seed);
        return true;
      }
    }
    const uint64_t behind = at_ + RecordBytes(header.length);
    const auto next = Plausible(behind);
    if (!next.has_value() || next->sequence != header.sequence + 1) return false;
    if (!Spend(RecordBytes(next->length)) || !HasCrc(segment_, behind, *next, header.crc)) {
      return false;
    }
    // Its follower vouches for the CRC only; but a batch header that says what a batch header of
    // its sequence must say was written as one.
    NoteBatch(header, segment_.subspan(at_ + kRecordHeaderBytes, header.length));
    TakeRun(behind, *next, header.crc);
    return true;
  }

  void NoteBatch(const RecordHeader& header, BytesView payload) {
    if (header.type != RecordType::kBatch) return;
    const auto batch = ParseBatchHeader(payload);
    if (!batch.ok() || batch->durable_sequence + 1 != header.sequence) return;
    found_.durable_sequence = std::max(found_.durable_sequence, batch->durable_sequence);
  }

  void TakeRun(uint64_t offset, RecordHeader header, uint32_t seed) {
    LaterRecords::Run run;
    run.begin_offset = offset;
    for (;;) {
      run.records.push_back(RefOf(segment_, offset, header, seed));
      NoteBatch(header, run.records.back().payload);
      offset += RecordBytes(header.length);
      seed = header.crc;
      const auto next = Plausible(offset);
      if (!next.has_value() || next->sequence != header.sequence + 1) break;
      if (!Spend(RecordBytes(next->length)) || !HasCrc(segment_, offset, *next, seed)) break;
      header = *next;
    }
    run.end_offset = offset;
    found_.runs.push_back(std::move(run));
    Restart(offset, seed);
  }

  const BytesView segment_;
  const uint64_t sequence_min_;
  std::optional<uint32_t> epoch_low_;  // unknown when the header is bad
  std::optional<uint64_t> broken_at_;  // where the record of sequence_min_ would be
  uint64_t budget_;
  uint64_t at_ = 0;
  uint64_t break_ = 0;
  std::vector<uint32_t> seeds_;
  LaterRecords found_;
};

}  // namespace

SegmentScan ScanSegment(BytesView segment) {
  SegmentScan scan;
  absl::StatusOr<DecodedSegmentHeader> header = DecodeSegmentHeader(segment);
  scan.header_status = header.status();
  if (!header.ok()) return scan;
  scan.header = *header;
  scan.next_sequence = header->header.first_sequence;
  scan.end_crc = header->crc;
  const uint32_t epoch_low = LowBits(header->header.epoch);
  while (scan.end_offset < segment.size()) {
    auto record =
        NextInChain(segment, scan.end_offset, scan.next_sequence, epoch_low, scan.end_crc);
    if (!record.has_value()) break;
    if (record->header.type == RecordType::kBatch) {
      const auto batch = ParseBatchHeader(record->payload);
      scan.last_batch = batch.ok() ? std::optional(*batch) : std::nullopt;
      scan.last_batch_offset = scan.end_offset;
      scan.last_batch_sequence = record->header.sequence;
    }
    scan.end_offset += RecordBytes(record->header.length);
    scan.end_crc = record->header.crc;
    ++scan.next_sequence;
    scan.records.push_back(*record);
  }
  return scan;
}

LaterRecords FindLaterRecords(BytesView segment, const SegmentScan& scan, uint64_t sequence_min) {
  return Search(segment, scan, sequence_min).Run();
}

}  // namespace slipway::eraft::wal
