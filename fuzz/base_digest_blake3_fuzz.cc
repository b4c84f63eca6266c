// BLAKE3 of any input, cut anywhere, by every kernel, is what the slow version from the paper says;
// CRC-32C is the same by table and by instruction. Z83.
// The first 8 bytes choose cuts and the part of the output; the rest, repeated, is the message.
#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/digest/blake3.h"
#include "base/digest/crc32c.h"
#include "base/digest/crc32c_kernel.h"
#include "base/digest/test_blake3_oracle.h"

namespace {

namespace base = slipway::base;
using base::Bytes;
using base::BytesView;

constexpr size_t kHeadBytes = 8;
constexpr size_t kMessageBytesMax = 34 * 1024;  // two groups of the widest kernel, and more

void CheckKernel(base::Blake3 hash, BytesView message, size_t part_bytes, uint64_t seek,
                 const Bytes& expected) {
  while (!message.empty()) {
    const BytesView part = message.subspan(0, part_bytes);
    hash.Update(part);
    message.remove_prefix(part.size());
    part_bytes = part_bytes * 3 + 1;
  }
  Bytes out(expected.size());
  hash.FinishXof(seek, absl::MakeSpan(out));
  SLIPWAY_CHECK(out == expected);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < kHeadBytes) return 0;
  const BytesView input(data, size);
  const size_t part_bytes = 1 + base::LoadLittle<uint16_t>(data) % 3000;
  const uint64_t seek = base::LoadLittle<uint16_t>(data + 2) % 200;
  const size_t copies = 1 + base::LoadLittle<uint16_t>(data + 4) % 512;
  const BytesView pattern = input.subspan(kHeadBytes);
  Bytes message;
  for (size_t i = 0; i < copies && message.size() + pattern.size() <= kMessageBytesMax; ++i) {
    message.insert(message.end(), pattern.begin(), pattern.end());
  }
  std::array<uint8_t, 32> key = {};
  std::copy_n(pattern.begin(), std::min(pattern.size(), key.size()), key.begin());

  const bool keyed = data[7] % 2 != 0;
  const Bytes expected = keyed ? base::blake3_oracle::Keyed(key, message, seek, 70)
                               : base::blake3_oracle::Plain(message, seek, 70);
  for (const base::Blake3Kernel kernel : base::Blake3Kernels()) {
    base::ForceBlake3Kernel(kernel);
    CheckKernel(keyed ? base::Blake3::Keyed(key) : base::Blake3(), message, part_bytes, seek,
                expected);
  }
  const uint32_t crc = base::crc32c::ByTable(message, data[6]);
  SLIPWAY_CHECK(base::Crc32c(message, data[6]) == crc);
  return 0;
}
