#include "eraft/wal/format.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/digest/crc32c.h"
#include "base/mutant.h"

namespace slipway::eraft::wal {
namespace {

using base::LoadLittle;
using base::StoreLittle;

// Offsets in the segment header.
constexpr size_t kEpochAt = 8;
constexpr size_t kNumberAt = 16;
constexpr size_t kFirstSequenceAt = 24;
constexpr size_t kClusterAt = 32;
constexpr size_t kHeaderCrcAt = 48;
// Offsets in the record header.
constexpr size_t kCrcAt = 4;
constexpr size_t kSequenceAt = 8;
constexpr size_t kEpochLowAt = 16;
constexpr size_t kTypeAt = 20;
constexpr size_t kFlagsAt = 21;
constexpr size_t kReservedAt = 22;
constexpr size_t kGroupAt = 24;

static_assert(kGroupAt + sizeof(raft::GroupId) == kRecordHeaderBytes);
static_assert(kClusterAt + sizeof(ClusterId) == kHeaderCrcAt);
static_assert(kSegmentHeaderBytes % kRecordAlignBytes == 0);

uint32_t HeaderCrc(const uint8_t* header) {
  const uint32_t before = base::Crc32c(base::BytesView(header, kHeaderCrcAt));
  const size_t rest = kHeaderCrcAt + sizeof(uint32_t);
  return base::Crc32c(base::BytesView(header + rest, kSegmentHeaderBytes - rest), before);
}

}  // namespace

uint32_t EncodeSegmentHeader(const SegmentHeader& header, uint8_t* out) {
  std::memset(out, 0, kSegmentHeaderBytes);
  std::memcpy(out, kSegmentMagic.data(), kSegmentMagic.size());
  StoreLittle(out + kEpochAt, header.epoch);
  StoreLittle(out + kNumberAt, header.number);
  StoreLittle(out + kFirstSequenceAt, header.first_sequence);
  std::memcpy(out + kClusterAt, header.cluster.data(), header.cluster.size());
  const uint32_t crc = HeaderCrc(out);
  StoreLittle(out + kHeaderCrcAt, crc);
  return crc;
}

absl::StatusOr<DecodedSegmentHeader> DecodeSegmentHeader(base::BytesView bytes) {
  if (bytes.size() < kSegmentHeaderBytes) {
    return absl::DataLossError(
        absl::StrCat("the header is cut: ", bytes.size(), " of ", kSegmentHeaderBytes, " bytes"));
  }
  const uint8_t* const at = bytes.data();
  const absl::string_view magic = base::AsText(bytes.subspan(0, kSegmentMagic.size()));
  if (!absl::StartsWith(magic, kSegmentFamily)) {
    return absl::DataLossError("the header does not begin with ERWAL");
  }
  if (LoadLittle<uint32_t>(at + kHeaderCrcAt) != HeaderCrc(at)) {
    return absl::DataLossError("the header's CRC differs");
  }
  if (magic != kSegmentMagic) {
    return absl::FailedPreconditionError(absl::StrCat("format ", base::EscapeForTerminal(magic),
                                                      ", this program reads ", kSegmentMagic,
                                                      "; use the version that wrote it"));
  }
  DecodedSegmentHeader decoded;
  decoded.crc = LoadLittle<uint32_t>(at + kHeaderCrcAt);
  decoded.header.epoch = LoadLittle<uint64_t>(at + kEpochAt);
  decoded.header.number = LoadLittle<uint64_t>(at + kNumberAt);
  decoded.header.first_sequence = LoadLittle<uint64_t>(at + kFirstSequenceAt);
  std::copy_n(at + kClusterAt, decoded.header.cluster.size(), decoded.header.cluster.begin());
  return decoded;
}

absl::string_view RecordTypeName(RecordType type) {
  switch (type) {
    case RecordType::kEntries:
      return "entries";
    case RecordType::kHardState:
      return "hard-state";
    case RecordType::kTruncatePrefix:
      return "truncate-prefix";
    case RecordType::kTruncateSuffix:
      return "truncate-suffix";
    case RecordType::kSnapshotIntent:
      return "snapshot-intent";
    case RecordType::kSnapshotDone:
      return "snapshot-done";
    case RecordType::kBatch:
      return "batch";
    case RecordType::kMembership:
      return "membership";
    case RecordType::kPad:
      return "pad";
    case RecordType::kLastEntry:
      return "last-entry";
  }
  return "unknown";
}

void EncodeRecordHeader(const RecordHeader& header, uint8_t* out) {
  StoreLittle(out, header.length);
  StoreLittle(out + kSequenceAt, header.sequence);
  StoreLittle(out + kEpochLowAt, header.epoch_low);
  out[kTypeAt] = static_cast<uint8_t>(header.type);
  out[kFlagsAt] = header.flags;
  StoreLittle(out + kReservedAt, uint16_t{0});
  StoreLittle(out + kGroupAt, header.group);
}

std::optional<RecordHeader> PeekRecordHeader(base::BytesView bytes) {
  if (bytes.size() < kRecordHeaderBytes) return std::nullopt;
  const uint8_t* const at = bytes.data();
  const uint8_t type = at[kTypeAt];
  if (type < kRecordTypeMin || type > kRecordTypeMax) return std::nullopt;
  if (LoadLittle<uint16_t>(at + kReservedAt) != 0) return std::nullopt;
  RecordHeader header;
  header.length = LoadLittle<uint32_t>(at);
  if (RecordBytes(header.length) > bytes.size()) return std::nullopt;
  header.crc = LoadLittle<uint32_t>(at + kCrcAt);
  header.sequence = LoadLittle<uint64_t>(at + kSequenceAt);
  header.epoch_low = LoadLittle<uint32_t>(at + kEpochLowAt);
  header.type = static_cast<RecordType>(type);
  header.flags = at[kFlagsAt];
  header.group = LoadLittle<raft::GroupId>(at + kGroupAt);
  return header;
}

uint32_t RecordCrc(base::BytesView record, uint32_t seed, const SummedPart& known) {
  if (SLIPWAY_MUTANT("wal-recycled-accepted")) seed = 0;
  const uint32_t length = base::Crc32c(record.subspan(0, kCrcAt), seed);
  if (known.bytes == 0) return base::Crc32c(record.subspan(kSequenceAt), length);
  const uint32_t before =
      base::Crc32c(record.subspan(kSequenceAt, known.offset - kSequenceAt), length);
  return base::Crc32c(record.subspan(known.offset + known.bytes),
                      base::Crc32cOfBoth(before, known.crc, known.bytes));
}

std::string SegmentName(uint64_t number) { return absl::StrCat(number, ".wal"); }

std::optional<uint64_t> ParseSegmentName(absl::string_view name) {
  if (!absl::ConsumeSuffix(&name, ".wal")) return std::nullopt;
  uint64_t number = 0;
  if (!absl::SimpleAtoi(name, &number) || SegmentName(number) != absl::StrCat(name, ".wal")) {
    return std::nullopt;
  }
  return number;
}

}  // namespace slipway::eraft::wal
