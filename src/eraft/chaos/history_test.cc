#include "eraft/chaos/history.h"

#include <gtest/gtest.h>

#include "base/os/files.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace slipway::eraft::chaos {
namespace {

using Kind = Model::Kind;

class HistoryTest : public ::testing::Test {
 protected:
  // An operation from `begin` to `end`, in seconds.
  void Put(const std::string& value, int begin, int end) {
    const size_t number =
        history_.Begin(1, {.kind = Kind::kPut, .key = "k", .value = value}, absl::Seconds(begin));
    history_.End(number, {}, absl::Seconds(end));
  }
  void Get(const std::string& value, int begin, int end) {
    const size_t number = history_.Begin(2, {.key = "k"}, absl::Seconds(begin));
    history_.End(number, {.value = value}, absl::Seconds(end));
  }
  History::Judgement Judge() {
    base::os::LinuxFiles files;
    const auto dir = files.OpenRoot(dir_.path());
    EXPECT_OK(dir.status());
    return history_.Judge(**dir);
  }

  const base::testing::TempDir dir_;
  History history_;
};

TEST_F(HistoryTest, AnOldReadIsIllegalAndDrawn) {
  Put("[a]", 0, 1);
  Put("[b]", 2, 3);
  Get("[a]", 4, 5);
  const History::Judgement judgement = Judge();
  EXPECT_EQ(judgement.illegal, std::vector<std::string>{"k"});
  base::os::LinuxFiles files;
  EXPECT_OK((*files.OpenRoot(dir_.path()))->Stat("illegal-1.html").status());
}

TEST_F(HistoryTest, ALostAnswerExplainsARead) {
  Put("[a]", 0, 1);
  history_.Begin(1, {.kind = Kind::kPut, .key = "k", .value = "[b]"}, absl::Seconds(2));
  history_.LeaveOpen();
  Get("[a]", 3, 4);
  Get("[b]", 5, 6);
  EXPECT_TRUE(Judge().illegal.empty());
  EXPECT_EQ(history_.open(), 1u);
}

TEST_F(HistoryTest, WhatWasNotExecutedIsNotThere) {
  Put("[a]", 0, 1);
  history_.Forget(
      history_.Begin(1, {.kind = Kind::kPut, .key = "k", .value = "[b]"}, absl::Seconds(2)));
  Get("[b]", 5, 6);
  EXPECT_EQ(Judge().illegal.size(), 1u);
}

TEST_F(HistoryTest, CountsSecondsOutagesAndShares) {
  Put("[a]", 0, 1);
  Put("[b]", 1, 2);
  Put("[c]", 2, 6);
  EXPECT_EQ(history_.AvailableSeconds(absl::ZeroDuration(), absl::Seconds(8)),
            (std::pair<int64_t, int64_t>{3, 8}));
  EXPECT_EQ(history_.LongestOutage(absl::ZeroDuration(), absl::Seconds(8)), absl::Seconds(4));
  EXPECT_EQ(history_.Latency(absl::ZeroDuration(), absl::Seconds(8), 0.5), absl::Seconds(1));
  EXPECT_EQ(history_.Latency(absl::ZeroDuration(), absl::Seconds(8), 1), absl::Seconds(4));
  EXPECT_EQ(history_.Latency(absl::Seconds(7), absl::Seconds(8), 1), absl::ZeroDuration());
}

}  // namespace
}  // namespace slipway::eraft::chaos
