// SHA-256 (FIPS 180-4) by OpenSSL. Thread-compatible.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/bytes.h"

namespace slipway::base {

using Sha256Digest = std::array<uint8_t, 32>;

class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();
  void Update(BytesView data);
  // The digest of all data so far; afterwards the object hashes a new message.
  Sha256Digest Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Sha256Digest Sha256Of(BytesView data);

}  // namespace slipway::base
