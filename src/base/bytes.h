// Byte strings and the small conversions around them. Thread-safe: free functions without state.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace slipway::base {

using Bytes = std::vector<uint8_t>;
using BytesView = absl::Span<const uint8_t>;

inline BytesView AsBytes(absl::string_view text) {
  return BytesView(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}
inline absl::string_view AsText(BytesView bytes) {
  return absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

// Lower-case hex of `bytes`, and back. FromHex: InvalidArgument for an odd length or a character
// that is not 0-9, a-f (upper case is refused: one digest has one text).
std::string ToHex(BytesView bytes);
absl::StatusOr<Bytes> FromHex(absl::string_view hex);

// Little-endian integers at `at`, any alignment.
template <class T>
T LoadLittle(const uint8_t* at) {
  static_assert(std::is_unsigned_v<T> && std::endian::native == std::endian::little);
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}
template <class T>
void StoreLittle(uint8_t* at, T value) {
  static_assert(std::is_unsigned_v<T> && std::endian::native == std::endian::little);
  std::memcpy(at, &value, sizeof(T));
}

// Equal in time that depends on the lengths only: for digests of secrets, tokens, signatures.
bool EqualConstantTime(BytesView a, BytesView b);

// `text` fit for a terminal or a log: control characters, what breaks lines or turns the direction
// of text, and bytes that are not UTF-8 become \xHH, byte by byte. Where something was escaped, or
// the text looks as if (\x, \\), each backslash becomes \\: two texts never look the same.
std::string EscapeForTerminal(absl::string_view text);

// Whether `text` is well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF).
bool IsUtf8(absl::string_view text);

// The character at the start of a text.
struct Utf8Character {
  char32_t code = 0;
  size_t bytes = 0;  // 0: the text is empty or does not begin with well-formed UTF-8
};
Utf8Character FirstCharacter(absl::string_view text);

}  // namespace slipway::base
