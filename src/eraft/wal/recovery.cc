#include "eraft/wal/recovery.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutant.h"
#include "eraft/wal/limits.h"
#include "eraft/wal/scan.h"

namespace slipway::eraft::wal {
namespace {

struct Found {
  uint64_t number = 0;
  std::string name;
  absl::StatusOr<DecodedSegmentHeader> header = absl::UnknownError("not read");
};

absl::StatusOr<base::Bytes> ReadUpTo(base::Dir& dir, absl::string_view name, uint64_t bytes_max) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file, dir.Open(name, {}));
  SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, file->Stat());
  base::Bytes bytes(static_cast<size_t>(std::min(meta.size_bytes, bytes_max)));
  SLIPWAY_ASSIGN_OR_RETURN(const size_t got, file->ReadAt(0, absl::MakeSpan(bytes)));
  bytes.resize(got);
  return bytes;
}

class LogReader {
 public:
  LogReader(base::Dir& dir, const ReadOptions& options) : dir_(dir), options_(options) {}

  absl::StatusOr<LogImage> Read() {
    SLIPWAY_RETURN_IF_ERROR(FindSegments());
    for (size_t i = 0; i < found_.size(); ++i) {
      SLIPWAY_ASSIGN_OR_RETURN(bytes_, ReadUpTo(dir_, found_[i].name, kSegmentBytesMax));
      if (i < whole_count_) {
        ReadOne(i);
      } else {
        ReadStray(found_[i]);
      }
    }
    FinishReport();
    return std::move(image_);
  }

 private:
  absl::Status FindSegments();
  void ReadOne(size_t i);
  void ReadStray(const Found& found);
  void ReadLater(const Found& found, const SegmentScan& scan, const LaterRecords& later,
                 uint64_t end_sequence, absl::string_view why);
  void Apply(const SegmentSummary& segment, const RecordRef& record);
  void ReadChain(const Found& found, const SegmentScan& scan);
  void ReadEnd(const Found& found, const SegmentScan& scan);
  uint64_t EndSequence(size_t i) const;
  Damage& AddDamage(const std::string& file, uint64_t offset, uint64_t end, std::string why);
  void DescribeLost(Damage& damage);
  void FinishReport();
  bool Proven(const SegmentScan& scan, const LaterRecords& later, bool is_last_file) const;
  void TakeBack(const Found& found, const SegmentScan& scan);

  base::Dir& dir_;
  const ReadOptions& options_;
  std::vector<Found> found_;  // by number
  size_t whole_count_ = 0;    // those up to the last with a header of its own
  base::Bytes bytes_;         // of the segment being read
  // Of the segment before: where the log would go on if the last one had not begun.
  uint32_t end_crc_before_ = 0;
  uint64_t last_batch_before_ = 0;
  LogImage image_;
};

absl::Status LogReader::FindSegments() {
  std::map<uint64_t, std::string> names;
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::DirCursor> cursor, dir_.List());
  for (;;) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::optional<base::DirEntry> entry, cursor->Next());
    if (!entry.has_value()) break;
    image_.has_spare = image_.has_spare || std::find(kSpareNames.begin(), kSpareNames.end(),
                                                     entry->name) != kSpareNames.end();
    const auto number = ParseSegmentName(entry->name);
    if (number.has_value()) names[*number] = entry->name;
  }
  for (const auto& [number, name] : names) {
    Found found{number, name, absl::UnknownError("")};
    SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes bytes, ReadUpTo(dir_, name, kSegmentHeaderBytes));
    found.header = DecodeSegmentHeader(bytes);
    if (absl::IsFailedPrecondition(found.header.status())) {
      return base::Annotate(found.header.status(), absl::StrCat("read ", name));
    }
    if (found.header.ok() && options_.cluster.has_value() &&
        found.header->header.cluster != *options_.cluster) {
      return absl::FailedPreconditionError(absl::StrCat(
          "read ", name, ": it belongs to cluster ", base::ToHex(found.header->header.cluster),
          ", this node to ", base::ToHex(*options_.cluster)));
    }
    // A recycled file whose new life had not begun yet.
    if (found.header.ok() && found.header->header.number != number) {
      found.header = absl::DataLossError(
          absl::StrCat("the header is that of segment ", found.header->header.number));
    }
    if (found.header.ok()) whole_count_ = found_.size() + 1;
    image_.number_max = number;
    found_.push_back(std::move(found));
  }
  return absl::OkStatus();
}

