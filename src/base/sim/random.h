// Seeded randomness: the same seed gives the same bytes on every machine.
#pragma once

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/types/span.h"
#include "base/random.h"
#include "base/sync/mutex.h"

namespace slipway::base::sim {

// One well-mixed number from several: SplitMix64's finaliser over each in turn (Steele, Lea, Flood,
// "Fast splittable pseudorandom number generators", 2014). For choices that must not depend on how
// many were made before.
uint64_t Mix(uint64_t a, uint64_t b = 0, uint64_t c = 0);

// A stream of SplitMix64 numbers. Thread-compatible.
class Stream {
 public:
  explicit Stream(uint64_t seed) : state_(seed) {}
  uint64_t Next();
  // Uniform in [0, bound) but for a bias below 2^-32; bound > 0 and < 2^32.
  uint64_t Below(uint64_t bound) { return ((Next() >> 32) * bound) >> 32; }
  // True in `percent` of the cases.
  bool Chance(uint64_t percent) { return Below(100) < percent; }

 private:
  uint64_t state_;
};

// Thread-safe.
class Random : public base::Random {
 public:
  explicit Random(uint64_t seed) : stream_(seed) {}
  void Fill(absl::Span<uint8_t> out) override;

 private:
  Mutex mutex_;
  Stream stream_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::base::sim
