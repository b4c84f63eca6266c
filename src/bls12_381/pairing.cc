#include "bls12_381/pairing.h"

#include <vector>

#include "absl/container/inlined_vector.h"
#include "base/check.h"
#include "base/mutant.h"
#include "bls12_381/curve_constants.h"

namespace slipway::bls12_381 {
namespace {

using internal::kParameter;

// The lines of one G2Prepared before their division: `last` is the coefficient of y_P.
struct RawLine {
  Fp2 constant, minus_slope, last;
};

// The tangent at `point`, which becomes its double. With x = X/Z^2, y = Y/Z^3 and the slope
// 3X^2 / 2YZ, all multiplied by 2YZ^3.
RawLine DoublingStep(G2& point) {
  const Fp2 x2 = point.x.Square();
  const Fp2 x2_tripled = x2.Double() + x2;
  const Fp2 z2 = point.z.Square();
  RawLine line;
  line.constant = x2_tripled * point.x - point.y.Square().Double();
  line.minus_slope = -(x2_tripled * z2);
  point = point.Double();
  line.last = point.z * z2;
  return line;
}

// The line through `point` and q, to which `point` moves on. With the slope r / Z H, where
// r = y_q Z^3 - Y and H = x_q Z^2 - X, all multiplied by Z H.
RawLine AdditionStep(G2& point, const G2Affine& q) {
  const Fp2 z2 = point.z.Square();
  const Fp2 r = q.y * point.z * z2 - point.y;
  const Fp2 h = q.x * z2 - point.x;
  RawLine line;
  line.last = point.z * h;
  line.constant = r * q.x - q.y * line.last;
  line.minus_slope = -r;
  point = point + q;
  return line;
}

// m^x for m of the cyclotomic subgroup: x is negative, and the conjugate is the inverse.
Fp12 PowerX(const Fp12& m) { return m.CyclotomicPowerOfParameter().Conjugate(); }

}  // namespace

G2Prepared::G2Prepared(const G2Affine& point) : infinity_(point.infinity) {
  if (infinity_) return;
  std::array<RawLine, kLines> raw;
  size_t count = 0;
  G2 running = G2::FromAffine(point);
  for (int bit = 62; bit >= 0; --bit) {
    raw[count++] = DoublingStep(running);
    if ((kParameter >> bit & 1) != 0) raw[count++] = AdditionStep(running, point);
  }
  SLIPWAY_CHECK(count == raw.size());
  // All divisions by one inversion.
  std::array<Fp2, kLines> before;
  Fp2 product = Fp2::One();
  for (size_t i = 0; i < raw.size(); ++i) {
    before[i] = product;
    product = product * raw[i].last;
  }
  Fp2 inverse = product.Inverse();
  for (size_t i = raw.size(); i-- > 0;) {
    const Fp2 last_inverse = inverse * before[i];
    inverse = inverse * raw[i].last;
    lines_[i] = {raw[i].constant * last_inverse, raw[i].minus_slope * last_inverse};
  }
}

// A line is divided by y_P, a factor that the final exponentiation takes away.
Fp12 MillerLoop(absl::Span<const G1Affine> g1, absl::Span<const G2Prepared* const> g2) {
  SLIPWAY_CHECK(g1.size() == g2.size());
  struct Pair {
    const G2Prepared::Line* lines;
    Fp x_over_y, y_inverse;
  };
  absl::InlinedVector<Pair, 4> pairs;
  for (size_t i = 0; i < g1.size(); ++i) {
    if (g1[i].infinity || g2[i]->infinity()) continue;
    const Fp inverse = g1[i].y.Inverse();  // of no zero: no point has order two
    pairs.push_back({g2[i]->lines().data(), g1[i].x * inverse, inverse});
  }
  Fp12 f = Fp12::One();
  const auto multiply_lines = [&](size_t line) {
    for (const Pair& pair : pairs) {
      const G2Prepared::Line& at = pair.lines[line];
      f = f.MulByLine(at.constant * pair.y_inverse, at.minus_slope * pair.x_over_y);
    }
  };
  size_t line = 0;
  for (int bit = 62; bit >= 0; --bit) {
    if (bit != 62) f = f.Square();
    multiply_lines(line++);
    if ((kParameter >> bit & 1) == 0) continue;
    multiply_lines(SLIPWAY_MUTANT("bls-miller-line") ? 0 : line++);
  }
  return f.Conjugate();  // the parameter is negative
}

// Easy part (p^6 - 1)(p^2 + 1), then 3 (p^4 - p^2 + 1) / r = (x - 1)^2 (x + p)(x^2 + p^2 - 1) + 3
// (Hayashida, Hayasaka, Teruya, eprint 2020/875).
Fp12 FinalExponentiation(const Fp12& value) {
  const Fp12 low = value.Conjugate() * value.Inverse();
  const Fp12 m = low.FrobeniusSquared() * low;
  Fp12 power = PowerX(m) * m.Conjugate();
  power = PowerX(power) * power.Conjugate();
  power = PowerX(power) * power.Frobenius();
  power = PowerX(PowerX(power)) * power.FrobeniusSquared() * power.Conjugate();
  return power * m.CyclotomicSquare() * m;
}

bool PairingProductIsOne(absl::Span<const G1Affine> g1, absl::Span<const G2Prepared* const> g2) {
  return FinalExponentiation(MillerLoop(g1, g2)).IsOne();
}

bool PairingProductIsOne(absl::Span<const G1Affine> g1, absl::Span<const G2Prepared> g2) {
  std::vector<const G2Prepared*> pointers(g2.size());
  for (size_t i = 0; i < g2.size(); ++i) pointers[i] = &g2[i];
  return PairingProductIsOne(g1, pointers);
}

Fp12 Pairing(const G1Affine& p, const G2Affine& q) {
  const G2Prepared prepared(q);
  const G2Prepared* const pointer = &prepared;
  return FinalExponentiation(MillerLoop({&p, 1}, {&pointer, 1}));
}

}  // namespace slipway::bls12_381
