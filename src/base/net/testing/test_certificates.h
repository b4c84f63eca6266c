// Certificates made at test time: P-256, signed by an authority of the test's own. Thread-safe:
// const after construction. A failure of OpenSSL ends the test program.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace slipway::base::net {

struct TestCertificate {
  std::string cert_pem;
  std::string key_pem;  // without a pass phrase
};

struct TestCertificateRequest {
  std::string common_name = "localhost";
  // As OpenSSL writes them: "DNS:x", "IP:::1", "URI:spiffe://test/client".
  std::vector<std::string> sans = {"DNS:localhost", "IP:127.0.0.1", "IP:::1"};
  absl::Time not_before = absl::Now() - absl::Hours(1);
  absl::Time not_after = absl::Now() + absl::Hours(24);
};

class TestAuthority {
 public:
  explicit TestAuthority(absl::string_view common_name = "test authority");
  ~TestAuthority();
  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;

  const std::string& cert_pem() const { return cert_pem_; }
  TestCertificate Issue(const TestCertificateRequest& request = {}) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
  std::string cert_pem_;
};

// Replaces the file at once (a temporary file beside it, then rename).
void ReplaceTestFile(const std::string& path, absl::string_view content, int mode = 0600);

}  // namespace slipway::base::net
