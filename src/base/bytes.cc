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

// What moves a cursor, ends a line, or makes text read in another order than it stands: controls of
// both ranges and DEL, the separators of lines and paragraphs, marks of direction, and tags.
bool IsDeceiving(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x061C || code == 0x200E ||
         code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF ||
         (code >= 0xE0000 && code <= 0xE007F);
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

Utf8Character FirstCharacter(absl::string_view text) {
  Utf8Character first;
  if (text.empty()) return first;
  first.bytes = Utf8SequenceBytes(text);
  if (first.bytes == 0) return first;
  const auto lead = static_cast<uint8_t>(text[0]);
  first.code = first.bytes == 1 ? lead : lead & (0x7Fu >> first.bytes);
  for (const char tail : text.substr(1, first.bytes - 1)) {
    first.code = first.code << 6 | (static_cast<uint8_t>(tail) & 0x3Fu);
  }
  return first;
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
  bool any =
      text.find("\\x") != absl::string_view::npos || text.find("\\\\") != absl::string_view::npos;
  for (absl::string_view rest = text; !rest.empty();) {
    const Utf8Character first = FirstCharacter(rest);
    const absl::string_view bytes = rest.substr(0, first.bytes == 0 ? 1 : first.bytes);
    if (first.bytes == 0 || IsDeceiving(first.code)) {
      any = true;
      for (const char c : bytes) {
        const uint8_t byte = static_cast<uint8_t>(c);
        absl::StrAppend(&escaped, "\\x", absl::string_view(&kHexDigits[byte >> 4], 1),
                        absl::string_view(&kHexDigits[byte & 15], 1));
      }
    } else {
      absl::StrAppend(&escaped, first.code == '\\' ? absl::string_view("\\\\") : bytes);
    }
    rest.remove_prefix(bytes.size());
  }
  return any ? escaped : std::string(text);
}

}  // namespace slipway::base
