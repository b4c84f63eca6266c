#include "base/bytes.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace slipway::base {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// Length of the well-formed UTF-8 sequence at the start of `text` (RFC 3629, table 3-7 of Unicode),
// 0 when there is none.
size_t Utf8SequenceBytes(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const auto is_tail = [&](size_t i, uint8_t low, uint8_t high) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return is_tail(1, 0x80, 0xBF) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const uint8_t low = lead == 0xE0 ? 0xA0 : 0x80;   // no overlong form
    const uint8_t high = lead == 0xED ? 0x9F : 0xBF;  // no surrogate
    return is_tail(1, low, high) && is_tail(2, 0x80, 0xBF) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const uint8_t low = lead == 0xF0 ? 0x90 : 0x80;
    const uint8_t high = lead == 0xF4 ? 0x8F : 0xBF;  // at most U+10FFFF
    return is_tail(1, low, high) && is_tail(2, 0x80, 0xBF) && is_tail(3, 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

// Control characters of both ranges (C0, DEL, C1 as UTF-8): what moves a cursor or ends a line.
bool IsControl(absl::string_view sequence) {
  const uint8_t first = static_cast<uint8_t>(sequence[0]);
  if (sequence.size() == 1) return first < 0x20 || first == 0x7F;
  return sequence.size() == 2 && first == 0xC2 && static_cast<uint8_t>(sequence[1]) < 0xA0;
}

}  // namespace

std::string ToHex(BytesView bytes) {
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const uint8_t byte : bytes) {
    hex.push_back(kHexDigits[byte >> 4]);
    hex.push_back(kHexDigits[byte & 15]);
  }
  return hex;
}

absl::StatusOr<Bytes> FromHex(absl::string_view hex) {
  if (hex.size() % 2 != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("read hex text: its length ", hex.size(), " is odd"));
  }
  Bytes bytes;
  bytes.reserve(hex.size() / 2);
  for (size_t i = 0; i < hex.size(); i += 2) {
    const int high = HexValue(hex[i]);
    const int low = HexValue(hex[i + 1]);
    if (high < 0 || low < 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "read hex text: character ", high < 0 ? i : i + 1, " is not one of 0-9, a-f"));
    }
    bytes.push_back(static_cast<uint8_t>(high * 16 + low));
  }
  return bytes;
}

bool EqualConstantTime(BytesView a, BytesView b) {
  if (a.size() != b.size()) return false;
  volatile uint8_t difference = 0;  // volatile: the loop must not end early
  for (size_t i = 0; i < a.size(); ++i) {
    difference = static_cast<uint8_t>(difference | (a[i] ^ b[i]));
  }
  return difference == 0;
}

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t length = Utf8SequenceBytes(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string EscapeForTerminal(absl::string_view text) {
  std::string escaped;
  bool any = false;
  for (absl::string_view rest = text; !rest.empty();) {
    size_t length = Utf8SequenceBytes(rest);
    const bool plain = length > 0 && !IsControl(rest.substr(0, length));
    if (length == 0) length = 1;
    if (plain) {
      absl::StrAppend(&escaped,
                      rest[0] == '\\' ? absl::string_view("\\\\") : rest.substr(0, length));
    } else {
      any = true;
      for (const char c : rest.substr(0, length)) {
        const uint8_t byte = static_cast<uint8_t>(c);
        absl::StrAppend(&escaped, "\\x", absl::string_view(&kHexDigits[byte >> 4], 1),
                        absl::string_view(&kHexDigits[byte & 15], 1));
      }
    }
    rest.remove_prefix(length);
  }
  return any ? escaped : std::string(text);
}

}  // namespace slipway::base
