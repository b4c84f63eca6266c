// The bytes of a disk store: docs/formats/cas-store.md (spec 7.11). Thread-safe: free functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "cas/digest.h"
#include "cas/store/index.h"

namespace slipway::cas {

// ---- Names beneath the root ----

inline constexpr char kFormatFile[] = "format";
inline constexpr char kLockFile[] = "lock";
inline constexpr char kIndexFile[] = "index.mdb";
inline constexpr char kIndexLockFile[] = "index.mdb-lock";
inline constexpr char kIndexMarkFile[] = "index.clean";
inline constexpr char kObjectsDir[] = "objects";
inline constexpr char kTempDir[] = "tmp";
inline constexpr char kQuarantineDir[] = "quarantine";
inline constexpr char kReasonSuffix[] = ".reason";

inline constexpr size_t kFanOut = 256;
inline constexpr uint32_t kObjectMode = 0444;

// "ab" and the other 62 digits.
std::string FanOutName(size_t index);
std::string ObjectName(const Hash& hash);
// "ab/<62 hex>", beneath objects/.
std::string ObjectPath(const Hash& hash);
// The hash of a file in objects/; nothing when it is not named as one.
std::optional<Hash> HashOfObject(absl::string_view fan_out, absl::string_view name);

// ---- format ----

inline constexpr uint32_t kFormatVersion = 1;
std::string FormatLine();
// The version; DataLoss for another text.
absl::StatusOr<uint32_t> ParseFormatLine(absl::string_view text);

// ---- Values of the database `blob` ----

inline constexpr uint8_t kRecordVersion = 1;
inline constexpr uint8_t kCodecRaw = 0;
inline constexpr size_t kRecordBytes = 42;
using RecordBytes = std::array<uint8_t, kRecordBytes>;

RecordBytes EncodeRecord(const IndexRecord& record);
// DataLoss: another length or version, or a codec this version does not know.
absl::StatusOr<IndexRecord> DecodeRecord(base::BytesView bytes);

// ---- index.clean: what the index was when the store was closed ----

struct CleanMark {
  uint64_t token = 0;  // which store it belongs to
  uint64_t index_bytes = 0;
  Hash index_hash{};
  friend bool operator==(const CleanMark&, const CleanMark&) = default;
};
inline constexpr size_t kMarkBytes = 88;

std::string EncodeMark(const CleanMark& mark);
// DataLoss: it is none, or is damaged.
absl::StatusOr<CleanMark> DecodeMark(base::BytesView bytes);

}  // namespace slipway::cas
