// From what the configuration says to addresses to bind, and who has them already. Thread-safe:
// free functions; block on files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"

namespace slipway::cas {

// "host:port" as given; without a host, loopback (both families where the machine has both), or all
// addresses when `tls`. Port 0 gives one address: two would get two ports.
absl::StatusOr<std::vector<std::string>> ListenAddresses(absl::string_view text, bool tls,
                                                         base::Files& files);

// "process 123 (nginx)" that listens on the TCP port, as far as /proc shows it; else "".
std::string PortHolder(base::Files& files, uint16_t port);

}  // namespace slipway::cas
