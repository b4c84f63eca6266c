// Big-endian bytes to little-endian limbs and back. Internal to this folder. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace slipway::bls12_381::internal {

inline uint64_t LoadBigEndian64(const uint8_t* bytes) {
  uint64_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return __builtin_bswap64(value);
}

inline void StoreBigEndian64(uint8_t* bytes, uint64_t value) {
  value = __builtin_bswap64(value);
  std::memcpy(bytes, &value, sizeof(value));
}

// limbs = the integer of 8 * N big-endian bytes.
template <size_t N>
inline void LimbsFromBytes(uint64_t* limbs, const uint8_t* bytes) {
  for (size_t i = 0; i < N; ++i) limbs[i] = LoadBigEndian64(bytes + 8 * (N - 1 - i));
}

template <size_t N>
inline void BytesFromLimbs(uint8_t* bytes, const uint64_t* limbs) {
  for (size_t i = 0; i < N; ++i) StoreBigEndian64(bytes + 8 * (N - 1 - i), limbs[i]);
}

}  // namespace slipway::bls12_381::internal
