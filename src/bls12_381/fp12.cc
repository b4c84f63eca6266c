#include "bls12_381/fp12.h"

#include <array>

#include "base/mutant.h"
#include "bls12_381/curve_constants.h"

namespace slipway::bls12_381 {
namespace {

// A product in Fp6 before its reductions.
struct Fp6Wide {
  Fp2Wide c0, c1, c2;
};
Fp6Wide operator+(const Fp6Wide& a, const Fp6Wide& b) {
  return {a.c0 + b.c0, a.c1 + b.c1, a.c2 + b.c2};
}
Fp6Wide operator-(const Fp6Wide& a, const Fp6Wide& b) {
  return {a.c0 - b.c0, a.c1 - b.c1, a.c2 - b.c2};
}
Fp6Wide TimesV(const Fp6Wide& a) { return {MulByNonresidue(a.c2), a.c0, a.c1}; }
Fp6 Reduce(const Fp6Wide& a) {
  return {bls12_381::Reduce(a.c0), bls12_381::Reduce(a.c1), bls12_381::Reduce(a.c2)};
}

// Karatsuba: six products of Fp2 (Devegili, O hEigeartaigh, Scott, Dahab: "Multiplication and
// squaring on pairing-friendly fields", section 4), summed before the reductions.
Fp6Wide MulWide(const Fp6& a, const Fp6& b) {
  const Fp2Wide v0 = MulWide(a.c0, b.c0);
  const Fp2Wide v1 = MulWide(a.c1, b.c1);
  const Fp2Wide v2 = MulWide(a.c2, b.c2);
  return {v0 + MulByNonresidue(MulWide(a.c1 + a.c2, b.c1 + b.c2) - v1 - v2),
          MulWide(a.c0 + a.c1, b.c0 + b.c1) - v0 - v1 + MulByNonresidue(v2),
          MulWide(a.c0 + a.c2, b.c0 + b.c2) - v0 - v2 + v1};
}

// a * (b0 + b1 v): five products.
Fp6Wide MulBySparse(const Fp6& a, const Fp2& b0, const Fp2& b1) {
  const Fp2Wide v0 = MulWide(a.c0, b0);
  const Fp2Wide v1 = MulWide(a.c1, b1);
  return {v0 + MulByNonresidue(MulWide(a.c2, b1)), MulWide(a.c0 + a.c1, b0 + b1) - v0 - v1,
          MulWide(a.c2, b0) + v1};
}

// (a + b s)^2 in Fp4 = Fp2[s] / (s^2 - (1 + u)).
struct Fp4 {
  Fp2 c0, c1;
};
Fp4 SquareFp4(const Fp2& a, const Fp2& b) {
  const Fp2 a2 = a.Square();
  const Fp2 b2 = b.Square();
  return {a2 + b2.MulByNonresidue(), (a + b).Square() - a2 - b2};
}

// 3a - 2b and 3a + 2b.
Fp2 TripleLessTwice(const Fp2& a, const Fp2& b) { return (a - b).Double() + a; }
Fp2 TripleAndTwice(const Fp2& a, const Fp2& b) { return (a + b).Double() + a; }

// An element of the cyclotomic subgroup without two of its six coefficients, which follow from the
// others: with w^i for i = 1, 4, 2, 5 (Karabina, "Squaring in cyclotomic subgroups", Math. Comp.
// 82, 2013; the names g2 to g5 are those of section 3). Squares of such need only such.
struct Compressed {
  Fp2 g2, g3, g4, g5;
};

Compressed Compress(const Fp12& a) { return {a.c1.c0, a.c0.c2, a.c0.c1, a.c1.c2}; }

Compressed Square(const Compressed& a) {
  const Fp4 b = SquareFp4(a.g2, a.g3);
  const Fp4 c = SquareFp4(a.g4, a.g5);
  return {TripleAndTwice(c.c1.MulByNonresidue(), a.g2), TripleLessTwice(c.c0, a.g3),
          TripleLessTwice(b.c0, a.g4), TripleAndTwice(b.c1, a.g5)};
}

// The element; `inverse` is that of 4 g2.
Fp12 Decompress(const Compressed& a, const Fp2& inverse) {
  const Fp2 numerator = TripleLessTwice(a.g4.Square(), a.g3) + a.g5.Square().MulByNonresidue();
  const Fp2 g1 = numerator * inverse;
  const Fp2 g34 = a.g3 * a.g4;
  const Fp2 sum = (g1.Square() - g34).Double() - g34 + a.g2 * a.g5;
  return {{sum.MulByNonresidue() + Fp2::One(), a.g4, a.g3}, {a.g2, g1, a.g5}};
}

}  // namespace

Fp6 operator*(const Fp6& a, const Fp6& b) { return Reduce(MulWide(a, b)); }

Fp6 Fp6::Inverse() const {
  const Fp2 t0 = c0.Square() - (c1 * c2).MulByNonresidue();
  const Fp2 t1 = c2.Square().MulByNonresidue() - c0 * c1;
  const Fp2 t2 = c1.Square() - c0 * c2;
  const Fp2 norm = c0 * t0 + (c2 * t1 + c1 * t2).MulByNonresidue();
  const Fp2 inverse = norm.Inverse();
  return {t0 * inverse, t1 * inverse, t2 * inverse};
}

Fp12 operator*(const Fp12& a, const Fp12& b) {
  const Fp6Wide low = MulWide(a.c0, b.c0);
  const Fp6Wide high = MulWide(a.c1, b.c1);
  const Fp6Wide cross = MulWide(a.c0 + a.c1, b.c0 + b.c1);
  return {Reduce(low + TimesV(high)), Reduce(cross - low - high)};
}

// (c0 + c1)(c0 + v c1) = c0^2 + v c1^2 + (1 + v) c0 c1: two products for three.
Fp12 Fp12::Square() const {
  const Fp6Wide product = MulWide(c0, c1);
  const Fp6Wide both = MulWide(c0 + c1, c0 + c1.MulByNonresidue());
  return {Reduce(both - product - TimesV(product)), Reduce(product + product)};
}

Fp12 Fp12::Inverse() const {
  const Fp6 inverse = (c0 * c0 - (c1 * c1).MulByNonresidue()).Inverse();
  return {c0 * inverse, -(c1 * inverse)};
}

Fp12 Fp12::Frobenius() const {
  return {{c0.c0.Conjugate(), c0.c1.Conjugate() * internal::kFrobenius2,
           c0.c2.Conjugate() * internal::kFrobenius4},
          {c1.c0.Conjugate() * internal::kFrobenius1, c1.c1.Conjugate() * internal::kFrobenius3,
           c1.c2.Conjugate() * internal::kFrobenius5}};
}

Fp12 Fp12::FrobeniusSquared() const { return Frobenius().Frobenius(); }

Fp12 Fp12::CyclotomicSquare() const {
  const Fp4 a = SquareFp4(c0.c0, c1.c1);
  const Compressed rest = bls12_381::Square(Compress(*this));
  const Fp2 g0 = SLIPWAY_MUTANT("bls-cyclotomic") ? a.c0 - c0.c0 : TripleLessTwice(a.c0, c0.c0);
  return {{g0, rest.g4, rest.g3}, {rest.g2, TripleAndTwice(a.c1, c1.c1), rest.g5}};
}

// Compressed squares up to 2^63, of which those at the six bits of the parameter are kept,
// decompressed with one inversion and multiplied. Where a g2 is zero, as for one, plainly.
Fp12 Fp12::CyclotomicPowerOfParameter() const {
  constexpr std::array<int, 6> kBits = {16, 48, 57, 60, 62, 63};
  static_assert(internal::kParameter ==
                (1ULL << 16 | 1ULL << 48 | 1ULL << 57 | 1ULL << 60 | 1ULL << 62 | 1ULL << 63));
  std::array<Compressed, kBits.size()> kept;
  std::array<Fp2, kBits.size()> before;  // the product of all denominators before
  Compressed running = Compress(*this);
  Fp2 product = Fp2::One();
  int bit = 0;
  for (size_t i = 0; i < kBits.size(); ++i) {
    for (; bit < kBits[i]; ++bit) running = bls12_381::Square(running);
    kept[i] = running;
    before[i] = product;
    product = product * running.g2.Double().Double();
  }
  Fp12 power = One();
  if (product.IsZero()) {
    for (bit = 63; bit >= 0; --bit) {
      power = power.CyclotomicSquare();
      if ((internal::kParameter >> bit & 1) != 0) power = power * *this;
    }
    return power;
  }
  Fp2 inverse = product.Inverse();
  for (size_t i = kBits.size(); i-- > 0;) {
    const Fp12 factor = Decompress(kept[i], inverse * before[i]);
    inverse = inverse * kept[i].g2.Double().Double();
    power = i + 1 == kBits.size() ? factor : power * factor;
  }
  return power;
}

// With c0 + c1 w times l0 + l1 v + v w, where w^2 = v.
Fp12 Fp12::MulByLine(const Fp2& l0, const Fp2& l1) const {
  return {Reduce(MulBySparse(c0, l0, l1)) + c1.MulByNonresidue().MulByNonresidue(),
          Reduce(MulBySparse(c1, l0, l1)) + c0.MulByNonresidue()};
}

}  // namespace slipway::bls12_381
