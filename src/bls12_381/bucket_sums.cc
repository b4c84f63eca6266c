#include "bls12_381/bucket_sums.h"

#include <algorithm>

#include "base/check.h"
#include "base/mutant.h"

namespace slipway::bls12_381::internal {
namespace {

// So many references are summed together: enough to share inversions, few enough for the
// second-level cache.
constexpr uint32_t kGroupRefs = 8192;

// A bucket, or as much of a large one as a group takes. Its partial sums stand in `work` from `at`.
struct Segment {
  uint32_t bucket;
  uint32_t begin, end;  // of the references
  uint32_t at;
};

bool IsNegative(PointRef ref) { return (ref & 1) != 0 && !SLIPWAY_MUTANT("bls-ref-sign"); }

G1Entry Resolve(const G1Entry* table, PointRef ref) {
  const G1Entry& entry = table[ref >> 1];
  return IsNegative(ref) ? -entry : entry;
}

// The references of each segment in pairs, straight from the table.
void AddPairs(const Buckets& buckets, absl::Span<const Segment> segments, BucketScratch& scratch) {
  constexpr uint32_t kAhead = 8;  // references whose points are fetched early
  for (const Segment& segment : segments) {
    G1Entry* out = &scratch.work[segment.at];
    for (uint32_t i = segment.begin; i < segment.end; i += 2, ++out) {
      if (i + kAhead + 1 < buckets.refs.size()) {
        for (const uint32_t ahead : {i + kAhead, i + kAhead + 1}) {
          const char* point =
              reinterpret_cast<const char*>(&buckets.table[buckets.refs[ahead] >> 1]);
          __builtin_prefetch(point);
          __builtin_prefetch(point + 64);
        }
      }
      const PointRef first = buckets.refs[i];
      if (i + 1 == segment.end) {
        *out = Resolve(buckets.table, first);
        continue;
      }
      const PointRef second = buckets.refs[i + 1];
      scratch.adder.Add(buckets.table[first >> 1], IsNegative(first), buckets.table[second >> 1],
                        IsNegative(second), out);
    }
  }
  scratch.adder.Flush();
}

// Halves the partial sums of all segments until one is left of each. A sum is written no further
// back than what was read for it, and all its operands were read before: in place is safe.
void FoldSegments(absl::Span<const Segment> segments, BucketScratch& scratch) {
  for (uint32_t half = 2;; half *= 2) {
    bool more = false;
    for (const Segment& segment : segments) {
      const uint32_t count = (segment.end - segment.begin + half - 1) / half;
      if (count < 2) continue;
      more = true;
      G1Entry* const points = &scratch.work[segment.at];
      for (uint32_t i = 0; i < count / 2; ++i) {
        scratch.adder.Add(points[2 * i], points[2 * i + 1], &points[i]);
      }
      if (count % 2 != 0 && !SLIPWAY_MUTANT("bls-fold-odd")) points[count / 2] = points[count - 1];
    }
    if (!more) return;
    scratch.adder.Flush();
  }
}

void SumGroup(const Buckets& buckets, absl::Span<const Segment> segments, absl::Span<G1Entry> sums,
              BucketScratch& scratch) {
  if (segments.empty()) return;
  AddPairs(buckets, segments, scratch);
  FoldSegments(segments, scratch);
  for (const Segment& segment : segments) {
    G1Entry& sum = sums[segment.bucket];
    scratch.adder.Add(sum, scratch.work[segment.at], &sum);
  }
  scratch.adder.Flush();
}

std::vector<std::unique_ptr<BucketScratch>>& FreeScratch() {
  thread_local std::vector<std::unique_ptr<BucketScratch>> free;
  return free;
}

}  // namespace

BucketScratch::Lease BucketScratch::Borrow() {
  auto& free = FreeScratch();
  if (free.empty()) return Lease(new BucketScratch);
  BucketScratch* const scratch = free.back().release();
  free.pop_back();
  return Lease(scratch);
}

void BucketScratch::Return::operator()(BucketScratch* scratch) const {
  FreeScratch().emplace_back(scratch);
}

void SumBuckets(const Buckets& buckets, absl::Span<G1Entry> sums, BucketScratch& scratch) {
  SLIPWAY_CHECK(buckets.begin.size() == sums.size() + 1);
  thread_local std::vector<Segment> segments;
  scratch.work.resize(kGroupRefs);
  segments.clear();
  uint32_t group_refs = 0;
  uint32_t group_points = 0;
  const auto sum_group = [&] {
    SumGroup(buckets, segments, sums, scratch);
    segments.clear();
    group_refs = 0;
    group_points = 0;
  };
  for (uint32_t bucket = 0; bucket < sums.size(); ++bucket) {
    uint32_t at = buckets.begin[bucket];
    const uint32_t end = buckets.begin[bucket + 1];
    sums[bucket] = G1Entry::Identity();
    if (end - at == 1) {
      sums[bucket] = Resolve(buckets.table, buckets.refs[at]);
      continue;
    }
    while (at < end) {
      const uint32_t taken = std::min(end - at, kGroupRefs - group_refs);
      segments.push_back({bucket, at, at + taken, group_points});
      at += taken;
      group_refs += taken;
      group_points += (taken + 1) / 2;
      // A bucket occurs once in a group, for its sum is added to what earlier groups left.
      if (at < end || group_refs == kGroupRefs) sum_group();
    }
  }
  sum_group();
}

// With A_0 = row and A_{j+1}[i] = A_j[2i] + A_j[2i+1], bit j of the weight i is set for the odd
// elements of A_j: the sum is that of 2^j * (odd elements of A_j). Twice `width` additions, all in
// wide batches.
void WeighBuckets(absl::Span<G1Entry> buckets, size_t width, absl::Span<G1> weighted,
                  absl::Span<G1Entry> total, BucketScratch& scratch) {
  const size_t rows = weighted.size();
  SLIPWAY_CHECK(buckets.size() == rows * width);
  scratch.pyramid.resize(rows * width);
  BatchAdder& adder = scratch.adder;
  // A_j of a row, for j >= 1 in the pyramid.
  const auto level = [&](size_t row, size_t size) {
    return size == width ? &buckets[row * width] : &scratch.pyramid[row * width + size];
  };
  for (size_t size = width; size > 1; size /= 2) {
    for (size_t row = 0; row < rows; ++row) {
      const G1Entry* const from = level(row, size);
      G1Entry* const to = level(row, size / 2);
      for (size_t i = 0; i < size / 2; ++i) adder.Add(from[2 * i], from[2 * i + 1], &to[i]);
    }
    adder.Flush();
  }
  for (size_t row = 0; row < rows; ++row) total[row] = *level(row, 1);
  // The odd elements of all levels in pairs, then the pairs folded.
  for (size_t row = 0; row < rows; ++row) {
    for (size_t size = width; size > 1; size /= 2) {
      G1Entry* const odd = level(row, size);
      if (size == 2) odd[0] = odd[1];
      for (size_t i = 0; i < size / 4; ++i) adder.Add(odd[4 * i + 1], odd[4 * i + 3], &odd[i]);
    }
  }
  adder.Flush();
  for (size_t shrink = 4; width / shrink > 1; shrink *= 2) {
    for (size_t row = 0; row < rows; ++row) {
      for (size_t size = width; size / shrink > 1; size /= 2) {
        G1Entry* const sums = level(row, size);
        for (size_t i = 0; i < size / shrink / 2; ++i) {
          adder.Add(sums[2 * i], sums[2 * i + 1], &sums[i]);
        }
      }
    }
    adder.Flush();
  }
  for (size_t row = 0; row < rows; ++row) {
    weighted[row] = G1::Identity();
    for (size_t size = 2; size <= width; size *= 2) {
      weighted[row] = weighted[row].Double() + level(row, size)->ToAffine();
    }
  }
}

void SignedDigits(absl::Span<const uint64_t> integer, int bits, absl::Span<int16_t> digits) {
  const uint64_t mask = (uint64_t{1} << bits) - 1;
  const uint64_t half = uint64_t{1} << (bits - 1);
  uint64_t carry = 0;
  size_t position = 0;
  for (int16_t& out : digits) {
    const size_t limb = position / 64;
    const size_t shift = position % 64;
    uint64_t digit = limb < integer.size() ? integer[limb] >> shift : 0;
    if (shift + static_cast<size_t>(bits) > 64 && limb + 1 < integer.size()) {
      digit |= integer[limb + 1] << (64 - shift);
    }
    digit = (digit & mask) + carry;
    carry = digit > half ? 1 : 0;
    if (SLIPWAY_MUTANT("bls-digit-carry") && digit == half + 1) carry = 0;
    out = static_cast<int16_t>(static_cast<int64_t>(digit) - static_cast<int64_t>(carry << bits));
    position += static_cast<size_t>(bits);
  }
}

void SortDigits(absl::Span<const DigitRun> runs, size_t columns, size_t rows, size_t width,
                BucketScratch& scratch) {
  SLIPWAY_CHECK(scratch.digits.size() == runs.size() * columns);
  scratch.begin.assign(rows * width + 1, 0);
  const auto bucket_of = [width](size_t row, int digit) {
    return row * width + static_cast<size_t>(digit > 0 ? digit : -digit) - 1;
  };
  for (size_t run = 0; run < runs.size(); ++run) {
    for (size_t i = 0; i < columns; ++i) {
      const int digit = scratch.digits[run * columns + i];
      if (digit != 0) ++scratch.begin[bucket_of(runs[run].row, digit) + 1];
    }
  }
  for (size_t i = 1; i < scratch.begin.size(); ++i) scratch.begin[i] += scratch.begin[i - 1];
  scratch.refs.resize(scratch.begin.back());
  scratch.next.assign(scratch.begin.begin(), scratch.begin.end() - 1);
  scratch.last.assign(scratch.begin.begin() + 1, scratch.begin.end());
  for (size_t run = 0; run < runs.size(); ++run) {
    for (size_t i = 0; i < columns; ++i) {
      const int digit = scratch.digits[run * columns + i];
      if (digit == 0) continue;
      const uint32_t index = runs[run].ref_base + static_cast<uint32_t>(i);
      const size_t bucket = bucket_of(runs[run].row, digit);
      // In each bucket first the positive ones, from behind the negative ones: of signs that do not
      // alternate a processor makes no wrong guesses.
      const uint32_t at = digit > 0 ? scratch.next[bucket]++ : --scratch.last[bucket];
      scratch.refs[at] = index << 1 | (digit < 0 ? 1U : 0U);
    }
  }
}

}  // namespace slipway::bls12_381::internal
