// The client over a zako-casd in this process.
#include "cas/client/remote_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/metrics/metrics.h"
#include "base/os/loop.h"
#include "base/os/pool.h"
#include "base/os/world.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "cas/blob_store_contract.h"
#include "cas/errors.h"
#include "cas/service/casd.h"
#include "cas/store/index.h"

namespace slipway::cas {
namespace {

using ::slipway::base::testing::IsOkAndHolds;
using ::slipway::base::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

base::World& World() {
  static auto* const world = new base::os::World({.block_signals = false});
  return world->world();
}

CasdConfig TestConfig() {
  CasdConfig config;
  config.listen_cas = config.listen_transport = config.listen_http = "127.0.0.1:0";
  config.roles = {"cas", "transport", "admin"};
  config.store.durability = Durability::kNone;
  config.store.free_bytes_min = 0;
  config.store.verify_first_read = false;
  config.lame_duck = config.drain_timeout = absl::ZeroDuration();
  config.log_level = "off";
  return config;
}

// A server on an empty directory, and a client.
class Server : public BlobStoreWorld {
 public:
  explicit Server(CasdConfig config = TestConfig(), RemoteOptions options = {}) {
    config.store_root = dir_.Join("store");
    auto casd = Casd::Start(
        config, World(), loop_, io_, metrics_,
        [](const std::string&) -> base::Owned<Index> { return MakeMemoryIndex(); },
        BuildInfo{"1.2.3", "abc"});
    EXPECT_OK(casd);
    if (!casd.ok()) return;
    casd_ = *std::move(casd);
    options_ = options;
    options_.channel.address = absl::StrCat("127.0.0.1:", casd_->port("cas"));
    store_ = Open();
  }

  std::unique_ptr<RemoteStore> Open() { return Open(options_); }
  static std::unique_ptr<RemoteStore> Open(const RemoteOptions& options) {
    auto store = OpenRemoteStore(options, World().files, World().clock, World().random);
    EXPECT_OK(store);
    return *std::move(store);
  }
  std::unique_ptr<CasAdmin> Admin() {
    auto admin = OpenCasAdmin(options_, World().files, World().clock, World().random);
    EXPECT_OK(admin);
    return *std::move(admin);
  }
  BlobStore& store() override { return *store_; }
  RemoteStore& remote() { return *store_; }
  const RemoteOptions& options() const { return options_; }
  void Drain() { casd_->Drain(); }
  // Overwrites one byte of the blob on the server's disk.
  void Harm(const Digest& digest) {
    const std::string hex = digest.Hex();
    const auto root = World().files.OpenRoot(dir_.Join("store/objects/" + hex.substr(0, 2)));
    ASSERT_OK(root);
    const std::string name = hex.substr(2);
    std::string bytes = base::ReadFile(**root, name, 1 << 30).value();
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    ASSERT_OK((*root)->SetMeta(name, {.mode = 0644}));
    const auto file = (*root)->Open(name, {.write = true});
    ASSERT_OK(file);
    ASSERT_OK((*file)->WriteAt(0, base::AsBytes(bytes)));
  }

