// What the readers of one configuration share. Private to base/config.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/config/reader.h"

namespace slipway::base {

// The keys that were declared below one map.
struct ConfigReader::Known {
  std::map<std::string, std::unique_ptr<Known>> children;
  bool later = false;
  bool leaf = false;  // declared itself: what is below is its reader's business
};

struct ConfigReader::State {
  Options options;
  ConfigProblems problems;
  ConfigProblems warnings;
  std::vector<ConfigField> schema;
  std::vector<ConfigField> values;
  std::set<std::string> declared;  // keys of `schema`: elements declare the same ones again
};

namespace internal {
// Any tree as YAML in one line: {owner: me, tags: [a, b]}.
std::string ShowTree(const ConfigNode& node);
}  // namespace internal

}  // namespace slipway::base
