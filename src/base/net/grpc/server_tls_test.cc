#include <gmock/gmock.h>
#include <grpc/grpc_security_constants.h>
#include <grpcpp/impl/client_unary_call.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/check.h"
#include "base/net/grpc/test_service.h"
#include "base/net/grpc/test_socket.h"
#include "base/net/testing/test_certificates.h"
#include "base/os/clock.h"
#include "base/os/loop.h"
#include "base/os/pool.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace slipway::base::net {
namespace {

using ::slipway::base::testing::IsOkAndHolds;
using ::slipway::base::testing::StatusIs;
using ::slipway::base::testing::TempDir;
using ::testing::HasSubstr;

class ServerTlsTest : public ::testing::Test {
 protected:
  ServerTlsTest() {
    WritePair("server", authority_.Issue());
    ReplaceTestFile(dir_.Join("ca.pem"), authority_.cert_pem());
  }
  ~ServerTlsTest() override {
    if (watcher_ != nullptr) watcher_->Stop();
  }

  void WritePair(const std::string& name, const TestCertificate& pair) {
    ReplaceTestFile(dir_.Join(name + ".pem"), pair.cert_pem);
    ReplaceTestFile(dir_.Join(name + ".key"), pair.key_pem);
  }
  TlsOptions Options(const std::string& name) {
    TlsOptions options;
    options.cert = dir_.Join(name + ".pem");
    options.key = dir_.Join(name + ".key");
    options.ca = dir_.Join("ca.pem");
    return options;
  }
  // Of a client without a certificate of its own.
  TlsOptions Anonymous() {
    TlsOptions options;
    options.ca = dir_.Join("ca.pem");
    return options;
  }
  TlsOptions Client(const TestCertificate& pair) {
    const std::string name = absl::StrCat("client", ++clients_);
    WritePair(name, pair);
    return Options(name);
  }
  TlsOptions Client(const TestCertificateRequest& request = {}) {
    return Client(authority_.Issue(request));
  }
  std::unique_ptr<TestServer> Start(TlsOptions options,
                                    std::vector<std::string> addresses = {"127.0.0.1:0"}) {
    options.reload = absl::Milliseconds(20);
    auto watcher = TlsWatcher::Start(options, files_, clock_, loop_, pool_, metrics_, "test");
    SLIPWAY_CHECK(watcher.ok());
    watcher_ = *std::move(watcher);
    return std::make_unique<TestServer>(ServerOptions(), std::move(addresses), watcher_);
  }
  std::unique_ptr<TestServer> StartWithClients(ClientAuth auth,
                                               std::vector<std::string> allowed_sans = {}) {
    TlsOptions options = Options("server");
    options.client_auth = auth;
    options.allowed_sans = std::move(allowed_sans);
    return Start(options);
  }

