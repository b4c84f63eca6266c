// zako in process, over a fake server and a simulated disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/json/json.h"
#include "base/sim/world.h"
#include "base/sync/mutex.h"
#include "base/testing/status_matchers.h"
#include "cas/errors.h"
#include "cas/store/stores.h"
#include "zako/cli/connection.h"
#include "zako/cli/zako.h"

namespace slipway::zako::cli {
namespace {

using ::slipway::base::testing::IsOkAndHolds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// What a server holds, as the fake store and the fake administration see it.
struct Server {
  std::unique_ptr<cas::BlobStore> store = cas::MakeMemoryStore(1 << 30);
  base::Mutex mutex;
  std::map<cas::Digest, std::string> seen ABSL_GUARDED_BY(mutex);
  absl::Status down;             // of every call
  std::vector<cas::Digest> bad;  // what a scrub finds
  std::set<cas::Digest> removed;
  std::vector<cas::Digest> listed;  // what List says instead of the truth
  int stores = 0;
  cas::RemoteOptions asked;  // of the last connection
};

class FakeStore : public cas::RemoteStore {
 public:
  explicit FakeStore(Server& server) : server_(server) {}
  absl::StatusOr<std::vector<cas::Digest>> Missing(absl::Span<const cas::Digest>) override {
    return absl::UnimplementedError("");
  }
  int recommended_concurrency() override { return 3; }
  absl::StatusOr<std::optional<uint64_t>> Check(const cas::Digest& digest) override {
    return server_.store->Check(digest);
  }
  absl::StatusOr<bool> Contains(const cas::Digest& digest) override {
    return server_.store->Contains(digest);
  }
  base::Owned<cas::BlobWriter> Store(const cas::Digest& digest) override {
    SLIPWAY_RETURN_IF_ERROR(server_.down);
    const base::MutexLock lock(server_.mutex);
    ++server_.stores;
    server_.seen[digest] = "";
    return server_.store->Store(digest);
  }
  base::Owned<cas::BlobReader> Fetch(const cas::Digest& digest, cas::BlobRange range) override {
    SLIPWAY_RETURN_IF_ERROR(server_.down);
    return server_.store->Fetch(digest, range);
  }
  std::optional<std::string> GetLocalPath(const cas::Digest&) override { return std::nullopt; }

 private:
  Server& server_;
};

class FakeAdmin : public cas::CasAdmin {
 public:
  explicit FakeAdmin(Server& server) : server_(server) {}
  absl::StatusOr<cas::RemoteStats> Stats() override {
    SLIPWAY_RETURN_IF_ERROR(server_.down);
    return cas::RemoteStats{3, 2048, 0, 61, "9.9"};
  }
  absl::StatusOr<cas::RemoteStat> Stat(const cas::Digest& digest) override {
    SLIPWAY_ASSIGN_OR_RETURN(const auto size, server_.store->Check(digest));
    if (!size) return cas::RemoteStat();
    return cas::RemoteStat{true, *size, 1'700'000'000, 1'700'000'100};
  }
  absl::StatusOr<Page> List(base::BytesView prefix, absl::string_view token,
                            uint32_t page_size) override {
    SLIPWAY_RETURN_IF_ERROR(server_.down);
    const base::MutexLock lock(server_.mutex);
    Page page;
    page.digests = server_.listed;
    if (!page.digests.empty()) return page;
    for (const auto& [digest, unused] : server_.seen) {
      if (!std::equal(prefix.begin(), prefix.end(), digest.blake3.begin())) continue;
      if (digest.Hex() <= std::string(token)) continue;
      if (page.digests.size() == std::min<uint32_t>(page_size, 2)) {  // small pages
        page.next_token = page.digests.back().Hex();
        break;
      }
      page.digests.push_back(digest);
    }
    return page;
  }
  absl::StatusOr<bool> Delete(const cas::Digest& digest) override {
    const base::MutexLock lock(server_.mutex);
    if (!server_.seen.contains(digest)) return false;
    return server_.removed.insert(digest).second;
  }
  absl::StatusOr<cas::GcProgress> Gc(
      uint64_t target, bool dry_run,
      const std::function<void(const cas::GcProgress&)>& progress) override {
    progress({1, 1, 10});
    gc_target = target;
    gc_dry = dry_run;
    return cas::GcProgress{5, 2, 2048};
  }
  absl::StatusOr<cas::ScrubProgress> Scrub(
      const cas::Digest* digest, uint64_t,
      const std::function<void(const cas::ScrubProgress&)>& progress) override {
    progress({1, 1, {}});
    if (digest == nullptr) return cas::ScrubProgress{3, 300, server_.bad};
    return cas::ScrubProgress{1, digest->size_bytes, {}};
  }
  static inline uint64_t gc_target = 0;
  static inline bool gc_dry = false;

