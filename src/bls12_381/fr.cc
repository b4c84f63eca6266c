#include "bls12_381/fr.h"

#include <cstring>

#include "base/check.h"
#include "base/mutant.h"
#include "bls12_381/bytes.h"
#include "bls12_381/inverse.h"
#include "bls12_381/power.h"

namespace slipway::bls12_381 {
namespace {

// 2^512 mod r: takes a plain integer into Montgomery form.
constexpr Fr kR2 = {
    {0xc999e990f3f29c6d, 0x2b6cedcb87925c23, 0x05d314967254398f, 0x0748d9d99f59ff11}};
// 2^768 mod r.
constexpr Fr kR3 = {
    {0xc62c1807439b73af, 0x1b3e0d188cf06990, 0x73d13c71c7b5f418, 0x6e2a5bb9c8db33e9}};
// 7^((r - 1) / 2^32): of order 2^32.
constexpr Fr kRoot32 = {
    {0xb9b58d8c5f0e466a, 0x5b1b4c801819d7ec, 0x0af53ae352a31e64, 0x5bf3adda19e9b27b}};
// ((r - 1) / 2^32 - 1) / 2, plain.
constexpr uint64_t kOddHalf[4] = {0x7fff2dff7fffffff, 0x04d0ec02a9ded201, 0x94cebea4199cec04,
                                  0x0000000039f6d3a9};

}  // namespace

void internal::FrMulPortable(uint64_t* out, const uint64_t* a, const uint64_t* b) {
  MontgomeryMul<4>(out, a, b, kFrModulus, kFrInverse);
}

Fr Fr::FromUint64(uint64_t value) { return Fr{{value, 0, 0, 0}} * kR2; }

// 2^256 = 2.2 r, and a product takes one operand of any size when the other is < r.
Fr Fr::FromLimbs(const std::array<uint64_t, 4>& plain) {
  return kR2 * Fr{{plain[0], plain[1], plain[2], plain[3]}};
}

std::optional<Fr> Fr::FromBytes(absl::Span<const uint8_t> bytes) {
  SLIPWAY_CHECK(bytes.size() == kBytes);
  Fr plain;
  internal::LimbsFromBytes<4>(plain.limb, bytes.data());
  if (!internal::LessLimbs<4>(plain.limb, kFrModulus) && !SLIPWAY_MUTANT("bls-not-canonical")) {
    return std::nullopt;
  }
  return plain * kR2;
}

Fr Fr::FromBytesReduced(absl::Span<const uint8_t> bytes) {
  Fr sum = Zero();
  while (!bytes.empty()) {
    // Full words from the second on; the first takes what is over.
    const size_t count = (bytes.size() - 1) % kBytes + 1;
    uint8_t padded[kBytes] = {};
    std::memcpy(padded + kBytes - count, bytes.data(), count);
    std::array<uint64_t, 4> word;
    internal::LimbsFromBytes<4>(word.data(), padded);
    sum = sum * kR2 + FromLimbs(word);  // kR2 stands for 2^256
    bytes.remove_prefix(count);
  }
  return sum;
}

std::array<uint64_t, 4> Fr::ToLimbs() const {
  const Fr plain = *this * Fr{{1, 0, 0, 0}};
  return {plain.limb[0], plain.limb[1], plain.limb[2], plain.limb[3]};
}

void Fr::ToBytes(absl::Span<uint8_t> bytes) const {
  SLIPWAY_CHECK(bytes.size() == kBytes);
  internal::BytesFromLimbs<4>(bytes.data(), ToLimbs().data());
}

Fr Fr::RootOfUnity(int log2_size) {
  SLIPWAY_CHECK(log2_size >= 0);
  SLIPWAY_CHECK(log2_size <= kFrTwoAdicity);
  Fr root = kRoot32;
  for (int i = log2_size; i < kFrTwoAdicity; ++i) root = root.Square();
  return root;
}

Fr Fr::Inverse() const {
  Fr inverse;  // of x * 2^256, so 2^512 is missing
  internal::InverseModulo<4>(inverse.limb, limb, kFrModulus, kFrInverse);
  return inverse * kR3;
}

// Tonelli and Shanks: with r - 1 = odd * 2^32, x^((odd + 1) / 2) is a root up to a root of unity,
// whose bits come out one a round.
std::optional<Fr> Fr::Sqrt() const {
  if (IsZero()) return Zero();
  const Fr power = Pow(kOddHalf);
  Fr root = power * *this;
  Fr rest = root * power;  // x^odd: root^2 = x * rest
  Fr generator = kRoot32;
  int order = kFrTwoAdicity;
  while (!rest.IsOne()) {
    int log2 = 0;
    for (Fr square = rest; !square.IsOne(); square = square.Square()) {
      if (++log2 == order) return std::nullopt;
    }
    for (int i = log2 + 1; i < order; ++i) generator = generator.Square();
    root = root * generator;
    generator = generator.Square();
    rest = rest * generator;
    order = log2;
  }
  return root;
}

Fr Fr::Pow(absl::Span<const uint64_t> exponent) const { return internal::PowerOf(*this, exponent); }

}  // namespace slipway::bls12_381
