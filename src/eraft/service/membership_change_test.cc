// Changes of the members (E169) on nodes of one simulated loop: the first leads, others may never
// have run.
#include "eraft/service/membership_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/metrics/metrics.h"
#include "base/sim/clock.h"
#include "base/sim/files.h"
#include "base/sim/loop.h"
#include "base/sim/pool.h"
#include "base/sim/random.h"
#include "base/testing/status_matchers.h"
#include "eraft/node/node.h"
#include "eraft/store/memory_engine.h"

namespace slipway::eraft {
namespace {

using absl::StatusCode;
using base::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using MRole = MembershipRequest::Role;

raft::Membership Of(std::vector<raft::NodeId> voters, std::vector<raft::NodeId> learners = {}) {
  raft::Membership membership;
  membership.voters = std::move(voters);
  membership.learners = std::move(learners);
  return membership;
}

class MembershipChangeTest : public ::testing::Test {
 protected:
  struct Wire : base::Transport {
    Wire(MembershipChangeTest& t, raft::NodeId i) : test(t), id(i) {}
    absl::Status Send(uint64_t peer, base::FrameClass, base::Bytes frame) override {
      test.loop_.After(absl::Milliseconds(1), [this, peer, frame = std::move(frame)]() mutable {
        const auto found = test.machines_.find(peer);
        if (found != test.machines_.end()) found->second->wire.receiver(id, std::move(frame));
      });
      return absl::OkStatus();
    }
    void Receive(absl::AnyInvocable<void(uint64_t, base::Bytes)> r) override {
      receiver = std::move(r);
    }
    MembershipChangeTest& test;
    const raft::NodeId id;
    absl::AnyInvocable<void(uint64_t, base::Bytes)> receiver;
  };
  struct Machine {
    Machine(MembershipChangeTest& test, raft::NodeId id)
        : files(id), random(id), pool(id), wal_pool(id, 16, 1), wire(test, id) {
      dir = files.MakeRoot("/data").value();
      home = MemoryHome(dir.get());
    }
    base::sim::Files files;
    base::sim::Random random;
    base::Metrics metrics;
    base::sim::Pool pool, wal_pool;
    std::unique_ptr<base::Dir> dir;
    std::unique_ptr<EngineHome> home;
    Wire wire;
    std::unique_ptr<Node> node;
  };

  MembershipChangeTest() {
    Start(1, Of({1}));
    replica_.emplace(loop_, clock_, metrics_,
                     Replica::Options{.self = 1, .addresses = {{1, "h:1"}}});
    replica_->sights = [this] {
      std::vector<PeerSight> sights;
      for (const auto& [id, machine] : machines_) sights.push_back({.id = id, .reachable = true});
      return sights;
    };
    replica_->Attach(node());
    Look();
    Until([&] { return replica_->view()->system.keys == 1; });
  }
  ~MembershipChangeTest() override {
    for (const auto& [id, machine] : machines_) machine->node.reset();
  }

  void Start(raft::NodeId id, raft::Membership members) {
    machines_[id] = std::make_unique<Machine>(*this, id);
    Machine& m = *machines_[id];
    NodeOptions options;
    options.id = id;
    options.cluster = {1, 2, 3};
    options.wal_segment_bytes = 128 << 10;
    options.groups = {{.id = kKvGroup, .members = std::move(members)}};
    const NodeWorld world = {.loop = loop_,
                             .clock = clock_,
                             .pool = m.pool,
                             .wal_pool = m.wal_pool,
                             .random = m.random,
                             .dir = *m.dir,
                             .engine = *m.home,
                             .transport = m.wire,
                             .metrics = m.metrics};
    auto opened = Node::Open(world, options);
    ASSERT_OK(opened);
    m.node = *std::move(opened);
  }
  Node& node() { return *machines_.at(1)->node; }
  raft::Status Raft() { return node().GetStatus(kKvGroup)->raft; }

