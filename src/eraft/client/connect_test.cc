// Both clients over real sockets.
#include "eraft/client/connect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "base/os/loop.h"
#include "base/os/world.h"
#include "base/status.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "eraft/client/kv_client.h"
#include "eraft/client/test_server.h"

namespace slipway::eraft::client {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Seconds(30);

class ConnectTest : public ::testing::Test {
 protected:
  std::unique_ptr<Client> Pipeline(ConnectOptions options) {
    auto client = Connect(options, loop_, world_.world());
    EXPECT_OK(client.status());
    return client.ok() ? *std::move(client) : nullptr;
  }
  std::unique_ptr<KvClient> Legacy(ConnectOptions options) {
    auto client = KvClient::Open(std::move(options), world_.world());
    EXPECT_OK(client.status());
    return client.ok() ? *std::move(client) : nullptr;
  }
  std::string WriteFile(const std::string& name, const std::string& content) {
    const std::string path = absl::StrCat(temp_.path(), "/", name);
    base::net::ReplaceTestFile(path, content);
    return path;
  }

  base::os::World world_{{.block_signals = false}};
  base::os::ThreadLoop loop_{"client"};
  const base::testing::TempDir temp_;
  TestState state_;
};

TEST_F(ConnectTest, AllOperationsCrossTheWire) {  // E145
  TestServer server(state_);
  const auto client = Pipeline({.addresses = {server.address()}});
  EXPECT_EQ(*client->Get("k"), std::nullopt);
  ASSERT_OK_AND_ASSIGN(const uint64_t index, client->Put("k", std::string("v\0\xff", 3)));
  EXPECT_EQ(index, 9);
  EXPECT_OK(client->Append("k", "w"));
  EXPECT_EQ(*client->Get("k"), std::string("v\0\xffw", 4));
  ASSERT_OK_AND_ASSIGN(const Rows rows, client->Scan("", "", 1));
  EXPECT_EQ(rows.rows.size(), 1);
  EXPECT_TRUE(rows.more);
}

TEST_F(ConnectTest, AStreamThatEndsUnderACommandIsMadeAnewAndNothingIsDoneTwice) {  // E144
  TestServer server(state_);
  const auto client = Pipeline({.addresses = {server.address()}});
  ASSERT_OK(client->Append("k", "a", {kPatience}));
  state_.streams_to_break = 3;
  ASSERT_OK(client->Append("k", "b", {kPatience}));
  EXPECT_EQ(*client->Get("k"), "ab");
  EXPECT_EQ(state_.executed, 2);
  EXPECT_EQ(state_.streams_to_break, 0);
}

TEST_F(ConnectTest, BothFollowTheLeader) {  // E19
  TestServer one(state_), two(state_), three(state_);
  const auto lead = [&](const TestServer& server) {
    const base::MutexLock lock(state_.mutex);
    state_.leader = server.address();
  };
  lead(two);
  const auto client = Pipeline({.addresses = {one.address()}});
  const auto legacy = Legacy({.addresses = {one.address()}});
  EXPECT_OK(client->Put("k", "v", {kPatience}));
  EXPECT_OK(legacy->Append("k", "w", kPatience));
  lead(three);
  EXPECT_OK(client->Append("k", "x", {kPatience}));
  EXPECT_EQ(*legacy->Get("k", kPatience), "vwx");
  two.Stop();
  EXPECT_EQ(*client->Get("k", {kPatience}), "vwx");
}

TEST_F(ConnectTest, TheLegacyClientRepeatsWithTheSameIds) {  // E57
  TestServer server(state_);
  const auto legacy = Legacy({.addresses = {server.address()}});
  state_.timeouts = 2;
  EXPECT_OK(legacy->Append("k", "a", kPatience));
  EXPECT_EQ(*legacy->Get("k", kPatience), "a");
  EXPECT_EQ(state_.executed, 1);
  EXPECT_EQ(*legacy->Get("none", kPatience), std::nullopt);
}

TEST_F(ConnectTest, StatusOfNodesThatAreDownCostsNoMoreThanItsTime) {  // E29
  TestServer up(state_);
  std::vector<std::string> addresses = {up.address()};
  for (int i = 1; i <= 20; ++i) addresses.push_back(absl::StrCat("127.0.0.1:", i));
  // Nothing is ever answered from there (RFC 5737).
  for (int i = 1; i <= 10; ++i) addresses.push_back(absl::StrCat("192.0.2.", i, ":5001"));
  const auto legacy = Legacy({.addresses = addresses});
  const absl::Time before = absl::Now();
  const std::vector<NodeStatus> nodes = legacy->Status(absl::Milliseconds(200));
  EXPECT_LT(absl::Now() - before, absl::Seconds(1));
  ASSERT_EQ(nodes.size(), addresses.size());
  EXPECT_OK(nodes[0].status);
  EXPECT_EQ(nodes[0].role, "Leader");
  EXPECT_EQ(nodes[0].commit, 42);
  for (size_t i = 1; i < nodes.size(); ++i) EXPECT_FALSE(nodes[i].status.ok());
}

TEST_F(ConnectTest, ATokenGoesWithEveryCall) {  // E191
  TestServer server(state_);
  {
    const base::MutexLock lock(state_.mutex);
    state_.token = "letmein";
  }
  const ConnectOptions none = {.addresses = {server.address()}};
  ConnectOptions with = none;
  with.token = base::Secret("letmein");
  EXPECT_OK(Pipeline(with)->Put("k", "v"));
  EXPECT_EQ(*Legacy(with)->Get("k", kPatience), "v");
  EXPECT_OK(Legacy(with)->Status(absl::Seconds(5))[0].status);
  const absl::Status refused = Pipeline(none)->Put("k", "v").status();
  EXPECT_TRUE(absl::IsUnauthenticated(refused)) << refused;
  EXPECT_EQ(WasExecuted(refused), Executed::kNo);
  EXPECT_TRUE(absl::IsUnauthenticated(Pipeline(none)->Get("k").status()));
  EXPECT_TRUE(absl::IsUnauthenticated(Legacy(none)->Put("k", "v", kPatience)));
  ConnectOptions bad = none;
  bad.token = base::Secret("let\nme in");
  const auto client = Connect(bad, loop_, world_.world());
  EXPECT_TRUE(absl::IsInvalidArgument(client.status()));
  EXPECT_THAT(std::string(client.status().message()), ::testing::Not(HasSubstr("me in")));
}

TEST_F(ConnectTest, TlsOnOneSideOnlyIsSaidWithinThreeSeconds) {  // E26
  const base::net::TestAuthority authority;
  const base::net::TestCertificate server_cert = authority.Issue(), own = authority.Issue();
  TestServer plain(state_);
  TestServer tls(state_, TestServer::Tls{server_cert.cert_pem, server_cert.key_pem, ""});
  TestServer mutual(
      state_, TestServer::Tls{server_cert.cert_pem, server_cert.key_pem, authority.cert_pem()});
  ConnectOptions encrypted;
  encrypted.tls.ca = WriteFile("ca.pem", authority.cert_pem());
  ConnectOptions certified = encrypted;
  certified.tls.cert = WriteFile("cert.pem", own.cert_pem);
  certified.tls.key = WriteFile("key.pem", own.key_pem);
  const auto both = [&](ConnectOptions options, const TestServer& server) {
    options.addresses = {server.address()};
    const absl::Time before = absl::Now();
    const absl::Status status = Legacy(options)->Put("k", "v", absl::Seconds(2));
    const absl::Status pipeline = Pipeline(options)->Put("k", "v", {absl::Seconds(2)}).status();
    EXPECT_LT(absl::Now() - before, absl::Seconds(6));
    EXPECT_EQ(status.ok(), pipeline.ok()) << status << pipeline;
    EXPECT_EQ(status.code(), pipeline.code()) << status << pipeline;
    EXPECT_TRUE(status.ok() || WasExecuted(status) == Executed::kNo) << status;
    EXPECT_EQ(base::GetErrorInfo(status).hint.empty(), status.ok()) << status;
    EXPECT_EQ(base::GetErrorInfo(pipeline).hint, base::GetErrorInfo(status).hint);
    return std::string(status.message());
  };
  EXPECT_EQ(both(encrypted, tls), "");
  EXPECT_EQ(both(certified, mutual), "");
  EXPECT_THAT(both({}, tls), HasSubstr("server expects TLS"));
  EXPECT_THAT(both({}, mutual), HasSubstr("server expects TLS"));
  EXPECT_THAT(both(encrypted, plain), HasSubstr("server speaks plaintext"));
  EXPECT_THAT(both(encrypted, mutual), HasSubstr("TLS handshake failed"));
  ConnectOptions stranger;
  stranger.tls.ca = WriteFile("other.pem", base::net::TestAuthority("other").cert_pem());
  EXPECT_THAT(both(stranger, tls), HasSubstr("TLS handshake failed"));
}

TEST_F(ConnectTest, AddressesAreCheckedBeforeAnythingIsDialled) {
  for (const std::vector<std::string>& addresses :
       std::vector<std::vector<std::string>>{{}, {"nonsense"}, {"127.0.0.1:0"}}) {
    EXPECT_TRUE(
        absl::IsInvalidArgument(Connect({.addresses = addresses}, loop_, world_.world()).status()));
    EXPECT_TRUE(
        absl::IsInvalidArgument(KvClient::Open({.addresses = addresses}, world_.world()).status()));
  }
}

}  // namespace
}  // namespace slipway::eraft::client