 private:
  Server& server_;
};

struct Ran {
  int exit = 0;
  std::string out, err;
};

class ZakoTest : public ::testing::Test {
 protected:
  ZakoTest() {
    for (const char* path : {"/home/ann", "/tmp"}) EXPECT_OK(world_.files.MakeRoot(path));
    world_.SetWorkingDirectory("/home/ann");
    world_.environment.Set("ZAKO_CAS", "cas.example:50610");
  }

  Ran RunArgs(const std::vector<std::string>& args, const std::string& input = "",
              bool terminal = false) {
    std::istringstream in(input);
    std::ostringstream out, err;
    base::cli::Streams streams{in, out, err};
    streams.in_is_terminal = streams.err_is_terminal = terminal;
    streams.in_status = [this] { return input_status_; };
    Zako zako("1.2.3",
              {[this](const cas::RemoteOptions& options, base::World&) {
                 server_.asked = options;
                 return base::Owned<cas::RemoteStore>(std::make_unique<FakeStore>(server_));
               },
               [this](const cas::RemoteOptions& options, base::World&) {
                 server_.asked = options;
                 return base::Owned<cas::CasAdmin>(std::make_unique<FakeAdmin>(server_));
               }});
    Ran ran;
    ran.exit = zako.program().Run(args, streams, world_.world(), cancel_.token());
    ran.out = out.str();
    ran.err = err.str();
    return ran;
  }
  Ran Run(const std::string& line, const std::string& input = "", bool terminal = false) {
    return RunArgs(absl::StrSplit(line, ' '), input, terminal);
  }

  void Write(const std::string& path, const std::string& text, uint32_t mode = 0644) {
    const auto [folder, name] = base::SplitPath(path);
    const auto dir = world_.files.MakeRoot(absl::StrCat("/home/ann/", folder));
    ASSERT_OK(dir);
    ASSERT_OK(base::WriteFileDurably(**dir, name, text, mode));
  }
  std::string Read(const std::string& path) {
    return base::ReadUserFile(world_.files, absl::StrCat("/home/ann/", path), 1 << 24)
        .value_or("none");
  }
  static cas::Digest Name(const std::string& text) { return cas::DigestOf(base::AsBytes(text)); }
  std::string Put(const std::string& text) {
    const cas::Digest digest = Name(text);
    EXPECT_OK(cas::PutBytes(*server_.store, digest, base::AsBytes(text)));
    const base::MutexLock lock(server_.mutex);
    server_.seen[digest] = "";
    return digest.ToString();
  }
  base::Json Json(const Ran& ran) {
    const auto json = base::ParseJson(ran.out);
    EXPECT_OK(json) << ran.out << ran.err;
    return json.value_or(base::Json());
  }

