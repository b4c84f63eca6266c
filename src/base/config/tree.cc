#include "base/config/tree.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/bytes.h"

namespace slipway::base {
namespace {

// One step of a path: a key of a map or an index of a list.
struct Step {
  std::string key;
  bool is_index = false;
  size_t index = 0;
};

// Environment names know neither lower case nor dashes.
std::string FoldKey(absl::string_view key) {
  std::string folded = absl::AsciiStrToLower(key);
  std::replace(folded.begin(), folded.end(), '-', '_');
  return folded;
}

std::vector<Step> SplitSteps(absl::string_view path) {
  std::vector<Step> steps;
  for (absl::string_view part : absl::StrSplit(path, '.')) {
    const size_t bracket = part.find('[');
    steps.push_back({std::string(part.substr(0, bracket))});
    while (bracket != absl::string_view::npos && !part.empty()) {
      const size_t open = part.find('[');
      const size_t close = part.find(']');
      if (open == absl::string_view::npos || close == absl::string_view::npos || close < open)
        break;
      Step step;
      step.is_index = absl::SimpleAtoi(part.substr(open + 1, close - open - 1), &step.index);
      steps.push_back(step);
      part.remove_prefix(close + 1);
    }
  }
  return steps;
}

ConfigNode& Child(ConfigNode& parent, const Step& step, const ConfigOrigin& origin) {
  const bool empty = parent.kind == ConfigNode::Kind::kNull && step.index == 0;
  if (step.is_index && (parent.kind == ConfigNode::Kind::kList || empty)) {
    if (parent.kind != ConfigNode::Kind::kList) {
      parent = ConfigNode();
      parent.kind = ConfigNode::Kind::kList;
      parent.origin = origin;
    }
    if (step.index < parent.items.size()) return parent.items[step.index];
    parent.items.emplace_back();
    parent.items.back().origin = origin;
    return parent.items.back();
  }
  const std::string key = step.is_index ? absl::StrCat(step.index) : step.key;
  if (parent.kind != ConfigNode::Kind::kMap) {
    parent = ConfigNode();
    parent.kind = ConfigNode::Kind::kMap;
    parent.origin = origin;
  }
  if (ConfigNode* exact = parent.Find(key); exact != nullptr) return *exact;
  for (ConfigNode::Entry& entry : parent.entries) {
    if (FoldKey(entry.key) == FoldKey(key)) return entry.value;
  }
  parent.entries.push_back({key, origin, ConfigNode()});
  parent.entries.back().value.origin = origin;
  return parent.entries.back().value;
}

// In the order in which list elements have to come: numbers as numbers, 2 before 10.
bool Before(const std::vector<Step>& a, const std::vector<Step>& b) {
  return std::lexicographical_compare(
      a.begin(), a.end(), b.begin(), b.end(), [](const Step& x, const Step& y) {
        if (x.is_index != y.is_index) return x.is_index;
        return x.is_index ? std::tie(x.index, x.key) < std::tie(y.index, y.key) : x.key < y.key;
      });
}

// "" or what is wrong with the indices of `steps`: one past the end of its list appends, a later
// one would leave elements in between undefined.
std::string FindGap(const ConfigNode& root, absl::Span<const Step> steps) {
  const ConfigNode* node = &root;
  std::string path;
  for (const Step& step : steps) {
    const bool is_list = node->kind == ConfigNode::Kind::kList;
    if (is_list && step.is_index && step.index > node->items.size()) {
      return absl::StrCat(path, " has ", node->items.size(), " elements, so index ", step.index,
                          " leaves a gap; go on with ", node->items.size());
    }
    absl::StrAppend(&path, path.empty() ? "" : ".", step.key);
    const ConfigNode* next = nullptr;
    if (is_list && step.is_index) {
      if (step.index < node->items.size()) next = &node->items[step.index];
    } else {
      next = node->Find(step.key);
      for (size_t i = 0; next == nullptr && i < node->entries.size(); ++i) {
        if (FoldKey(node->entries[i].key) == FoldKey(step.key)) next = &node->entries[i].value;
      }
    }
    if (next == nullptr) return "";
    node = next;
  }
  return "";
}

void SetAt(ConfigNode& root, absl::Span<const Step> steps, absl::string_view value,
           const ConfigOrigin& origin) {
  ConfigNode* node = &root;
  for (const Step& step : steps) node = &Child(*node, step, origin);
  *node = ConfigNode();
  node->kind = ConfigNode::Kind::kScalar;
  node->origin = origin;
  node->text = std::string(value);
}

}  // namespace

std::string ConfigOrigin::Text() const {
  switch (kind) {
    case Kind::kDefault:
      return "default";
    case Kind::kFile:
      return absl::StrCat(name == nullptr ? "" : *name, ":", line, ":", column);
    case Kind::kEnvironment:
    case Kind::kFlag:
      return name == nullptr ? "" : *name;
  }
  return "";
}

const ConfigNode* ConfigNode::Find(absl::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

ConfigNode* ConfigNode::Find(absl::string_view key) {
  return const_cast<ConfigNode*>(static_cast<const ConfigNode*>(this)->Find(key));
}

void ConfigProblems::Add(const ConfigOrigin& origin, absl::string_view key,
                         absl::string_view text) {
  std::string line = absl::StrCat(origin.Text(), ": ");
  if (!key.empty()) absl::StrAppend(&line, EscapeForTerminal(key), ": ");
  absl::StrAppend(&line, text);
  lines_.push_back({origin.name == nullptr ? "" : *origin.name, origin.line, origin.column, line});
}

std::vector<std::string> ConfigProblems::Lines() const {
  std::vector<Line> sorted = lines_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Line& a, const Line& b) {
    return std::tie(a.name, a.line, a.column) < std::tie(b.name, b.line, b.column);
  });
  std::vector<std::string> texts;
  texts.reserve(sorted.size());
  for (Line& line : sorted) texts.push_back(std::move(line.text));
  return texts;
}

