#include "base/failpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "base/mutant.h"
#include "base/status.h"

namespace slipway::base {
namespace {

TEST(Mutant, IsOffUnlessChosen) { EXPECT_FALSE(SLIPWAY_MUTANT("no-such-mutant")); }

#ifdef SLIPWAY_FAULTS

class Failpoint : public ::testing::Test {
 protected:
  ~Failpoint() override { EXPECT_TRUE(SetFailpoints("").ok()); }
  static absl::Status Step(int& done) {
    SLIPWAY_FAILPOINT("test.step.before");
    ++done;
    SLIPWAY_FAILPOINT("test.step");
    ++done;
    SLIPWAY_FAILPOINT("test.step.after");
    return absl::OkStatus();
  }
  static int DoneUntilFailure() {
    int done = 0;
    for (int i = 0; i < 10; ++i) {
      const absl::Status status = Step(done);
      EXPECT_TRUE(status.ok() || absl::IsUnavailable(status)) << status;
      if (!status.ok()) return done;
    }
    return done;
  }
};

TEST_F(Failpoint, ErrorsWhereAndWhenAsked) {
  EXPECT_EQ(DoneUntilFailure(), 20);
  struct Case {
    const char* list;
    int done;
  };
  for (const Case& c : {Case{"test.step=error", 1},
                        {"test.step=error:3", 5},
                        {"test.step.before=error", 0},
                        {"test.*=error:2", 1},
                        {"*=error:6", 4},
                        {"other=error,test.step.after=error:2", 4},
                        {"test=error", 20},
                        {"test.step=error:99", 20},
                        {"", 20}}) {
    ASSERT_TRUE(SetFailpoints(c.list).ok()) << c.list;
    EXPECT_EQ(DoneUntilFailure(), c.done) << c.list;
  }
}

TEST_F(Failpoint, ACountedPassFailsOnce) {
  ASSERT_TRUE(SetFailpoints("test.step=error:1").ok());
  int done = 0;
  EXPECT_FALSE(Step(done).ok());
  EXPECT_TRUE(Step(done).ok());
  ASSERT_TRUE(SetFailpoints("test.step=error:1").ok());  // counters start anew
  EXPECT_FALSE(Step(done).ok());
}

TEST_F(Failpoint, RefusesWhatItDoesNotUnderstandAndKeepsTheOldList) {
  ASSERT_TRUE(SetFailpoints("test.step=error").ok());
  for (const char* list : {"a", "=error", "a=", "a=explode", "a=error:0", "a=error:x",
                           "a=error:", "a*b=error", "a=error,b"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(SetFailpoints(list))) << list;
  }
  EXPECT_EQ(DoneUntilFailure(), 1);
}

TEST_F(Failpoint, DelayGoesOn) {
  ASSERT_TRUE(SetFailpoints("test.step=delay:1").ok());
  EXPECT_EQ(DoneUntilFailure(), 20);
}

using FailpointDeathTest = Failpoint;

TEST_F(FailpointDeathTest, CrashIsAsSuddenAsItGets) {
  for (const char* list :
       {"test.step=crash", "test.step=crash:2", "test.step=before", "test.step=after:2",
        "test.*=before", "test.step.after=crash", "test.step.after=after"}) {
    EXPECT_EXIT(
        {
          SetFailpoints(list).IgnoreError();
          DoneUntilFailure();
        },
        ::testing::KilledBySignal(SIGKILL), "")
        << list;
  }
}

#endif  // SLIPWAY_FAULTS

}  // namespace
}  // namespace slipway::base
