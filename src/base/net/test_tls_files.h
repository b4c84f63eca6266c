// A directory of certificate files on a simulated disk. Thread-compatible.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/files.h"
#include "base/net/testing/test_certificates.h"
#include "base/net/tls.h"
#include "base/sim/files.h"

namespace slipway::base::net {

class TestTlsFiles {
 public:
  explicit TestTlsFiles(Files& files) : dir_(files.MakeRoot("/tls").value()) {}

  void Write(absl::string_view name, absl::string_view content, uint32_t mode = 0600) {
    SLIPWAY_CHECK(WriteFileDurably(*dir_, name, content, mode).ok());
  }
  void WritePair(const TestCertificate& pair) {
    Write("cert.pem", pair.cert_pem, 0644);
    Write("key.pem", pair.key_pem);
  }
  // Names of all three files.
  static TlsOptions Options() {
    TlsOptions options;
    options.cert = "/tls/cert.pem";
    options.key = "/tls/key.pem";
    options.ca = "/tls/ca.pem";
    return options;
  }

 private:
  std::unique_ptr<Dir> dir_;
};

}  // namespace slipway::base::net
