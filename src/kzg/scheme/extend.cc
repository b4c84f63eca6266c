#include "kzg/scheme/extend.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/check.h"
#include "base/mutant.h"
#include "bls12_381/fr_fft.h"

namespace slipway::kzg {
namespace {

using CellElements = std::array<Fr, kFieldElementsPerCell>;

// `values`: bit-reversed, 64 for each cell.
void WriteCells(absl::Span<const Fr> values, absl::Span<Cell> cells, Executor* executor) {
  RunRanges(executor, cells.size(), /*per_part_min=*/8, [&](size_t begin, size_t end) {
    for (size_t i = begin * kFieldElementsPerCell; i < end * kFieldElementsPerCell; ++i) {
      values[i].ToBytes(
          absl::MakeSpan(cells[i / kFieldElementsPerCell])
              .subspan(i % kFieldElementsPerCell * kBytesPerFieldElement, kBytesPerFieldElement));
    }
  });
}

}  // namespace

void ExtendUpperCells(const Coefficients& polynomial, absl::Span<Cell> cells, const Setup& setup,
                      Executor* executor) {
  SLIPWAY_CHECK(cells.size() == kCellsPerBlob);
  std::vector<Fr> values = polynomial.values;
  const absl::Span<const Fr> roots = setup.domain().ext_roots();
  for (size_t i = 0; i < values.size(); ++i) values[i] *= roots[i];
  setup.domain().blob_fft().ForwardToBitReversed(absl::MakeSpan(values));
  WriteCells(values, cells, executor);
}

void ExtendAllCells(const Coefficients& polynomial, absl::Span<Cell> cells, const Setup& setup,
                    Executor* executor) {
  SLIPWAY_CHECK(cells.size() == kCellsPerExtBlob);
  Run(executor, 2, [&](size_t half) {
    if (half == 1) {
      return ExtendUpperCells(polynomial, cells.subspan(kCellsPerBlob), setup, executor);
    }
    std::vector<Fr> values = polynomial.values;
    setup.domain().blob_fft().ForwardToBitReversed(absl::MakeSpan(values));
    WriteCells(values, cells.subspan(0, kCellsPerBlob), executor);
  });
}

void EvaluateCell(const Coefficients& polynomial, size_t cell, const Setup& setup, Cell& out) {
  const Domain& domain = setup.domain();
  CellElements residue;
  // Horner in X^64 = H_k.
  for (size_t m = 0; m < kFieldElementsPerCell; ++m) {
    Fr sum = Fr::Zero();
    for (size_t j = kFieldElementsPerBlob / kFieldElementsPerCell; j-- > 0;) {
      sum = sum * domain.CosetPower(cell) + polynomial.values[j * kFieldElementsPerCell + m];
    }
    residue[m] = sum;
  }
  Fr power = Fr::One();
  for (Fr& coefficient : residue) {
    coefficient *= power;
    power *= domain.CosetShift(cell);
  }
  domain.cell_fft().ForwardToBitReversed(absl::MakeSpan(residue));
  WriteCells(residue, absl::MakeSpan(&out, 1), nullptr);
}

void InterpolateCell(absl::Span<Fr> values, size_t cell, const Setup& setup) {
  setup.domain().cell_fft().InverseFromBitReversed(values);
  Fr power = Fr::One();
  for (Fr& value : values) {
    value *= power;
    power *= setup.domain().CosetShiftInverse(cell);
  }
}

namespace {

// What all 64 codes share: Z, the polynomial that is zero at the missing H_k, by its values on the
// 128 points, and 1/Z modulo Y^64 in the form in which it multiplies.
struct Eraser {
  std::array<Fr, kCellsPerExtBlob> zero_values;        // natural order
  std::array<Fr, kCellsPerExtBlob> inverse_transform;  // of 1/Z mod Y^64
};

// 1/Z modulo Y^64 by its definition, coefficient by coefficient: 2,016 products.
std::array<Fr, kCellsPerExtBlob> InverseSeries(absl::Span<const Fr> z) {
  std::array<Fr, kCellsPerExtBlob> series;
  series.fill(Fr::Zero());
  const Fr first = z[0].Inverse();  // Z(0) is a product of roots of unity, so never zero
  series[0] = first;
  for (size_t i = 1; i < kCellsPerBlob; ++i) {
    Fr sum = Fr::Zero();
    for (size_t j = 1; j <= i && j < z.size(); ++j) sum += z[j] * series[i - j];
    series[i] = -(sum * first);
  }
  return series;
}

Eraser MakeEraser(absl::Span<const uint64_t> indices, const Domain& domain) {
  std::array<bool, kCellsPerExtBlob> known{};
  for (const uint64_t index : indices) known[index] = true;
  std::vector<Fr> z = {Fr::One()};
  for (size_t k = 0; k < kCellsPerExtBlob; ++k) {
    if (known[k]) continue;
    const Fr& root = domain.CosetPower(k);
    z.push_back(z.back());
    for (size_t i = z.size() - 2; i > 0; --i) z[i] = z[i - 1] - z[i] * root;
    z[0] = -(z[0] * root);
  }
  SLIPWAY_CHECK(z.size() <= kCellsPerBlob + 1);
  Eraser eraser;
  eraser.inverse_transform = InverseSeries(z);
  domain.cells_fft().Forward(absl::MakeSpan(eraser.inverse_transform));
  eraser.zero_values.fill(Fr::Zero());
  std::copy(z.begin(), z.end(), eraser.zero_values.begin());
  domain.cells_fft().Forward(absl::MakeSpan(eraser.zero_values));
  return eraser;
}

// One code: `values` at the 128 points, zero where missing, becomes its 64 coefficients.
void Decode(std::array<Fr, kCellsPerExtBlob>& values, const Eraser& eraser, const Domain& domain) {
  const absl::Span<Fr> span = absl::MakeSpan(values);
  for (size_t i = 0; i < values.size(); ++i) values[i] *= eraser.zero_values[i];
  domain.cells_fft().Inverse(span);  // P_m Z, of degree < 128, exactly
  std::fill(values.begin() + kCellsPerBlob, values.end(), Fr::Zero());
  domain.cells_fft().Forward(span);
  for (size_t i = 0; i < values.size(); ++i) values[i] *= eraser.inverse_transform[i];
  domain.cells_fft().Inverse(span);  // modulo Y^64 it is P_m
}

}  // namespace

Coefficients RecoverCoefficients(absl::Span<const uint64_t> indices, absl::Span<const Fr> elements,
                                 const Setup& setup, Executor* executor) {
  const Domain& domain = setup.domain();
  const Eraser eraser = MakeEraser(indices, domain);
  // residues[i * 64 + m] = P_m(H_k) of the i-th given cell.
  std::vector<Fr> residues(elements.begin(), elements.end());
  RunRanges(executor, indices.size(), /*per_part_min=*/8, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      InterpolateCell(
          absl::MakeSpan(residues).subspan(i * kFieldElementsPerCell, kFieldElementsPerCell),
          indices[i], setup);
    }
  });
  Coefficients coefficients;
  coefficients.values.resize(kFieldElementsPerBlob);
  RunRanges(executor, kFieldElementsPerCell, /*per_part_min=*/4, [&](size_t begin, size_t end) {
    std::array<Fr, kCellsPerExtBlob> code;
    for (size_t m = begin; m < end; ++m) {
      code.fill(Fr::Zero());
      for (size_t i = 0; i < indices.size(); ++i) {
        code[BitReverseIndex(indices[i], kCellsLog2)] = residues[i * kFieldElementsPerCell + m];
      }
      if (SLIPWAY_MUTANT("kzg-recover-order")) std::swap(code[1], code[2]);
      Decode(code, eraser, domain);
      for (size_t j = 0; j < kCellsPerBlob; ++j) {
        coefficients.values[j * kFieldElementsPerCell + m] = code[j];
      }
    }
  });
  return coefficients;
}

}  // namespace slipway::kzg
