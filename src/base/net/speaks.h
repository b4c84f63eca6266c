// What a port speaks, for people who configured one end with TLS and the other without (E26).
// Thread-safe: a free function.
#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "base/net/endpoint.h"

namespace slipway::base::net {

enum class Speaks : uint8_t {
  kNothing,    // nobody answers there, or with something else
  kPlaintext,  // HTTP without TLS
  kTls,
};

// Connects, greets in both ways and looks at the first bytes of the answer. Blocks for `timeout` at
// most (looking a name up may add to it). Says nothing that is secret and sends no request.
Speaks FindOutWhatSpeaks(const Endpoint& endpoint, absl::Duration timeout);

}  // namespace slipway::base::net
