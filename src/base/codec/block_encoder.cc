#include "base/codec/block_encoder.h"

#include <algorithm>

#include "base/check.h"

namespace slipway::base::codec {

namespace {
// What waits beside the blocks that threads work at, so that these do not wait for the sink. Large
// blocks last longer, and cost memory (D262).
constexpr size_t kSpareBlocks = 3, kSpareLargeBlocks = 1;
constexpr size_t kLargeBlockBytes = 4 << 20;
}  // namespace

BlockEncoder::BlockEncoder(std::unique_ptr<BlockCoder> coder, size_t block_bytes, Pool& pool,
                           ByteSink sink)
    : coder_(std::move(coder)),
      block_bytes_(block_bytes),
      in_flight_max_(static_cast<size_t>(pool.threads()) +
                     (block_bytes < kLargeBlockBytes ? kSpareBlocks : kSpareLargeBlocks)),
      sink_(std::move(sink)),
      jobs_(pool) {}

absl::Status BlockEncoder::Append(BytesView data) {
  SLIPWAY_CHECK(!finished_);
  if (failed_.ok()) failed_ = AppendBlocks(data);
  return failed_;
}

absl::Status BlockEncoder::Finish() {
  SLIPWAY_CHECK(!finished_);
  finished_ = true;
  if (failed_.ok()) failed_ = FinishBlocks();
  return failed_;
}

absl::Status BlockEncoder::AppendBlocks(BytesView data) {
  while (!data.empty()) {
    if (filling_ == nullptr) {
      filling_ = jobs_.Take();
      filling_->input.Grow(block_bytes_);
    }
    const BytesView part = data.first(std::min(data.size(), block_bytes_ - filling_->input_bytes));
    filling_->AppendInput(part);
    data.remove_prefix(part.size());
    if (filling_->input_bytes == block_bytes_) SLIPWAY_RETURN_IF_ERROR(RunBlock());
  }
  // What is done already: the earlier the sink sees it, the better it overlaps.
  return WriteDownTo(in_flight_max_);
}

absl::Status BlockEncoder::FinishBlocks() {
  const bool empty = jobs_.size() == 0 && frames_.empty();
  if (filling_ == nullptr && empty) filling_ = jobs_.Take();
  if (filling_ != nullptr) SLIPWAY_RETURN_IF_ERROR(RunBlock());
  SLIPWAY_RETURN_IF_ERROR(WriteDownTo(0));
  const Bytes trailer = coder_->Trailer();
  return trailer.empty() ? absl::OkStatus() : sink_(trailer);
}

absl::Status BlockEncoder::RunBlock() {
  SLIPWAY_RETURN_IF_ERROR(WriteDownTo(in_flight_max_ - 1));
  jobs_.Run(std::move(filling_), [coder = coder_.get()](Slot& slot) { return coder->Code(slot); });
  return absl::OkStatus();
}

// Also writes what is done anyway.
absl::Status BlockEncoder::WriteDownTo(size_t in_flight) {
  while (jobs_.size() > in_flight || (jobs_.size() > 0 && jobs_.FrontDone())) {
    SLIPWAY_RETURN_IF_ERROR(WriteFront());
  }
  return absl::OkStatus();
}

absl::Status BlockEncoder::WriteFront() {
  Slot& slot = jobs_.Front();
  SLIPWAY_RETURN_IF_ERROR(slot.status);
  frames_.emplace_back(written_bytes_, read_bytes_);
  SLIPWAY_RETURN_IF_ERROR(sink_(slot.OutputView()));
  SLIPWAY_RETURN_IF_ERROR(coder_->OnWritten(slot));
  written_bytes_ += slot.output_bytes;
  read_bytes_ += slot.input_bytes;
  jobs_.PopFront();
  return absl::OkStatus();
}

}  // namespace slipway::base::codec
