// What the services rest on, without gRPC: access, directory, members, room.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/digest/sha256.h"
#include "base/metrics/metrics.h"
#include "base/net/token_file.h"
#include "base/sim/world.h"
#include "base/testing/status_matchers.h"
#include "eraft/service/access.h"
#include "eraft/service/directory.h"
#include "eraft/service/fair_clock.h"
#include "eraft/service/housekeeping.h"
#include "eraft/service/membership_change.h"

namespace slipway::eraft {
namespace {

using absl::StatusCode;
using base::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// ---- Access (E191) ----

base::net::Call From(std::string peer, const std::string& token = "",
                     const std::string& subject = "") {
  base::net::Call call;
  call.peer = std::move(peer);
  if (!subject.empty()) call.names = {"first.example", subject};
  call.subject = subject.empty() ? "" : "first.example";
  if (!token.empty()) call.authorization = absl::StrCat("Bearer ", token);
  return call;
}

class AccessTest : public ::testing::Test {
 protected:
  absl::StatusCode Code(const Access& access, const base::net::Call& call, Role role) {
    return access.Check(call, role).status().code();
  }
  base::sim::World world_{1};
  base::Metrics metrics_;
  base::Counter& failures_ = metrics_.AddCounter("failures", "help");
};

TEST_F(AccessTest, WithoutTokensAdministrationIsForThisMachine) {
  const Access access({}, nullptr, failures_);
  EXPECT_EQ(Code(access, From("ipv4:127.0.0.1:9"), Role::kAdmin), StatusCode::kOk);
  EXPECT_EQ(Code(access, From("ipv6:[::1]:9"), Role::kAdmin), StatusCode::kOk);
  EXPECT_EQ(Code(access, From("ipv4:10.0.0.1:9"), Role::kAdmin), StatusCode::kPermissionDenied);
  EXPECT_EQ(Code(access, From("ipv4:10.0.0.1:9"), Role::kWrite), StatusCode::kOk);
  EXPECT_EQ(failures_.value(), 1);
  const Access lifted({.insecure_admin = true}, nullptr, failures_);
  EXPECT_EQ(Code(lifted, From("ipv4:10.0.0.1:9"), Role::kAdmin), StatusCode::kOk);
}

TEST_F(AccessTest, UnderTlsAdministrationIsForNamesAlone) {
  const Access access({.encrypted = true, .admin_san = {"ops.example"}}, nullptr, failures_);
  EXPECT_EQ(Code(access, From("ipv4:127.0.0.1:9"), Role::kAdmin), StatusCode::kPermissionDenied);
  EXPECT_EQ(Code(access, From("ipv4:10.0.0.1:9", "", "ops.example"), Role::kAdmin),
            StatusCode::kOk);
  const absl::Status app =
      access.Check(From("ipv4:10.0.0.1:9", "", "app.example"), Role::kAdmin).status();
  EXPECT_THAT(app, StatusIs(StatusCode::kPermissionDenied,
                            AllOf(HasSubstr("--admin-san"), Not(HasSubstr("own machine")))));
}

TEST_F(AccessTest, TokensGiveRolesAndPeersAreNoClients) {
  ASSERT_OK_AND_ASSIGN(auto dir, world_.files.MakeRoot("/etc"));
  std::string text;
  for (const char* name : {"read", "write", "admin", "peer"}) {
    absl::StrAppend(&text, base::ToHex(base::Sha256Of(base::AsBytes(absl::string_view(name)))), " ",
                    name, "er ", name, "\n");
  }
  ASSERT_OK(base::WriteFileDurably(*dir, "tokens", text, 0600));
  base::net::TokenFile tokens(world_.files, "/etc/tokens", Access::RoleNames());
  ASSERT_OK(tokens.Reload());
  const Access access({}, &tokens, failures_);
  const std::string local = "ipv4:127.0.0.1:9";
  EXPECT_EQ(Code(access, From(local, "read"), Role::kRead), StatusCode::kOk);
  EXPECT_EQ(Code(access, From(local, "read"), Role::kWrite), StatusCode::kPermissionDenied);
  EXPECT_EQ(Code(access, From(local, "write"), Role::kRead), StatusCode::kOk);
  EXPECT_EQ(Code(access, From(local, "write"), Role::kAdmin), StatusCode::kPermissionDenied);
  std::string denied;
  EXPECT_THAT(access.Check(From(local, "write"), Role::kAdmin, &denied),
              StatusIs(StatusCode::kPermissionDenied));
  EXPECT_EQ(denied, "writeer");
  EXPECT_EQ(Code(access, From(local, "admin"), Role::kAdmin), StatusCode::kOk);
  EXPECT_EQ(Code(access, From(local, "peer"), Role::kRead), StatusCode::kPermissionDenied);
  EXPECT_OK(access.CheckPeer(From(local, "peer")));
  EXPECT_THAT(access.CheckPeer(From(local, "admin")), StatusIs(StatusCode::kPermissionDenied));
  EXPECT_THAT(access.CheckPeer(From(local)), StatusIs(StatusCode::kUnauthenticated));
  EXPECT_EQ(Code(access, From(local, "other"), Role::kRead), StatusCode::kUnauthenticated);
  EXPECT_EQ(Code(access, From(local), Role::kRead), StatusCode::kUnauthenticated);
}

// ---- The data directory (E11, E170) ----

class DirectoryTest : public ::testing::Test {
 protected:
  DirectoryTest() { config_.cluster = {"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"}; }
  absl::StatusOr<DataDirectory> Open() {
    config_.data_dir = "/data/kv";
    const auto plan = PlanKvServer(config_, world_.environment);
    EXPECT_OK(plan);
    return OpenDataDirectory(world_.world(), config_, *plan);
  }
  base::sim::World world_{1};
  KvServerConfig config_;
};

TEST_F(DirectoryTest, IsMadeOnceAndKnownAgain) {
  ASSERT_OK_AND_ASSIGN(const DataDirectory first, Open());
  EXPECT_TRUE(first.fresh);
  EXPECT_NE(first.incarnation, 0u);
  ASSERT_OK_AND_ASSIGN(const DataDirectory again, Open());
  EXPECT_FALSE(again.fresh);
  EXPECT_EQ(again.incarnation, first.incarnation);
  EXPECT_EQ(again.members, first.members);
}

TEST_F(DirectoryTest, AnothersIsRefusedWithBothIdentities) {
  ASSERT_OK(Open().status());
  KvServerConfig own = config_;
  config_.id = "1";
  EXPECT_THAT(Open().status(),
              StatusIs(StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("node 1 (--id 0)"), HasSubstr("node 2 (--id 1)"))));
  config_ = own;
  config_.engine = EngineKind::kLevelDb;
  EXPECT_THAT(Open().status(), StatusIs(StatusCode::kFailedPrecondition,
                                        AllOf(HasSubstr("rocksdb"), HasSubstr("leveldb"))));
  config_ = own;
  config_.cluster = {"127.0.0.1:7", "127.0.0.1:8", "127.0.0.1:9"};
  EXPECT_THAT(Open().status(), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("of cluster")));
  config_ = own;
  config_.cluster_token = "other";
  EXPECT_THAT(Open().status(), StatusIs(StatusCode::kFailedPrecondition));
  config_ = own;
  EXPECT_OK(Open().status());
}

