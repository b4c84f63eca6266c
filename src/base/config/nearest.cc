#include "base/config/nearest.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"

namespace slipway::base {
namespace {

constexpr size_t kWordBytesMax = 64;

std::string Fold(absl::string_view word) {
  std::string folded = absl::AsciiStrToLower(word.substr(0, kWordBytesMax));
  std::replace(folded.begin(), folded.end(), '-', '_');
  return folded;
}

}  // namespace

// Optimal string alignment with three rolling rows.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  a = a.substr(0, kWordBytesMax);
  b = b.substr(0, kWordBytesMax);
  using Row = std::array<size_t, kWordBytesMax + 1>;
  Row before{}, previous{}, current{};
  for (size_t j = 0; j <= b.size(); ++j) previous[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      current[j] = std::min({previous[j] + 1, current[j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        current[j] = std::min(current[j], before[j - 2] + 1);
      }
    }
    before = previous;
    previous = current;
  }
  return previous[b.size()];
}

std::optional<std::string> NearestWord(absl::string_view word,
                                       absl::Span<const std::string> candidates) {
  const std::string folded = Fold(word);
  std::optional<std::string> nearest;
  size_t nearest_distance = 0;
  for (const std::string& candidate : candidates) {
    const std::string folded_candidate = Fold(candidate);
    const size_t distance = EditDistance(folded, folded_candidate);
    const size_t allowed =
        std::max<size_t>(1, (std::max(folded.size(), folded_candidate.size()) + 1) / 3);
    if (distance > allowed || distance == std::max(folded.size(), folded_candidate.size()))
      continue;
    if (!nearest.has_value() || distance < nearest_distance) {
      nearest = candidate;
      nearest_distance = distance;
    }
  }
  return nearest;
}

}  // namespace slipway::base