  // As kvserver does, again and again.
  void Look() {
    replica_->Look();
    loop_.After(absl::Milliseconds(50), [this] { Look(); });
  }
  bool Until(const std::function<bool()>& done, absl::Duration limit = absl::Seconds(90)) {
    const absl::Duration end = clock_.Monotonic() + limit;
    while (!done()) {
      if (clock_.Monotonic() >= end) return false;
      bool ran = loop_.RunOne();
      for (const auto& [id, m] : machines_) ran = m->pool.RunOne() || m->wal_pool.RunOne() || ran;
      if (!ran) loop_.Step();
    }
    return true;
  }
  void RunFor(absl::Duration duration) {
    Until([] { return false; }, duration);
  }

  using Answer = std::shared_ptr<std::optional<absl::Status>>;
  Answer Begin(MembershipRequest request, absl::Duration limit = absl::Seconds(60)) {
    request.deadline = clock_.Monotonic() + limit;
    auto answer = std::make_shared<std::optional<absl::Status>>();
    MembershipChange::Start(*replica_, std::move(request),
                            [answer](const absl::Status& status) { *answer = status; });
    return answer;
  }
  absl::Status Change(MembershipRequest request) {
    const Answer answer = Begin(std::move(request));
    EXPECT_TRUE(Until([&] { return answer->has_value(); }));
    return answer->value_or(absl::UnknownError("not answered"));
  }
  // Until the node has come in as a learner.
  Answer BeginAdd(raft::NodeId id, std::function<bool()> cancelled = nullptr) {
    const Answer answer = Begin({.add = {{.id = id, .address = absl::StrCat("h:", id)}},
                                 .cancelled = std::move(cancelled)});
    EXPECT_TRUE(Until([&] { return Raft().membership == Of({1}, {id}); }));
    return answer;
  }
  // A row of the system's shard; empty: none any more.
  void Write(const std::string& key, const std::string& value) {
    Command command;
    command.op = value.empty() ? CommandOp::kDelete : CommandOp::kPut;
    command.shard = kSystemShard;
    command.key = key;
    command.value = value;
    bool done = false;
    replica_->Propose(*replica_->Prepare(std::move(command)), absl::InfiniteDuration(),
                      [&](const absl::StatusOr<Outcome>& outcome) {
                        EXPECT_OK(outcome);
                        done = true;
                      });
    EXPECT_TRUE(Until([&] { return done; }));
  }
  std::vector<raft::NodeId> Known() {
    std::vector<raft::NodeId> ids;
    for (const auto& [id, address] : replica_->view()->addresses) ids.push_back(id);
    return ids;
  }

