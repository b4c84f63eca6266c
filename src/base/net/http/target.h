// The target of an HTTP request line: path and query. Thread-safe: a free function.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::base::net {

inline constexpr size_t kTargetBytesMax = 8 << 10;
inline constexpr size_t kQueryParametersMax = 100;

struct Target {
  std::string path;                                        // decoded once; begins with '/'
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
};

// "/path?query", or the same after "http://host". InvalidArgument, without the text of the target:
// too long, too many parameters, a bad escape, a control character, what is not UTF-8, '\', '#', an
// empty, "." or ".." component (after decoding, so that no way of writing it gets past).
absl::StatusOr<Target> ParseTarget(absl::string_view target);

}  // namespace slipway::base::net
