// What the fuzz targets of base/codec share.
#pragma once

#include <algorithm>
#include <memory>

#include "base/check.h"
#include "base/codec/codec.h"

namespace slipway::fuzz {

inline constexpr uint64_t kOutputBytesMax = 1 << 20;

// Every job runs in the thread that hands it in.
class InlinePool : public base::Pool {
 public:
  absl::Status Submit(base::Task job) override {
    job();
    return absl::OkStatus();
  }
  bool RunOne() override { return false; }
  int threads() const override { return 1; }
};

class ViewSource : public base::ByteSource {
 public:
  ViewSource(base::BytesView bytes, size_t step) : bytes_(bytes), step_(step) {}
  absl::StatusOr<size_t> Read(absl::Span<uint8_t> out) override {
    const size_t count = std::min({out.size(), bytes_.size(), step_});
    std::copy_n(bytes_.begin(), count, out.begin());
    bytes_.remove_prefix(count);
    return count;
  }

 private:
  base::BytesView bytes_;
  size_t step_;
};

inline absl::StatusOr<base::Bytes> Decode(base::Codec codec, base::BytesView stream, size_t step) {
  InlinePool pool;
  ViewSource source(stream, step);
  SLIPWAY_ASSIGN_OR_RETURN(
      const auto decoder,
      base::MakeDecoder(
          {.codec = codec, .output_bytes_max = kOutputBytesMax, .window_bytes_max = 8 << 20},
          source, pool));
  base::Bytes out, part(10'000);
  while (true) {
    SLIPWAY_ASSIGN_OR_RETURN(const size_t read, decoder->Read(absl::MakeSpan(part)));
    if (read == 0) return out;
    out.insert(out.end(), part.begin(), part.begin() + static_cast<ptrdiff_t>(read));
  }
}

inline void DecodeAndCodeAgain(base::Codec codec, base::BytesView stream) {
  const absl::StatusOr<base::Bytes> content = Decode(codec, stream, stream.size() + 1);
  const absl::StatusOr<base::Bytes> in_steps = Decode(codec, stream, 7);
  SLIPWAY_CHECK(content.ok() == in_steps.ok());  // how the source gives it makes no difference
  if (!content.ok()) return;
  SLIPWAY_CHECK(*content == *in_steps);
  SLIPWAY_CHECK(content->size() <= kOutputBytesMax);
  InlinePool pool;
  base::Bytes again;
  const auto encoder =
      base::MakeEncoder({.codec = codec, .level = 1}, pool, [&again](base::BytesView part) {
        again.insert(again.end(), part.begin(), part.end());
        return absl::OkStatus();
      });
  SLIPWAY_CHECK((*encoder)->Append(*content).ok());
  SLIPWAY_CHECK((*encoder)->Finish().ok());
  const absl::StatusOr<base::Bytes> read_back = Decode(codec, again, again.size());
  SLIPWAY_CHECK(read_back.ok());
  SLIPWAY_CHECK(*read_back == *content);
}

}  // namespace slipway::fuzz
