#include "base/glob/glob.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/status.h"

namespace slipway::base {
namespace {

constexpr size_t kDepthMax = 16;

// Behind the character at `at`, an escaped one or a whole set counted as one.
size_t Next(absl::string_view text, size_t at) {
  if (text[at] == '\\') return std::min(at + 2, text.size());
  if (text[at] != '[') return at + 1;
  size_t end = at + 1;
  if (end < text.size() && (text[end] == '!' || text[end] == '^')) ++end;
  if (end < text.size() && text[end] == ']') ++end;
  while (end < text.size() && text[end] != ']') {
    if (text[end] == '\\') {
      ++end;
    } else if (text.substr(end, 2) == "[:") {
      const size_t close = text.find(":]", end + 2);
      if (close != absl::string_view::npos) end = close + 1;
    }
    ++end;
  }
  return std::min(end + 1, text.size());
}

// Texts without braces that together mean the same as a text with them.
class Expander {
 public:
  absl::StatusOr<std::vector<std::string>> Expand(absl::string_view text) {
    size_t at = 0;
    SLIPWAY_ASSIGN_OR_RETURN(std::vector<std::string> all, Sequence(text, at, /*depth=*/0));
    return all;
  }

 private:
  using Texts = std::vector<std::string>;

  // Up to the end or, within braces, up to the `,` or `}` that ends the alternative.
  absl::StatusOr<Texts> Sequence(absl::string_view text, size_t& at, size_t depth) {
    Texts all = {""};
    while (at < text.size()) {
      if (depth > 0 && (text[at] == ',' || text[at] == '}')) return all;
      if (text[at] == '{') {
        SLIPWAY_ASSIGN_OR_RETURN(const Texts choices, Braces(text, at, depth + 1));
        SLIPWAY_ASSIGN_OR_RETURN(all, Product(all, choices));
        continue;
      }
      const size_t end = Next(text, at);
      for (std::string& one : all) one.append(text.data() + at, end - at);
      at = end;
    }
    if (depth > 0) return absl::InvalidArgumentError("a { is not closed");
    return all;
  }

  absl::StatusOr<Texts> Braces(absl::string_view text, size_t& at, size_t depth) {
    if (depth > kDepthMax) {
      return absl::ResourceExhaustedError(
          absl::StrCat("braces nested deeper than the limit of ", kDepthMax));
    }
    Texts all;
    do {
      ++at;  // the `{` or the `,`
      SLIPWAY_ASSIGN_OR_RETURN(Texts alternative, Sequence(text, at, depth));
      all.insert(all.end(), std::make_move_iterator(alternative.begin()),
                 std::make_move_iterator(alternative.end()));
      if (all.size() > kGlobAlternativesMax) return TooMany();
    } while (text[at] == ',');
    ++at;
    return all;
  }

  static absl::StatusOr<Texts> Product(const Texts& heads, const Texts& tails) {
    if (heads.size() * tails.size() > kGlobAlternativesMax) return TooMany();
    Texts all;
    for (const std::string& head : heads) {
      for (const std::string& tail : tails) all.push_back(head + tail);
    }
    return all;
  }

  static absl::Status TooMany() {
    return absl::ResourceExhaustedError(
        absl::StrCat("braces give more than the limit of ", kGlobAlternativesMax, " alternatives"));
  }
};

}  // namespace

absl::StatusOr<Glob> Glob::Parse(absl::string_view text) {
  const auto fail = [&](const absl::Status& status) {
    return absl::Status(status.code(),
                        absl::StrCat("parse glob '", EscapeForTerminal(text.substr(0, 200)),
                                     "': ", status.message()));
  };
  if (text.empty()) return fail(absl::InvalidArgumentError("empty"));
  if (text.size() > kGlobBytesMax) {
    return fail(absl::ResourceExhaustedError(
        absl::StrCat("longer than the limit of ", kGlobBytesMax, " bytes")));
  }
  absl::StatusOr<std::vector<std::string>> texts = Expander().Expand(text);
  if (!texts.ok()) return fail(texts.status());
  Glob glob;
  glob.text_ = std::string(text);
  for (const std::string& one : *texts) {
    glob.alternatives_.emplace_back(one);
    const std::string& malformed = glob.alternatives_.back().malformed();
    if (!malformed.empty()) return fail(absl::InvalidArgumentError(malformed));
  }
  return glob;
}

bool Glob::Matches(absl::string_view path) const {
  return std::any_of(alternatives_.begin(), alternatives_.end(),
                     [&](const internal::Matcher& matcher) { return matcher.Matches(path); });
}

}  // namespace slipway::base
