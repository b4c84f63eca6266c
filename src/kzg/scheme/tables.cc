#include "kzg/scheme/tables.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/mutant.h"
#include "kzg/scheme/fk20.h"
#include "kzg/scheme/workers.h"

namespace slipway::kzg {
namespace {

using bls12_381::Workers;

struct OwnedEntries {
  std::vector<G1Entry> blob, cell, lane;
};

}  // namespace

FixedBaseTable::Shape TablePlan::blob_shape() const {
  return {.rows = 1, .columns = kFieldElementsPerBlob, .window_bits = blob_bits};
}
FixedBaseTable::Shape TablePlan::cell_shape() const {
  return {.rows = kCellsPerExtBlob, .columns = kFieldElementsPerCell, .window_bits = cell_bits};
}
FixedBaseTable::Shape TablePlan::lane_shape() const {
  return {.rows = 1, .columns = kFieldElementsPerCell, .window_bits = lane_bits};
}

size_t TablePlan::bytes() const {
  return blob_shape().bytes() + cell_shape().bytes() + lane_shape().bytes();
}

std::string TablePlan::name() const {
  return absl::StrCat("b", blob_bits, "-c", cell_bits, "-l", lane_bits);
}

std::vector<G1Affine> MakeRowPoints(const Setup& setup, Executor* executor) {
  std::vector<G1Affine> rows(kCellsPerExtBlob * kFieldElementsPerCell);
  Run(executor, kFieldElementsPerCell, [&](size_t i) {
    std::vector<G1Affine> lane(kCellsPerExtBlob, G1Affine::Identity());
    for (size_t t = 0; t < kCellsPerBlob - 1; ++t) {
      const G1Affine& point = setup.points().g1_monomial[kFieldElementsPerCell * t + i];
      lane[kCellsPerExtBlob - 1 - t] = point;
    }
    setup.group_fft().Forward(absl::MakeSpan(lane), bls12_381::CallerAlone());
    for (size_t k = 0; k < kCellsPerExtBlob; ++k) rows[k * kFieldElementsPerCell + i] = lane[k];
  });
  return rows;
}

std::shared_ptr<const ProvingTables> ProvingTables::Build(const Setup& setup, const TablePlan& plan,
                                                          Executor* executor) {
  const auto owned = std::make_shared<OwnedEntries>();
  owned->blob.resize(plan.blob_shape().entries());
  owned->cell.resize(plan.cell_shape().entries());
  owned->lane.resize(plan.lane_shape().entries());
  const std::vector<G1Affine> rows = MakeRowPoints(setup, executor);
  WithWorkers(executor, [&](const Workers& workers) {
    FixedBaseTable::Build(plan.blob_shape(), setup.points().g1_lagrange,
                          absl::MakeSpan(owned->blob), workers);
    FixedBaseTable::Build(plan.cell_shape(), rows, absl::MakeSpan(owned->cell), workers);
    FixedBaseTable::Build(plan.lane_shape(),
                          setup.points().g1_monomial.subspan(0, kFieldElementsPerCell),
                          absl::MakeSpan(owned->lane), workers);
  });
  return FromEntries(plan, {owned->blob, owned->cell, owned->lane, owned});
}

std::shared_ptr<const ProvingTables> ProvingTables::FromEntries(const TablePlan& plan,
                                                                Entries entries) {
  return std::shared_ptr<const ProvingTables>(new ProvingTables(plan, std::move(entries)));
}

ProvingTables::ProvingTables(const TablePlan& plan, Entries entries)
    : plan_(plan),
      entries_(std::move(entries)),
      blob_(FixedBaseTable::FromMapped(plan.blob_shape(), entries_.blob)),
      cell_(FixedBaseTable::FromMapped(plan.cell_shape(), entries_.cell)),
      lane_(FixedBaseTable::FromMapped(plan.lane_shape(), entries_.lane)) {}

G1 ProvingTables::Commit(absl::Span<const Fr> scalars, Executor* executor) const {
  G1 sum = G1::Identity();
  WithWorkers(executor, [&](const Workers& workers) { sum = blob_.Multiply(scalars, workers); });
  return sum;
}

G1 ProvingTables::CommitCell(absl::Span<const Fr> coefficients) const {
  return lane_.Multiply(coefficients, bls12_381::CallerAlone());
}

void ProvingTables::MultiplyRows(absl::Span<const Fr> rows, absl::Span<G1Affine> sums,
                                 Executor* executor) const {
  WithWorkers(executor, [&](const Workers& workers) { cell_.MultiplyRows(rows, sums, workers); });
}

}  // namespace slipway::kzg
