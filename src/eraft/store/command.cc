#include "eraft/store/command.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "eraft/store/limits.h"

namespace slipway::eraft {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint8_t kFlagStrict = 1;
constexpr uint8_t kFlagExpectAbsent = 2;
constexpr uint8_t kOpLast = static_cast<uint8_t>(CommandOp::kDeleteShard);
constexpr uint8_t kCodeLast = static_cast<uint8_t>(AnswerCode::kWindowFull);

void AppendFixed(base::Bytes& out, uint64_t value) {
  out.resize(out.size() + 8);
  base::StoreLittle(out.data() + out.size() - 8, value);
}

// LEB128, shortest form.
void AppendVarint(base::Bytes& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<uint8_t>(value | 0x80));
  out.push_back(static_cast<uint8_t>(value));
}

void AppendText(base::Bytes& out, absl::string_view text) {
  AppendVarint(out, text.size());
  out.insert(out.end(), text.begin(), text.end());
}

// Takes fields off the front; after a field that is not there, `ok` stays false.
struct Reader {
  base::BytesView rest;
  bool ok = true;

  uint8_t Byte() {
    if (rest.empty()) ok = false;
    if (!ok) return 0;
    const uint8_t value = rest.front();
    rest.remove_prefix(1);
    return value;
  }
  uint64_t Fixed() {
    if (rest.size() < 8) ok = false;
    if (!ok) return 0;
    const auto value = base::LoadLittle<uint64_t>(rest.data());
    rest.remove_prefix(8);
    return value;
  }
  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; ok; shift += 7) {
      const uint8_t byte = Byte();
      const uint64_t bits = byte & 0x7f;
      // Too large, or a zero at the end: there is a shorter form.
      if (shift > 63 || (shift == 63 && bits > 1) || (byte == 0 && shift > 0)) ok = false;
      if (!ok) return 0;
      value |= bits << shift;
      if (byte < 0x80) return value;
    }
    return 0;
  }
  std::string Text(uint64_t bytes_max) {
    const uint64_t size = Varint();
    if (size > rest.size() || size > bytes_max) ok = false;
    if (!ok) return "";
    std::string text(base::AsText(rest.subspan(0, size)));
    rest.remove_prefix(size);
    return text;
  }
};

absl::Status Refuse(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("command: ", what));
}

absl::Status CheckSize(absl::string_view what, uint64_t size, uint64_t size_max) {
  if (size <= size_max) return absl::OkStatus();
  return Refuse(absl::StrCat(what, " of ", size, " bytes exceeds the limit of ", size_max));
}

}  // namespace

std::string EncodeSessionLimits(const SessionLimits& limits) {
  base::Bytes out;
  AppendFixed(out, limits.ttl_ms);
  AppendFixed(out, limits.sessions_max);
  return std::string(base::AsText(out));
}

absl::StatusOr<SessionLimits> DecodeSessionLimits(absl::string_view text) {
  Reader reader{base::AsBytes(text)};
  const SessionLimits limits = {.ttl_ms = reader.Fixed(), .sessions_max = reader.Fixed()};
  if (!reader.ok || !reader.rest.empty()) return Refuse("session limits are two numbers");
  if (limits.ttl_ms == 0 || limits.sessions_max == 0) return Refuse("session limits must not be 0");
  return limits;
}

