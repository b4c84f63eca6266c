#include "base/net/testing/test_certificates.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "base/check.h"

namespace slipway::base::net {
namespace {

constexpr absl::Duration kAuthorityLife = absl::Hours(24 * 365);

std::string Drain(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);  // NOLINT(google-runtime-int): OpenSSL's type
  std::string text(data, static_cast<size_t>(size));
  BIO_free(bio);
  return text;
}

std::string PemOf(X509* certificate) {
  BIO* bio = BIO_new(BIO_s_mem());
  SLIPWAY_CHECK(PEM_write_bio_X509(bio, certificate) == 1);
  return Drain(bio);
}

std::string PemOf(EVP_PKEY* key) {
  BIO* bio = BIO_new(BIO_s_mem());
  SLIPWAY_CHECK(PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return Drain(bio);
}

void SetTime(ASN1_TIME* field, absl::Time time) {
  SLIPWAY_CHECK(ASN1_TIME_set(field, absl::ToTimeT(time)) != nullptr);
}

void AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  SLIPWAY_CHECK(extension != nullptr);
  SLIPWAY_CHECK(X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

X509* MakeCertificate(absl::string_view common_name, EVP_PKEY* key, absl::Time not_before,
                      absl::Time not_after) {
  X509* certificate = X509_new();
  X509_set_version(certificate, X509_VERSION_3);
  // The issuer's name and the serial number are what tells certificates apart.
  std::array<unsigned char, 8> serial = {};
  SLIPWAY_CHECK(RAND_bytes(serial.data(), static_cast<int>(serial.size())) == 1);
  BIGNUM* number = BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr);
  SLIPWAY_CHECK(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr);
  BN_free(number);
  const std::string name(common_name);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  SetTime(X509_getm_notBefore(certificate), not_before);
  SetTime(X509_getm_notAfter(certificate), not_after);
  SLIPWAY_CHECK(X509_set_pubkey(certificate, key) == 1);
  return certificate;
}

}  // namespace

struct TestAuthority::Parts {
  EVP_PKEY* key = nullptr;
  X509* certificate = nullptr;

  ~Parts() {
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
};

TestAuthority::TestAuthority(absl::string_view common_name) : parts_(std::make_unique<Parts>()) {
  parts_->key = EVP_EC_gen("P-256");
  SLIPWAY_CHECK(parts_->key != nullptr);
  X509* certificate = MakeCertificate(common_name, parts_->key, absl::Now() - kAuthorityLife,
                                      absl::Now() + kAuthorityLife);
  parts_->certificate = certificate;
  SLIPWAY_CHECK(X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1);
  AddExtension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
  AddExtension(certificate, certificate, NID_subject_key_identifier, "hash");
  SLIPWAY_CHECK(X509_sign(certificate, parts_->key, EVP_sha256()) > 0);
  cert_pem_ = PemOf(certificate);
}

TestAuthority::~TestAuthority() = default;

TestCertificate TestAuthority::Issue(const TestCertificateRequest& request) const {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  SLIPWAY_CHECK(key != nullptr);
  X509* certificate =
      MakeCertificate(request.common_name, key, request.not_before, request.not_after);
  SLIPWAY_CHECK(X509_set_issuer_name(certificate, X509_get_subject_name(parts_->certificate)) == 1);
  AddExtension(certificate, parts_->certificate, NID_basic_constraints, "critical,CA:FALSE");
  AddExtension(certificate, parts_->certificate, NID_ext_key_usage, "serverAuth,clientAuth");
  AddExtension(certificate, parts_->certificate, NID_authority_key_identifier, "keyid");
  if (!request.sans.empty()) {
    AddExtension(certificate, parts_->certificate, NID_subject_alt_name,
                 absl::StrJoin(request.sans, ","));
  }
  SLIPWAY_CHECK(X509_sign(certificate, parts_->key, EVP_sha256()) > 0);
  TestCertificate made = {PemOf(certificate), PemOf(key)};
  X509_free(certificate);
  EVP_PKEY_free(key);
  return made;
}

void ReplaceTestFile(const std::string& path, absl::string_view content, int mode) {
  const std::string temporary = absl::StrCat(path, ".new");
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  SLIPWAY_CHECK(fd >= 0);
  SLIPWAY_CHECK(fchmod(fd, static_cast<mode_t>(mode)) == 0);  // past the umask
  SLIPWAY_CHECK(write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()));
  close(fd);
  SLIPWAY_CHECK(std::rename(temporary.c_str(), path.c_str()) == 0);
}

}  // namespace slipway::base::net
