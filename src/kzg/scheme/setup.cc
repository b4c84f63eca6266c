#include "kzg/scheme/setup.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/digest/sha256.h"
#include "base/status.h"
#include "bls12_381/encoding.h"
#include "bls12_381/msm.h"
#include "kzg/scheme/errors.h"
#include "kzg/scheme/tables.h"

namespace slipway::kzg {
namespace {

using bls12_381::G2Prepared;
using bls12_381::PointError;

// Vectors that own what SetupPoints shows.
struct OwnedPoints {
  std::vector<G1Affine> lagrange, monomial;
  std::vector<G2Affine> g2;
};

// The error of the first point of a section that is wrong.
absl::Status FirstError(absl::Span<const PointError> errors, absl::string_view title) {
  for (size_t i = 0; i < errors.size(); ++i) {
    if (errors[i] == PointError::kOk) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("read setup: ", title, " ", i, ": ", bls12_381::PointErrorText(errors[i])));
  }
  return absl::OkStatus();
}

absl::Status DecodeG1Section(BytesView bytes, absl::string_view title, absl::Span<G1Affine> out,
                             Executor* executor) {
  std::vector<BytesView> encoded(out.size());
  for (size_t i = 0; i < out.size(); ++i) encoded[i] = bytes.subspan(i * kBytesPerG1, kBytesPerG1);
  std::vector<PointError> errors(out.size(), PointError::kOk);
  RunRanges(executor, out.size(), /*per_part_min=*/64, [&](size_t begin, size_t end) {
    bls12_381::DecompressG1List(absl::MakeSpan(encoded).subspan(begin, end - begin),
                                out.subspan(begin, end - begin),
                                absl::MakeSpan(errors).subspan(begin, end - begin));
  });
  return FirstError(errors, title);
}

absl::Status DecodeG2Section(BytesView bytes, absl::Span<G2Affine> out, Executor* executor) {
  std::vector<PointError> errors(out.size(), PointError::kOk);
  RunRanges(executor, out.size(), /*per_part_min=*/8, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      errors[i] = bls12_381::DecompressG2(bytes.subspan(i * kBytesPerG2, kBytesPerG2), &out[i]);
    }
  });
  return FirstError(errors, "G2 point");
}

constexpr size_t kLagrangeBytes = kSetupG1Points * kBytesPerG1;
constexpr size_t kG2SectionBytes = kSetupG2Points * kBytesPerG2;

}  // namespace

const SetupId kEthereumSetupId = {0x60, 0x8a, 0xc7, 0x20, 0xba, 0x55, 0xfc, 0x77, 0xf6, 0x5d, 0x15,
                                  0x53, 0x91, 0x02, 0x0f, 0xc5, 0xb0, 0x50, 0x1d, 0xb2, 0x66, 0xa3,
                                  0xe3, 0x60, 0xe7, 0x34, 0xd6, 0xc0, 0xdb, 0x0d, 0xfa, 0xe3};

SetupId SetupIdOf(BytesView bytes) { return base::Sha256Of(bytes); }

absl::StatusOr<SetupPoints> DecodeSetup(BytesView bytes, Executor* executor) {
  if (bytes.size() != kSetupBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "read setup: ", bytes.size(), " bytes of points; there must be ", kSetupBytes));
  }
  auto owned = std::make_shared<OwnedPoints>();
  std::vector<G1Affine> natural(kSetupG1Points, G1Affine::Identity());
  owned->monomial.assign(kSetupG1Points, G1Affine::Identity());
  owned->g2.assign(kSetupG2Points, G2Affine::Identity());
  SLIPWAY_RETURN_IF_ERROR(DecodeG1Section(bytes.subspan(0, kLagrangeBytes),
                                          "G1 point in Lagrange form", absl::MakeSpan(natural),
                                          executor));
  SLIPWAY_RETURN_IF_ERROR(DecodeG2Section(bytes.subspan(kLagrangeBytes, kG2SectionBytes),
                                          absl::MakeSpan(owned->g2), executor));
  SLIPWAY_RETURN_IF_ERROR(DecodeG1Section(bytes.subspan(kLagrangeBytes + kG2SectionBytes),
                                          "G1 point in monomial form",
                                          absl::MakeSpan(owned->monomial), executor));
  owned->lagrange.resize(kSetupG1Points);
  for (size_t i = 0; i < kSetupG1Points; ++i) {
    owned->lagrange[i] = natural[BitReverseIndex(i, kBlobLog2)];
  }
  return SetupPoints{owned->lagrange, owned->g2, owned->monomial, owned};
}

