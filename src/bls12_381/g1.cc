#include "bls12_381/g1.h"

#include <array>

#include "base/mutant.h"
#include "bls12_381/curve_constants.h"
#include "bls12_381/glv.h"
#include "bls12_381/point_impl.h"

namespace slipway::bls12_381 {
namespace internal {
template <>
Fp CurveB<Fp>() {
  return kG1B;
}
}  // namespace internal

template <>
G1Affine G1Affine::Generator() {
  return {internal::kG1GeneratorX, internal::kG1GeneratorY, false};
}

// (beta^2 x, y) = [-x^2](x, y) holds on G1 alone (Scott, "A note on group membership tests",
// eprint 2021/1130, section 6). [x^2] is two short chains.
template <>
bool G1Affine::IsInSubgroup() const {
  if (infinity || SLIPWAY_MUTANT("bls-no-subgroup")) return true;
  const G1 once = internal::MultiplyByWord(G1::FromAffine(*this), internal::kParameter);
  const G1 twice = internal::MultiplyByWord(once, internal::kParameter);
  return twice == G1{x * internal::kBetaSquared, -y, Fp::One()};
}

// Both halves of the scalar run over one chain of 128 doublings, in width-5 non-adjacent form. The
// odd multiples up to 15 are made affine once; those of the second half differ in x alone.
template <>
G1 Multiply(const G1& point, const Fr& scalar) {
  constexpr int kWidth = 5;
  constexpr size_t kOdd = 1 << (kWidth - 2);
  if (point.IsIdentity()) return point;
  std::array<G1, kOdd> odd;
  odd[0] = point;
  const G1 twice = point.Double();
  for (size_t i = 1; i < kOdd; ++i) odd[i] = odd[i - 1] + twice;
  std::array<std::array<G1Affine, kOdd>, 2> table;
  G1::BatchToAffine(odd, absl::MakeSpan(table[0]));
  table[1] = table[0];
  for (G1Affine& entry : table[1]) entry.x *= internal::kBeta;

  const internal::GlvScalar split = internal::SplitScalar(scalar);
  std::array<std::array<int8_t, 129>, 2> digits;
  const int low = internal::WidthNaf(split.low, kWidth, absl::MakeSpan(digits[0]));
  const int high = internal::WidthNaf(split.high, kWidth, absl::MakeSpan(digits[1]));
  G1 product = G1::Identity();
  for (int i = (low > high ? low : high) - 1; i >= 0; --i) {
    product = product.Double();
    for (size_t half = 0; half < 2; ++half) {
      const int8_t digit = digits[half][static_cast<size_t>(i)];
      if (digit > 0) product = product + table[half][static_cast<uint8_t>(digit) / 2];
      if (digit < 0) product = product - table[half][static_cast<uint8_t>(-digit) / 2];
    }
  }
  return product;
}

template struct AffinePoint<Fp>;
template struct JacobianPoint<Fp>;

namespace {

// 43 windows of 6 bits with signed digits: entry [i][d - 1] is [d 64^i] of the generator.
constexpr size_t kCombBits = 6;
constexpr size_t kCombWindows = 43;
constexpr size_t kCombDigits = size_t{1} << (kCombBits - 1);
static_assert(kCombWindows * kCombBits > 255 + 1, "a carry out of the last window is lost");

using Comb = std::array<std::array<G1Affine, kCombDigits>, kCombWindows>;

const Comb& GeneratorComb() {
  static const Comb* const comb = [] {
    auto* table = new Comb;  // never destroyed: other threads may still compute at exit
    G1 base = G1::Generator();
    for (auto& window : *table) {
      std::array<G1, kCombDigits> multiples;
      multiples[0] = base;
      for (size_t i = 1; i < kCombDigits; ++i) multiples[i] = multiples[i - 1] + base;
      G1::BatchToAffine(multiples, absl::MakeSpan(window));
      base = multiples[kCombDigits - 1].Double();
    }
    return table;
  }();
  return *comb;
}

}  // namespace

G1 MultiplyGenerator(const Fr& scalar) {
  const Comb& comb = GeneratorComb();
  const std::array<uint64_t, 4> k = scalar.ToLimbs();
  G1 product = G1::Identity();
  int carry = 0;
  for (size_t i = 0; i < kCombWindows; ++i) {
    const size_t bit = i * kCombBits;
    uint64_t bits = k[bit / 64] >> (bit % 64);
    if (bit % 64 > 64 - kCombBits && bit / 64 < 3) bits |= k[bit / 64 + 1] << (64 - bit % 64);
    int digit = static_cast<int>(bits & (2 * kCombDigits - 1)) + carry;
    carry = digit > static_cast<int>(kCombDigits) ? 1 : 0;
    digit -= carry << kCombBits;
    if (digit > 0) product = product + comb[i][static_cast<size_t>(digit - 1)];
    if (digit < 0) product = product - comb[i][static_cast<size_t>(-digit - 1)];
  }
  return product;
}

}  // namespace slipway::bls12_381
