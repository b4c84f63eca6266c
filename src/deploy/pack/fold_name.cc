#include <algorithm>
#include <iterator>

#include "base/bytes.h"
#include "deploy/pack/names.h"

namespace slipway::deploy {
namespace {

struct Fold {
  uint16_t from;
  uint16_t first, second, third;  // 0: none
};
constexpr Fold kFolds[] = {
#include "deploy/pack/fold_table.inc"
};

// The first character of well-formed UTF-8, taken off it.
char32_t TakeCharacter(absl::string_view& text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const size_t length = byte(0) < 0x80 ? 1 : byte(0) < 0xE0 ? 2 : byte(0) < 0xF0 ? 3 : 4;
  char32_t character = length == 1 ? byte(0) : byte(0) & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) character = character << 6 | (byte(i) & 0x3Fu);
  text.remove_prefix(length);
  return character;
}

void AppendCharacter(std::string& out, char32_t character) {
  if (character < 0x80) {
    out += static_cast<char>(character);
  } else if (character < 0x800) {
    out += static_cast<char>(0xC0 | character >> 6);
    out += static_cast<char>(0x80 | (character & 0x3F));
  } else {
    out += static_cast<char>(0xE0 | character >> 12);
    out += static_cast<char>(0x80 | (character >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (character & 0x3F));
  }
}

// Hangul syllables are decomposed by arithmetic (Unicode, section 3.12).
bool AppendHangul(std::string& out, char32_t character) {
  constexpr char32_t kFirst = 0xAC00, kCount = 11172, kVowels = 21, kTails = 28;
  if (character < kFirst || character >= kFirst + kCount) return false;
  const char32_t index = character - kFirst;
  AppendCharacter(out, 0x1100 + index / (kVowels * kTails));
  AppendCharacter(out, 0x1161 + index % (kVowels * kTails) / kTails);
  if (index % kTails != 0) AppendCharacter(out, 0x11A7 + index % kTails);
  return true;
}

}  // namespace

std::string FoldName(absl::string_view name) {
  std::string out;
  const bool utf8 = base::IsUtf8(name);
  while (!name.empty()) {
    if (!utf8 || static_cast<unsigned char>(name.front()) < 0x80) {
      const char c = name.front();
      out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      name.remove_prefix(1);
      continue;
    }
    const absl::string_view before = name;
    const char32_t character = TakeCharacter(name);
    const Fold* fold =
        std::lower_bound(std::begin(kFolds), std::end(kFolds), character,
                         [](const Fold& row, char32_t wanted) { return row.from < wanted; });
    if (fold != std::end(kFolds) && fold->from == character) {
      for (const uint16_t to : {fold->first, fold->second, fold->third}) {
        if (to != 0) AppendCharacter(out, to);
      }
    } else if (!AppendHangul(out, character)) {
      const absl::string_view same = before.substr(0, before.size() - name.size());
      out.append(same.data(), same.size());
    }
  }
  return out;
}

}  // namespace slipway::deploy
