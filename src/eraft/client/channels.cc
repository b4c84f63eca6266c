#include "eraft/client/channels.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/net/endpoint.h"
#include "base/net/speaks.h"

namespace slipway::eraft::client {
namespace {

constexpr char kLeaderKey[] = "x-eraft-leader";
constexpr char kNotExecutedKey[] = "x-eraft-not-executed";
constexpr size_t kHintBytesMax = 300;
constexpr size_t kMessageBytesMax = 64 << 20;
constexpr absl::Duration kConnectTimeout = absl::Seconds(2);
constexpr absl::Duration kExplainMin = absl::Milliseconds(100);
constexpr absl::Duration kKeepalive = absl::Seconds(10);
constexpr absl::Duration kForever = absl::Hours(24);

gpr_timespec In(absl::Duration timeout) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_millis(absl::ToInt64Milliseconds(timeout), GPR_TIMESPAN));
}

absl::Status CheckToken(const base::Secret& token) {
  // gRPC ends the process over any other byte in a header.
  const absl::string_view text = token.Reveal();
  if (std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; })) {
    return absl::OkStatus();
  }
  return base::MakeError(absl::StatusCode::kInvalidArgument,
                         "use token: it has characters that no header can carry",
                         {"", "a token is one word of printable ASCII characters"});
}

std::string TrailingHint(const grpc::ClientContext& context, const char* key) {
  const auto& metadata = context.GetServerTrailingMetadata();
  const auto found = metadata.find(key);
  if (found == metadata.end() || found->second.size() > kHintBytesMax) return "";
  return std::string(found->second.data(), found->second.size());
}

}  // namespace

std::string LeaderHint(const grpc::ClientContext& context) {
  std::string hint = TrailingHint(context, kLeaderKey);
  return base::net::ParseEndpoint(hint).ok() ? hint : "";
}

std::string NotExecutedHint(const grpc::ClientContext& context) {
  return TrailingHint(context, kNotExecutedKey);
}

base::Owned<Channels> Channels::Open(ConnectOptions options, base::Files& files,
                                     base::Clock& clock) {
  if (options.addresses.empty()) {
    return absl::InvalidArgumentError("connect: no address is given; write host:port");
  }
  SLIPWAY_RETURN_IF_ERROR(CheckToken(options.token));
  std::unique_ptr<Channels> channels(new Channels(std::move(options), files, clock));
  for (const std::string& address : channels->options_.addresses) {
    SLIPWAY_RETURN_IF_ERROR(channels->Find(address).status());
  }
  return channels;
}

absl::StatusOr<Channels::Ptr> Channels::Find(const std::string& address) {
  {
    const base::MutexLock lock(mutex_);
    const auto found = channels_.find(address);
    if (found != channels_.end()) return found->second;
  }
  base::net::ChannelOptions options;
  options.address = address;
  options.tls = options_.tls;
  options.use_tls = options_.use_tls;
  options.message_bytes_max = kMessageBytesMax;
  options.connect_timeout = kConnectTimeout;
  options.keepalive = kKeepalive;
  SLIPWAY_ASSIGN_OR_RETURN(Ptr channel, base::net::Channel::Open(options, files_, clock_.Wall()));
  const base::MutexLock lock(mutex_);
  return channels_.emplace(address, std::move(channel)).first->second;
}

void Channels::Forget(const std::string& address) {
  const base::MutexLock lock(mutex_);
  channels_.erase(address);
}

absl::StatusOr<Channels::Ptr> Channels::Connected(const std::string& address,
                                                  absl::Duration timeout) {
  const absl::Duration begun = clock_.Monotonic();
  SLIPWAY_ASSIGN_OR_RETURN(Ptr channel, Find(address));
  grpc::Channel& raw = *channel->raw().channel;
  const gpr_timespec deadline = In(std::min(timeout, kConnectTimeout));
  for (;;) {
    const grpc_connectivity_state state = raw.GetState(/*try_to_connect=*/true);
    if (state == GRPC_CHANNEL_READY) return channel;
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN) break;
    if (!raw.WaitForStateChange(state, deadline)) break;
  }
  Forget(address);  // it would wait before it tries again
  // What is left, and enough to hear of a refusal at once.
  const absl::Duration left = timeout - (clock_.Monotonic() - begun);
  return Explain(address, std::max(left, kExplainMin));
}

absl::Status Channels::Explain(const std::string& address, absl::Duration timeout) const {
  const bool encrypted = options_.use_tls || options_.tls.enabled();
  SLIPWAY_ASSIGN_OR_RETURN(const base::net::Endpoint endpoint, base::net::ParseEndpoint(address));
  switch (base::net::FindOutWhatSpeaks(endpoint, std::min(timeout, absl::Seconds(1)))) {
    case base::net::Speaks::kTls:
      if (encrypted) {
        return base::MakeError(
            absl::StatusCode::kUnavailable,
            absl::StrCat("connect to ", address, ": the TLS handshake failed"),
            {"",
             "check --tls-ca, the server's name in its certificate (--tls-server-name), and "
             "whether it wants a certificate of yours (--tls-cert, --tls-key)"});
      }
      return base::MakeError(absl::StatusCode::kFailedPrecondition,
                             absl::StrCat("connect to ", address, ": server expects TLS"),
                             {"", "give --tls-ca FILE"});
    case base::net::Speaks::kPlaintext:
      if (!encrypted) break;
      return base::MakeError(absl::StatusCode::kFailedPrecondition,
                             absl::StrCat("connect to ", address, ": server speaks plaintext"),
                             {"", "leave the --tls options out, or give the server a certificate"});
    case base::net::Speaks::kNothing:
      break;
  }
  return absl::UnavailableError(absl::StrCat("connect to ", address, ": nobody answers there"));
}

void Channels::Prepare(grpc::ClientContext& context, absl::Duration timeout) const {
  base::net::ClientCall call;
  call.token = std::string(options_.token.Reveal());
  base::net::PrepareCall(call, context);
  if (timeout < absl::InfiniteDuration()) {
    context.set_deadline(
        gpr_time_from_millis(absl::ToInt64Milliseconds(std::min(timeout, kForever)), GPR_TIMESPAN));
  }
}

}  // namespace slipway::eraft::client