absl::Status CheckCommand(const Command& command) {
  SLIPWAY_RETURN_IF_ERROR(CheckSize("key", command.key.size(), kKeyBytesMax));
  SLIPWAY_RETURN_IF_ERROR(CheckSize("value", command.value.size(), kValueBytesMax));
  SLIPWAY_RETURN_IF_ERROR(CheckSize("expected value", command.expected.size(), kValueBytesMax));
  const bool compares = command.op == CommandOp::kCompareAndSet;
  if (!compares && (command.expect_absent || !command.expected.empty())) {
    return Refuse("only compare-and-set expects something");
  }
  if (command.expect_absent && !command.expected.empty()) {
    return Refuse("a key cannot be absent and have a value");
  }
  const bool about_session =
      command.op == CommandOp::kRegisterSession || command.op == CommandOp::kCloseSession;
  if (command.client == 0 && (command.strict || about_session)) {
    return Refuse("a session needs a client id other than 0");
  }
  if (command.op == CommandOp::kDeleteShard && command.client != 0) {
    return Refuse("a shard is not deleted within a session, which would go with it");
  }
  if (command.op == CommandOp::kSetSessionLimits) {
    return DecodeSessionLimits(command.value).status();
  }
  return absl::OkStatus();
}

base::Bytes EncodeCommand(const Command& command) {
  SLIPWAY_CHECK(CheckCommand(command).ok());
  base::Bytes out;
  out.reserve(48 + command.key.size() + command.value.size() + command.expected.size());
  out.push_back(kVersion);
  out.push_back(static_cast<uint8_t>(command.op));
  out.push_back(static_cast<uint8_t>((command.strict ? kFlagStrict : 0) |
                                     (command.expect_absent ? kFlagExpectAbsent : 0)));
  AppendFixed(out, command.time_ms);
  AppendFixed(out, command.client);
  AppendVarint(out, command.shard);
  AppendVarint(out, command.command);
  AppendVarint(out, command.acknowledged);
  AppendText(out, command.key);
  AppendText(out, command.value);
  if (command.op == CommandOp::kCompareAndSet) AppendText(out, command.expected);
  return out;
}

absl::StatusOr<Command> DecodeCommand(base::BytesView bytes) {
  Reader reader{bytes};
  if (reader.Byte() != kVersion) return Refuse("unknown version");
  Command out;
  const uint8_t op = reader.Byte();
  if (op == 0 || op > kOpLast) return Refuse("unknown operation");
  out.op = static_cast<CommandOp>(op);
  const uint8_t flags = reader.Byte();
  if ((flags & ~(kFlagStrict | kFlagExpectAbsent)) != 0) return Refuse("unknown flags");
  out.strict = (flags & kFlagStrict) != 0;
  out.expect_absent = (flags & kFlagExpectAbsent) != 0;
  out.time_ms = reader.Fixed();
  out.client = reader.Fixed();
  const uint64_t shard = reader.Varint();
  out.shard = static_cast<ShardId>(shard);
  out.command = reader.Varint();
  out.acknowledged = reader.Varint();
  out.key = reader.Text(kKeyBytesMax);
  out.value = reader.Text(kValueBytesMax);
  if (out.op == CommandOp::kCompareAndSet) out.expected = reader.Text(kValueBytesMax);
  if (!reader.ok || !reader.rest.empty() || shard != out.shard) {
    return Refuse("cut short, or beyond a limit");
  }
  SLIPWAY_RETURN_IF_ERROR(CheckCommand(out));
  return out;
}

absl::string_view AnswerCodeName(AnswerCode code) {
  constexpr absl::string_view kNames[] = {"ok",      "no key",          "mismatch", "too large",
                                          "invalid", "unknown session", "stale",    "window full"};
  return kNames[static_cast<uint8_t>(code)];
}

std::string EncodeAnswer(const Answer& answer) {
  base::Bytes out = {static_cast<uint8_t>(answer.code)};
  AppendFixed(out, answer.index);
  return std::string(base::AsText(out));
}

absl::StatusOr<Answer> DecodeAnswer(absl::string_view text) {
  Reader reader{base::AsBytes(text)};
  const uint8_t code = reader.Byte();
  const Answer answer = {.code = static_cast<AnswerCode>(code), .index = reader.Fixed()};
  if (!reader.ok || !reader.rest.empty() || code > kCodeLast) {
    return absl::DataLossError("a stored answer is damaged");
  }
  return answer;
}

}  // namespace slipway::eraft
