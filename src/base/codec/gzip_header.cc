#include "base/codec/gzip_header.h"

#include <libdeflate.h>

#include <algorithm>
#include <cstring>

#include "base/codec/format.h"

namespace slipway::base::codec {
namespace {

constexpr size_t kFixedBytes = 10;

std::optional<GzipHeader::Split> FindSplit(BytesView extra) {
  while (extra.size() >= 4) {
    const size_t length = LoadLittle<uint16_t>(&extra[2]);
    if (length > extra.size() - 4) return std::nullopt;
    if (length == kSplitFieldBytes && std::equal(kSplitFieldId, kSplitFieldId + 2, extra.data())) {
      return GzipHeader::Split{LoadLittle<uint32_t>(&extra[4]), LoadLittle<uint32_t>(&extra[8])};
    }
    extra.remove_prefix(4 + length);
  }
  return std::nullopt;
}

// Moves `at` behind a text that ends with a zero byte; false when there is none yet.
bool SkipText(BytesView bytes, size_t& at) {
  const auto zero = std::find(bytes.begin() + static_cast<ptrdiff_t>(at), bytes.end(), 0);
  if (zero == bytes.end()) return false;
  at = static_cast<size_t>(zero - bytes.begin()) + 1;
  return true;
}

// nullopt: `bytes` end first.
absl::StatusOr<std::optional<GzipHeader>> ParseFields(BytesView bytes) {
  const uint8_t flags = bytes[3];
  GzipHeader header;
  size_t at = kFixedBytes;
  if ((flags & kGzipExtra) != 0) {
    if (bytes.size() < at + 2) return std::nullopt;
    const size_t length = LoadLittle<uint16_t>(&bytes[at]);
    at += 2;
    if (bytes.size() < at + length) return std::nullopt;
    header.split = FindSplit(bytes.subspan(at, length));
    at += length;
  }
  if ((flags & kGzipName) != 0 && !SkipText(bytes, at)) return std::nullopt;
  if ((flags & kGzipComment) != 0 && !SkipText(bytes, at)) return std::nullopt;
  if ((flags & kGzipHeaderCrc) != 0) {
    if (bytes.size() < at + 2) return std::nullopt;
    const uint32_t crc = libdeflate_crc32(0, bytes.data(), at) & 0xffff;
    if (crc != LoadLittle<uint16_t>(&bytes[at])) {
      return absl::DataLossError("checksum of the gzip header differs");
    }
    at += 2;
  }
  header.header_bytes = at;
  return header;
}

}  // namespace

absl::StatusOr<std::optional<GzipHeader>> ParseGzipHeader(BytesView bytes) {
  const size_t known = std::min<size_t>(bytes.size(), 2);
  if (!std::equal(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(known), kGzipMagic)) {
    return absl::DataLossError("no gzip header");
  }
  if (bytes.size() < kFixedBytes) return std::nullopt;
  if (bytes[2] != kGzipDeflate || (bytes[3] & ~kGzipFlagsKnown) != 0) {
    return absl::DataLossError("gzip header with an unknown method or flag");
  }
  auto header = ParseFields(bytes.first(std::min(bytes.size(), kGzipHeaderBytesMax)));
  if (header.ok() && !header->has_value() && bytes.size() >= kGzipHeaderBytesMax) {
    return absl::DataLossError("gzip header is too long");
  }
  return header;
}

void WriteGzipHeader(GzipHeader::Split split, uint8_t* out) {
  static_assert(kMemberHeaderBytes == kFixedBytes + 2 + 4 + kSplitFieldBytes);
  // Time 0, no extra flags, file system unknown: nothing that could differ from run to run.
  const uint8_t fixed[] = {
      kGzipMagic[0],    kGzipMagic[1],    kGzipDeflate,     kGzipExtra, 0, 0, 0, 0, 0, 255, 12, 0,
      kSplitFieldId[0], kSplitFieldId[1], kSplitFieldBytes, 0};
  static_assert(sizeof(fixed) == kMemberHeaderBytes - kSplitFieldBytes);
  std::memcpy(out, fixed, sizeof(fixed));
  StoreLittle<uint32_t>(out + 16, split.member_bytes);
  StoreLittle<uint32_t>(out + 20, split.input_bytes);
}

}  // namespace slipway::base::codec