 private:
  base::testing::TempDir dir_;
  base::Metrics metrics_;
  base::os::ThreadLoop loop_{"casd"};
  base::os::ThreadPool io_{"io", 4, 1024};
  std::unique_ptr<Casd> casd_;
  RemoteOptions options_;
  std::unique_ptr<RemoteStore> store_;
};

// Z1: the suite that every store passes.
INSTANTIATE_TEST_SUITE_P(Remote, BlobStoreContract, ::testing::Values(BlobStoreContractOf([] {
                           return std::make_unique<Server>();
                         })));
INSTANTIATE_TEST_SUITE_P(RemoteSmallChunks, BlobStoreContract,
                         ::testing::Values(BlobStoreContractOf([] {
                           RemoteOptions options;
                           options.chunk_bytes = 1000;
                           return std::make_unique<Server>(TestConfig(), options);
                         })));
// Z7: each token is good for one transfer.
INSTANTIATE_TEST_SUITE_P(RemoteTokenOnce, BlobStoreContract,
                         ::testing::Values(BlobStoreContractOf([] {
                           CasdConfig config = TestConfig();
                           config.token_reuse = CasdConfig::TokenReuse::kOnce;
                           return std::make_unique<Server>(config);
                         })));

Digest Put(BlobStore& store, const std::string& text) {
  const Digest digest = DigestOf(base::AsBytes(text));
  EXPECT_OK(PutBytes(store, digest, base::AsBytes(text)));
  return digest;
}

TEST(RemoteStore, BlobsLargerThanWhatIsKeptForARepetitionComeBack) {
  Server server;
  const std::string text = BlobText(1, 9'000'001);
  const Digest digest = Put(server.store(), text);
  const auto bytes = GetBytes(server.store(), digest, 10'000'000);
  ASSERT_OK(bytes);
  EXPECT_TRUE(base::AsText(*bytes) == text);
}

TEST(RemoteStore, MissingAnswersInOrderWithoutDuplicates) {  // Z4
  Server server;
  const Digest there = Put(server.store(), "there");
  const Digest a = DigestOf(base::AsBytes("a"));
  const Digest b = DigestOf(base::AsBytes("b"));
  const std::vector<Digest> asked = {b, there, a, b, there, a};
  EXPECT_THAT(server.remote().Missing(asked), IsOkAndHolds(ElementsAre(b, a)));
  EXPECT_THAT(server.remote().Missing({}), IsOkAndHolds(IsEmpty()));
}

TEST(RemoteStore, MissingTakesMoreDigestsThanOneMessage) {  // Z4
  Server server;
  std::vector<Digest> asked;
  for (uint64_t i = 0; i < 40'000; ++i) {
    Digest digest;
    base::StoreLittle(digest.blake3.data(), i);
    asked.push_back(digest);
  }
  std::vector<Digest> twice = asked;
  twice.push_back(asked.front());  // in another message than the first time
  const auto missing = server.remote().Missing(twice);
  ASSERT_OK(missing);
  EXPECT_TRUE(*missing == asked);
}

TEST(RemoteStore, WrongBytesOfTheServerAreNeverGood) {  // Z130
  Server server;
  for (const size_t size : {1u, 100'000u, 3'000'000u}) {
    const Digest digest = Put(server.store(), BlobText(2, size));
    server.Harm(digest);
    EXPECT_THAT(GetBytes(server.store(), digest, 10'000'000),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr(digest.ToString())));
  }
}

TEST(RemoteStore, ManyThreadsShareOneClient) {
  Server server;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&server, t] {
      for (int i = 0; i < 10; ++i) {
        const std::string text = BlobText(static_cast<uint64_t>(100 * (i % 3) + t), 70'000);
        const Digest digest = Put(server.store(), text);
        const auto bytes = GetBytes(server.store(), digest, 100'000);
        EXPECT_OK(bytes);
        EXPECT_TRUE(bytes.ok() && base::AsText(*bytes) == text);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(RemoteStore, TheServerSaysHowManyStreamsAreGood) {  // Z9
  CasdConfig config = TestConfig();
  config.recommended_concurrency = 7;
  Server server(config);
  EXPECT_EQ(server.remote().recommended_concurrency(), 7);
}

TEST(RemoteStore, AServerThatIsGoneIsUnavailableAfterAFewTries) {
  RemoteOptions options;
  options.channel.address = "127.0.0.1:1";
  options.attempts = 2;
  const auto store = Server::Open(options);
  const Digest digest = DigestOf({});
  const absl::Status status = store->Check(digest).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(base::GetErrorInfo(status).code, "ZK4003");
  EXPECT_THAT(store->Store(digest), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(store->Fetch(digest, {}), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(store->recommended_concurrency(), 1);
}

TEST(RemoteStore, CancellationEndsTheCallsToCome) {
  base::CancelSource cancel;
  RemoteOptions options;
  options.cancel = cancel.token();
  Server server(TestConfig(), options);
  const Digest digest = Put(server.store(), BlobText(3, 5'000'000));
  auto reader = server.store().Fetch(digest, {});
  ASSERT_OK(reader);
  cancel.Cancel({base::CancelReason::Kind::kInterrupt, "SIGINT", {}});
  EXPECT_THAT(server.store().Fetch(digest, {}), StatusIs(absl::StatusCode::kCancelled));
  base::Bytes block(5'000'001);
  EXPECT_THAT((*reader)->Read(absl::MakeSpan(block)), StatusIs(absl::StatusCode::kCancelled));
}

TEST(RemoteStore, AddressesThatAreNoneAreRefused) {
  for (const char* address : {"", "host", ":1", "host:0"}) {
    RemoteOptions options;
    options.channel.address = address;
    EXPECT_THAT(OpenRemoteStore(options, World().files, World().clock, World().random),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << address;
  }
}

TEST(RemoteStore, ATokenThatNoHeaderCarriesIsRefused) {  // Z7
  for (const char* token : {"two\nlines", "caf\xc3\xa9", "\x7f"}) {
    RemoteOptions options;
    options.channel.address = "127.0.0.1:1";
    options.token = base::Secret(token);
    for (const absl::Status& status :
         {OpenRemoteStore(options, World().files, World().clock, World().random).status(),
          OpenCasAdmin(options, World().files, World().clock, World().random).status()}) {
      EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("use token")));
      EXPECT_THAT(status.message(), Not(HasSubstr(token)));
    }
  }
}

TEST(CasAdminClient, AServerAtWorkNeedNotSayAnything) {  // Z143
  Server server;
  for (int i = 0; i < 3; ++i) Put(server.store(), std::string(1000, static_cast<char>('a' + i)));
  RemoteOptions hasty = server.options();
  hasty.stall_timeout = absl::Milliseconds(10);
  const auto admin = OpenCasAdmin(hasty, World().files, World().clock, World().random);
  ASSERT_OK(admin);
  const auto all = (*admin)->Scrub(nullptr, /*rate_bytes=*/5000, nullptr);
  ASSERT_OK(all);
  EXPECT_EQ(all->blobs, 3u);
}

TEST(CasAdminClient, TellsAndChangesWhatTheServerHolds) {  // Z143
  Server server;
  const auto admin = server.Admin();
  const Digest a = Put(server.store(), "a");
  const Digest b = Put(server.store(), "bb");
  const auto stats = admin->Stats();
  ASSERT_OK(stats);
  EXPECT_EQ(stats->blobs, 2u);
  EXPECT_EQ(stats->version, "1.2.3");
  const auto stat = admin->Stat(b);
  ASSERT_OK(stat);
  EXPECT_TRUE(stat->present);
  EXPECT_EQ(stat->stored_bytes, 2u);
  EXPECT_GT(stat->created_unix, 1'600'000'000);
  EXPECT_FALSE(admin->Stat(DigestOf(base::AsBytes("c")))->present);
  const auto all = admin->List({}, "", 0);
  ASSERT_OK(all);
  EXPECT_THAT(all->digests, UnorderedElementsAre(a, b));
  const auto one = admin->List(base::BytesView(b.blake3), "", 10);
  ASSERT_OK(one);
  EXPECT_THAT(one->digests, ElementsAre(b));
  EXPECT_THAT(admin->Delete(a), IsOkAndHolds(true));
  EXPECT_THAT(admin->Delete(a), IsOkAndHolds(false));
  EXPECT_THAT(server.store().Contains(a), IsOkAndHolds(false));
}

TEST(CasAdminClient, ListsByPages) {
  Server server;
  std::set<Digest> put, listed;
  for (int i = 0; i < 7; ++i) put.insert(Put(server.store(), absl::StrCat("blob ", i)));
  const auto admin = server.Admin();
  std::string token;
  do {
    const auto page = admin->List({}, token, 3);
    ASSERT_OK(page);
    EXPECT_LE(page->digests.size(), 3u);
    listed.insert(page->digests.begin(), page->digests.end());
    token = page->next_token;
  } while (!token.empty());
  EXPECT_EQ(listed, put);
}

TEST(CasAdminClient, ScrubFindsWhatIsDamaged) {
  Server server;
  const Digest good = Put(server.store(), "good");
  const Digest bad = Put(server.store(), BlobText(4, 5000));
  server.Harm(bad);
  const auto admin = server.Admin();
  const auto one = admin->Scrub(&good, 0, nullptr);
  ASSERT_OK(one);
  EXPECT_THAT(one->corrupt, IsEmpty());
  const auto all = admin->Scrub(nullptr, 0, nullptr);
  ASSERT_OK(all);
  EXPECT_THAT(all->corrupt, ElementsAre(bad));
  EXPECT_THAT(server.store().Contains(bad), IsOkAndHolds(false));
}

TEST(CasAdminClient, GcLeavesSoMuch) {
  Server server;
  for (uint64_t i = 0; i < 5; ++i) Put(server.store(), BlobText(i, 1000));
  const auto admin = server.Admin();
  const auto dry = admin->Gc(2000, /*dry_run=*/true, nullptr);
  ASSERT_OK(dry);
  EXPECT_EQ(dry->removed_blobs, 3u);
  EXPECT_EQ(admin->Stats()->blobs, 5u);
  int steps = 0;
  const auto done = admin->Gc(2000, /*dry_run=*/false, [&](const GcProgress&) { ++steps; });
  ASSERT_OK(done);
  EXPECT_EQ(done->removed_bytes, 3000u);
  EXPECT_EQ(admin->Stats()->blobs, 2u);
  EXPECT_GE(steps, 1);
}

}  // namespace
}  // namespace slipway::cas
