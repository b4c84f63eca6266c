#include "kzg/scheme/domain.h"

#include <utility>

#include "base/check.h"
#include "base/mutant.h"

namespace slipway::kzg {
namespace {

std::vector<Fr> Powers(const Fr& base, size_t count) {
  std::vector<Fr> powers(count);
  Fr power = Fr::One();
  for (Fr& p : powers) {
    p = power;
    power *= base;
  }
  return powers;
}

}  // namespace

Domain::Domain()
    : blob_fft_(kBlobLog2),
      cells_fft_(kCellsLog2),
      cell_fft_(kCellLog2),
      points_(kFieldElementsPerBlob),
      fold_(kFieldElementsPerBlob / 2),
      coset_shifts_(kCellsPerExtBlob),
      coset_shift_inverses_(kCellsPerExtBlob),
      coset_powers_(kCellsPerExtBlob),
      blob_size_inverse_(Fr::FromUint64(kFieldElementsPerBlob).Inverse()) {
  const std::vector<Fr> roots = Powers(Fr::RootOfUnity(kBlobLog2), kFieldElementsPerBlob);
  for (size_t i = 0; i < kFieldElementsPerBlob; ++i) {
    points_[i] = roots[BitReverseIndex(i, kBlobLog2)];
  }
  for (size_t i = 0; i < fold_.size(); ++i) {
    const size_t power = BitReverseIndex(i, kBlobLog2 - 1);
    fold_[i] = roots[(kFieldElementsPerBlob - power) % kFieldElementsPerBlob];
  }
  const std::vector<Fr> ext = Powers(Fr::RootOfUnity(kExtBlobLog2), kFieldElementsPerExtBlob);
  ext_roots_.assign(ext.begin(), ext.begin() + kFieldElementsPerBlob);
  const std::vector<Fr> cells = Powers(Fr::RootOfUnity(kCellsLog2), kCellsPerExtBlob);
  for (size_t k = 0; k < kCellsPerExtBlob; ++k) {
    const size_t reversed = BitReverseIndex(k, kCellsLog2);
    coset_shifts_[k] = ext[reversed];
    coset_shift_inverses_[k] =
        ext[(kFieldElementsPerExtBlob - reversed) % kFieldElementsPerExtBlob];
    coset_powers_[k] = cells[reversed];
  }
}

Fr Domain::Evaluate(const Evaluations& polynomial, const Fr& z) const {
  SLIPWAY_CHECK(polynomial.values.size() == kFieldElementsPerBlob);
  std::vector<Fr> folded(kFieldElementsPerBlob / 2);
  const Fr* from = polynomial.values.data();
  Fr power = z;
  for (size_t count = kFieldElementsPerBlob / 2; count > 0; count /= 2) {
    for (size_t i = 0; i < count; ++i) {
      const Fr a = from[2 * i];
      const Fr b = from[2 * i + 1];
      folded[i] = (a + b) + (a - b) * (fold_[i] * power);
    }
    from = folded.data();
    power = power.Square();
  }
  return folded[0] * blob_size_inverse_;
}

Evaluations Domain::Quotient(const Evaluations& polynomial, const Fr& z, const Fr& y) const {
  const std::vector<Fr>& p = polynomial.values;
  SLIPWAY_CHECK(p.size() == kFieldElementsPerBlob);
  std::vector<Fr> inverses(p.size());
  for (size_t i = 0; i < p.size(); ++i) inverses[i] = points_[i] - z;
  bls12_381::BatchInverse(absl::MakeSpan(inverses));  // zero stays zero
  Evaluations quotient;
  quotient.values.resize(p.size());
  size_t inside = p.size();
  Fr sum = Fr::Zero();
  for (size_t i = 0; i < p.size(); ++i) {
    if (inverses[i].IsZero()) inside = i;
    quotient.values[i] = (p[i] - y) * inverses[i];
  }
  if (inside == p.size()) return quotient;
  // z is a point m of the domain, where the quotient is 0/0: q_m = -z^-1 sum of q_i w_i (K61).
  for (size_t i = 0; i < p.size(); ++i) sum += quotient.values[i] * points_[i];
  quotient.values[inside] = -(sum * z.Inverse());
  if (SLIPWAY_MUTANT("kzg-quotient-in-domain")) quotient.values[inside] = Fr::Zero();
  return quotient;
}

Coefficients Domain::Interpolate(const Evaluations& polynomial) const {
  Coefficients coefficients{polynomial.values};
  blob_fft_.InverseFromBitReversed(absl::MakeSpan(coefficients.values));
  return coefficients;
}

}  // namespace slipway::kzg