// The members changed, and so did the flag: what is stored is in force (E170).
TEST_F(DirectoryTest, AnotherListOfTheSameClusterIsTheStoredOne) {
  ASSERT_OK_AND_ASSIGN(const DataDirectory first, Open());
  config_.cluster = {"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:4"};
  ASSERT_OK_AND_ASSIGN(const DataDirectory again, Open());
  EXPECT_EQ(again.cluster, first.cluster);
  EXPECT_EQ(again.members.at(3), "127.0.0.1:3");
}

// Another cluster that begins on machines of a former one: what it left is not taken (E123).
TEST_F(DirectoryTest, AListThatSharesAnAddressIsAnotherCluster) {
  ASSERT_OK(Open().status());
  config_.cluster = {"127.0.0.1:1", "127.0.0.1:4", "127.0.0.1:5"};
  EXPECT_THAT(Open().status(), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("of cluster")));
  config_.cluster = {"127.0.0.1:1"};
  EXPECT_THAT(Open().status(), StatusIs(StatusCode::kFailedPrecondition));
}

TEST_F(DirectoryTest, AFullFolderIsNotTaken) {
  ASSERT_OK_AND_ASSIGN(auto dir, world_.files.MakeRoot("/data/kv"));
  ASSERT_OK(base::WriteFileDurably(*dir, "thesis.tex", "…"));
  EXPECT_THAT(Open().status(),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("it holds thesis.tex")));
  EXPECT_THAT(dir->Stat("LOCK").status(), StatusIs(StatusCode::kNotFound));
}

