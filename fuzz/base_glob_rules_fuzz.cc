// A path on the first line, rules on the others: parsing and matching end in time that is pattern
// times path, and a rule that decides is one of those given. The second line is tried as a glob
// too.
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/check.h"
#include "base/glob/glob.h"
#include "base/glob/ignore_rules.h"

using slipway::base::Glob;
using slipway::base::IgnoreMatch;
using slipway::base::IgnoreRules;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto text = slipway::base::AsText({data, size});
  const size_t end = text.find('\n');
  if (end == absl::string_view::npos) return 0;
  const absl::string_view path = text.substr(0, end);
  const absl::string_view rest = text.substr(end + 1);
  const absl::StatusOr<Glob> glob = Glob::Parse(rest.substr(0, rest.find('\n')));
  if (glob.ok()) (void)glob->Matches(path);
  const absl::StatusOr<IgnoreRules> rules = IgnoreRules::Parse(rest);
  if (!rules.ok()) return 0;
  for (const bool is_dir : {false, true}) {
    const IgnoreMatch match = rules->Match(path, is_dir);
    if (match.verdict == IgnoreMatch::Verdict::kNone) continue;
    SLIPWAY_CHECK(!match.rule.empty());
    SLIPWAY_CHECK(rest.find(match.rule) != absl::string_view::npos);
    SLIPWAY_CHECK((match.rule.front() == '!') == !match.ignored());
  }
  return 0;
}
