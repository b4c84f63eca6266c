#include "bls12_381/fixed_base_table.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/mutant.h"
#include "bls12_381/bucket_sums.h"

namespace slipway::bls12_381 {
namespace {

using absl::MakeSpan;
using internal::BucketScratch;
using internal::DigitRun;

// An integer below 2^255 and the carry out of its last digit.
constexpr size_t kScalarBits = 256;
// Points doubled side by side while a table is built.
constexpr size_t kBuildColumns = 512;
// Rows summed side by side.
constexpr size_t kRowGroup = 8;
// Parts into which the buckets of a single row are cut for several threads.
constexpr size_t kPartsMax = 8;

void CheckShape(const FixedBaseTable::Shape& shape) {
  SLIPWAY_CHECK(shape.window_bits >= 2);
  SLIPWAY_CHECK(shape.window_bits <= 15);
  SLIPWAY_CHECK(shape.entries() < size_t{1} << 31);  // what a reference can name
}

}  // namespace

size_t FixedBaseTable::Shape::shifts() const {
  const auto bits = static_cast<size_t>(window_bits);
  return (kScalarBits + bits - 1) / bits;
}

void FixedBaseTable::Build(const Shape& shape, absl::Span<const G1Affine> points,
                           absl::Span<G1Entry> entries, const Workers& workers) {
  CheckShape(shape);
  SLIPWAY_CHECK(points.size() == shape.rows * shape.columns);
  SLIPWAY_CHECK(entries.size() == shape.entries());
  const size_t shifts = shape.shifts();
  const size_t parts = (points.size() + kBuildColumns - 1) / kBuildColumns;
  workers.run(parts, [&](size_t part) {
    const BucketScratch::Lease scratch = BucketScratch::Borrow();
    std::vector<G1Entry>& running = scratch->points;
    const size_t first = part * kBuildColumns;
    const size_t count = std::min(kBuildColumns, points.size() - first);
    running.resize(count);
    for (size_t i = 0; i < count; ++i) running[i] = G1Entry::FromAffine(points[first + i]);
    for (size_t shift = 0; shift < shifts; ++shift) {
      for (size_t i = 0; i < count; ++i) {
        const size_t row = (first + i) / shape.columns;
        const size_t column = (first + i) % shape.columns;
        entries[(row * shifts + shift) * shape.columns + column] = running[i];
      }
      for (int bit = 0; shift + 1 < shifts && bit < shape.window_bits; ++bit) {
        for (G1Entry& point : running) scratch->adder.Double(point, &point);
        scratch->adder.Flush();
      }
    }
  });
}

FixedBaseTable FixedBaseTable::FromMapped(const Shape& shape, absl::Span<const G1Entry> entries) {
  CheckShape(shape);
  SLIPWAY_CHECK(entries.size() == shape.entries());
  return FixedBaseTable(shape, entries);
}

FixedBaseTable::FixedBaseTable(const Shape& shape, absl::Span<const G1Affine> points,
                               const Workers& workers)
    : shape_(shape), own_(shape.entries()), entries_(own_) {
  Build(shape, points, MakeSpan(own_), workers);
}

// The buckets of the one row are cut into parts of equal width, each weighed as a row of its own:
// what a part is does not depend on the number of threads, only how many of them a thread takes.
G1 FixedBaseTable::Multiply(absl::Span<const Fr> scalars, const Workers& workers) const {
  SLIPWAY_CHECK(shape_.rows == 1);
  SLIPWAY_CHECK(scalars.size() == shape_.columns);
  const size_t shifts = shape_.shifts();
  const size_t width = size_t{1} << (shape_.window_bits - 1);
  const size_t parts = std::min(kPartsMax, width);
  const size_t part_width = width / parts;
  const BucketScratch::Lease sorted = BucketScratch::Borrow();

  // Digits lie shift by shift, as the entries do.
  sorted->digits.resize(shifts * shape_.columns);
  std::array<int16_t, kScalarBits / 2> digits;
  for (size_t column = 0; column < shape_.columns; ++column) {
    internal::SignedDigits(scalars[column].ToLimbs(), shape_.window_bits,
                           MakeSpan(digits).first(shifts));
    for (size_t shift = 0; shift < shifts; ++shift) {
      sorted->digits[shift * shape_.columns + column] = digits[shift];
    }
  }
  const DigitRun all = {0, 0};
  internal::SortDigits({&all, 1}, sorted->digits.size(), 1, width, *sorted);

  std::array<G1, kPartsMax> weighted;
  std::array<G1Entry, kPartsMax> total;
  const size_t tasks = workers.width > 1 ? parts : 1;
  const size_t task_parts = parts / tasks;
  workers.run(tasks, [&](size_t task) {
    const BucketScratch::Lease scratch = BucketScratch::Borrow();
    const size_t first = task * task_parts;
    scratch->sums.resize(task_parts * part_width);
    const absl::Span<G1Entry> sums = MakeSpan(scratch->sums);
    internal::SumBuckets(
        {entries_.data(), sorted->refs,
         absl::MakeConstSpan(sorted->begin).subspan(first * part_width, sums.size() + 1)},
        sums, *scratch);
    internal::WeighBuckets(sums, part_width, MakeSpan(weighted).subspan(first, task_parts),
                           MakeSpan(total).subspan(first, task_parts), *scratch);
  });

  // Bucket i of part k has the weight part_width * k + i + 1.
  G1 sum = G1::Identity();
  G1 above = G1::Identity();
  G1 multiples = G1::Identity();
  for (size_t part = parts; part-- > 0;) {
    sum = sum + weighted[part] + total[part].ToAffine();
    multiples = multiples + above;
    above = above + total[part].ToAffine();
  }
  for (size_t doubled = 1; doubled < part_width; doubled *= 2) multiples = multiples.Double();
  return sum + multiples;
}

void FixedBaseTable::MultiplyRows(absl::Span<const Fr> scalars, absl::Span<G1Affine> sums,
                                  const Workers& workers) const {
  SLIPWAY_CHECK(scalars.size() == shape_.rows * shape_.columns);
  SLIPWAY_CHECK(sums.size() == shape_.rows);
  const size_t groups = (shape_.rows + kRowGroup - 1) / kRowGroup;
  workers.run(groups, [&](size_t group) {
    const size_t first = group * kRowGroup;
    MultiplySomeRows(scalars, first, sums.subspan(first, kRowGroup));
  });
}

void FixedBaseTable::MultiplySomeRows(absl::Span<const Fr> scalars, size_t first_row,
                                      absl::Span<G1Affine> sums) const {
  const size_t shifts = shape_.shifts();
  const size_t columns = shape_.columns;
  const size_t width = size_t{1} << (shape_.window_bits - 1);
  const size_t rows = sums.size();
  const BucketScratch::Lease scratch = BucketScratch::Borrow();
  scratch->digits.resize(rows * shifts * columns);
  std::array<int16_t, kScalarBits / 2> digits;
  std::array<DigitRun, kRowGroup> runs;
  for (size_t row = 0; row < rows; ++row) {
    runs[row] = {row, static_cast<uint32_t>((first_row + row) * shifts * columns)};
    for (size_t column = 0; column < columns; ++column) {
      internal::SignedDigits(scalars[(first_row + row) * columns + column].ToLimbs(),
                             shape_.window_bits, MakeSpan(digits).first(shifts));
      for (size_t shift = 0; shift < shifts; ++shift) {
        scratch->digits[(row * shifts + shift) * columns + column] = digits[shift];
      }
    }
  }
  internal::SortDigits(MakeSpan(runs).first(rows), shifts * columns, rows, width, *scratch);
  scratch->sums.resize(rows * width);
  internal::SumBuckets({entries_.data(), scratch->refs, scratch->begin}, MakeSpan(scratch->sums),
                       *scratch);
  std::array<G1, kRowGroup> weighted;
  std::array<G1Entry, kRowGroup> total;
  internal::WeighBuckets(MakeSpan(scratch->sums), width, MakeSpan(weighted).first(rows),
                         MakeSpan(total).first(rows), *scratch);
  for (size_t row = 0; row < rows; ++row) weighted[row] = weighted[row] + total[row].ToAffine();
  G1::BatchToAffine(MakeSpan(weighted).first(rows), sums);
}

}  // namespace slipway::bls12_381
