// Globs over relative paths: `*` and `?` within a component, `**` for whole components, `[...]`,
// `{a,b}` (nested, with empty alternatives), `\` before a special character. Values; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/glob/matcher.h"

namespace slipway::base {

inline constexpr size_t kGlobBytesMax = 4096;
inline constexpr size_t kGlobAlternativesMax = 256;

class Glob {
 public:
  // InvalidArgument with the reason: empty, an open `[` or `{`, an unknown class, a backslash at
  // the end. ResourceExhausted: longer than kGlobBytesMax, or braces for more alternatives than
  // allowed.
  static absl::StatusOr<Glob> Parse(absl::string_view text);

  const std::string& text() const { return text_; }
  // The whole of `path`, byte by byte; "a/**" does not match "a".
  bool Matches(absl::string_view path) const;

 private:
  Glob() = default;
  std::string text_;
  std::vector<internal::Matcher> alternatives_;
};

}  // namespace slipway::base