absl::Status ConfigProblems::ToStatus(ErrorInfo info) const {
  if (lines_.empty()) return absl::OkStatus();
  return MakeError(absl::StatusCode::kInvalidArgument, absl::StrJoin(Lines(), "\n"),
                   std::move(info));
}

void MergeConfig(ConfigNode& base, ConfigNode over) {
  if (base.kind != ConfigNode::Kind::kMap || over.kind != ConfigNode::Kind::kMap) {
    base = std::move(over);
    return;
  }
  for (ConfigNode::Entry& entry : over.entries) {
    if (ConfigNode* existing = base.Find(entry.key); existing != nullptr) {
      MergeConfig(*existing, std::move(entry.value));
    } else {
      base.entries.push_back(std::move(entry));
    }
  }
}

void SetConfig(ConfigNode& root, absl::string_view path, absl::string_view value,
               const ConfigOrigin& origin) {
  SetAt(root, SplitSteps(path), value, origin);
}

void OverlayEnvironment(ConfigNode& root, absl::string_view prefix, Environment& environment,
                        ConfigProblems& problems) {
  struct Variable {
    std::string name;
    std::vector<Step> steps;
  };
  std::vector<Variable> variables;
  for (const std::string& name : environment.Names()) {
    absl::string_view rest = name;
    if (!absl::ConsumePrefix(&rest, prefix) || !absl::ConsumePrefix(&rest, "__")) continue;
    Variable variable{name, {}};
    for (absl::string_view part : absl::StrSplit(rest, "__")) {
      Step step{absl::AsciiStrToLower(part)};
      step.is_index = !part.empty() && absl::SimpleAtoi(part, &step.index);
      variable.steps.push_back(std::move(step));
    }
    variables.push_back(std::move(variable));
  }
  // An index is appended in order, and runs are equal.
  std::sort(variables.begin(), variables.end(), [](const Variable& a, const Variable& b) {
    return Before(a.steps, b.steps) || (!Before(b.steps, a.steps) && a.name < b.name);
  });
  for (const Variable& variable : variables) {
    const std::optional<std::string> value = environment.Get(variable.name);
    if (!value.has_value()) continue;
    ConfigOrigin origin;
    origin.kind = ConfigOrigin::Kind::kEnvironment;
    origin.name = std::make_shared<const std::string>(variable.name);
    if (const std::string gap = FindGap(root, variable.steps); !gap.empty()) {
      problems.Add(origin, "", gap);
      continue;
    }
    SetAt(root, variable.steps, *value, origin);
  }
}

ConfigOrigin FlagOrigin(absl::string_view flag) {
  ConfigOrigin origin;
  origin.kind = ConfigOrigin::Kind::kFlag;
  origin.name = std::make_shared<const std::string>(flag);
  return origin;
}

}  // namespace slipway::base
