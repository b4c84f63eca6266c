// What a stranger may do whose streams come in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "base/bytes.h"
#include "base/testing/status_matchers.h"
#include "eraft/transport/link/limits.h"
#include "eraft/transport/link/test_links.h"

namespace slipway::eraft::link {
namespace {

using ::slipway::base::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A stream opened by hand.
class Stranger final : public ClientEvents {
 public:
  void OnMessage(Slices message) override {
    const auto parsed = ParseMessage(message);
    ASSERT_OK(parsed.status());
    answers.push_back(parsed->envelope);
  }
  void OnWritten() override {}
  void OnBroken() override {}
  void OnClosed(const absl::Status& status) override { closed = status; }

  std::vector<Envelope> answers;
  absl::optional<absl::Status> closed;
};

class Strangers : public Links {
 protected:
  Strangers() {
    Make({.id = 1});
    hub(1).Know({2, 3});
  }
  ~Strangers() override {
    for (const auto& stream : streams_) stream->Cancel();
    world_.RunFor(absl::Seconds(1));
  }
  std::shared_ptr<Stranger> Dial() {
    auto events = std::make_shared<Stranger>();
    TestDialer dialer(world_.net, 9, running_);
    streams_.push_back(dialer.Dial(AddressOf(1), events).value());
    world_.RunFor(absl::Milliseconds(1));
    return events;
  }
  void SayBytes(base::Bytes bytes) {
    auto owner = std::make_shared<const base::Bytes>(std::move(bytes));
    OutMessage message{.bytes = owner->size()};
    message.pieces.push_back({owner, *owner});
    streams_.back()->Write(std::move(message));
    world_.RunFor(absl::Milliseconds(1));
  }
  void Say(const Envelope& envelope) {
    MessageWriter writer(envelope);
    streams_.back()->Write(writer.Finish());
    world_.RunFor(absl::Milliseconds(1));
  }
  Hello HelloOf(raft::NodeId id, Lane lane = Lane::kMessages) {
    Hello hello{.cluster = hub(1).own().cluster,
                .node = id,
                .incarnation = 100 + id,
                .feature_level = 1,
                .address = "x",
                .peer = 1,
                .lane = lane};
    return hello;
  }

