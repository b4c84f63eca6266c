// Which of the known words a person probably meant. Thread-safe: free functions without state.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace slipway::base {

// Number of insertions, deletions, replacements and swaps of neighbours between two words. Words
// over 64 bytes are compared by their first 64.
size_t EditDistance(absl::string_view a, absl::string_view b);

// The candidate with the smallest distance to `word`, letters compared without case and `-` as `_`;
// nullopt when none is near enough (about a third of the longer word) to be worth
// saying. Of equally near ones the first.
std::optional<std::string> NearestWord(absl::string_view word,
                                       absl::Span<const std::string> candidates);

}  // namespace slipway::base
