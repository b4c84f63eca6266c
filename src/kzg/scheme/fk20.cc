#include "kzg/scheme/fk20.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "bls12_381/g1.h"
#include "bls12_381/msm.h"
#include "kzg/scheme/input.h"
#include "kzg/scheme/tables.h"
#include "kzg/scheme/workers.h"

namespace slipway::kzg {
namespace {

constexpr size_t kBlocks = kFieldElementsPerBlob / kFieldElementsPerCell;  // 64

// V(Y) = sum of v_j Y^j, v_j = sum over u < 64 (63 - j) of f_(64 (j + 1) + u) S_u: 63 sums, for
// setups without tables.
void SumDirectly(const Coefficients& polynomial, absl::Span<G1Affine> v, const Setup& setup,
                 Executor* executor) {
  std::vector<G1> sums(kBlocks, G1::Identity());
  Run(executor, kBlocks - 1, [&](size_t j) {
    const size_t first = kFieldElementsPerCell * (j + 1);
    const size_t count = kFieldElementsPerBlob - first;
    sums[j] = bls12_381::Msm(setup.points().g1_monomial.subspan(0, count),
                             absl::MakeSpan(polynomial.values).subspan(first, count));
  });
  G1::BatchToAffine(sums, v);
}

// The rows of FK20: row k holds F_i[k], i = 0 … 63, where F_i is the transform of the coefficients
// f_i, f_(64 + i), …; with the 1/128 of the inverse transform over points, which scalars bear
// cheaper.
std::vector<Fr> MakeRows(const Coefficients& polynomial, const Domain& domain, Executor* executor) {
  std::vector<Fr> rows(kCellsPerExtBlob * kFieldElementsPerCell);
  const Fr scale = Fr::FromUint64(kCellsPerExtBlob).Inverse();
  RunRanges(executor, kFieldElementsPerCell, /*per_part_min=*/8, [&](size_t begin, size_t end) {
    std::array<Fr, kCellsPerExtBlob> lane;
    for (size_t i = begin; i < end; ++i) {
      lane.fill(Fr::Zero());
      for (size_t j = 0; j < kBlocks; ++j) {
        lane[j] = polynomial.values[j * kFieldElementsPerCell + i] * scale;
      }
      domain.cells_fft().Forward(absl::MakeSpan(lane));
      for (size_t k = 0; k < kCellsPerExtBlob; ++k) rows[k * kFieldElementsPerCell + i] = lane[k];
    }
  });
  return rows;
}

}  // namespace

void ComputeAllProofs(const Coefficients& polynomial, absl::Span<Proof> proofs, const Setup& setup,
                      Executor* executor) {
  SLIPWAY_CHECK(proofs.size() == kCellsPerExtBlob);
  std::vector<G1Affine> points(kCellsPerExtBlob, G1Affine::Identity());
  const absl::Span<G1Affine> v = absl::MakeSpan(points).subspan(0, kBlocks);
  if (setup.tables() == nullptr) {
    SumDirectly(polynomial, v, setup, executor);
  } else {
    const std::vector<Fr> rows = MakeRows(polynomial, setup.domain(), executor);
    setup.tables()->MultiplyRows(rows, absl::MakeSpan(points), executor);
    WithWorkers(executor, [&](const bls12_381::Workers& workers) {
      setup.group_fft().InverseUnscaled(absl::MakeSpan(points), workers);
    });
    std::fill(points.begin() + kBlocks, points.end(), G1Affine::Identity());
  }
  WithWorkers(executor, [&](const bls12_381::Workers& workers) {
    setup.group_fft().Forward(absl::MakeSpan(points), workers);
  });
  for (size_t k = 0; k < kCellsPerExtBlob; ++k) {
    proofs[k] = WritePoint(points[BitReverseIndex(k, kCellsLog2)]);
  }
}

Proof ComputeOneProof(const Coefficients& polynomial, size_t cell, const Setup& setup,
                      Executor* executor) {
  // q_u = f_(u + 64) + H q_(u + 64)
  constexpr size_t kCount = kFieldElementsPerBlob - kFieldElementsPerCell;
  std::vector<Fr> quotient(polynomial.values.begin() + kFieldElementsPerCell,
                           polynomial.values.end());
  const Fr& h = setup.domain().CosetPower(cell);
  for (size_t u = kCount - kFieldElementsPerCell; u-- > 0;) {
    quotient[u] += h * quotient[u + kFieldElementsPerCell];
  }
  const size_t parts = WidthOf(executor) > 1 ? 2 : 1;
  const size_t count = kCount / parts;
  std::vector<G1> sums(parts);
  Run(executor, parts, [&](size_t i) {
    sums[i] = bls12_381::Msm(setup.points().g1_monomial.subspan(i * count, count),
                             absl::MakeSpan(quotient).subspan(i * count, count));
  });
  return WritePoint(parts == 1 ? sums[0] : sums[0] + sums[1]);
}

}  // namespace slipway::kzg
