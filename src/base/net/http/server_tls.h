// TLS sessions of a server with the certificate in force. Of base/net/http only. Loop-only.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/net/tls.h"

namespace slipway::base::net {

struct SslDeleter {
  void operator()(SSL* session) const { SSL_free(session); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslSession = std::unique_ptr<SSL, SslDeleter>;
using SslContext = std::unique_ptr<SSL_CTX, SslDeleter>;

// A server's context: certificate and key of `material`, clients checked as `options` ask. There is
// no resumption: it would skip the check of a client whose CA was taken away meanwhile. Internal:
// OpenSSL refuses what LoadTls accepted. `options` outlives the context and its sessions.
absl::StatusOr<SslContext> MakeServerContext(const TlsOptions& options,
                                             const TlsMaterial& material);

// Who the client is: the first URI, DNS or IP name of its certificate, in this order, else its
// common name. Empty without a certificate.
std::string PeerSubject(const SSL& session);

class ServerTls {
 public:
  explicit ServerTls(std::shared_ptr<TlsWatcher> watcher) : watcher_(std::move(watcher)) {}
  // A session for a new connection, with the material of now; sessions made before keep theirs.
  absl::StatusOr<SslSession> NewSession();

 private:
  const std::shared_ptr<TlsWatcher> watcher_;
  std::shared_ptr<const TlsMaterial> material_;  // what context_ was made of
  SslContext context_;
};

}  // namespace slipway::base::net
