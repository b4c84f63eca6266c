#include "cas/service/session/wire.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "base/status.h"

namespace slipway::cas {
namespace {

// Wire types of protobuf's encoding.
constexpr uint32_t kVarint = 0;
constexpr uint32_t kFixed64 = 1;
constexpr uint32_t kBytes = 2;
constexpr uint32_t kGroup = 3;
constexpr uint32_t kEndGroup = 4;
constexpr uint32_t kFixed32 = 5;

constexpr int kDepthMax = 100;                          // of the generated parser
constexpr uint64_t kLengthMax = (1ull << 31) - 1 - 16;  // likewise
constexpr size_t kHashFieldBytesMax = 4096;             // longer is no hash anyway

// A position in the pieces of a message. All calls return false at the end of what there is.
class Cursor {
 public:
  explicit Cursor(Slices slices) : slices_(slices) {
    for (const base::BytesView& slice : slices) left_ += slice.size();
  }

  uint64_t left() const { return left_; }

  bool Byte(uint8_t* out) {
    if (left_ == 0) return false;
    while (offset_ == slices_[index_].size()) NextSlice();
    *out = slices_[index_][offset_++];
    --left_;
    return true;
  }

  // Calls take(piece) for the next `count` bytes.
  template <class Take>
  bool Pieces(uint64_t count, Take take) {
    if (count > left_) return false;
    left_ -= count;
    while (count > 0) {
      if (offset_ == slices_[index_].size()) {
        NextSlice();
        continue;
      }
      const base::BytesView rest = slices_[index_].subspan(offset_);
      const size_t size = static_cast<size_t>(std::min<uint64_t>(count, rest.size()));
      take(rest.subspan(0, size));
      offset_ += size;
      count -= size;
    }
    return true;
  }

  bool Skip(uint64_t count) {
    return Pieces(count, [](base::BytesView) {});
  }

 private:
  void NextSlice() {
    ++index_;
    offset_ = 0;
  }

  Slices slices_;
  size_t index_ = 0;
  size_t offset_ = 0;
  uint64_t left_ = 0;
};

// At most ten bytes; bits above the 64th are lost, as in the generated parser.
bool ReadVarint(Cursor& in, uint64_t* out, int bytes_max = 10) {
  uint64_t value = 0;
  for (int i = 0; i < bytes_max; ++i) {
    uint8_t byte = 0;
    if (!in.Byte(&byte)) return false;
    value |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) return *out = value, true;
  }
  return false;
}

// A field number and a wire type: at most five bytes, of which 32 bits count.
bool ReadTag(Cursor& in, uint32_t* field, uint32_t* type) {
  uint64_t tag = 0;
  if (!ReadVarint(in, &tag, 5)) return false;
  *field = static_cast<uint32_t>(tag) >> 3;
  *type = static_cast<uint32_t>(tag) & 7;
  return *field != 0;
}

bool ReadLength(Cursor& in, uint64_t* out) {
  return ReadVarint(in, out, 5) && *out <= kLengthMax && *out <= in.left();
}

// A field that the message does not know, or knows with another wire type.
bool SkipField(Cursor& in, uint32_t field, uint32_t type, int depth) {
  uint64_t ignored = 0;
  switch (type) {
    case kVarint:
      return ReadVarint(in, &ignored);
    case kFixed64:
      return in.Skip(8);
    case kFixed32:
      return in.Skip(4);
    case kBytes:
      return ReadLength(in, &ignored) && in.Skip(ignored);
    case kGroup:
      break;
    default:
      return false;  // the end of a group that has not begun, or no wire type at all
  }
  if (depth <= 0) return false;
  while (true) {
    uint32_t inner_field = 0;
    uint32_t inner_type = 0;
    if (!ReadTag(in, &inner_field, &inner_type)) return false;
    if (inner_type == kEndGroup) return inner_field == field;
    if (!SkipField(in, inner_field, inner_type, depth - 1)) return false;
  }
}

// Calls known(field, type, body) for each field until `end` bytes are left; it returns nullopt for
// a field it does not know.
template <class Known>
bool ReadFields(Cursor& in, uint64_t end, int depth, Known known) {
  while (in.left() > end) {
    uint32_t field = 0;
    uint32_t type = 0;
    if (!ReadTag(in, &field, &type)) return false;
    const std::optional<bool> taken = known(field, type);
    if (taken.has_value() ? !*taken : !SkipField(in, field, type, depth)) return false;
    if (in.left() < end) return false;  // it went past the end of its message
  }
  return true;
}

// Reads the length of a submessage and tells how much is left behind it.
bool Enter(Cursor& in, uint64_t outer_end, uint64_t* end) {
  uint64_t length = 0;
  if (!ReadLength(in, &length) || in.left() - length < outer_end) return false;
  *end = in.left() - length;
  return true;
}

bool ReadDigest(Cursor& in, uint64_t outer_end, int depth, WireResource* out) {
  uint64_t end = 0;
  if (depth <= 0 || !Enter(in, outer_end, &end)) return false;
  out->has_digest = true;
  return ReadFields(in, end, depth - 1, [&](uint32_t field, uint32_t type) -> std::optional<bool> {
    if (field == 1 && type == kVarint) return ReadVarint(in, &out->size_bytes);
    if (field != 2 || type != kBytes) return std::nullopt;
    uint64_t length = 0;
    if (!ReadLength(in, &length) || in.left() - length < end) return false;
    out->blake3.clear();
    return in.Pieces(length, [&](base::BytesView piece) {
      // Longer ones are refused for their length; how long does not matter.
      const size_t room = kHashFieldBytesMax - out->blake3.size();
      const absl::string_view text = base::AsText(piece).substr(0, room);
      out->blake3.append(text.data(), text.size());
    });
  });
}

bool ReadRange(Cursor& in, uint64_t outer_end, int depth, WireResource* out) {
  uint64_t end = 0;
  if (depth <= 0 || !Enter(in, outer_end, &end)) return false;
  out->has_range = true;
  return ReadFields(in, end, depth - 1, [&](uint32_t field, uint32_t type) -> std::optional<bool> {
    if (type != kVarint || field > 2) return std::nullopt;
    uint64_t value = 0;
    if (!ReadVarint(in, &value)) return false;
    if (field == 1) out->start = value;
    if (field == 2) out->length = value;
    return true;
  });
}

bool ReadResource(Cursor& in, uint64_t outer_end, int depth, WireResource* out) {
  uint64_t end = 0;
  if (depth <= 0 || !Enter(in, outer_end, &end)) return false;
  return ReadFields(in, end, depth - 1, [&](uint32_t field, uint32_t type) -> std::optional<bool> {
    if (type != kBytes || field > 2) return std::nullopt;
    return field == 1 ? ReadDigest(in, end, depth - 1, out) : ReadRange(in, end, depth - 1, out);
  });
}

bool ReadChunk(Cursor& in, UploadMessage* out) {
  uint64_t length = 0;
  if (!ReadLength(in, &length)) return false;
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
  Cursor in(slices);
  UploadMessage message;
  const bool ok =
      ReadFields(in, 0, kDepthMax, [&](uint32_t field, uint32_t type) -> std::optional<bool> {
        if (type != kBytes || field > 2) return std::nullopt;
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
  Cursor in(slices);
  std::optional<WireResource> resource;
  const bool ok =
      ReadFields(in, 0, kDepthMax, [&](uint32_t field, uint32_t type) -> std::optional<bool> {
        if (field != 1 || type != kBytes) return std::nullopt;
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
