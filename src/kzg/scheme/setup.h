// A trusted setup in memory: what every function of the scheme rests on. Any number of them may
// live at once (K73). Immutable, so thread-safe.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "bls12_381/g1.h"
#include "bls12_381/g1_fft.h"
#include "bls12_381/g2.h"
#include "bls12_381/pairing.h"
#include "kzg/scheme/domain.h"
#include "kzg/scheme/executor.h"
#include "kzg/scheme/types.h"

namespace slipway::kzg {

using bls12_381::G1;
using bls12_381::G1Affine;
using bls12_381::G2Affine;

class ProvingTables;

// SHA-256 of the setup's 399,456 compressed bytes in file order (K56).
using SetupId = std::array<uint8_t, 32>;
SetupId SetupIdOf(BytesView bytes);
// That of the Ethereum ceremony, whose points need no verification.
extern const SetupId kEthereumSetupId;

// The points of a setup. They are borrowed: `owner` keeps them alive.
struct SetupPoints {
  absl::Span<const G1Affine> g1_lagrange;  // bit-reversed order (K57)
  absl::Span<const G2Affine> g2_monomial;
  absl::Span<const G1Affine> g1_monomial;
  std::shared_ptr<const void> owner;
};

// Decodes `bytes` (what ParseSetup gives) and checks every point: on the curve, in the subgroup.
// InvalidArgument names the section and the index of the first that is not.
absl::StatusOr<SetupPoints> DecodeSetup(BytesView bytes, Executor* executor = nullptr);
// The inverse of DecodeSetup.
base::Bytes EncodeSetup(const SetupPoints& points, Executor* executor = nullptr);

class Setup {
 public:
  // CHECK: the counts of the spans. Without tables everything works, proving slowly.
  static std::shared_ptr<const Setup> Make(SetupPoints points, const SetupId& id,
                                           std::shared_ptr<const ProvingTables> tables = nullptr);
  // The same setup with these tables (K64: verification is ready before they are).
  std::shared_ptr<const Setup> WithTables(std::shared_ptr<const ProvingTables> tables) const;

  const SetupId& id() const { return id_; }
  const SetupPoints& points() const { return points_; }
  const ProvingTables* tables() const { return tables_.get(); }
  const Domain& domain() const { return *domain_; }
  // Over 128 points.
  const bls12_381::G1Fft& group_fft() const { return *group_fft_; }

  // The sum of scalars[i] times the i-th Lagrange point: the commitment to evaluations.
  G1 Commit(const Evaluations& polynomial, Executor* executor) const;
  // The commitment to a polynomial of degree < 64 by its coefficients.
  G1 CommitCell(absl::Span<const Fr> coefficients) const;
  // Whether e(left, G2) = e(right, s^power G2), for power 1 or 64: one Miller loop.
  bool PairingHolds(const G1& left, const G1& right, size_t power) const;

 private:
  struct Prepared;  // lines of the three points of G2 that verification pairs with
  Setup() = default;

  SetupPoints points_;
  SetupId id_{};
  std::shared_ptr<const ProvingTables> tables_;
  std::shared_ptr<const Domain> domain_;
  std::shared_ptr<const bls12_381::G1Fft> group_fft_;
  std::shared_ptr<const Prepared> prepared_;
};

// ---- Verification of a setup from an unknown hand (K58) ----

// What a check found.
struct SetupCheck {
  std::string name;  // "powers of G1"
  bool ok = false;
  std::string detail;  // why not
};
// All of K58 but the subgroup checks, which DecodeSetup did: generators, powers of G1 and of G2,
// Lagrange against monomial form. `seed`: unpredictable to whoever made the setup.
std::vector<SetupCheck> VerifySetup(const Setup& setup, const Bytes32& seed, Executor* executor);

}  // namespace slipway::kzg
