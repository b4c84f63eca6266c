#include "eraft/transport/link/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/sim/random.h"
#include "base/testing/status_matchers.h"
#include "eraft/transport/link/assembler.h"
#include "eraft/transport/link/limits.h"
#include "eraft/transport/link/test_dialer.h"

namespace slipway::eraft::link {
namespace {

using ::slipway::base::testing::StatusIs;
using ::testing::HasSubstr;

std::shared_ptr<const base::Bytes> Frame(size_t size, uint8_t fill = 7) {
  return std::make_shared<const base::Bytes>(size, fill);
}

Hello SomeHello() {
  Hello hello{.node = 2,
              .incarnation = 0xfedcba9876543210,
              .feature_level = 3,
              .address = "10.0.0.2:5001",
              .peer = 1,
              .lane = Lane::kSnapshots,
              .peer_incarnation = 8};
  for (size_t i = 0; i < hello.cluster.size(); ++i) hello.cluster[i] = static_cast<uint8_t>(i);
  return hello;
}

absl::StatusOr<Message> Parse(const base::Bytes& bytes) {
  const base::BytesView view(bytes);
  return ParseMessage(absl::MakeSpan(&view, 1));
}

TEST(Wire, AMessageIsReadAsItWasWrittenWhereverItsBytesAreCut) {
  MessageWriter writer({.seq = 300,
                        .sent_ns = 1,
                        .echo_ns = ~0ull,
                        .wall_ns = 5,
                        .leaving = true,
                        .hello = SomeHello()});
  writer.AddPart(Frame(3), 0, 3, false, true);
  writer.AddPart(Frame(5000, 9), 1000, 4000, true, false);
  writer.AddPart(Frame(0), 0, 0, false, false);
  OutMessage out = writer.Finish();
  EXPECT_EQ(out.pieces.size(), 3u) << "small things in one piece, large ones where they are";
  const base::Bytes bytes = Flatten(out);
  EXPECT_EQ(bytes.size(), out.bytes);
  for (size_t cut = 0; cut <= bytes.size(); cut += cut < 200 ? 1 : 97) {
    const base::BytesView whole(bytes);
    const base::BytesView pieces[] = {whole.subspan(0, cut), {}, whole.subspan(cut)};
    ASSERT_OK_AND_ASSIGN(const Message message, ParseMessage(pieces));
    EXPECT_EQ(message.envelope.seq, 300u);
    EXPECT_EQ(message.envelope.sent_ns, 1u);
    EXPECT_EQ(message.envelope.echo_ns, ~0ull);
    EXPECT_EQ(message.envelope.wall_ns, 5u);
    EXPECT_TRUE(message.envelope.leaving);
    EXPECT_EQ(message.envelope.hello, SomeHello());
    ASSERT_EQ(message.parts.size(), 3u);
    EXPECT_TRUE(message.parts[0].urgent);
    EXPECT_TRUE(message.parts[1].more);
    EXPECT_EQ(message.parts[1].bytes, 4000u);
    EXPECT_EQ(message.parts[2].bytes, 0u);
  }
}

TEST(Wire, NoCutMessageIsTakenForAnotherOne) {
  MessageWriter writer({.seq = 1, .hello = SomeHello()});
  const base::Bytes bytes = Flatten(writer.Finish());
  for (size_t size = 1; size < bytes.size(); ++size) {
    const auto cut =
        Parse(base::Bytes(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size)));
    EXPECT_TRUE(!cut.ok() || !cut->envelope.hello.has_value()) << size;
  }
}

TEST(Wire, UnknownFieldsArePassedOverAndNonsenseIsNot) {
  // Field 31 as varint, fixed64, bytes, fixed32.
  EXPECT_OK(
      Parse({0xf8, 1, 5, 0xf9, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0xfa, 1, 1, 9, 0xfd, 1, 1, 2, 3, 4}));
  const base::Bytes bad[] = {
      {0xff},                                                  // a tag without an end
      {0x00, 1},                                               // field 0
      {0xfb, 1, 0xfc, 1},                                      // a group
      {0x08},                                                  // no number behind the tag
      {0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2},  // more than 64 bits
      {0x2a, 5, 1},                                            // a greeting longer than the message
      {0x2a, 2, 0x10, 1},                                      // a greeting without a cluster
      {0x82, 1, 4, 0x0a, 9, 1, 1},                             // data longer than their part
      {0x82, 1, 2, 0x10, 2},                                   // a bool of 2
      {0x82, 1, 6, 0x0a, 1, 7, 0x0a, 1, 7},                    // data twice
  };
  for (const base::Bytes& bytes : bad) {
    EXPECT_THAT(Parse(bytes), StatusIs(absl::StatusCode::kInvalidArgument)) << base::ToHex(bytes);
  }
}

TEST(Wire, AMessageHasAsManyPartsAsItMayHave) {
  MessageWriter most({});
  for (size_t i = 0; i < kPartsMax; ++i) most.AddPart(Frame(1), 0, 1, false, false);
  base::Bytes bytes = Flatten(most.Finish());
  EXPECT_OK(Parse(bytes));
  bytes.insert(bytes.end(), {0x82, 1, 0});
  EXPECT_THAT(Parse(bytes), StatusIs(absl::StatusCode::kInvalidArgument));
}

// The parts of one frame, each in a message.
absl::Status AddParts(Assembler* assembler, size_t size, size_t step,
                      std::vector<base::Bytes>* frames) {
  const auto frame = Frame(size);
  for (size_t at = 0; at < size; at += step) {
    const size_t count = std::min(step, size - at);
    MessageWriter writer({});
    writer.AddPart(frame, at, count, at + count < size, false);
    const base::Bytes bytes = Flatten(writer.Finish());
    const base::BytesView view(bytes);
    SLIPWAY_ASSIGN_OR_RETURN(const Message message, ParseMessage(absl::MakeSpan(&view, 1)));
    SLIPWAY_RETURN_IF_ERROR(assembler->Add(message, frames));
  }
  return absl::OkStatus();
}

TEST(AssemblerTest, AFrameHasItsLimitHoweverItComes) {  // E122
  Assembler assembler;
  std::vector<base::Bytes> frames;
  ASSERT_OK(AddParts(&assembler, kFrameBytesMax, kPartBytesMax, &frames));
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0], *Frame(kFrameBytesMax));
  EXPECT_EQ(assembler.unfinished_bytes(), 0u);
  EXPECT_THAT(AddParts(&assembler, kFrameBytesMax + 1, kPartBytesMax, &frames),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("larger")));
  EXPECT_LE(assembler.unfinished_bytes(), kFrameBytesMax);
}

