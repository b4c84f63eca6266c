// Sums of multiples of points that stay the same, from a table of their shifts (spec 4.5): no
// doublings are left, and all additions are batched affine ones.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/types/span.h"
#include "bls12_381/batch_affine.h"
#include "bls12_381/g1.h"
#include "bls12_381/parallel.h"

namespace slipway::bls12_381 {

// Immutable after construction and thread-safe. Scratch memory belongs to the calling threads and
// is kept for their next calls.
class FixedBaseTable {
 public:
  // A table of `rows` times `columns` points: each row is a sum of its own.
  struct Shape {
    size_t rows;
    size_t columns;
    int window_bits;  // of the signed digits, 2 to 15: the best is near log2(20 * columns) - 3

    // 2^(window_bits * j) of each point for j below this.
    size_t shifts() const;
    size_t entries() const { return rows * shifts() * columns; }
    size_t bytes() const { return entries() * sizeof(G1Entry); }
  };

  // Writes the table of `points` (row by row) to `entries`, which has shape.entries(): for each
  // row, for each shift, its columns. REQUIRES: points of the subgroup; infinite ones are right.
  static void Build(const Shape& shape, absl::Span<const G1Affine> points,
                    absl::Span<G1Entry> entries, const Workers& workers);

  // Over entries that Build wrote, here or elsewhere: borrowed, they outlive the table. What they
  // are is not checked; a wrong entry gives wrong sums.
  static FixedBaseTable FromMapped(const Shape& shape, absl::Span<const G1Entry> entries);
  // Over entries of its own.
  FixedBaseTable(const Shape& shape, absl::Span<const G1Affine> points, const Workers& workers);

  FixedBaseTable(FixedBaseTable&&) = default;
  FixedBaseTable& operator=(FixedBaseTable&&) = default;

  const Shape& shape() const { return shape_; }
  absl::Span<const G1Entry> entries() const { return entries_; }

  // The sum of scalars[i] times point i, for a table of one row. `scalars` has shape().columns.
  G1 Multiply(absl::Span<const Fr> scalars, const Workers& workers) const;
  // The sums of all rows; `scalars` row by row, as the points.
  void MultiplyRows(absl::Span<const Fr> scalars, absl::Span<G1Affine> sums,
                    const Workers& workers) const;

 private:
  FixedBaseTable(const Shape& shape, absl::Span<const G1Entry> entries)
      : shape_(shape), entries_(entries) {}

  void MultiplySomeRows(absl::Span<const Fr> scalars, size_t first_row,
                        absl::Span<G1Affine> sums) const;

  Shape shape_;
  std::vector<G1Entry> own_;
  absl::Span<const G1Entry> entries_;
};

}  // namespace slipway::bls12_381
