#include "base/net/grpc/channel.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <grpcpp/support/byte_buffer.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/net/endpoint.h"
#include "base/net/grpc/grpc_client.h"
#include "base/net/grpc/library.h"

namespace slipway::base::net {
namespace {

constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(10);
constexpr absl::Duration kReconnectMin = absl::Milliseconds(100);
constexpr absl::Duration kReconnectMax = absl::Seconds(10);

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(
      std::min<int64_t>(absl::ToInt64Milliseconds(duration), std::numeric_limits<int>::max()));
}

int Clamp(size_t bytes) {
  return static_cast<int>(std::min<size_t>(bytes, std::numeric_limits<int>::max()));
}

grpc::ChannelArguments ArgumentsOf(const ChannelOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(Clamp(options.message_bytes_max));
  arguments.SetMaxSendMessageSize(Clamp(options.message_bytes_max));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(options.keepalive));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kKeepaliveTimeout));
  // gRPC takes this as the time that one attempt to connect may last.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, Milliseconds(options.connect_timeout));
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, Milliseconds(kReconnectMin));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, Milliseconds(kReconnectMax));
  // A connection of its own: two channels to one address are wanted for two connections.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // Servers are named directly; a proxy for web pages would not carry them.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (!options.authority.empty()) {
    arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, options.authority);
  }
  if (!options.tls.server_name.empty()) {
    arguments.SetSslTargetNameOverride(options.tls.server_name);
  }
  return arguments;
}

std::shared_ptr<grpc::ChannelCredentials> CheckingCredentials(TlsMaterial material) {
  grpc::SslCredentialsOptions ssl;
  ssl.pem_root_certs = std::move(material.ca_pem);
  ssl.pem_cert_chain = std::move(material.cert_pem);
  ssl.pem_private_key = std::move(material.key_pem);
  return grpc::SslCredentials(ssl);
}

std::shared_ptr<grpc::ChannelCredentials> TrustingCredentials(const TlsMaterial& material) {
  namespace tls = grpc::experimental;
  tls::TlsChannelCredentialsOptions options;
  options.set_verify_server_certs(false);
  options.set_check_call_host(false);
  options.set_certificate_verifier(std::make_shared<tls::NoOpCertificateVerifier>());
  if (!material.cert_pem.empty()) {
    options.set_certificate_provider(std::make_shared<tls::StaticDataCertificateProvider>(
        std::vector<tls::IdentityKeyCertPair>{{material.key_pem, material.cert_pem}}));
    options.watch_identity_key_cert_pairs();
  }
  return tls::TlsCredentials(options);
}

class RealChannel : public Channel {
 public:
  RealChannel(ChannelOptions options, Raw raw)
      : options_(std::move(options)), raw_(std::move(raw)) {}
  Raw& raw() override { return raw_; }
  const ChannelOptions& options() const override { return options_; }

 private:
  const ChannelOptions options_;
  Raw raw_;
};

// gRPC 1.51 ends its threads for callbacks with the last channel that used them, and ends the
// process when a callback lets go of that channel: the thread would have to wait for itself. A
// channel that is never let go of, and has made a call, keeps them.
void KeepCallbackThreads() {
  struct Kept {
    std::shared_ptr<grpc::Channel> channel =
        grpc::CreateChannel("unix:/dev/null", grpc::InsecureChannelCredentials());
    grpc::GenericStub stub{channel};
    grpc::ClientContext context;
    grpc::Slice nothing;
    grpc::ByteBuffer request{&nothing, 1};
    grpc::ByteBuffer response;
  };
  static const Kept* const kKept = [] {
    auto* const kept = new Kept;
    // The call fails at once: nobody listens there.
    kept->stub.UnaryCall(&kept->context, "/none/none", grpc::StubOptions(), &kept->request,
                         &kept->response, [](const grpc::Status&) {});
    return kept;
  }();
  static_cast<void>(kKept);
}

}  // namespace

Owned<Channel> Channel::Open(const ChannelOptions& options, Files& files, absl::Time now) {
  SLIPWAY_ASSIGN_OR_RETURN(const Endpoint endpoint, ParseEndpoint(options.address));
  if (endpoint.host.empty() || endpoint.port == 0) {
    return absl::InvalidArgumentError(absl::StrCat("open channel to \"", options.address, "\": no ",
                                                   endpoint.host.empty() ? "host" : "port",
                                                   "; write host:port"));
  }
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (options.use_tls || options.tls.enabled()) {
    if (options.tls.min_version == "1.3") {
      return absl::InvalidArgumentError(
          absl::StrCat("open channel to ", options.address,
                       ": a gRPC client cannot refuse TLS 1.2 itself; set min_version 1.3 at the "
                       "server and 1.2 here"));
    }
    SLIPWAY_ASSIGN_OR_RETURN(TlsMaterial material, LoadTls(files, options.tls, now));
    credentials = options.any_server ? TrustingCredentials(material)
                                     : CheckingCredentials(std::move(material));
  }
  InitGrpc();
  KeepCallbackThreads();
  auto channel = grpc::CreateCustomChannel(absl::StrCat("dns:///", endpoint.ToString()),
                                           credentials, ArgumentsOf(options));
  return std::make_unique<RealChannel>(options, Raw{std::move(channel)});
}

}  // namespace slipway::base::net
