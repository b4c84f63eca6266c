#include "base/sim/network.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/sim/loop.h"
#include "base/testing/status_matchers.h"

namespace slipway::base::sim {
namespace {

using absl::StatusCode;
using ::slipway::base::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Nodes 1, 2, 3; what each got, as "from:text".
class SimNetwork : public ::testing::Test {
 protected:
  void Start(uint64_t seed) {
    ends_.clear();
    got_.assign(4, {});
    network_ = std::make_unique<Network>(seed, loop_, clock_);
    ends_.resize(4);
    for (uint64_t id = 1; id <= 3; ++id) Attach(id);
  }
  void Attach(uint64_t id) {
    ends_[id] = network_->Attach(id, loop_, [this, id] { return id != down_; });
    ends_[id]->Receive([this, id](uint64_t from, Bytes frame) {
      got_[id].push_back(absl::StrCat(from, ":", AsText(frame)));
    });
  }
  absl::Status Send(uint64_t from, uint64_t to, absl::string_view text,
                    FrameClass frame_class = FrameClass::kBulk) {
    const BytesView bytes = AsBytes(text);
    return ends_[from]->Send(to, frame_class, Bytes(bytes.begin(), bytes.end()));
  }
  // Sends so many numbered frames, lets all arrive.
  void SendMany(int count) {
    for (int i = 0; i < count; ++i) ASSERT_OK(Send(1, 2, absl::StrCat(i), FrameClass::kControl));
    loop_.RunFor(absl::Seconds(2));
  }

