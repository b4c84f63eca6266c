// Where a program reads and writes, as plain values: a test passes strings. Thread-compatible.
#pragma once

#include <functional>
#include <istream>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/world.h"

namespace slipway::base::cli {

enum class ColorMode : uint8_t { kAuto, kAlways, kNever };

struct Streams {
  std::istream& in;
  std::ostream& out;  // results
  std::ostream& err;  // everything else
  bool in_is_terminal = false;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  int width = 80;  // columns of the terminal
  bool color_out = false;
  bool color_err = false;
  // Why `in` has no more: OK at its end, else an error or Cancelled; null: at its end.
  std::function<absl::Status()> in_status;
  // Whether nobody can read `out` any more, asked when writing to it failed; null: somebody can.
  std::function<bool()> out_reader_gone;

  // Colour on terminals, unless NO_COLOR is set or TERM is "dumb"; or always; or never.
  void SetColor(ColorMode mode, Environment& environment);
};

enum class Tone : uint8_t { kPlain, kBold, kDim, kRed, kYellow, kGreen, kCyan };
// `text` in that tone when `color`, else `text`.
std::string Paint(absl::string_view text, Tone tone, bool color);

// Columns that `text` takes on a terminal: East Asian wide characters two, combining marks and
// control characters none. Bytes that are not UTF-8 count one each.
int DisplayWidth(absl::string_view text);
// The longest beginning of `text` that fits into `width` columns, with "…" when something is cut.
std::string CutToWidth(absl::string_view text, int width);

}  // namespace slipway::base::cli
