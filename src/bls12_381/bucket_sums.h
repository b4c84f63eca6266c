// The two halves of a sum by buckets, both on batched affine additions: points into buckets,
// buckets into one weighted sum. Internal to this folder. After Pippenger; signed digits and
// batched affine buckets as in Bernstein, Doumen, Lange, Oosterwijk ("Faster batch forgery
// identification", 2012).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "bls12_381/batch_affine.h"

namespace slipway::bls12_381::internal {

// A point of a table, or its negative: index * 2 + sign.
using PointRef = uint32_t;

// References sorted by bucket: those of bucket b are refs[begin[b]] … refs[begin[b + 1] - 1].
struct Buckets {
  const G1Entry* table;
  absl::Span<const PointRef> refs;
  absl::Span<const uint32_t> begin;  // one more than there are buckets
};

// What a sum needs besides its input. Thread-compatible; it grows to what was needed and stays.
class BucketScratch {
 public:
  // One that nobody uses on this thread; given back with the pointer. A thread that helps with
  // other work while it waits thereby gets another one.
  struct Return {
    void operator()(BucketScratch* scratch) const;
  };
  using Lease = std::unique_ptr<BucketScratch, Return>;
  static Lease Borrow();

  BatchAdder adder;
  std::vector<int16_t> digits;
  std::vector<uint32_t> begin, next, last;
  std::vector<PointRef> refs;
  std::vector<G1Entry> points, sums, pyramid, work;
};

// sums[b] = the sum of bucket b.
void SumBuckets(const Buckets& buckets, absl::Span<G1Entry> sums, BucketScratch& scratch);

// `buckets` holds rows of `width` sums, a power of two; they are overwritten.
// weighted[r] = the sum of i * row[i], total[r] = the sum of row[i], for i from 0.
void WeighBuckets(absl::Span<G1Entry> buckets, size_t width, absl::Span<G1> weighted,
                  absl::Span<G1Entry> total, BucketScratch& scratch);

// The `count` digits of `bits` bits of an integer of little-endian limbs, lowest first: each in
// (-2^(bits - 1), 2^(bits - 1)], the integer the sum of digits[i] * 2^(bits i). bits <= 15, and
// count * bits must exceed the integer's bits.
void SignedDigits(absl::Span<const uint64_t> integer, int bits, absl::Span<int16_t> digits);

// Sorts what scratch.digits holds, `rows` runs of `columns` digits: digit d > 0 of column c and row
// r puts +point(r, c) into bucket r * width + d - 1, d < 0 its negative into bucket r * width - d
// - 1. `ref_base` + c is the index of column c in the table. Fills scratch.begin and scratch.refs.
struct DigitRun {
  size_t row;         // of buckets
  uint32_t ref_base;  // the table's index of the run's first digit
};
void SortDigits(absl::Span<const DigitRun> runs, size_t columns, size_t rows, size_t width,
                BucketScratch& scratch);

}  // namespace slipway::bls12_381::internal
