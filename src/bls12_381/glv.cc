#include "bls12_381/glv.h"

#include "base/mutant.h"
#include "bls12_381/curve_constants.h"

namespace slipway::bls12_381::internal {
namespace {

// lambda = x^2 - 1, and floor(2^256 / lambda) without its top bit 2^128.
constexpr uint64_t kLambda[2] = {0x00000000ffffffff, 0xac45a4010001a402};
constexpr uint64_t kReciprocal[2] = {0x63f6e522f6cfee30, 0x7c6becf1e01faadd};

// floor(k / lambda) or up to two less (Barrett): (k >> 127) * floor(2^256 / lambda) >> 129.
std::array<uint64_t, 2> QuotientEstimate(const std::array<uint64_t, 4>& k) {
  const uint64_t top[2] = {k[1] >> 63 | k[2] << 1, k[2] >> 63 | k[3] << 1};
  uint64_t product[4];
  MulFull<2>(product, top, kReciprocal);
  uint64_t carry = 0;
  product[2] = AddCarry(product[2], top[0], carry);
  product[3] = AddCarry(product[3], top[1], carry);
  return {product[2] >> 1 | product[3] << 63, product[3] >> 1 | carry << 63};
}

}  // namespace

GlvScalar SplitScalar(const Fr& scalar) {
  const std::array<uint64_t, 4> k = scalar.ToLimbs();
  GlvScalar split;
  split.high = QuotientEstimate(k);
  uint64_t product[4];
  MulFull<2>(product, split.high.data(), kLambda);
  uint64_t rest[4];
  SubLimbs<4>(rest, k.data(), product);
  const uint64_t lambda[4] = {kLambda[0], kLambda[1], 0, 0};
  while (!LessLimbs<4>(rest, lambda) && !SLIPWAY_MUTANT("bls-glv-quotient")) {
    SubLimbs<4>(rest, rest, lambda);
    if (++split.high[0] == 0) ++split.high[1];
  }
  split.low = {rest[0], rest[1]};
  return split;
}

std::array<uint64_t, 4> SplitByParameter(const Fr& scalar) {
  std::array<uint64_t, 4> k = scalar.ToLimbs();
  std::array<uint64_t, 4> digits;
  for (uint64_t& digit : digits) {
    Uint128 rest = 0;
    for (size_t i = 4; i-- > 0;) {
      rest = rest << 64 | k[i];
      k[i] = static_cast<uint64_t>(rest / kParameter);
      rest %= kParameter;
    }
    digit = static_cast<uint64_t>(rest);
  }
  return digits;
}

// From the lowest bit up: the next `width` bits from a set bit, taken as signed, are a digit; where
// they are negative, one is carried into what follows.
int WidthNaf(absl::Span<const uint64_t> k, int width, absl::Span<int8_t> digits) {
  const int bits = static_cast<int>(k.size()) * 64;
  const auto bit_at = [&](int at) -> unsigned {
    return at < bits ? static_cast<unsigned>(k[static_cast<size_t>(at / 64)] >> (at % 64) & 1) : 0;
  };
  int length = 0;
  unsigned carry = 0;
  for (int at = 0; at <= bits;) {
    if ((bit_at(at) ^ carry) == 0) {
      digits[static_cast<size_t>(at++)] = 0;
      continue;
    }
    unsigned window = carry;
    const int taken = at + width <= bits + 1 ? width : bits + 1 - at;
    for (int i = 0; i < taken; ++i) window += bit_at(at + i) << i;
    carry = taken == width ? window >> (width - 1) & 1 : 0;
    const int digit = static_cast<int>(window) - (static_cast<int>(carry) << width);
    digits[static_cast<size_t>(at)] = static_cast<int8_t>(digit);
    length = at + 1;
    for (int i = 1; i < taken; ++i) digits[static_cast<size_t>(at) + static_cast<size_t>(i)] = 0;
    at += taken;
  }
  return length;
}

}  // namespace slipway::bls12_381::internal
