// Bytes from outside become field elements and points, each checked (K53, K54, K84).
// Thread-safe: free functions.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "bls12_381/g1.h"
#include "kzg/scheme/domain.h"
#include "kzg/scheme/errors.h"
#include "kzg/scheme/executor.h"
#include "kzg/scheme/types.h"

namespace slipway::kzg {

using bls12_381::G1;
using bls12_381::G1Affine;

// INVALID_LENGTH, NON_CANONICAL_FIELD_ELEMENT.
absl::StatusOr<Fr> ReadScalar(BytesView bytes, const Where& where);
// INVALID_LENGTH, INVALID_POINT_ENCODING, NOT_ON_CURVE, NOT_IN_SUBGROUP.
absl::StatusOr<G1Affine> ReadPoint(BytesView bytes, const Where& where);
// INVALID_BLOB_SIZE, NON_CANONICAL_FIELD_ELEMENT with the index of the element.
absl::StatusOr<Evaluations> ReadBlob(BytesView blob, const Where& where);
// The 64 elements of a cell, to `out`. INVALID_LENGTH, NON_CANONICAL_FIELD_ELEMENT.
absl::Status ReadCell(BytesView cell, const Where& where, absl::Span<Fr> out);

// All points of a list; the error of the first that is wrong, by the number that it has in `items`,
// or in the list where that is empty.
absl::StatusOr<std::vector<G1Affine>> ReadPoints(absl::Span<const BytesView> list,
                                                 absl::string_view field, Executor* executor,
                                                 absl::Span<const size_t> items = {});

Bytes48 WritePoint(const G1Affine& point);
Bytes48 WritePoint(const G1& point);
Bytes32 WriteScalar(const Fr& scalar);

}  // namespace slipway::kzg
