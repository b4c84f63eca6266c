#include "cas/service/session/wire.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "base/protobuf_reader.h"
#include "base/status.h"

namespace slipway::cas {
namespace {

using base::ProtobufReader;
using Type = base::ProtobufType;

constexpr uint32_t kBytes = static_cast<uint32_t>(Type::kBytes);  // as they are written
constexpr uint32_t kVarint = static_cast<uint32_t>(Type::kVarint);
constexpr int kDepthMax = ProtobufReader::kDepthMax;
constexpr size_t kHashFieldBytesMax = 4096;  // longer is no hash anyway

bool ReadDigest(ProtobufReader& in, size_t outer_end, int depth, WireResource* out) {
  size_t end = 0;
  if (depth <= 0 || !in.Enter(outer_end, &end)) return false;
  out->has_digest = true;
  return in.Fields(
      end,
      [&](uint32_t field, Type type) -> std::optional<bool> {
        if (field == 1 && type == Type::kVarint) return in.Varint(&out->size_bytes);
        if (field != 2 || type != Type::kBytes) return std::nullopt;
        uint64_t length = 0;
        if (!in.Length(&length) || in.left() - length < end) return false;
        out->blake3.clear();
        return in.Pieces(length, [&](base::BytesView piece) {
          // Longer ones are refused for their length; how long does not matter.
          const size_t room = kHashFieldBytesMax - out->blake3.size();
          const absl::string_view text = base::AsText(piece).substr(0, room);
          out->blake3.append(text.data(), text.size());
        });
      },
      depth - 1);
}

bool ReadRange(ProtobufReader& in, size_t outer_end, int depth, WireResource* out) {
  size_t end = 0;
  if (depth <= 0 || !in.Enter(outer_end, &end)) return false;
  out->has_range = true;
  return in.Fields(
      end,
      [&](uint32_t field, Type type) -> std::optional<bool> {
        if (type != Type::kVarint || field > 2) return std::nullopt;
        uint64_t value = 0;
        if (!in.Varint(&value)) return false;
        if (field == 1) out->start = value;
        if (field == 2) out->length = value;
        return true;
      },
      depth - 1);
}

bool ReadResource(ProtobufReader& in, size_t outer_end, int depth, WireResource* out) {
  size_t end = 0;
  if (depth <= 0 || !in.Enter(outer_end, &end)) return false;
  return in.Fields(
      end,
      [&](uint32_t field, Type type) -> std::optional<bool> {
        if (type != Type::kBytes || field > 2) return std::nullopt;
        return field == 1 ? ReadDigest(in, end, depth - 1, out)
                          : ReadRange(in, end, depth - 1, out);
      },
      depth - 1);
}

bool ReadChunk(ProtobufReader& in, UploadMessage* out) {
  uint64_t length = 0;
  if (!in.Length(&length)) return false;
  out->chunk.clear();
  out->chunk_bytes = length;
  return in.Pieces(length, [&](base::BytesView piece) { out->chunk.push_back(piece); });
}

uint8_t* PutVarint(uint8_t* at, uint64_t value) {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<uint8_t>(value | 0x80);
  *at++ = static_cast<uint8_t>(value);
  return at;
}

}  // namespace

absl::StatusOr<UploadMessage> ParseUploadMessage(Slices slices) {
  ProtobufReader in(slices);
  UploadMessage message;
  const bool ok = in.Fields(0, [&](uint32_t field, Type type) -> std::optional<bool> {
    if (type != Type::kBytes || field > 2) return std::nullopt;
    // Of a oneof the last one counts; a submessage that comes twice in a row is merged.
    if (field == 1) {
      if (message.kind != UploadMessage::Kind::kMetadata) message.metadata = WireResource();
      message.kind = UploadMessage::Kind::kMetadata;
      message.chunk.clear();
      message.chunk_bytes = 0;
      return ReadResource(in, 0, kDepthMax, &message.metadata);
    }
    message.kind = UploadMessage::Kind::kChunk;
    return ReadChunk(in, &message);
  });
  if (!ok) return absl::InvalidArgumentError("read message: it is no UploadRequest");
  return message;
}

absl::StatusOr<std::optional<WireResource>> ParseDownloadMessage(Slices slices) {
  ProtobufReader in(slices);
  std::optional<WireResource> resource;
  const bool ok = in.Fields(0, [&](uint32_t field, Type type) -> std::optional<bool> {
    if (field != 1 || type != Type::kBytes) return std::nullopt;
    if (!resource.has_value()) resource.emplace();
    return ReadResource(in, 0, kDepthMax, &*resource);
  });
  if (!ok) return absl::InvalidArgumentError("read message: it is no DownloadRequest");
  return resource;
}

absl::StatusOr<Digest> DigestOf(const WireResource& resource) {
  if (!resource.has_digest) return absl::InvalidArgumentError("read metadata: digest is missing");
  absl::StatusOr<Digest> digest = MakeDigest(base::AsBytes(resource.blake3), resource.size_bytes);
  if (!digest.ok()) return base::Annotate(digest.status(), "read metadata");
  return digest;
}

absl::StatusOr<BlobRange> RangeOf(const WireResource& resource) {
  if (!resource.has_range) return absl::InvalidArgumentError("read metadata: range is missing");
  const BlobRange range{resource.start, resource.length};
  SLIPWAY_RETURN_IF_ERROR(base::Annotate(CheckRange(range), "read metadata"));
  return range;
}

ChunkHeader DownloadHeader(uint64_t data_bytes) {
  ChunkHeader header;
  header.bytes[0] = 1 << 3 | kBytes;
  header.size = static_cast<size_t>(PutVarint(&header.bytes[1], data_bytes) - header.bytes.data());
  return header;
}

std::string UploadAnswer(uint64_t committed_bytes) {
  if (committed_bytes == 0) return "";  // the default is not sent
  uint8_t bytes[11] = {1 << 3 | kVarint};
  uint8_t* const end = PutVarint(&bytes[1], committed_bytes);
  return std::string(bytes, end);
}

}  // namespace slipway::cas