  base::sim::World world_{1};
  Server server_;
  absl::Status input_status_;  // why standard input ended
  base::CancelSource cancel_;
};

TEST_F(ZakoTest, PutPrintsDigestAndPathInTheOrderGiven) {  // Z143
  Write("a", "alpha");
  Write("d/b", "beta");
  const Ran ran = Run("cas put d/b a");
  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_EQ(ran.out,
            absl::StrCat(Name("beta").ToString(), "  d/b\n", Name("alpha").ToString(), "  a\n"));
  EXPECT_THAT(ran.err, HasSubstr("elapsed"));  // Z26
  EXPECT_THAT(server_.store->Contains(Name("alpha")), IsOkAndHolds(true));
}

TEST_F(ZakoTest, PutSaysWhatWasThere) {
  Put("alpha");
  Write("a", "alpha");
  Write("b", "beta");
  const base::Json json = Json(Run("cas put a b --json"));
  const auto& blobs = *json.Find("blobs")->AsArray();
  EXPECT_EQ(*blobs[0].Find("result")->AsString(), "present");
  EXPECT_EQ(*blobs[1].Find("result")->AsString(), "stored");
  EXPECT_EQ(*blobs[1].Find("digest")->AsString(), Name("beta").ToString());
}

TEST_F(ZakoTest, PutTakesStandardInput) {
  const std::string big(3'000'000, 'z');
  const Ran ran = Run("cas put -", big);
  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_EQ(ran.out, absl::StrCat(Name(big).ToString(), "  -\n"));
  EXPECT_EQ(Run("cas put -", "").out, absl::StrCat(Name("").ToString(), "  -\n"));
  EXPECT_EQ(Run("cas put - -", "x").exit, 2);
}

TEST_F(ZakoTest, AnInputThatBreaksOffIsNotStored) {
  input_status_ = absl::DataLossError("read standard input: Input/output error");
  const Ran ran = Run("cas put -", "the first half");
  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.err, HasSubstr("read standard input"));
  EXPECT_EQ(server_.stores, 0);
}

TEST_F(ZakoTest, NothingIsStoredOrWrittenAfterAnInterrupt) {  // Z26
  const std::string name = Put("alpha");
  Write("a", "beta");
  cancel_.Cancel({.kind = base::CancelReason::Kind::kInterrupt, .text = "SIGINT"});
  EXPECT_EQ(Run("cas put a").exit, 130);
  EXPECT_EQ(Run("cas put -", "beta").exit, 130);
  EXPECT_EQ(server_.stores, 0);
  EXPECT_EQ(Run(absl::StrCat("cas get ", name, " out")).exit, 130);
  EXPECT_EQ(Read("out"), "none");
  EXPECT_TRUE(server_.asked.cancel.cancelled());
  EXPECT_EQ(Run(absl::StrCat("cas rm ", name), "", /*terminal=*/true).exit, 130);
}

TEST_F(ZakoTest, PutGoesOnAfterAFileThatFails) {
  Write("a", "alpha");
  Write("d/x", "x");
  const Ran ran = Run("cas put missing a d");
  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.out, HasSubstr(Name("alpha").ToString()));
  EXPECT_THAT(ran.err, AllOf(HasSubstr("missing"), HasSubstr("is a directory")));
  EXPECT_EQ(Run("cas put").exit, 2);
}

TEST_F(ZakoTest, GetWritesTheFileWholeOrNotAtAll) {
  const std::string name = Put("alpha");
  EXPECT_EQ(Run(absl::StrCat("cas get ", name, " out")).exit, 0);
  EXPECT_EQ(Read("out"), "alpha");
  const Ran missing = Run(absl::StrCat("cas get ", Name("other").ToString(), " out"));
  EXPECT_EQ(missing.exit, 1);
  EXPECT_THAT(missing.err, HasSubstr("not in the store"));
  EXPECT_EQ(Read("out"), "alpha");
}

TEST_F(ZakoTest, WhatGetWroteIsOnDisk) {
  ASSERT_EQ(Run(absl::StrCat("cas get ", Put("alpha"), " out")).exit, 0);
  base::sim::Files after = world_.files.AfterReboot(base::sim::Loss::kLoseAllUnsynced);
  EXPECT_THAT(base::ReadUserFile(after, "/home/ann/out", 100), IsOkAndHolds("alpha"));
}

TEST_F(ZakoTest, GetKeepsTheModeAndTheLink) {
  const std::string name = Put("alpha");
  Write("private", "old", 0600);
  const auto home = world_.files.OpenRoot("/home/ann");
  ASSERT_OK((*home)->Symlink("private", "link"));
  ASSERT_OK((*home)->Symlink("nowhere", "dangling"));
  EXPECT_EQ(Run(absl::StrCat("cas get ", name, " link")).exit, 0);
  EXPECT_EQ(Read("private"), "alpha");
  EXPECT_EQ((*home)->Stat("private")->mode, 0600u);
  EXPECT_EQ((*home)->Stat("link")->kind, base::FileKind::kSymlink);
  EXPECT_EQ(Run(absl::StrCat("cas get ", name, " new")).exit, 0);
  EXPECT_EQ((*home)->Stat("new")->mode, 0644u);
  for (const char* wrong : {".", "..", "/", "new/"}) {
    EXPECT_EQ(Run(absl::StrCat("cas get ", name, " ", wrong)).exit, 2) << wrong;
  }
}