  TempDir dir_;
  const TestAuthority authority_;
  int clients_ = 0;
  os::LinuxFiles files_;
  os::SystemClock clock_;
  Metrics metrics_;
  os::ThreadPool pool_{"tls", 1, 16};
  os::ThreadLoop loop_{"tls"};
  std::shared_ptr<TlsWatcher> watcher_;
};

TEST_F(ServerTlsTest, EncryptsByNameAndByAddressOfBothFamilies) {
  const auto server = Start(Options("server"), {"127.0.0.1:0"});
  EXPECT_THAT(Echo(*OpenChannel(server->port(), Anonymous()), "a"), IsOkAndHolds("a"));
  EXPECT_THAT(Echo(*OpenChannel(server->port(), Anonymous(), "localhost"), "a"), IsOkAndHolds("a"));
  TestServer six({}, {"[::1]:0"}, watcher_);
  EXPECT_THAT(Echo(*OpenChannel(six.port(), Anonymous(), "[::1]"), "a"), IsOkAndHolds("a"));
}

TEST_F(ServerTlsTest, AClientRefusesAServerItDoesNotKnow) {
  const auto server = Start(Options("server"));
  const TestAuthority other("other authority");
  ReplaceTestFile(dir_.Join("other.pem"), other.cert_pem());
  TlsOptions options;
  options.ca = dir_.Join("other.pem");
  EXPECT_THAT(Echo(*OpenChannel(server->port(), options), "a"),
              StatusIs(absl::StatusCode::kUnavailable));
  // The right authority, another name.
  options = Anonymous();
  options.server_name = "elsewhere.example";
  EXPECT_THAT(Echo(*OpenChannel(server->port(), options), "a"),
              StatusIs(absl::StatusCode::kUnavailable));
  options.server_name = "localhost";
  EXPECT_THAT(Echo(*OpenChannel(server->port(), options), "a"), IsOkAndHolds("a"));
}

TEST_F(ServerTlsTest, PlainTextAndTlsDoNotMix) {
  const auto server = Start(Options("server"));
  EXPECT_THAT(Echo(*OpenChannel(server->port()), "a"), StatusIs(absl::StatusCode::kUnavailable));
  TestServer plain;
  EXPECT_THAT(Echo(*OpenChannel(plain.port(), Anonymous()), "a"),
              StatusIs(absl::StatusCode::kUnavailable));
  // Both still serve.
  EXPECT_THAT(Echo(*OpenChannel(server->port(), Anonymous()), "a"), IsOkAndHolds("a"));
  EXPECT_THAT(Echo(*OpenChannel(plain.port()), "a"), IsOkAndHolds("a"));
}

TEST_F(ServerTlsTest, RequiredClientsShowAGoodCertificate) {  // Z40
  const auto server = StartWithClients(ClientAuth::kRequire);
  const auto call = [&](const TlsOptions& options) {
    return Echo(*OpenChannel(server->port(), options), "who");
  };
  EXPECT_THAT(call(Client({.common_name = "alice", .sans = {"URI:spiffe://test/alice"}})),
              IsOkAndHolds("spiffe://test/alice||"));
  EXPECT_THAT(call(Client({.common_name = "alice", .sans = {}})), IsOkAndHolds("alice||"));
  EXPECT_THAT(call(Anonymous()), StatusIs(absl::StatusCode::kUnavailable));
  const TestAuthority other("other authority");
  EXPECT_THAT(call(Client(other.Issue())), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(ServerTlsTest, RefusesClientsOutsideTheirTime) {  // Z40
  const auto server = StartWithClients(ClientAuth::kRequire);
  const auto call = [&](const TlsOptions& options) {
    // Past the client's own check of its files: what counts is the server's.
    ChannelOptions channel_options;
    channel_options.address = absl::StrCat("127.0.0.1:", server->port());
    channel_options.tls = options;
    auto channel = Channel::Open(channel_options, files_, absl::Now() - absl::Minutes(30));
    if (!channel.ok()) {
      channel = Channel::Open(channel_options, files_, absl::Now() + absl::Minutes(30));
    }
    SLIPWAY_CHECK(channel.ok());
    return Echo(**channel, "a");
  };
  EXPECT_THAT(call(Client({.not_after = absl::Now() - absl::Minutes(10)})),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(call(Client({.not_before = absl::Now() + absl::Minutes(10)})),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(call(Client()), IsOkAndHolds("a"));
}

TEST_F(ServerTlsTest, RequestedClientsMayComeWithoutACertificateButNotWithABadOne) {
  const auto server = StartWithClients(ClientAuth::kRequest);
  EXPECT_THAT(Echo(*OpenChannel(server->port(), Anonymous()), "who"), IsOkAndHolds("||"));
  EXPECT_THAT(Echo(*OpenChannel(server->port(), Client({.sans = {"DNS:alice"}})), "who"),
              IsOkAndHolds("alice||"));
  const TestAuthority other("other authority");
  EXPECT_THAT(Echo(*OpenChannel(server->port(), Client(other.Issue())), "who"),
              StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(ServerTlsTest, ServesTheClientsThatAreNamed) {
  const auto server = StartWithClients(ClientAuth::kRequest, {"spiffe://test/alice", "10.0.0.7"});
  const auto call = [&](const TlsOptions& options) {
    return Echo(*OpenChannel(server->port(), options), "a");
  };
  EXPECT_THAT(call(Client({.sans = {"DNS:x", "URI:spiffe://test/alice"}})), IsOkAndHolds("a"));
  EXPECT_THAT(call(Client({.sans = {"IP:10.0.0.7"}})), IsOkAndHolds("a"));
  EXPECT_THAT(call(Client({.common_name = "spiffe://test/alice", .sans = {"DNS:bob"}})),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("not among")));
  EXPECT_THAT(call(Anonymous()), StatusIs(absl::StatusCode::kPermissionDenied));
  const auto bob = OpenChannel(server->port(), Client({.sans = {"DNS:bob"}}));
  EXPECT_THAT(CheckHealth(*bob, ""), StatusIs(absl::StatusCode::kPermissionDenied));
}

// The version that a client of OpenSSL gets who speaks up to `version_max`, or "".
std::string Handshake(int port, int version_max) {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_max_proto_version(context, version_max);
  const unsigned char kAlpn[] = "\x02h2";
  SSL_CTX_set_alpn_protos(context, kAlpn, 3);
  BIO* bio = BIO_new_ssl_connect(context);
  BIO_set_conn_hostname(bio, absl::StrCat("127.0.0.1:", port).c_str());
  std::string version;
  if (BIO_do_handshake(bio) == 1) {
    SSL* ssl = nullptr;
    BIO_get_ssl(bio, &ssl);
    version = SSL_get_version(ssl);
  }
  BIO_free_all(bio);
  SSL_CTX_free(context);
  return version;
}

TEST_F(ServerTlsTest, SpeaksNoVersionBelowTheOneAskedFor) {
  const auto server = Start(Options("server"));
  EXPECT_EQ(Handshake(server->port(), TLS1_1_VERSION), "");
  EXPECT_EQ(Handshake(server->port(), TLS1_2_VERSION), "TLSv1.2");
  EXPECT_EQ(Handshake(server->port(), TLS1_3_VERSION), "TLSv1.3");
  const auto plain_watcher = watcher_;
  WritePair("strict", authority_.Issue());
  TlsOptions options = Options("strict");
  options.min_version = "1.3";
  const auto strict = Start(options);
  EXPECT_EQ(Handshake(strict->port(), TLS1_2_VERSION), "");
  EXPECT_EQ(Handshake(strict->port(), TLS1_3_VERSION), "TLSv1.3");
  EXPECT_EQ(Handshake(server->port(), TLS1_2_VERSION), "TLSv1.2");  // the other one is not touched
  plain_watcher->Stop();
}

TEST_F(ServerTlsTest, AConnectionThatDoesNotShakeHandsIsClosed) {
  const auto server = Start(Options("server"));
  ServerOptions options;
  options.handshake_timeout = absl::Milliseconds(100);
  TestServer hasty(options, {"127.0.0.1:0"}, watcher_);
  EXPECT_TRUE(TestSocket(hasty.port()).AwaitClose());
}

TEST_F(ServerTlsTest, AServerNeedsACertificate) {
  Health health;
  auto watcher = TlsWatcher::Start(Anonymous(), files_, clock_, loop_, pool_, metrics_, "test");
  ASSERT_OK(watcher);
  watcher_ = *watcher;
  EXPECT_THAT(Server::Start({{{"127.0.0.1:0"}, watcher_, {}}}, {}, health, metrics_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("tls.cert")));
}

// PEM of the certificate that a new connection is shown.
std::string ShownTo(Channel& channel) {
  grpc::ClientContext context;
  PrepareCall(InTime(), context);
  const grpc::internal::RpcMethod rpc(kEchoUnary, grpc::internal::RpcMethod::NORMAL_RPC);
  grpc::ByteBuffer response;
  const grpc::Status status = grpc::internal::BlockingUnaryCall<grpc::ByteBuffer, grpc::ByteBuffer>(
      channel.raw().channel.get(), rpc, &context, ToBuffer("a"), &response);
  if (!status.ok()) return status.error_message();
  const auto shown = context.auth_context()->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  return shown.empty() ? "" : std::string(shown[0].data(), shown[0].size());
}

TEST_F(ServerTlsTest, AReloadedPairIsShownToNewConnectionsAndABadOneIsNot) {  // Z40
  const auto server = Start(Options("server"));
  const auto old = OpenChannel(server->port(), Anonymous());
  const std::string first = ShownTo(*old);
  EXPECT_THAT(first, HasSubstr("BEGIN CERTIFICATE"));
  const TestCertificate next = authority_.Issue();
  WritePair("server", next);
  ASSERT_OK(watcher_->Reload());
  EXPECT_EQ(ShownTo(*OpenChannel(server->port(), Anonymous())), next.cert_pem);
  ReplaceTestFile(dir_.Join("server.key"), authority_.Issue().key_pem);
  EXPECT_FALSE(watcher_->Reload().ok());
  EXPECT_EQ(ShownTo(*OpenChannel(server->port(), Anonymous())), next.cert_pem);
  EXPECT_EQ(ShownTo(*old), first);  // the connection of before
}

TEST_F(ServerTlsTest, ANewAuthorityDecidesAboutNewClients) {
  const auto server = StartWithClients(ClientAuth::kRequire);
  const TestAuthority other("other authority");
  WritePair("other", other.Issue());
  TlsOptions stranger = Options("other");
  stranger.ca = dir_.Join("trusted.pem");
  ReplaceTestFile(stranger.ca, authority_.cert_pem());
  EXPECT_FALSE(Echo(*OpenChannel(server->port(), stranger), "a").ok());
  ReplaceTestFile(dir_.Join("ca.pem"), other.cert_pem());
  ASSERT_OK(watcher_->Reload());
  EXPECT_THAT(Echo(*OpenChannel(server->port(), stranger), "a"), IsOkAndHolds("a"));
  TlsOptions known = Client();
  known.ca = stranger.ca;
  EXPECT_FALSE(Echo(*OpenChannel(server->port(), known), "a").ok());
}

// Calls until it is told to stop; counts, and keeps the first error.
struct Load {
  std::atomic<bool> stop{false};
  std::atomic<int> calls{0};
  Mutex mutex;
  std::string error ABSL_GUARDED_BY(mutex);

  void Saw(const absl::Status& status) {
    ++calls;
    if (status.ok()) return;
    MutexLock lock(mutex);
    if (error.empty()) error = status.ToString();
  }
};

TEST_F(ServerTlsTest, RotationUnderLoadFailsNoCall) {  // Z40
  // Two authorities, as when the one is replaced by the other: both sides trust both meanwhile.
  const TestAuthority next("next authority");
  const std::string both = authority_.cert_pem() + next.cert_pem();
  ReplaceTestFile(dir_.Join("ca.pem"), both);
  TlsOptions client = Client();
  client.ca = dir_.Join("client-ca.pem");
  ReplaceTestFile(client.ca, both);
  const auto server = StartWithClients(ClientAuth::kRequire);
  Load load;
  std::thread old_connections([&] {
    const auto channel = OpenChannel(server->port(), client);
    EchoStream stream(*channel);
    while (!load.stop) {
      load.Saw(Echo(*channel, "old").status());
      std::string back;
      const bool went = stream.Send("s") && stream.Receive(&back);
      load.Saw(went ? absl::OkStatus() : stream.Finish());
      if (!went) return;
    }
    load.Saw(stream.Finish());
  });
  std::atomic<int> opened{0};
  std::thread new_connections([&] {
    while (!load.stop) {
      load.Saw(Echo(*OpenChannel(server->port(), client), "new").status());
      ++opened;
    }
  });
  Mutex mutex;
  CondVar changed;
  std::string in_force;
  watcher_->OnChange([&](std::shared_ptr<const TlsMaterial> material) {
    MutexLock lock(mutex);
    in_force = material->cert_pem + material->ca_pem;
    changed.NotifyAll();
  });
  for (int i = 0; i < 20; ++i) {
    const TestCertificate pair = (i % 2 == 0 ? next : authority_).Issue();
    const std::string ca = i % 2 == 0 ? next.cert_pem() + authority_.cert_pem() : both;
    WritePair("server", pair);  // two files, so a look may find half of it
    ReplaceTestFile(dir_.Join("ca.pem"), ca);
    {
      MutexLock lock(mutex);
      while (in_force != pair.cert_pem + ca) {
        ASSERT_TRUE(changed.WaitFor(mutex, absl::Seconds(20))) << "rotation " << i;
      }
    }
    EXPECT_EQ(ShownTo(*OpenChannel(server->port(), client)), pair.cert_pem);
    const int before = opened;
    while (opened < before + 2 && !::testing::Test::HasFailure()) std::this_thread::yield();
  }
  load.stop = true;
  old_connections.join();
  new_connections.join();
  MutexLock lock(load.mutex);
  EXPECT_EQ(load.error, "");
  EXPECT_GT(load.calls, 100);
  RecordProperty("calls", load.calls.load());
}

}  // namespace
}  // namespace slipway::base::net