base::Bytes EncodeSetup(const SetupPoints& points, Executor* executor) {
  base::Bytes bytes(kSetupBytes);
  const absl::Span<uint8_t> out = absl::MakeSpan(bytes);
  RunRanges(executor, kSetupG1Points, /*per_part_min=*/256, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      bls12_381::Compress(points.g1_lagrange[BitReverseIndex(i, kBlobLog2)],
                          out.subspan(i * kBytesPerG1, kBytesPerG1));
      bls12_381::Compress(
          points.g1_monomial[i],
          out.subspan(kLagrangeBytes + kG2SectionBytes + i * kBytesPerG1, kBytesPerG1));
    }
  });
  for (size_t i = 0; i < kSetupG2Points; ++i) {
    bls12_381::Compress(points.g2_monomial[i],
                        out.subspan(kLagrangeBytes + i * kBytesPerG2, kBytesPerG2));
  }
  return bytes;
}

struct Setup::Prepared {
  G2Prepared one, s, s64;
};

std::shared_ptr<const Setup> Setup::Make(SetupPoints points, const SetupId& id,
                                         std::shared_ptr<const ProvingTables> tables) {
  SLIPWAY_CHECK(points.g1_lagrange.size() == kSetupG1Points);
  SLIPWAY_CHECK(points.g1_monomial.size() == kSetupG1Points);
  SLIPWAY_CHECK(points.g2_monomial.size() == kSetupG2Points);
  std::shared_ptr<Setup> setup(new Setup);
  auto prepared = std::make_shared<Prepared>();
  prepared->one = G2Prepared(points.g2_monomial[0]);
  prepared->s = G2Prepared(points.g2_monomial[1]);
  prepared->s64 = G2Prepared(points.g2_monomial[kFieldElementsPerCell]);
  setup->prepared_ = std::move(prepared);
  setup->points_ = std::move(points);
  setup->id_ = id;
  setup->tables_ = std::move(tables);
  setup->domain_ = std::make_shared<const Domain>();
  setup->group_fft_ = std::make_shared<const bls12_381::G1Fft>(kCellsLog2);
  return setup;
}

std::shared_ptr<const Setup> Setup::WithTables(std::shared_ptr<const ProvingTables> tables) const {
  std::shared_ptr<Setup> setup(new Setup(*this));
  setup->tables_ = std::move(tables);
  return setup;
}

G1 Setup::Commit(const Evaluations& polynomial, Executor* executor) const {
  if (tables_ != nullptr) return tables_->Commit(polynomial.values, executor);
  // Parts of a fixed size, whatever the threads: each is a sum of its own.
  constexpr size_t kParts = 2;
  const size_t parts = WidthOf(executor) > 1 ? kParts : 1;
  const size_t count = kFieldElementsPerBlob / parts;
  std::vector<G1> sums(parts);
  Run(executor, parts, [&](size_t i) {
    sums[i] = bls12_381::Msm(points_.g1_lagrange.subspan(i * count, count),
                             absl::MakeSpan(polynomial.values).subspan(i * count, count));
  });
  G1 sum = G1::Identity();
  for (const G1& part : sums) sum = sum + part;
  return sum;
}

G1 Setup::CommitCell(absl::Span<const Fr> coefficients) const {
  if (tables_ != nullptr) return tables_->CommitCell(coefficients);
  return bls12_381::Msm(points_.g1_monomial.subspan(0, kFieldElementsPerCell), coefficients);
}

bool Setup::PairingHolds(const G1& left, const G1& right, size_t power) const {
  SLIPWAY_CHECK(power == 1 || power == kFieldElementsPerCell);
  const std::array<G1, 2> sides = {left, -right};
  std::array<G1Affine, 2> affine;
  G1::BatchToAffine(sides, absl::MakeSpan(affine));
  const std::array<const G2Prepared*, 2> g2 = {&prepared_->one,
                                               power == 1 ? &prepared_->s : &prepared_->s64};
  return bls12_381::PairingProductIsOne(affine, g2);
}

// ---- Verification ----

