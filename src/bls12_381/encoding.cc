#include "bls12_381/encoding.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/check.h"
#include "base/mutant.h"
#include "bls12_381/curve_constants.h"

namespace slipway::bls12_381 {
namespace {

constexpr uint8_t kCompressed = 0x80;
constexpr uint8_t kInfinity = 0x40;
constexpr uint8_t kSign = 0x20;
constexpr uint8_t kFlags = kCompressed | kInfinity | kSign;

// What the flags say, before x is looked at. kOk with `infinity` set: nothing more is to be read.
PointError CheckFlags(absl::Span<const uint8_t> bytes, bool* infinity) {
  *infinity = false;
  if ((bytes[0] & kCompressed) == 0) return PointError::kNotCompressed;
  if ((bytes[0] & kInfinity) == 0) return PointError::kOk;
  *infinity = true;
  if (SLIPWAY_MUTANT("bls-infinity-bits")) return PointError::kOk;
  const bool rest_is_zero =
      std::all_of(bytes.begin() + 1, bytes.end(), [](uint8_t b) { return b == 0; });
  return bytes[0] == (kCompressed | kInfinity) && rest_is_zero ? PointError::kOk
                                                               : PointError::kBadInfinity;
}

std::optional<Fp> ReadFirst(absl::Span<const uint8_t> bytes) {
  std::array<uint8_t, Fp::kBytes> plain;
  std::copy_n(bytes.begin(), plain.size(), plain.begin());
  plain[0] = static_cast<uint8_t>(plain[0] & ~kFlags);
  return Fp::FromBytes(plain);
}

template <class F>
PointError FinishPoint(const F& x, const F& b, bool largest, AffinePoint<F>* point) {
  const std::optional<F> y = (x.Square() * x + b).Sqrt();
  if (!y.has_value()) return PointError::kNotOnCurve;
  *point = {x, y->IsLexicographicallyLargest() == largest ? *y : -*y, false};
  return PointError::kOk;
}

template <class F>
PointError CheckSubgroup(PointError before, const AffinePoint<F>& point) {
  if (before != PointError::kOk) return before;
  return point.IsInSubgroup() ? PointError::kOk : PointError::kNotInSubgroup;
}

template <class F>
uint8_t FlagsOf(const AffinePoint<F>& point) {
  if (point.infinity) return kCompressed | kInfinity;
  return point.y.IsLexicographicallyLargest() ? kCompressed | kSign : kCompressed;
}

}  // namespace

absl::string_view PointErrorText(PointError error) {
  switch (error) {
    case PointError::kOk:
      return "is a point of the subgroup";
    case PointError::kWrongLength:
      return "has the wrong length";
    case PointError::kNotCompressed:
      return "is not in compressed form";
    case PointError::kBadInfinity:
      return "has the flag of infinity and other bits";
    case PointError::kXTooLarge:
      return "has a coordinate that is not below the modulus";
    case PointError::kNotOnCurve:
      return "is not on the curve";
    case PointError::kNotInSubgroup:
      return "is not in the subgroup of prime order";
  }
  return "is malformed";
}

PointError DecompressG1Unchecked(absl::Span<const uint8_t> bytes, G1Affine* point) {
  if (bytes.size() != kG1Bytes) return PointError::kWrongLength;
  bool infinity;
  if (const PointError error = CheckFlags(bytes, &infinity); error != PointError::kOk) return error;
  if (infinity) {
    *point = G1Affine::Identity();
    return PointError::kOk;
  }
  const std::optional<Fp> x = ReadFirst(bytes);
  if (!x.has_value()) return PointError::kXTooLarge;
  return FinishPoint(*x, internal::kG1B, (bytes[0] & kSign) != 0, point);
}

PointError DecompressG2Unchecked(absl::Span<const uint8_t> bytes, G2Affine* point) {
  if (bytes.size() != kG2Bytes) return PointError::kWrongLength;
  bool infinity;
  if (const PointError error = CheckFlags(bytes, &infinity); error != PointError::kOk) return error;
  if (infinity) {
    *point = G2Affine::Identity();
    return PointError::kOk;
  }
  const std::optional<Fp> c1 = ReadFirst(bytes);
  const std::optional<Fp> c0 = Fp::FromBytes(bytes.subspan(Fp::kBytes));
  if (!c1.has_value() || !c0.has_value()) return PointError::kXTooLarge;
  return FinishPoint(Fp2{*c0, *c1}, Fp2{internal::kG1B, internal::kG1B}, (bytes[0] & kSign) != 0,
                     point);
}

PointError DecompressG1(absl::Span<const uint8_t> bytes, G1Affine* point) {
  G1Affine candidate;
  const PointError error = CheckSubgroup(DecompressG1Unchecked(bytes, &candidate), candidate);
  if (error == PointError::kOk) *point = candidate;
  return error;
}

PointError DecompressG2(absl::Span<const uint8_t> bytes, G2Affine* point) {
  G2Affine candidate;
  const PointError error = CheckSubgroup(DecompressG2Unchecked(bytes, &candidate), candidate);
  if (error == PointError::kOk) *point = candidate;
  return error;
}

void Compress(const G1Affine& point, absl::Span<uint8_t> bytes) {
  SLIPWAY_CHECK(bytes.size() == kG1Bytes);
  (point.infinity ? Fp::Zero() : point.x).ToBytes(bytes);
  bytes[0] = static_cast<uint8_t>(bytes[0] | FlagsOf(point));
}

void Compress(const G2Affine& point, absl::Span<uint8_t> bytes) {
  SLIPWAY_CHECK(bytes.size() == kG2Bytes);
  (point.infinity ? Fp::Zero() : point.x.c1).ToBytes(bytes.first(Fp::kBytes));
  (point.infinity ? Fp::Zero() : point.x.c0).ToBytes(bytes.subspan(Fp::kBytes));
  bytes[0] = static_cast<uint8_t>(bytes[0] | FlagsOf(point));
}

}  // namespace slipway::bls12_381
