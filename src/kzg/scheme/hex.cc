#include "kzg/scheme/hex.h"

#include <array>

#include "absl/strings/str_cat.h"

namespace slipway::kzg {
namespace {

constexpr uint8_t kNoDigit = 0xff;

constexpr std::array<uint8_t, 256> MakeDigitValues() {
  std::array<uint8_t, 256> values{};
  for (uint8_t& value : values) value = kNoDigit;
  for (uint8_t i = 0; i < 10; ++i) values['0' + i] = i;
  for (uint8_t i = 0; i < 6; ++i) {
    values['a' + i] = static_cast<uint8_t>(10 + i);
    values['A' + i] = static_cast<uint8_t>(10 + i);
  }
  return values;
}
constexpr std::array<uint8_t, 256> kDigitValues = MakeDigitValues();

}  // namespace

size_t DecodeHexDigits(absl::string_view digits, uint8_t* out) {
  for (size_t i = 0; i + 1 < digits.size(); i += 2) {
    const uint8_t high = kDigitValues[static_cast<uint8_t>(digits[i])];
    const uint8_t low = kDigitValues[static_cast<uint8_t>(digits[i + 1])];
    if (high == kNoDigit) return i;
    if (low == kNoDigit) return i + 1;
    *out++ = static_cast<uint8_t>(high << 4 | low);
  }
  return digits.size();
}

absl::StatusOr<base::Bytes> DecodeHex(absl::string_view text, const Where& where) {
  absl::string_view digits = text;
  if (digits.substr(0, 2) == "0x" || digits.substr(0, 2) == "0X") digits.remove_prefix(2);
  if (digits.size() % 2 != 0) {
    return InputError(kBadHex, absl::StrCat("read ", where.Text(), ": ", digits.size(),
                                            " hex digits; their number must be even"));
  }
  base::Bytes bytes(digits.size() / 2);
  const size_t wrong = DecodeHexDigits(digits, bytes.data());
  if (wrong != digits.size()) {
    return InputError(kBadHex, absl::StrCat("read ", where.Text(), ": digit ", wrong + 1, " is '",
                                            base::EscapeForTerminal(digits.substr(wrong, 1)),
                                            "'; hex has 0-9, a-f and A-F"));
  }
  return bytes;
}

std::string EncodeHex(base::BytesView bytes) { return absl::StrCat("0x", base::ToHex(bytes)); }

}  // namespace slipway::kzg
