// Powers in a field. Internal to this folder. Variable time in base and exponent.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace slipway::bls12_381::internal {

// base to the power of an integer in little-endian limbs, by windows of five bits that slide over
// zeros (Knuth 4.6.3; Menezes, van Oorschot, Vanstone 14.85).
template <class Field>
Field PowerOf(const Field& base, absl::Span<const uint64_t> exponent) {
  constexpr size_t kWindow = 5;
  const auto bit = [exponent](size_t i) { return (exponent[i / 64] >> (i % 64)) & 1; };
  size_t left = 64 * exponent.size();
  while (left > 0 && bit(left - 1) == 0) --left;
  if (left == 0) return Field::One();
  std::array<Field, size_t{1} << (kWindow - 1)> odd;  // base^1, base^3, base^5, …
  odd[0] = base;
  if (left > kWindow) {  // else few of them would be used
    const Field square = base.Square();
    for (size_t i = 1; i < odd.size(); ++i) odd[i] = odd[i - 1] * square;
  }
  const size_t window = left > kWindow ? kWindow : 1;
  Field power = Field::One();
  bool started = false;
  while (left > 0) {
    if (bit(left - 1) == 0) {
      power = power.Square();
      --left;
      continue;
    }
    size_t low = left > window ? left - window : 0;
    while (bit(low) == 0) ++low;
    uint64_t digit = 0;
    for (size_t i = left; i-- > low;) digit = 2 * digit + bit(i);
    for (size_t i = low; started && i < left; ++i) power = power.Square();
    power = started ? power * odd[digit / 2] : odd[digit / 2];
    started = true;
    left = low;
  }
  return power;
}

}  // namespace slipway::bls12_381::internal
