// Addresses of numbered hosts, as people write them for a whole set: "kv-{0..2}.svc:6000".
// Thread-safe: free function.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::base::net {

// `text` once for each number of its range {FIRST..LAST}, in their order; as it is, where it has no
// brace. What comes out is not parsed. InvalidArgument, with the text and what is wrong with it:
// another use of braces, a second range, a number with zeros before it, FIRST above LAST, more than
// `count_max`.
absl::StatusOr<std::vector<std::string>> ExpandRange(absl::string_view text, size_t count_max);

}  // namespace slipway::base::net
