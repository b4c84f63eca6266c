// The legacy client against a script of answers.
#include "eraft/client/session/legacy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <functional>

#include "base/sim/clock.h"
#include "base/sim/random.h"
#include "base/testing/status_matchers.h"

namespace slipway::eraft::client {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

LegacyAnswer Said(std::string err, std::string leader = "", std::string value = "") {
  return {absl::OkStatus(), true, std::move(err), std::move(value), std::move(leader)};
}
LegacyAnswer Failed(absl::Status status, bool sent) {
  return {std::move(status), sent, "", "", ""};
}

class Script : public LegacyCaller {
 public:
  explicit Script(base::sim::Clock& clock) : clock_(clock) {}
  LegacyAnswer Command(const std::string& address, const LegacyRequest& request,
                       absl::Duration timeout) override {
    asked.push_back(address);
    requests.push_back(request);
    timeouts.push_back(timeout);
    clock_.Advance(absl::Milliseconds(1));
    if (answers.empty()) return otherwise;
    LegacyAnswer answer = std::move(answers.front());
    answers.pop_front();
    return answer;
  }
  bool Wait(absl::Duration duration) override {
    clock_.Advance(duration);
    return !cancelled;
  }

  std::deque<LegacyAnswer> answers;
  LegacyAnswer otherwise = Failed(absl::UnavailableError("connection refused"), false);
  bool cancelled = false;
  std::vector<std::string> asked;
  std::vector<LegacyRequest> requests;
  std::vector<absl::Duration> timeouts;

 private:
  base::sim::Clock& clock_;
};

class LegacyTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::optional<std::string>> Run(LegacyOp op,
                                                 absl::Duration timeout = absl::Seconds(10)) {
    return session_.Run(op, "k", "v", clock_.Monotonic() + timeout);
  }
  base::sim::Clock clock_;
  base::sim::Random random_{1};
  Script script_{clock_};
  LegacySession session_{{.addresses = {"a", "b", "c"}}, clock_, random_, script_};
};

TEST_F(LegacyTest, ARepetitionHasTheSameIdsAndTheNextCommandTheNext) {  // E57
  script_.answers = {Said("ErrTimeout"), Failed(absl::UnavailableError("gone"), true),
                     Said("ErrWrongLeader", "b"), Said("OK"), Said("OK")};
  ASSERT_OK(Run(LegacyOp::kAppend));
  ASSERT_OK(Run(LegacyOp::kAppend));
  ASSERT_EQ(script_.requests.size(), 5);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(script_.requests[static_cast<size_t>(i)].command_id, 0);
  EXPECT_EQ(script_.requests[4].command_id, 1);
  for (const LegacyRequest& request : script_.requests) {
    EXPECT_EQ(request.client_id, session_.client_id());
    EXPECT_GT(request.client_id, 0);
  }
}

TEST_F(LegacyTest, TheLeaderIsAskedAsSoonAsSomebodyNamesIt) {  // E19
  script_.answers = {Said("ErrWrongLeader", "d"), Said("OK"), Said("OK")};
  ASSERT_OK(Run(LegacyOp::kPut));
  ASSERT_OK(Run(LegacyOp::kPut));
  EXPECT_THAT(script_.asked, ElementsAre("a", "d", "d"));
}

TEST_F(LegacyTest, AMissingKeyIsNoEmptyOne) {  // E80
  script_.answers = {Said("ErrNoKey"), Said("OK", "", ""), Said("OK", "", "x")};
  EXPECT_EQ(*Run(LegacyOp::kGet), std::nullopt);
  EXPECT_EQ(*Run(LegacyOp::kGet), "");
  EXPECT_EQ(*Run(LegacyOp::kGet), "x");
}

TEST_F(LegacyTest, NobodyReachedMeansNotExecuted) {  // E144
  const absl::Duration before = clock_.Monotonic();
  const absl::Status status = Run(LegacyOp::kPut).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(WasExecuted(status), Executed::kNo);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("it was not executed"), HasSubstr("connection refused")));
  EXPECT_LE(clock_.Monotonic() - before, absl::Seconds(11));
  EXPECT_LT(script_.asked.size(), 200);  // with pauses
}

TEST_F(LegacyTest, WhatWasSentAndGotNoAnswerIsUnknown) {  // E144
  for (const LegacyAnswer& answer :
       {Said("ErrTimeout"), Failed(absl::UnavailableError("reset"), true),
        Failed(absl::DeadlineExceededError("slow"), true)}) {
    script_.answers = {answer};
    EXPECT_EQ(WasExecuted(Run(LegacyOp::kAppend).status()), Executed::kUnknown);
    script_.answers = {answer};
    EXPECT_EQ(WasExecuted(Run(LegacyOp::kGet).status()), Executed::kNo);
  }
}

TEST_F(LegacyTest, ARefusalWithItsReasonLeavesNoDoubt) {  // E144
  script_.otherwise = Said("ErrTimeout");
  script_.otherwise.not_executed = "refused while there is an alarm: QUOTA";
  const absl::Status status = Run(LegacyOp::kAppend).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status));
  EXPECT_EQ(WasExecuted(status), Executed::kNo);
  EXPECT_THAT(std::string(status.message()), HasSubstr("an alarm: QUOTA"));
  script_.answers = {Said("ErrTimeout")};  // one that is in doubt stays so
  EXPECT_EQ(WasExecuted(Run(LegacyOp::kAppend).status()), Executed::kUnknown);
}

TEST_F(LegacyTest, ADefiniteRefusalAfterAnUnknownOneStaysUnknown) {  // E144
  script_.answers = {Said("ErrTimeout"), Failed(absl::PermissionDeniedError("no"), true)};
  const absl::Status status = Run(LegacyOp::kPut).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(WasExecuted(status), Executed::kUnknown);
}

TEST_F(LegacyTest, WordsThatAreNoAnswerEndIt) {  // E51
  script_.answers = {Said("ErrOutDated"), Said("Success!"), Said("ErrWrongGroup")};
  EXPECT_EQ(WasExecuted(Run(LegacyOp::kPut).status()), Executed::kYes);
  EXPECT_EQ(Run(LegacyOp::kPut).status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(Run(LegacyOp::kPut).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(LegacyTest, AnAttemptIsNeverLongerThanWhatIsLeft) {
  script_.otherwise = Said("ErrNotReady");
  EXPECT_FALSE(Run(LegacyOp::kGet, absl::Milliseconds(300)).ok());
  EXPECT_THAT(script_.timeouts, Each(::testing::Le(absl::Milliseconds(300))));
}

TEST_F(LegacyTest, WithoutALimitItGoesOnUntilItIsDone) {  // spec 6.3: --timeout 0
  for (int i = 0; i < 2000; ++i) script_.answers.push_back(script_.otherwise);
  script_.answers.push_back(Said("OK", "", "x"));
  EXPECT_EQ(*session_.Run(LegacyOp::kGet, "k", "", absl::InfiniteDuration()), "x");
}

TEST_F(LegacyTest, AnInterruptEndsTheWaiting) {
  script_.cancelled = true;
  EXPECT_EQ(Run(LegacyOp::kGet).status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace slipway::eraft::client
