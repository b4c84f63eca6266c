// Reads a message in protobuf's encoding where it lies, in the pieces that it came in: bytes fields
// are handed out as views, and nothing is copied. For messages whose bytes are many (STYLE: others
// are parsed by the generated code). Thread-compatible. PURE.
//
//   base::ProtobufReader in(slices);
//   const bool ok = in.Fields(0, [&](uint32_t field, ProtobufType type) -> std::optional<bool> {
//     if (field == 1 && type == ProtobufType::kVarint) return in.Varint(&seq);
//     return std::nullopt;  // not known: passed over
//   });
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/types/span.h"
#include "base/bytes.h"

namespace slipway::base {

enum class ProtobufType : uint32_t {
  kVarint = 0,
  kFixed64 = 1,
  kBytes = 2,
  kGroup = 3,
  kEndGroup = 4,
  kFixed32 = 5
};

// All calls that read return false where the message is none, and are then done with.
class ProtobufReader {
 public:
  enum class Rules : uint8_t {
    kAsGenerated,  // takes what protobuf's generated parser takes
    kStrict,       // takes no groups, and no number of more than 64 bits
  };
  static constexpr int kDepthMax = 100;  // of groups and submessages, as the generated parser's

  // `slices`: one message in pieces; none may be there. Borrowed, with the bytes.
  explicit ProtobufReader(absl::Span<const BytesView> slices, Rules rules = Rules::kAsGenerated);

  size_t left() const { return left_; }  // bytes, of the whole message

  // Calls known(field, type) for each field until `end` bytes of the message are left. It reads the
  // field and says whether it could; nullopt: it does not know it, and the field is passed over.
  template <class Known>
  bool Fields(size_t end, Known known, int depth = kDepthMax) {
    while (left_ > end) {
      uint32_t field = 0;
      ProtobufType type = ProtobufType::kVarint;
      if (!Tag(&field, &type)) return false;
      const std::optional<bool> taken = known(field, type);
      if (taken.has_value() ? !*taken : !SkipField(field, type, depth)) return false;
      if (left_ < end) return false;  // it went past the end of its message
    }
    return true;
  }
  // Reads the length of a submessage; `end` gets what is left behind it, which is not less than
  // what is left behind the message that holds it.
  bool Enter(size_t outer_end, size_t* end);

  bool Varint(uint64_t* out) { return ReadVarint(out, kVarintBytesMax); }
  bool Bool(bool* out);  // kStrict: 0 or 1
  // Of what follows; there are so many bytes.
  bool Length(uint64_t* out);
  // Calls take(piece) for the next `count` bytes.
  template <class Take>
  bool Pieces(uint64_t count, Take take) {
    if (count > left_) return false;
    left_ -= static_cast<size_t>(count);
    while (count > 0) {
      SkipEmpty();
      const BytesView rest = slices_[index_].subspan(offset_);
      const size_t size = static_cast<size_t>(std::min<uint64_t>(count, rest.size()));
      take(rest.subspan(0, size));
      offset_ += size;
      count -= size;
    }
    return true;
  }
  bool Skip(uint64_t count) {
    return Pieces(count, [](BytesView) {});
  }
  // A length and as many bytes, at most `bytes_max`.
  bool Text(size_t bytes_max, std::string* out);

 private:
  static constexpr int kVarintBytesMax = 10;
  static constexpr int kShortBytesMax = 5;  // of tags and lengths

  bool ReadVarint(uint64_t* out, int bytes_max);
  bool Tag(uint32_t* field, ProtobufType* type);
  bool SkipField(uint32_t field, ProtobufType type, int depth);
  void SkipEmpty() {
    while (offset_ == slices_[index_].size()) {
      ++index_;
      offset_ = 0;
    }
  }

  const absl::Span<const BytesView> slices_;
  const Rules rules_;
  size_t index_ = 0;
  size_t offset_ = 0;
  size_t left_ = 0;
};

}  // namespace slipway::base