namespace {

// Scalars that nobody could know before `seed` was drawn.
std::vector<Fr> RandomScalars(const Bytes32& seed, size_t count) {
  std::vector<Fr> scalars(count);
  for (size_t i = 0; i < count; ++i) {
    base::Sha256 hash;
    hash.Update(seed);
    const auto low = static_cast<uint8_t>(i);
    const auto high = static_cast<uint8_t>(i >> 8);
    hash.Update(std::array<uint8_t, 2>{high, low});
    scalars[i] = Fr::FromBytesReduced(hash.Finish());
  }
  return scalars;
}

SetupCheck CheckGenerators(const SetupPoints& points) {
  SetupCheck check{.name = "generators"};
  if (points.g1_monomial[0] != G1Affine::Generator()) {
    check.detail = "the first G1 point in monomial form is not the generator of G1";
  } else if (points.g2_monomial[0] != G2Affine::Generator()) {
    check.detail = "the first G2 point is not the generator of G2";
  }
  check.ok = check.detail.empty();
  return check;
}

// e(sum rho_i g1[i+1], g2[0]) = e(sum rho_i g1[i], g2[1])
SetupCheck CheckG1Powers(const Setup& setup, absl::Span<const Fr> rho) {
  SetupCheck check{.name = "powers of G1"};
  const absl::Span<const G1Affine> g1 = setup.points().g1_monomial;
  const absl::Span<const Fr> weights = rho.subspan(0, g1.size() - 1);
  check.ok = setup.PairingHolds(bls12_381::Msm(g1.subspan(1), weights),
                                bls12_381::Msm(g1.subspan(0, g1.size() - 1), weights), 1);
  if (!check.ok) {
    check.detail = "the G1 points in monomial form are not the powers of one secret number";
  }
  return check;
}

// e(g1[0], sum rho_i g2[i+1]) = e(g1[1], sum rho_i g2[i])
SetupCheck CheckG2Powers(const Setup& setup, absl::Span<const Fr> rho) {
  SetupCheck check{.name = "powers of G2"};
  const absl::Span<const G2Affine> g2 = setup.points().g2_monomial;
  const absl::Span<const Fr> weights = rho.subspan(0, g2.size() - 1);
  const std::array<G2Prepared, 2> sums = {
      G2Prepared(bls12_381::Msm(g2.subspan(1), weights).ToAffine()),
      G2Prepared(bls12_381::Msm(g2.subspan(0, g2.size() - 1), weights).ToAffine())};
  const std::array<G1Affine, 2> g1 = {setup.points().g1_monomial[0],
                                      -setup.points().g1_monomial[1]};
  check.ok = bls12_381::PairingProductIsOne(g1, sums);
  if (!check.ok) {
    check.detail = "the G2 points are not the powers of the secret number of the G1 points";
  }
  return check;
}

// MSM(Lagrange, v) = MSM(monomial, IFFT(v))
SetupCheck CheckLagrange(const Setup& setup, absl::Span<const Fr> values, Executor* executor) {
  SetupCheck check{.name = "Lagrange form"};
  const Evaluations polynomial{{values.begin(), values.end()}};
  const Coefficients coefficients = setup.domain().Interpolate(polynomial);
  std::array<G1, 2> sums;
  Run(executor, 2, [&](size_t i) {
    sums[i] = i == 0 ? bls12_381::Msm(setup.points().g1_lagrange, polynomial.values)
                     : bls12_381::Msm(setup.points().g1_monomial, coefficients.values);
  });
  check.ok = sums[0] == sums[1];
  if (!check.ok) {
    check.detail = "the G1 points in Lagrange form do not belong to those in monomial form";
  }
  return check;
}

}  // namespace

std::vector<SetupCheck> VerifySetup(const Setup& setup, const Bytes32& seed, Executor* executor) {
  const std::vector<Fr> random = RandomScalars(seed, kSetupG1Points);
  std::vector<SetupCheck> checks(4);
  Run(executor, 3, [&](size_t i) {
    if (i == 0) checks[0] = CheckGenerators(setup.points());
    if (i == 1) checks[1] = CheckG1Powers(setup, random);
    if (i == 2) checks[2] = CheckG2Powers(setup, random);
  });
  checks[3] = CheckLagrange(setup, random, executor);
  return checks;
}

}  // namespace slipway::kzg
