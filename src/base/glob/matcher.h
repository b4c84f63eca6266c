// One pattern compiled into a small automaton: time is pattern times text, whatever both are.
// Private to base/glob. Values; thread-safe once compiled.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace slipway::base::internal {

// `?` one byte, `*` a run of bytes, both but `/`; `[...]` one byte of a set, never `/`; `**` as a
// whole component any run of components, elsewhere the same as `*`; `\` takes the next byte as it
// is.
class Matcher {
 public:
  explicit Matcher(absl::string_view pattern);

  // Empty, or why the pattern is malformed; it then matches nothing.
  const std::string& malformed() const { return malformed_; }
  bool Matches(absl::string_view text) const;

 private:
  enum class Kind : uint8_t {
    kByte,
    kOne,   // any byte but '/'
    kSet,   // a byte of sets_[index], but '/'
    kStar,  // a run without '/'
    kDeep,  // a run of anything
    kSkip,  // nothing: goes on at the next state and, skipping a "**/", at the third after it
  };
  struct State {
    Kind kind;
    uint8_t byte = 0;
    uint32_t index = 0;
  };
  using Set = std::bitset<256>;

  // Each takes `at` past what it compiled; false: malformed.
  void AddStars(absl::string_view pattern, size_t& at);
  bool AddSet(absl::string_view pattern, size_t& at);
  bool AddEscaped(absl::string_view pattern, size_t& at);

  void Close(std::vector<uint8_t>& active) const;
  bool Step(const std::vector<uint8_t>& active, uint8_t byte, std::vector<uint8_t>& next) const;
  bool Simulate(absl::string_view text) const;

  std::string malformed_;
  std::vector<State> states_;
  std::vector<Set> sets_;
  // The two forms that nearly all rules have need no automaton.
  bool is_literal_ = false;  // text_ alone
  bool is_suffix_ = false;   // `*` and text_
  std::string text_;
};

}  // namespace slipway::base::internal
