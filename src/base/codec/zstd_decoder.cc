#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/codec/format.h"
#include "base/codec/read_ahead.h"
#include "base/codec/zstd_frame.h"
#include "base/status.h"

namespace slipway::base::codec {
namespace {

constexpr size_t kSerialInputBytes = 256 * kKiB;
constexpr size_t kChecksumBytes = 4;

struct FreeContext {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};
using Context = std::unique_ptr<ZSTD_DCtx, FreeContext>;

struct Decompressor {
  Decompressor() : context(ZSTD_createDCtx()) {
    SLIPWAY_CHECK(context != nullptr);  // out of memory ends the process
  }
  Context context;
};

class ZstdSplitter : public Splitter {
 public:
  ZstdSplitter(uint64_t window_bytes_max, bool frames_whole)
      : window_bytes_max_(window_bytes_max),
        frames_whole_(frames_whole),
        decompressors_([] { return std::make_unique<Decompressor>(); }) {}

  absl::StatusOr<Plan> Next(Input& input, Slot& slot, size_t serial_bytes_max) override {
    if (in_frame_) return NextSerial(input, slot, serial_bytes_max);
    while (true) {
      frame_offset_ = input.offset();
      SLIPWAY_ASSIGN_OR_RETURN(const BytesView ahead, input.Peek(kZstdFrameHeaderBytesMax));
      if (ahead.empty() && any_frame_) return Plan{};
      if (ahead.size() < 4) return Damaged("the stream ends where a frame should begin");
      any_frame_ = true;
      const auto magic = LoadLittle<uint32_t>(ahead.data());
      if (magic == kZstdMagic) return NextFrame(input, ahead, slot, serial_bytes_max);
      if ((magic & kSkippableMask) != kSkippableMagic) return Damaged("no zstd frame");
      SLIPWAY_RETURN_IF_ERROR(SkipSkippable(input, ahead));
    }
  }

  void OnSerialEnd() override { in_frame_ = false; }

 private:
  absl::Status Damaged(absl::string_view what) const {
    return DamagedAt("zstd", frame_offset_, what);
  }

