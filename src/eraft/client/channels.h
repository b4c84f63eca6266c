// Connections to nodes, one for each address. Private to this folder; no .grpc.pb.h. Thread-safe.
#pragma once

#include <grpcpp/client_context.h>

#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/net/grpc/channel.h"
#include "base/net/grpc/grpc_client.h"
#include "base/status.h"
#include "base/sync/mutex.h"
#include "eraft/client/connect_options.h"

namespace slipway::eraft::client {

class Channels {
 public:
  // Opens the channels of the addresses given, which connects nothing yet. Errors of Connect.
  static base::Owned<Channels> Open(ConnectOptions options, base::Files& files, base::Clock& clock);

  using Ptr = std::shared_ptr<base::net::Channel>;
  // A channel to `address` that is connected. Blocks for `timeout` at most, and a tenth of a second
  // to find out why not. Nothing was sent to the node when it fails: Unavailable;
  // FailedPrecondition: one end expects TLS and the other does not (E26).
  absl::StatusOr<Ptr> Connected(const std::string& address, absl::Duration timeout)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // A channel that connects with its first call. Errors of base::net::Channel::Open.
  absl::StatusOr<Ptr> Unconnected(const std::string& address) { return Find(address); }
  // Why no connection to `address` comes about: an error of Connected. Blocks for `timeout` at
  // most.
  absl::Status Explain(const std::string& address, absl::Duration timeout) const;
  // The connection is in trouble: the next one is a new one.
  void Forget(const std::string& address) ABSL_LOCKS_EXCLUDED(mutex_);
  // Token and deadline.
  void Prepare(grpc::ClientContext& context, absl::Duration timeout) const;
  const ConnectOptions& options() const { return options_; }

 private:
  Channels(ConnectOptions options, base::Files& files, base::Clock& clock)
      : options_(std::move(options)), files_(files), clock_(clock) {}
  absl::StatusOr<Ptr> Find(const std::string& address) ABSL_LOCKS_EXCLUDED(mutex_);

  const ConnectOptions options_;
  base::Files& files_;
  base::Clock& clock_;
  base::Mutex mutex_;
  std::map<std::string, Ptr> channels_ ABSL_GUARDED_BY(mutex_);
};

// Who leads, as the server says in the trailing metadata of a finished call; empty: not said.
std::string LeaderHint(const grpc::ClientContext& context);
// Why the server has certainly not executed the command of a finished call; empty: not said.
std::string NotExecutedHint(const grpc::ClientContext& context);

}  // namespace slipway::eraft::client