void LogReader::Apply(const SegmentSummary& segment, const RecordRef& record) {
  if (options_.visit != nullptr) (*options_.visit)(segment, record);
  const absl::Status status = image_.index.Apply(record, segment.header.number);
  if (!status.ok()) {
    AddDamage(segment.name, record.offset, record.offset + RecordBytes(record.header.length),
              std::string(status.message()));
  }
  if (record.header.type == RecordType::kBatch) {
    const auto batch = ParseBatchHeader(record.payload);
    if (batch.ok()) {
      image_.durable_sequence = std::max(image_.durable_sequence, batch->durable_sequence);
    }
  }
}

Damage& LogReader::AddDamage(const std::string& file, uint64_t offset, uint64_t end,
                             std::string why) {
  Damage damage;
  damage.file = file;
  damage.offset = offset;
  damage.bytes = end - std::min(end, offset);
  damage.first_sequence = image_.next_sequence;
  damage.why = std::move(why);
  image_.report.damages.push_back(std::move(damage));
  return image_.report.damages.back();
}

// What a record that failed its CRC says of itself, held against what else is known.
void LogReader::DescribeLost(Damage& damage) {
  if (damage.offset >= bytes_.size()) return;
  const auto stretch = base::BytesView(bytes_).subspan(damage.offset);
  const auto header = PeekRecordHeader(stretch);
  if (!header.has_value() || header->type != RecordType::kEntries) return;
  if (RecordBytes(header->length) > damage.bytes) return;
  const GroupLog* const group = image_.index.Find(header->group);
  const base::BytesView payload = stretch.subspan(kRecordHeaderBytes, header->length);
  const auto entries = ParseEntriesSummary(payload);
  if (!entries.ok()) return;
  // What is bad may be the index itself: no group appends behind a gap.
  if (group != nullptr && entries->first > group->last_index() + 1) return;
  const std::vector<raft::Index> bad = FindBadEntries(payload);
  for (const raft::Index index : bad) damage.entries.push_back({header->group, {index, index}});
  if (bad.empty()) {
    damage.entries.push_back(
        {header->group, {entries->first, entries->first + entries->count - 1}});
  }
}

// Where a segment with a header ends in the middle of a batch.
bool IsCutShort(const SegmentScan& scan) {
  return scan.last_batch.has_value() &&
         scan.last_batch_sequence + scan.last_batch->records >= scan.next_sequence;
}

// Whether what is broken behind `scan` was durable once. What the caller knows to have been durable
// may as well have been in a file behind this one that has lost its header.
bool LogReader::Proven(const SegmentScan& scan, const LaterRecords& later,
                       bool is_last_file) const {
  const uint64_t broken = image_.next_sequence;
  if (SLIPWAY_MUTANT("wal-midlog-truncated")) return false;
  if (later.gave_up || later.durable_sequence >= broken) return true;
  const bool here = is_last_file || !scan.header_status.ok() || IsCutShort(scan);
  if (here && options_.durable_sequence >= broken) return true;
  if (!scan.header_status.ok() || !scan.last_batch.has_value()) return false;
  const uint64_t batch_end = scan.last_batch_sequence + scan.last_batch->records;
  // Broken at the beginning of a batch, or within one: only what is behind the batch counts.
  if (batch_end < broken) return false;
  return std::any_of(later.runs.begin(), later.runs.end(), [&](const LaterRecords::Run& run) {
    return run.records.back().header.sequence > batch_end;
  });
}

