// Multiples of a setup's points, computed once: proving needs no doublings then (spec 4.5).
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "bls12_381/fixed_base_table.h"
#include "kzg/scheme/executor.h"
#include "kzg/scheme/setup.h"

namespace slipway::kzg {

using bls12_381::FixedBaseTable;
using bls12_381::G1Entry;

// How large tables are: bits of the signed digits (K70, K76). Fewer bits mean more shifts of each
// point, so more memory and fewer buckets.
struct TablePlan {
  int blob_bits = 13;  // 4096 Lagrange points: commitments and proofs
  int cell_bits = 9;   // 128 rows of 64 points: FK20
  int lane_bits = 9;   // the first 64 monomial points: verification of cells

  FixedBaseTable::Shape blob_shape() const;
  FixedBaseTable::Shape cell_shape() const;
  FixedBaseTable::Shape lane_shape() const;
  size_t bytes() const;
  // "b13-c9-l9": what tells caches of one setup apart.
  std::string name() const;
  friend bool operator==(const TablePlan&, const TablePlan&) = default;
};

// Immutable, so thread-safe.
class ProvingTables {
 public:
  // The entries of all tables, borrowed: `owner` keeps them alive.
  struct Entries {
    absl::Span<const G1Entry> blob, cell, lane;
    std::shared_ptr<const void> owner;
  };

  // A second or two of work on one core.
  static std::shared_ptr<const ProvingTables> Build(const Setup& setup, const TablePlan& plan,
                                                    Executor* executor);
  // Over entries that Build made, now or earlier. CHECK: their counts. What they are is not looked
  // at: a wrong entry gives wrong results.
  static std::shared_ptr<const ProvingTables> FromEntries(const TablePlan& plan, Entries entries);

  const TablePlan& plan() const { return plan_; }
  const Entries& entries() const { return entries_; }

  // The sum of scalars[i] times the i-th Lagrange point, 4096 of them.
  G1 Commit(absl::Span<const Fr> scalars, Executor* executor) const;
  // The sum of scalars[i] times the i-th monomial point, 64 of them.
  G1 CommitCell(absl::Span<const Fr> coefficients) const;
  // The 128 sums of FK20: sums[k] of rows[64 k + i] times Y_i[k].
  void MultiplyRows(absl::Span<const Fr> rows, absl::Span<G1Affine> sums, Executor* executor) const;

 private:
  ProvingTables(const TablePlan& plan, Entries entries);

  const TablePlan plan_;
  const Entries entries_;
  const FixedBaseTable blob_, cell_, lane_;
};

// Y_i[k] for row k and lane i, row by row: the transforms of the monomial points that FK20
// multiplies with (spec 2.4).
std::vector<G1Affine> MakeRowPoints(const Setup& setup, Executor* executor);

}  // namespace slipway::kzg
