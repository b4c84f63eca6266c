// The part that all block-wise encoders share: cutting, order, back-pressure. Thread-compatible.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "base/codec/codec.h"
#include "base/codec/ordered_jobs.h"
#include "base/pool.h"

namespace slipway::base::codec {

// What one format adds.
class BlockCoder {
 public:
  virtual ~BlockCoder() = default;
  // Codes the slot's input, whole, as one member or frame into slot.output. Thread-safe; the result
  // depends on the input and the coder's options alone.
  virtual absl::Status Code(Slot& slot) = 0;
  // `slot` was handed to the sink; called in order.
  virtual absl::Status OnWritten(const Slot& slot) = 0;
  // What follows the last block; may be empty.
  virtual Bytes Trailer() = 0;
};

// An empty stream is one empty block.
class BlockEncoder : public Encoder {
 public:
  BlockEncoder(std::unique_ptr<BlockCoder> coder, size_t block_bytes, Pool& pool, ByteSink sink);
  absl::Status Append(BytesView data) override;
  absl::Status Finish() override;
  const std::vector<std::pair<uint64_t, uint64_t>>& frames() const override { return frames_; }

 private:
  absl::Status AppendBlocks(BytesView data);
  absl::Status FinishBlocks();
  absl::Status RunBlock();
  absl::Status WriteFront();
  absl::Status WriteDownTo(size_t in_flight);

  std::unique_ptr<BlockCoder> coder_;
  const size_t block_bytes_;
  const size_t in_flight_max_;
  ByteSink sink_;
  std::vector<std::pair<uint64_t, uint64_t>> frames_;
  uint64_t written_bytes_ = 0, read_bytes_ = 0;
  absl::Status failed_;
  bool finished_ = false;
  std::unique_ptr<Slot> filling_;
  OrderedJobs jobs_;  // last: its jobs use the rest
};

std::unique_ptr<BlockCoder> MakeGzipCoder(int level, bool compress_all);
std::unique_ptr<BlockCoder> MakeZstdCoder(int level);

}  // namespace slipway::base::codec
