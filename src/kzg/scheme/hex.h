// Hex as this field's tools write it: any case, `0x` in front or not. Thread-safe: free functions.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "kzg/scheme/errors.h"

namespace slipway::kzg {

// Decodes pairs of hex digits to `out`, which has room for half their number. Returns the index of
// the first character that is no hex digit, digits.size() when all are. `digits`: an even number.
size_t DecodeHexDigits(absl::string_view digits, uint8_t* out);

// The bytes of `text`, with or without "0x". BAD_HEX: an odd number of digits, or the place of the
// first character that is none.
absl::StatusOr<base::Bytes> DecodeHex(absl::string_view text, const Where& where);

// "0x" and lower-case digits.
std::string EncodeHex(base::BytesView bytes);

}  // namespace slipway::kzg
