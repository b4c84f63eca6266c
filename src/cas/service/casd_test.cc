// Configuration, start and stop of the whole server.
#include "cas/service/casd.h"

#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>

#include <atomic>
#include <thread>

#include "base/bytes.h"
#include "base/config/reader.h"
#include "base/digest/sha256.h"
#include "base/metrics/metrics.h"
#include "base/net/http/test_client.h"
#include "base/net/listen_addresses.h"
#include "base/net/testing/test_certificates.h"
#include "base/os/loop.h"
#include "base/os/pool.h"
#include "base/os/world.h"
#include "base/sim/world.h"
#include "base/testing/free_port.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "cas/service/probe.h"
#include "compat/zako/v1/cas.grpc.pb.h"

namespace slipway::cas {
namespace {

using absl::StatusCode;
using base::testing::HasErrorCode;
using base::testing::HasHint;
using base::testing::IsOk;
using base::testing::IsOkAndHolds;
using base::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// ---- Configuration ----

absl::StatusOr<CasdConfig> Parse(absl::string_view yaml) {
  base::sim::World world(1);
  SLIPWAY_ASSIGN_OR_RETURN(const base::ConfigNode root, base::ParseConfig(yaml, "casd.yaml"));
  base::ConfigReader reader(root, {&world.environment, &world.files, "/"});
  CasdConfig config;
  BindCasdConfig(reader, config);
  SLIPWAY_RETURN_IF_ERROR(reader.Finish());
  SLIPWAY_RETURN_IF_ERROR(CheckCasdConfig(config));
  return config;
}

TEST(CasdConfig, TheDefaultsAreACompleteConfiguration) { EXPECT_THAT(Parse(""), IsOk()); }

TEST(CasdConfig, ReadsEveryGroup) {  // 7.8
  const auto config = Parse(R"(
roles: [cas, transport]
listen: {cas: "127.0.0.1:1", transport: "[::1]:2"}
transport: {advertise: "192.0.2.1:50611", chunk_size: 64KiB}
cas: {buffered_io_count: 3, recommended_concurrency: 5, overload_delay: 10ms}
auth: {mode: keys, keys_file: /k, require_token: false, token_ttl: 1m, token_reuse: once, max_tokens: 7}
store: {root: /s, durability: strict, io_threads: 2, verify_on_read: off}
limits: {max_blob: 1GiB, max_streams: 9}
upload: {idle_timeout: 5s}
server: {lame_duck: 0, drain_timeout: 3s, keepalive: 10s}
log: {level: debug, format: json, file: /l, audit_file: /a}
)");
  ASSERT_THAT(config, IsOk());
  EXPECT_THAT(config->roles, ElementsAre("cas", "transport"));
  EXPECT_EQ(config->transport_chunk_bytes, 64u << 10);
  EXPECT_EQ(config->recommended_concurrency, 5);
  EXPECT_EQ(config->auth_mode, AuthMode::kKeys);
  EXPECT_EQ(config->token_reuse, CasdConfig::TokenReuse::kOnce);
  EXPECT_EQ(config->store.durability, Durability::kStrict);
  EXPECT_EQ(config->store.blob_bytes_max, 1u << 30);
  EXPECT_FALSE(config->store.verify_first_read);
  EXPECT_EQ(config->lame_duck, absl::ZeroDuration());
  EXPECT_EQ(config->audit_file, "/a");
}

TEST(CasdConfig, RefusesOtherMachinesWithoutTls) {  // DECISIONS 3, listen default
  for (const char* where : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "build.example:1"}) {
    EXPECT_THAT(Parse(absl::StrCat("listen: {cas: \"", where, "\"}")),
                StatusIs(StatusCode::kInvalidArgument,
                         AllOf(HasSubstr("listen.cas"), HasSubstr("nothing is encrypted"))));
    EXPECT_THAT(Parse(absl::StrCat("insecure: true\nlisten: {cas: \"", where, "\"}")), IsOk());
    EXPECT_THAT(Parse(absl::StrCat("tls: {cert: c, key: k}\nlisten: {cas: \"", where, "\"}")),
                IsOk());
  }
  for (const char* where : {":1", "localhost:1", "127.0.0.9:1", "[::1]:1"}) {
    EXPECT_THAT(Parse(absl::StrCat("listen: {http: \"", where, "\"}")), IsOk());
  }
}

TEST(CasdConfig, RefusesWhatDoesNotGoTogether) {
  const std::pair<const char*, const char*> cases[] = {
      {"roles: []", "roles"},
      {"roles: [cas, bogus]", "unknown role bogus"},
      {"listen: {cas: nonsense}", "listen.cas"},
      {"listen: {cas: \"::1:5\"}", "listen.cas"},
      {"auth: {mode: keys}", "auth.keys_file"},
      {"auth: {mode: mtls}", "tls.client_auth"},
      {"tls: {cert: c}", "cert and key go together"},
      {"tls: {cert: c, key: k, client_auth: require}", "tls.ca"},
      {"tls: {cert: c, key: k, allowed_sans: [a]}", "tls.allowed_sans"},
      {"transport: {chunk_size: 4MiB}", "transport.chunk_size"},
      {"transport: {advertise: \"cas.example:1\"}", "transport.advertise"},
      {"cas: {buffered_io_count: -1}", "cas.buffered_io_count"},
      {"store: {root: \"\"}", "store.root"},
      {"store: {max_bytes: 1GiB}", "not supported yet"},
      {"limits: {max_stream: 1}", "max_streams"},
      {"log: {level: loud}", "log.level"},
  };
  for (const auto& [yaml, text] : cases) {
    EXPECT_THAT(Parse(yaml), StatusIs(StatusCode::kInvalidArgument, HasSubstr(text))) << yaml;
  }
}

TEST(Listen, WithoutAHostItIsLoopbackOrEverywhere) {  // Z10
  base::sim::World world(1);
  EXPECT_THAT(base::net::ListenAddresses(":7", false, world.files),
              IsOkAndHolds(ElementsAre("127.0.0.1:7")));
  EXPECT_THAT(base::net::ListenAddresses("localhost:7", true, world.files),
              IsOkAndHolds(ElementsAre("127.0.0.1:7")));
  EXPECT_THAT(base::net::ListenAddresses(":7", true, world.files),
              IsOkAndHolds(ElementsAre("0.0.0.0:7")));
  auto proc = world.files.MakeRoot("/proc/net");
  ASSERT_THAT(proc, IsOk());
  ASSERT_OK(base::WriteFileDurably(**proc, "if_inet6",
                                   "00000000000000000000000000000001 01 80 10 80 lo\n"));
  EXPECT_THAT(base::net::ListenAddresses(":7", false, world.files),
              IsOkAndHolds(ElementsAre("127.0.0.1:7", "[::1]:7")));
  EXPECT_THAT(base::net::ListenAddresses(":0", false, world.files),
              IsOkAndHolds(ElementsAre("127.0.0.1:0")));
  EXPECT_THAT(base::net::ListenAddresses(":7", true, world.files),
              IsOkAndHolds(ElementsAre("[::]:7")));
  EXPECT_THAT(base::net::ListenAddresses("10.0.0.1:7", true, world.files),
              IsOkAndHolds(ElementsAre("10.0.0.1:7")));
}

// ---- The server ----

class CasdTest : public ::testing::Test {
 protected:
  CasdConfig Config() {
    CasdConfig config;
    config.listen_cas = config.listen_transport = config.listen_http = ":0";
    config.store_root = folder_.Join("store");
    config.lame_duck = absl::ZeroDuration();
    config.drain_timeout = absl::Seconds(5);
    return config;
  }
  base::Owned<Casd> Start(const CasdConfig& config, base::World* world = nullptr) {
    return Casd::Start(
        config, world != nullptr ? *world : world_.world(), loop_, pool_, metrics_,
        [](const std::string&) -> base::Owned<Index> { return MakeMemoryIndex(); },
        BuildInfo{"1.2.3", "0123456789ab"});
  }
  absl::Status Ask(const Casd& casd) {
    base::net::ChannelOptions options;
    options.address = absl::StrCat("127.0.0.1:", casd.port("cas"));
    return Ask(options);
  }
  absl::Status Ask(const base::net::ChannelOptions& options) {
    return Probe(options, world_.world().files, world_.world().clock.Wall(), absl::Seconds(10));
  }
  // Asks the running server as `zako-casd --probe` does with its configuration.
  absl::Status AskAsConfigured(CasdConfig config, const Casd& casd,
                               const std::string& address = "") {
    config.listen_cas = absl::StrCat(":", casd.port("cas"));
    const auto options = ProbeOptions(config, address, world_.world().files);
    return options.ok() ? Ask(*options) : options.status();
  }
  base::net::TestResponse Get(const Casd& casd, absl::string_view path,
                              absl::string_view key = "") {
    base::net::TestClient client(casd.port("http"));
    return client.Ask(absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: a\r\n",
                                   key.empty() ? "" : absl::StrCat("Authorization: Bearer ", key),
                                   key.empty() ? "" : "\r\n", "\r\n"));
  }
  base::net::TlsOptions TlsFor(const base::net::TestAuthority& authority,
                               const std::vector<std::string>& sans) {
    base::net::TestCertificateRequest request;
    request.sans = sans;
    const base::net::TestCertificate own = authority.Issue(request);
    base::net::TlsOptions tls;
    tls.cert = folder_.Join("cert.pem");
    tls.key = folder_.Join("key.pem");
    base::net::ReplaceTestFile(tls.cert, own.cert_pem);
    base::net::ReplaceTestFile(tls.key, own.key_pem);
    return tls;
  }

