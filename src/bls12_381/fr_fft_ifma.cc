#if defined(__x86_64__)
#include "bls12_381/fr_fft_ifma.h"

#include <vector>

#include "base/check.h"
#include "base/mutant.h"
#include "bls12_381/ifma.h"

namespace slipway::bls12_381::internal {
namespace {

// Data keep Fr's factor 2^256, roots have 2^260: a product has the factor of the data. 2^260 is 35
// r. Data start below r and each level adds less than 2r, so that fifteen levels need no reduction;
// a product of data below 31 r and a root below r is below 2r.
using Fr8 = Lanes<5>;

// A vector in memory.
struct alignas(64) Words {
  uint64_t word[5 * kLanes];
};

// r, 2r, 4r in limbs of 52 bits; -1 / r mod 2^52.
constexpr uint64_t kR52[5] = {0xfffff00000001, 0x02fffe5bfefff, 0x9a1d80553bda4, 0x7d483339d8080,
                              0x073eda753299d};
constexpr uint64_t kR52Times2[5] = {0xffffe00000002, 0x05fffcb7fdfff, 0x343b00aa77b48,
                                    0xfa906673b0101, 0x0e7db4ea6533a};
constexpr uint64_t kR52Times4[5] = {0xffffc00000004, 0x0bfff96ffbfff, 0x68760154ef690,
                                    0xf520cce760202, 0x1cfb69d4ca675};
constexpr uint64_t kInverse52 = 0xffffeffffffff;

SLIPWAY_IFMA_INLINE void Mul(Fr8& out, const Fr8& a, const Fr8& b) {
  MontgomeryMul(out, a, b, kR52, kInverse52);
}

// (a, b) = (a + b, a - b + k), not normalised; k is a multiple of r not below b.
SLIPWAY_IFMA_INLINE void SumAndDifference(Fr8& a, Fr8& b, const uint64_t (&k)[5]) {
  SLIPWAY_UNROLL
  for (int j = 0; j < 5; ++j) {
    const __m512i sum = _mm512_add_epi64(a.limb[j], b.limb[j]);
    b.limb[j] = _mm512_add_epi64(_mm512_sub_epi64(a.limb[j], b.limb[j]), Set1(k[j]));
    a.limb[j] = sum;
  }
}

// Cooley and Tukey's step: (a, b) = (a + b w, a - b w + 2r).
SLIPWAY_IFMA_INLINE void Butterfly(Fr8& a, Fr8& b, const Fr8& w) {
  if (!SLIPWAY_MUTANT("bls-lanes-carry")) Normalise(b);
  Mul(b, b, w);
  SumAndDifference(a, b, kR52Times2);
}

// The elements at in[0..7] as they are, below r.
SLIPWAY_IFMA_INLINE void Load(Fr8& out, const Fr* const (&in)[kLanes]) {
  __m512i w[8];
  SLIPWAY_UNROLL
  for (size_t i = 0; i < kLanes; ++i) w[i] = _mm512_maskz_loadu_epi64(0x0f, in[i]->limb);
  Transpose(w);
  const __m512i mask = Set1(kMask52);
  out.limb[0] = _mm512_and_si512(w[0], mask);
  out.limb[1] = _mm512_and_si512(
      _mm512_or_si512(_mm512_srli_epi64(w[0], 52), _mm512_slli_epi64(w[1], 12)), mask);
  out.limb[2] = _mm512_and_si512(
      _mm512_or_si512(_mm512_srli_epi64(w[1], 40), _mm512_slli_epi64(w[2], 24)), mask);
  out.limb[3] = _mm512_and_si512(
      _mm512_or_si512(_mm512_srli_epi64(w[2], 28), _mm512_slli_epi64(w[3], 36)), mask);
  out.limb[4] = _mm512_srli_epi64(w[3], 16);
}

// Canonical elements to the places out[0..7].
SLIPWAY_IFMA_INLINE void Store(Fr* const (&out)[kLanes], const Fr8& a) {
  __m512i rows[8];
  rows[0] = _mm512_or_si512(a.limb[0], _mm512_slli_epi64(a.limb[1], 52));
  rows[1] = _mm512_or_si512(_mm512_srli_epi64(a.limb[1], 12), _mm512_slli_epi64(a.limb[2], 40));
  rows[2] = _mm512_or_si512(_mm512_srli_epi64(a.limb[2], 24), _mm512_slli_epi64(a.limb[3], 28));
  rows[3] = _mm512_or_si512(_mm512_srli_epi64(a.limb[3], 36), _mm512_slli_epi64(a.limb[4], 16));
  SLIPWAY_UNROLL
  for (int i = 4; i < 8; ++i) rows[i] = _mm512_setzero_si512();
  Transpose(rows);
  SLIPWAY_UNROLL
  for (size_t i = 0; i < kLanes; ++i) _mm512_mask_storeu_epi64(out[i]->limb, 0x0f, rows[i]);
}

size_t ReverseBits(size_t value, int bits) {
  size_t reversed = 0;
  for (int i = 0; i < bits; ++i) reversed |= ((value >> i) & 1) << (bits - 1 - i);
  return reversed;
}

// value * 2^260 mod r as limbs of 52 bits: a factor of the data.
void ToLimbs52(uint64_t (&out)[5], const Fr& value) {
  const Fr sixteenfold = value.Double().Double().Double().Double();
  const uint64_t(&l)[4] = sixteenfold.limb;
  out[0] = l[0] & kMask52;
  out[1] = (l[0] >> 52 | l[1] << 12) & kMask52;
  out[2] = (l[1] >> 40 | l[2] << 24) & kMask52;
  out[3] = (l[2] >> 28 | l[3] << 36) & kMask52;
  out[4] = l[3] >> 16;
}

}  // namespace

struct FftLanes::Tables {
  int log2_size;
  uint64_t scale[5];
  uint64_t eighth_roots[3][5];  // root^(size/8), its square and its cube
  // For half = 8, 16, … size / 2 the roots of that level, root^(size / (2 half) * j) for j < half.
  std::vector<Words> roots;
};

FftLanes::FftLanes(int log2_size, absl::Span<const Fr> roots, const Fr& scale)
    : tables_(std::make_unique<Tables>()) {
  SLIPWAY_CHECK(log2_size >= kFftLog2Min);
  SLIPWAY_CHECK(log2_size <= kFftLog2Max);
  const size_t size = size_t{1} << log2_size;
  SLIPWAY_CHECK(roots.size() == size / 2);
  tables_->log2_size = log2_size;
  ToLimbs52(tables_->scale, scale);
  for (size_t i = 0; i < 3; ++i) ToLimbs52(tables_->eighth_roots[i], roots[(i + 1) * size / 8]);
  tables_->roots.resize(size / kLanes - 1);
  auto next = tables_->roots.begin();
  for (size_t half = kLanes; half < size; half *= 2) {
    for (size_t j = 0; j < half; j += kLanes, ++next) {
      for (size_t lane = 0; lane < kLanes; ++lane) {
        uint64_t limbs[5];
        ToLimbs52(limbs, roots[size / (2 * half) * (j + lane)]);
        for (size_t i = 0; i < 5; ++i) next->word[kLanes * i + lane] = limbs[i];
      }
    }
  }
}

FftLanes::~FftLanes() = default;

namespace {

// The levels of half 1, 2 and 4 on 64 neighbours: u[i] has every eighth element from i on. From
// below r to below 8r.
SLIPWAY_IFMA_INLINE void FirstLevels(Fr8 (&u)[8], const uint64_t (&eighth_roots)[3][5]) {
  Fr8 w;
  SetAll(w, eighth_roots[1]);
  SLIPWAY_UNROLL
  for (int i = 0; i < 8; i += 2) SumAndDifference(u[i], u[i + 1], kR52Times2);
  SLIPWAY_UNROLL
  for (int i = 0; i < 8; i += 4) {
    SumAndDifference(u[i], u[i + 2], kR52Times2);
    Butterfly(u[i + 1], u[i + 3], w);
  }
  SumAndDifference(u[0], u[4], kR52Times4);
  SLIPWAY_UNROLL
  for (int i = 1; i < 4; ++i) {
    SetAll(w, eighth_roots[i - 1]);
    Butterfly(u[i], u[i + 4], w);
  }
}

// Vector i becomes element i of each vector, for eight of them.
SLIPWAY_IFMA_INLINE void TransposeAll(Fr8 (&u)[8]) {
  SLIPWAY_UNROLL
  for (int j = 0; j < 5; ++j) {
    __m512i m[8];
    SLIPWAY_UNROLL
    for (int i = 0; i < 8; ++i) m[i] = u[i].limb[j];
    Transpose(m);
    SLIPWAY_UNROLL
    for (int i = 0; i < 8; ++i) u[i].limb[j] = m[i];
  }
}

// Reads 64 elements from `group` * 64 on, in bit-reversed order, and runs the first three levels.
SLIPWAY_IFMA void LoadGroup(Words* out, const Fr* values, size_t group, int log2_size,
                            bool reversed, const uint64_t (&eighth_roots)[3][5]) {
  constexpr int kGroupBits = 6;
  const size_t high = ReverseBits(group, log2_size - kGroupBits);
  Fr8 u[8];
  for (size_t i = 0; i < 8; ++i) {
    const Fr* in[kLanes];
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const size_t low = kLanes * lane + i;
      in[lane] = values + (reversed ? 64 * group + low
                                    : (ReverseBits(low, kGroupBits) << (log2_size - 6)) + high);
    }
    Load(u[i], in);
  }
  FirstLevels(u, eighth_roots);
  TransposeAll(u);
  for (size_t i = 0; i < 8; ++i) StoreLimbs(out[i].word, u[i]);
}

// One level: blocks of two halves of `half` vectors, in place.
SLIPWAY_IFMA void Level(Words* data, size_t count, size_t half, const Words* roots) {
  for (size_t start = 0; start < count; start += 2 * half) {
    for (size_t j = 0; j < half; ++j) {
      Fr8 a;
      Fr8 b;
      Fr8 w;
      LoadLimbs(a, data[start + j].word);
      LoadLimbs(b, data[start + j + half].word);
      LoadLimbs(w, roots[j].word);
      Butterfly(a, b, w);
      StoreLimbs(data[start + j].word, a);
      StoreLimbs(data[start + j + half].word, b);
    }
  }
}

SLIPWAY_IFMA void StoreScaled(Fr* values, const Words* data, size_t count, int log2_size,
                              bool reversed, const uint64_t (&scale)[5]) {
  Fr8 factor;
  SetAll(factor, scale);
  for (size_t i = 0; i < count; ++i) {
    Fr8 a;
    LoadLimbs(a, data[i].word);
    Normalise(a);
    Mul(a, a, factor);
    SubtractModulus(a, kR52);
    Fr* out[kLanes];
    const size_t high = ReverseBits(i, log2_size - 3);
    for (size_t lane = 0; lane < kLanes; ++lane) {
      out[lane] = values +
                  (reversed ? (ReverseBits(lane, 3) << (log2_size - 3)) + high : kLanes * i + lane);
    }
    Store(out, a);
  }
}

}  // namespace

void FftLanes::Transform(absl::Span<Fr> values, bool input_reversed, bool output_reversed) const {
  const Tables& tables = *tables_;
  const size_t count = values.size() / kLanes;
  SLIPWAY_CHECK(values.size() == size_t{1} << tables.log2_size);
  const auto data = std::make_unique_for_overwrite<Words[]>(count);
  for (size_t group = 0; group < count / 8; ++group) {
    LoadGroup(&data[8 * group], values.data(), group, tables.log2_size, input_reversed,
              tables.eighth_roots);
  }
  const Words* roots = tables.roots.data();
  for (size_t half = 1; half < count; half *= 2) {
    Level(data.get(), count, half, roots);
    roots += half;
  }
  StoreScaled(values.data(), data.get(), count, tables.log2_size, output_reversed, tables.scale);
}

}  // namespace slipway::bls12_381::internal

#endif
