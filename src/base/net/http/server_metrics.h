// What an HTTP server counts (docs/metrics.md). Of base/net/http only. Loop-only.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/metrics/metrics.h"

namespace slipway::base::net {

// Why a connection or a request was turned away before a handler saw it.
enum class Refused : uint8_t {
  kConnections,  // connections_max
  kFiles,        // the process has no descriptor left
  kTls,          // no handshake
  kTimeout,      // the client was too slow
  kTooLarge,     // header, target or body
  kMalformed,
  kBusy,  // the pool is full, or memory_bytes_max
};
inline constexpr size_t kRefusedCount = static_cast<size_t>(Refused::kBusy) + 1;

class ServerMetrics {
 public:
  ServerMetrics(Metrics& registry, absl::string_view prefix);

  void Refuse(Refused why) { refused_[static_cast<size_t>(why)]->Increment(); }
  // A response that was written. Unknown methods and statuses count as "other".
  void Count(absl::string_view method, int status, absl::Duration took);
  Gauge& connections() { return connections_; }

 private:
  Metrics& registry_;
  const std::string requests_name_;
  Gauge& connections_;
  Histogram& seconds_;
  std::array<Counter*, kRefusedCount> refused_ = {};
  std::map<std::pair<absl::string_view, int>, Counter*> requests_;  // registered when first seen
};

}  // namespace slipway::base::net