  base::testing::TempDir folder_;
  base::os::World world_{{.pool_threads = 2, .block_signals = false}};
  base::Metrics metrics_;
  base::os::ThreadLoop loop_{"test"};
  base::os::ThreadPool pool_{"io", 2, 1000};
};

TEST_F(CasdTest, ServesUntilItIsDrained) {  // Z41, Z146
  auto casd = Start(Config());
  ASSERT_THAT(casd, IsOk());
  EXPECT_GT((*casd)->port("cas"), 0);
  EXPECT_EQ((*casd)->port("admin"), (*casd)->port("cas"));
  EXPECT_EQ((*casd)->port("bogus"), 0);
  EXPECT_OK(Ask(**casd));
  EXPECT_OK((*casd)->Reload());
  (*casd)->Drain();
  (*casd)->Drain();
  EXPECT_THAT(Ask(**casd), StatusIs(StatusCode::kUnavailable));
}

TEST_F(CasdTest, ServesOnlyItsRoles) {
  CasdConfig config = Config();
  config.roles = {"transport"};
  auto casd = Start(config);
  ASSERT_THAT(casd, IsOk());
  EXPECT_GT((*casd)->port("transport"), 0);
  EXPECT_EQ((*casd)->port("cas"), 0);
  EXPECT_EQ((*casd)->port("http"), 0);
}

