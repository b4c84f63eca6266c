#include "eraft/store/command.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "base/testing/status_matchers.h"
#include "eraft/store/limits.h"

namespace slipway::eraft {
namespace {

using base::testing::IsOkAndHolds;
using base::testing::StatusIs;
using ::testing::HasSubstr;

std::vector<Command> Examples() {
  const SessionLimits limits = {.ttl_ms = 5, .sessions_max = 6};
  return {
      {.op = CommandOp::kPut,
       .time_ms = 1705744800000,
       .shard = 3,
       .client = 0xab,
       .command = 2,
       .key = "cat",
       .value = "tom"},
      {.op = CommandOp::kAppend,
       .strict = true,
       .shard = 0xffffffff,
       .client = ~uint64_t{0},
       .command = ~uint64_t{0},
       .acknowledged = 300,
       .value = std::string(300, '\0')},
      {.op = CommandOp::kDelete, .key = std::string(kKeyBytesMax, 'k')},
      {.op = CommandOp::kCompareAndSet, .key = "k", .value = "new", .expected = "old"},
      {.op = CommandOp::kCompareAndSet, .expect_absent = true, .key = "k", .value = "new"},
      {.op = CommandOp::kRegisterSession, .client = 7},
      {.op = CommandOp::kCloseSession, .client = 7},
      {.op = CommandOp::kSetSessionLimits, .value = EncodeSessionLimits(limits)},
      {.op = CommandOp::kDeleteShard, .shard = 9},
  };
}

TEST(Command, ComesBackFromItsBytes) {
  for (const Command& command : Examples()) {
    EXPECT_THAT(DecodeCommand(EncodeCommand(command)), IsOkAndHolds(command));
  }
}

// docs/formats/eraft-keys.md
TEST(Command, TheDocumentedExampleIsWhatIsWritten) {
  EXPECT_EQ(base::ToHex(EncodeCommand(Examples()[0])),
            "010100"
            "001950268d010000"
            "ab00000000000000"
            "03"
            "02"
            "00"
            "03636174"
            "03746f6d");
}

// E153: over the limit is refused before it is proposed, and when it is in the log all the same.
TEST(Command, LimitsAreNamed) {
  Command command = {.key = std::string(kKeyBytesMax + 1, 'k')};
  EXPECT_THAT(CheckCommand(command),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("limit of 65536")));
  command = {.value = std::string(kValueBytesMax + 1, 'v')};
  EXPECT_THAT(CheckCommand(command),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("limit of 8388608")));
  command.value.pop_back();
  base::Bytes bytes = EncodeCommand(command);
  EXPECT_OK(DecodeCommand(bytes));
  bytes.push_back(0);
  EXPECT_THAT(DecodeCommand(bytes), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(CheckCommand({.strict = true}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(CheckCommand({.op = CommandOp::kDeleteShard, .client = 1}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(CheckCommand({.op = CommandOp::kSetSessionLimits, .value = "1"}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(CheckCommand({.op = CommandOp::kPut, .expected = "x"}),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

// E71: the decoder is total. What it takes has one form.
TEST(Command, DamagedBytesAreRefusedOrAnotherCommand) {
  for (const Command& command : Examples()) {
    base::Bytes bytes = EncodeCommand(command);
    bytes.resize(std::min<size_t>(bytes.size(), 200));
    for (size_t size = 0; size < bytes.size(); ++size) {
      const auto cut = DecodeCommand(base::BytesView(bytes).subspan(0, size));
      EXPECT_THAT(cut, StatusIs(absl::StatusCode::kInvalidArgument)) << size;
    }
    for (size_t i = 0; i < bytes.size(); ++i) {
      for (int value = 0; value < 256; value += 3) {
        base::Bytes changed = bytes;
        changed[i] = static_cast<uint8_t>(value);
        const auto decoded = DecodeCommand(changed);
        if (!decoded.ok()) continue;
        EXPECT_EQ(EncodeCommand(*decoded), changed) << i << " " << value;
      }
    }
  }
}

TEST(Answer, ComesBackFromItsBytesAndDamageIsFound) {
  for (uint8_t code = 0; code <= static_cast<uint8_t>(AnswerCode::kWindowFull); ++code) {
    const Answer answer = {.code = static_cast<AnswerCode>(code), .index = 1234567890123};
    EXPECT_THAT(DecodeAnswer(EncodeAnswer(answer)), IsOkAndHolds(answer));
    EXPECT_FALSE(AnswerCodeName(answer.code).empty());
  }
  EXPECT_THAT(DecodeAnswer("\x08"
                           "12345678"),
              StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(DecodeAnswer(""), StatusIs(absl::StatusCode::kDataLoss));
}

}  // namespace
}  // namespace slipway::eraft
