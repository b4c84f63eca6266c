// Randomness of the kernel, fit for keys. Thread-safe.
#pragma once

#include <string>

#include "base/random.h"

namespace slipway::base::os {

class SystemRandom : public Random {
 public:
  void Fill(absl::Span<uint8_t> out) override;
};

// 16 hex characters for a name that nobody else uses.
std::string RandomName();

}  // namespace slipway::base::os
