// The options with which every client of eraft reaches its servers (spec 6.3, E26, E191).
// Thread-compatible.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/cli/command.h"
#include "eraft/client/connect_options.h"

namespace slipway::eraft::cli {

struct ConnectionFlags {
  std::string addrs = "localhost:5001,localhost:5002,localhost:5003";
  absl::Duration timeout = absl::Seconds(10);  // zero: no limit
  bool timeout_given = false;
  bool tls = false;
  std::string tls_ca, tls_cert, tls_key, tls_server_name, token;

  // Declares --addrs --timeout --tls --tls-ca --tls-cert --tls-key --tls-server-name --token.
  // `limit`: without --timeout, as help shows it.
  void Declare(base::cli::Command& command, absl::string_view limit = "10s");
  // What they mean. InvalidArgument (the caller's usage): an address, the secret of --token.
  absl::StatusOr<client::ConnectOptions> Resolve(base::cli::Invocation& in) const;
  absl::Duration limit() const {
    return timeout > absl::ZeroDuration() ? timeout : absl::InfiniteDuration();
  }
};

}  // namespace slipway::eraft::cli
