// Bytes of the write-ahead log's segments: docs/formats/eraft-wal.md. Thread-safe: constants and
// free functions without state.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "raft/types.h"

namespace slipway::eraft::wal {

inline constexpr absl::string_view kSegmentMagic = "ERWAL001";
inline constexpr absl::string_view kSegmentFamily = "ERWAL";  // what every version begins with
inline constexpr uint64_t kSegmentHeaderBytes = 4096;
inline constexpr uint64_t kRecordHeaderBytes = 28;
inline constexpr uint64_t kRecordAlignBytes = 8;
inline constexpr uint64_t kBatchPayloadBytes = 24;

using ClusterId = std::array<uint8_t, 16>;

struct SegmentHeader {
  uint64_t epoch = 0;           // rises with each life of a segment file (E112)
  uint64_t number = 0;          // that of its name
  uint64_t first_sequence = 0;  // of its first record
  ClusterId cluster{};

  friend bool operator==(const SegmentHeader&, const SegmentHeader&) = default;
};

// What the CRC of the first record continues; the CRC in the header itself.
uint32_t EncodeSegmentHeader(const SegmentHeader& header, uint8_t* out);

struct DecodedSegmentHeader {
  SegmentHeader header;
  uint32_t crc = 0;
};
// DataLoss for anything EncodeSegmentHeader did not write; FailedPrecondition for a whole header of
// another version.
absl::StatusOr<DecodedSegmentHeader> DecodeSegmentHeader(base::BytesView bytes);

enum class RecordType : uint8_t {
  kEntries = 1,
  kHardState = 2,
  kTruncatePrefix = 3,  // entries up to a snapshot's mark are not needed
  kTruncateSuffix = 4,  // entries from an index on are void
  kSnapshotIntent = 5,
  kSnapshotDone = 6,
  kBatch = 7,  // first of what one write carries
  kMembership = 8,
  kPad = 9,
  kLastEntry = 10,  // how far the entries of a group reach that older segments hold
};
inline constexpr uint8_t kRecordTypeMin = 1;
inline constexpr uint8_t kRecordTypeMax = 10;
absl::string_view RecordTypeName(RecordType type);

// kEntries: written again further on (E115); takes the place of the same entries and, unlike an
// append, voids nothing behind them.
inline constexpr uint8_t kFlagCopy = 1;
// kTruncatePrefix: the group has left this node, with all it had.
inline constexpr uint8_t kFlagGone = 2;
// kSnapshotDone: the intent was given up.
inline constexpr uint8_t kFlagDiscarded = 4;

struct RecordHeader {
  uint32_t length = 0;  // of the payload
  uint32_t crc = 0;     // CRC-32C of all but itself, padding included, after the CRC before
  uint64_t sequence = 0;
  uint32_t epoch_low = 0;
  RecordType type = RecordType::kPad;
  uint8_t flags = 0;
  raft::GroupId group = 0;
};

// Bytes of a record with `payload_bytes`, padding included.
constexpr uint64_t RecordBytes(uint64_t payload_bytes) {
  return (kRecordHeaderBytes + payload_bytes + kRecordAlignBytes - 1) / kRecordAlignBytes *
         kRecordAlignBytes;
}

// Writes the header's fields but for the CRC, which needs the record whole.
void EncodeRecordHeader(const RecordHeader& header, uint8_t* out);
// The header at the start of `bytes`, if one can be there: a known type, no reserved bits, and a
// record that does not reach beyond `bytes`. Says nothing about the CRC.
std::optional<RecordHeader> PeekRecordHeader(base::BytesView bytes);
// A part of a record whose CRC is known.
struct SummedPart {
  uint64_t offset = 0;  // in the record
  uint64_t bytes = 0;   // 0: there is none
  uint32_t crc = 0;
};
// The CRC that a record must have; `record` whole with padding, `seed` the CRC of the one before.
// `known` is not read again.
uint32_t RecordCrc(base::BytesView record, uint32_t seed, const SummedPart& known = {});

inline constexpr absl::string_view kWalDirectory = "wal";
// Files that wait to become segments. One is made ahead; a second is kept when a segment is retired
// meanwhile, so that a log that runs evenly makes no file any more.
inline constexpr std::array<absl::string_view, 2> kSpareNames = {"spare.wal", "spare.2.wal"};
// "12.wal" and back; nullopt for any other name.
std::string SegmentName(uint64_t number);
std::optional<uint64_t> ParseSegmentName(absl::string_view name);

}  // namespace slipway::eraft::wal
