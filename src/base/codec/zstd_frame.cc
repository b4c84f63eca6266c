#include "base/codec/zstd_frame.h"

namespace slipway::base::codec {
namespace {

uint64_t LoadBytes(const uint8_t* at, size_t count) {
  uint64_t value = 0;
  for (size_t i = count; i-- > 0;) value = value << 8 | at[i];
  return value;
}

}  // namespace

absl::StatusOr<std::optional<ZstdFrameHeader>> ParseZstdFrameHeader(BytesView bytes) {
  if (bytes.size() < 5) return std::nullopt;
  const uint8_t descriptor = bytes[4];
  if ((descriptor & 8) != 0) return absl::DataLossError("zstd frame with a reserved bit");
  const bool single_segment = (descriptor & 0x20) != 0;
  constexpr size_t kDictionaryBytes[] = {0, 1, 2, 4};
  const size_t dictionary_bytes = kDictionaryBytes[descriptor & 3];
  const unsigned size_code = descriptor >> 6;
  const size_t size_bytes = size_code == 0 ? (single_segment ? 1 : 0) : size_t{1} << size_code;
  ZstdFrameHeader header;
  header.has_checksum = (descriptor & 4) != 0;
  header.header_bytes = 5 + (single_segment ? 0 : 1) + dictionary_bytes + size_bytes;
  if (bytes.size() < header.header_bytes) return std::nullopt;
  size_t at = 5;
  if (!single_segment) {
    const uint64_t base = uint64_t{1} << (10 + (bytes[at] >> 3));
    header.window_bytes = base + base / 8 * (bytes[at] & 7);
    ++at;
  }
  header.has_dictionary = LoadBytes(bytes.data() + at, dictionary_bytes) != 0;
  at += dictionary_bytes;
  if (size_bytes != 0) {
    header.content_bytes = LoadBytes(bytes.data() + at, size_bytes) + (size_bytes == 2 ? 256 : 0);
  }
  if (single_segment) header.window_bytes = *header.content_bytes;
  return header;
}

}  // namespace slipway::base::codec
