// gzip: whatever comes in, the decoder ends with content within its limit or an error; content that
// it gives, coded again, is the same when read back.
#include <cstdint>

#include "base_codec_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  slipway::fuzz::DecodeAndCodeAgain(slipway::base::Codec::kGzip, {data, size});
  return 0;
}
