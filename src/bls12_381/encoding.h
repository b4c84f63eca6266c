// Compressed points as EIP-4844 writes them (K54): G1 in 48 bytes, G2 in 96, big-endian, with three
// flags in the first byte. Thread-safe: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "bls12_381/g1.h"
#include "bls12_381/g2.h"

namespace slipway::bls12_381 {

inline constexpr size_t kG1Bytes = 48;
inline constexpr size_t kG2Bytes = 96;

// The first rule that the bytes break, in the order of the checks.
enum class PointError {
  kOk,
  kWrongLength,    // not 48 or 96 bytes
  kNotCompressed,  // bit 7 of byte 0 is not set
  kBadInfinity,    // the flag of infinity with any other bit set, the sign included
  kXTooLarge,      // a coordinate is not < p
  kNotOnCurve,     // x^3 + b is not a square
  kNotInSubgroup,  // a point of the curve whose order is not r
};

// "x is not below the modulus": for a message to whoever sent the bytes.
absl::string_view PointErrorText(PointError error);

// Decodes and checks everything; `point` is written where kOk is returned.
PointError DecompressG1(absl::Span<const uint8_t> bytes, G1Affine* point);
PointError DecompressG2(absl::Span<const uint8_t> bytes, G2Affine* point);
// The same for a list; long ones cost less than their points one by one:
// errors[i] is what DecompressG1 says of bytes[i], points[i] is written where that is kOk. All
// spans of one length. Scratch memory belongs to the calling thread and is kept for its next call.
void DecompressG1List(absl::Span<const absl::Span<const uint8_t>> bytes,
                      absl::Span<G1Affine> points, absl::Span<PointError> errors);
// The same without the subgroup check: for points whose digest is known.
PointError DecompressG1Unchecked(absl::Span<const uint8_t> bytes, G1Affine* point);
PointError DecompressG2Unchecked(absl::Span<const uint8_t> bytes, G2Affine* point);

// `bytes` has kG1Bytes or kG2Bytes.
void Compress(const G1Affine& point, absl::Span<uint8_t> bytes);
void Compress(const G2Affine& point, absl::Span<uint8_t> bytes);

}  // namespace slipway::bls12_381
