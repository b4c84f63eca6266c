#include "base/net/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>
#include <ctime>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/config/secret.h"
#include "base/mutant.h"
#include "base/status.h"
#include "base/units.h"

namespace slipway::base::net {
namespace {

constexpr uint64_t kPemBytesMax = kMiB;  // the system's authorities together are 200 KiB

template <auto kFree>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using BioPtr = std::unique_ptr<BIO, Freed<BIO_free>>;
using X509Ptr = std::unique_ptr<X509, Freed<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;

// A key file with a pass phrase is refused instead of asking for it on the terminal.
int NoPassPhrase(char* /*out*/, int /*size*/, int /*writing*/, void* /*unused*/) { return 0; }

// The oldest reason that OpenSSL recorded, which is the cause of the others.
std::string SslReason() {
  const unsigned long error = ERR_get_error();  // NOLINT(google-runtime-int): OpenSSL's type
  const char* reason = ERR_reason_error_string(error);
  return reason == nullptr ? "unknown reason" : reason;
}

std::vector<X509Ptr> ParseCertificates(const std::string& pem) {
  std::vector<X509Ptr> certificates;
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, &NoPassPhrase, nullptr)) {
    certificates.emplace_back(certificate);
  }
  // The end is reported as a missing start line; anything else is a damaged block.
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) certificates.clear();
  ERR_clear_error();
  return certificates;
}

absl::StatusOr<absl::Time> TimeOf(const ASN1_TIME* time) {
  std::tm fields = {};
  if (ASN1_TIME_to_tm(time, &fields) != 1) return absl::InvalidArgumentError("no valid time");
  return absl::FromTM(fields, absl::UTCTimeZone());
}

std::string FingerprintOf(const X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest = {};
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) return "";
  const std::string bytes(reinterpret_cast<const char*>(digest.data()), size);
  return absl::BytesToHexString(bytes);
}

absl::StatusOr<std::string> ReadPem(Files& files, const std::string& path, absl::string_view what) {
  absl::StatusOr<std::string> pem = ReadUserFile(files, path, kPemBytesMax);
  if (!pem.ok()) return Annotate(pem.status(), absl::StrCat("read ", what, " ", path));
  return pem;
}

absl::Status CheckTimes(const TlsMaterial& material, const std::string& path, absl::Time now) {
  if (now < material.not_before) {
    return absl::FailedPreconditionError(absl::StrCat(
        "load certificate ", path, ": not valid before ", FormatRfc3339(material.not_before),
        ", now is ", FormatRfc3339(now), "; set the clock or wait"));
  }
  if (now >= material.not_after) {
    return absl::FailedPreconditionError(absl::StrCat("load certificate ", path, ": expired at ",
                                                      FormatRfc3339(material.not_after),
                                                      "; renew it"));
  }
  return absl::OkStatus();
}

// Puts the pair where a handshake will: so that what OpenSSL's policy refuses (a key too short, an
// old hash) is refused here and not at the first connection.
absl::Status CheckPair(const std::vector<X509Ptr>& chain, const std::string& key_pem,
                       const TlsOptions& options) {
  const BioPtr bio(BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size())));
  const KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &NoPassPhrase, nullptr));
  if (key == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        "load key ", options.key, ": no PEM private key without a pass phrase; write one"));
  }
  const SslContextPtr context(SSL_CTX_new(TLS_method()));
  if (context == nullptr) return absl::InternalError(absl::StrCat("set up TLS: ", SslReason()));
  if (SSL_CTX_use_certificate(context.get(), chain[0].get()) != 1) {
    return absl::InvalidArgumentError(absl::StrCat("load certificate ", options.cert, ": ",
                                                   SslReason(), "; issue a stronger one"));
  }
  if ((SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1 ||
       SSL_CTX_check_private_key(context.get()) != 1) &&
      !SLIPWAY_MUTANT("tls-pair-unchecked")) {
    return absl::FailedPreconditionError(
        absl::StrCat("load key ", options.key, ": it does not belong to the certificate ",
                     options.cert, " (", SslReason(), "); install both of one pair"));
  }
  for (size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context.get(), chain[i].get()) != 1) {
      return absl::InvalidArgumentError(absl::StrCat(
          "load certificate ", options.cert, ": intermediate certificate ", i, ": ", SslReason()));
    }
  }
  return absl::OkStatus();
}

