#include "base/net/grpc/tls_floor.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>
#include <set>

#include "absl/strings/escaping.h"
#include "base/sync/mutex.h"

namespace slipway::base::net {
namespace {

struct Floor {
  Mutex mutex;
  std::set<std::string> fingerprints ABSL_GUARDED_BY(mutex);
};

Floor& TheFloor() {
  static Floor* const kFloor = new Floor;  // handshakes may outlive the statics
  return *kFloor;
}

// OpenSSL calls this for each SSL object as it is made, after the settings of its context were
// copied into it: the one place to raise a setting that gRPC fixed.
void OnNewSsl(void* parent, void* /*ptr*/, CRYPTO_EX_DATA* /*data*/, int /*index*/, long /*argl*/,
              void* /*argp*/) {
  auto* const ssl = static_cast<SSL*>(parent);
  const X509* own = SSL_CTX_get0_certificate(SSL_get_SSL_CTX(ssl));
  if (own == nullptr) return;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest = {};
  unsigned size = 0;
  if (X509_digest(own, EVP_sha256(), digest.data(), &size) != 1) return;
  const std::string fingerprint =
      absl::BytesToHexString(std::string(reinterpret_cast<const char*>(digest.data()), size));
  MutexLock lock(TheFloor().mutex);
  if (TheFloor().fingerprints.count(fingerprint) != 0) {
    SSL_set_min_proto_version(ssl, TLS1_3_VERSION);
  }
}

}  // namespace

void RequireTls13(const std::string& fingerprint) {
  static const int kIndex = SSL_get_ex_new_index(0, nullptr, &OnNewSsl, nullptr, nullptr);
  static_cast<void>(kIndex);
  MutexLock lock(TheFloor().mutex);
  TheFloor().fingerprints.insert(fingerprint);
}

}  // namespace slipway::base::net
