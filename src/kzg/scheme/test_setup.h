// What the tests of this folder share: setups whose secret number is known, random blobs, and slow
// ways to compute the same. For tests only.
#pragma once

#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "base/check.h"
#include "bls12_381/g1.h"
#include "kzg/scheme/domain.h"
#include "kzg/scheme/generate.h"
#include "kzg/scheme/setup.h"
#include "kzg/scheme/tables.h"

namespace slipway::kzg::testing {

// Of one secret number, decoded once a process.
inline const kzg::Setup& PlainSetup() {
  static const std::shared_ptr<const kzg::Setup> setup = [] {
    const base::Bytes bytes = GenerateInsecureSetup(7);
    absl::StatusOr<SetupPoints> points = DecodeSetup(bytes);
    SLIPWAY_CHECK(points.ok());
    return kzg::Setup::Make(*std::move(points), SetupIdOf(bytes));
  }();
  return *setup;
}
// The same with tables.
inline const kzg::Setup& TabledSetup() {
  static const std::shared_ptr<const kzg::Setup> setup =
      PlainSetup().WithTables(ProvingTables::Build(
          PlainSetup(), {.blob_bits = 10, .cell_bits = 7, .lane_bits = 6}, nullptr));
  return *setup;
}

inline Fr RandomFr(std::mt19937_64& random) {
  return Fr::FromLimbs({random(), random(), random(), random()});
}

inline base::Bytes BlobOf(const std::vector<Fr>& elements) {
  base::Bytes blob(kBytesPerBlob);
  for (size_t i = 0; i < elements.size(); ++i) {
    elements[i].ToBytes(
        absl::MakeSpan(blob).subspan(i * kBytesPerFieldElement, kBytesPerFieldElement));
  }
  return blob;
}

// Kinds of blobs that meet special cases: zeros, constants, few values, extreme values, random
// ones.
inline base::Bytes SomeBlob(std::mt19937_64& random, int kind) {
  std::vector<Fr> elements(kFieldElementsPerBlob, Fr::Zero());
  const Fr some = RandomFr(random);
  for (size_t i = 0; i < elements.size(); ++i) {
    switch (kind) {
      case 0:
        break;
      case 1:
        elements[i] = some;
        break;
      case 2:
        elements[i] = i % 512 == 3 ? RandomFr(random) : Fr::Zero();
        break;
      case 3:
        elements[i] = std::vector<Fr>{Fr::Zero(), Fr::One(), -Fr::One(), some}[random() % 4];
        break;
      default:
        elements[i] = RandomFr(random);
    }
  }
  return BlobOf(elements);
}
inline constexpr int kBlobKinds = 5;

inline std::vector<Fr> ElementsOf(BytesView blob) {
  std::vector<Fr> elements;
  for (size_t i = 0; i < blob.size(); i += kBytesPerFieldElement) {
    elements.push_back(*Fr::FromBytes(blob.subspan(i, kBytesPerFieldElement)));
  }
  return elements;
}

// P(x) of the polynomial whose values are the blob's, by the Lagrange formula term by term; x
// outside the domain.
inline Fr LagrangeValue(BytesView blob, const Fr& x, const Domain& domain) {
  const std::vector<Fr> p = ElementsOf(blob);
  Fr sum = Fr::Zero();
  for (size_t i = 0; i < p.size(); ++i) {
    sum += p[i] * domain.points()[i] * (x - domain.points()[i]).Inverse();
  }
  Fr power = x;
  for (int i = 0; i < kBlobLog2; ++i) power = power.Square();
  return sum * (power - Fr::One()) * Fr::FromUint64(kFieldElementsPerBlob).Inverse();
}

}  // namespace slipway::kzg::testing
