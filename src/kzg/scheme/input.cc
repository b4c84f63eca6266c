#include "kzg/scheme/input.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutant.h"
#include "base/status.h"
#include "bls12_381/encoding.h"

namespace slipway::kzg {
namespace {

using bls12_381::PointError;

absl::string_view ReasonOf(PointError error) {
  switch (error) {
    case PointError::kWrongLength:
      return kInvalidLength;
    case PointError::kNotOnCurve:
      return kNotOnCurve;
    case PointError::kNotInSubgroup:
      return kNotInSubgroup;
    default:
      return kInvalidPointEncoding;
  }
}

// The elements of `bytes`, to `out`; the index of the first that is not below the order.
std::optional<size_t> ReadElements(BytesView bytes, absl::Span<Fr> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    const auto element =
        Fr::FromBytes(bytes.subspan(i * kBytesPerFieldElement, kBytesPerFieldElement));
    if (!element.has_value()) return i;
    out[i] = *element;
  }
  return std::nullopt;
}

absl::Status NotCanonical(const Where& where, size_t index) {
  return InputError(kNonCanonicalFieldElement,
                    absl::StrCat("read ", where.Text(), ": element ", index,
                                 " is not below the order of the field"));
}

}  // namespace

absl::StatusOr<Fr> ReadScalar(BytesView bytes, const Where& where) {
  SLIPWAY_RETURN_IF_ERROR(CheckLength(bytes, kBytesPerFieldElement, where));
  const auto scalar = Fr::FromBytes(bytes);
  if (scalar.has_value()) return *scalar;
  return InputError(
      kNonCanonicalFieldElement,
      absl::StrCat("read ", where.Text(), ": the number is not below the order of the field"));
}

absl::StatusOr<G1Affine> ReadPoint(BytesView bytes, const Where& where) {
  SLIPWAY_RETURN_IF_ERROR(CheckLength(bytes, kBytesPerG1, where));
  G1Affine point = G1Affine::Identity();
  PointError error = bls12_381::DecompressG1(bytes, &point);
  if (SLIPWAY_MUTANT("kzg-no-subgroup-check") && error == PointError::kNotInSubgroup) {
    error = bls12_381::DecompressG1Unchecked(bytes, &point);
  }
  if (error == PointError::kOk) return point;
  return InputError(ReasonOf(error),
                    absl::StrCat("read ", where.Text(), ": ", bls12_381::PointErrorText(error)));
}

absl::StatusOr<Evaluations> ReadBlob(BytesView blob, const Where& where) {
  SLIPWAY_RETURN_IF_ERROR(CheckBlobLength(blob, where));
  Evaluations evaluations;
  evaluations.values.resize(kFieldElementsPerBlob);
  const std::optional<size_t> wrong = ReadElements(blob, absl::MakeSpan(evaluations.values));
  if (wrong.has_value()) return NotCanonical(where, *wrong);
  return evaluations;
}

absl::Status ReadCell(BytesView cell, const Where& where, absl::Span<Fr> out) {
  SLIPWAY_RETURN_IF_ERROR(CheckLength(cell, kBytesPerCell, where));
  const std::optional<size_t> wrong = ReadElements(cell, out);
  return wrong.has_value() ? NotCanonical(where, *wrong) : absl::OkStatus();
}

absl::StatusOr<std::vector<G1Affine>> ReadPoints(absl::Span<const BytesView> list,
                                                 absl::string_view field, Executor* executor,
                                                 absl::Span<const size_t> items) {
  std::vector<G1Affine> points(list.size(), G1Affine::Identity());
  std::vector<absl::Status> statuses(list.size());
  std::vector<PointError> errors(list.size());
  RunRanges(executor, list.size(), /*per_part_min=*/32, [&](size_t begin, size_t end) {
    bls12_381::DecompressG1List(list.subspan(begin, end - begin),
                                absl::MakeSpan(points).subspan(begin, end - begin),
                                absl::MakeSpan(errors).subspan(begin, end - begin));
    for (size_t i = begin; i < end; ++i) {
      if (errors[i] == PointError::kOk) continue;
      const size_t item = items.empty() ? i : items[i];
      absl::StatusOr<G1Affine> point = ReadPoint(list[i], {field, item});  // says what is wrong
      if (point.ok()) {
        points[i] = *point;
      } else {
        statuses[i] = std::move(point).status();
      }
    }
  });
  for (absl::Status& status : statuses) SLIPWAY_RETURN_IF_ERROR(std::move(status));
  return points;
}

Bytes48 WritePoint(const G1Affine& point) {
  Bytes48 bytes;
  bls12_381::Compress(point, absl::MakeSpan(bytes));
  return bytes;
}
Bytes48 WritePoint(const G1& point) { return WritePoint(point.ToAffine()); }

Bytes32 WriteScalar(const Fr& scalar) {
  Bytes32 bytes;
  scalar.ToBytes(absl::MakeSpan(bytes));
  return bytes;
}

}  // namespace slipway::kzg
