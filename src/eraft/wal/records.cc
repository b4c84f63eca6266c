#include "eraft/wal/records.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/digest/crc32c.h"
#include "base/status.h"
#include "eraft/wal/limits.h"

namespace slipway::eraft::wal {
namespace {

using base::BytesView;
using base::LoadLittle;
using base::StoreLittle;

constexpr uint64_t kEntriesHeadBytes = 16;  // first index, count, runs
constexpr uint64_t kRunBytes = 16;          // term, count, zero
constexpr uint64_t kEntryBytes = 12;        // length, CRC, kind, three zeros
constexpr uint64_t kHardStateBytes = 24;
// Summing so many bytes takes longer than to reckon with a sum that is there.
constexpr uint64_t kSummedBytesMin = 32 << 10;

absl::Status Malformed(RecordType type, absl::string_view why) {
  return absl::DataLossError(absl::StrCat(RecordTypeName(type), " record: ", why));
}

// Reads a payload from front to back; past the end it gives zeros and remembers.
class Reader {
 public:
  explicit Reader(BytesView bytes) : rest_(bytes) {}
  template <class T>
  T Take() {
    if (rest_.size() < sizeof(T)) {
      short_ = true;
      rest_ = {};
      return 0;
    }
    const T value = LoadLittle<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return value;
  }
  BytesView TakeBytes(uint64_t count) {
    if (rest_.size() < count) {
      short_ = true;
      count = rest_.size();
    }
    const BytesView taken = rest_.subspan(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  bool whole() const { return !short_ && rest_.empty(); }
  bool ok() const { return !short_; }

 private:
  BytesView rest_;
  bool short_ = false;
};

class Writer {
 public:
  explicit Writer(uint8_t* at) : at_(at) {}
  template <class T>
  void Put(T value) {
    StoreLittle(at_, value);
    at_ += sizeof(T);
  }
  void PutBytes(BytesView bytes) {
    if (!bytes.empty()) std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }

 private:
  uint8_t* at_;
};

uint64_t ListsBytes(const raft::Membership& m) {
  return 4 * sizeof(uint32_t) + sizeof(raft::NodeId) * (m.voters.size() + m.outgoing.size() +
                                                        m.learners.size() + m.learners_next.size());
}

void PutMembership(Writer& out, const raft::Membership& m) {
  for (const auto* list : {&m.voters, &m.outgoing, &m.learners, &m.learners_next}) {
    out.Put(static_cast<uint32_t>(list->size()));
    for (const raft::NodeId id : *list) out.Put(id);
  }
}

bool TakeMembership(Reader& in, raft::Membership& m) {
  for (auto* list : {&m.voters, &m.outgoing, &m.learners, &m.learners_next}) {
    const auto count = in.Take<uint32_t>();
    if (!in.ok() || count > kMembersMax) return false;
    for (uint32_t i = 0; i < count; ++i) list->push_back(in.Take<raft::NodeId>());
  }
  return in.ok();
}

uint64_t MarkBytes(const raft::SnapshotMark& mark) { return 16 + ListsBytes(mark.membership); }

void PutMark(Writer& out, const raft::SnapshotMark& mark) {
  out.Put(mark.index);
  out.Put(mark.term);
  PutMembership(out, mark.membership);
}

bool TakeMark(Reader& in, raft::SnapshotMark& mark) {
  mark.index = in.Take<uint64_t>();
  mark.term = in.Take<uint64_t>();
  return TakeMembership(in, mark.membership);
}

uint32_t RunsOf(absl::Span<const raft::Entry> entries) {
  uint32_t runs = 0;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i == 0 || entries[i].term != entries[i - 1].term) ++runs;
  }
  return runs;
}

uint64_t EntriesPayloadBytes(absl::Span<const raft::Entry> entries) {
  uint64_t bytes = kEntriesHeadBytes + kRunBytes * RunsOf(entries) + kEntryBytes * entries.size();
  for (const raft::Entry& entry : entries) bytes += entry.payload.size();
  return bytes;
}

// The parts of an entries payload, checked against its size.
struct EntriesParts {
  raft::Index first = 0;
  uint32_t count = 0;
  BytesView runs, table, data;
};

absl::StatusOr<EntriesParts> SplitEntries(BytesView payload) {
  Reader in(payload);
  EntriesParts parts;
  parts.first = in.Take<uint64_t>();
  parts.count = in.Take<uint32_t>();
  const auto runs = in.Take<uint32_t>();
  parts.runs = in.TakeBytes(kRunBytes * runs);
  parts.table = in.TakeBytes(kEntryBytes * parts.count);
  if (!in.ok()) return Malformed(RecordType::kEntries, "its tables are cut");
  if (parts.first == 0 || parts.count == 0 || parts.first + parts.count < parts.first) {
    return Malformed(RecordType::kEntries, "no such range of indexes");
  }
  parts.data = payload.subspan(kEntriesHeadBytes + parts.runs.size() + parts.table.size());
  uint64_t data_bytes = 0;
  for (uint32_t i = 0; i < parts.count; ++i) {
    data_bytes += LoadLittle<uint32_t>(parts.table.data() + i * kEntryBytes);
  }
  if (data_bytes != parts.data.size()) {
    return Malformed(RecordType::kEntries, "its lengths do not add up");
  }
  uint64_t covered = 0;
  for (uint32_t i = 0; i < runs; ++i) {
    covered += LoadLittle<uint32_t>(parts.runs.data() + i * kRunBytes + 8);
  }
  if (covered != parts.count) return Malformed(RecordType::kEntries, "its terms do not add up");
  return parts;
}

}  // namespace

bool Batch::empty() const {
  return !hard_state && !truncate_suffix_from && entries.empty() && !membership &&
         !snapshot_intent && !snapshot_done && !truncate_prefix && !remove_group;
}

absl::StatusOr<EntriesSummary> ParseEntriesSummary(BytesView payload) {
  SLIPWAY_ASSIGN_OR_RETURN(const EntriesParts parts, SplitEntries(payload));
  return EntriesSummary{parts.first, parts.count};
}

absl::StatusOr<std::vector<raft::Entry>> ParseEntries(
    const std::shared_ptr<const base::Bytes>& owner, BytesView payload, raft::Index first,
    raft::Index last) {
  SLIPWAY_ASSIGN_OR_RETURN(const EntriesParts parts, SplitEntries(payload));
  if (first < parts.first || last - parts.first >= parts.count) {
    return Malformed(RecordType::kEntries, "it does not hold the entries that it should");
  }
  std::vector<raft::Entry> entries;
  Reader runs(parts.runs);
  Reader table(parts.table);
  uint64_t offset = 0;
  uint32_t left_of_run = 0;
  raft::Term term = 0;
  for (uint32_t i = 0; i < parts.count; ++i) {
    while (left_of_run == 0) {
      term = runs.Take<uint64_t>();
      left_of_run = runs.Take<uint32_t>();
      runs.Take<uint32_t>();
    }
    --left_of_run;
    raft::Entry entry;
    entry.index = parts.first + i;
    entry.term = term;
    const auto length = table.Take<uint32_t>();
    entry.payload_crc = table.Take<uint32_t>();
    const auto kind = table.Take<uint8_t>();
    const BytesView zeros = table.TakeBytes(3);
    const BytesView bytes = parts.data.subspan(offset, length);
    offset += length;
    if (entry.index < first || entry.index > last) continue;
    if (kind < static_cast<uint8_t>(raft::EntryKind::kCommand) ||
        kind > static_cast<uint8_t>(raft::EntryKind::kMembership) ||
        std::any_of(zeros.begin(), zeros.end(), [](uint8_t byte) { return byte != 0; })) {
      return Malformed(RecordType::kEntries, absl::StrCat("entry ", entry.index, " has no kind"));
    }
    entry.kind = static_cast<raft::EntryKind>(kind);
    if (base::Crc32c(bytes) != entry.payload_crc) {
      return Malformed(RecordType::kEntries,
                       absl::StrCat("the payload of entry ", entry.index, " has another CRC"));
    }
    entry.payload = raft::Slice(owner, bytes);
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::vector<raft::Index> FindBadEntries(BytesView payload) {
  std::vector<raft::Index> bad;
  const absl::StatusOr<EntriesParts> parts = SplitEntries(payload);
  if (!parts.ok()) return bad;
  uint64_t offset = 0;
  for (uint32_t i = 0; i < parts->count; ++i) {
    const uint8_t* const row = parts->table.data() + i * kEntryBytes;
    const auto length = LoadLittle<uint32_t>(row);
    if (base::Crc32c(parts->data.subspan(offset, length)) != LoadLittle<uint32_t>(row + 4)) {
      bad.push_back(parts->first + i);
    }
    offset += length;
  }
  return bad;
}

absl::StatusOr<raft::HardState> ParseHardState(BytesView payload) {
  Reader in(payload);
  raft::HardState state;
  state.term = in.Take<uint64_t>();
  state.vote = in.Take<uint64_t>();
  state.commit = in.Take<uint64_t>();
  if (!in.whole()) return Malformed(RecordType::kHardState, "wrong length");
  return state;
}

absl::StatusOr<raft::SnapshotMark> ParseMark(BytesView payload) {
  Reader in(payload);
  raft::SnapshotMark mark;
  if (!TakeMark(in, mark) || !in.whole()) {
    return Malformed(RecordType::kTruncatePrefix, "no snapshot mark");
  }
  return mark;
}

absl::StatusOr<raft::Index> ParseIndex(BytesView payload) {
  Reader in(payload);
  const auto index = in.Take<uint64_t>();
  if (!in.whole() || index == 0) return Malformed(RecordType::kTruncateSuffix, "no index");
  return index;
}

absl::StatusOr<MembershipCopy> ParseMembership(BytesView payload) {
  Reader in(payload);
  MembershipCopy copy;
  copy.index = in.Take<uint64_t>();
  if (!TakeMembership(in, copy.membership) || !in.whole()) {
    return Malformed(RecordType::kMembership, "no membership");
  }
  return copy;
}

absl::StatusOr<SnapshotIntent> ParseIntent(BytesView payload) {
  Reader in(payload);
  SnapshotIntent intent;
  const bool marked = TakeMark(in, intent.mark);
  const auto detail_bytes = in.Take<uint32_t>();
  intent.detail = std::string(base::AsText(in.TakeBytes(detail_bytes)));
  if (!marked || !in.whole()) return Malformed(RecordType::kSnapshotIntent, "no intent");
  return intent;
}

absl::StatusOr<SnapshotDone> ParseDone(BytesView payload, uint8_t flags) {
  Reader in(payload);
  SnapshotDone done;
  done.index = in.Take<uint64_t>();
  done.term = in.Take<uint64_t>();
  done.discarded = (flags & kFlagDiscarded) != 0;
  if (!in.whole()) return Malformed(RecordType::kSnapshotDone, "wrong length");
  return done;
}

absl::StatusOr<BatchHeader> ParseBatchHeader(BytesView payload) {
  Reader in(payload);
  BatchHeader header;
  header.durable_sequence = in.Take<uint64_t>();
  header.records = in.Take<uint32_t>();
  const auto zero = in.Take<uint32_t>();
  header.bytes = in.Take<uint64_t>();
  if (!in.whole() || zero != 0) return Malformed(RecordType::kBatch, "no batch header");
  return header;
}

uint64_t EntriesRecordBytes(absl::Span<const raft::Entry> entries) {
  return RecordBytes(EntriesPayloadBytes(entries));
}

uint64_t EncodedBytes(const Batch& batch) {
  uint64_t bytes = 0;
  if (batch.hard_state) bytes += RecordBytes(kHardStateBytes);
  if (batch.truncate_suffix_from) bytes += RecordBytes(sizeof(raft::Index));
  if (!batch.entries.empty()) bytes += EntriesRecordBytes(batch.entries);
  if (batch.membership) {
    bytes += RecordBytes(sizeof(raft::Index) + ListsBytes(batch.membership->membership));
  }
  if (const auto& intent = batch.snapshot_intent) {
    bytes += RecordBytes(MarkBytes(intent->mark) + sizeof(uint32_t) + intent->detail.size());
  }
  if (batch.snapshot_done) bytes += RecordBytes(2 * sizeof(uint64_t));
  if (batch.truncate_prefix) bytes += RecordBytes(MarkBytes(*batch.truncate_prefix));
  if (batch.remove_group) bytes += RecordBytes(MarkBytes({}));
  return bytes;
}

BatchBuilder::BatchBuilder(base::Bytes buffer) : buffer_(std::move(buffer)) {
  Begin(RecordType::kBatch, 0, 0, kBatchPayloadBytes);
}

uint8_t* BatchBuilder::Begin(RecordType type, raft::GroupId group, uint8_t flags,
                             uint64_t payload_bytes) {
  const uint64_t offset = used_;
  begun_.push_back({offset, {}});
  used_ += RecordBytes(payload_bytes);
  if (buffer_.size() < used_) buffer_.resize(used_);
  RecordHeader header;
  header.length = static_cast<uint32_t>(payload_bytes);
  header.type = type;
  header.flags = flags;
  header.group = group;
  uint8_t* const record = buffer_.data() + offset;
  EncodeRecordHeader(header, record);
  std::fill(record + kRecordHeaderBytes + payload_bytes, record + (used_ - offset), uint8_t{0});
  return record + kRecordHeaderBytes;
}

void BatchBuilder::AddEntries(raft::GroupId group, absl::Span<const raft::Entry> entries,
                              uint8_t flags) {
  Writer out(Begin(RecordType::kEntries, group, flags, EntriesPayloadBytes(entries)));
  out.Put(entries.front().index);
  out.Put(static_cast<uint32_t>(entries.size()));
  out.Put(RunsOf(entries));
  for (size_t i = 0; i < entries.size();) {
    size_t end = i;
    while (end < entries.size() && entries[end].term == entries[i].term) ++end;
    out.Put(entries[i].term);
    out.Put(static_cast<uint32_t>(end - i));
    out.Put(uint32_t{0});
    i = end;
  }
  for (const raft::Entry& entry : entries) {
    out.Put(static_cast<uint32_t>(entry.payload.size()));
    out.Put(entry.payload_crc);
    out.Put(static_cast<uint8_t>(entry.kind));
    out.PutBytes(base::Bytes(3));
  }
  for (const raft::Entry& entry : entries) out.PutBytes(entry.payload.view());
  // Its CRC was checked when it was given; a long one is not read through a second time.
  const raft::Entry& last = entries.back();
  if (last.payload.size() >= kSummedBytesMin) {
    const uint64_t end = kRecordHeaderBytes + EntriesPayloadBytes(entries);
    begun_.back().known = {end - last.payload.size(), last.payload.size(), last.payload_crc};
  }
}

void BatchBuilder::AddLastEntry(raft::GroupId group, raft::Index last) {
  Writer out(Begin(RecordType::kLastEntry, group, 0, sizeof(raft::Index)));
  out.Put(last);
}

void BatchBuilder::Add(raft::GroupId group, const Batch& batch) {
  if (const auto& state = batch.hard_state) {
    Writer out(Begin(RecordType::kHardState, group, 0, kHardStateBytes));
    out.Put(state->term);
    out.Put(state->vote);
    out.Put(state->commit);
  }
  if (batch.truncate_suffix_from) {
    Writer out(Begin(RecordType::kTruncateSuffix, group, 0, sizeof(raft::Index)));
    out.Put(*batch.truncate_suffix_from);
  }
  if (!batch.entries.empty()) AddEntries(group, batch.entries, 0);
  if (const auto& copy = batch.membership) {
    Writer out(Begin(RecordType::kMembership, group, 0,
                     sizeof(raft::Index) + ListsBytes(copy->membership)));
    out.Put(copy->index);
    PutMembership(out, copy->membership);
  }
  if (const auto& intent = batch.snapshot_intent) {
    const uint64_t bytes = MarkBytes(intent->mark) + sizeof(uint32_t) + intent->detail.size();
    Writer out(Begin(RecordType::kSnapshotIntent, group, 0, bytes));
    PutMark(out, intent->mark);
    out.Put(static_cast<uint32_t>(intent->detail.size()));
    out.PutBytes(base::AsBytes(intent->detail));
  }
  if (const auto& mark = batch.truncate_prefix) {
    Writer out(Begin(RecordType::kTruncatePrefix, group, 0, MarkBytes(*mark)));
    PutMark(out, *mark);
  }
  // A crash may leave the first records of a batch: while the mark is not there, the intent is.
  if (const auto& done = batch.snapshot_done) {
    Writer out(Begin(RecordType::kSnapshotDone, group, done->discarded ? kFlagDiscarded : 0,
                     2 * sizeof(uint64_t)));
    out.Put(done->index);
    out.Put(done->term);
  }
  if (batch.remove_group) {
    Writer out(Begin(RecordType::kTruncatePrefix, group, kFlagGone, MarkBytes({})));
    PutMark(out, {});
  }
}

BatchBuilder::Built BatchBuilder::Finish(const Place& place) {
  Built built;
  Writer batch(buffer_.data() + kRecordHeaderBytes);
  batch.Put(place.durable_sequence);
  batch.Put(static_cast<uint32_t>(records()));
  batch.Put(uint32_t{0});
  batch.Put(used_);
  built.buffer = std::move(buffer_);
  built.bytes = BytesView(built.buffer).subspan(0, used_);
  uint32_t seed = place.seed;
  uint64_t sequence = place.sequence;
  for (const auto& [offset, known] : begun_) {
    uint8_t* const at = built.buffer.data() + offset;
    const std::optional<RecordHeader> begun = PeekRecordHeader(BytesView(at, used_ - offset));
    SLIPWAY_CHECK(begun.has_value());
    RecordRef ref;
    ref.offset = place.offset + offset;
    ref.seed = seed;
    ref.header = *begun;
    ref.header.sequence = sequence++;
    ref.header.epoch_low = place.epoch_low;
    ref.payload = BytesView(at + kRecordHeaderBytes, ref.header.length);
    EncodeRecordHeader(ref.header, at);
    ref.header.crc = RecordCrc(BytesView(at, RecordBytes(ref.header.length)), seed, known);
    StoreLittle(at + sizeof(uint32_t), ref.header.crc);
    seed = ref.header.crc;
    built.records.push_back(ref);
  }
  built.crc = seed;
  return built;
}

}  // namespace slipway::eraft::wal
