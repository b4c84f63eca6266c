#include "kzg/scheme/generate.h"

#include <array>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/digest/sha256.h"
#include "bls12_381/encoding.h"
#include "bls12_381/g1.h"
#include "bls12_381/g2.h"
#include "kzg/scheme/domain.h"
#include "kzg/scheme/types.h"

namespace slipway::kzg {
namespace {

using bls12_381::G1;
using bls12_381::G1Affine;
using bls12_381::G2;
using bls12_381::G2Affine;

// [scalar] of the generator for each, compressed, to `out`.
void WriteMultiples(absl::Span<const Fr> scalars, uint8_t* out, Executor* executor) {
  std::vector<G1> points(scalars.size());
  RunRanges(executor, scalars.size(), /*per_part_min=*/64, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) points[i] = bls12_381::MultiplyGenerator(scalars[i]);
  });
  std::vector<G1Affine> affine(points.size());
  G1::BatchToAffine(points, absl::MakeSpan(affine));
  for (size_t i = 0; i < affine.size(); ++i) {
    bls12_381::Compress(affine[i], absl::MakeSpan(out + i * kBytesPerG1, kBytesPerG1));
  }
}

}  // namespace

base::Bytes GenerateInsecureSetup(uint64_t seed, Executor* executor) {
  const std::string text = absl::StrCat("slipway insecure setup ", seed);
  const Fr s = Fr::FromBytesReduced(base::Sha256Of(base::AsBytes(text)));
  std::vector<Fr> powers(kSetupG1Points);
  std::vector<Fr> lagrange(kSetupG1Points);
  const Fr root = Fr::RootOfUnity(kBlobLog2);
  Fr power = Fr::One();
  Fr w = Fr::One();
  for (size_t i = 0; i < kSetupG1Points; ++i) {
    powers[i] = power;
    power *= s;
    lagrange[i] = s - w;
    w *= root;
  }
  // L_i(s) = w^i (s^n - 1) / (n (s - w^i)), with n = 4096; s is no root of unity.
  bls12_381::BatchInverse(absl::MakeSpan(lagrange));
  Fr factor = (power - Fr::One()) * Fr::FromUint64(kSetupG1Points).Inverse();
  for (Fr& value : lagrange) {
    value *= factor;
    factor *= root;
  }
  base::Bytes bytes(kSetupBytes);
  uint8_t* out = bytes.data();
  WriteMultiples(lagrange, out, executor);
  out += kSetupG1Points * kBytesPerG1;
  for (size_t i = 0; i < kSetupG2Points; ++i, out += kBytesPerG2) {
    bls12_381::Compress((G2Affine::Generator() * powers[i]).ToAffine(),
                        absl::MakeSpan(out, kBytesPerG2));
  }
  WriteMultiples(powers, out, executor);
  return bytes;
}

}  // namespace slipway::kzg
