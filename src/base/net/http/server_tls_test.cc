// HTTPS, with curl as the client.
#include <gmock/gmock.h>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/net/http/test_server.h"
#include "base/net/testing/test_certificates.h"
#include "base/os/clock.h"
#include "base/os/files.h"
#include "base/os/loop.h"
#include "base/os/spawner.h"
#include "base/testing/process_rig.h"
#include "base/testing/temp_dir.h"

namespace slipway::base::net {
namespace {

using ::slipway::base::testing::RunProgram;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class HttpTlsTest : public HttpServerTest {
 protected:
  HttpTlsTest() {
    Write("ca.crt", ca_.cert_pem());
    Issue("server", ca_, {.common_name = "server"});
    Issue("alice", ca_,
          {.common_name = "alice", .sans = {"DNS:alice.example", "URI:spiffe://example/alice"}});
    Issue("mallory", other_ca_, {.common_name = "mallory", .sans = {"DNS:alice.example"}});
    tls_.cert = Path("server.crt");
    tls_.key = Path("server.key");
    tls_.ca = Path("ca.crt");
  }
  ~HttpTlsTest() override {
    server_.reset();
    if (watcher_ != nullptr) watcher_->Stop();
  }

  std::string Path(absl::string_view name) const { return dir_.Join(name); }
  void Write(absl::string_view name, absl::string_view text) const {
    ReplaceTestFile(Path(name), text);
  }
  // <file>.key and <file>.crt.
  void Issue(absl::string_view file, const TestAuthority& ca,
             const TestCertificateRequest& request) const {
    const TestCertificate pair = ca.Issue(request);
    Write(absl::StrCat(file, ".crt"), pair.cert_pem);
    Write(absl::StrCat(file, ".key"), pair.key_pem);
  }
  void StartTls() {
    absl::StatusOr<std::shared_ptr<TlsWatcher>> watcher =
        TlsWatcher::Start(tls_, files_, clock_, loop_, pool_, metrics_, "test");
    ASSERT_OK(watcher);
    watcher_ = *watcher;
    options_.tls = *watcher;
    Start();
  }
  // What curl prints, or "failed: " and why.
  std::string Curl(std::vector<std::string> arguments, absl::string_view path = "/hello",
                   absl::string_view scheme = "https") {
    std::vector<std::string> argv = {"curl",      "-sS", "--max-time", "20",
                                     "--noproxy", "*",   "--cacert",   Path("ca.crt")};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    argv.push_back(absl::StrCat(scheme, "://127.0.0.1:", port(), path));
    const ExitStatus result = RunProgram(spawner_, argv);
    return result.code == 0 ? result.out : absl::StrCat("failed: ", result.err);
  }
  std::vector<std::string> As(const std::string& name) const {
    return {"--cert", Path(name + ".crt"), "--key", Path(name + ".key")};
  }

  testing::TempDir dir_;
  TestAuthority ca_;
  TestAuthority other_ca_{"another authority"};
  os::SystemSpawner spawner_;
  os::LinuxFiles files_;
  os::SystemClock clock_;
  os::ThreadLoop loop_{"tls-test"};
  TlsOptions tls_;
  std::shared_ptr<TlsWatcher> watcher_;
};

TEST_F(HttpTlsTest, ServesAndKeepsConnections) {
  StartTls();
  EXPECT_EQ(Curl({}), "hello\n");
  EXPECT_THAT(
      Curl({"--http1.1", "-w", "%{num_connects}", "--next", "-sS", "--cacert", Path("ca.crt"), "-w",
            "%{num_connects}", absl::StrCat("https://127.0.0.1:", port(), "/hello")}),
      HasSubstr("hello\n0"));
  EXPECT_THAT(Curl({"-I"}), HasSubstr("Content-Length: 6"));
  const std::string body(300'000, 'x');
  Write("body", body);
  EXPECT_EQ(Curl({"--data-binary", "@" + Path("body")}, "/echo"), body);
  EXPECT_THAT(Curl({"--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"}), StartsWith("failed"));
}

TEST_F(HttpTlsTest, MinimumVersionIsHeld) {
  tls_.min_version = "1.3";
  StartTls();
  EXPECT_EQ(Curl({}), "hello\n");
  EXPECT_THAT(Curl({"--tls-max", "1.2"}), StartsWith("failed"));
  EXPECT_GE(Value("test_http_refused_total{reason=\"tls\"}"), 1);
}

TEST_F(HttpTlsTest, ClientsAreNamedByTheirCertificate) {
  tls_.client_auth = ClientAuth::kRequest;
  StartTls();
  EXPECT_EQ(Curl({}), "hello\n");
  EXPECT_THAT(Curl(As("alice"), "/call"), HasSubstr("|spiffe://example/alice|"));
  EXPECT_THAT(Curl(As("mallory")), StartsWith("failed"));
}

TEST_F(HttpTlsTest, RequiredCertificatesAreRequired) {
  tls_.client_auth = ClientAuth::kRequire;
  StartTls();
  EXPECT_THAT(Curl({}), StartsWith("failed"));
  EXPECT_THAT(Curl(As("mallory")), StartsWith("failed"));
  EXPECT_EQ(Curl(As("alice")), "hello\n");
}

TEST_F(HttpTlsTest, OnlyAllowedNamesComeIn) {
  Issue("bob", ca_, {.common_name = "alice.example", .sans = {"DNS:bob.example"}});
  tls_.client_auth = ClientAuth::kRequire;
  tls_.allowed_sans = {"ALICE.example"};
  StartTls();
  EXPECT_EQ(Curl(As("alice")), "hello\n");
  EXPECT_THAT(Curl(As("bob")), StartsWith("failed"));
}

TEST_F(HttpTlsTest, NewConnectionsSeeANewCertificateAndOldOnesGoOn) {
  StartTls();
  const auto subject = [this] {
    const std::string verbose = RunProgram(spawner_, {"openssl", "s_client", "-connect",
                                                      absl::StrCat("127.0.0.1:", port())})
                                    .out;
    return absl::StrContains(verbose, "CN = next") ? "next" : "server";
  };
  EXPECT_STREQ(subject(), "server");
  Issue("server", ca_, {.common_name = "next"});
  ASSERT_OK(watcher_->Reload());
  EXPECT_STREQ(subject(), "next");
  EXPECT_EQ(Curl({}), "hello\n");
}

TEST_F(HttpTlsTest, PlainTextIsClosedCleanlyAndOthersAreServed) {
  StartTls();
  EXPECT_THAT(Curl({}, "/hello", "http"), StartsWith("failed"));
  TestClient garbage = Client();
  garbage.Send("\x01\x02\x03 nonsense\r\n\r\n");
  EXPECT_TRUE(garbage.Gone());
  TestClient silent = Client();  // no handshake at all
  EXPECT_EQ(Curl({}), "hello\n");
  EXPECT_GE(Value("test_http_refused_total{reason=\"tls\"}"), 2);
}

TEST_F(HttpTlsTest, ASilentClientIsDropped) {
  options_.header_timeout = absl::Milliseconds(50);
  StartTls();
  EXPECT_TRUE(Client().Gone());
}

TEST_F(HttpTlsTest, DrainEndsWithIdleTlsConnections) {
  StartTls();
  TestClient silent = Client();
  EXPECT_EQ(Curl({}), "hello\n");
  server_->Drain(absl::Seconds(60));
  EXPECT_TRUE(silent.Gone());
}

}  // namespace
}  // namespace slipway::base::net
