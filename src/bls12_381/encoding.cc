#include "bls12_381/encoding.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/mutant.h"
#include "bls12_381/bucket_sums.h"
#include "bls12_381/curve_constants.h"
#include "bls12_381/g1_ifma.h"

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

// Everything up to the square root: kOk with `infinity`, or with the coordinate `x`.
PointError ReadG1(absl::Span<const uint8_t> bytes, bool* infinity, Fp* x) {
  if (bytes.size() != kG1Bytes) return PointError::kWrongLength;
  const PointError error = CheckFlags(bytes, infinity);
  if (error != PointError::kOk || *infinity) return error;
  const std::optional<Fp> first = ReadFirst(bytes);
  if (!first.has_value()) return PointError::kXTooLarge;
  *x = *first;
  return PointError::kOk;
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

// ---- Lists: the same steps for many points side by side ----

// From so many points on a list is worth its set-up, in lanes and without, and so many are worked
// on at once.
constexpr size_t kListMinInLanes = 3;
constexpr size_t kListMin = 48;
constexpr size_t kListMax = 256;

// The exponent (p + 1) / 4 of square roots as runs: so many squarings, then times an odd power
// below 2^kRootWindow, whose index (power - 1) / 2 is given; or no product after the last
// squarings.
constexpr int kRootWindow = 5;
struct RootStep {
  int squarings;
  int odd_index;  // -1: none
};

std::vector<RootStep> PlanRoot() {
  std::array<uint64_t, 6> exponent;
  uint64_t carry = 1;
  for (size_t i = 0; i < 6; ++i) exponent[i] = internal::AddCarry(kFpModulus[i], 0, carry);
  const auto bit = [&exponent](int at) {  // of the quotient by 4
    const size_t shifted = static_cast<size_t>(at) + 2;
    return static_cast<int>(exponent[shifted / 64] >> (shifted % 64) & 1);
  };
  std::vector<RootStep> steps;
  int squarings = 0;
  for (int at = 378; at >= 0; --at) {
    ++squarings;
    if (bit(at) == 0) continue;
    int low = std::max(at - kRootWindow + 1, 0);
    while (bit(low) == 0) ++low;
    int power = 0;
    for (int i = at; i >= low; --i) power = 2 * power + bit(i);
    steps.push_back({squarings + at - low, power / 2});
    squarings = 0;
    at = low;
  }
  if (squarings != 0) steps.push_back({squarings, -1});
  return steps;
}

struct ListScratch {
  std::vector<size_t> index;  // of the points that have an x, in the list
  std::vector<Fp> x, square, root, check;
  std::array<std::vector<Fp>, size_t{1} << (kRootWindow - 1)> odd_powers;
};

#if defined(__x86_64__)
constexpr size_t kLanes = 8;

void FindRootsInLanes(ListScratch& scratch) {
  const size_t count = scratch.square.size();
  const size_t padded = (count + kLanes - 1) / kLanes * kLanes;
  scratch.square.resize(padded, Fp::Zero());
  scratch.root.resize(padded);
  internal::RootCandidatesIfma(scratch.root.data(), scratch.square.data(), padded / kLanes);
  scratch.square.resize(count);
  scratch.root.resize(count);
  scratch.check.resize(count);
  SquareBatch(absl::MakeSpan(scratch.check), scratch.root);
}

// The check of G1Affine::IsInSubgroup for the points of the list that were decoded; a list that
// does not fill the lanes is filled up with its first point.
void CheckSubgroupsInLanes(const ListScratch& list, absl::Span<const G1Affine> points,
                           absl::Span<PointError> errors) {
  std::array<Fp, kLanes> x;
  std::array<Fp, kLanes> y;
  std::array<internal::JacobianPoint, kLanes> product;
  for (size_t start = 0; start < list.index.size(); start += kLanes) {
    const size_t count = std::min(kLanes, list.index.size() - start);
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const G1Affine& point = points[list.index[start + (lane < count ? lane : 0)]];
      x[lane] = point.x;
      y[lane] = point.y;
    }
    internal::ParameterSquaredTimesIfma(product.data(), x.data(), y.data(), 1);
    for (size_t lane = 0; lane < count; ++lane) {
      const internal::JacobianPoint& p = product[lane];
      const Fp z_squared = p.z.Square();
      const bool is_in = p.z.IsZero() ? points[list.index[start + lane]].IsInSubgroup()
                                      : p.x == x[lane] * internal::kBetaSquared * z_squared &&
                                            p.y == -y[lane] * z_squared * p.z;
      if (is_in || SLIPWAY_MUTANT("bls-no-subgroup-list")) continue;
      errors[list.index[start + lane]] = PointError::kNotInSubgroup;
    }
  }
}
#endif

