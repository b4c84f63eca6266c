// The connection to a CAS server: its channel, and the transport that it names. Private to this
// folder; no .grpc.pb.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/config/secret.h"
#include "base/files.h"
#include "base/net/grpc/channel.h"
#include "base/status.h"
#include "base/sync/mutex.h"
#include "cas/client/dial_address.h"
#include "cas/client/grpc_call.h"

namespace slipway::cas {

// What GetTransportDetails said.
struct TransportDetails {
  AdvertisedAddress address;
  std::string token;
  uint32_t concurrency = 0;
};

// A way to the transport. Immutable.
struct Transport {
  std::shared_ptr<base::net::Channel> channel;
  base::Secret token;
  int concurrency = 1;
  uint64_t generation = 0;
};

// Finds the transport and keeps it until its token is refused. Thread-safe.
class Session {
 public:
  using Ask = std::function<absl::StatusOr<TransportDetails>()>;
  Session(std::shared_ptr<base::net::Channel> cas, Caller& caller, base::Files& files,
          base::Clock& clock, Ask ask);

  // The transport at hand, or a new one. Errors of `ask`, of dialling.
  absl::StatusOr<std::shared_ptr<const Transport>> Get() ABSL_LOCKS_EXCLUDED(mutex_);
  // The token of `transport` was accepted, or refused: then the next Get asks for another. A server
  // that refuses what it accepted a moment ago takes a token once only; from then on each Get asks.
  void Accepted(const Transport& transport) ABSL_LOCKS_EXCLUDED(mutex_);
  void Refused(const Transport& transport) ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs `attempt`, repeats it as Caller::Repeat does, and once more with a new token when the
  // first is refused.
  absl::Status Run(absl::FunctionRef<absl::Status(const Transport&)> attempt);

 private:
  absl::StatusOr<std::shared_ptr<base::net::Channel>> Dial(const AdvertisedAddress& advertised)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::shared_ptr<base::net::Channel> cas_;
  Caller& caller_;
  base::Files& files_;
  base::Clock& clock_;
  const Ask ask_;
  base::Mutex mutex_;
  std::shared_ptr<const Transport> current_ ABSL_GUARDED_BY(mutex_);
  std::string dialled_ ABSL_GUARDED_BY(mutex_);  // address of channel_
  std::shared_ptr<base::net::Channel> channel_ ABSL_GUARDED_BY(mutex_);
  uint64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;
  bool once_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration accepted_at_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
};

}  // namespace slipway::cas
