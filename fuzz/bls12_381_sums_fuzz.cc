// Sums over few points that meet in every way (K69): batched additions, sums of multiples and
// fixed-base tables against one addition after the other. Each byte of input names a small multiple
// of the generator or its negative; scalars come from the following byte.
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "base/check.h"
#include "bls12_381/batch_affine.h"
#include "bls12_381/fixed_base_table.h"
#include "bls12_381/msm.h"

namespace {

using namespace slipway::bls12_381;  // NOLINT: a program of its own

// [-7 … 8] of the generator, and infinity among them.
const std::array<G1Affine, 16>& Points() {
  static const auto* const points = [] {
    auto* all = new std::array<G1Affine, 16>;
    G1 running = G1::Generator() * -Fr::FromUint64(7);
    for (G1Affine& point : *all) {
      point = running.ToAffine();
      running = running + G1Affine::Generator();
    }
    return all;
  }();
  return *points;
}

// Small, near r, near the cut of the endomorphism, or large.
Fr ScalarOf(uint8_t byte) {
  const Fr small = Fr::FromUint64(byte >> 2);
  switch (byte & 3) {
    case 0:
      return small;
    case 1:
      return -small;
    case 2:
      return Fr::FromLimbs({0x00000000ffffffff, 0xac45a4010001a402, 0, 0}) * small;
    default:
      return Fr::FromLimbs({0, 0, 1, uint64_t{1} << (byte >> 2) % 62}) - small;
  }
}

void CheckAdder(const uint8_t* data, size_t size) {
  std::vector<G1Entry> sums(size);
  BatchAdder adder;
  for (size_t i = 0; i < size; ++i) {
    adder.Add(G1Entry::FromAffine(Points()[data[i] & 15]),
              G1Entry::FromAffine(Points()[data[i] >> 4]), &sums[i]);
  }
  adder.Flush();
  for (size_t i = 0; i < size; ++i) {
    const G1 sum = G1::FromAffine(Points()[data[i] & 15]) + Points()[data[i] >> 4];
    SLIPWAY_CHECK(sums[i].ToAffine() == sum.ToAffine());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 160) size = 160;
  CheckAdder(data, size);
  std::vector<G1Affine> points;
  std::vector<Fr> scalars;
  Fr expected = Fr::Zero();
  for (size_t i = 0; i + 1 < size; i += 2) {
    const uint8_t index = data[i] & 15;
    points.push_back(Points()[index]);
    scalars.push_back(ScalarOf(data[i + 1]));
    expected += scalars.back() * (Fr::FromUint64(index) - Fr::FromUint64(7));
  }
  const G1Affine sum = (G1::Generator() * expected).ToAffine();
  SLIPWAY_CHECK(Msm(points, scalars).ToAffine() == sum);
  SLIPWAY_CHECK(MultiplyGenerator(expected).ToAffine() == sum);
  if (points.empty() || points.size() > 40) return 0;
  const FixedBaseTable table({1, points.size(), 4 + static_cast<int>(size % 6)}, points,
                             CallerAlone());
  SLIPWAY_CHECK(table.Multiply(scalars, CallerAlone()).ToAffine() == sum);
  return 0;
}
