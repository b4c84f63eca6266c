// Links between nodes in virtual time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/testing/status_matchers.h"
#include "eraft/transport/link/greeting.h"
#include "eraft/transport/link/limits.h"
#include "eraft/transport/link/test_links.h"

namespace slipway::eraft::link {
namespace {

using ::slipway::base::FrameClass;
using ::slipway::base::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST_F(Links, FramesOfEachClassArriveInOrder) {  // E122
  MakeTwo();
  ASSERT_TRUE(BothConnected());
  for (int i = 0; i < 1000; ++i) {
    ASSERT_OK(hub(1).Send(2, absl::StrCat("bulk", i), FrameClass::kBulk));
    ASSERT_OK(hub(2).Send(1, absl::StrCat("control", i), FrameClass::kControl));
    if (i % 100 == 0) world_.RunFor(absl::Milliseconds(1));
  }
  ASSERT_OK(hub(1).Send(2, std::string(3 << 20, 's'), FrameClass::kSnapshot));
  world_.RunFor(absl::Seconds(1));
  ASSERT_EQ(hub(2).received().size(), 1001u);
  ASSERT_EQ(hub(1).received().size(), 1000u);
  int bulk = 0;
  for (const auto& [peer, frame] : hub(2).received()) {
    EXPECT_EQ(peer, 1u);
    if (frame[0] == 'b') {
      EXPECT_EQ(frame, absl::StrCat("bulk", bulk++));
    } else {
      EXPECT_EQ(frame.size(), size_t{3} << 20);
    }
  }
  for (int i = 0; i < 1000; ++i) {
    EXPECT_THAT(hub(1).received()[static_cast<size_t>(i)], Pair(2u, absl::StrCat("control", i)));
  }
  EXPECT_EQ(hub(1).Metric("eraft_transport_sent_frames_total"), 1001);
  EXPECT_EQ(hub(2).Metric("eraft_transport_received_frames_total"), 1001);
  EXPECT_GT(hub(2).Metric("eraft_transport_received_bytes_total"), 3 << 20);
  EXPECT_EQ(hub(1).Metric("eraft_transport_connected"), 1);
}

// 0 for a removed peer would look like one that is missing.
TEST_F(Links, ConnectionsAreShownForPeersOnly) {
  MakeTwo();
  ASSERT_TRUE(BothConnected());
  EXPECT_EQ(hub(1).SeriesOf("eraft_transport_connected"), 1u);
  hub(1).Know({1});
  EXPECT_EQ(hub(1).SeriesOf("eraft_transport_connected"), 0u);
}

TEST_F(Links, WhatIsSentBeforeTheConnectionArrivesIfItIsFresh) {
  Make({.id = 1});
  hub(1).Know({2});
  ASSERT_OK(hub(1).Send(2, "too old"));
  world_.RunFor(absl::Milliseconds(2500));
  ASSERT_OK(hub(1).Send(2, "fresh"));
  Make({.id = 2});
  hub(2).Know({1});
  world_.RunFor(absl::Milliseconds(1100));
  EXPECT_TRUE(hub(1).Connected(2));
  EXPECT_THAT(hub(2).received(), testing::AnyOf(IsEmpty(), ElementsAre(Pair(1, "fresh"))));
  EXPECT_GE(hub(1).StatusOf(2).messages.dropped, 1u);
}

TEST_F(Links, APeerThatComesBackIsFoundWithinASecond) {  // E16
  Make({.id = 1});
  hub(1).Know({2});
  world_.RunFor(absl::Minutes(10));
  EXPECT_THAT(hub(1).ErrorOf(2), HasSubstr("nobody listens"));
  Make({.id = 2});
  hub(2).Know({1});
  world_.RunFor(kBackoffMax + kTick);
  EXPECT_TRUE(hub(1).Connected(2));
  EXPECT_EQ(hub(1).ErrorOf(2), "");
}

// Each pair that must not talk; the reason shows at both ends.
TEST_F(Links, GreetingsThatDoNotGoTogetherAreRefusedOnBothSides) {  // E123
  struct Case {
    const char* name;
    TestHub::Options first, second;
    const char* reason;
  };
  const Case cases[] = {
      {"cluster", {}, {.cluster = 2}, "belongs to cluster"},
      {"level", {.feature_level = 2, .feature_level_min = 2}, {}, "understands level 1"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    MakeTwo(c.first, c.second);
    ASSERT_OK(hub(1).Send(2, "no"));
    world_.RunFor(absl::Seconds(3));
    EXPECT_FALSE(hub(1).Connected(2));
    EXPECT_FALSE(hub(2).Connected(1));
    EXPECT_THAT(hub(1).ErrorOf(2), HasSubstr(c.reason));
    EXPECT_THAT(hub(2).ErrorOf(1), HasSubstr(c.reason));
    EXPECT_THAT(hub(2).received(), IsEmpty());
    hubs_.clear();
    incarnations_.clear();
  }
}

TEST_F(Links, EachAnnouncesItsLevelAndHearsTheOthers) {  // E125
  MakeTwo({.feature_level = 1}, {.feature_level = 2});
  EXPECT_TRUE(BothConnected());
  EXPECT_EQ(hub(1).StatusOf(2).messages.feature_level, 2u);
  EXPECT_EQ(hub(1).StatusOf(2).seen.feature_level, 2u);
  EXPECT_EQ(hub(2).StatusOf(1).messages.feature_level, 1u);
  MakeTwo({.feature_level = 2}, {.feature_level = 2});  // upgraded
  EXPECT_EQ(hub(2).StatusOf(1).messages.feature_level, 2u);
}

// A certificate with the host of a member's address speaks for that member and no other; one with a
// name that is no member's host binds nobody (E27, E123).
TEST_F(Links, ACertificateSpeaksForTheMemberItNames) {
  MakeTwo();
  EXPECT_TRUE(BothConnected());
  struct Case {
    std::vector<std::string> names;
    bool taken;
  };
  for (const Case& c : {Case{{"node1"}, true},
                        {{"other", "NODE1", "node2"}, true},
                        {{"eraft.example"}, true},
                        {{"node2"}, false},
                        {{"x", "node2"}, false}}) {
    world_.net.Certify(1, c.names);
    MakeTwo();
    world_.RunFor(absl::Seconds(2));
    EXPECT_EQ(hub(1).Connected(2), c.taken) << c.names.front();
    if (!c.taken) {
      EXPECT_THAT(hub(1).ErrorOf(2), HasSubstr("its certificate is that of node 2"));
      EXPECT_THAT(hub(2).StatusOf(1).seen.refusal, HasSubstr("greet node 1: its certificate"));
    }
    EXPECT_TRUE(hub(2).Connected(1));
  }
}

TEST_F(Links, WhoIsAboutToStopSaysSoAtOnceAndUntilItStartsAnew) {  // E195
  MakeTwo();
  EXPECT_FALSE(hub(2).StatusOf(1).seen.leaving);
  hub(1).hub().AnnounceLeaving();
  world_.RunFor(absl::Milliseconds(1));  // not with the next probe
  EXPECT_TRUE(hub(2).StatusOf(1).seen.leaving);
  EXPECT_FALSE(hub(1).StatusOf(2).seen.leaving);
  ASSERT_OK(hub(1).Send(2, std::string(10, 's'), FrameClass::kSnapshot));  // a stream more
  world_.RunFor(absl::Milliseconds(100));
  EXPECT_TRUE(hub(2).StatusOf(1).seen.leaving);
  world_.net.Cut(1, 2, true);
  world_.RunFor(absl::Seconds(30));
  world_.net.Cut(1, 2, false);
  world_.RunFor(absl::Seconds(3));
  ASSERT_TRUE(hub(1).Connected(2));
  EXPECT_TRUE(hub(2).StatusOf(1).seen.leaving);  // told again on a new stream
  Make({.id = 1});
  hub(1).Know({1, 2});
  world_.RunFor(absl::Seconds(3));
  ASSERT_TRUE(hub(1).Connected(2));
  EXPECT_FALSE(hub(2).StatusOf(1).seen.leaving);
}

TEST_F(Links, AnAddressOfAnotherNodeIsNoticed) {  // E123
  Make({.id = 1});
  Make({.id = 3});
  hub(3).Know({1});
  hub(1).hub().SetPeers({{2, AddressOf(3)}});
  world_.RunFor(absl::Seconds(1));
  EXPECT_FALSE(hub(1).Connected(2));
  EXPECT_THAT(hub(1).ErrorOf(2), HasSubstr("looks for node 2 and found node 3"));
  EXPECT_THAT(hub(3).StatusOf(1).seen.refusal, HasSubstr("looks for node 2"));
}

TEST_F(Links, WhoIsNoMemberIsRefusedUntilItIsOne) {  // E123
  Make({.id = 1});
  Make({.id = 2});
  hub(1).Know({2});
  world_.RunFor(absl::Seconds(2));
  EXPECT_FALSE(hub(1).Connected(2));
  EXPECT_THAT(hub(1).ErrorOf(2), HasSubstr("knows no such member"));
  EXPECT_TRUE(IsNoMember(hub(1).ErrorOf(2), 1)) << hub(1).ErrorOf(2);
  EXPECT_FALSE(IsNoMember(hub(1).ErrorOf(2), 2)) << "of another one";
  EXPECT_EQ(incarnations_[2].Get(1), std::nullopt) << "a stranger's incarnation is not remembered";
  hub(2).Know({1});
  world_.RunFor(kBackoffMax + kTick);
  EXPECT_TRUE(BothConnected());
}

// Node 1 was away when 2 became a member (E170).
TEST_F(Links, WhoKnowsNoLeaderHearsNodesThatItDoesNotKnow) {
  Make({.id = 1});
  Make({.id = 2});
  Make({.id = 4, .cluster = 2});
  hub(1).Know({3});
  hub(2).Know({1});
  hub(4).Know({1});
  hub(1).hub().SetGuests(true, raft::kNoNode);
  world_.RunFor(absl::Seconds(2));
  EXPECT_TRUE(BothConnected());
  EXPECT_FALSE(hub(4).Connected(1)) << "of another cluster";
  ASSERT_OK(hub(1).Send(2, "who leads"));
  ASSERT_OK(hub(2).Send(1, "I do"));
  ASSERT_OK(hub(2).Send(1, "part", FrameClass::kSnapshot));
  world_.RunFor(absl::Milliseconds(10));
  EXPECT_THAT(hub(2).received(), ElementsAre(Pair(1, "who leads")));
  EXPECT_THAT(hub(1).received(), ElementsAre(Pair(2, "I do"), Pair(2, "part")));
  EXPECT_EQ(incarnations_[1].Get(2), std::nullopt) << "it is no member yet";
  hub(1).hub().SetGuests(false, 2);
  hub(1).Know({3});  // of an older entry of the log
  world_.RunFor(absl::Seconds(2));
  EXPECT_TRUE(BothConnected()) << "it leads";
  hub(1).Know({2, 3});
  world_.RunFor(absl::Seconds(2));
  EXPECT_TRUE(BothConnected());
  EXPECT_EQ(incarnations_[1].Get(2), 102u);
  hub(1).hub().SetGuests(false, 3);
  world_.RunFor(absl::Seconds(2));
  EXPECT_TRUE(BothConnected()) << "a member is no guest";
}

TEST_F(Links, AGuestGoesWhenAnotherLeads) {  // E123
  Make({.id = 1});
  Make({.id = 2});
  hub(2).Know({1});
  hub(1).hub().SetGuests(true, raft::kNoNode);
  world_.RunFor(absl::Seconds(2));
  ASSERT_TRUE(BothConnected());
  hub(1).hub().SetData({{2, 999}});
  world_.RunFor(absl::Milliseconds(10));
  EXPECT_EQ(incarnations_[1].Get(2), std::nullopt) << "of members only";
  hub(1).hub().SetGuests(false, 3);
  ASSERT_OK(hub(2).Send(1, "late"));
  world_.RunFor(absl::Seconds(3));
  EXPECT_FALSE(hub(2).Connected(1));
  EXPECT_THAT(hub(2).ErrorOf(1), HasSubstr("knows no such member"));
  EXPECT_THAT(hub(1).Send(2, "x"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(hub(1).received(), IsEmpty());
}

TEST_F(Links, AWipedPeerIsRefusedUntilItIsRemovedAndAdded) {  // E123
  MakeTwo();
  ASSERT_TRUE(BothConnected());
  hubs_[2].reset();
  incarnations_.erase(2);  // its disk was wiped
  Make({.id = 2, .incarnation = 999});
  hub(2).Know({1});
  world_.RunFor(absl::Seconds(3));
  ASSERT_OK(hub(2).Send(1, "vote for me"));
  ASSERT_OK(hub(1).Send(2, "hello"));
  world_.RunFor(absl::Seconds(3));
  EXPECT_FALSE(hub(1).Connected(2));
  EXPECT_FALSE(hub(2).Connected(1));
  EXPECT_THAT(hub(1).ErrorOf(2), HasSubstr("its data are not those that it had"));
  EXPECT_THAT(hub(2).ErrorOf(1), HasSubstr("its data are not those that it had"));
  EXPECT_THAT(hub(1).received(), IsEmpty());
  EXPECT_THAT(hub(2).received(), IsEmpty());
  hub(1).Know({});
  world_.RunFor(absl::Seconds(1));
  hub(1).Know({2});
  world_.RunFor(absl::Seconds(2));
  EXPECT_TRUE(BothConnected());
}

// Also by those whom it does not know any more: it has nobody to ask (E123).
TEST_F(Links, WhoIsKnownWithOtherDataIsToldByWhoeverGreets) {
  MakeTwo();
  EXPECT_EQ(hub(2).hub().inbox()->known_otherwise_at(), -absl::InfiniteDuration());
  hubs_[2].reset();
  incarnations_.erase(2);
  Make({.id = 2, .incarnation = 999});
  world_.RunFor(absl::Seconds(3));
  EXPECT_GT(hub(2).hub().inbox()->known_otherwise_at(), world_.clock.Monotonic() - kBackoffMax * 2);
  EXPECT_EQ(hub(1).hub().inbox()->known_otherwise_at(), -absl::InfiniteDuration());
}

TEST_F(Links, AWipedPeerIsTakenInWhenTheGroupHasDecidedSo) {  // E416
  MakeTwo();
  hubs_[2].reset();
  incarnations_.erase(2);  // its disk was wiped
  Make({.id = 2, .incarnation = 999});
  hub(2).Know({1});
  world_.RunFor(absl::Seconds(5));
  const Inbox::Seen seen = hub(1).StatusOf(2).seen;
  EXPECT_EQ(seen.other_incarnation, 999u);
  EXPECT_GE(seen.other_last - seen.other_since, absl::Seconds(3)) << "it shows them all the time";
  EXPECT_TRUE(IsRefusalOfData(hub(2).ErrorOf(1), 2)) << hub(2).ErrorOf(1);
  EXPECT_FALSE(IsRefusalOfData(hub(1).ErrorOf(2), 1)) << "who refuses is not refused";
  hub(1).hub().SetData({{2, 999}, {7, 1}});
  world_.RunFor(absl::Seconds(2));
  EXPECT_TRUE(BothConnected());
  EXPECT_EQ(hub(1).StatusOf(2).seen.other_incarnation, 0u);
  EXPECT_EQ(incarnations_[1].Get(2), 999u);
  EXPECT_EQ(incarnations_[1].Get(7), std::nullopt) << "no peer";
  ASSERT_OK(hub(2).Send(1, "hello"));
  world_.RunFor(absl::Milliseconds(10));
  EXPECT_THAT(hub(1).received(), ElementsAre(Pair(2, "hello")));
  Make({.id = 2});  // its old disk was found
  hub(2).Know({1});
  world_.RunFor(absl::Seconds(3));
  EXPECT_FALSE(hub(1).Connected(2));
  EXPECT_FALSE(hub(2).Connected(1));
}

TEST_F(Links, WhoSpeaksWithDataThatCountNoMoreIsNotHeard) {  // E416
  MakeTwo();
  ASSERT_TRUE(BothConnected());
  hub(1).hub().SetData({{2, 999}});  // while the old stream is open
  world_.RunFor(absl::Milliseconds(10));
  ASSERT_OK(hub(2).Send(1, "late"));
  world_.RunFor(absl::Seconds(3));
  EXPECT_FALSE(hub(1).Connected(2));
  EXPECT_FALSE(hub(2).Connected(1));
  EXPECT_THAT(hub(1).received(), IsEmpty());
}

TEST_F(Links, AWayThatSwallowsIsNoticedAndOpenedAgain) {  // E413
  MakeTwo();
  for (const auto& [from, to] : {std::pair(1, 2), std::pair(2, 1)}) {
    SCOPED_TRACE(from);
    world_.net.Cut(static_cast<raft::NodeId>(from), static_cast<raft::NodeId>(to), true);
    world_.RunFor(kEchoTimeout + kProbeInterval + 2 * kTick);
    EXPECT_FALSE(hub(1).Connected(2)) << "its frames or the echoes are lost";
    EXPECT_FALSE(hub(2).Connected(1)) << "the echoes or its frames are lost";
    EXPECT_THAT(hub(1).ErrorOf(2), HasSubstr("no echo"));
    world_.net.Cut(static_cast<raft::NodeId>(from), static_cast<raft::NodeId>(to), false);
    world_.RunFor(kGreetTimeout + kBackoffMax + 2 * kTick);
    EXPECT_TRUE(BothConnected());
  }
  EXPECT_GE(hub(1).Metric("eraft_transport_reconnects_total"), 2);
  ASSERT_OK(hub(1).Send(2, "again"));
  world_.RunFor(absl::Seconds(1));
  EXPECT_THAT(hub(2).received(), ElementsAre(Pair(1, "again")));
}

TEST_F(Links, AStreamAtRestStays) {
  MakeTwo();
  world_.RunFor(absl::Minutes(10));
  EXPECT_TRUE(BothConnected());
  EXPECT_EQ(hub(1).Metric("eraft_transport_reconnects_total"), 0);
  EXPECT_GT(hub(1).Metric("eraft_transport_sent_bytes_total"), 0);
}

TEST_F(Links, RoundTripsAndClocksAreMeasured) {  // E31, E35
  MakeTwo();
  world_.RunFor(absl::Seconds(5));
  const LaneStatus status = hub(1).StatusOf(2).messages;
  EXPECT_EQ(status.clock_difference, absl::ZeroDuration());
  EXPECT_EQ(status.rtt_p99, absl::ZeroDuration()) << "in this network nothing takes time";
  EXPECT_EQ(status.feature_level, 1u);
  EXPECT_EQ(hub(1).StatusOf(2).seen.feature_level, 1u);
}

TEST_F(Links, ASlowReaderGetsControlWhileBulkIsRefused) {  // E122
  MakeTwo({.limits = {.bulk_bytes_max = 1 << 20}});
  // Nothing is read: the loop of the reader does not turn, and so it is the whole network here.
  absl::Status status;
  int taken = 0;
  while (taken < 1000 &&
         (status = hub(1).Send(2, std::string(100'000, 'b'), FrameClass::kBulk)).ok()) {
    ++taken;
  }
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("node 2")));
  EXPECT_LE(taken, 20);
  EXPECT_OK(hub(1).Send(2, "heartbeat", FrameClass::kControl));
  EXPECT_OK(hub(1).Send(2, "snapshot", FrameClass::kSnapshot)) << "the lane of its own has room";
  EXPECT_EQ(hub(1).StatusOf(2).messages.dropped, 1u);
  EXPECT_EQ(hub(1).Metric("eraft_transport_dropped_frames_total"), 1);
  world_.RunFor(absl::Seconds(1));
  EXPECT_EQ(hub(2).received().size(), static_cast<size_t>(taken) + 2);
  size_t at = 0;
  while (hub(2).received()[at].second != "heartbeat") ++at;
  EXPECT_LT(at, 12u) << "it overtook the bulk that waited";
}

TEST_F(Links, AnotherAddressIsConnectedToAtOnce) {  // E16
  MakeTwo();
  world_.net.Listen("elsewhere:1", hub(2).hub().inbox());
  world_.net.Hang(AddressOf(2));
  hub(1).hub().SetPeers({{2, "elsewhere:1"}});
  world_.RunFor(2 * kTick);
  EXPECT_TRUE(hub(1).Connected(2));
  EXPECT_EQ(hub(1).StatusOf(2).messages.address, "elsewhere:1");
  ASSERT_OK(hub(1).Send(2, "there"));
  world_.RunFor(kTick);
  EXPECT_THAT(hub(2).received(), ElementsAre(Pair(1, "there")));
  EXPECT_EQ(incarnations_[1].Get(2), 102u);
}

TEST_F(Links, ARemovedPeerIsNeitherHeardNorTold) {  // E123
  MakeTwo();
  hub(1).Know({});
  EXPECT_THAT(hub(1).Send(2, "x"), StatusIs(absl::StatusCode::kNotFound));
  world_.RunFor(absl::Milliseconds(10));
  ASSERT_OK(hub(2).Send(1, "are you there"));
  world_.RunFor(absl::Seconds(3));
  EXPECT_THAT(hub(1).received(), IsEmpty());
  EXPECT_THAT(hub(2).ErrorOf(1), HasSubstr("no such member"));
  EXPECT_EQ(incarnations_[1].Get(2), std::nullopt);
}

TEST_F(Links, TheLaneOfSnapshotsIsOpenWhileItIsUsed) {  // E122
  MakeTwo();
  EXPECT_FALSE(hub(1).StatusOf(2).snapshots.open);
  ASSERT_OK(hub(1).Send(2, "part", FrameClass::kSnapshot));
  world_.RunFor(absl::Milliseconds(10));
  EXPECT_TRUE(hub(1).StatusOf(2).snapshots.open);
  EXPECT_THAT(hub(2).received(), ElementsAre(Pair(1, "part")));
  world_.RunFor(kSnapshotIdleMax + absl::Seconds(1));
  EXPECT_FALSE(hub(1).StatusOf(2).snapshots.open);
  EXPECT_EQ(hub(1).StatusOf(2).snapshots.error, "");
  ASSERT_OK(hub(1).Send(2, "another", FrameClass::kSnapshot));
  world_.RunFor(absl::Milliseconds(10));
  EXPECT_EQ(hub(2).received().size(), 2u);
}

TEST_F(Links, AnOldErrorOfTheSnapshotLaneIsNoError) {
  MakeTwo();
  world_.net.Hang(AddressOf(2));
  ASSERT_OK(hub(1).Send(2, "part", FrameClass::kSnapshot));
  world_.RunFor(absl::Milliseconds(500));
  EXPECT_THAT(hub(1).StatusOf(2).snapshots.error, HasSubstr("nobody listens"));
  world_.RunFor(absl::Seconds(5));
  EXPECT_EQ(hub(1).StatusOf(2).snapshots.error, "");
  EXPECT_EQ(hub(1).StatusOf(2).snapshots.dropped, 1u);
}

TEST_F(Links, AfterStopNothingIsSentOrReceived) {
  MakeTwo();
  ASSERT_OK(hub(2).Send(1, "late"));
  hub(1).Stop();
  world_.RunFor(absl::Seconds(2));
  EXPECT_THAT(hub(1).received(), IsEmpty());
  EXPECT_THAT(hub(1).Send(2, "x"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_FALSE(hub(2).Connected(1));
  hub(1).Stop();
}

TEST_F(Links, AProcessThatStartsAgainIsKnownAgain) {
  MakeTwo();
  Make({.id = 2});
  hub(2).Know({1});
  world_.RunFor(absl::Seconds(3));
  EXPECT_TRUE(BothConnected());
}

}  // namespace
}  // namespace slipway::eraft::link
