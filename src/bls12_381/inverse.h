// Inverses modulo an odd prime by division steps (Bernstein and Yang, "Fast constant-time gcd
// computation and modular inversion", eprint 2019/266), here in variable time: 62 steps at once on
// single words, then one update of the long numbers. Internal to this folder. Pure functions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/mutant.h"

namespace slipway::bls12_381::internal {

using Int128 = __int128;

inline constexpr int kStepBits = 62;
inline constexpr int64_t kStepMask = (int64_t{1} << kStepBits) - 1;

// A signed integer: limbs of 62 bits below a signed top limb.
template <size_t N>
struct Signed62 {
  int64_t limb[N];
};

// 2^62 times the matrix of 62 division steps: the new f is (u f + v g) / 2^62, the new g is
// (q f + r g) / 2^62. |u| + |v| and |q| + |r| are at most 2^62.
struct StepMatrix {
  int64_t u, v, q, r;
};

// Runs 62 steps on the low words of f, which is odd, and g. `eta` is minus the paper's delta.
inline StepMatrix DivideSteps(int64_t& eta, uint64_t f, uint64_t g) {
  uint64_t u = 1;
  uint64_t v = 0;
  uint64_t q = 0;
  uint64_t r = 1;
  for (int left = kStepBits;;) {
    // As many steps as g is even; the bit at `left` ends the count.
    const int zeros = __builtin_ctzll(g | (~uint64_t{0} << left));
    g >>= zeros;
    u <<= zeros;
    v <<= zeros;
    eta -= zeros;
    left -= zeros;
    if (left == 0) break;
    if (eta < 0) {  // g is odd: both change places
      eta = -eta;
      uint64_t old = f;
      f = g;
      g = 0 - old;
      old = u;
      u = q;
      q = 0 - old;
      old = v;
      v = r;
      r = 0 - old;
    }
    // Until eta is negative again only multiples of f are added to g: several bits of g go with one
    // multiple, up to six, for f (2 - f^2) is 1 / f modulo 64.
    const int64_t bits = std::min<int64_t>({eta + 1, left, 6});
    const uint64_t multiple = (g * f * (f * f - 2)) & ((uint64_t{1} << bits) - 1);
    g += f * multiple;
    q += u * multiple;
    r += v * multiple;
  }
  return {static_cast<int64_t>(u), static_cast<int64_t>(v), static_cast<int64_t>(q),
          static_cast<int64_t>(r)};
}

// (f, g) = matrix * (f, g) / 2^62, which is exact.
template <size_t N>
inline void UpdateFg(Signed62<N>& f, Signed62<N>& g, const StepMatrix& t) {
  Int128 carry_f = static_cast<Int128>(t.u) * f.limb[0] + static_cast<Int128>(t.v) * g.limb[0];
  Int128 carry_g = static_cast<Int128>(t.q) * f.limb[0] + static_cast<Int128>(t.r) * g.limb[0];
  carry_f >>= kStepBits;
  carry_g >>= kStepBits;
  for (size_t i = 1; i < N; ++i) {
    const int64_t fi = f.limb[i];
    const int64_t gi = g.limb[i];
    carry_f += static_cast<Int128>(t.u) * fi + static_cast<Int128>(t.v) * gi;
    carry_g += static_cast<Int128>(t.q) * fi + static_cast<Int128>(t.r) * gi;
    f.limb[i - 1] = static_cast<int64_t>(carry_f) & kStepMask;
    g.limb[i - 1] = static_cast<int64_t>(carry_g) & kStepMask;
    carry_f >>= kStepBits;
    carry_g >>= kStepBits;
  }
  f.limb[N - 1] = static_cast<int64_t>(carry_f);
  g.limb[N - 1] = static_cast<int64_t>(carry_g);
}

// (d, e) = matrix * (d, e) / 2^62 modulo the modulus: multiples of it make the division exact.
// Takes and gives values in (-2 modulus, modulus).
template <size_t N>
inline void UpdateDe(Signed62<N>& d, Signed62<N>& e, const StepMatrix& t,
                     const Signed62<N>& modulus, uint64_t inverse62) {
  const int64_t d_sign = d.limb[N - 1] >> 63;
  const int64_t e_sign = e.limb[N - 1] >> 63;
  // How often the modulus comes to each: once for a negative operand, and what the low bits ask.
  int64_t times_d = (t.u & d_sign) + (t.v & e_sign);
  int64_t times_e = (t.q & d_sign) + (t.r & e_sign);
  Int128 carry_d = static_cast<Int128>(t.u) * d.limb[0] + static_cast<Int128>(t.v) * e.limb[0];
  Int128 carry_e = static_cast<Int128>(t.q) * d.limb[0] + static_cast<Int128>(t.r) * e.limb[0];
  const auto low = [inverse62](Int128 value, int64_t times) {
    const uint64_t wanted = inverse62 * static_cast<uint64_t>(value) + static_cast<uint64_t>(times);
    return static_cast<int64_t>(wanted & static_cast<uint64_t>(kStepMask));
  };
  times_d -= low(carry_d, times_d);
  times_e -= low(carry_e, times_e);
  carry_d += static_cast<Int128>(modulus.limb[0]) * times_d;
  carry_e += static_cast<Int128>(modulus.limb[0]) * times_e;
  carry_d >>= kStepBits;
  carry_e >>= kStepBits;
  for (size_t i = 1; i < N; ++i) {
    const int64_t di = d.limb[i];
    const int64_t ei = e.limb[i];
    carry_d += static_cast<Int128>(t.u) * di + static_cast<Int128>(t.v) * ei;
    carry_e += static_cast<Int128>(t.q) * di + static_cast<Int128>(t.r) * ei;
    carry_d += static_cast<Int128>(modulus.limb[i]) * times_d;
    carry_e += static_cast<Int128>(modulus.limb[i]) * times_e;
    d.limb[i - 1] = static_cast<int64_t>(carry_d) & kStepMask;
    e.limb[i - 1] = static_cast<int64_t>(carry_e) & kStepMask;
    carry_d >>= kStepBits;
    carry_e >>= kStepBits;
  }
  d.limb[N - 1] = static_cast<int64_t>(carry_d);
  e.limb[N - 1] = static_cast<int64_t>(carry_e);
}

// value + times * modulus, normalised.
template <size_t N>
inline void AddTimes(Signed62<N>& value, int64_t times, const Signed62<N>& modulus) {
  int64_t carry = 0;
  for (size_t i = 0; i < N; ++i) {
    carry += value.limb[i] + times * modulus.limb[i];
    value.limb[i] = i + 1 < N ? carry & kStepMask : carry;
    carry >>= kStepBits;
  }
}

template <size_t N, size_t L>
inline Signed62<N> ToSigned62(const uint64_t* limbs) {
  static_assert(N * kStepBits >= L * 64);
  Signed62<N> value;
  for (size_t i = 0; i < N; ++i) {
    const size_t bit = i * kStepBits;
    uint64_t word = bit / 64 < L ? limbs[bit / 64] >> (bit % 64) : 0;
    if (bit % 64 > 64 - kStepBits && bit / 64 + 1 < L)
      word |= limbs[bit / 64 + 1] << (64 - bit % 64);
    value.limb[i] = static_cast<int64_t>(word) & kStepMask;
  }
  return value;
}

// out = 1 / a modulo the prime `modulus`, plain integers of L limbs; a < modulus. 0 for 0.
template <size_t L>
inline void InverseModulo(uint64_t* out, const uint64_t* a, const uint64_t* modulus,
                          uint64_t minus_inverse) {
  constexpr size_t N = (L * 64 + kStepBits - 1) / kStepBits;
  const Signed62<N> m = ToSigned62<N, L>(modulus);
  const uint64_t inverse62 = 0 - minus_inverse;  // 1 / modulus mod 2^62, and beyond
  Signed62<N> f = m;
  Signed62<N> g = ToSigned62<N, L>(a);
  Signed62<N> d = {};  // a * d = f and a * e = g, but for powers of two that were divided out
  Signed62<N> e = {};
  e.limb[0] = 1;
  int64_t eta = -1;
  const auto any = [](const Signed62<N>& value) {
    int64_t bits = 0;
    for (const int64_t limb : value.limb) bits |= limb;
    return bits != 0;
  };
  while (any(g)) {
    const StepMatrix t =
        DivideSteps(eta, static_cast<uint64_t>(f.limb[0]), static_cast<uint64_t>(g.limb[0]));
    UpdateDe(d, e, t, m, inverse62);
    UpdateFg(f, g, t);
  }
  // f is 1 or -1, or the modulus for a = 0, when d is 0.
  if (d.limb[N - 1] < 0) AddTimes(d, 1, m);
  if (f.limb[N - 1] < 0 && !SLIPWAY_MUTANT("bls-inverse-sign")) {
    for (int64_t& limb : d.limb) limb = -limb;
    AddTimes(d, 0, m);
  }
  if (d.limb[N - 1] < 0) AddTimes(d, 1, m);
  for (size_t i = 0; i < L; ++i) {
    const size_t bit = i * 64;
    const size_t at = bit / kStepBits;
    const size_t shift = bit % kStepBits;
    uint64_t word = static_cast<uint64_t>(d.limb[at]) >> shift;
    if (at + 1 < N) word |= static_cast<uint64_t>(d.limb[at + 1]) << (kStepBits - shift);
    out[i] = word;
  }
}

}  // namespace slipway::bls12_381::internal
