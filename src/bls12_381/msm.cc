#include "bls12_381/msm.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/check.h"
#include "bls12_381/bucket_sums.h"
#include "bls12_381/curve_constants.h"
#include "bls12_381/glv.h"

namespace slipway::bls12_381 {
namespace {

using absl::MakeSpan;
using internal::BucketScratch;

// Scalars are cut in two halves of 128 bits by the endomorphism (glv.h); digits of a half carry
// once.
constexpr size_t kHalfBits = 129;

// ---- Few points: one chain of 128 doublings for all (Straus 1964), digits in width-5 form ----

constexpr size_t kStrausPointsMax = 8;
constexpr int kNafWidth = 5;
constexpr size_t kOddMultiples = 1 << (kNafWidth - 2);

// What Straus needs for a point: odd multiples of it and of its image, digits of both halves.
struct StrausPoint {
  std::array<std::array<G1Affine, kOddMultiples>, 2> odd;
  std::array<std::array<int8_t, kHalfBits>, 2> digits;
};

struct StrausScratch {
  std::vector<G1> multiples;
  std::vector<G1Affine> affine;
  std::vector<StrausPoint> points;
};

// Fills `scratch` and returns how many digits the longest half has.
int PrepareStraus(absl::Span<const G1Affine> points, absl::Span<const Fr> scalars,
                  StrausScratch& scratch) {
  scratch.multiples.clear();
  for (const G1Affine& point : points) {
    G1 multiple = G1::FromAffine(point);
    const G1 twice = multiple.Double();
    for (size_t i = 0; i < kOddMultiples; ++i) {
      scratch.multiples.push_back(multiple);
      multiple = multiple + twice;
    }
  }
  scratch.affine.resize(scratch.multiples.size());
  G1::BatchToAffine(scratch.multiples, MakeSpan(scratch.affine));
  scratch.points.resize(points.size());
  int length = 0;
  for (size_t p = 0; p < points.size(); ++p) {
    StrausPoint& point = scratch.points[p];
    for (size_t i = 0; i < kOddMultiples; ++i) {
      const G1Affine& odd = scratch.affine[p * kOddMultiples + i];
      point.odd[0][i] = odd;
      point.odd[1][i] = {odd.x * internal::kBeta, odd.y, odd.infinity};
    }
    const internal::GlvScalar split = internal::SplitScalar(scalars[p]);
    for (size_t half = 0; half < 2; ++half) {
      point.digits[half].fill(0);
      length = std::max(length, internal::WidthNaf(half == 0 ? split.low : split.high, kNafWidth,
                                                   MakeSpan(point.digits[half])));
    }
  }
  return length;
}

G1 Straus(absl::Span<const G1Affine> points, absl::Span<const Fr> scalars) {
  thread_local StrausScratch scratch;
  G1 sum = G1::Identity();
  for (int i = PrepareStraus(points, scalars, scratch) - 1; i >= 0; --i) {
    sum = sum.Double();
    for (const StrausPoint& point : scratch.points) {
      for (size_t half = 0; half < 2; ++half) {
        const int8_t digit = point.digits[half][static_cast<size_t>(i)];
        if (digit > 0) sum = sum + point.odd[half][static_cast<uint8_t>(digit) / 2];
        if (digit < 0) sum = sum - point.odd[half][static_cast<uint8_t>(-digit) / 2];
      }
    }
  }
  return sum;
}

// ---- Many points: buckets (Pippenger), all windows in one stream of batched affine additions ----

// About the least number of additions for `count` halves: each digit costs one, each bucket one
// more.
int WindowBits(size_t count) {
  int best = 2;
  size_t best_cost = ~size_t{0};
  for (int bits = 2; bits <= 15; ++bits) {
    const size_t windows = (kHalfBits + static_cast<size_t>(bits) - 1) / static_cast<size_t>(bits);
    const size_t cost = windows * (count + (size_t{1} << (bits - 1)));
    if (cost < best_cost) {
      best = bits;
      best_cost = cost;
    }
  }
  return best;
}

G1 Pippenger(absl::Span<const G1Affine> points, absl::Span<const Fr> scalars) {
  const size_t count = 2 * points.size();
  const int bits = WindowBits(count);
  const size_t windows = (kHalfBits + static_cast<size_t>(bits) - 1) / static_cast<size_t>(bits);
  const size_t width = size_t{1} << (bits - 1);
  const BucketScratch::Lease scratch = BucketScratch::Borrow();
  scratch->points.resize(count);
  scratch->digits.resize(windows * count);
  std::array<int16_t, kHalfBits> digits;
  for (size_t i = 0; i < points.size(); ++i) {
    const G1Entry entry = G1Entry::FromAffine(points[i]);
    scratch->points[2 * i] = entry;
    scratch->points[2 * i + 1] = {entry.x * internal::kBeta, entry.y};
    const internal::GlvScalar split = internal::SplitScalar(scalars[i]);
    for (size_t half = 0; half < 2; ++half) {
      internal::SignedDigits(half == 0 ? split.low : split.high, bits,
                             MakeSpan(digits).first(windows));
      for (size_t window = 0; window < windows; ++window) {
        scratch->digits[window * count + 2 * i + half] = digits[window];
      }
    }
  }
  std::array<internal::DigitRun, kHalfBits> runs;
  for (size_t window = 0; window < windows; ++window) runs[window] = {window, 0};
  internal::SortDigits(MakeSpan(runs).first(windows), count, windows, width, *scratch);
  scratch->sums.resize(windows * width);
  internal::SumBuckets({scratch->points.data(), scratch->refs, scratch->begin},
                       MakeSpan(scratch->sums), *scratch);
  std::array<G1, kHalfBits> weighted;
  std::array<G1Entry, kHalfBits> total;
  internal::WeighBuckets(MakeSpan(scratch->sums), width, MakeSpan(weighted).first(windows),
                         MakeSpan(total).first(windows), *scratch);
  G1 sum = G1::Identity();
  for (size_t window = windows; window-- > 0;) {
    for (int bit = 0; bit < bits; ++bit) sum = sum.Double();
    sum = sum + weighted[window] + total[window].ToAffine();
  }
  return sum;
}

}  // namespace

G1 Msm(absl::Span<const G1Affine> points, absl::Span<const Fr> scalars) {
  SLIPWAY_CHECK(points.size() == scalars.size());
  return points.size() <= kStrausPointsMax ? Straus(points, scalars) : Pippenger(points, scalars);
}

G2 Msm(absl::Span<const G2Affine> points, absl::Span<const Fr> scalars) {
  SLIPWAY_CHECK(points.size() == scalars.size());
  G2 sum = G2::Identity();
  for (size_t i = 0; i < points.size(); ++i) sum = sum + points[i] * scalars[i];
  return sum;
}

}  // namespace slipway::bls12_381