void LogReader::ReadLater(const Found& found, const SegmentScan& scan, const LaterRecords& later,
                          uint64_t end_sequence, absl::string_view why) {
  SegmentSummary& segment = image_.segments.back();
  uint64_t offset = scan.header_status.ok() ? scan.end_offset : 0;
  for (const LaterRecords::Run& run : later.runs) {
    Damage& damage = AddDamage(found.name, offset, run.begin_offset, std::string(why));
    damage.last_sequence = run.records.front().header.sequence - 1;
    DescribeLost(damage);
    for (const RecordRef& record : run.records) {
      image_.next_sequence = record.header.sequence + 1;
      Apply(segment, record);
    }
    segment.records += run.records.size();
    offset = run.end_offset;
  }
  segment.used_bytes = offset;
  if (image_.next_sequence < end_sequence) {
    Damage& damage = AddDamage(found.name, offset, bytes_.size(), std::string(why));
    damage.last_sequence = end_sequence - 1;
    DescribeLost(damage);
    image_.next_sequence = end_sequence;
  }
}

// The records that follow each other from the beginning of the segment.
void LogReader::ReadChain(const Found& found, const SegmentScan& scan) {
  SegmentSummary summary;
  summary.name = found.name;
  summary.header = scan.header.header;
  summary.header.number = found.number;
  summary.file_bytes = bytes_.size();
  summary.used_bytes = scan.end_offset;
  summary.records = scan.records.size();
  const bool first = image_.segments.empty();
  image_.segments.push_back(summary);
  if (!scan.header_status.ok()) return;
  const uint64_t begins = scan.header.header.first_sequence;
  if (first) image_.next_sequence = begins;
  image_.durable_sequence = std::max(image_.durable_sequence, begins - 1);
  for (const RecordRef& record : scan.records) {
    image_.next_sequence = record.header.sequence;
    Apply(image_.segments.back(), record);
  }
  image_.next_sequence = scan.next_sequence;
}

// The next segment with a header says where this one ended.
uint64_t LogReader::EndSequence(size_t i) const {
  for (size_t next = i + 1; next < whole_count_; ++next) {
    if (found_[next].header.ok()) return found_[next].header->header.first_sequence;
  }
  return 0;
}

// The first batch of a segment repeats the state of every group and nothing else. Torn, it makes
// the segment one that has not begun: gone on with, it would let those before it be retired, and
// what it was to repeat with them.
void LogReader::TakeBack(const Found& found, const SegmentScan& scan) {
  image_.segments.pop_back();
  image_.strays.push_back(found.name);
  image_.next_sequence = scan.header.header.first_sequence;
  image_.end_crc = end_crc_before_;
  image_.last_batch_offset = last_batch_before_;
}

// Behind the chain of the last segment: nothing, a torn batch, or damage.
void LogReader::ReadEnd(const Found& found, const SegmentScan& scan) {
  const LaterRecords later = FindLaterRecords(bytes_, scan, image_.next_sequence);
  if (Proven(scan, later, &found == &found_.back())) {
    ReadLater(found, scan, later, options_.durable_sequence + 1,
              "a record is bad, and what was written behind it shows that it had been synced");
    return;
  }
  const bool behind_first =
      scan.last_batch.has_value() && scan.last_batch_offset > kSegmentHeaderBytes;
  const bool torn_first = !behind_first && (!scan.last_batch.has_value() || IsCutShort(scan));
  if (torn_first && !SLIPWAY_MUTANT("wal-torn-first-batch-kept")) return TakeBack(found, scan);
  image_.end_crc = scan.end_crc;
  image_.last_batch_offset = behind_first ? scan.last_batch_offset : 0;
  if (scan.last_batch.has_value()) {
    const uint64_t announced = scan.last_batch_offset + scan.last_batch->bytes;
    image_.torn_bytes = std::max(announced, scan.end_offset) - scan.end_offset;
  }
  for (const LaterRecords::Run& run : later.runs) {
    image_.torn_bytes = std::max(image_.torn_bytes, run.end_offset - scan.end_offset);
  }
}

