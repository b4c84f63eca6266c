#include <libdeflate.h>

#include "base/codec/block_choice.h"
#include "base/codec/block_encoder.h"
#include "base/codec/format.h"
#include "base/codec/gzip_header.h"

namespace slipway::base::codec {
namespace {

class GzipCoder : public BlockCoder {
 public:
  GzipCoder(int level, bool compress_all)
      : compress_all_(compress_all),
        deflaters_([level] { return std::make_unique<BlockDeflater>(level); }) {}

  absl::Status Code(Slot& slot) override {
    const BytesView block = slot.InputView();
    std::unique_ptr<BlockDeflater> deflater = deflaters_.Take();
    slot.output.Grow(kMemberHeaderBytes + deflater->BoundBytes(block.size()) + kMemberTrailerBytes);
    uint8_t* const out = slot.output.data();
    const BlockCoding coding = compress_all_ ? BlockCoding::kFull : deflater->Choose(block);
    const size_t end =
        kMemberHeaderBytes + deflater->Write(block, coding, out + kMemberHeaderBytes);
    deflaters_.Return(std::move(deflater));
    StoreLittle<uint32_t>(out + end, libdeflate_crc32(0, block.data(), block.size()));
    StoreLittle<uint32_t>(out + end + 4, static_cast<uint32_t>(block.size()));
    slot.output_bytes = end + kMemberTrailerBytes;
    WriteGzipHeader({.member_bytes = static_cast<uint32_t>(slot.output_bytes),
                     .input_bytes = static_cast<uint32_t>(block.size())},
                    out);
    return absl::OkStatus();
  }
  absl::Status OnWritten(const Slot&) override { return absl::OkStatus(); }
  Bytes Trailer() override { return {}; }

 private:
  const bool compress_all_;
  Spares<BlockDeflater> deflaters_;
};

}  // namespace

std::unique_ptr<BlockCoder> MakeGzipCoder(int level, bool compress_all) {
  return std::make_unique<GzipCoder>(level, compress_all);
}

}  // namespace slipway::base::codec
