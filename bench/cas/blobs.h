// The blobs of bench/cas: bytes that follow from a seed and a number, so that every program here
// makes the same ones. Thread-safe: values.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "cas/digest.h"

namespace slipway::bench {

inline uint64_t Mix(uint64_t x) {  // SplitMix64's output function: bits of no pattern
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// `size_bytes` is a multiple of 8.
inline base::Bytes BlobOf(uint64_t seed, uint64_t number, size_t size_bytes) {
  base::Bytes bytes(size_bytes);
  uint64_t state = Mix(seed * 0x9e3779b97f4a7c15 + number);
  for (size_t at = 0; at < size_bytes; at += 8) {
    base::StoreLittle(bytes.data() + at, Mix(state += 0x9e3779b97f4a7c15));
  }
  return bytes;
}

inline cas::Digest DigestOfBlob(uint64_t seed, uint64_t number, size_t size_bytes) {
  return cas::DigestOf(BlobOf(seed, number, size_bytes));
}

}  // namespace slipway::bench