  base::sim::Clock clock_;
  base::sim::Loop loop_{1, clock_};
  base::Metrics registry_;
  ServiceMetrics metrics_{registry_};
  std::optional<Replica> replica_;
  std::map<raft::NodeId, std::unique_ptr<Machine>> machines_;
};

// The second to end would have undone the first: it rests on the members from before it.
TEST_F(MembershipChangeTest, OneIsUnderWayAtATime) {  // E169
  const Answer first = BeginAdd(4);
  const auto busy = StatusIs(StatusCode::kFailedPrecondition, HasSubstr("another change"));
  EXPECT_THAT(Change({.remove = {4}}), busy);
  EXPECT_THAT(Change({.add = {{.id = 5, .address = "h:5", .role = MRole::kLearner}}}), busy);
  EXPECT_FALSE(first->has_value());
  Start(4, {});
  ASSERT_TRUE(Until([&] { return first->has_value(); }));
  EXPECT_OK(**first);
  EXPECT_EQ(Raft().membership, Of({1, 4}));
  EXPECT_OK(Change({.add = {{.id = 5, .address = "h:5", .role = MRole::kLearner}}}));
  EXPECT_EQ(Raft().membership, Of({1, 4}, {5}));
}

TEST_F(MembershipChangeTest, NothingIsAskedForThatRestsOnFormerMembers) {  // E169
  const Answer first = BeginAdd(4);
  RunFor(absl::Seconds(1));  // it is committed
  ASSERT_OK(node().ProposeMembership(kKvGroup, Of({1}, {4, 5})));
  Start(4, {});
  ASSERT_TRUE(Until([&] { return first->has_value(); }));
  EXPECT_THAT(**first, StatusIs(StatusCode::kAborted, HasSubstr("changed meanwhile")));
  RunFor(absl::Seconds(1));
  EXPECT_EQ(Raft().membership, Of({1}, {4, 5}));
}

TEST_F(MembershipChangeTest, EndsWhenWhoAskedForItHasGone) {  // E169
  bool gone = false;
  const Answer first = BeginAdd(4, [&] { return gone; });
  RunFor(absl::Seconds(1));
  EXPECT_FALSE(first->has_value());
  gone = true;
  ASSERT_TRUE(Until([&] { return first->has_value(); }, absl::Seconds(1)));
  EXPECT_THAT(**first, StatusIs(StatusCode::kCancelled));
  Start(4, {});
  RunFor(absl::Seconds(5));
  EXPECT_EQ(Raft().membership, Of({1}, {4}));
  EXPECT_OK(Change({.remove = {4}}));
}

// "node 4 is a voter", and it never ran.
TEST_F(MembershipChangeTest, ALearnerThatHasNotCaughtUpGetsNoVote) {  // E169
  ASSERT_OK(Change({.add = {{.id = 4, .address = "h:4", .role = MRole::kLearner}}}));
  MembershipRequest promote = {.add = {{.id = 4}}};
  EXPECT_THAT(Change(promote),
              StatusIs(StatusCode::kDeadlineExceeded, AllOf(HasSubstr("4 (not heard from)"),
                                                            HasSubstr("eraftctl member promote"))));
  EXPECT_EQ(Raft().membership, Of({1}, {4}));
  promote.trouble = [](raft::NodeId id) { return absl::StrCat("wrong token at ", id); };
  EXPECT_THAT(Change(promote),
              StatusIs(StatusCode::kDeadlineExceeded, HasSubstr("4 (wrong token at 4)")));
  Start(4, {});
  EXPECT_OK(Change(promote));
  EXPECT_EQ(Raft().membership, Of({1, 4}));
}

// One of the others restarts in that moment.
TEST_F(MembershipChangeTest, AQuorumIsWaitedForAMoment) {  // E169
  const auto all = replica_->sights;
  replica_->sights = [] { return std::vector<PeerSight>(); };
  Start(4, {});
  const MembershipRequest add = {.add = {{.id = 4, .address = "h:4"}}};
  const Answer first = Begin(add);
  RunFor(absl::Seconds(4));
  EXPECT_FALSE(first->has_value());
  ASSERT_TRUE(Until([&] { return first->has_value(); }, absl::Seconds(4)));
  EXPECT_THAT(**first, StatusIs(StatusCode::kFailedPrecondition, HasSubstr("silent: 4")));
  const Answer second = Begin(add);
  RunFor(absl::Seconds(2));
  EXPECT_FALSE(second->has_value());
  replica_->sights = all;
  ASSERT_TRUE(Until([&] { return second->has_value(); }, absl::Seconds(2)));
  EXPECT_OK(**second);
}

TEST_F(MembershipChangeTest, ForcedALearnerGetsItsVoteAtOnce) {  // E169
  ASSERT_OK(Change({.add = {{.id = 4, .address = "h:4", .role = MRole::kLearner}}}));
  const Answer forced = Begin({.add = {{.id = 4}}, .force = true});
  EXPECT_TRUE(Until([&] { return Raft().membership == Of({1, 4}); }, absl::Seconds(1)));
  EXPECT_FALSE(forced->has_value());  // nobody else is there to commit it
}

// The office changed between a removal and its end: nobody may dial the address for ever.
// Who was away may know other data of the same id (E123).
TEST_F(MembershipChangeTest, TheLogSaysWithWhichDataAMemberCame) {
  replica_->data_of = [](raft::NodeId id) { return std::optional<uint64_t>(id + 100); };
  const Answer answer = BeginAdd(2);
  EXPECT_TRUE(replica_->view()->readmissions.empty()) << "it has not caught up";
  Start(2, {});
  ASSERT_TRUE(Until([&] { return answer->has_value(); }));
  EXPECT_OK(**answer);
  EXPECT_TRUE(Until([&] { return replica_->view()->readmissions.size() == 1; }));
  EXPECT_EQ(AdmittedData(replica_->view()->readmissions),
            (std::map<raft::NodeId, uint64_t>{{2, 102}}));
  EXPECT_OK(Change({.remove = {2}}));
  EXPECT_TRUE(Until([&] { return replica_->view()->readmissions.empty(); }));
}

TEST_F(MembershipChangeTest, AddressesOfThoseWhoAreNoMembersAreForgotten) {  // E170
  ASSERT_OK(Change({.add = {{.id = 4, .address = "h:4", .role = MRole::kLearner}}}));
  Write(MemberKey(9), "h:9");
  ASSERT_TRUE(Until([&] { return Known() == std::vector<raft::NodeId>{1, 4, 9}; }));
  EXPECT_TRUE(Until([&] { return Known() == std::vector<raft::NodeId>{1, 4}; }));
  RunFor(absl::Seconds(5));
  EXPECT_THAT(Known(), ElementsAre(1, 4));
}

// A change came before the first leader had written the members' addresses: that of the new one was
// then the only one that anybody knew, and the group fell apart.
TEST_F(MembershipChangeTest, AMemberWithoutARowStaysWhereItIsAndGetsOne) {  // E170
  ASSERT_OK(Change({.add = {{.id = 4, .address = "h:4", .role = MRole::kLearner}}}));
  const auto rows = [this] { return replica_->view()->system.keys; };
  ASSERT_TRUE(Until([&] { return rows() == 2 && Known().size() == 2; }));
  Write(MemberKey(1), "");
  bool known = true;
  const auto look = [&] {
    known = known && Known() == std::vector<raft::NodeId>{1, 4};
    return false;
  };
  Until(look, absl::Seconds(1));
  EXPECT_TRUE(known);
  EXPECT_EQ(rows(), 2);
}

// It is no member for a moment, on its way back.
TEST_F(MembershipChangeTest, TheAddressOfOneThatIsTakenInAgainStays) {  // E416
  Write(ReadmissionKey(9), EncodeReadmission({.incarnation = 7}));
  Write(MemberKey(9), "h:9");
  ASSERT_TRUE(Until([&] { return Known() == std::vector<raft::NodeId>{1, 9}; }));
  RunFor(absl::Seconds(5));
  EXPECT_THAT(Known(), ElementsAre(1, 9));
}

TEST(MemberAddresses, AreOfOneMemberEach) {  // E169
  const raft::Membership now = Of({1, 2, 3});
  const Addresses addresses = {{1, "localhost:1"}, {2, "h:2"}, {3, "h:3"}, {9, "h:9"}};
  const auto check = [&](const MembershipRequest& request) {
    return CheckAddresses(now, addresses, request);
  };
  EXPECT_OK(check({.add = {{.id = 4, .address = "h:4"}}}));
  EXPECT_OK(check({.add = {{.id = 4, .address = "h:9"}}}));  // of one that has gone
  EXPECT_OK(check({.add = {{.id = 2, .address = "h:2"}, {.id = 3, .address = "h:5"}}}));
  EXPECT_OK(check({.add = {{.id = 4, .address = "h:2"}}, .remove = {2}}));
  EXPECT_THAT(check({.add = {{.id = 4, .address = "h:2"}}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("is that of member 2")));
  EXPECT_THAT(check({.add = {{.id = 4, .address = "127.0.0.1:1"}}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("is that of member 1")));
  EXPECT_THAT(check({.add = {{.id = 4, .address = "h:4"}, {.id = 5, .address = "h:4"}}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("is that of member 4")));
}

}  // namespace
}  // namespace slipway::eraft
