// Random bytes. Thread-safe. The real one is fit for keys; a simulated one is seeded.
#pragma once

#include <cstdint>
#include <string>

#include "absl/types/span.h"

namespace slipway::base {

class Random {
 public:
  virtual ~Random() = default;
  virtual void Fill(absl::Span<uint8_t> out) = 0;

  uint64_t Next();
  // Uniform in [0, bound); bound > 0.
  uint64_t Below(uint64_t bound);
  // `bytes` random bytes as lower-case hex: for names of temporary files and transactions.
  std::string Hex(size_t bytes);
};

}  // namespace slipway::base
