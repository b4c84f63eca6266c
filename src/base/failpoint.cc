#include "base/failpoint.h"

#ifdef SLIPWAY_FAULTS

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace slipway::base {
namespace {

enum class Action : uint8_t { kError, kCrash, kDelay };

struct Rule {
  std::string name;    // the point's name, or the part before `*`
  std::string suffix;  // "", ".before" or ".after": what the point's name must end with besides
  bool prefix = false;
  Action action = Action::kError;
  uint64_t only_pass = 0;  // 0: every pass
  uint64_t passes = 0;
};

// A standard mutex: base/sync rests on this folder, not the other way round.
std::mutex& RulesMutex() {
  static std::mutex& mutex = *new std::mutex;
  return mutex;
}
std::vector<Rule>& Rules() {
  static std::vector<Rule>& rules = *new std::vector<Rule>;
  return rules;
}
std::atomic<bool> armed = false;

bool Matches(const Rule& rule, absl::string_view point) {
  if (rule.prefix) {
    return absl::StartsWith(point, rule.name) && absl::EndsWith(point, rule.suffix);
  }
  return absl::StartsWith(point, rule.name) && point.substr(rule.name.size()) == rule.suffix;
}

absl::StatusOr<Rule> ParseRule(absl::string_view text) {
  const auto refuse = [&](absl::string_view reason) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     absl::StrCat("parse failpoint '", text, "': ", reason),
                     {"", "write name=error|crash|before|after|delay[:n], separated by commas"});
  };
  Rule rule;
  const std::pair<absl::string_view, absl::string_view> sides =
      absl::StrSplit(text, absl::MaxSplits('=', 1));
  absl::string_view name = sides.first;
  rule.prefix = absl::ConsumeSuffix(&name, "*");
  rule.name = std::string(name);
  if (name.empty() && !rule.prefix) return refuse("no name");
  if (absl::StrContains(name, "*")) return refuse("'*' stands at the end of a name only");
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(sides.second, absl::MaxSplits(':', 1));
  if (absl::StrContains(sides.second, ":") &&
      (!absl::SimpleAtoi(parts.second, &rule.only_pass) || rule.only_pass == 0)) {
    return refuse("the count is not a positive number");
  }
  if (parts.first == "error") {
    rule.action = Action::kError;
  } else if (parts.first == "delay") {
    rule.action = Action::kDelay;
  } else if (parts.first == "crash") {
    rule.action = Action::kCrash;
  } else if (parts.first == "before" || parts.first == "after") {
    rule.action = Action::kCrash;
    const std::string suffix = absl::StrCat(".", parts.first);
    if (rule.prefix || !absl::EndsWith(rule.name, suffix)) rule.suffix = suffix;
  } else {
    return refuse(absl::StrCat("unknown action '", parts.first, "'"));
  }
  return rule;
}

// The action of the first rule that fires at this pass; every matching rule counts the pass.
bool Fires(absl::string_view point, Action& action) {
  const std::lock_guard<std::mutex> lock(RulesMutex());
  bool fires = false;
  for (Rule& rule : Rules()) {
    if (!Matches(rule, point)) continue;
    ++rule.passes;
    if (fires || (rule.only_pass != 0 && rule.passes != rule.only_pass)) continue;
    fires = true;
    action = rule.action;
  }
  return fires;
}

}  // namespace

absl::Status SetFailpoints(absl::string_view list) {
  std::vector<Rule> rules;
  for (absl::string_view text : absl::StrSplit(list, ',', absl::SkipEmpty())) {
    SLIPWAY_ASSIGN_OR_RETURN(Rule rule, ParseRule(text));
    rules.push_back(std::move(rule));
  }
  const std::lock_guard<std::mutex> lock(RulesMutex());
  armed.store(!rules.empty(), std::memory_order_relaxed);
  Rules() = std::move(rules);
  return absl::OkStatus();
}

absl::Status HitFailpoint(absl::string_view name) {
  if (!armed.load(std::memory_order_relaxed)) return absl::OkStatus();
  Action action = Action::kError;
  if (!Fires(name, action)) return absl::OkStatus();
  switch (action) {
    case Action::kError:
      return absl::UnavailableError(absl::StrCat("failpoint ", name, ": failed as asked"));
    case Action::kDelay:
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      return absl::OkStatus();
    case Action::kCrash:
      // SIGKILL, not abort: no destructor, no atexit, no flush may tidy up after a "power loss".
      kill(getpid(), SIGKILL);
      for (;;) pause();
  }
  return absl::OkStatus();
}

}  // namespace slipway::base

#endif  // SLIPWAY_FAULTS
