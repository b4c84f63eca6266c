// Any bytes: a path that is accepted leads nowhere but downwards, and written with every byte
// escaped it is the same path.
#include <cstddef>
#include <cstdint>

#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/net/http/target.h"

using slipway::base::net::ParseTarget;
using slipway::base::net::Target;

namespace {

std::string Escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '/') {
      escaped += c;
    } else {
      absl::StrAppend(&escaped, "%", absl::BytesToHexString(absl::string_view(&c, 1)));
    }
  }
  return escaped;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::StatusOr<Target> target = ParseTarget(slipway::base::AsText({data, size}));
  if (!target.ok()) return 0;
  SLIPWAY_CHECK(target->path.front() == '/');
  SLIPWAY_CHECK(slipway::base::IsUtf8(target->path));
  SLIPWAY_CHECK(target->path.find('\0') == std::string::npos);
  for (const absl::string_view part : absl::StrSplit(target->path, '/')) {
    SLIPWAY_CHECK(part != "." && part != "..");
  }
  const absl::StatusOr<Target> again = ParseTarget(Escaped(target->path));
  if (!again.ok()) return 0;  // three times as long, it may be too long
  SLIPWAY_CHECK(again->path == target->path);
  return 0;
}