  Clock clock_;
  Loop loop_{1, clock_};
  std::unique_ptr<Network> network_;
  std::vector<std::unique_ptr<Transport>> ends_;
  std::vector<std::vector<std::string>> got_;
  uint64_t down_ = 0;
};

// E201
TEST_F(SimNetwork, FramesArriveWithinTheirDelayAndInOrder) {
  Start(1);
  network_->SetDefault({.delay_min = absl::Milliseconds(2), .delay_max = absl::Milliseconds(5)});
  ASSERT_OK(Send(1, 2, "a"));
  ASSERT_OK(Send(1, 2, "b"));
  ASSERT_OK(Send(3, 2, "c"));
  loop_.RunFor(absl::Microseconds(1999));
  EXPECT_THAT(got_[2], IsEmpty());
  loop_.RunFor(absl::Milliseconds(4));
  ASSERT_THAT(got_[2], SizeIs(3));
  std::erase(got_[2], "3:c");
  EXPECT_THAT(got_[2], ElementsAre("1:a", "1:b"));
  EXPECT_THAT(Send(1, 9, "x"), StatusIs(StatusCode::kNotFound));
}

TEST_F(SimNetwork, FramesAreLostDoubledAndOvertaken) {
  Start(2);
  network_->SetDefault({.drop_percent = 20});
  SendMany(1000);
  EXPECT_NEAR(static_cast<double>(got_[2].size()), 800, 60);
  Start(3);
  network_->SetDefault({.duplicate_percent = 30});
  SendMany(1000);
  EXPECT_NEAR(static_cast<double>(got_[2].size()), 1300, 60);
  Start(4);
  network_->SetDefault({});
  SendMany(300);
  std::vector<std::string> sent = got_[2];
  EXPECT_EQ(sent.back(), "1:299");
  EXPECT_EQ(network_->counts().overtaken, 0u);
  Start(4);
  network_->SetDefault({.late_percent = 10});
  SendMany(300);
  EXPECT_THAT(got_[2], SizeIs(300));
  EXPECT_NE(got_[2], sent);
  EXPECT_GT(network_->counts().overtaken, 10u);
  EXPECT_EQ(network_->counts().cut, 0u);
  std::sort(sent.begin(), sent.end());
  std::sort(got_[2].begin(), got_[2].end());
  EXPECT_EQ(got_[2], sent);
}

TEST_F(SimNetwork, LinksAreCutInOneDirectionOrBothAlsoForWhatIsUnderWay) {
  Start(5);
  ASSERT_OK(Send(1, 2, "under way"));
  network_->At(1, 2).cut = true;
  ASSERT_OK(Send(1, 2, "lost"));
  ASSERT_OK(Send(2, 1, "arrives"));
  ASSERT_OK(Send(3, 2, "arrives"));
  loop_.RunFor(absl::Seconds(1));
  EXPECT_THAT(got_[2], ElementsAre("3:arrives"));
  EXPECT_THAT(got_[1], ElementsAre("2:arrives"));
  EXPECT_EQ(network_->counts().cut, 2u);
  EXPECT_EQ(network_->counts().dropped, 2u);
  network_->Cut(1, 3, true);
  ASSERT_OK(Send(1, 3, "lost"));
  ASSERT_OK(Send(3, 1, "lost"));
  network_->Heal();
  ASSERT_OK(Send(1, 2, "again"));
  loop_.RunFor(absl::Seconds(1));
  EXPECT_THAT(got_[2], ElementsAre("3:arrives", "1:again"));
  EXPECT_THAT(got_[3], IsEmpty());
}

TEST_F(SimNetwork, ASlowLinkTakesTheTimeOfItsBytes) {
  Start(6);
  network_->At(1, 2).bytes_per_second = 1000;
  for (int i = 0; i < 4; ++i) ASSERT_OK(Send(1, 2, std::string(500, 'x')));
  loop_.RunFor(absl::Milliseconds(1100));
  EXPECT_THAT(got_[2], SizeIs(2));
  loop_.RunFor(absl::Seconds(1));
  EXPECT_THAT(got_[2], SizeIs(4));
}

TEST_F(SimNetwork, AFullQueueRefusesBulkNeverControl) {
  Start(7);
  network_->SetDefault({.bulk_frames_max = 2, .bulk_bytes_max = 100});
  ASSERT_OK(Send(1, 2, std::string(1000, 'x')));  // one always fits
  EXPECT_THAT(Send(1, 2, "y"), StatusIs(StatusCode::kResourceExhausted));
  for (int i = 0; i < 100; ++i) ASSERT_OK(Send(1, 2, "vote", FrameClass::kControl));
  ASSERT_OK(Send(1, 3, "another link"));
  loop_.RunFor(absl::Seconds(1));
  EXPECT_THAT(got_[2], SizeIs(101));
  ASSERT_OK(Send(1, 2, "y"));
  ASSERT_OK(Send(1, 2, "y"));
  EXPECT_THAT(Send(1, 2, "y"), StatusIs(StatusCode::kResourceExhausted));
  EXPECT_EQ(network_->counts().refused, 2u);
}

TEST_F(SimNetwork, AProcessThatEndedHearsNothingAndItsNextLifeMayHearWhatWasUnderWay) {
  Start(8);
  ASSERT_OK(Send(1, 2, "early"));
  ends_[2] = nullptr;
  loop_.RunFor(absl::Seconds(1));
  ASSERT_OK(Send(1, 2, "to nobody"));
  loop_.RunFor(absl::Seconds(1));
  ASSERT_OK(Send(1, 2, "to the next"));
  Attach(2);
  loop_.RunFor(absl::Seconds(1));
  EXPECT_THAT(got_[2], ElementsAre("1:to the next"));
  down_ = 1;  // no power: what it believes to send goes nowhere
  ASSERT_OK(Send(1, 2, "from the dead"));
  loop_.RunFor(absl::Seconds(1));
  EXPECT_THAT(got_[2], SizeIs(1));
}

TEST_F(SimNetwork, ASeedRepeatsExactly) {
  std::vector<std::string> first;
  for (int round = 0; round < 3; ++round) {
    Clock clock;
    Loop loop(9, clock);
    Network network(round < 2 ? 9 : 10, loop, clock);
    network.SetDefault({.drop_percent = 10, .duplicate_percent = 10, .late_percent = 10});
    const auto a = network.Attach(1, loop);
    const auto b = network.Attach(2, loop);
    std::vector<std::string> got;
    const absl::Duration start = clock.Monotonic();
    b->Receive([&](uint64_t, Bytes frame) {
      got.push_back(absl::StrCat(frame[0], "@", absl::FormatDuration(clock.Monotonic() - start)));
    });
    for (uint8_t i = 0; i < 200; ++i) ASSERT_OK(a->Send(2, FrameClass::kControl, Bytes{i}));
    loop.RunFor(absl::Seconds(2));
    if (round == 0) first = got;
    EXPECT_EQ(got == first, round < 2);
  }
}

}  // namespace
}  // namespace slipway::base::sim
