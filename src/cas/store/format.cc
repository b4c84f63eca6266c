#include "cas/store/format.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/check.h"
#include "base/digest/blake3.h"

namespace slipway::cas {
namespace {

constexpr absl::string_view kFormatWord = "zako-cas ";
constexpr absl::string_view kMarkMagic = "zakocln1";

// Offsets of a record.
constexpr size_t kVersionAt = 0;
constexpr size_t kCodecAt = 1;
constexpr size_t kSizeAt = 2;
constexpr size_t kStoredAt = 10;
constexpr size_t kCreatedAt = 18;
constexpr size_t kAccessedAt = 22;
constexpr size_t kInodeAt = 26;
constexpr size_t kMtimeAt = 34;
static_assert(kMtimeAt + sizeof(uint64_t) == kRecordBytes);

// Offsets of a mark: magic, token, length, hash of the index, hash of all before.
constexpr size_t kTokenAt = 8;
constexpr size_t kLengthAt = 16;
constexpr size_t kHashAt = 24;
constexpr size_t kCheckAt = kHashAt + kHashBytes;
static_assert(kCheckAt + kHashBytes == kMarkBytes);

}  // namespace

std::string FanOutName(size_t index) {
  SLIPWAY_CHECK(index < kFanOut);
  return absl::StrFormat("%02x", index);
}

std::string ObjectName(const Hash& hash) { return base::ToHex(hash).substr(2); }

std::string ObjectPath(const Hash& hash) {
  std::string path = base::ToHex(hash);
  path.insert(2, "/");
  return path;
}

std::optional<Hash> HashOfObject(absl::string_view fan_out, absl::string_view name) {
  if (fan_out.size() != 2) return std::nullopt;
  const absl::StatusOr<Hash> hash = ParseHash(absl::StrCat(fan_out, name));
  if (!hash.ok()) return std::nullopt;
  return *hash;
}

std::string FormatLine() { return absl::StrCat(kFormatWord, kFormatVersion, "\n"); }

absl::StatusOr<uint32_t> ParseFormatLine(absl::string_view text) {
  uint32_t version = 0;
  const bool shaped = absl::StartsWith(text, kFormatWord) && absl::EndsWith(text, "\n");
  if (shaped) {
    const absl::string_view number =
        text.substr(kFormatWord.size(), text.size() - kFormatWord.size() - 1);
    const bool digits = !number.empty() && std::all_of(number.begin(), number.end(),
                                                       [](char c) { return c >= '0' && c <= '9'; });
    if (digits && absl::SimpleAtoi(number, &version) && version > 0) return version;
  }
  return absl::DataLossError("it does not hold \"zako-cas <version>\"");
}

RecordBytes EncodeRecord(const IndexRecord& record) {
  RecordBytes bytes{};
  bytes[kVersionAt] = kRecordVersion;
  bytes[kCodecAt] = record.codec;
  base::StoreLittle(&bytes[kSizeAt], record.size_bytes);
  base::StoreLittle(&bytes[kStoredAt], record.stored_bytes);
  base::StoreLittle(&bytes[kCreatedAt], record.created_s);
  base::StoreLittle(&bytes[kAccessedAt], record.accessed_s);
  base::StoreLittle(&bytes[kInodeAt], record.inode);
  base::StoreLittle(&bytes[kMtimeAt], record.mtime_ns);
  return bytes;
}

absl::StatusOr<IndexRecord> DecodeRecord(base::BytesView bytes) {
  if (bytes.size() != kRecordBytes) {
    return absl::DataLossError(
        absl::StrCat("index record: ", bytes.size(), " bytes, not ", kRecordBytes));
  }
  if (bytes[kVersionAt] != kRecordVersion || bytes[kCodecAt] != kCodecRaw) {
    return absl::DataLossError(absl::StrCat("index record: version ", int{bytes[kVersionAt]},
                                            ", codec ", int{bytes[kCodecAt]}, " are unknown"));
  }
  IndexRecord record;
  record.codec = bytes[kCodecAt];
  record.size_bytes = base::LoadLittle<uint64_t>(&bytes[kSizeAt]);
  record.stored_bytes = base::LoadLittle<uint64_t>(&bytes[kStoredAt]);
  record.created_s = base::LoadLittle<uint32_t>(&bytes[kCreatedAt]);
  record.accessed_s = base::LoadLittle<uint32_t>(&bytes[kAccessedAt]);
  record.inode = base::LoadLittle<uint64_t>(&bytes[kInodeAt]);
  record.mtime_ns = base::LoadLittle<uint64_t>(&bytes[kMtimeAt]);
  return record;
}

std::string EncodeMark(const CleanMark& mark) {
  std::array<uint8_t, kMarkBytes> bytes{};
  std::copy(kMarkMagic.begin(), kMarkMagic.end(), bytes.begin());
  base::StoreLittle(&bytes[kTokenAt], mark.token);
  base::StoreLittle(&bytes[kLengthAt], mark.index_bytes);
  std::copy(mark.index_hash.begin(), mark.index_hash.end(), &bytes[kHashAt]);
  const base::Blake3Digest check = base::Blake3Of(base::BytesView(bytes.data(), kCheckAt));
  std::copy(check.begin(), check.end(), &bytes[kCheckAt]);
  return std::string(base::AsText(bytes));
}

absl::StatusOr<CleanMark> DecodeMark(base::BytesView bytes) {
  if (bytes.size() != kMarkBytes || !absl::StartsWith(base::AsText(bytes), kMarkMagic)) {
    return absl::DataLossError("clean mark: it is none");
  }
  const base::Blake3Digest check = base::Blake3Of(bytes.first(kCheckAt));
  if (!std::equal(check.begin(), check.end(), &bytes[kCheckAt])) {
    return absl::DataLossError("clean mark: its checksum is wrong");
  }
  CleanMark mark;
  mark.token = base::LoadLittle<uint64_t>(&bytes[kTokenAt]);
  mark.index_bytes = base::LoadLittle<uint64_t>(&bytes[kLengthAt]);
  std::copy_n(&bytes[kHashAt], kHashBytes, mark.index_hash.begin());
  return mark;
}

}  // namespace slipway::cas
