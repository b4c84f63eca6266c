#include "base/digest/crc32c.h"

#include <array>
#include <cstddef>

#include "base/check.h"
#include "base/digest/crc32c_kernel.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace slipway::base {
namespace crc32c {
namespace {

// The Castagnoli polynomial, its lowest coefficient in the highest bit. A CRC here is a polynomial
// over GF(2) in that order, without the leading and final complement.
constexpr uint32_t kPolynomial = 0x82F63B78;

// `crc` times x: one zero bit more.
constexpr uint32_t TimesX(uint32_t crc) { return (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0); }

// a * b modulo the polynomial.
constexpr uint32_t Product(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (uint32_t bit = uint32_t{1} << 31; bit != 0; bit >>= 1) {
    if ((a & bit) != 0) product ^= b;
    b = TimesX(b);
  }
  return product;
}

// x^(8 * bytes): what `bytes` zero bytes multiply a CRC with.
constexpr uint32_t ZeroBytes(uint64_t bytes) {
  uint32_t result = uint32_t{1} << 31;  // 1
  uint32_t power = uint32_t{1} << 23;   // x^8
  for (; bytes != 0; bytes >>= 1) {
    if ((bytes & 1) != 0) result = Product(result, power);
    power = Product(power, power);
  }
  return result;
}

template <size_t kRows>
using Tables = std::array<std::array<uint32_t, 256>, kRows>;

// Row k, entry b: the CRC of the byte b followed by k zero bytes.
constexpr Tables<8> MakeSliceTables() {
  Tables<8> tables{};
  for (uint32_t b = 0; b < 256; ++b) {
    uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = TimesX(crc);
    tables[0][b] = crc;
  }
  for (size_t k = 1; k < 8; ++k) {
    for (size_t b = 0; b < 256; ++b) {
      const uint32_t crc = tables[k - 1][b];
      tables[k][b] = (crc >> 8) ^ tables[0][crc & 0xFF];
    }
  }
  return tables;
}

constexpr Tables<8> kSlice = MakeSliceTables();

}  // namespace

uint32_t ByTable(BytesView data, uint32_t crc) {
  crc = ~crc;
  const uint8_t* at = data.data();
  size_t left = data.size();
  for (; left >= 8; at += 8, left -= 8) {
    const uint64_t word = LoadLittle<uint64_t>(at) ^ crc;
    crc = 0;
    for (size_t i = 0; i < 8; ++i) crc ^= kSlice[7 - i][(word >> (8 * i)) & 0xFF];
  }
  for (; left > 0; ++at, --left) crc = (crc >> 8) ^ kSlice[0][(crc ^ *at) & 0xFF];
  return ~crc;
}

#if defined(__x86_64__)
namespace {

// Multiplies a CRC with ZeroBytes(bytes), a byte of it a table. Linear, so the entries follow from
// the eight single bits of each byte.
constexpr Tables<4> MakeSkipTables(size_t bytes) {
  Tables<4> tables{};
  const uint32_t factor = ZeroBytes(bytes);
  for (size_t row = 0; row < 4; ++row) {
    for (uint32_t bit = 0; bit < 8; ++bit) {
      const uint32_t of_bit = Product(factor, uint32_t{1} << (8 * row + bit));
      for (uint32_t b = 0; b < (uint32_t{1} << bit); ++b) {
        tables[row][b | (uint32_t{1} << bit)] = tables[row][b] ^ of_bit;
      }
    }
  }
  return tables;
}

uint32_t Skip(const Tables<4>& tables, uint32_t crc) {
  return tables[0][crc & 0xFF] ^ tables[1][(crc >> 8) & 0xFF] ^ tables[2][(crc >> 16) & 0xFF] ^
         tables[3][crc >> 24];
}

// The instruction takes three cycles but one may start every cycle, so three neighbouring stripes
// run at once; Skip then moves each CRC over the stripes behind it.
constexpr size_t kLongStripe = 4096;
constexpr size_t kShortStripe = 256;
constexpr Tables<4> kSkipLong = MakeSkipTables(kLongStripe);
constexpr Tables<4> kSkipShort = MakeSkipTables(kShortStripe);

template <size_t kStripe>
__attribute__((target("sse4.2"))) uint32_t ThreeStripes(const Tables<4>& skip, uint32_t crc,
                                                        const uint8_t* at) {
  uint64_t a = crc;
  uint64_t b = 0;
  uint64_t c = 0;
  for (size_t i = 0; i < kStripe; i += 8) {
    a = _mm_crc32_u64(a, LoadLittle<uint64_t>(at + i));
    b = _mm_crc32_u64(b, LoadLittle<uint64_t>(at + kStripe + i));
    c = _mm_crc32_u64(c, LoadLittle<uint64_t>(at + 2 * kStripe + i));
  }
  const uint32_t ab = Skip(skip, static_cast<uint32_t>(a)) ^ static_cast<uint32_t>(b);
  return Skip(skip, ab) ^ static_cast<uint32_t>(c);
}

}  // namespace

bool HasInstruction() {
  static const bool has = __builtin_cpu_supports("sse4.2") != 0;
  return has;
}

__attribute__((target("sse4.2"))) uint32_t ByInstruction(BytesView data, uint32_t crc) {
  crc = ~crc;
  const uint8_t* at = data.data();
  size_t left = data.size();
  for (; left >= 3 * kLongStripe; at += 3 * kLongStripe, left -= 3 * kLongStripe) {
    crc = ThreeStripes<kLongStripe>(kSkipLong, crc, at);
  }
  for (; left >= 3 * kShortStripe; at += 3 * kShortStripe, left -= 3 * kShortStripe) {
    crc = ThreeStripes<kShortStripe>(kSkipShort, crc, at);
  }
  uint64_t wide = crc;
  for (; left >= 8; at += 8, left -= 8) wide = _mm_crc32_u64(wide, LoadLittle<uint64_t>(at));
  crc = static_cast<uint32_t>(wide);
  for (; left > 0; ++at, --left) crc = _mm_crc32_u8(crc, *at);
  return ~crc;
}

#else

bool HasInstruction() { return false; }
uint32_t ByInstruction(BytesView, uint32_t) {
  SLIPWAY_CHECK(false);
  return 0;
}

#endif

}  // namespace crc32c

uint32_t Crc32c(BytesView data, uint32_t crc) {
  return crc32c::HasInstruction() ? crc32c::ByInstruction(data, crc) : crc32c::ByTable(data, crc);
}

// The complements at both ends cancel, so this is the sum of the first message, moved over the
// second one's length, and of the second.
uint32_t Crc32cOfBoth(uint32_t first, uint32_t second, uint64_t second_bytes) {
  return crc32c::Product(crc32c::ZeroBytes(second_bytes), first) ^ second;
}

}  // namespace slipway::base