TEST_F(DirectoryTest, ALockedOneNamesTheOtherProcess) {
  ASSERT_OK_AND_ASSIGN(const DataDirectory data, Open());
  base::OpenOptions write;
  write.write = true;
  ASSERT_OK_AND_ASSIGN(const auto lock, data.dir->Open("LOCK", write));
  ASSERT_OK(lock->TryLock());
  EXPECT_THAT(Open().status(), StatusIs(StatusCode::kAborted, HasSubstr("/data/kv")));
}

TEST(MembersFile, KeepsAddressesAndRefusesOtherLines) {
  const Addresses members = {{1, "a:1"}, {12, "[::1]:2"}};
  EXPECT_EQ(*DecodeMembers(EncodeMembers(members)), members);
  for (const char* text : {"1", "x a:1", "0 a:1", "1 "}) {
    EXPECT_THAT(DecodeMembers(text), StatusIs(StatusCode::kDataLoss)) << text;
  }
}

TEST(MemberKey, IsReadBack) {
  EXPECT_EQ(MemberOfKey(MemberKey(17)), 17u);
  for (const char* key : {"member/", "member/x", "other/1", ""}) {
    EXPECT_EQ(MemberOfKey(key), raft::kNoNode) << key;
  }
}

// ---- Members (E169) ----

raft::Membership Of(std::vector<raft::NodeId> voters, std::vector<raft::NodeId> learners = {}) {
  raft::Membership membership;
  membership.voters = std::move(voters);
  membership.learners = std::move(learners);
  return membership;
}

using MRole = MembershipRequest::Role;

TEST(Members, TheTargetIsWhatWasAskedFor) {
  MembershipRequest request;
  request.add = {{.id = 4, .address = "h:4", .role = MRole::kVoter},
                 {.id = 5, .address = "h:5", .role = MRole::kLearner}};
  request.remove = {3};
  ASSERT_OK_AND_ASSIGN(const raft::Membership target, TargetOf(Of({1, 2, 3}), 1, request));
  EXPECT_THAT(target.voters, ElementsAre(1, 2, 4));
  EXPECT_THAT(target.learners, ElementsAre(5));
  MembershipRequest promote;
  promote.add = {{.id = 5, .role = MRole::kVoter}};
  EXPECT_EQ(*TargetOf(Of({1, 2, 3}, {5}), 1, promote), Of({1, 2, 3, 5}));
}