TEST_F(CasdTest, ATakenPortIsNamed) {  // Z46, Z47
  CasdConfig config = Config();
  config.listen_cas = absl::StrCat("127.0.0.1:", base::testing::FreePort());
  const auto first = Start(config);
  ASSERT_THAT(first, IsOk());
  config.store_root = folder_.Join("other");
  const auto second = Start(config);
  EXPECT_THAT(second.status(), StatusIs(StatusCode::kUnavailable,
                                        AllOf(HasSubstr(config.listen_cas), HasSubstr("process"))));
  EXPECT_THAT(second.status(), HasHint(HasSubstr("listen.")));
}

TEST_F(CasdTest, ALockedStoreIsNamed) {  // Z42
  const auto first = Start(Config());
  ASSERT_THAT(first, IsOk());
  const auto second = Start(Config());
  EXPECT_THAT(second.status(), StatusIs(StatusCode::kAborted, HasSubstr(folder_.Join("store"))));
  EXPECT_THAT(second.status(), AllOf(HasErrorCode("ZK4006"), HasHint(HasSubstr("store.root"))));
}

TEST_F(CasdTest, AStoreWithoutPermissionNamesUserPathAndMode) {  // Z46, Z47
  base::sim::World world(1);
  auto root = world.files.MakeRoot("/var/lib/zako");
  ASSERT_THAT(root, IsOk());
  world.SetUser("ada", 1000);
  CasdConfig config = Config();
  config.store_root = "/var/lib/zako";
  const auto casd = Start(config, &world.world());
  EXPECT_THAT(casd.status(), StatusIs(StatusCode::kPermissionDenied,
                                      AllOf(HasSubstr("/var/lib/zako"), HasSubstr("ada (uid 1000)"),
                                            HasSubstr("mode 0755"), HasSubstr("uid 0"))));
  EXPECT_THAT(casd.status(), HasHint(HasSubstr("install -d")));
}

