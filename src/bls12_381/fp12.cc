#include "bls12_381/fp12.h"

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

// a * b1 v: three products.
Fp6Wide MulByV(const Fp6& a, const Fp2& b1) {
  return {MulByNonresidue(MulWide(a.c2, b1)), MulWide(a.c0, b1), MulWide(a.c1, b1)};
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

Fp2 Triple(const Fp2& a) { return a.Double() + a; }

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
  const Fp4 b = SquareFp4(c1.c0, c0.c2);
  const Fp4 c = SquareFp4(c0.c1, c1.c2);
  return {{Triple(a.c0) - c0.c0.Double(), Triple(b.c0) - c0.c1.Double(),
           Triple(c.c0) - (SLIPWAY_MUTANT("bls-cyclotomic") ? c0.c2 : c0.c2.Double())},
          {Triple(c.c1.MulByNonresidue()) + c1.c0.Double(), Triple(a.c1) + c1.c1.Double(),
           Triple(b.c1) + c1.c2.Double()}};
}

Fp12 Fp12::MulByLine(const Fp2& l0, const Fp2& l1, const Fp2& l4) const {
  const Fp6Wide low = MulBySparse(c0, l0, l1);
  const Fp6Wide high = MulByV(c1, l4);
  const Fp6Wide cross = MulBySparse(c0 + c1, l0, l1 + l4);
  return {Reduce(low + TimesV(high)), Reduce(cross - low - high)};
}

}  // namespace slipway::bls12_381
