#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "base/net/test_tls_files.h"
#include "base/net/tls.h"
#include "base/sim/world.h"
#include "base/testing/status_matchers.h"

namespace slipway::base::net {
namespace {

using ::slipway::base::testing::StatusIs;
using ::testing::HasSubstr;

class TlsWatcherTest : public ::testing::Test {
 protected:
  TlsWatcherTest() {
    world_.clock.SetWall(absl::Now());
    tls_files_.WritePair(pair_);
    tls_files_.Write("ca.pem", authority_.cert_pem(), 0644);
  }
  absl::StatusOr<std::shared_ptr<TlsWatcher>> Start() {
    return TlsWatcher::Start(TestTlsFiles::Options(), world_.files, world_.clock, world_.loop,
                             world_.pool, metrics_, "zako");
  }
  // Time passes; the pool runs what the loop hands it.
  void Pass(absl::Duration duration) {
    for (; duration > absl::ZeroDuration(); duration -= absl::Milliseconds(50)) {
      world_.loop.RunFor(absl::Milliseconds(50));
      world_.pool.RunAll();
    }
    world_.loop.RunFor(absl::ZeroDuration());
  }
  double failures() {
    return metrics_
        .AddCounter("zako_tls_reload_failures_total",
                    "Changed certificate files that were refused; the old ones serve on.")
        .value();
  }
  double not_after() {
    return metrics_
        .AddGauge("zako_tls_cert_not_after_timestamp_seconds",
                  "When the certificate in force expires, in seconds since 1970.")
        .value();
  }

  const TestAuthority authority_;
  const TestCertificate pair_ = authority_.Issue();
  const TestCertificate next_ = authority_.Issue({.not_after = absl::Now() + absl::Hours(48)});
  sim::World world_{1};
  Metrics metrics_;
  TestTlsFiles tls_files_{world_.files};
};

TEST_F(TlsWatcherTest, DoesNotStartWithABadSet) {
  tls_files_.Write("key.pem", next_.key_pem);
  EXPECT_THAT(Start(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("does not belong")));
}

TEST_F(TlsWatcherTest, AChangedSetIsInForceWithinASecond) {  // Z40
  ASSERT_OK_AND_ASSIGN(const auto watcher, Start());
  std::vector<std::string> heard;
  watcher->OnChange([&](std::shared_ptr<const TlsMaterial> material) {
    EXPECT_EQ(watcher->current(), material);
    heard.push_back(material->cert_pem);
  });
  EXPECT_EQ(not_after(), static_cast<double>(absl::ToUnixSeconds(watcher->current()->not_after)));
  const double before = not_after();
  Pass(absl::Seconds(3));
  EXPECT_EQ(watcher->current()->cert_pem, pair_.cert_pem);
  tls_files_.WritePair(next_);
  Pass(absl::Seconds(1));
  EXPECT_EQ(watcher->current()->cert_pem, next_.cert_pem);
  EXPECT_EQ(heard, std::vector<std::string>{next_.cert_pem});
  EXPECT_GT(not_after(), before);
  EXPECT_EQ(failures(), 0);
}

TEST_F(TlsWatcherTest, ABadSetIsRefusedCountedOnceAndTheOldOneStays) {  // Z40
  ASSERT_OK_AND_ASSIGN(const auto watcher, Start());
  const auto old = watcher->current();
  tls_files_.Write("cert.pem", next_.cert_pem);  // without its key
  Pass(absl::Seconds(10));
  EXPECT_EQ(watcher->current(), old);
  EXPECT_EQ(failures(), 1);
  tls_files_.Write("cert.pem", "something else");
  Pass(absl::Seconds(10));
  EXPECT_EQ(failures(), 2);
  tls_files_.WritePair(next_);
  Pass(absl::Seconds(1));
  EXPECT_EQ(watcher->current()->cert_pem, next_.cert_pem);
  EXPECT_EQ(failures(), 2);
}

TEST_F(TlsWatcherTest, AnExpiredSetIsRefused) {  // Z40
  ASSERT_OK_AND_ASSIGN(const auto watcher, Start());
  tls_files_.WritePair(authority_.Issue({.not_after = absl::Now() - absl::Minutes(1)}));
  Pass(absl::Seconds(5));
  EXPECT_EQ(watcher->current()->cert_pem, pair_.cert_pem);
  EXPECT_EQ(failures(), 1);
}

TEST_F(TlsWatcherTest, AMomentBetweenTheFilesOfAPairIsNoFailure) {
  ASSERT_OK_AND_ASSIGN(const auto watcher, Start());
  tls_files_.Write("cert.pem", next_.cert_pem);
  Pass(absl::Milliseconds(500));  // one look finds half of the change
  tls_files_.Write("key.pem", next_.key_pem);
  Pass(absl::Seconds(2));
  EXPECT_EQ(watcher->current()->cert_pem, next_.cert_pem);
  EXPECT_EQ(failures(), 0);
}

TEST_F(TlsWatcherTest, ANewAuthorityAloneIsAChange) {
  ASSERT_OK_AND_ASSIGN(const auto watcher, Start());
  const TestAuthority other("other authority");
  tls_files_.Write("ca.pem", other.cert_pem());
  Pass(absl::Seconds(1));
  EXPECT_EQ(watcher->current()->ca_pem, other.cert_pem());
}

TEST_F(TlsWatcherTest, ReloadLooksAtOnce) {
  ASSERT_OK_AND_ASSIGN(const auto watcher, Start());
  EXPECT_OK(watcher->Reload());
  EXPECT_EQ(watcher->current()->cert_pem, pair_.cert_pem);
  tls_files_.WritePair(next_);
  EXPECT_OK(watcher->Reload());
  EXPECT_EQ(watcher->current()->cert_pem, next_.cert_pem);
  tls_files_.Write("key.pem", "no key");
  EXPECT_THAT(watcher->Reload(), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(failures(), 1);
}

TEST_F(TlsWatcherTest, NothingRunsAfterStop) {
  ASSERT_OK_AND_ASSIGN(const auto watcher, Start());
  watcher->OnChange([](std::shared_ptr<const TlsMaterial>) { ADD_FAILURE(); });
  Pass(absl::Milliseconds(400));
  watcher->Stop();
  tls_files_.WritePair(next_);
  Pass(absl::Seconds(5));
  EXPECT_EQ(watcher->current()->cert_pem, pair_.cert_pem);
  EXPECT_FALSE(watcher->Reload().ok());
  watcher->Stop();
}

TEST_F(TlsWatcherTest, AFullPoolDelaysTheLookOnly) {
  ASSERT_OK_AND_ASSIGN(const auto watcher, Start());
  while (world_.pool.Submit([] {}).ok()) {
  }
  world_.loop.RunFor(absl::Seconds(3));
  tls_files_.WritePair(next_);
  world_.pool.RunAll();
  Pass(absl::Seconds(1));
  EXPECT_EQ(watcher->current()->cert_pem, next_.cert_pem);
}

}  // namespace
}  // namespace slipway::base::net
