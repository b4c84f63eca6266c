// A trusted setup as people publish it, read into bytes. Thread-safe: free functions.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"

namespace slipway::kzg {

inline constexpr uint64_t kSetupTextBytesMax = 16 << 20;

// The 399,456 bytes of compressed points that `text` holds, in file order: 4096 G1 points in
// Lagrange form (natural order), 65 G2 points, 4096 G1 points in monomial form (K56). Nothing is
// known of the points yet. `text` is the form of c-kzg (whitespace between tokens, hex without
// prefix) or JSON
// (`g1_lagrange`, `g2_monomial`, `g1_monomial`, or the older `setup_G1_lagrange`, `setup_G2`,
// `setup_G1`). InvalidArgument with line and token, or key and item: a wrong count, a short or long
// point, what is not hex, something after the end. ResourceExhausted: more than 16 MiB.
// `name`: the file as messages shall call it.
absl::StatusOr<base::Bytes> ParseSetup(absl::string_view text, absl::string_view name);

}  // namespace slipway::kzg