TEST_F(CasdTest, FilesOfTheConfigurationThatAreMissingAreWrongUsage) {
  CasdConfig config = Config();
  config.auth_mode = AuthMode::kKeys;
  config.auth_keys_file = folder_.Join("no-keys");
  EXPECT_THAT(Start(config).status(),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("auth.keys_file")));
  config = Config();
  config.tls.cert = folder_.Join("no-cert");
  config.tls.key = folder_.Join("no-key");
  EXPECT_THAT(Start(config).status(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("tls")));
}

TEST_F(CasdTest, NobodyAnswersAProbe) {  // Z146
  base::net::ChannelOptions options;
  options.address = absl::StrCat("127.0.0.1:", base::testing::FreePort());
  EXPECT_THAT(Ask(options), StatusIs(StatusCode::kUnavailable, HasSubstr("probe 127.0.0.1")));
}

TEST_F(CasdTest, ADrainSaysSoBeforeItRefusesCalls) {  // Z41
  CasdConfig config = Config();
  config.lame_duck = absl::Seconds(2);
  const auto casd = Start(config);
  ASSERT_THAT(casd, IsOk());
  EXPECT_EQ(Get(**casd, "/readyz").status, 200);
  std::atomic<bool> drained{false};
  std::thread drain([&] {
    (*casd)->Drain();
    drained = true;
  });
  while (Get(**casd, "/readyz").status == 200 && !drained) std::this_thread::yield();
  EXPECT_THAT(Ask(**casd), StatusIs(StatusCode::kFailedPrecondition));  // it still answers
  drain.join();
  EXPECT_THAT(Ask(**casd), StatusIs(StatusCode::kUnavailable));
}

TEST_F(CasdTest, StorageThatDoesNotAnswerIsNotReady) {
  CasdConfig config = Config();
  config.idle_timeout = absl::Milliseconds(100);  // looks at itself four times as often
  config.storage_answer_max = absl::Milliseconds(50);
  const auto casd = Start(config);
  ASSERT_THAT(casd, IsOk());
  std::atomic<bool> stuck{true};
  for (int i = 0; i < pool_.threads(); ++i) {
    ASSERT_OK(pool_.Submit([&stuck] {
      while (stuck) std::this_thread::yield();
    }));
  }
  while (Get(**casd, "/readyz").status == 200) std::this_thread::yield();
  EXPECT_THAT(Get(**casd, "/readyz?verbose").body, HasSubstr("the storage does not answer"));
  EXPECT_EQ(Get(**casd, "/livez").status, 200);
  stuck = false;
  while (Get(**casd, "/readyz").status != 200) std::this_thread::yield();
}