TEST(AssemblerTest, AnUrgentFrameComesBetweenThePartsOfAnother) {  // E122
  Assembler assembler;
  std::vector<base::Bytes> frames;
  MessageWriter writer({});
  writer.AddPart(Frame(10, 1), 0, 5, true, false);
  writer.AddPart(Frame(2, 2), 0, 2, false, true);
  writer.AddPart(Frame(10, 1), 5, 5, false, false);
  writer.AddPart(Frame(1, 3), 0, 1, false, false);
  const base::Bytes bytes = Flatten(writer.Finish());
  ASSERT_OK_AND_ASSIGN(const Message message, Parse(bytes));
  ASSERT_OK(assembler.Add(message, &frames));
  EXPECT_THAT(frames, ::testing::ElementsAre(*Frame(2, 2), *Frame(10, 1), *Frame(1, 3)));
}

TEST(AssemblerTest, AnUrgentPartIsWhole) {
  Assembler assembler;
  std::vector<base::Bytes> frames;
  MessageWriter writer({});
  writer.AddPart(Frame(2), 0, 1, true, true);
  const base::Bytes bytes = Flatten(writer.Finish());
  ASSERT_OK_AND_ASSIGN(const Message message, Parse(bytes));
  EXPECT_THAT(assembler.Add(message, &frames), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace slipway::eraft::link
