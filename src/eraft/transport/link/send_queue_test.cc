#include "eraft/transport/link/send_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "base/testing/status_matchers.h"
#include "eraft/transport/link/assembler.h"
#include "eraft/transport/link/limits.h"
#include "eraft/transport/link/round_trips.h"
#include "eraft/transport/link/test_dialer.h"

namespace slipway::eraft::link {
namespace {

using ::slipway::base::FrameClass;
using ::slipway::base::testing::StatusIs;

// What a receiver makes of a message of the queue.
std::vector<base::Bytes> TakeMessage(SendQueue* queue, Assembler* assembler) {
  MessageWriter writer({});
  queue->Fill(&writer);
  const base::Bytes bytes = Flatten(writer.Finish());
  const base::BytesView view(bytes);
  std::vector<base::Bytes> frames;
  const auto message = ParseMessage(absl::MakeSpan(&view, 1));
  EXPECT_OK(message.status());
  size_t payload = 0;
  for (const PartView& part : message->parts) payload += part.bytes;
  EXPECT_LE(payload, kMessageBytesMax);
  EXPECT_OK(assembler->Add(*message, &frames));
  return frames;
}

base::Bytes Numbered(uint8_t number, size_t size = 1) { return base::Bytes(size, number); }

TEST(SendQueueTest, AFullQueueRefusesBulkAndNeverControl) {  // E122
  SendQueue queue({.control_frames_max = 3, .bulk_bytes_max = 100});
  ASSERT_OK(queue.Push(FrameClass::kBulk, Numbered(1, 90), {}));
  EXPECT_THAT(queue.Push(FrameClass::kBulk, Numbered(2, 11), {}),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(queue.Push(FrameClass::kSnapshot, Numbered(2, 11), {}),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_OK(queue.Push(FrameClass::kBulk, Numbered(2, 10), {}));
  for (int i = 0; i < 3; ++i) EXPECT_OK(queue.Push(FrameClass::kControl, Numbered(3, 200), {}));
  EXPECT_THAT(queue.Push(FrameClass::kControl, Numbered(3), {}),
              StatusIs(absl::StatusCode::kResourceExhausted))
      << "control has a limit of its own";
}

TEST(SendQueueTest, ThereIsRoomForOneFrameHoweverLarge) {
  SendQueue queue({.bulk_bytes_max = 100});
  EXPECT_THAT(queue.Push(FrameClass::kBulk, Numbered(1, kFrameBytesMax + 1), {}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_OK(queue.Push(FrameClass::kBulk, Numbered(1, kFrameBytesMax), {}));
  EXPECT_THAT(queue.Push(FrameClass::kBulk, Numbered(1), {}),
              StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST(SendQueueTest, ControlGoesFirstAndBetweenThePartsOfALargeFrame) {  // E122
  SendQueue queue({});
  Assembler assembler;
  ASSERT_OK(queue.Push(FrameClass::kBulk, Numbered(1, 2 * kPartBytesMax + 5), {}));
  ASSERT_OK(queue.Push(FrameClass::kControl, Numbered(2), {}));
  EXPECT_THAT(TakeMessage(&queue, &assembler), ::testing::ElementsAre(Numbered(2)));
  EXPECT_GT(assembler.unfinished_bytes(), 0u) << "and a part of the large one";
  ASSERT_OK(queue.Push(FrameClass::kControl, Numbered(3), {}));
  EXPECT_THAT(TakeMessage(&queue, &assembler), ::testing::ElementsAre(Numbered(3)));
  EXPECT_THAT(TakeMessage(&queue, &assembler),
              ::testing::ElementsAre(Numbered(1, 2 * kPartBytesMax + 5)));
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bulk_bytes(), 0u);
}

TEST(SendQueueTest, FramesOfAClassStayInOrderInAsFewMessagesAsCanBe) {
  SendQueue queue({});
  Assembler assembler;
  for (uint8_t i = 0; i < 200; ++i) ASSERT_OK(queue.Push(FrameClass::kBulk, Numbered(i, 100), {}));
  const std::vector<base::Bytes> frames = TakeMessage(&queue, &assembler);
  ASSERT_EQ(frames.size(), 200u);
  for (uint8_t i = 0; i < 200; ++i) EXPECT_EQ(frames[i], Numbered(i, 100));
}

TEST(SendQueueTest, AControlFrameTooLargeForAPartIsBulk) {
  SendQueue queue({.bulk_bytes_max = 1});
  Assembler assembler;
  ASSERT_OK(queue.Push(FrameClass::kControl, Numbered(1, kPartBytesMax + 1), {}));
  EXPECT_EQ(queue.bulk_bytes(), kPartBytesMax + 1);
  EXPECT_THAT(TakeMessage(&queue, &assembler), ::testing::IsEmpty());
  EXPECT_THAT(TakeMessage(&queue, &assembler), ::testing::SizeIs(1));
}

TEST(SendQueueTest, ALostStreamTakesTheFrameThatWasSentInPart) {
  SendQueue queue({});
  Assembler assembler;
  ASSERT_OK(queue.Push(FrameClass::kBulk, Numbered(1, kPartBytesMax + 1), {}));
  ASSERT_OK(queue.Push(FrameClass::kBulk, Numbered(2), {}));
  TakeMessage(&queue, &assembler);
  EXPECT_EQ(queue.Reset(), 1u);
  EXPECT_EQ(queue.Reset(), 0u);
  Assembler next;
  EXPECT_THAT(TakeMessage(&queue, &next), ::testing::ElementsAre(Numbered(2)));
}

TEST(SendQueueTest, OldFramesAreGivenUp) {
  SendQueue queue({});
  Assembler assembler;
  ASSERT_OK(queue.Push(FrameClass::kControl, Numbered(1), absl::Seconds(1)));
  ASSERT_OK(queue.Push(FrameClass::kBulk, Numbered(2), absl::Seconds(2)));
  ASSERT_OK(queue.Push(FrameClass::kBulk, Numbered(3), absl::Seconds(3)));
  EXPECT_EQ(queue.DropBefore(absl::Seconds(3)), 2u);
  EXPECT_THAT(TakeMessage(&queue, &assembler), ::testing::ElementsAre(Numbered(3)));
  ASSERT_OK(queue.Push(FrameClass::kBulk, Numbered(4), absl::Seconds(4)));
  EXPECT_EQ(queue.Clear(), 1u);
  EXPECT_TRUE(queue.empty());
}

TEST(RoundTripsTest, TellsQuantilesOfTheLastOnes) {  // E31
  RoundTrips trips;
  EXPECT_EQ(trips.Quantile(0.99), absl::ZeroDuration());
  for (int i = 0; i < 2000; ++i) trips.Add(absl::Seconds(100), {});  // forgotten
  for (int i = 1; i <= 512; ++i) trips.Add(absl::Milliseconds(i), {});
  EXPECT_EQ(trips.last(), absl::Milliseconds(512));
  EXPECT_EQ(trips.Quantile(0.5), absl::Milliseconds(257));
  EXPECT_EQ(trips.Quantile(0.99), absl::Milliseconds(507));
  EXPECT_EQ(trips.Quantile(1), absl::Milliseconds(512));
}

TEST(RoundTripsTest, TheQuickestTellsTheClockBest) {  // E35
  RoundTrips trips;
  trips.Add(absl::Milliseconds(80), absl::Milliseconds(1030));
  trips.Add(absl::Milliseconds(2), absl::Milliseconds(1001));
  trips.Add(absl::Milliseconds(50), absl::Milliseconds(980));
  EXPECT_EQ(trips.clock_difference(), absl::Milliseconds(1001));
  for (int i = 0; i < 16; ++i) trips.Add(absl::Milliseconds(50), absl::Milliseconds(5));
  EXPECT_EQ(trips.clock_difference(), absl::Milliseconds(5)) << "a clock that was set is seen";
}

}  // namespace
}  // namespace slipway::eraft::link
