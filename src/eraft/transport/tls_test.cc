// Certificates between nodes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "base/net/testing/test_certificates.h"
#include "base/net/tls.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "eraft/transport/test_transports.h"

namespace slipway::eraft {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

class TlsTransports : public Transports {
 protected:
  base::net::TlsOptions Issue(const base::net::TestAuthority& authority, const std::string& name) {
    const base::net::TestCertificate pair =
        authority.Issue({.sans = {"DNS:" + name, "IP:127.0.0.1"}});
    base::net::ReplaceTestFile(files_.Join(name + ".pem"), pair.cert_pem);
    base::net::ReplaceTestFile(files_.Join(name + ".key"), pair.key_pem);
    base::net::ReplaceTestFile(files_.Join(name + ".ca"), authority.cert_pem());
    base::net::TlsOptions options;
    options.cert = files_.Join(name + ".pem");
    options.key = files_.Join(name + ".key");
    options.ca = files_.Join(name + ".ca");
    return options;
  }
  // A node whose certificate names "node<id>".
  TestNodeOptions OptionsOf(raft::NodeId id, const base::net::TestAuthority& authority) {
    TestNodeOptions options{.id = id};
    options.client_tls = options.server_tls = Issue(authority, absl::StrCat("node", id));
    options.server_tls.client_auth = base::net::ClientAuth::kRequire;
    return options;
  }

  base::testing::TempDir files_;
  const base::net::TestAuthority authority_;
};

TEST_F(TlsTransports, NodesWithCertificatesOfOneAuthorityTalk) {  // E24
  MakeTwo(OptionsOf(1, authority_), OptionsOf(2, authority_));
  ASSERT_TRUE(node(1).WaitConnected(2));
  ASSERT_TRUE(node(2).WaitConnected(1));
  ASSERT_OK(node(1).Send(2, "secret"));
  ASSERT_TRUE(node(2).WaitFrames(1));
  EXPECT_THAT(node(2).frames(), ElementsAre(Pair(1, Text("secret"))));
}

TEST_F(TlsTransports, ANodeOfAnotherAuthorityStaysOut) {  // E24
  const base::net::TestAuthority other("other authority");
  MakeTwo(OptionsOf(1, authority_), OptionsOf(2, other));
  EXPECT_TRUE(WaitUntil([&] { return !node(1).StatusOf(2).error.empty(); }));
  EXPECT_TRUE(WaitUntil([&] { return !node(2).StatusOf(1).error.empty(); }));
  EXPECT_FALSE(node(1).StatusOf(2).connected);
  EXPECT_FALSE(node(2).StatusOf(1).connected);
}

TEST_F(TlsTransports, OnlyNodesThatAreNamedMaySpeak) {  // E27
  TestNodeOptions first = OptionsOf(1, authority_);
  first.server_tls.allowed_sans = {"node3"};
  MakeTwo(first, OptionsOf(2, authority_));
  EXPECT_TRUE(node(1).WaitConnected(2));
  EXPECT_TRUE(WaitUntil([&] { return !node(2).StatusOf(1).error.empty(); }));
  EXPECT_FALSE(node(2).StatusOf(1).connected);
}

TEST_F(TlsTransports, AClientOfASharedPortIsNoPeer) {  // E24, E27
  TestNodeOptions first = OptionsOf(1, authority_);
  first.server_tls.client_auth = base::net::ClientAuth::kRequest;
  first.certificate_required = true;
  TestNodeOptions second = OptionsOf(2, authority_);
  second.client_tls.cert.clear();
  second.client_tls.key.clear();
  MakeTwo(first, second);
  EXPECT_TRUE(node(2).WaitError(1, "shows a certificate"));
  EXPECT_TRUE(node(1).WaitConnected(2)) << "which asks for one, and this one shows it";
  EXPECT_FALSE(node(2).StatusOf(1).connected);
}

TEST_F(TlsTransports, ACertificateOfAnotherMemberIsRefused) {  // E27, E123
  Make(OptionsOf(1, authority_));
  Make(OptionsOf(2, authority_));  // its certificate names "node2" and 127.0.0.1
  node(1).transport().SetPeers({{2, "localhost:1"}, {3, "node2:1"}});
  node(2).Know({&node(1)});
  EXPECT_TRUE(node(2).WaitError(1, "its certificate is that of node 1, 3"));
  node(1).transport().SetPeers({{2, "node2:1"}, {3, "localhost:1"}});
  EXPECT_TRUE(node(2).WaitConnected(1));
}

TEST_F(TlsTransports, PlainTextAndTlsDoNotMix) {  // E24
  MakeTwo(OptionsOf(1, authority_), {});
  EXPECT_TRUE(WaitUntil([&] { return !node(1).StatusOf(2).error.empty(); }));
  EXPECT_TRUE(WaitUntil([&] { return !node(2).StatusOf(1).error.empty(); }));
  EXPECT_FALSE(node(1).StatusOf(2).connected);
  EXPECT_FALSE(node(2).StatusOf(1).connected);
}

TEST_F(TlsTransports, NewCertificatesAreUsedByTheNextStream) {  // E25
  MakeTwo(OptionsOf(1, authority_), OptionsOf(2, authority_));
  ASSERT_TRUE(node(1).WaitConnected(2));
  const base::net::TestAuthority next("next authority");
  Issue(next, "node1");
  const TestNodeOptions options = OptionsOf(2, next);
  Make(options);
  Introduce();
  EXPECT_TRUE(node(1).WaitConnected(2));
  EXPECT_TRUE(node(2).WaitConnected(1)) << node(2).StatusOf(1).error;
}

}  // namespace
}  // namespace slipway::eraft