TEST_F(ZakoTest, GetWritesToStandardOutput) {
  const std::string name = Put("alpha\n");
  EXPECT_EQ(Run(absl::StrCat("cas get ", name)).out, "alpha\n");
  EXPECT_EQ(Run(absl::StrCat("cas get ", name, " -")).out, "alpha\n");
  EXPECT_EQ(Run(absl::StrCat("cas get ", name, " --json")).exit, 2);
  const base::Json json = Json(Run(absl::StrCat("cas get ", name, " out --json")));
  EXPECT_EQ(*json.Find("digest")->AsString(), name);
}

TEST_F(ZakoTest, GetTakesARange) {
  const std::string name = Put("0123456789");
  EXPECT_EQ(Run(absl::StrCat("cas get ", name, " --range 3")).out, "3456789");
  EXPECT_EQ(Run(absl::StrCat("cas get ", name, " --range 3:4")).out, "3456");
  EXPECT_EQ(Run(absl::StrCat("cas get ", name, " --range 10")).exit, 1);
  for (const char* wrong : {"", "x", "1:0", "1:2:3", "-1", "1:x"}) {
    EXPECT_EQ(Run(absl::StrCat("cas get ", name, " --range=", wrong)).exit, 2) << wrong;
  }
}

TEST_F(ZakoTest, ABareHashIsAsGoodAsADigest) {  // DECISIONS 2
  Put("alpha");
  for (const std::string& name : {Name("alpha").Hex(), "blake3:" + Name("alpha").Hex()}) {
    EXPECT_EQ(Run(absl::StrCat("cas get ", name)).out, "alpha");
  }
  EXPECT_EQ(Run(absl::StrCat("cas get ", Name("none").Hex())).exit, 1);
  for (const char* wrong : {"x", "blake3:12/3", "sha256:00"}) {
    EXPECT_EQ(Run(absl::StrCat("cas get ", wrong)).exit, 2) << wrong;
  }
}

TEST_F(ZakoTest, AServerThatAnswersWithAnotherBlobIsNotBelieved) {
  const std::string other = Put("evil");
  server_.listed = {Name("evil")};
  const std::string bare = Name("alpha").Hex();
  for (const char* command : {"get ", "rm --yes ", "stat ", "verify "}) {
    const Ran ran = Run(absl::StrCat("cas ", command, bare));
    EXPECT_EQ(ran.exit, 4) << command;
    EXPECT_THAT(ran.err, HasSubstr("another blob"));
    EXPECT_THAT(ran.out, Not(HasSubstr("evil")));
  }
  EXPECT_THAT(server_.removed, IsEmpty());
}

TEST_F(ZakoTest, AnAbsentBlobIsAbsentHoweverItIsNamed) {
  const std::string there = Put("alpha");
  const std::string full = Name("x").ToString(), bare = Name("x").Hex();
  for (const std::string& name : {full, bare}) {
    SCOPED_TRACE(name);
    const Ran stat = Run(absl::StrCat("cas stat ", name, " ", there));
    EXPECT_EQ(stat.exit, 1);
    EXPECT_THAT(stat.out, AllOf(HasSubstr("absent"), HasSubstr(there)));
    const Ran removed = Run(absl::StrCat("cas rm --yes --dry-run ", name, " ", there));
    EXPECT_EQ(removed.exit, 0);
    EXPECT_THAT(removed.out, AllOf(HasSubstr("absent"), HasSubstr("would remove")));
    EXPECT_EQ(Run(absl::StrCat("cas rm --yes ", name)).exit, 0);
    EXPECT_EQ(Run(absl::StrCat("cas get ", name)).exit, 1);
  }
  EXPECT_EQ(Run(absl::StrCat("cas verify ", bare)).exit, 1);
}

TEST_F(ZakoTest, StatTellsOfBlobsAndOfTheServer) {
  const std::string name = Put("alpha");
  EXPECT_THAT(Run(absl::StrCat("cas stat ", name)).out,
              AllOf(HasSubstr(name), HasSubstr("2023-11-14T22:13:20Z")));
  const Ran absent = Run(absl::StrCat("cas stat ", Name("x").ToString(), " --json"));
  EXPECT_EQ(absent.exit, 1);
  EXPECT_THAT(absent.out, HasSubstr("\"present\":false"));
  EXPECT_THAT(Run("cas stat").out, AllOf(HasSubstr("9.9"), HasSubstr("1m1s")));
}