  absl::Status SkipSkippable(Input& input, BytesView ahead) {
    if (ahead.size() < 8) return Damaged("the stream ends in a skippable frame");
    uint64_t left = uint64_t{8} + LoadLittle<uint32_t>(&ahead[4]);
    while (left > 0) {
      const size_t part = static_cast<size_t>(std::min<uint64_t>(left, kSerialInputBytes));
      SLIPWAY_ASSIGN_OR_RETURN(const BytesView skipped, input.Peek(part));
      if (skipped.size() < part) return Damaged("the stream ends in a skippable frame");
      input.Skip(part);
      left -= part;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Plan> NextFrame(Input& input, BytesView ahead, Slot& slot,
                                 size_t serial_bytes_max) {
    absl::StatusOr<std::optional<ZstdFrameHeader>> parsed = ParseZstdFrameHeader(ahead);
    if (!parsed.ok()) return Damaged(parsed.status().message());
    if (!parsed->has_value()) return Damaged("the stream ends in a frame header");
    const ZstdFrameHeader header = **parsed;
    if (header.has_dictionary) return Damaged("the frame needs a dictionary");
    if (frames_whole_ && header.content_bytes.has_value() &&
        *header.content_bytes <= kFrameInputBytes) {
      SLIPWAY_ASSIGN_OR_RETURN(const bool whole, TakeFrame(input, header, slot));
      if (whole) return WholePlan(static_cast<size_t>(*header.content_bytes));
      input.PutBack(slot);
    }
    if (header.window_bytes > window_bytes_max_) {
      return absl::ResourceExhaustedError(
          absl::StrCat("decompress zstd at byte ", frame_offset_, ": a window of ",
                       header.window_bytes, " bytes is over the limit of ", window_bytes_max_));
    }
    BeginSerial();
    return NextSerial(input, slot, serial_bytes_max);
  }

  // Takes the frame ahead into `slot`, block by block; false: it is larger than kFrameBytesMax, and
  // a part of it has been taken.
  absl::StatusOr<bool> TakeFrame(Input& input, const ZstdFrameHeader& header, Slot& slot) {
    constexpr size_t kBlockHeaderBytes = 3;
    slot.input.Grow(static_cast<size_t>(*header.content_bytes) + 4 * kKiB);
    size_t need = header.header_bytes + kBlockHeaderBytes;
    for (bool last = false;;) {
      SLIPWAY_ASSIGN_OR_RETURN(const bool whole, input.Take(need, slot));
      if (!whole) return Damaged("the stream ends in a frame");
      if (last) return true;
      const uint8_t* const at = slot.input.data() + slot.input_bytes - kBlockHeaderBytes;
      const uint32_t block = at[0] | uint32_t{at[1]} << 8 | uint32_t{at[2]} << 16;
      const uint32_t type = block >> 1 & 3;
      const size_t bytes = block >> 3;
      if (type == 3 || bytes > kZstdBlockBytesMax) return Damaged("impossible block header");
      last = (block & 1) != 0;
      need = (type == 1 ? 1 : bytes) + (!last                 ? kBlockHeaderBytes
                                        : header.has_checksum ? kChecksumBytes
                                                              : 0);
      if (slot.input_bytes + need > kFrameBytesMax) return false;
      if (slot.input.size() < slot.input_bytes + need) {
        slot.input.Grow(2 * (slot.input_bytes + need), slot.input_bytes);
      }
    }
  }

  Plan WholePlan(size_t content_bytes) {
    Plan plan;
    plan.output_bytes = content_bytes;
    plan.work = [this, content_bytes, offset = frame_offset_](Slot& work) {
      return DecodeWhole(work, content_bytes, offset);
    };
    return plan;
  }

  absl::Status DecodeWhole(Slot& slot, size_t bytes, uint64_t offset) {
    slot.output.Grow(std::max<size_t>(bytes, 1));
    slot.output_bytes = bytes;
    std::unique_ptr<Decompressor> decompressor = decompressors_.Take();
    const size_t result = ZSTD_decompressDCtx(decompressor->context.get(), slot.output.data(),
                                              bytes, slot.input.data(), slot.input_bytes);
    decompressors_.Return(std::move(decompressor));
    if (ZSTD_isError(result)) return DamagedAt("zstd", offset, ZSTD_getErrorName(result));
    if (result != bytes) return DamagedAt("zstd", offset, "size differs");
    return absl::OkStatus();
  }

  void BeginSerial() {
    in_frame_ = true;
    if (serial_ == nullptr) {
      serial_ = std::make_unique<Decompressor>();
      // The exact limit has been checked; the library's own default is lower.
      const ZSTD_bounds bounds = ZSTD_dParam_getBounds(ZSTD_d_windowLogMax);
      ZSTD_DCtx_setParameter(serial_->context.get(), ZSTD_d_windowLogMax, bounds.upperBound);
    }
    ZSTD_DCtx_reset(serial_->context.get(), ZSTD_reset_session_only);
  }

  absl::StatusOr<Plan> NextSerial(Input& input, Slot& slot, size_t bytes_max) {
    SLIPWAY_ASSIGN_OR_RETURN(const BytesView ahead, input.Peek(kSerialInputBytes));
    slot.AppendInput(ahead.first(std::min(ahead.size(), kSerialInputBytes)));
    Plan plan;
    plan.work = [this, bytes_max](Slot& work) { return DecodeSome(work, bytes_max); };
    return plan;
  }

  absl::Status DecodeSome(Slot& slot, size_t bytes_max) {
    slot.output.Grow(bytes_max);
    ZSTD_inBuffer in = {slot.input.data(), slot.input_bytes, 0};
    ZSTD_outBuffer out = {slot.output.data(), bytes_max, 0};
    do {
      const size_t in_before = in.pos, out_before = out.pos;
      const size_t result = ZSTD_decompressStream(serial_->context.get(), &out, &in);
      if (ZSTD_isError(result)) {
        const ZSTD_ErrorCode code = ZSTD_getErrorCode(result);
        if (code == ZSTD_error_memory_allocation ||
            code == ZSTD_error_frameParameter_windowTooLarge) {
          return absl::ResourceExhaustedError("decompress zstd: no memory for the frame's window");
        }
        return Damaged(ZSTD_getErrorName(result));
      }
      slot.ended = result == 0;
      if (in.pos == in_before && out.pos == out_before) break;
    } while (!slot.ended && out.pos < out.size);
    slot.input_used = in.pos;
    slot.output_bytes = out.pos;
    if (!slot.ended && in.pos == 0 && out.pos == 0) return Damaged("the stream ends in a frame");
    return absl::OkStatus();
  }

  const uint64_t window_bytes_max_;
  const bool frames_whole_;
  bool any_frame_ = false;
  uint64_t frame_offset_ = 0;
  Spares<Decompressor> decompressors_;
  bool in_frame_ = false;  // of a foreign frame; serial_ is then used by one job at a time
  std::unique_ptr<Decompressor> serial_;
};

}  // namespace

std::unique_ptr<Splitter> MakeZstdSplitter(uint64_t window_bytes_max, bool frames_whole) {
  return std::make_unique<ZstdSplitter>(window_bytes_max, frames_whole);
}

}  // namespace slipway::base::codec
