#include "cas/service/probe.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/net/endpoint.h"
#include "base/net/grpc/channel.h"
#include "base/net/grpc/grpc_client.h"
#include "base/status.h"
#include "base/sync/mutex.h"
#include "cas/service/listen.h"
#include "cas/service/slices.h"

namespace slipway::cas {
namespace {

constexpr char kCheck[] = "/grpc.health.v1.Health/Check";
// A HealthCheckResponse that says SERVING: field 1, varint 1.
constexpr absl::string_view kServing("\x08\x01", 2);

struct Waiter {
  base::Mutex mutex;
  base::CondVar changed;
  bool done ABSL_GUARDED_BY(mutex) = false;
  grpc::Status status ABSL_GUARDED_BY(mutex);
};

std::string TextOf(const grpc::ByteBuffer& buffer) {
  std::string text;
  const SliceViews views(buffer);
  for (const base::BytesView& view : views.views()) text.append(view.begin(), view.end());
  return text;
}

}  // namespace

absl::StatusOr<base::net::ChannelOptions> ProbeOptions(const CasdConfig& config,
                                                       const std::string& address,
                                                       base::Files& files) {
  const bool tls = !config.tls.cert.empty();
  std::string text = address;
  if (text.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::vector<std::string> own,
                             ListenAddresses(config.listen_cas, tls, files));
    text = own.front();
  }
  SLIPWAY_ASSIGN_OR_RETURN(base::net::Endpoint endpoint, base::net::ParseEndpoint(text));
  if (base::net::IsUnspecified(endpoint.host)) endpoint.host = "127.0.0.1";
  base::net::ChannelOptions options;
  options.address = endpoint.ToString();
  if (!tls) return options;
  options.use_tls = true;
  options.tls = config.tls;
  options.tls.min_version = "1.2";  // what the server refuses it refuses by itself
  options.any_server = address.empty() || base::net::IsLoopback(endpoint.host);
  // The own certificate is good enough to be asked with.
  if (config.tls.client_auth == base::net::ClientAuth::kNone) {
    options.tls.cert = options.tls.key = "";
  }
  return options;
}

absl::Status Probe(const base::net::ChannelOptions& options, base::Files& files, absl::Time now,
                   absl::Duration timeout) {
  const std::string& address = options.address;
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::net::Channel> channel,
                           base::net::Channel::Open(options, files, now));
  grpc::GenericStub stub(channel->raw().channel);
  grpc::ClientContext context;
  base::net::PrepareCall({.deadline = now + timeout}, context);
  const grpc::ByteBuffer request = BufferOf("");
  grpc::ByteBuffer response;
  Waiter waiter;
  stub.UnaryCall(&context, kCheck, grpc::StubOptions(), &request, &response,
                 [&waiter](grpc::Status status) {
                   base::MutexLock lock(waiter.mutex);
                   waiter.status = std::move(status);
                   waiter.done = true;
                   waiter.changed.NotifyAll();
                 });
  base::MutexLock lock(waiter.mutex);
  while (!waiter.done) waiter.changed.Wait(waiter.mutex);
  if (!waiter.status.ok()) {
    return base::Annotate(base::net::FromGrpcStatus(waiter.status, context),
                          absl::StrCat("probe ", address));
  }
  if (TextOf(response) != kServing) {
    return absl::FailedPreconditionError(
        absl::StrCat("probe ", address, ": it does not serve now"));
  }
  return absl::OkStatus();
}

}  // namespace slipway::cas
