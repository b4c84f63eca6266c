// Any text: reading a setup ends, and what is read has its size. Most inputs are short; the seed of
// points is prepended, so that changes reach the last of them.
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/check.h"
#include "kzg/scheme/types.h"
#include "kzg/setup/setup_text.h"

namespace kzg = slipway::kzg;

namespace {

// A text with all tokens but the last few hundred bytes: zeros in place of points.
std::string Prefix() {
  std::string text = "4096 65";
  for (size_t i = 0; i < kzg::kSetupG1Points; ++i)
    absl::StrAppend(&text, "\n", std::string(96, '0'));
  for (size_t i = 0; i < kzg::kSetupG2Points; ++i)
    absl::StrAppend(&text, "\n", std::string(192, '0'));
  for (size_t i = 1; i < kzg::kSetupG1Points; ++i)
    absl::StrAppend(&text, "\n", std::string(96, '0'));
  return text + "\n";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string prefix = Prefix();
  const absl::string_view input = slipway::base::AsText({data, size});
  const auto alone = kzg::ParseSetup(input, "input");
  if (alone.ok()) SLIPWAY_CHECK(alone->size() == kzg::kSetupBytes);
  // One input in 16 pays for the long way.
  if (size == 0 || data[0] % 16 != 0) return 0;
  const auto whole = kzg::ParseSetup(absl::StrCat(prefix, input.substr(1)), "input");
  if (whole.ok()) SLIPWAY_CHECK(whole->size() == kzg::kSetupBytes);
  return 0;
}
