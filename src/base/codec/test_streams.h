// Whole streams at once, for the tests of this folder.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "base/codec/codec.h"
#include "base/pool.h"
#include "base/status.h"

namespace slipway::base::codec {

using Frames = std::vector<std::pair<uint64_t, uint64_t>>;

inline absl::StatusOr<Bytes> Encode(BytesView data, const EncoderOptions& options, Pool& pool,
                                    size_t step = 100'000, Frames* frames = nullptr) {
  Bytes out;
  SLIPWAY_ASSIGN_OR_RETURN(const auto encoder, MakeEncoder(options, pool, [&out](BytesView part) {
                             out.insert(out.end(), part.begin(), part.end());
                             return absl::OkStatus();
                           }));
  while (!data.empty()) {
    const BytesView part = data.first(std::min(step, data.size()));
    data.remove_prefix(part.size());
    SLIPWAY_RETURN_IF_ERROR(encoder->Append(part));
  }
  SLIPWAY_RETURN_IF_ERROR(encoder->Finish());
  if (frames != nullptr) *frames = encoder->frames();
  return out;
}

// Gives at most `step` bytes a call.
class StepSource : public ByteSource {
 public:
  StepSource(BytesView bytes, size_t step) : bytes_(bytes), step_(step) {}
  absl::StatusOr<size_t> Read(absl::Span<uint8_t> out) override {
    const size_t count = std::min({out.size(), bytes_.size(), step_});
    std::copy_n(bytes_.begin(), count, out.begin());
    bytes_.remove_prefix(count);
    taken_ += count;
    return count;
  }
  size_t taken() const { return taken_; }

 private:
  BytesView bytes_;
  size_t step_;
  size_t taken_ = 0;
};

inline absl::StatusOr<Bytes> DecodeAll(ByteSource& decoder, size_t step = 70'000) {
  Bytes out, part(step);
  while (true) {
    SLIPWAY_ASSIGN_OR_RETURN(const size_t read, decoder.Read(absl::MakeSpan(part)));
    if (read == 0) return out;
    out.insert(out.end(), part.begin(), part.begin() + static_cast<ptrdiff_t>(read));
  }
}

inline absl::StatusOr<Bytes> Decode(BytesView stream, const DecoderOptions& options, Pool& pool,
                                    size_t source_step = 50'000) {
  StepSource source(stream, source_step);
  SLIPWAY_ASSIGN_OR_RETURN(const auto decoder, MakeDecoder(options, source, pool));
  return DecodeAll(*decoder);
}

inline Bytes Concat(std::initializer_list<BytesView> parts) {
  Bytes out;
  for (const BytesView part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

}  // namespace slipway::base::codec
