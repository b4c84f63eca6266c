// Clients of single calls: whom they ask, what they send again, what they count (E30, E51, E81).
#include "eraft/bench/unary_load.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "base/os/random.h"
#include "base/sim/clock.h"
#include "base/testing/status_matchers.h"

namespace slipway::eraft::bench {
namespace {

struct Asked {
  std::string address;
  int connection;
  client::UnaryRequest request;
};

// Servers that answer at once what the test says; nothing said: time passes.
class FakeCalls : public client::UnaryCalls {
 public:
  explicit FakeCalls(base::sim::Clock& clock) : clock_(clock) {}
  void Start(const std::string& address, int connection, uint64_t tag,
             const client::UnaryRequest& request, absl::Duration /*timeout*/) override {
    asked.push_back({address, connection, request});
    client::UnaryAnswer answer = say(asked.back());
    answer.tag = tag;
    answers_.push_back(std::move(answer));
  }
  std::optional<client::UnaryAnswer> Wait(absl::Duration wait) override {
    if (answers_.empty()) {
      clock_.Advance(wait);
      return std::nullopt;
    }
    client::UnaryAnswer answer = std::move(answers_.front());
    answers_.pop_front();
    return answer;
  }

  std::function<client::UnaryAnswer(const Asked&)> say = [](const Asked&) {
    return client::UnaryAnswer{.err = "OK"};
  };
  std::vector<Asked> asked;

 private:
  base::sim::Clock& clock_;
  std::deque<client::UnaryAnswer> answers_;
};

class UnaryLoadTest : public ::testing::Test {
 protected:
  const Report& Run(uint64_t requests, UnaryLoadOptions options = {}) {
    options.addresses = {"a:1", "b:2", "c:3"};
    const LoadOptions load_options = {.clients = options.clients, .requests = requests};
    load_ = std::make_unique<Load>(load_options, clock_, workload_, pulse_);
    UnaryLoad run(options, *load_, calls_, clock_, random_);
    EXPECT_OK(run.Run(cancel_.token()));
    return load_->report();
  }

  base::sim::Clock clock_;
  base::os::SystemRandom random_;
  NamedKeys workload_{{}};
  Pulse pulse_{absl::Seconds(1)};
  FakeCalls calls_{clock_};
  base::CancelSource cancel_;
  std::unique_ptr<Load> load_;
};

TEST_F(UnaryLoadTest, EachClientHasAnIdAndNumbersItsCommands) {  // E57
  const Report& report = Run(10, {.connections = 2, .clients = 4});
  EXPECT_EQ(report.succeeded(), 10u);
  std::map<int64_t, int64_t> next;
  std::set<int> connections;
  for (const Asked& asked : calls_.asked) {
    EXPECT_GT(asked.request.client_id, 0);
    EXPECT_EQ(asked.request.command_id, next[asked.request.client_id]++);
    connections.insert(asked.connection);
  }
  EXPECT_EQ(next.size(), 4u);
  EXPECT_EQ(connections, (std::set<int>{0, 1}));
}

TEST_F(UnaryLoadTest, FollowsTheLeaderWithTheSameCommand) {
  calls_.say = [](const Asked& asked) {
    if (asked.address == "c:3") return client::UnaryAnswer{.err = "OK"};
    return client::UnaryAnswer{.err = "ErrWrongLeader", .leader = "c:3"};
  };
  const Report& report = Run(3);
  EXPECT_EQ(report.succeeded(), 3u);
  EXPECT_EQ(report.retries, 1u);  // then it knows
  ASSERT_EQ(calls_.asked.size(), 4u);
  EXPECT_EQ(calls_.asked[0].request.command_id, calls_.asked[1].request.command_id);
  EXPECT_EQ(calls_.asked[0].request.value, calls_.asked[1].request.value);
}

TEST_F(UnaryLoadTest, GoesOnToAnotherServerWhenOneIsAway) {
  calls_.say = [](const Asked& asked) {
    if (asked.address == "b:2") return client::UnaryAnswer{.err = "OK"};
    return client::UnaryAnswer{.status = absl::UnavailableError("nobody")};
  };
  EXPECT_EQ(Run(2).succeeded(), 2u);
}

TEST_F(UnaryLoadTest, GivesUpWhenTheTimeIsOverAndSaysOverWhat) {  // E81
  calls_.say = [](const Asked&) { return client::UnaryAnswer{.err = "ErrTimeout"}; };
  const absl::Duration begin = clock_.Monotonic();
  const Report& report = Run(2, {.timeout = absl::Seconds(3)});
  EXPECT_EQ(report.errors, (std::map<std::string, uint64_t>{{"timeout, ErrTimeout", 2}}));
  EXPECT_LE(clock_.Monotonic() - begin, absl::Seconds(6));
  EXPECT_GT(report.retries, 4u);
}

TEST_F(UnaryLoadTest, OtherErrorsEndTheRequestAtOnce) {
  calls_.say = [this](const Asked&) {
    if (calls_.asked.size() == 1) {
      return client::UnaryAnswer{.status = absl::PermissionDeniedError("no")};
    }
    return client::UnaryAnswer{.err = calls_.asked.size() == 2 ? "ErrWrongGroup" : "ErrOutDated"};
  };
  const Report& report = Run(3);
  EXPECT_EQ(report.errors,
            (std::map<std::string, uint64_t>{{"ErrWrongGroup", 1}, {"PERMISSION_DENIED", 1}}));
  EXPECT_EQ(report.succeeded(), 1u);
}

TEST_F(UnaryLoadTest, EtcdHasNoWords) {
  calls_.say = [](const Asked&) { return client::UnaryAnswer{}; };
  EXPECT_EQ(Run(5, {.api = client::UnaryApi::kEtcd}).succeeded(), 5u);
}

TEST_F(UnaryLoadTest, ACancelledLoadEndsAtOnce) {
  calls_.say = [this](const Asked&) {
    if (calls_.asked.size() == 3) cancel_.Cancel({});
    return client::UnaryAnswer{.err = "OK"};
  };
  LoadOptions options = {.clients = 1, .requests = 1000};
  Load load(options, clock_, workload_, pulse_);
  UnaryLoad run({.addresses = {"a:1"}}, load, calls_, clock_, random_);
  EXPECT_THAT(run.Run(cancel_.token()), base::testing::StatusIs(absl::StatusCode::kCancelled));
  EXPECT_LE(load.report().requests, 5u);
}

}  // namespace
}  // namespace slipway::eraft::bench
