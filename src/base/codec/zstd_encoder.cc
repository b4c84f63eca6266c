#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/codec/block_encoder.h"
#include "base/codec/codec.h"
#include "base/codec/format.h"
#include "base/codec/zstd_frame.h"

namespace slipway::base::codec {
namespace {

class ZstdCoder : public BlockCoder {
 public:
  explicit ZstdCoder(int level)
      : compressors_([level] { return std::make_unique<FrameCompressor>(level); }) {}

  absl::Status Code(Slot& slot) override {
    std::unique_ptr<FrameCompressor> compressor = compressors_.Take();
    slot.output.Grow(ZSTD_compressBound(slot.input_bytes));
    absl::StatusOr<size_t> bytes =
        compressor->Compress(slot.InputView(), slot.output.first(slot.output.size()));
    compressors_.Return(std::move(compressor));
    SLIPWAY_ASSIGN_OR_RETURN(slot.output_bytes, std::move(bytes));
    return absl::OkStatus();
  }

  absl::Status OnWritten(const Slot& slot) override {
    if (frame_count_ == kSeekTableFramesMax) {
      return absl::ResourceExhaustedError("compress to zstd: input is larger than 1 PiB");
    }
    ++frame_count_;
    entries_.resize(entries_.size() + kSeekTableEntryBytes);
    uint8_t* const entry = entries_.data() + entries_.size() - kSeekTableEntryBytes;
    StoreLittle<uint32_t>(entry, static_cast<uint32_t>(slot.output_bytes));
    StoreLittle<uint32_t>(entry + 4, static_cast<uint32_t>(slot.input_bytes));
    // The table's checksum is the frame's own, its last 4 bytes: low half of XXH64 of the content.
    std::copy_n(slot.output.data() + slot.output_bytes - 4, 4, entry + 8);
    return absl::OkStatus();
  }

  Bytes Trailer() override {
    constexpr size_t kHeaderBytes = 8;
    const size_t content_bytes = entries_.size() + kSeekTableFooterBytes;
    Bytes table(kHeaderBytes + content_bytes);
    uint8_t* const footer = table.data() + kHeaderBytes + entries_.size();
    StoreLittle<uint32_t>(table.data(), kSeekTableMagic);
    StoreLittle<uint32_t>(table.data() + 4, static_cast<uint32_t>(content_bytes));
    std::copy(entries_.begin(), entries_.end(), table.begin() + kHeaderBytes);
    StoreLittle<uint32_t>(footer, static_cast<uint32_t>(frame_count_));
    footer[4] = kSeekTableHasChecksums;
    StoreLittle<uint32_t>(footer + 5, kSeekTableFooterMagic);
    return table;
  }

 private:
  Spares<FrameCompressor> compressors_;
  Bytes entries_;
  size_t frame_count_ = 0;
};

}  // namespace

FrameCompressor::FrameCompressor(int level) : context_(ZSTD_createCCtx()) {
  SLIPWAY_CHECK(context_ != nullptr);  // out of memory ends the process, as operator new does
  const auto set = [this](ZSTD_cParameter parameter, int value) {
    SLIPWAY_CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(context_.get(), parameter, value)));
  };
  set(ZSTD_c_compressionLevel, level);
  set(ZSTD_c_contentSizeFlag, 1);
  set(ZSTD_c_checksumFlag, 1);
  set(ZSTD_c_dictIDFlag, 0);
  // Never workers of the library's own: its bytes with and without differ, and frames are our unit
  // of parallelism. Without costs about half the CPU time (docs/formats/compression.md).
  set(ZSTD_c_nbWorkers, 0);
}

void FrameCompressor::FreeContext::operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }

absl::StatusOr<size_t> FrameCompressor::Compress(BytesView data, absl::Span<uint8_t> out) {
  const size_t bytes =
      ZSTD_compress2(context_.get(), out.data(), out.size(), data.data(), data.size());
  if (!ZSTD_isError(bytes)) return bytes;
  if (ZSTD_getErrorCode(bytes) == ZSTD_error_memory_allocation) {
    return absl::ResourceExhaustedError("compress to zstd: out of memory");
  }
  return absl::InternalError(absl::StrCat("compress to zstd: ", ZSTD_getErrorName(bytes)));
}

std::unique_ptr<BlockCoder> MakeZstdCoder(int level) { return std::make_unique<ZstdCoder>(level); }

}  // namespace slipway::base::codec
