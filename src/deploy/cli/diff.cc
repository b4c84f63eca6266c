#include "deploy/cli/diff.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace slipway::deploy::cli {
namespace {

constexpr size_t kLinesMax = 2000;

std::vector<absl::string_view> Lines(absl::string_view text) {
  std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

}  // namespace

std::string DiffLines(absl::string_view before, absl::string_view after) {
  const std::vector<absl::string_view> a = Lines(before);
  const std::vector<absl::string_view> b = Lines(after);
  if (a.size() > kLinesMax || b.size() > kLinesMax) {
    return absl::StrCat("- ", a.size(), " lines\n+ ", b.size(), " lines\n");
  }
  // Longest common subsequence of the ends of both, from the back.
  std::vector<std::vector<uint16_t>> common(a.size() + 1, std::vector<uint16_t>(b.size() + 1));
  for (size_t i = a.size(); i-- > 0;) {
    for (size_t j = b.size(); j-- > 0;) {
      common[i][j] = a[i] == b[j] ? static_cast<uint16_t>(common[i + 1][j + 1] + 1)
                                  : std::max(common[i + 1][j], common[i][j + 1]);
    }
  }
  std::string out;
  size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) {
      ++i, ++j;
    } else if (j == b.size() || (i < a.size() && common[i + 1][j] >= common[i][j + 1])) {
      absl::StrAppend(&out, "-", a[i++], "\n");
    } else {
      absl::StrAppend(&out, "+", b[j++], "\n");
    }
  }
  return out;
}

}  // namespace slipway::deploy::cli