// scratch.root = what is a root of each of scratch.square, if there is one.
void FindRoots(ListScratch& scratch) {
#if defined(__x86_64__)
  if (internal::g_use_ifma) return FindRootsInLanes(scratch);
#endif
  static const auto* const plan = new std::vector<RootStep>(PlanRoot());
  const size_t count = scratch.square.size();
  scratch.root.resize(count);
  scratch.check.resize(count);
  const absl::Span<Fp> root = absl::MakeSpan(scratch.root);
  for (std::vector<Fp>& powers : scratch.odd_powers) powers.resize(count);
  scratch.odd_powers[0] = scratch.square;
  SquareBatch(root, scratch.square);
  for (size_t i = 1; i < scratch.odd_powers.size(); ++i) {
    MulBatch(absl::MakeSpan(scratch.odd_powers[i]), scratch.odd_powers[i - 1], root);
  }
  bool started = false;
  for (const RootStep& step : *plan) {
    for (int i = 0; started && i < step.squarings; ++i) SquareBatch(root, root);
    if (step.odd_index < 0) continue;
    const std::vector<Fp>& power = scratch.odd_powers[static_cast<size_t>(step.odd_index)];
    if (started) {
      MulBatch(root, root, power);
    } else {
      scratch.root = power;
    }
    started = true;
  }
  SquareBatch(absl::MakeSpan(scratch.check), root);
}

// [|x|] of all points of `product`, in place; `base` keeps what they were.
void MultiplyAll(std::vector<G1Entry>& product, std::vector<G1Entry>& base, BatchAdder& adder) {
  base = product;
  for (int bit = 62; bit >= 0; --bit) {
    for (G1Entry& point : product) adder.Double(point, &point);
    adder.Flush();
    if ((internal::kParameter >> bit & 1) == 0) continue;
    for (size_t i = 0; i < base.size(); ++i) adder.Add(product[i], base[i], &product[i]);
    adder.Flush();
  }
}

// The check of G1Affine::IsInSubgroup for the points of the list that were decoded.
void CheckSubgroups(const ListScratch& list, absl::Span<const G1Affine> points,
                    absl::Span<PointError> errors) {
#if defined(__x86_64__)
  if (internal::g_use_ifma) return CheckSubgroupsInLanes(list, points, errors);
#endif
  const internal::BucketScratch::Lease scratch = internal::BucketScratch::Borrow();
  std::vector<G1Entry>& product = scratch->points;
  product.clear();
  for (const size_t i : list.index) product.push_back(G1Entry::FromAffine(points[i]));
  MultiplyAll(product, scratch->work, scratch->adder);
  MultiplyAll(product, scratch->work, scratch->adder);
  for (size_t k = 0; k < list.index.size(); ++k) {
    const G1Affine& point = points[list.index[k]];
    const G1Entry expected = {point.x * internal::kBetaSquared, -point.y};
    if (product[k] == expected || SLIPWAY_MUTANT("bls-no-subgroup-list")) continue;
    errors[list.index[k]] = PointError::kNotInSubgroup;
  }
}

void DecompressPart(absl::Span<const absl::Span<const uint8_t>> bytes, absl::Span<G1Affine> points,
                    absl::Span<PointError> errors) {
  thread_local ListScratch scratch;
  scratch.index.clear();
  scratch.x.clear();
  scratch.square.clear();
  std::array<G1Affine, kListMax> decoded;
  for (size_t i = 0; i < bytes.size(); ++i) {
    bool infinity;
    Fp x;
    errors[i] = ReadG1(bytes[i], &infinity, &x);
    if (errors[i] != PointError::kOk) continue;
    decoded[i] = G1Affine::Identity();
    if (infinity) continue;
    scratch.index.push_back(i);
    scratch.x.push_back(x);
    scratch.square.push_back(x.Square() * x + internal::kG1B);
  }
  FindRoots(scratch);
  size_t kept = 0;
  for (size_t k = 0; k < scratch.index.size(); ++k) {
    const size_t i = scratch.index[k];
    if (scratch.check[k] != scratch.square[k]) {
      errors[i] = PointError::kNotOnCurve;
      continue;
    }
    const Fp& y = scratch.root[k];
    const bool largest = (bytes[i][0] & kSign) != 0;
    decoded[i] = {scratch.x[k], y.IsLexicographicallyLargest() == largest ? y : -y, false};
    scratch.index[kept++] = i;
  }
  scratch.index.resize(kept);
  CheckSubgroups(scratch, decoded, errors);
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (errors[i] == PointError::kOk) points[i] = decoded[i];
  }
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
  bool infinity;
  Fp x;
  if (const PointError error = ReadG1(bytes, &infinity, &x); error != PointError::kOk) return error;
  if (infinity) {
    *point = G1Affine::Identity();
    return PointError::kOk;
  }
  return FinishPoint(x, internal::kG1B, (bytes[0] & kSign) != 0, point);
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

void DecompressG1List(absl::Span<const absl::Span<const uint8_t>> bytes,
                      absl::Span<G1Affine> points, absl::Span<PointError> errors) {
  SLIPWAY_CHECK(points.size() == bytes.size());
  SLIPWAY_CHECK(errors.size() == bytes.size());
  const size_t list_min = internal::g_use_ifma ? kListMinInLanes : kListMin;
  for (size_t at = 0; at < bytes.size(); at += kListMax) {
    const auto part = bytes.subspan(at, kListMax);
    if (part.size() >= list_min) {
      DecompressPart(part, points.subspan(at, kListMax), errors.subspan(at, kListMax));
      continue;
    }
    for (size_t i = at; i < bytes.size(); ++i) errors[i] = DecompressG1(bytes[i], &points[i]);
  }
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