absl::Status LoadPair(Files& files, const TlsOptions& options, absl::Time now,
                      TlsMaterial* material) {
  SLIPWAY_ASSIGN_OR_RETURN(material->cert_pem, ReadPem(files, options.cert, "certificate"));
  const absl::StatusOr<SecretFile> key = ReadSecretFile(files, options.key);
  if (!key.ok()) return Annotate(key.status(), "load key");
  material->key_pem = absl::StrCat(key->secret.Reveal(), "\n");
  const std::vector<X509Ptr> chain = ParseCertificates(material->cert_pem);
  if (chain.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "load certificate ", options.cert, ": no PEM certificate, or a damaged one; write ",
        "the own certificate and the intermediate ones"));
  }
  const X509* own = chain[0].get();
  const absl::StatusOr<absl::Time> not_before = TimeOf(X509_get0_notBefore(own));
  const absl::StatusOr<absl::Time> not_after = TimeOf(X509_get0_notAfter(own));
  if (!not_before.ok() || !not_after.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("load certificate ", options.cert, ": its times do not parse; reissue it"));
  }
  material->not_before = *not_before;
  material->not_after = *not_after;
  material->fingerprint = FingerprintOf(own);
  SLIPWAY_RETURN_IF_ERROR(CheckPair(chain, material->key_pem, options));
  return CheckTimes(*material, options.cert, now);
}

absl::Status CheckOptions(const TlsOptions& options) {
  if (options.cert.empty() != options.key.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "set up TLS: ",
        options.cert.empty() ? "a key without a certificate" : "a certificate without a key",
        "; set both tls.cert and tls.key"));
  }
  if (options.client_auth != ClientAuth::kNone && options.ca.empty()) {
    return absl::InvalidArgumentError(
        "set up TLS: clients shall show a certificate, but nobody is named who signs them; set "
        "tls.ca");
  }
  if (!options.allowed_sans.empty() && options.client_auth == ClientAuth::kNone) {
    return absl::InvalidArgumentError(
        "set up TLS: tls.allowed_sans names clients, but none is asked for a certificate; set "
        "tls.client_auth to require");
  }
  if (options.min_version != "1.2" && options.min_version != "1.3") {
    return absl::InvalidArgumentError(
        absl::StrCat("set up TLS: minimal version \"", options.min_version, "\"; use 1.2 or 1.3"));
  }
  return absl::OkStatus();
}

}  // namespace

void BindTls(ConfigReader& reader, absl::string_view prefix, TlsOptions* options) {
  const auto key = [prefix](absl::string_view name) {
    return prefix.empty() ? std::string(name) : absl::StrCat(prefix, ".", name);
  };
  reader.Text(key("cert"), &options->cert,
              "PEM file: the own certificate, then the intermediate ones");
  reader.Text(key("key"), &options->key, "PEM file: the private key, not readable by others");
  reader.Text(key("ca"), &options->ca, "PEM file: who signs the certificates of the other side");
  constexpr std::array<std::pair<absl::string_view, ClientAuth>, 3> kClientAuths = {
      {{"none", ClientAuth::kNone},
       {"request", ClientAuth::kRequest},
       {"require", ClientAuth::kRequire}}};
  reader.Enum<ClientAuth>(key("client_auth"), &options->client_auth, kClientAuths,
                          "Whether clients show a certificate");
  constexpr std::array<std::pair<absl::string_view, int>, 2> kVersions = {{{"1.2", 2}, {"1.3", 3}}};
  int version = options->min_version == "1.3" ? 3 : 2;
  reader.Enum<int>(key("min_version"), &version, kVersions, "Oldest version of TLS to speak");
  options->min_version = version == 3 ? "1.3" : "1.2";
  reader.Texts(key("allowed_sans"), &options->allowed_sans,
               "DNS, IP or URI names of the clients to serve; empty: all that the CA signed");
  reader.Duration(key("reload"), &options->reload, "A changed file is seen within this time",
                  absl::Milliseconds(10), absl::Hours(1));
}

absl::StatusOr<TlsMaterial> LoadTls(Files& files, const TlsOptions& options, absl::Time now) {
  SLIPWAY_RETURN_IF_ERROR(CheckOptions(options));
  ERR_clear_error();
  const absl::Cleanup clear = [] { ERR_clear_error(); };
  TlsMaterial material;
  material.not_before = absl::InfinitePast();
  material.not_after = absl::InfiniteFuture();
  if (!options.cert.empty()) {
    SLIPWAY_RETURN_IF_ERROR(LoadPair(files, options, now, &material));
  }
  if (!options.ca.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(material.ca_pem, ReadPem(files, options.ca, "authorities"));
    if (ParseCertificates(material.ca_pem).empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "load authorities ", options.ca, ": no PEM certificate, or a damaged one; write them"));
    }
  }
  return material;
}

}  // namespace slipway::base::net
