#include "base/protobuf_reader.h"

namespace slipway::base {
namespace {

constexpr uint64_t kLengthMax = (1ull << 31) - 1 - 16;  // of the generated parser

}  // namespace

ProtobufReader::ProtobufReader(absl::Span<const BytesView> slices, Rules rules)
    : slices_(slices), rules_(rules) {
  for (const BytesView& slice : slices) left_ += slice.size();
}

// Bits above the 64th are lost, as in the generated parser, or none may be there.
bool ProtobufReader::ReadVarint(uint64_t* out, int bytes_max) {
  uint64_t value = 0;
  for (int i = 0; i < bytes_max; ++i) {
    if (left_ == 0) return false;
    SkipEmpty();
    const uint8_t byte = slices_[index_][offset_++];
    --left_;
    value |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if (byte >= 0x80) continue;
    *out = value;
    return rules_ == Rules::kAsGenerated || i < kVarintBytesMax - 1 || byte <= 1;
  }
  return false;
}

bool ProtobufReader::Bool(bool* out) {
  uint64_t value = 0;
  if (!Varint(&value)) return false;
  *out = value != 0;
  return rules_ == Rules::kAsGenerated || value <= 1;
}

// A field number and a wire type: at most five bytes, of which 32 bits count.
bool ProtobufReader::Tag(uint32_t* field, ProtobufType* type) {
  uint64_t tag = 0;
  if (!ReadVarint(&tag, kShortBytesMax)) return false;
  if (rules_ == Rules::kStrict && tag >> 32 != 0) return false;
  *field = static_cast<uint32_t>(tag) >> 3;
  *type = static_cast<ProtobufType>(tag & 7);
  return *field != 0;
}

bool ProtobufReader::Length(uint64_t* out) {
  return ReadVarint(out, kShortBytesMax) && *out <= kLengthMax && *out <= left_;
}

bool ProtobufReader::Enter(size_t outer_end, size_t* end) {
  uint64_t length = 0;
  if (!Length(&length) || left_ - length < outer_end) return false;
  *end = left_ - static_cast<size_t>(length);
  return true;
}

bool ProtobufReader::Text(size_t bytes_max, std::string* out) {
  uint64_t length = 0;
  if (!Length(&length) || length > bytes_max) return false;
  out->clear();
  return Pieces(length, [out](BytesView piece) {
    const absl::string_view text = AsText(piece);
    out->append(text.data(), text.size());
  });
}

bool ProtobufReader::SkipField(uint32_t field, ProtobufType type, int depth) {
  uint64_t ignored = 0;
  switch (type) {
    case ProtobufType::kVarint:
      return Varint(&ignored);
    case ProtobufType::kFixed64:
      return Skip(8);
    case ProtobufType::kFixed32:
      return Skip(4);
    case ProtobufType::kBytes:
      return Length(&ignored) && Skip(ignored);
    case ProtobufType::kGroup:
      break;
    case ProtobufType::kEndGroup:  // of a group that has not begun
      return false;
  }
  if (type != ProtobufType::kGroup || rules_ == Rules::kStrict || depth <= 0) return false;
  while (true) {
    uint32_t inner_field = 0;
    ProtobufType inner_type = ProtobufType::kVarint;
    if (!Tag(&inner_field, &inner_type)) return false;
    if (inner_type == ProtobufType::kEndGroup) return inner_field == field;
    if (!SkipField(inner_field, inner_type, depth - 1)) return false;
  }
}

}  // namespace slipway::base
