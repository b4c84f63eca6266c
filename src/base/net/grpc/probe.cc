#include "base/net/grpc/probe.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/net/endpoint.h"
#include "base/net/grpc/grpc_client.h"
#include "base/net/listen_addresses.h"
#include "base/status.h"
#include "base/sync/mutex.h"
#include "compat/grpc/health/v1/health.pb.h"

namespace slipway::base::net {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

constexpr char kCheck[] = "/grpc.health.v1.Health/Check";

struct Waiter {
  Mutex mutex;
  CondVar changed;
  bool done ABSL_GUARDED_BY(mutex) = false;
  grpc::Status status ABSL_GUARDED_BY(mutex);
};

}  // namespace

absl::StatusOr<ChannelOptions> ProbeOptions(const std::string& listen, const TlsOptions& tls,
                                            const std::string& address, Files& files) {
  const bool encrypted = !tls.cert.empty();
  std::string text = address;
  if (text.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::vector<std::string> own,
                             ListenAddresses(listen, encrypted, files));
    text = own.front();
  }
  SLIPWAY_ASSIGN_OR_RETURN(Endpoint endpoint, ParseEndpoint(text));
  if (IsUnspecified(endpoint.host)) endpoint.host = "127.0.0.1";
  ChannelOptions options;
  options.address = endpoint.ToString();
  if (!encrypted) return options;
  options.use_tls = true;
  options.tls = tls;
  options.tls.min_version = "1.2";  // what the server refuses it refuses by itself
  options.any_server = address.empty() || IsLoopback(endpoint.host);
  // The own certificate is good enough to be asked with.
  if (tls.client_auth == ClientAuth::kNone) options.tls.cert = options.tls.key = "";
  return options;
}

absl::Status Probe(const ChannelOptions& options, Files& files, absl::Time now,
                   absl::Duration timeout) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<Channel> channel,
                           Channel::Open(options, files, now));
  grpc::TemplatedGenericStub<HealthCheckRequest, HealthCheckResponse> stub(channel->raw().channel);
  grpc::ClientContext context;
  PrepareCall({.deadline = now + timeout}, context);
  const HealthCheckRequest request;
  HealthCheckResponse response;
  Waiter waiter;
  stub.UnaryCall(&context, kCheck, grpc::StubOptions(), &request, &response,
                 [&waiter](grpc::Status status) {
                   const MutexLock lock(waiter.mutex);
                   waiter.status = std::move(status);
                   waiter.done = true;
                   waiter.changed.NotifyAll();
                 });
  MutexLock lock(waiter.mutex);
  while (!waiter.done) waiter.changed.Wait(waiter.mutex);
  const std::string what = absl::StrCat("probe ", options.address);
  if (!waiter.status.ok()) return Annotate(FromGrpcStatus(waiter.status, context), what);
  if (response.status() == HealthCheckResponse::SERVING) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(what, ": it does not serve now"));
}

}  // namespace slipway::base::net
