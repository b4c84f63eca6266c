// The smaller parts: governor, metered pool, requests, buffers, negotiation.
#include <atomic>
#include <thread>

#include "absl/strings/str_replace.h"
#include "base/metrics/metrics.h"
#include "base/sim/clock.h"
#include "base/sim/files.h"
#include "base/sim/pool.h"
#include "base/sim/random.h"
#include "base/testing/status_matchers.h"
#include "cas/service/session/buffers.h"
#include "cas/service/session/governor.h"
#include "cas/service/session/negotiator.h"
#include "cas/service/session/requests.h"
#include "cas/service/session/test_store.h"

namespace slipway::cas {
namespace {

using absl::StatusCode;
using base::testing::IsOkAndHolds;
using base::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// ---- Governor and metered pool ----

TEST(Governor, HalvesUnderOverloadAndRecoversByOne) {  // Z9
  base::sim::Clock clock;
  Governor governor(8, absl::Milliseconds(50), clock, nullptr);
  governor.Observe(absl::Milliseconds(50));
  EXPECT_EQ(governor.recommended(), 8);
  for (int i = 0; i < 3; ++i) governor.Observe(absl::Milliseconds(51));  // one overload
  EXPECT_EQ(governor.recommended(), 4);
  for (int i = 0; i < 5; ++i) {
    clock.Advance(absl::Milliseconds(100));
    governor.Observe(absl::Seconds(1));
  }
  EXPECT_EQ(governor.recommended(), 1);  // never below
  clock.Advance(absl::Seconds(2));
  EXPECT_EQ(governor.recommended(), 3);
  clock.Advance(absl::Hours(1));
  EXPECT_EQ(governor.recommended(), 8);  // never above
}

TEST(MeteredPool, MeasuresTheWaitAndCountsWhatWaits) {  // Z9
  base::sim::Clock clock;
  base::sim::Pool pool(1, /*queue_max=*/2);
  base::Metrics metrics;
  IoMetrics io(metrics);
  Governor governor(4, absl::Milliseconds(50), clock, nullptr);
  MeteredPool metered(pool, clock, governor, io);
  int ran = 0;
  EXPECT_OK(metered.Submit([&] { ++ran; }));
  EXPECT_OK(metered.Submit([&] { ++ran; }));
  EXPECT_THAT(metered.Submit([&] { ++ran; }), StatusIs(StatusCode::kResourceExhausted));
  EXPECT_EQ(io.depth.value(), 2);
  clock.Advance(absl::Milliseconds(60));
  pool.RunAll();
  EXPECT_EQ(ran, 2);
  EXPECT_EQ(io.depth.value(), 0);
  EXPECT_EQ(governor.recommended(), 2);
}

TEST(MeteredPool, ItsEndWaitsForItsJobs) {
  base::sim::Clock clock;
  base::sim::Pool pool(1);
  base::Metrics metrics;
  IoMetrics io(metrics);
  Governor governor(4, absl::Milliseconds(50), clock, nullptr);
  int ran = 0;
  {
    MeteredPool metered(pool, clock, governor, io);
    EXPECT_OK(metered.Submit([&] { ++ran; }));
  }
  EXPECT_EQ(ran, 1);
}

// ---- Requests ----

TEST(Requests, ListsWhatRuns) {  // Z146
  base::sim::Clock clock;
  Requests requests(clock);
  auto upload = requests.Add("upload", "ipv4:10.0.0.1:5");
  upload->SetSubject("ada");
  upload->SetTarget("blake3:00/5");
  upload->AddBytes(3);
  clock.Advance(absl::Seconds(2));
  auto download = requests.Add("download", "ipv4:10.0.0.2:5");
  const std::string text = requests.ToJson().Dump();
  EXPECT_THAT(text, AllOf(HasSubstr(R"("method":"upload")"), HasSubstr(R"("subject":"ada")"),
                          HasSubstr(R"("bytes":3,"age_s":2)"), HasSubstr("10.0.0.2")));
  upload.reset();
  EXPECT_EQ(requests.size(), 1u);
}

TEST(Requests, ExpiresTheClientsThatAreSilent) {
  base::sim::Clock clock;
  Requests requests(clock);
  int silent = 0;
  int busy = 0;
  auto one = requests.Add("upload", "a", [&] { ++silent; });
  auto two = requests.Add("upload", "b", [&] { ++busy; });
  one->SetWaiting(true);
  two->SetWaiting(true);
  clock.Advance(absl::Seconds(10));
  two->SetWaiting(false);  // its message is being written: the disk may take its time
  requests.ExpireIdle(absl::Seconds(10));
  EXPECT_EQ(silent, 0);
  clock.Advance(absl::Seconds(1));
  requests.ExpireIdle(absl::Seconds(10));
  EXPECT_EQ(silent, 1);
  EXPECT_EQ(busy, 0);
}

TEST(Requests, AClientThatActedMeanwhileIsNotSilent) {
  base::sim::Clock clock;
  Requests requests(clock);
  auto upload = requests.Add("upload", "a", [] {});
  upload->SetWaiting(true);
  clock.Advance(absl::Seconds(11));
  requests.ExpireIdle(absl::Seconds(10));
  EXPECT_TRUE(upload->IsSilent());
  upload->SetWaiting(false);
  EXPECT_FALSE(upload->IsSilent());
  upload->SetWaiting(true);
  clock.Advance(absl::Seconds(10));
  EXPECT_FALSE(upload->IsSilent());
  clock.Advance(absl::Seconds(1));
  EXPECT_TRUE(upload->IsSilent());
}

// ---- Buffers ----

TEST(Buffers, AreSmallOnceTheBudgetIsSpent) {  // Z15
  Buffers buffers({.full_bytes = 1000, .small_bytes = 100, .budget_bytes = 2000});
  auto one = buffers.Take(5000);
  auto two = buffers.Take(1000);
  EXPECT_EQ(one->size(), 1000u);
  EXPECT_FALSE(two->small());
  auto three = buffers.Take(5000);
  EXPECT_TRUE(three->small());
  EXPECT_EQ(three->size(), 100u);
  one.reset();
  EXPECT_EQ(buffers.Take(5000)->size(), 1000u);
}

TEST(Buffers, LittleIsTakenForLittleAndMayOutliveThem) {
  std::unique_ptr<Buffers::Buffer> rest;
  {
    Buffers buffers({.full_bytes = 1000, .small_bytes = 100, .budget_bytes = 2000});
    EXPECT_EQ(buffers.Take(7)->size(), 7u);
    EXPECT_EQ(buffers.used_bytes(), 0u);
    rest = buffers.Take(1000);
    EXPECT_EQ(buffers.used_bytes(), 1000u);
  }
  rest->data()[999] = 1;
}

// ---- Negotiation ----

Digest Of(int i) { return DigestOf(base::AsBytes(absl::StrCat(i))); }

class NegotiateTest : public ::testing::Test {
 protected:
  Missing Run(const std::vector<Digest>& batch, int parallel = 4) {
    Missing result = absl::UnknownError("not called");
    int calls = 0;
    Negotiate(store_, pool_, parallel, batch, [&](Missing missing) {
      ++calls;
      result = std::move(missing);
    });
    pool_.RunAll();
    EXPECT_EQ(calls, 1);
    return result;
  }
  TestStore store_;
  base::sim::Pool pool_{7};
};

TEST_F(NegotiateTest, AnswersInTheOrderOfTheRequestWithoutDuplicates) {  // Z4
  store_.Add("1");
  EXPECT_THAT(Run({Of(3), Of(1), Of(2), Of(3), Of(1)}), IsOkAndHolds(ElementsAre(Of(3), Of(2))));
  EXPECT_THAT(Run({}), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(Run({Of(1)}), IsOkAndHolds(IsEmpty()));
}

TEST_F(NegotiateTest, ARightHashWithAWrongSizeIsMissing) {  // Z5
  Digest digest = store_.Add("1");
  digest.size_bytes = 2;
  EXPECT_THAT(Run({digest}), IsOkAndHolds(ElementsAre(digest)));
}

TEST_F(NegotiateTest, SharesALargeBatchAndKeepsItsOrder) {  // Z4
  std::vector<Digest> batch;
  std::vector<Digest> expected;
  for (int i = 0; i < 1000; ++i) {
    batch.push_back(Of(i));
    if (i % 3 == 0) {
      store_.Add(absl::StrCat(i));
    } else {
      expected.push_back(Of(i));
    }
  }
  for (const int parallel : {1, 2, 16}) {
    EXPECT_THAT(Run(batch, parallel), IsOkAndHolds(expected));
  }
}

TEST_F(NegotiateTest, WithAFullPoolTheCallerDoesItAll) {
  base::sim::Pool full(1, /*queue_max=*/0);
  std::vector<Digest> batch;
  for (int i = 0; i < 100; ++i) batch.push_back(Of(i));
  int calls = 0;
  Negotiate(store_, full, 8, batch, [&](Missing missing) {
    ++calls;
    EXPECT_THAT(missing, IsOkAndHolds(batch));
  });
  EXPECT_EQ(calls, 1);
}

TEST_F(NegotiateTest, AFailingStoreFailsTheCallOnceAndHidesItsPath) {  // Z2
  store_.Fail(absl::UnknownError("stat /var/lib/x"));
  std::vector<Digest> batch;
  for (int i = 0; i < 100; ++i) batch.push_back(Of(i));
  EXPECT_THAT(Run(batch), StatusIs(StatusCode::kInternal, Not(HasSubstr("/var"))));
  EXPECT_LT(store_.lookups(), 100);  // the rest was not asked for
}

}  // namespace
}  // namespace slipway::cas