TEST_F(CasdTest, RunningRequestsAreShownToAdministrators) {  // Z146
  CasdConfig config = Config();
  config.auth_mode = AuthMode::kKeys;
  config.auth_keys_file = folder_.Join("keys");
  const std::string secret = base::ToHex(base::Sha256Of(base::AsBytes("secret")));
  base::net::ReplaceTestFile(config.auth_keys_file, secret + " bob write\n");
  const auto casd = Start(config);
  ASSERT_THAT(casd, IsOk());
  EXPECT_EQ(Get(**casd, "/debug/requests").status, 401);
  EXPECT_EQ(Get(**casd, "/debug/requests", "secret").status, 403);
  base::net::ReplaceTestFile(config.auth_keys_file, secret + " bob admin\n");
  EXPECT_OK((*casd)->Reload());  // SIGHUP
  EXPECT_EQ(Get(**casd, "/debug/requests", "secret").status, 200);
  EXPECT_EQ(Get(**casd, "/debug%2Frequests", "secret").status, 400);
}

TEST_F(CasdTest, TheAdvertisedAddressIsTold) {  // Z11
  CasdConfig config = Config();
  config.transport_advertise = "192.0.2.1:50611";
  const auto casd = Start(config);
  ASSERT_THAT(casd, IsOk());
  const auto stub = zako::v1::cas::ContentAddressableStorage::NewStub(grpc::CreateChannel(
      absl::StrCat("127.0.0.1:", (*casd)->port("cas")), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  zako::v1::cas::GetTransportDetailsRequest request;
  request.add_supported_protocols(zako::v1::net::grpc);
  zako::v1::cas::TransportDetails details;
  ASSERT_TRUE(stub->GetTransportDetails(&context, request, &details).ok());
  EXPECT_EQ(details.server_addr().ip().v4(), 0xc0000201);
  EXPECT_EQ(details.server_addr().port(), 50611u);
}

TEST_F(CasdTest, WithTlsNoListenerSpeaksPlainText) {  // Z40
  const base::net::TestAuthority authority;
  CasdConfig config = Config();
  config.tls = TlsFor(authority, {"DNS:localhost"});
  const auto casd = Start(config);
  ASSERT_THAT(casd, IsOk());
  EXPECT_THAT(Ask(**casd), StatusIs(StatusCode::kUnavailable));
  EXPECT_EQ(Get(**casd, "/livez").status, 0);
}

TEST_F(CasdTest, AProbeKnowsItsOwnServer) {  // Z146
  const base::net::TestAuthority authority;
  const auto ask = [this](const CasdConfig& config) {
    const auto casd = Start(config);
    EXPECT_THAT(casd, IsOk());
    if (!casd.ok()) return casd.status();
    absl::Status status = AskAsConfigured(config, **casd);
    status.Update(
        AskAsConfigured(config, **casd, absl::StrCat("localhost:", (*casd)->port("cas"))));
    return status;
  };
  CasdConfig config = Config();
  EXPECT_OK(ask(config));
  // The name that clients use, and nobody here who vouches for it.
  config.tls = TlsFor(authority, {"DNS:cas.example"});
  EXPECT_OK(ask(config));
  config.tls.min_version = "1.3";
  config.tls.ca = folder_.Join("ca.pem");
  base::net::ReplaceTestFile(config.tls.ca, authority.cert_pem());
  config.tls.client_auth = base::net::ClientAuth::kRequire;
  EXPECT_OK(ask(config));
  // A server elsewhere has to be who it says it is.
  const auto other = ProbeOptions(config, "192.0.2.1:50610", world_.world().files);
  ASSERT_THAT(other, IsOk());
  EXPECT_TRUE(other->use_tls);
  EXPECT_FALSE(other->any_server);
}

}  // namespace
}  // namespace slipway::cas
