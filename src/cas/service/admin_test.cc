// The administration over real sockets, and the scrub beneath it.
#include <grpcpp/client_context.h>

#include "base/sim/clock.h"
#include "base/sim/loop.h"
#include "base/sim/pool.h"
#include "cas/service/scrub.h"
#include "cas/service/test_server.h"
#include "slipway/cas/v1/admin.grpc.pb.h"

namespace slipway::cas {
namespace {

using base::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class AdminTest : public ::testing::Test {
 protected:
  void Start(TestServerOptions options = {}) {
    server_ = std::make_unique<TestServer>(std::move(options));
    admin_ = v1::CasAdmin::NewStub(server_->Connect());
  }
  std::unique_ptr<grpc::ClientContext> Context(absl::string_view key = "") {
    auto context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    if (!key.empty()) context->AddMetadata("authorization", absl::StrCat("Bearer ", key));
    return context;
  }
  static void Fill(const Digest& digest, zako::v1::digest::Digest* proto) {
    proto->set_size_bytes(digest.size_bytes);
    proto->set_blake3(digest.blake3.data(), digest.blake3.size());
  }
  std::unique_ptr<TestServer> server_;
  std::unique_ptr<v1::CasAdmin::Stub> admin_;
};

TEST_F(AdminTest, TellsWhatTheStoreHolds) {  // Z143
  Start();
  const Digest digest = server_->blobs().Add("hello");
  v1::StatsResponse stats;
  ASSERT_TRUE(admin_->Stats(Context().get(), {}, &stats).ok());
  EXPECT_EQ(stats.blobs(), 1u);
  EXPECT_EQ(stats.bytes(), 5u);
  EXPECT_EQ(stats.version(), "1.2.3");
  v1::StatRequest request;
  Fill(digest, request.mutable_digest());
  v1::StatResponse stat;
  ASSERT_TRUE(admin_->Stat(Context().get(), request, &stat).ok());
  EXPECT_TRUE(stat.present());
  EXPECT_EQ(stat.stored_bytes(), 5u);
  request.mutable_digest()->set_size_bytes(6);
  ASSERT_TRUE(admin_->Stat(Context().get(), request, &stat).ok());
  EXPECT_FALSE(stat.present());
  EXPECT_EQ(admin_->Stat(Context().get(), {}, &stat).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(AdminTest, ListsInPagesAndByPrefix) {  // Z143
  Start();
  for (int i = 0; i < 25; ++i) server_->blobs().Add(absl::StrCat(i));
  v1::ListRequest request;
  request.set_page_size(10);
  std::vector<std::string> seen;
  std::vector<int> sizes;
  do {
    v1::ListResponse response;
    ASSERT_TRUE(admin_->List(Context().get(), request, &response).ok());
    for (const auto& digest : response.digests()) seen.push_back(digest.blake3());
    sizes.push_back(response.digests_size());
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(sizes, ElementsAre(10, 10, 5));
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end(), [](const auto& a, const auto& b) {
    return base::ToHex(base::AsBytes(a)) < base::ToHex(base::AsBytes(b));
  }));
  v1::ListRequest one;
  one.set_prefix(seen[7].substr(0, 8));
  v1::ListResponse response;
  ASSERT_TRUE(admin_->List(Context().get(), one, &response).ok());
  ASSERT_EQ(response.digests_size(), 1);
  EXPECT_EQ(response.digests(0).blake3(), seen[7]);
  EXPECT_EQ(response.next_page_token(), "");
  one.set_page_size(10'001);
  EXPECT_EQ(admin_->List(Context().get(), one, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  one.set_page_size(1);
  one.set_page_token("nonsense");
  EXPECT_EQ(admin_->List(Context().get(), one, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(AdminTest, RemovesAndCollects) {  // Z143
  Start();
  v1::DeleteRequest request;
  Fill(server_->blobs().Add("hello"), request.mutable_digest());
  v1::DeleteResponse response;
  ASSERT_TRUE(admin_->Delete(Context().get(), request, &response).ok());
  EXPECT_TRUE(response.deleted());
  ASSERT_TRUE(admin_->Delete(Context().get(), request, &response).ok());
  EXPECT_FALSE(response.deleted());
  for (int i = 0; i < 10; ++i) server_->blobs().Add(absl::StrCat("blob ", i));
  for (const bool dry_run : {true, false}) {
    v1::GcRequest gc;
    gc.set_target_bytes(18);
    gc.set_dry_run(dry_run);
    const auto context = Context();
    const auto reader = admin_->Gc(context.get(), gc);
    v1::GcProgress progress;
    while (reader->Read(&progress)) {
    }
    EXPECT_TRUE(reader->Finish().ok());
    EXPECT_TRUE(progress.done());
    EXPECT_EQ(progress.removed_blobs(), 7u);
    EXPECT_EQ(progress.removed_bytes(), 42u);
    EXPECT_EQ(server_->blobs().size(), dry_run ? 10u : 3u);
  }
}

TEST_F(AdminTest, VerifiesAllOrOne) {  // Z143
  Start();
  const Digest bad = server_->blobs().Add("bad");
  for (int i = 0; i < 10; ++i) server_->blobs().Add(absl::StrCat("blob ", i));
  server_->store().Damage(bad);
  std::vector<std::string> corrupt;
  v1::ScrubProgress progress;
  {
    const auto context = Context();
    const auto reader = admin_->Scrub(context.get(), {});
    while (reader->Read(&progress)) {
      for (const auto& digest : progress.corrupt()) corrupt.push_back(digest.blake3());
    }
    EXPECT_TRUE(reader->Finish().ok());
  }
  EXPECT_TRUE(progress.done());
  EXPECT_EQ(progress.blobs(), 11u);
  EXPECT_THAT(corrupt, ElementsAre(std::string(bad.blake3.begin(), bad.blake3.end())));
  const std::string metrics = server_->metrics().Text();
  EXPECT_THAT(metrics,
              HasSubstr(absl::StrCat("\nzako_scrub_bytes_total ", progress.bytes(), "\n")));
  EXPECT_THAT(metrics, Not(HasSubstr("\nzako_scrub_last_pass_timestamp_seconds 0\n")));
  v1::ScrubRequest one;
  Fill(DigestOf(base::AsBytes("absent")), one.mutable_digest());
  const auto context = Context();
  const auto reader = admin_->Scrub(context.get(), one);
  EXPECT_FALSE(reader->Read(&progress));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(AdminTest, OnlyAdministratorsChangeThings) {  // Z143
  TestServerOptions options;
  options.auth.mode = AuthMode::kKeys;
  options.keys =
      "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b bob write\n"
      "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb ada admin\n";
  Start(std::move(options));
  v1::DeleteRequest request;
  Fill(server_->blobs().Add("hello"), request.mutable_digest());
  v1::DeleteResponse response;
  v1::StatsResponse stats;
  EXPECT_EQ(admin_->Delete(Context().get(), request, &response).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(admin_->Delete(Context("secret").get(), request, &response).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_TRUE(admin_->Stats(Context("secret").get(), {}, &stats).ok());
  const auto context = Context("secret");
  const auto reader = admin_->Gc(context.get(), {});
  v1::GcProgress progress;
  EXPECT_FALSE(reader->Read(&progress));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(server_->blobs().size(), 1u);
  EXPECT_TRUE(admin_->Delete(Context("open sesame").get(), request, &response).ok());
  EXPECT_EQ(server_->blobs().size(), 0u);
}

// ---- Scrub without a network ----

class ScrubTest : public ::testing::Test {
 protected:
  absl::Status Run(Scrub::Options options) {
    absl::Status result = absl::UnknownError("not called");
    auto scrub = std::make_shared<Scrub>(
        std::move(options), Scrub::World{store_, pool_, loop_, clock_},
        [&](const Digest&, bool) { ++seen_; },
        [&](const absl::Status& status) { result = status; });
    scrub->Start();
    scrub.reset();
    while (absl::IsUnknown(result) && (pool_.RunOne() || loop_.Step())) {
    }
    return result;
  }
  base::sim::Clock clock_;
  base::sim::Loop loop_{1, clock_};
  base::sim::Pool pool_{1};
  TestDiskStore store_;
  int seen_ = 0;
};

TEST_F(ScrubTest, KeepsToItsRate) {
  for (int i = 0; i < 10; ++i) store_.blobs().Add(std::string(1000, static_cast<char>('a' + i)));
  const absl::Duration start = clock_.Monotonic();
  EXPECT_OK(Run({.rate_bytes = 1000}));
  EXPECT_EQ(seen_, 10);
  const absl::Duration took = clock_.Monotonic() - start;
  EXPECT_GE(took, absl::Seconds(8));
  EXPECT_LE(took, absl::Seconds(11));
}

TEST_F(ScrubTest, GoesThroughManyPages) {
  for (int i = 0; i < 600; ++i) store_.blobs().Add(absl::StrCat(i));
  EXPECT_OK(Run({}));
  EXPECT_EQ(seen_, 600);
}

TEST_F(ScrubTest, EndsWhenItIsCancelled) {
  store_.blobs().Add("a");
  base::CancelSource cancel;
  cancel.Cancel({});
  EXPECT_THAT(Run({.cancel = cancel.token()}), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(seen_, 0);
}

}  // namespace
}  // namespace slipway::cas
