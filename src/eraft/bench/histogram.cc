#include "eraft/bench/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace slipway::eraft::bench {

// Values below 2 * kSteps have a bucket each; from there on each power of two has kSteps.
size_t Histogram::BucketOf(uint64_t value) {
  const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - kStepBits - 1);
  return static_cast<size_t>((static_cast<uint64_t>(shift) << kStepBits) + (value >> shift));
}

uint64_t Histogram::LastOf(size_t bucket) {
  const size_t shift = bucket < 2 * kSteps ? 0 : (bucket >> kStepBits) - 1;
  const uint64_t step = bucket - (shift << kStepBits);
  return ((step + 1) << shift) - 1;
}

void Histogram::Record(absl::Duration duration) {
  const int64_t nanoseconds = std::max<int64_t>(0, absl::ToInt64Nanoseconds(duration));
  const uint64_t value = std::min(kValueMax, static_cast<uint64_t>(nanoseconds));
  ++buckets_[BucketOf(value)];
  ++count_;
  sum_ += value;
  max_ = std::max(max_, value);
}

void Histogram::Add(const Histogram& other) {
  for (size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

absl::Duration Histogram::mean() const {
  return count_ == 0 ? absl::ZeroDuration() : absl::Nanoseconds(sum_ / count_);
}

absl::Duration Histogram::Quantile(double share) const {
  if (count_ == 0) return absl::ZeroDuration();
  const auto rank =
      std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(share * static_cast<double>(count_))));
  uint64_t seen = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= rank) return absl::Nanoseconds(std::min(LastOf(i), max_));
  }
  return max();
}

}  // namespace slipway::eraft::bench
