#include "bls12_381/g1_fft.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"
#include "bls12_381/batch_affine.h"
#include "bls12_381/bucket_sums.h"
#include "bls12_381/curve_constants.h"
#include "bls12_381/fr.h"
#include "bls12_381/glv.h"

namespace slipway::bls12_381 {
namespace {

using absl::MakeSpan;
using internal::BucketScratch;
using internal::PointRef;

constexpr int kNafWidth = 5;
// The odd digits below 2^(kNafWidth - 1): 1, 3, 5, …
constexpr size_t kBuckets = size_t{1} << (kNafWidth - 2);
// A half of a scalar is below 2^128; its non-adjacent form has one digit more.
constexpr size_t kDigits = 129;
// Points multiplied side by side by one thread.
constexpr size_t kLanesMax = 64;

size_t ReverseBits(size_t index, int bits) {
  size_t reversed = 0;
  for (int i = 0; i < bits; ++i) reversed |= (index >> i & 1) << (bits - 1 - i);
  return reversed;
}

}  // namespace

// +-(2 bucket + 1) 2^position, of the scalar's low half or of its high one.
struct G1Fft::Digit {
  uint8_t position;
  uint8_t bucket;
  bool negative;
  bool high;
};
struct G1Fft::Factor {
  std::vector<Digit> digits;
  size_t positions = 0;  // one more than the highest
};
// A point to be multiplied in place.
struct G1Fft::Lane {
  G1Entry* point;
  const Factor* factor;
};

G1Fft::G1Fft(int log2_size) : log2_size_(log2_size), factors_(size() / 2) {
  SLIPWAY_CHECK(log2_size >= 1 && log2_size <= 12);
  const Fr root = Fr::RootOfUnity(log2_size);
  Fr power = Fr::One();
  for (size_t i = 1; i < factors_.size(); ++i) {
    power *= root;
    const internal::GlvScalar halves = internal::SplitScalar(power);
    for (const bool high : {false, true}) {
      std::array<int8_t, kDigits> naf;
      const int count =
          internal::WidthNaf(high ? halves.high : halves.low, kNafWidth, MakeSpan(naf));
      for (int at = 0; at < count; ++at) {
        const int8_t digit = naf[static_cast<size_t>(at)];
        if (digit == 0) continue;
        factors_[i].digits.push_back({static_cast<uint8_t>(at),
                                      static_cast<uint8_t>((digit < 0 ? -digit : digit) / 2),
                                      digit < 0, high});
        factors_[i].positions = std::max(factors_[i].positions, static_cast<size_t>(at) + 1);
      }
    }
  }
}

G1Fft::~G1Fft() = default;

void G1Fft::MultiplyLanes(absl::Span<const Lane> lanes) const {
  const BucketScratch::Lease scratch = BucketScratch::Borrow();
  size_t positions = 0;
  size_t terms = 0;
  for (const Lane& lane : lanes) {
    positions = std::max(positions, lane.factor->positions);
    terms += lane.factor->digits.size();
  }
  // First 2^position P of all lanes, then (beta x, y) of those that a high half needs.
  std::vector<G1Entry>& table = scratch->points;
  table.resize(positions * lanes.size() + terms);
  for (size_t l = 0; l < lanes.size(); ++l) table[l] = *lanes[l].point;
  for (size_t i = lanes.size(); i < positions * lanes.size(); i += lanes.size()) {
    for (size_t l = i; l < i + lanes.size(); ++l) {
      scratch->adder.Double(table[l - lanes.size()], &table[l]);
    }
    scratch->adder.Flush();
  }
  // The terms of each lane, sorted by bucket.
  const size_t buckets = lanes.size() * kBuckets;
  scratch->begin.assign(buckets + 1, 0);
  for (size_t l = 0; l < lanes.size(); ++l) {
    for (const Digit& d : lanes[l].factor->digits) ++scratch->begin[l * kBuckets + d.bucket + 1];
  }
  for (size_t b = 0; b < buckets; ++b) scratch->begin[b + 1] += scratch->begin[b];
  scratch->next.assign(scratch->begin.begin(), scratch->begin.end() - 1);
  scratch->refs.resize(terms);
  size_t images = positions * lanes.size();
  for (size_t l = 0; l < lanes.size(); ++l) {
    for (const Digit& d : lanes[l].factor->digits) {
      size_t at = d.position * lanes.size() + l;
      if (d.high) {
        const G1Entry image = {table[at].x * internal::kBeta, table[at].y};
        table[at = images++] = image;
      }
      const auto ref = static_cast<PointRef>(at * 2 + (d.negative ? 1 : 0));
      scratch->refs[scratch->next[l * kBuckets + d.bucket]++] = ref;
    }
  }
  scratch->sums.resize(buckets);
  internal::SumBuckets({table.data(), scratch->refs, scratch->begin}, MakeSpan(scratch->sums),
                       *scratch);
  std::array<G1, kLanesMax> weighted;
  std::array<G1Entry, kLanesMax> total;
  std::array<G1Affine, kLanesMax> products;
  internal::WeighBuckets(MakeSpan(scratch->sums), kBuckets, MakeSpan(weighted).first(lanes.size()),
                         MakeSpan(total).first(lanes.size()), *scratch);
  for (size_t l = 0; l < lanes.size(); ++l) {
    weighted[l] = weighted[l].Double() + total[l].ToAffine();
  }
  G1::BatchToAffine(MakeSpan(weighted).first(lanes.size()), MakeSpan(products).first(lanes.size()));
  for (size_t l = 0; l < lanes.size(); ++l) *lanes[l].point = G1Entry::FromAffine(products[l]);
}

// Decimation in time. Of w^-i = -w^(n/2 - i) the sign goes into the butterfly.
void G1Fft::Transform(absl::Span<G1Affine> points, bool inverse, const Workers& workers) const {
  SLIPWAY_CHECK(points.size() == size());
  std::vector<G1Entry> values(size());
  for (size_t i = 0; i < size(); ++i) {
    values[i] = G1Entry::FromAffine(points[ReverseBits(i, log2_size_)]);
  }
  BatchAdder adder;
  std::vector<Lane> lanes;
  for (size_t half = 1; half < size(); half *= 2) {
    const size_t stride = size() / 2 / half;
    lanes.clear();
    for (size_t at = 0; at < size(); ++at) {
      const size_t power = at % half * stride;
      if ((at & half) == 0 || power == 0 || values[at].IsIdentity()) continue;
      lanes.push_back({&values[at], &factors_[inverse ? size() / 2 - power : power]});
    }
    const size_t parts = std::max(std::min(static_cast<size_t>(workers.width), lanes.size()),
                                  (lanes.size() + kLanesMax - 1) / kLanesMax);
    workers.run(parts, [&](size_t part) {
      const size_t begin = lanes.size() * part / parts;
      const size_t end = lanes.size() * (part + 1) / parts;
      if (begin < end) MultiplyLanes(MakeSpan(lanes).subspan(begin, end - begin));
    });
    for (size_t at = 0; at < size(); ++at) {
      if ((at & half) != 0) continue;
      const bool negate = inverse && at % half != 0 && !SLIPWAY_MUTANT("bls-g1-fft-sign");
      const G1Entry a = values[at];
      const G1Entry b = negate ? -values[at + half] : values[at + half];
      adder.Add(a, b, &values[at]);
      adder.Add(a, -b, &values[at + half]);
    }
    adder.Flush();
  }
  for (size_t i = 0; i < size(); ++i) points[i] = values[i].ToAffine();
}

void G1Fft::Forward(absl::Span<G1Affine> points, const Workers& workers) const {
  Transform(points, /*inverse=*/false, workers);
}

void G1Fft::InverseUnscaled(absl::Span<G1Affine> points, const Workers& workers) const {
  Transform(points, /*inverse=*/true, workers);
}

}  // namespace slipway::bls12_381