TEST(Members, WhatMakesNoSenseIsRefused) {
  const auto refuse = [](const MembershipRequest& request) {
    return TargetOf(Of({1, 2, 3}), 1, request).status();
  };
  EXPECT_THAT(refuse({.remove = {9}}), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(refuse({.remove = {2, 2}}), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(refuse({.add = {{.id = 0}}}), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(refuse({.add = {{.id = 4, .address = "nowhere"}}}),
              StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(refuse({.remove = {1}}),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("hand the office over")));
}

TEST(Members, AMajorityMustBeHeardFrom) {
  raft::Status status;
  status.role = raft::Role::kLeader;
  status.leader = 1;
  status.peers = {{.id = 2, .active = true}, {.id = 3, .active = false}};
  const std::vector<PeerSight> sights = {{.id = 2, .reachable = true},
                                         {.id = 3, .reachable = true}};
  EXPECT_OK(CheckLiveQuorum(status, Of({1, 2, 3}), sights));
  EXPECT_OK(CheckLiveQuorum(status, Of({1, 2}), sights));
  EXPECT_THAT(CheckLiveQuorum(status, Of({1, 3}), sights),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("silent: 3")));
}

// Asleep, and for an election timeout after, what the group heard says nothing of who lives.
TEST(Members, AMajorityMustBeThereWhileTheGroupSleeps) {  // E108, E169
  raft::Status status;
  status.role = raft::Role::kLeader;
  status.leader = 1;
  status.hibernating = true;
  status.peers = {{.id = 2, .active = false}, {.id = 4, .active = true}, {.id = 5, .active = true}};
  std::vector<PeerSight> sights = {{.id = 2, .reachable = true}, {.id = 4}, {.id = 5}};
  EXPECT_OK(CheckLiveQuorum(status, Of({1, 2, 5}), sights)) << "2 slept before it was asked again";
  for (const bool sleeps : {true, false}) {
    status.hibernating = sleeps;
    status.peers[0].active = true;
    EXPECT_THAT(CheckLiveQuorum(status, Of({1, 2, 4, 5}), sights),
                StatusIs(StatusCode::kFailedPrecondition, HasSubstr("silent: 4, 5")));
  }
}

TEST(Members, ALearnerHasCaughtUpWhenItIsNear) {  // E169
  raft::Status status;
  status.commit = 1000;
  status.peers = {{.id = 2, .match = 1000, .active = true},
                  {.id = 4, .match = 899, .learner = true, .active = true},
                  {.id = 5, .match = 1000, .learner = true, .active = false},
                  {.id = 6, .match = 0, .learner = true, .active = true}};
  EXPECT_EQ(CaughtUpLearner(status), raft::kNoNode);
  status.peers[1].match = 900;
  EXPECT_EQ(CaughtUpLearner(status), 4u);
  status.peers[1].active = false;
  EXPECT_EQ(CaughtUpLearner(status), raft::kNoNode);
}

// ---- Time (E143) ----

TEST(FairClock, OneClockFarAheadIsNotTheGroups) {
  const absl::Time noon = absl::FromUnixSeconds(1'800'000'000);
  const absl::Duration days = absl::Hours(48), second = absl::Seconds(1);
  FairClock clock;
  EXPECT_EQ(clock.Now(noon, second), noon);  // nobody else is known
  EXPECT_FALSE(clock.Look(noon, second, {}, false));
  FairClock ahead;
  EXPECT_TRUE(ahead.Look(noon + days, second, {-days, -days + second}, true));
  EXPECT_LE(ahead.Now(noon + days, second), noon + absl::Minutes(1));
  EXPECT_LE(ahead.Now(noon + days + absl::Hours(1), second + absl::Hours(1)),
            noon + absl::Hours(1) + absl::Minutes(1));
  FairClock of_two;
  EXPECT_TRUE(of_two.Look(noon + days, second, {-days}, true));
  // One peer whose clock is wrong, either way, is none's.
  FairClock right;
  EXPECT_FALSE(right.Look(noon, second, {-days, absl::ZeroDuration()}, true));
  EXPECT_EQ(right.Now(noon, second), noon);
  EXPECT_FALSE(right.Look(noon, second, {days, absl::ZeroDuration()}, true));
}

TEST(FairClock, BeforeOthersAreHeardFromTheGroupsOwnTimeGoesOn) {
  const absl::Time noon = absl::FromUnixSeconds(1'800'000'000);
  const absl::Duration days = absl::Hours(48), second = absl::Seconds(1);
  FairClock wrong;
  wrong.Begin(noon, second);
  EXPECT_LE(wrong.Now(noon + days, second), noon + absl::Minutes(1));
  EXPECT_FALSE(wrong.Look(noon + days, 2 * second, {}, true));
  EXPECT_LE(wrong.Now(noon + days, 2 * second), noon + absl::Minutes(1));
  EXPECT_TRUE(wrong.Look(noon + days, 3 * second, {-days, -days}, true));
  EXPECT_LE(wrong.Now(noon + days, 3 * second), noon + absl::Minutes(1));
  // It was down for two days, and the others say so, too.
  FairClock down;
  down.Begin(noon, second);
  EXPECT_FALSE(
      down.Look(noon + days, 2 * second, {absl::ZeroDuration(), absl::ZeroDuration()}, true));
  EXPECT_EQ(down.Now(noon + days, 2 * second), noon + days);
  // There are no others.
  FairClock only;
  only.Begin(noon, second);
  EXPECT_FALSE(only.Look(noon + days, 2 * second, {}, false));
  EXPECT_EQ(only.Now(noon + days, 2 * second), noon + days);
}

TEST(FairClock, WhoIsCutOffTakesNoStep) {
  const absl::Time noon = absl::FromUnixSeconds(1'800'000'000);
  const absl::Duration days = absl::Hours(48), second = absl::Seconds(1);
  FairClock clock;
  EXPECT_FALSE(clock.Look(noon, second, {absl::ZeroDuration()}, true));
  for (int i = 2; i < 20; ++i) EXPECT_FALSE(clock.Look(noon + days, i * second, {}, true));
  EXPECT_LE(clock.Now(noon + days, 20 * second), noon + absl::Minutes(1));
}

TEST(FairClock, AStepForwardCountsWhenItLastsAndTheOthersAgree) {
  const absl::Time noon = absl::FromUnixSeconds(1'800'000'000);
  const absl::Duration days = absl::Hours(48);
  FairClock clock;
  absl::Duration now = absl::Hours(1);
  EXPECT_FALSE(clock.Look(noon, now, {absl::ZeroDuration(), absl::ZeroDuration()}, true));
  // The others' answers are from before the step.
  now += absl::Seconds(1);
  EXPECT_LE(clock.Now(noon + days, now), noon + absl::Minutes(1));
  EXPECT_TRUE(clock.Look(noon + days, now, {absl::ZeroDuration(), absl::ZeroDuration()}, true));
  EXPECT_LE(clock.Now(noon + days, now), noon + absl::Minutes(1));
  now += absl::Seconds(1);
  EXPECT_TRUE(clock.Look(noon + days, now, {-days, -days}, true));
  EXPECT_LE(clock.Now(noon + days, now), noon + absl::Minutes(1));
  // All were set.
  for (int i = 0; i < 7; ++i) {
    now += absl::Seconds(1);
    clock.Look(noon + days, now, {absl::ZeroDuration(), absl::ZeroDuration()}, true);
  }
  EXPECT_EQ(clock.Now(noon + days, now), noon + days);
  // A step back is taken at once, and time goes on from there.
  EXPECT_FALSE(clock.Look(noon, now, {absl::ZeroDuration(), absl::ZeroDuration()}, true));
  EXPECT_EQ(clock.Now(noon, now), noon);
}

// ---- Room (E167) ----

TEST(Room, IsShortBelowHalfOfEnoughUntilThereIsEnough) {
  constexpr uint64_t kMiB = base::kMiB;
  const auto is_short = [](uint64_t free, uint64_t total, bool was) {
    base::Space space;
    space.free_bytes = free;
    space.total_bytes = total;
    return IsShortOfSpace(space, was);
  };
  EXPECT_FALSE(is_short(128 * kMiB, 100'000 * kMiB, false));
  EXPECT_TRUE(is_short(127 * kMiB, 100'000 * kMiB, false));
  EXPECT_TRUE(is_short(255 * kMiB, 100'000 * kMiB, true));
  EXPECT_FALSE(is_short(256 * kMiB, 100'000 * kMiB, true));
  EXPECT_TRUE(is_short(9 * kMiB, 1000 * kMiB, true));  // 5 % of a small disk are 50 MiB
  EXPECT_FALSE(is_short(50 * kMiB, 1000 * kMiB, true));
}

}  // namespace
}  // namespace slipway::eraft
