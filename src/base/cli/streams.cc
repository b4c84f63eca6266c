#include "base/cli/streams.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"

namespace slipway::base::cli {
namespace {

struct Range {
  uint32_t first, last;
};

// Blocks of Unicode whose characters take two columns (East Asian Width W and F, and emoji).
constexpr std::array<Range, 16> kWide = {{{0x1100, 0x115f},
                                          {0x2e80, 0x303e},
                                          {0x3041, 0x33ff},
                                          {0x3400, 0x4dbf},
                                          {0x4e00, 0x9fff},
                                          {0xa000, 0xa4cf},
                                          {0xa960, 0xa97f},
                                          {0xac00, 0xd7a3},
                                          {0xf900, 0xfaff},
                                          {0xfe30, 0xfe6f},
                                          {0xff00, 0xff60},
                                          {0xffe0, 0xffe6},
                                          {0x1f300, 0x1f64f},
                                          {0x1f680, 0x1f6ff},
                                          {0x1f900, 0x1f9ff},
                                          {0x20000, 0x3fffd}}};
// Combining marks, zero-width characters and variation selectors.
constexpr std::array<Range, 9> kZero = {{{0x0300, 0x036f},
                                         {0x0483, 0x0489},
                                         {0x0591, 0x05bd},
                                         {0x064b, 0x065f},
                                         {0x1ab0, 0x1aff},
                                         {0x200b, 0x200f},
                                         {0x20d0, 0x20ff},
                                         {0xfe00, 0xfe0f},
                                         {0xfe20, 0xfe2f}}};

template <size_t n>
bool Contains(const std::array<Range, n>& ranges, uint32_t code) {
  return std::any_of(ranges.begin(), ranges.end(), [code](const Range& range) {
    return range.first <= code && code <= range.last;
  });
}

int WidthOf(uint32_t code) {
  if (code < 0x20 || (code >= 0x7f && code < 0xa0) || Contains(kZero, code)) return 0;
  return Contains(kWide, code) ? 2 : 1;
}

// Decodes one character and moves past it; a byte that starts none stands for itself.
uint32_t Next(absl::string_view text, size_t* at) {
  const Utf8Character first = FirstCharacter(text.substr(*at));
  *at += first.bytes == 0 ? 1 : first.bytes;
  return first.bytes == 0 ? '?' : first.code;
}

}  // namespace

void Streams::SetColor(ColorMode mode, Environment& environment) {
  const std::optional<std::string> no_color = environment.Get("NO_COLOR");
  const bool refused =
      (no_color.has_value() && !no_color->empty()) || environment.Get("TERM") == "dumb";
  const bool automatic = mode == ColorMode::kAuto && !refused;
  color_out = mode == ColorMode::kAlways || (automatic && out_is_terminal);
  color_err = mode == ColorMode::kAlways || (automatic && err_is_terminal);
}

std::string Paint(absl::string_view text, Tone tone, bool color) {
  if (!color || tone == Tone::kPlain || text.empty()) return std::string(text);
  constexpr absl::string_view kCodes[] = {"0", "1", "2", "31", "33", "32", "36"};
  return absl::StrCat("\x1b[", kCodes[static_cast<size_t>(tone)], "m", text, "\x1b[0m");
}

int DisplayWidth(absl::string_view text) {
  int width = 0;
  for (size_t at = 0; at < text.size();) width += WidthOf(Next(text, &at));
  return width;
}

std::string CutToWidth(absl::string_view text, int width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  int used = 0;
  size_t at = 0;
  while (at < text.size()) {
    size_t next = at;
    const int columns = WidthOf(Next(text, &next));
    if (used + columns > width - 1) break;
    used += columns;
    at = next;
  }
  return width > 0 ? absl::StrCat(text.substr(0, at), "…") : std::string();
}

}  // namespace slipway::base::cli
