// What a handler knows of the call it answers.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/net/trace.h"
#include "base/sync/cancel.h"

namespace slipway::base::net {

struct Call {
  absl::Time deadline = absl::InfiniteFuture();
  CancelToken cancel;   // the caller went away, or the server stops
  std::string peer;     // "ipv4:1.2.3.4:5678"
  std::string subject;  // from the client certificate or token; empty: nobody in particular
  // All names of the certificate; `subject` is the first. Empty: it was not asked for.
  std::vector<std::string> names;
  std::string authorization;  // value of the header; never logged
  Trace trace;
};

// `status` with the time after which a repetition may succeed: "retry-after-ms" in gRPC's trailing
// metadata, Retry-After in HTTP. OK stays OK.
absl::Status WithRetryAfter(absl::Status status, absl::Duration after);
// What WithRetryAfter, or the peer, said; zero: nothing.
absl::Duration GetRetryAfter(const absl::Status& status);

}  // namespace slipway::base::net