void LogReader::ReadOne(size_t i) {
  const Found& found = found_[i];
  SegmentScan scan = ScanSegment(bytes_);
  if (!found.header.ok()) scan = SegmentScan{.header_status = found.header.status()};
  ReadChain(found, scan);
  if (i + 1 == whole_count_) return ReadEnd(found, scan);
  end_crc_before_ = scan.end_crc;
  last_batch_before_ = scan.last_batch_offset > kSegmentHeaderBytes ? scan.last_batch_offset : 0;
  const uint64_t end_sequence = EndSequence(i);
  const bool next_has_header = found_[i + 1].header.ok();
  if (scan.header_status.ok() && next_has_header && image_.next_sequence == end_sequence) return;
  const LaterRecords later = FindLaterRecords(bytes_, scan, image_.next_sequence);
  const bool gap = found_[i + 1].number > found.number + 1;
  if (scan.header_status.ok() && !next_has_header) {
    // Where this one ended is not known; what is missing is put down to the one without a header.
    if (!later.runs.empty()) {
      ReadLater(found, scan, later, 0, "a record is bad, and others follow in a later segment");
    }
    return;
  }
  ReadLater(found, scan, later, end_sequence,
            !scan.header_status.ok()
                ? absl::StrCat("no segment header: ", scan.header_status.message())
                : absl::StrCat(gap ? "a record is bad or a segment is missing, and "
                                   : "a record is bad, and ",
                               found_[i + 1].name, " follows"));
}

// Behind the last segment with a header: the write that would have given it one did not end, unless
// something shows that it did.
void LogReader::ReadStray(const Found& found) {
  const SegmentScan scan{.header_status = found.header.status()};
  const LaterRecords later = FindLaterRecords(bytes_, scan, image_.next_sequence);
  if (!Proven(scan, later, &found == &found_.back())) {
    image_.strays.push_back(found.name);
    return;
  }
  SegmentSummary summary;
  summary.name = found.name;
  summary.header.number = found.number;
  summary.file_bytes = bytes_.size();
  image_.segments.push_back(summary);
  ReadLater(found, scan, later, options_.durable_sequence + 1,
            absl::StrCat("no segment header: ", found.header.status().message()));
}

void LogReader::FinishReport() {
  if (image_.segments.empty() && image_.report.empty() &&
      options_.durable_sequence >= image_.next_sequence) {
    image_.report = MissingLog(options_.durable_sequence);
  }
  for (const auto& [id, group] : image_.index.groups()) {
    for (const IndexRange& range : group.Missing()) image_.report.missing.push_back({id, range});
  }
}

}  // namespace

std::string DamageReport::Text() const {
  std::string text;
  for (const Damage& d : damages) {
    absl::StrAppend(&text, d.file, " at ", d.offset, ", ", d.bytes, " bytes, records ",
                    d.first_sequence, " to ",
                    d.last_sequence == 0 ? "?" : absl::StrCat(d.last_sequence), ": ", d.why, "\n");
    for (const DamagedEntries& e : d.entries) {
      absl::StrAppend(&text, "  group ", e.group, ": entries ", e.range.first, " to ", e.range.last,
                      " are damaged\n");
    }
  }
  if (damages.empty() && !missing.empty()) {
    text += "what is here can be read: a segment that is older seems to be gone\n";
  }
  for (const DamagedEntries& e : missing) {
    absl::StrAppend(&text, "group ", e.group, ": entries ", e.range.first, " to ", e.range.last,
                    " are missing\n");
  }
  return text;
}

DamageReport MissingLog(uint64_t durable_sequence) {
  Damage damage;
  damage.file = std::string(kWalDirectory);
  damage.first_sequence = 1;
  damage.last_sequence = durable_sequence;
  damage.why = "every segment is missing";
  return {.damages = {std::move(damage)}};
}

absl::StatusOr<LogImage> ReadLog(base::Dir& dir, const ReadOptions& options) {
  return LogReader(dir, options).Read();
}

}  // namespace slipway::eraft::wal
