#include "bls12_381/fp.h"

#include "base/check.h"
#include "base/mutant.h"
#include "bls12_381/bytes.h"
#include "bls12_381/inverse.h"
#include "bls12_381/power.h"

namespace slipway::bls12_381 {
namespace {

// 2^768 mod p: takes a plain integer into Montgomery form.
constexpr Fp kR2 = {{0xf4df1f341c341746, 0x0a76e6a609d104f1, 0x8de5476c4c95b6d5, 0x67eb88a9939d83c0,
                     0x9a793e85b519952d, 0x11988fe592cae3aa}};
// 2^1152 mod p.
constexpr Fp kR3 = {{0xed48ac6bd94ca1e0, 0x315f831e03a7adf8, 0x9a53352a615e29dd, 0x34c04e5e921e1761,
                     0x2512d43565724728, 0x0aa6346091755d4d}};
// (p - 1) / 2, plain.
constexpr uint64_t kHalf[6] = {0xdcff7fffffffd555, 0x0f55ffff58a9ffff, 0xb39869507b587b12,
                               0xb23ba5c279c2895f, 0x258dd3db21a5d66b, 0x0d0088f51cbff34d};
// (p + 1) / 4, plain: the exponent of a square root, for p = 3 mod 4.
constexpr uint64_t kSqrtExponent[6] = {0xee7fbfffffffeaab, 0x07aaffffac54ffff, 0xd9cc34a83dac3d89,
                                       0xd91dd2e13ce144af, 0x92c6e9ed90d2eb35, 0x0680447a8e5ff9a6};

}  // namespace

Fp Fp::FromUint64(uint64_t value) { return Fp{{value, 0, 0, 0, 0, 0}} * kR2; }

Fp Fp::FromLimbs(const uint64_t (&plain)[6]) {
  SLIPWAY_CHECK(internal::LessLimbs<6>(plain, kFpModulus));
  return Fp{{plain[0], plain[1], plain[2], plain[3], plain[4], plain[5]}} * kR2;
}

std::optional<Fp> Fp::FromBytes(absl::Span<const uint8_t> bytes) {
  SLIPWAY_CHECK(bytes.size() == kBytes);
  Fp plain;
  internal::LimbsFromBytes<6>(plain.limb, bytes.data());
  if (!internal::LessLimbs<6>(plain.limb, kFpModulus) && !SLIPWAY_MUTANT("bls-not-canonical")) {
    return std::nullopt;
  }
  return plain * kR2;
}

void Fp::ToLimbs(uint64_t (&plain)[6]) const {
  constexpr uint64_t kOne[6] = {1, 0, 0, 0, 0, 0};
  internal::g_fp_kernels.mul(plain, limb, kOne);
}

void Fp::ToBytes(absl::Span<uint8_t> bytes) const {
  SLIPWAY_CHECK(bytes.size() == kBytes);
  uint64_t plain[6];
  ToLimbs(plain);
  internal::BytesFromLimbs<6>(bytes.data(), plain);
}

bool Fp::IsLexicographicallyLargest() const {
  uint64_t plain[6];
  ToLimbs(plain);
  return internal::LessLimbs<6>(kHalf, plain);
}

Fp Fp::Half() const {
  Fp half;
  const uint64_t mask = 0 - (limb[0] & 1);
  uint64_t carry = 0;
  for (int i = 0; i < 6; ++i)
    half.limb[i] = internal::AddCarry(limb[i], kFpModulus[i] & mask, carry);
  for (int i = 0; i < 5; ++i) half.limb[i] = (half.limb[i] >> 1) | (half.limb[i + 1] << 63);
  half.limb[5] >>= 1;
  return half;
}

Fp Fp::Inverse() const {
  Fp inverse;  // of x * 2^384, so 2^768 is missing
  internal::InverseModulo<6>(inverse.limb, limb, kFpModulus, kFpInverse);
  return inverse * kR3;
}

std::optional<Fp> Fp::Sqrt() const {
  const Fp root = Pow(kSqrtExponent);
  if (root.Square() != *this) return std::nullopt;
  return root;
}

Fp Fp::Pow(absl::Span<const uint64_t> exponent) const { return internal::PowerOf(*this, exponent); }

void MulBatch(absl::Span<Fp> out, absl::Span<const Fp> a, absl::Span<const Fp> b) {
  SLIPWAY_CHECK(out.size() == a.size());
  SLIPWAY_CHECK(out.size() == b.size());
  size_t done = 0;
#if defined(__x86_64__)
  if (internal::g_use_ifma) {
    done = out.size() / 8 * 8;
    internal::MulBlocksIfma(out.data(), a.data(), b.data(), out.size() / 8);
  }
#endif
  for (size_t i = done; i < out.size(); ++i) out[i] = a[i] * b[i];
}

void SquareBatch(absl::Span<Fp> out, absl::Span<const Fp> a) {
  SLIPWAY_CHECK(out.size() == a.size());
  size_t done = 0;
#if defined(__x86_64__)
  if (internal::g_use_ifma) {
    done = out.size() / 8 * 8;
    internal::SquareBlocksIfma(out.data(), a.data(), out.size() / 8);
  }
#endif
  for (size_t i = done; i < out.size(); ++i) out[i] = a[i].Square();
}

}  // namespace slipway::bls12_381
