// Errors of malformed input: always InvalidArgument with a reason as its id (K84). A well-formed
// but wrong proof is no error. Thread-safe: free functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "kzg/scheme/types.h"

namespace slipway::kzg {

inline constexpr char kInvalidBlobSize[] = "INVALID_BLOB_SIZE";
inline constexpr char kInvalidLength[] = "INVALID_LENGTH";
inline constexpr char kNonCanonicalFieldElement[] = "NON_CANONICAL_FIELD_ELEMENT";
inline constexpr char kInvalidPointEncoding[] = "INVALID_POINT_ENCODING";
inline constexpr char kNotOnCurve[] = "NOT_ON_CURVE";
inline constexpr char kNotInSubgroup[] = "NOT_IN_SUBGROUP";
inline constexpr char kInvalidCellIndex[] = "INVALID_CELL_INDEX";
inline constexpr char kUnsortedIndices[] = "UNSORTED_INDICES";
inline constexpr char kNotEnoughCells[] = "NOT_ENOUGH_CELLS";
inline constexpr char kInconsistentCells[] = "INCONSISTENT_CELLS";
inline constexpr char kLengthMismatch[] = "LENGTH_MISMATCH";
inline constexpr char kBadHex[] = "BAD_HEX";

// Which argument, and which of several: "proof", "cell 17".
struct Where {
  absl::string_view field;
  std::optional<size_t> index;

  std::string Text() const;
};

absl::Status InputError(absl::string_view reason, absl::string_view text);

// OK when `bytes` has the length; else INVALID_LENGTH that names both.
absl::Status CheckLength(BytesView bytes, size_t expected, const Where& where);
absl::Status CheckBlobLength(BytesView blob, const Where& where);
// OK when two lists of a batch are of one length; else LENGTH_MISMATCH that names them.
absl::Status CheckSameCount(absl::string_view first_name, size_t first,
                            absl::string_view second_name, size_t second);

}  // namespace slipway::kzg
