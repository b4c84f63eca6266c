#include "base/net/tls.h"
#include "absl/time/clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/config/tree.h"
#include "base/net/test_tls_files.h"
#include "base/testing/status_matchers.h"

namespace slipway::base::net {
namespace {

using ::slipway::base::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LoadTlsTest : public ::testing::Test {
 protected:
  LoadTlsTest() {
    tls_files_.WritePair(pair_);
    tls_files_.Write("ca.pem", authority_.cert_pem(), 0644);
  }
  absl::StatusOr<TlsMaterial> Load() { return LoadTls(files_, options_, now_); }

  const absl::Time now_ = absl::Now();
  const TestAuthority authority_;
  const TestCertificate pair_ = authority_.Issue();
  sim::Files files_{1};
  TestTlsFiles tls_files_{files_};
  TlsOptions options_ = TestTlsFiles::Options();
};

TEST_F(LoadTlsTest, GivesASetThatFits) {
  ASSERT_OK_AND_ASSIGN(const TlsMaterial material, Load());
  EXPECT_EQ(material.cert_pem, pair_.cert_pem);
  EXPECT_EQ(material.key_pem, pair_.key_pem);
  EXPECT_EQ(material.ca_pem, authority_.cert_pem());
  EXPECT_LT(material.not_before, now_);
  EXPECT_GT(material.not_after, now_ + absl::Hours(23));
  EXPECT_EQ(material.fingerprint.size(), 64u);
}

TEST_F(LoadTlsTest, AClientNeedsNoCertificate) {
  options_.cert = options_.key = "";
  ASSERT_OK_AND_ASSIGN(const TlsMaterial material, Load());
  EXPECT_EQ(material.cert_pem, "");
  EXPECT_EQ(material.not_after, absl::InfiniteFuture());
  EXPECT_EQ(material.fingerprint, "");
}

TEST_F(LoadTlsTest, RefusesAPairThatDoesNotMatch) {  // Z40
  tls_files_.Write("key.pem", authority_.Issue().key_pem);
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kFailedPrecondition,
                               AllOf(HasSubstr("/tls/key.pem"), HasSubstr("/tls/cert.pem"),
                                     HasSubstr("does not belong"), HasSubstr("mismatch"))));
}

TEST_F(LoadTlsTest, RefusesWhatIsExpiredOrNotYetValid) {  // Z40
  tls_files_.WritePair(authority_.Issue({.not_after = now_ - absl::Seconds(10)}));
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kFailedPrecondition,
                               AllOf(HasSubstr("expired at"), HasSubstr("/tls/cert.pem"))));
  tls_files_.WritePair(authority_.Issue({.not_before = now_ + absl::Hours(1)}));
  EXPECT_THAT(Load(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("not valid before")));
}

TEST_F(LoadTlsTest, RefusesAKeyThatOthersMayRead) {
  tls_files_.Write("key.pem", pair_.key_pem, 0644);
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kPermissionDenied,
                               AllOf(HasSubstr("/tls/key.pem"), HasSubstr("chmod 600"))));
  tls_files_.Write("key.pem", pair_.key_pem, 0640);  // a mounted secret
  EXPECT_OK(Load());
}

TEST_F(LoadTlsTest, NamesTheFileThatIsMissingOrDamaged) {
  struct Case {
    std::string name, content, text;
  };
  const std::vector<Case> cases = {
      {"cert.pem", "no certificate", "/tls/cert.pem: no PEM certificate"},
      {"cert.pem", pair_.cert_pem.substr(0, pair_.cert_pem.size() / 2), "no PEM certificate"},
      {"cert.pem",
       pair_.cert_pem + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
       "no PEM certificate, or a damaged one"},
      {"key.pem", "no key", "/tls/key.pem: no PEM private key"},
      {"ca.pem", "no authority", "/tls/ca.pem: no PEM certificate"},
      {"ca.pem", "", "/tls/ca.pem"},
  };
  for (const auto& [name, content, text] : cases) {
    tls_files_.WritePair(pair_);
    tls_files_.Write("ca.pem", authority_.cert_pem());
    tls_files_.Write(name, content);
    EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(text))) << content;
  }
  options_.ca = "/tls/none.pem";
  tls_files_.WritePair(pair_);
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kNotFound, HasSubstr("/tls/none.pem")));
}

TEST_F(LoadTlsTest, NoErrorShowsTheKey) {
  tls_files_.Write("cert.pem", "damaged");
  EXPECT_EQ(std::string(Load().status().message()).find(pair_.key_pem.substr(40, 20)),
            std::string::npos);
}

TEST_F(LoadTlsTest, RefusesSettingsThatContradictEachOther) {
  options_.key = "";
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("without a key")));
  options_ = TestTlsFiles::Options();
  options_.cert = "";
  EXPECT_THAT(Load(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("without a certificate")));
  options_ = TestTlsFiles::Options();
  options_.ca = "";
  options_.client_auth = ClientAuth::kRequire;
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("set tls.ca")));
  options_ = TestTlsFiles::Options();
  options_.allowed_sans = {"client"};
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("tls.client_auth")));
  options_ = TestTlsFiles::Options();
  options_.min_version = "1.1";
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"1.1\"")));
}

TEST(BindTls, ReadsEachKeyBelowItsPrefix) {
  ASSERT_OK_AND_ASSIGN(const ConfigNode root, ParseConfig(R"(server:
  tls:
    cert: /c
    key: /k
    ca: /a
    client_auth: require
    min_version: "1.3"
    allowed_sans: [one, two]
    reload: 5s
)",
                                                          "test.yaml"));
  ConfigReader reader(root, {});
  TlsOptions options;
  BindTls(reader, "server.tls", &options);
  ASSERT_OK(reader.Finish());
  EXPECT_EQ(options.cert, "/c");
  EXPECT_EQ(options.key, "/k");
  EXPECT_EQ(options.ca, "/a");
  EXPECT_EQ(options.client_auth, ClientAuth::kRequire);
  EXPECT_EQ(options.min_version, "1.3");
  EXPECT_THAT(options.allowed_sans, ElementsAre("one", "two"));
  EXPECT_EQ(options.reload, absl::Seconds(5));
  EXPECT_TRUE(options.enabled());
}

}  // namespace
}  // namespace slipway::base::net
