// The ballast of a data directory, on a simulated disk (E167).
#include "eraft/node/reserve.h"

#include <gtest/gtest.h>

#include "base/sim/files.h"
#include "base/testing/status_matchers.h"

namespace slipway::eraft {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kTotal = 320 * kMiB;  // so the reserve has 10 MiB and 16 MiB are enough
constexpr uint64_t kReserved = 10 * kMiB;

class ReserveTest : public ::testing::Test {
 protected:
  ReserveTest() : dir_(*files_.MakeRoot("/node")) { files_.Settle(); }
  static base::Space Free(uint64_t bytes) {
    base::Space space;
    space.free_bytes = bytes;
    space.total_bytes = kTotal;
    return space;
  }
  uint64_t SizeOnDisk() {
    const auto meta = dir_->Stat(kReserveName);
    return meta.ok() ? meta->allocated_bytes : 0;
  }
  base::sim::Files files_{1};
  std::unique_ptr<base::Dir> dir_;
};

TEST_F(ReserveTest, IsOf64MiBAndOfASmallDiskLess) {
  base::Space large;
  large.total_bytes = uint64_t{1} << 40;
  EXPECT_EQ(ReserveBytesOf(large), 64 * kMiB);
  EXPECT_EQ(ReserveBytesOf(Free(0)), kReserved);
  EXPECT_EQ(EnoughBytesOf(large), 256 * kMiB);
  EXPECT_EQ(EnoughBytesOf(Free(0)), 16 * kMiB);
}

TEST_F(ReserveTest, IsMadeWhenThereIsRoomGivenUpWhenThereIsNoneAndMadeAgain) {
  Reserve reserve(*dir_);
  ASSERT_OK(reserve.Look(Free(25 * kMiB), false));
  EXPECT_EQ(reserve.held_bytes(), 0u);  // beside it there would not be enough
  EXPECT_EQ(reserve.owed_bytes(), 0u);
  ASSERT_OK(reserve.Look(Free(26 * kMiB), false));
  EXPECT_EQ(reserve.held_bytes(), kReserved);
  EXPECT_EQ(SizeOnDisk(), kReserved);
  ASSERT_OK(reserve.Look(Free(2 * kMiB), false));
  EXPECT_EQ(reserve.held_bytes(), kReserved);  // little, but not none
  ASSERT_OK(reserve.Look(Free(1 * kMiB), false));
  EXPECT_EQ(reserve.held_bytes(), 0u);
  EXPECT_EQ(reserve.owed_bytes(), kReserved);
  EXPECT_EQ(SizeOnDisk(), 0u);
  ASSERT_OK(reserve.Look(Free(25 * kMiB), false));
  EXPECT_EQ(reserve.owed_bytes(), kReserved);
  ASSERT_OK(reserve.Look(Free(26 * kMiB), false));
  EXPECT_EQ(reserve.held_bytes(), kReserved);
  EXPECT_EQ(reserve.owed_bytes(), 0u);
}

// A log that waits for a segment needs more than what counts as little.
TEST_F(ReserveTest, IsGivenUpForALogThatWaits) {
  Reserve reserve(*dir_);
  ASSERT_OK(reserve.Look(Free(100 * kMiB), false));
  ASSERT_OK(reserve.Look(Free(9 * kMiB), true));
  EXPECT_EQ(reserve.held_bytes(), 0u);
  ASSERT_OK(reserve.Look(Free(100 * kMiB), true));
  EXPECT_EQ(reserve.held_bytes(), 0u);
}

TEST_F(ReserveTest, TheNextProcessKnowsWhatIsOwed) {
  {
    Reserve reserve(*dir_);
    ASSERT_OK(reserve.Look(Free(100 * kMiB), false));
  }
  {
    Reserve reserve(*dir_);
    ASSERT_OK(reserve.Look(Free(2 * kMiB), false));
    EXPECT_EQ(reserve.held_bytes(), kReserved);
    ASSERT_OK(reserve.Look(Free(0), false));
  }
  Reserve reserve(*dir_);
  ASSERT_OK(reserve.Look(Free(20 * kMiB), false));
  EXPECT_EQ(reserve.held_bytes(), 0u);
  EXPECT_EQ(reserve.owed_bytes(), kReserved);
}

TEST_F(ReserveTest, WhatDoesNotFitLeavesNothingBehind) {
  files_.SetCapacity(5 * kMiB);
  Reserve reserve(*dir_);
  EXPECT_FALSE(reserve.Look(Free(100 * kMiB), false).ok());
  EXPECT_EQ(reserve.held_bytes(), 0u);
  EXPECT_EQ(SizeOnDisk(), 0u);
}

TEST_F(ReserveTest, PowerLossAtEveryOperationLeavesAReserveOrRoomForOne) {
  const base::sim::Files before = files_;
  for (int n = 1;; ++n) {
    base::sim::Files files = before;
    files.PowerLossAt(n);
    const auto dir = *files.OpenRoot("/node");
    Reserve reserve(*dir);
    absl::Status status = reserve.Look(Free(100 * kMiB), false);
    if (status.ok()) status = reserve.Look(Free(0), false);
    const bool lost = files.off();
    base::sim::Files after = files.AfterReboot();
    const auto again = *after.OpenRoot("/node");
    Reserve next(*again);
    ASSERT_OK(next.Look(Free(100 * kMiB), false)) << "operation " << n;
    EXPECT_EQ(next.held_bytes(), kReserved) << "operation " << n;
    if (!lost) break;
  }
}

}  // namespace
}  // namespace slipway::eraft
