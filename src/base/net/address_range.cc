#include "base/net/address_range.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace slipway::base::net {
namespace {

constexpr absl::string_view kDots = "..";

absl::Status Refuse(absl::string_view text, absl::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat("\"", absl::CHexEscape(text.substr(0, 300)),
                                                 "\": ", reason,
                                                 "; write a range as in host-{0..2}:5001"));
}

// As hosts are numbered: 0, or digits that begin with none.
std::optional<uint32_t> ParseNumber(absl::string_view text) {
  uint32_t number = 0;
  const bool digits = std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c));
  });
  if (!digits || (text.size() > 1 && text[0] == '0') || !absl::SimpleAtoi(text, &number)) {
    return std::nullopt;
  }
  return number;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ExpandRange(absl::string_view text, size_t count_max) {
  const size_t open = text.find_first_of("{}");
  if (open == absl::string_view::npos) return std::vector<std::string>{std::string(text)};
  const size_t close = text.find('}', open);
  if (text[open] != '{' || close == absl::string_view::npos) {
    return Refuse(text, "a brace without the other one");
  }
  const absl::string_view before = text.substr(0, open), after = text.substr(close + 1);
  if (after.find_first_of("{}") != absl::string_view::npos) {
    return Refuse(text, "one range is allowed in an address");
  }
  const absl::string_view range = text.substr(open + 1, close - open - 1);
  const size_t dots = range.find(kDots);
  if (dots == absl::string_view::npos) return Refuse(text, "no FIRST..LAST within the braces");
  const auto first = ParseNumber(range.substr(0, dots));
  const auto last = ParseNumber(range.substr(dots + kDots.size()));
  if (!first.has_value() || !last.has_value()) {
    return Refuse(text, "FIRST and LAST are whole numbers without zeros before them");
  }
  if (*first > *last) return Refuse(text, "the first number is above the last one");
  if (*last - *first >= count_max) {
    return Refuse(text, absl::StrCat("it means ", uint64_t{*last} - *first + 1,
                                     " addresses, at most ", count_max));
  }
  std::vector<std::string> texts;
  for (uint64_t number = *first; number <= *last; ++number) {
    texts.push_back(absl::StrCat(before, number, after));
  }
  return texts;
}

}  // namespace slipway::base::net