TEST_F(ZakoTest, ListGoesThroughAllPages) {
  std::set<std::string> all;
  for (int i = 0; i < 9; ++i) all.insert(Put(absl::StrCat("blob ", i)));
  const std::vector<std::string> lines = absl::StrSplit(Run("cas ls").out, '\n', absl::SkipEmpty());
  EXPECT_EQ(std::set<std::string>(lines.begin(), lines.end()), all);
  EXPECT_EQ(lines.size(), all.size());
  const std::string hex = Name("blob 3").Hex();
  for (const size_t digits : {1, 2, 3, 64}) {
    EXPECT_THAT(Run(absl::StrCat("cas ls ", hex.substr(0, digits))).out, HasSubstr(hex));
  }
  EXPECT_THAT(Run(absl::StrCat("cas ls ", hex)).out, Not(HasSubstr(Name("blob 4").Hex())));
  EXPECT_EQ(Json(Run("cas ls --json --limit 3")).Find("digests")->AsArray()->size(), 3u);
  for (const char* wrong : {"x", "0x", "AB", "g0"}) {
    EXPECT_EQ(Run(absl::StrCat("cas ls ", wrong)).exit, 2) << wrong;
  }
}

TEST_F(ZakoTest, ListSaysWhetherItIsComplete) {
  std::map<char, std::vector<std::string>> by_digit;
  for (int i = 0; i < 40; ++i) {
    const std::string hex = Name(absl::StrCat("blob ", i)).Hex();
    Put(absl::StrCat("blob ", i));
    by_digit[hex[0]].push_back(hex);
  }
  for (const auto& [digit, names] : by_digit) {
    const std::string prefix(1, digit);
    for (size_t limit = 1; limit <= names.size() + 1; ++limit) {
      const base::Json json = Json(Run(absl::StrCat("cas ls ", prefix, " --json --limit ", limit)));
      EXPECT_EQ(json.Find("digests")->AsArray()->size(), std::min(limit, names.size()));
      // With just as many as there are, the server may have had one more to look at.
      if (limit != names.size()) {
        EXPECT_EQ(*json.Find("complete")->AsBool(), limit > names.size());
      }
    }
  }
}

TEST_F(ZakoTest, RemoveAsks) {
  const std::string name = Put("alpha");
  EXPECT_EQ(Run(absl::StrCat("cas rm ", name)).exit, 2);  // nobody to ask
  EXPECT_NE(Run(absl::StrCat("cas rm ", name), "n\n", /*terminal=*/true).exit, 0);
  EXPECT_THAT(Run(absl::StrCat("cas rm --dry-run ", name)).out, HasSubstr("would remove"));
  EXPECT_THAT(server_.removed, IsEmpty());
  EXPECT_EQ(Run(absl::StrCat("cas rm ", name), "y\n", /*terminal=*/true).exit, 0);
  EXPECT_EQ(server_.removed.size(), 1u);
  EXPECT_THAT(Run(absl::StrCat("cas rm --yes ", Name("x").ToString())).out, HasSubstr("absent"));
}

TEST_F(ZakoTest, GcAsksAndHasADryRun) {
  EXPECT_EQ(Run("cas gc --target 1KiB").exit, 2);
  EXPECT_EQ(Run("cas gc --yes").exit, 2);
  EXPECT_THAT(Run("cas gc --target 1KiB --dry-run").out, HasSubstr("would remove 2 blobs"));
  EXPECT_TRUE(FakeAdmin::gc_dry);
  EXPECT_THAT(Run("cas gc --target 1KiB --yes").out, HasSubstr("removed 2 blobs"));
  EXPECT_FALSE(FakeAdmin::gc_dry);
  EXPECT_EQ(FakeAdmin::gc_target, 1024u);
}

TEST_F(ZakoTest, VerifyFailsWhenABlobIsDamaged) {
  EXPECT_EQ(Run("cas verify").exit, 0);
  server_.bad = {Name("alpha")};
  const Ran ran = Run("cas verify");
  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.out, HasSubstr(absl::StrCat("damaged  ", Name("alpha").ToString())));
  EXPECT_THAT(ran.err, HasSubstr("ZK4005"));
  EXPECT_EQ(Run(absl::StrCat("cas verify ", Name("beta").ToString())).exit, 0);
}

