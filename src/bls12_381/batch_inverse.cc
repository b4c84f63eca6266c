// Montgomery's trick: one inversion and three products an element.
#include <vector>

#include "base/mutant.h"
#include "bls12_381/fp.h"
#include "bls12_381/fr.h"

namespace slipway::bls12_381 {
namespace {

template <class Field>
void BatchInverseOf(absl::Span<Field> values) {
  if (values.empty()) return;
  // before[i]: the product of the elements before i that are not zero.
  std::vector<Field> before(values.size());
  Field product = Field::One();
  for (size_t i = 0; i < values.size(); ++i) {
    before[i] = product;
    if (!values[i].IsZero() || SLIPWAY_MUTANT("bls-batch-inverse-zero")) {
      product = product * values[i];
    }
  }
  Field inverse = product.Inverse();
  for (size_t i = values.size(); i-- > 0;) {
    if (values[i].IsZero()) continue;
    const Field rest = inverse * values[i];
    values[i] = inverse * before[i];
    inverse = rest;
  }
}

}  // namespace

void BatchInverse(absl::Span<Fp> values) { BatchInverseOf(values); }
void BatchInverse(absl::Span<Fr> values) { BatchInverseOf(values); }

}  // namespace slipway::bls12_381
