// kvclient in process, against servers in the same process: what it prints is what people and
// scripts of the reference expect (E6).
#include "eraft/cli/kvclient.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "base/json/json.h"
#include "base/os/world.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "eraft/client/test_server.h"

namespace slipway::eraft::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A port that nobody listens on.
constexpr char kNobody[] = "127.0.0.1:1";

struct Result {
  int exit = 0;
  std::string out, err;
};

class KvClientProgramTest : public ::testing::Test {
 protected:
  Result Launch(std::vector<std::string> args, const std::string& addresses) {
    args.insert(args.begin(), {"-addrs", addresses});
    std::istringstream in;
    std::ostringstream out, err;
    base::cli::Streams streams{in, out, err};
    KvClientProgram tool("1.2.3");
    Result result;
    result.exit = tool.program().Run(args, streams, world_.world());
    result.out = out.str();
    result.err = err.str();
    return result;
  }
  Result Launch(std::vector<std::string> args) {
    return Launch(std::move(args), server_.address());
  }
  void SetToken(const std::string& token) {
    const base::MutexLock lock(state_.mutex);
    state_.token = token;
  }

  base::os::World world_{{.block_signals = false}};
  client::TestState state_;
  client::TestServer server_{state_};
};

TEST_F(KvClientProgramTest, OperationsPrintWhatTheReferencePrints) {  // E6
  const Result put = Launch({"-op", "put", "-key", "k", "-value", "-x"});
  EXPECT_EQ(put.out, "Put(k, -x) success\n") << put.err;
  EXPECT_EQ(put.err, "");
  EXPECT_EQ(put.exit, 0);
  EXPECT_EQ(Launch({"--op=append", "--key=k", "--value=--json"}).out,
            "Append(k, --json) success\n");
  EXPECT_EQ(Launch({"-op=get", "-key", "k"}).out, "Get(k) -> -x--json\n");
}

TEST_F(KvClientProgramTest, AMissingKeyIsTold) {  // E80
  const Result get = Launch({"-op", "get", "-key", "none"});
  EXPECT_EQ(get.out, "Get(none) -> \n");
  EXPECT_EQ(get.err, "note: there is no such key\n");
  EXPECT_EQ(get.exit, 0);
  EXPECT_EQ(Launch({"-op", "get", "-key", "none", "-json"}).out,
            "{\"found\":false,\"key\":\"none\"}\n");
}

TEST_F(KvClientProgramTest, JsonHasBytesThatAreNoTextInBase64) {
  Launch({"-op", "put", "-key", "k", "-value", "\xff"});
  EXPECT_EQ(Launch({"-op", "get", "-key", "k", "--json"}).out,
            "{\"found\":true,\"key\":\"k\",\"value_base64\":\"/w==\"}\n");
  EXPECT_EQ(Launch({"-op", "put", "-key", "k", "-value", "v", "--json"}).out,
            "{\"op\":\"put\",\"key\":\"k\"}\n");
}

TEST_F(KvClientProgramTest, TheStatusTableHasTheColumnsOfTheReference) {  // E6, E29
  const absl::Time before = absl::Now();
  const Result status = Launch({"-op", "status"}, absl::StrCat(server_.address(), ",", kNobody));
  EXPECT_LT(absl::Now() - before, absl::Seconds(1));
  const std::string address = server_.address() + std::string(25 - server_.address().size(), ' ');
  const auto pad = [](const std::string& text, size_t width) {
    return text + std::string(width - text.size(), ' ');
  };
  EXPECT_EQ(
      status.out,
      absl::StrCat("ID    Address                   Role            Term       Applied    "
                   "Commit          Storage(B)     \n",
                   std::string(100, '-'), "\n2     ", address,
                   " Leader          7          41         42              123456         \n",
                   "-     ", pad(kNobody, 25),
                   " Offline         -          -          -               -              \n"));
  EXPECT_EQ(status.exit, 0);
}

TEST_F(KvClientProgramTest, StatusAsJsonSaysWhyANodeIsOffline) {
  const Result status =
      Launch({"-op", "status", "-json"}, absl::StrCat(server_.address(), ",", kNobody));
  ASSERT_OK_AND_ASSIGN(const base::Json json, base::ParseJson(status.out));
  const auto& nodes = *json.Find("nodes")->AsArray();
  EXPECT_EQ(nodes[0].Dump(),
            absl::StrCat("{\"address\":\"", server_.address(),
                         "\",\"online\":true,\"id\":2,\"role\":\"Leader\",\"term\":7,"
                         "\"applied\":41,\"commit\":42,\"storage_bytes\":123456}"));
  EXPECT_EQ(nodes[1].Find("online")->Dump(), "false");
  EXPECT_THAT(*nodes[1].Find("error")->AsString(), Not(::testing::IsEmpty()));
}

