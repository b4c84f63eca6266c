#include <isa-l/igzip_lib.h>
#include <libdeflate.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/codec/format.h"
#include "base/codec/gzip_header.h"
#include "base/codec/read_ahead.h"
#include "base/status.h"

namespace slipway::base::codec {
namespace {

constexpr size_t kSerialInputBytes = 256 * kKiB;

struct FreeDecompressor {
  void operator()(libdeflate_decompressor* decompressor) const {
    libdeflate_free_decompressor(decompressor);
  }
};

class Inflater {
 public:
  Inflater() : decompressor_(libdeflate_alloc_decompressor()) {
    SLIPWAY_CHECK(decompressor_ != nullptr);  // out of memory ends the process
  }
  // Whether `deflated` is a deflate stream of exactly out.size() bytes, and nothing behind it.
  bool Inflate(BytesView deflated, absl::Span<uint8_t> out) {
    size_t used = 0, produced = 0;
    const libdeflate_result result =
        libdeflate_deflate_decompress_ex(decompressor_.get(), deflated.data(), deflated.size(),
                                         out.data(), out.size(), &used, &produced);
    return result == LIBDEFLATE_SUCCESS && used == deflated.size() && produced == out.size();
  }

 private:
  std::unique_ptr<libdeflate_decompressor, FreeDecompressor> decompressor_;
};

class GzipSplitter : public Splitter {
 public:
  GzipSplitter() : inflaters_([] { return std::make_unique<Inflater>(); }) {}

  absl::StatusOr<Plan> Next(Input& input, Slot& slot, size_t serial_bytes_max) override {
    if (in_member_) return NextSerial(input, slot, serial_bytes_max);
    member_offset_ = input.offset();
    SLIPWAY_ASSIGN_OR_RETURN(const std::optional<GzipHeader> header, PeekHeader(input));
    if (!header.has_value()) return Plan{};
    any_member_ = true;
    if (header->split.has_value()) return NextSplit(input, *header, slot);
    input.Skip(header->header_bytes);
    in_member_ = true;
    if (state_ == nullptr) state_ = std::make_unique<inflate_state>();
    isal_inflate_init(state_.get());
    state_->crc_flag = ISAL_GZIP_NO_HDR_VER;
    return NextSerial(input, slot, serial_bytes_max);
  }

  void OnSerialEnd() override { in_member_ = false; }

 private:
  absl::Status Damaged(absl::string_view what) const {
    return DamagedAt("gzip", member_offset_, what);
  }

  // nullopt: the stream ended before it.
  absl::StatusOr<std::optional<GzipHeader>> PeekHeader(Input& input) {
    for (size_t want = kMemberHeaderBytes;; want *= 2) {
      SLIPWAY_ASSIGN_OR_RETURN(const BytesView ahead, input.Peek(want));
      if (ahead.empty() && any_member_) return std::nullopt;
      absl::StatusOr<std::optional<GzipHeader>> header = ParseGzipHeader(ahead);
      if (!header.ok()) return Damaged(header.status().message());
      if (header->has_value()) return header;
      if (ahead.size() < want) return Damaged("the stream ends in a gzip header");
    }
  }

  // A member of ours: sizes first, so that a lie costs no memory.
  absl::StatusOr<Plan> NextSplit(Input& input, const GzipHeader& header, Slot& slot) {
    const GzipHeader::Split split = *header.split;
    if (split.input_bytes > kMemberInputBytes || split.member_bytes > kMemberBytesMax ||
        split.member_bytes < header.header_bytes + kMemberTrailerBytes) {
      return Damaged("the sizes in the extra field are impossible");
    }
    SLIPWAY_ASSIGN_OR_RETURN(const bool whole, input.Take(split.member_bytes, slot));
    if (!whole) return Damaged("the stream ends in a member");
    Plan plan;
    plan.output_bytes = split.input_bytes;
    plan.work = [this, header_bytes = header.header_bytes, bytes = split.input_bytes,
                 offset = member_offset_](Slot& work) {
      return InflateMember(work, header_bytes, bytes, offset);
    };
    return plan;
  }

  absl::Status InflateMember(Slot& slot, size_t header_bytes, size_t bytes, uint64_t offset) {
    slot.output.Grow(std::max<size_t>(bytes, 1));
    slot.output_bytes = bytes;
    const absl::Span<uint8_t> out = slot.output.first(bytes);
    const BytesView deflated = slot.InputView().subspan(
        header_bytes, slot.input_bytes - header_bytes - kMemberTrailerBytes);
    const uint8_t* const trailer = deflated.data() + deflated.size();
    std::unique_ptr<Inflater> inflater = inflaters_.Take();
    const bool inflated = inflater->Inflate(deflated, out);
    inflaters_.Return(std::move(inflater));
    if (!inflated) return DamagedAt("gzip", offset, "the compressed data is damaged");
    if (libdeflate_crc32(0, out.data(), out.size()) != LoadLittle<uint32_t>(trailer) ||
        LoadLittle<uint32_t>(trailer + 4) != bytes) {
      return DamagedAt("gzip", offset, "checksum or size differs");
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Plan> NextSerial(Input& input, Slot& slot, size_t bytes_max) {
    SLIPWAY_ASSIGN_OR_RETURN(const BytesView ahead, input.Peek(kSerialInputBytes));
    slot.AppendInput(ahead.first(std::min(ahead.size(), kSerialInputBytes)));
    Plan plan;
    plan.work = [this, bytes_max](Slot& work) { return InflateSome(work, bytes_max); };
    return plan;
  }

  absl::Status InflateSome(Slot& slot, size_t bytes_max) {
    slot.output.Grow(bytes_max);
    uint8_t nothing = 0;  // the library adds to the pointer, which must not be null
    state_->next_in = slot.input_bytes == 0 ? &nothing : slot.input.data();
    state_->avail_in = static_cast<uint32_t>(slot.input_bytes);
    state_->next_out = slot.output.data();
    state_->avail_out = static_cast<uint32_t>(bytes_max);
    const int result = isal_inflate(state_.get());
    slot.input_used = slot.input_bytes - state_->avail_in;
    slot.output_bytes = bytes_max - state_->avail_out;
    if (result == ISAL_INCORRECT_CHECKSUM) return Damaged("checksum or size differs");
    if (result < 0) return Damaged("the compressed data is damaged");
    slot.ended = state_->block_state == ISAL_BLOCK_FINISH;
    if (!slot.ended && slot.input_used == 0 && slot.output_bytes == 0) {
      return Damaged("the stream ends in a member");
    }
    return absl::OkStatus();
  }

  bool any_member_ = false;
  uint64_t member_offset_ = 0;
  Spares<Inflater> inflaters_;
  bool in_member_ = false;  // of a foreign member; state_ is then used by one job at a time
  std::unique_ptr<inflate_state> state_;
};

}  // namespace

std::unique_ptr<Splitter> MakeGzipSplitter() { return std::make_unique<GzipSplitter>(); }

}  // namespace slipway::base::codec