TEST_F(ZakoTest, ExitCodesSayWhatKindOfFailure) {  // Z26
  server_.down = base::MakeError(absl::StatusCode::kUnavailable, "nobody listens", {"ZK4003", ""});
  EXPECT_EQ(Run("cas ls").exit, 3);
  server_.down = absl::DeadlineExceededError("slow");
  EXPECT_EQ(Run("cas ls").exit, 3);
  server_.down = absl::UnauthenticatedError("who?");
  EXPECT_EQ(Run("cas ls").exit, 1);
  server_.down = absl::InternalError("bug");
  EXPECT_EQ(Run("cas ls").exit, 4);
  EXPECT_EQ(Run("cas lss").exit, 2);
  EXPECT_EQ(Run("--version").exit, 0);
  EXPECT_EQ(Run("help").exit, 0);
}

TEST_F(ZakoTest, TheServerComesFromTheOptionOrTheEnvironment) {
  EXPECT_EQ(Run("cas ls").exit, 0);
  EXPECT_EQ(server_.asked.channel.address, "cas.example:50610");
  EXPECT_EQ(Run("cas ls --server [::1]:7").exit, 0);
  EXPECT_EQ(server_.asked.channel.address, "[::1]:7");
  for (const char* wrong : {"host", "host:0", ":7", "host:70000"}) {
    EXPECT_EQ(Run(absl::StrCat("cas ls --server ", wrong)).exit, 2) << wrong;
  }
  world_.environment.Unset("ZAKO_CAS");
  const Ran none = Run("cas ls");
  EXPECT_EQ(none.exit, 2);
  EXPECT_THAT(none.err, AllOf(HasSubstr("--server"), HasSubstr("ZAKO_CAS")));
}

TEST_F(ZakoTest, TokenAndTlsReachTheConnection) {
  Write("token", "s3cret-token\n", 0600);
  EXPECT_EQ(Run("cas ls --token-file token --tls-ca ca.pem --tls-cert c.pem --tls-key k.pem").exit,
            0);
  EXPECT_EQ(server_.asked.token.Reveal(), "s3cret-token");
  EXPECT_TRUE(server_.asked.channel.tls.enabled());
  EXPECT_EQ(server_.asked.channel.tls.key, "k.pem");
  Write("open", "s3cret-token", 0644);
  const Ran readable = Run("cas ls --token-file open");
  EXPECT_EQ(readable.exit, 2);
  EXPECT_THAT(readable.err, Not(HasSubstr("s3cret")));
  EXPECT_EQ(Run("cas ls --tls-cert c.pem").exit, 2);
  EXPECT_EQ(Run("cas ls --token-file none").exit, 2);
  EXPECT_EQ(Run("cas ls").exit, 0);
  EXPECT_FALSE(server_.asked.channel.use_tls);
  EXPECT_EQ(Run("cas ls --tls --timeout 7s").exit, 0);
  EXPECT_TRUE(server_.asked.channel.use_tls);
  EXPECT_EQ(server_.asked.call_timeout, absl::Seconds(7));
  EXPECT_EQ(Run("cas ls --tls-name other").exit, 0);
  EXPECT_EQ(server_.asked.channel.tls.server_name, "other");
}

TEST_F(ZakoTest, TheTraceOfTheEnvironmentIsPassedOn) {  // Z28
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  world_.environment.Set("TRACEPARENT", trace);
  Run("cas ls");
  EXPECT_EQ(server_.asked.trace.traceparent, trace);
}

TEST_F(ZakoTest, GlobalOptionsStandBeforeOrBehind) {  // Z18
  Write("d/b", "beta");
  EXPECT_EQ(Run("-C d cas put b").exit, 0);
  EXPECT_EQ(Run("cas put b -C d").exit, 0);
  EXPECT_EQ(Run("-C none cas put b").exit, 2);
  EXPECT_THAT(Run("cas put d/b --silent").err, IsEmpty());
  EXPECT_EQ(Run("cas put d/b --silent --verbose").exit, 2);
}

TEST_F(ZakoTest, EveryCommandHasHelpWithExamples) {
  for (const char* command : {"put", "get", "stat", "ls", "rm", "verify", "gc"}) {
    const Ran ran = Run(absl::StrCat("cas ", command, " --help"));
    EXPECT_EQ(ran.exit, 0);
    EXPECT_THAT(ran.out, AllOf(HasSubstr("zako cas"), HasSubstr("--server")));
  }
}

}  // namespace
}  // namespace slipway::zako::cli
