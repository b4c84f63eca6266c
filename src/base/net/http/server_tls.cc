#include "base/net/http/server_tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/log/log.h"
#include "base/mutant.h"
#include "base/status.h"

namespace slipway::base::net {
namespace {

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};
template <class T>
using Ptr = std::unique_ptr<T, Free>;

Ptr<BIO> Reader(const std::string& pem) {
  return Ptr<BIO>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// OpenSSL's default asks for a passphrase on the terminal.
int NoPassphrase(char*, int, int, void*) { return 0; }

std::vector<Ptr<X509>> Certificates(const std::string& pem) {
  std::vector<Ptr<X509>> all;
  const Ptr<BIO> bio = Reader(pem);
  while (X509* const one = PEM_read_bio_X509(bio.get(), nullptr, &NoPassphrase, nullptr)) {
    all.emplace_back(one);
  }
  ERR_clear_error();  // the end of the text is an error to OpenSSL
  return all;
}

absl::Status Failed(absl::string_view what) {
  char text[256] = "";
  ERR_error_string_n(ERR_get_error(), text, sizeof(text));
  ERR_clear_error();
  return absl::InternalError(absl::StrCat("TLS: ", what, ": ", text));
}

absl::Status UseCertificate(SSL_CTX* context, const TlsMaterial& material) {
  std::vector<Ptr<X509>> chain = Certificates(material.cert_pem);
  if (chain.empty() || SSL_CTX_use_certificate(context, chain[0].get()) != 1) {
    return Failed("the certificate");
  }
  for (size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) return Failed("the chain");
  }
  const Ptr<BIO> bio = Reader(material.key_pem);
  const Ptr<EVP_PKEY> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &NoPassphrase, nullptr));
  if (key == nullptr || SSL_CTX_use_PrivateKey(context, key.get()) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    return Failed("the key");
  }
  return absl::OkStatus();
}

struct PeerName {
  int type;  // GEN_URI, GEN_DNS, GEN_IPADD
  std::string text;
};

std::string AddressText(const ASN1_OCTET_STRING& bytes) {
  const int family = ASN1_STRING_length(&bytes) == 4 ? AF_INET : AF_INET6;
  const int length = family == AF_INET ? 4 : 16;
  char text[INET6_ADDRSTRLEN] = "";
  if (ASN1_STRING_length(&bytes) != length) return "";
  inet_ntop(family, ASN1_STRING_get0_data(&bytes), text, sizeof(text));
  return text;
}

std::vector<PeerName> PeerNames(const X509& certificate) {
  std::vector<PeerName> names;
  const Ptr<GENERAL_NAMES> found(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; found != nullptr && i < sk_GENERAL_NAME_num(found.get()); ++i) {
    int type = 0;
    auto* const value = static_cast<ASN1_STRING*>(
        GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(found.get(), i), &type));
    if (type == GEN_IPADD) {
      names.push_back({type, AddressText(*value)});
    } else if (type == GEN_URI || type == GEN_DNS) {
      names.push_back(
          {type, std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                             static_cast<size_t>(ASN1_STRING_length(value)))});
    }
  }
  return names;
}

bool IsAllowed(const TlsOptions& options, const X509& certificate) {
  if (options.allowed_sans.empty()) return true;
  const std::vector<PeerName> names = PeerNames(certificate);
  return std::any_of(names.begin(), names.end(), [&](const PeerName& name) {
    return std::any_of(options.allowed_sans.begin(), options.allowed_sans.end(),
                       [&](const std::string& allowed) {
                         return name.type == GEN_DNS ? absl::EqualsIgnoreCase(allowed, name.text)
                                                     : allowed == name.text;
                       });
  });
}

// In place of OpenSSL's check of the client: that check, and then the name.
int VerifyClient(X509_STORE_CTX* context, void* options) {
  if (X509_verify_cert(context) != 1) return 0;
  if (SLIPWAY_MUTANT("http-any-san")) return 1;
  const X509* const certificate = X509_STORE_CTX_get0_cert(context);
  if (IsAllowed(*static_cast<const TlsOptions*>(options), *certificate)) return 1;
  X509_STORE_CTX_set_error(context, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

absl::Status CheckClients(SSL_CTX* context, const TlsOptions& options,
                          const TlsMaterial& material) {
  if (options.client_auth == ClientAuth::kNone) return absl::OkStatus();
  for (const Ptr<X509>& authority : Certificates(material.ca_pem)) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get()) != 1 ||
        SSL_CTX_add_client_CA(context, authority.get()) != 1) {
      return Failed("the CA of clients");
    }
  }
  const int must =
      options.client_auth == ClientAuth::kRequire ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | must, nullptr);
  // The library takes a pointer to non-const; VerifyClient only reads.
  SSL_CTX_set_cert_verify_callback(context, &VerifyClient, const_cast<TlsOptions*>(&options));
  return absl::OkStatus();
}

int ChooseHttp1(SSL*, const unsigned char** out, unsigned char* out_length,
                const unsigned char* offered, unsigned offered_length, void*) {
  static constexpr unsigned char kOwn[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  const int result =
      SSL_select_next_proto(&chosen, out_length, kOwn, sizeof(kOwn) - 1, offered, offered_length);
  *out = chosen;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

std::string CommonName(const X509& certificate) {
  char text[256] = "";
  const X509_NAME* const name = X509_get_subject_name(&certificate);
  const int length =
      X509_NAME_get_text_by_NID(const_cast<X509_NAME*>(name), NID_commonName, text, sizeof(text));
  return length > 0 ? std::string(text, static_cast<size_t>(length)) : "";
}

}  // namespace

absl::StatusOr<SslContext> MakeServerContext(const TlsOptions& options,
                                             const TlsMaterial& material) {
  SslContext context(SSL_CTX_new(TLS_server_method()));
  if (context == nullptr) return Failed("a context");
  SSL_CTX_set_min_proto_version(context.get(),
                                options.min_version == "1.3" ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                         SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 0);
  SSL_CTX_set_alpn_select_cb(context.get(), &ChooseHttp1, nullptr);
  SLIPWAY_RETURN_IF_ERROR(UseCertificate(context.get(), material));
  SLIPWAY_RETURN_IF_ERROR(CheckClients(context.get(), options, material));
  return context;
}

std::string PeerSubject(const SSL& session) {
  const X509* const certificate = SSL_get0_peer_certificate(&session);
  if (certificate == nullptr) return "";
  const std::vector<PeerName> names = PeerNames(*certificate);
  for (const int type : {GEN_URI, GEN_DNS, GEN_IPADD}) {
    for (const PeerName& name : names) {
      if (name.type == type) return name.text;
    }
  }
  return CommonName(*certificate);
}

absl::StatusOr<SslSession> ServerTls::NewSession() {
  std::shared_ptr<const TlsMaterial> now = watcher_->current();
  if (now != material_ && !(SLIPWAY_MUTANT("http-stale-cert") && context_ != nullptr)) {
    absl::StatusOr<SslContext> context = MakeServerContext(watcher_->options(), *now);
    if (context.ok()) {
      context_ = *std::move(context);
    } else {
      SLIPWAY_LOG(kError, "TLS certificate not usable, the former one serves on",
                  {{"error", context.status().message()}});
    }
    material_ = std::move(now);
  }
  if (context_ == nullptr) return absl::InternalError("no usable TLS certificate");
  SslSession session(SSL_new(context_.get()));
  if (session == nullptr) return Failed("a session");
  return session;
}

}  // namespace slipway::base::net