  Running running_;
  std::vector<std::shared_ptr<ClientStream>> streams_;
};

TEST_F(Strangers, WhoDoesNotGreetInTimeIsSentAway) {  // E123
  const auto stranger = Dial();
  world_.RunFor(kGreetTimeout - 2 * kTick);
  EXPECT_FALSE(stranger->closed.has_value());
  world_.RunFor(3 * kTick);
  ASSERT_TRUE(stranger->closed.has_value());
  EXPECT_THAT(*stranger->closed, StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST_F(Strangers, AreFewAtATime) {
  std::vector<std::shared_ptr<Stranger>> waiting;
  for (size_t i = 0; i < kStrangersMax; ++i) waiting.push_back(Dial());
  // A peer comes and greets: nobody can keep it out by holding all places.
  const auto peer = Dial();
  ASSERT_TRUE(waiting[0]->closed.has_value());
  EXPECT_THAT(*waiting[0]->closed, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_FALSE(waiting[1]->closed.has_value());
  Say({.hello = HelloOf(2)});
  EXPECT_FALSE(peer->closed.has_value());
  EXPECT_EQ(hub(1).StatusOf(2).seen.feature_level, 1u);
  Dial();
  EXPECT_FALSE(waiting[1]->closed.has_value()) << "who has greeted holds no place";
}

TEST_F(Strangers, TheAddressWithMostOfThemGivesWay) {
  std::vector<std::shared_ptr<Stranger>> waiting;
  world_.net.ComeFrom("ipv4:10.0.0.1:1001");
  waiting.push_back(Dial());
  for (size_t i = 1; i < kStrangersMax; ++i) {
    world_.net.ComeFrom(absl::StrCat("ipv4:10.0.0.2:", 1000 + i));
    waiting.push_back(Dial());
  }
  world_.net.ComeFrom("ipv4:10.0.0.1:1002");
  Dial();
  EXPECT_FALSE(waiting[0]->closed.has_value()) << "it is older, and of an address with few";
  EXPECT_TRUE(waiting[1]->closed.has_value());
  EXPECT_FALSE(waiting[2]->closed.has_value());
}

TEST_F(Strangers, FewOfThemAreGuests) {
  hub(1).hub().SetGuests(true, raft::kNoNode);
  for (raft::NodeId id = 10; id < 10 + kGuestsMax; ++id) {
    const auto guest = Dial();
    Say({.hello = HelloOf(id)});
    EXPECT_FALSE(guest->closed.has_value()) << id;
  }
  const auto refused = Dial();
  Say({.hello = HelloOf(9)});
  ASSERT_TRUE(refused->closed.has_value());
  EXPECT_THAT(*refused->closed, StatusIs(absl::StatusCode::kFailedPrecondition));
  const auto again = Dial();
  Say({.hello = HelloOf(10)});
  EXPECT_FALSE(again->closed.has_value());
}

TEST_F(Strangers, WhatIsNoGreetingEndsTheStream) {  // E123
  MessageWriter with_part({.hello = HelloOf(2)});
  with_part.AddPart(std::make_shared<const base::Bytes>(1), 0, 1, false, false);
  const base::Bytes bad[] = {
      {}, {1, 2, 3}, base::Bytes(100'000, 0x7a), Flatten(with_part.Finish())};
  for (const base::Bytes& bytes : bad) {
    const auto stranger = Dial();
    SayBytes(bytes);
    EXPECT_TRUE(stranger->closed.has_value()) << base::ToHex(bytes).substr(0, 20);
    EXPECT_THAT(stranger->answers, IsEmpty());
  }
}

TEST_F(Strangers, GarbageAfterTheGreetingEndsTheStream) {
  const auto stranger = Dial();
  Say({.hello = HelloOf(2)});
  ASSERT_EQ(stranger->answers.size(), 1u);
  EXPECT_EQ(stranger->answers[0].hello->node, 1u);
  EXPECT_EQ(stranger->answers[0].hello->peer, 2u);
  SayBytes({0xff, 0xff});
  ASSERT_TRUE(stranger->closed.has_value());
  EXPECT_THAT(*stranger->closed, StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(Strangers, ANewerStreamEndsTheOlderOfItsLane) {  // E122
  const auto old = Dial();
  Say({.hello = HelloOf(2)});
  const auto snapshots = Dial();
  Say({.hello = HelloOf(2, Lane::kSnapshots)});
  const auto other = Dial();
  Say({.hello = HelloOf(3)});
  const auto newer = Dial();
  Say({.hello = HelloOf(2)});
  ASSERT_TRUE(old->closed.has_value());
  EXPECT_THAT(*old->closed, StatusIs(absl::StatusCode::kAborted));
  EXPECT_FALSE(snapshots->closed.has_value());
  EXPECT_FALSE(other->closed.has_value());
  EXPECT_FALSE(newer->closed.has_value());
}

TEST_F(Strangers, SilenceEndsAStream) {  // E413
  const auto silent = Dial();
  Say({.hello = HelloOf(2)});
  world_.RunFor(kSilenceMax - absl::Seconds(1));
  EXPECT_FALSE(silent->closed.has_value());
  Say({.seq = 2, .sent_ns = 77});
  ASSERT_EQ(silent->answers.size(), 2u);
  EXPECT_EQ(silent->answers[1].echo_ns, 77u);
  EXPECT_NE(silent->answers[1].wall_ns, 0u);
  world_.RunFor(kSilenceMax - absl::Seconds(1));
  EXPECT_FALSE(silent->closed.has_value());
  world_.RunFor(absl::Seconds(2));
  EXPECT_TRUE(silent->closed.has_value());
}

TEST_F(Strangers, AnUnreasonableFrameEndsTheStream) {
  const auto stranger = Dial();
  Say({.hello = HelloOf(2)});
  const auto piece = std::make_shared<const base::Bytes>(kPartBytesMax);
  for (int i = 0; i < 21 && !stranger->closed.has_value(); ++i) {
    MessageWriter writer({});
    writer.AddPart(piece, 0, piece->size(), /*more=*/true, false);
    streams_.back()->Write(writer.Finish());
    world_.RunFor(absl::Milliseconds(1));
  }
  ASSERT_TRUE(stranger->closed.has_value());
  EXPECT_THAT(*stranger->closed, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("larger")));
  EXPECT_THAT(hub(1).received(), IsEmpty());
}

}  // namespace
}  // namespace slipway::eraft::link