TEST_F(KvClientProgramTest, NoNodeAtAllIsAFailureWithinASecond) {  // E29
  std::vector<std::string> addresses;
  for (int i = 1; i <= 30; ++i) addresses.push_back(absl::StrCat("192.0.2.", i, ":5001"));
  const absl::Time before = absl::Now();
  const Result status = Launch({"-op", "status"}, absl::StrJoin(addresses, ","));
  EXPECT_LT(absl::Now() - before, absl::Seconds(1));
  EXPECT_EQ(status.exit, 3);
  EXPECT_THAT(status.err, HasSubstr("status: no server answered"));
}

TEST_F(KvClientProgramTest, TheExitCodeAndTheTextSayWhatHappened) {  // spec 6.3, E144
  const Result nobody =
      Launch({"-op", "put", "-key", "k", "-value", "v", "-timeout", "300ms"}, kNobody);
  EXPECT_EQ(nobody.exit, 3);
  EXPECT_THAT(nobody.err, AllOf(HasSubstr("it was not executed"), HasSubstr(kNobody)));
  state_.timeouts = 1000;
  const Result unknown =
      Launch({"-op", "put", "-key", "k", "-value", "v", "-timeout=300ms", "--json"});
  EXPECT_EQ(unknown.exit, 3);
  EXPECT_THAT(unknown.out,
              AllOf(HasSubstr("it may have been executed"), HasSubstr("\"executed\":\"unknown\"")));
  state_.timeouts = 0;
  SetToken("secret");
  const Result refused = Launch({"-op", "put", "-key", "k", "-value", "v"});
  EXPECT_EQ(refused.exit, 1);
  EXPECT_THAT(refused.err,
              AllOf(HasSubstr("the token is unknown"), HasSubstr("it was not executed")));
}

TEST_F(KvClientProgramTest, WrongUsageIsExitTwo) {
  const auto usage = [&](std::vector<std::string> args, const std::string& text) {
    const Result result = Launch(std::move(args));
    EXPECT_EQ(result.exit, 2) << result.err;
    EXPECT_THAT(result.err, HasSubstr(text));
  };
  usage({"-op", "frob"}, "error: Unknown operation\n");
  usage({}, "error: get: no key; write -key KEY\n");
  usage({"-op", "get"}, "get: no key; write -key KEY");
  usage({"-op", "put", "-key", "k"}, "put: no value");
  usage({"-op", "status", "-addrs", "localhost"}, "--addrs: \"localhost\" is no address");
  usage({"-op", "status", "-addrs", "kv-{2..0}:1"}, "above the last one");
  usage({"-op", "status", "-addrs", ","}, "no address is given");
  usage({"-op", "status", "-tls-cert", "/x"}, "--tls-cert and --tls-key go together");
  usage({"-op", "status", "-tls-ca", "/nonexistent"}, "/nonexistent");
  usage({"-op", "status", "-timeout", "10"}, "--timeout does not take \"10\"");
  usage({"-op", "status", "-token", "env:SURELY_NOT_SET"}, "SURELY_NOT_SET is not set");
  usage({"-op", "status", "more"}, "unexpected argument");
  usage({"-oq", "status"}, "did you mean --op?");
}

TEST_F(KvClientProgramTest, TheTokenComesFromAFile) {  // E191
  SetToken("secret");
  const base::testing::TempDir temp;
  const std::string path = absl::StrCat(temp.path(), "/token");
  base::net::ReplaceTestFile(path, "secret\n");
  const Result ran = Launch({"-op", "get", "-key", "k", "-token", "file:" + path});
  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_EQ(ran.err, "note: there is no such key\n");
  const Result literal = Launch({"-op", "get", "-key", "k", "-token", "secret"});
  EXPECT_EQ(literal.exit, 0);
  EXPECT_THAT(literal.err, HasSubstr("others on this machine can read the command line"));
}

TEST_F(KvClientProgramTest, TlsOnOneSideOnlyIsSaidAtOnce) {  // E26
  const base::net::TestAuthority authority;
  const base::net::TestCertificate certificate = authority.Issue();
  client::TestServer tls(state_,
                         client::TestServer::Tls{certificate.cert_pem, certificate.key_pem, ""});
  const base::testing::TempDir temp;
  const std::string ca = absl::StrCat(temp.path(), "/ca.pem");
  base::net::ReplaceTestFile(ca, authority.cert_pem());
  for (const std::string op : {"get", "status"}) {
    const absl::Time before = absl::Now();
    const Result plain = Launch({"-op", op, "-key", "k"}, tls.address());
    EXPECT_EQ(plain.exit, 1);
    EXPECT_THAT(plain.err, HasSubstr("server expects TLS"));
    const Result encrypted = Launch({"-op", op, "-key", "k", "-tls-ca", ca});
    EXPECT_EQ(encrypted.exit, 1);
    EXPECT_THAT(encrypted.err, HasSubstr("server speaks plaintext"));
    EXPECT_LT(absl::Now() - before, absl::Seconds(6));
    const Result right = Launch({"-op", op, "-key", "k", "-tls-ca", ca}, tls.address());
    EXPECT_EQ(right.exit, 0) << right.err;
  }
}

}  // namespace
}  // namespace slipway::eraft::cli
