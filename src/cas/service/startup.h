// What goes wrong before zako-casd serves, in words that say what to do. Private to cas/service.
// Thread-safe: free functions.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/world.h"
#include "cas/service/address.h"
#include "cas/service/casd.h"

namespace slipway::cas {

// `configured`, or one for each core where it is 0.
int Cores(int configured, base::World& world);

// An error of a file that a key of the configuration names: InvalidArgument (exit code 2), but for
// PermissionDenied. OK stays OK.
absl::Status ConfigError(absl::string_view key, const absl::Status& status);

// An error of opening the store in `root`. PermissionDenied names user, path, mode and owner (Z46).
absl::Status StorageError(const absl::Status& status, const std::string& root, base::World& world);

// What clients are told: transport.advertise, or the port of the transport without an address,
// which means: as you reached the CAS (Z11).
absl::StatusOr<SocketAddress> AdvertisedAddress(const CasdConfig& config);

}  // namespace slipway::cas
