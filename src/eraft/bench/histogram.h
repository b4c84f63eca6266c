// Times in a log-linear histogram: 64 steps in each power of two, so that what it says is less than
// 1/64 above what was (E81). Thread-compatible.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace slipway::eraft::bench {

class Histogram {
 public:
  // Below zero counts as zero, above 2^42 ns (73 minutes) as that.
  void Record(absl::Duration duration);
  void Add(const Histogram& other);

  uint64_t count() const { return count_; }
  absl::Duration mean() const;
  absl::Duration max() const { return absl::Nanoseconds(max_); }
  // The time that `share` (0 to 1) of all did not exceed; zero if there are none.
  absl::Duration Quantile(double share) const;

 private:
  static constexpr int kStepBits = 6;
  static constexpr uint64_t kSteps = uint64_t{1} << kStepBits;
  static constexpr int kValueBits = 42;
  static constexpr uint64_t kValueMax = (uint64_t{1} << kValueBits) - 1;
  static constexpr size_t kBuckets = kSteps * (kValueBits - kStepBits + 1);
  static size_t BucketOf(uint64_t value);
  static uint64_t LastOf(size_t bucket);

  std::array<uint64_t, kBuckets> buckets_{};
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  uint64_t max_ = 0;
};

}  // namespace slipway::eraft::bench
