#include "base/net/grpc/credentials.h"

#include <grpc/grpc_security.h>

#include <string>
#include <utility>

#include "absl/algorithm/container.h"
#include "base/check.h"
#include "base/mutant.h"
#include "base/net/grpc/tls_floor.h"
#include "base/sync/mutex.h"

namespace slipway::base::net {
namespace {

class PlainCredentials final : public grpc::ServerCredentials {
 public:
  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>& /*processor*/) override {
    SLIPWAY_CHECK(false);  // nobody is known without TLS
  }

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    grpc_server_credentials* credentials = grpc_insecure_server_credentials_create();
    const int port = grpc_server_add_http2_port(server, address.c_str(), credentials);
    grpc_server_credentials_release(credentials);
    return port;
  }
};

grpc_ssl_client_certificate_request_type RequestType(ClientAuth auth) {
  switch (auth) {
    case ClientAuth::kNone:
      return GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
    case ClientAuth::kRequest:
      return GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
    case ClientAuth::kRequire:
      break;
  }
  return GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
}

// gRPC's own file watcher takes whatever it finds, so the C interface is used: it asks before each
// handshake whether there is something new, and only sets that LoadTls has checked are given out.
class FollowingCredentials final : public grpc::ServerCredentials {
 public:
  explicit FollowingCredentials(std::shared_ptr<TlsWatcher> tls) : tls_(std::move(tls)) {}

  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>& /*processor*/) override {
    SLIPWAY_CHECK(false);  // the place is taken by CheckPeer
  }

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    grpc_server_credentials* credentials = grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(
            RequestType(tls_->options().client_auth), &FollowingCredentials::Fetch, this));
    if (!tls_->options().allowed_sans.empty()) {
      grpc_server_credentials_set_auth_metadata_processor(
          credentials, {&FollowingCredentials::CheckPeer, nullptr, this});
    }
    const int port = grpc_server_add_http2_port(server, address.c_str(), credentials);
    grpc_server_credentials_release(credentials);
    return port;
  }

  // Called by gRPC before each handshake, and once as the port is added.
  static grpc_ssl_certificate_config_reload_status Fetch(
      void* self, grpc_ssl_server_certificate_config** config) {
    return static_cast<FollowingCredentials*>(self)->FetchConfig(config);
  }

  grpc_ssl_certificate_config_reload_status FetchConfig(
      grpc_ssl_server_certificate_config** config) {
    std::shared_ptr<const TlsMaterial> material = tls_->current();
    MutexLock lock(mutex_);
    if (material == given_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    grpc_ssl_pem_key_cert_pair pair = {material->key_pem.c_str(), material->cert_pem.c_str()};
    // gRPC insists on authorities; where no client is asked for a certificate they decide nothing.
    const std::string& authorities =
        material->ca_pem.empty() ? material->cert_pem : material->ca_pem;
    *config = grpc_ssl_server_certificate_config_create(authorities.c_str(), &pair, 1);
    if (tls_->options().min_version == "1.3") RequireTls13(material->fingerprint);
    given_ = std::move(material);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  // Called by gRPC at the begin of each call.
  static void CheckPeer(void* self, grpc_auth_context* context, const grpc_metadata* /*metadata*/,
                        size_t /*count*/, grpc_process_auth_metadata_done_cb done,
                        void* user_data) {
    const bool allowed = static_cast<FollowingCredentials*>(self)->MayCall(context);
    done(user_data, nullptr, 0, nullptr, 0,
         allowed ? GRPC_STATUS_OK : GRPC_STATUS_PERMISSION_DENIED,
         allowed ? nullptr : "start call: this client certificate is not among those served here");
  }

  bool MayCall(const grpc_auth_context* context) const {
    if (SLIPWAY_MUTANT("sans-unchecked")) return true;
    grpc_auth_property_iterator names =
        grpc_auth_context_find_properties_by_name(context, GRPC_X509_SAN_PROPERTY_NAME);
    while (const grpc_auth_property* name = grpc_auth_property_iterator_next(&names)) {
      if (absl::c_linear_search(tls_->options().allowed_sans,
                                std::string(name->value, name->value_length))) {
        return true;
      }
    }
    return false;
  }

  const std::shared_ptr<TlsWatcher> tls_;
  Mutex mutex_;
  std::shared_ptr<const TlsMaterial> given_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> MakeCredentials(std::shared_ptr<TlsWatcher> tls) {
  if (tls == nullptr) return std::make_shared<PlainCredentials>();
  return std::make_shared<FollowingCredentials>(std::move(tls));
}

}  // namespace slipway::base::net
