// A configuration as a tree that remembers where each value came from: read from YAML, expanded,
// overlaid, and then bound to a struct by reader.h. yaml-cpp stays in yaml.cc.
// Thread-compatible.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/status.h"
#include "base/world.h"

namespace slipway::base {

// Where a value stands. Later kinds are stronger: default < file < environment < flag.
struct ConfigOrigin {
  enum class Kind : uint8_t { kDefault, kFile, kEnvironment, kFlag };
  Kind kind = Kind::kDefault;
  std::shared_ptr<const std::string> name;  // the file, the variable or the flag
  int line = 0;                             // 1-based; 0 unless kFile
  int column = 0;
  std::vector<std::string> variables;  // those that `${V}` put into the value

  // "file.yaml:3:7", "PREFIX__KEY", "--flag", "default".
  std::string Text() const;
  // Whether the environment had a part in the value: such a value is never printed in a message.
  bool FromEnvironment() const { return kind == Kind::kEnvironment || !variables.empty(); }
};

// One value: nothing, a scalar, a list, or a map that keeps the order of its keys.
struct ConfigNode {
  enum class Kind : uint8_t { kNull, kScalar, kList, kMap };
  struct Entry;

  Kind kind = Kind::kNull;
  ConfigOrigin origin;
  std::string text;     // kScalar
  bool quoted = false;  // kScalar: written in quotes, so surely text
  std::vector<ConfigNode> items;
  std::vector<Entry> entries;

  const ConfigNode* Find(absl::string_view key) const;
  ConfigNode* Find(absl::string_view key);
};

struct ConfigNode::Entry {
  std::string key;
  ConfigOrigin key_origin;
  ConfigNode value;
};

// All that is wrong (or doubtful) in a configuration, in the order of the files.
class ConfigProblems {
 public:
  // "`origin`: `key`: `text`", where an empty key leaves its part out.
  void Add(const ConfigOrigin& origin, absl::string_view key, absl::string_view text);
  bool empty() const { return lines_.empty(); }
  // One line each, sorted by file, line and column.
  std::vector<std::string> Lines() const;
  // OK without problems, else InvalidArgument with all lines and `info`.
  absl::Status ToStatus(ErrorInfo info = {}) const;

 private:
  struct Line {
    std::string name;
    int line;
    int column;
    std::string text;
  };
  std::vector<Line> lines_;
};

struct ConfigLimits {
  size_t bytes_max = 4 << 20;
  int depth_max = 64;
  size_t nodes_max = 100'000;
};

// The tree of one YAML document; `name` is the file as messages shall call it. An empty text is an
// empty map. InvalidArgument with name:line:column for: not YAML, not UTF-8, a control character, a
// duplicate key, a key that is not a scalar, an anchor, an alias, a tag, a second document.
// ResourceExhausted for a limit, named.
absl::StatusOr<ConfigNode> ParseConfig(absl::string_view text, absl::string_view name,
                                       const ConfigLimits& limits = {});

// Reads and parses the file a user named. Errors of ReadUserFile and ParseConfig.
absl::StatusOr<ConfigNode> LoadConfig(Files& files, absl::string_view path,
                                      const ConfigLimits& limits = {});

// Replaces `${V}`, `${V:-default}` and `${V:?text}` in every scalar and `$${` by `${`. `:-` and
// `:?` count an empty variable as unset, as shells do; a default may contain references. A problem
// names the key and the variable, never a value.
void ExpandConfig(ConfigNode& root, Environment& environment, ConfigProblems& problems);

// Puts `over` on top of `base`: maps are merged key by key, anything else is replaced.
void MergeConfig(ConfigNode& base, ConfigNode over);

// Sets the scalar at `path` ("pack.compression.level", "publish.targets[0].path"; an index equal to
// the length appends), making maps on the way; a value of another kind on the way is replaced. Of
// keys that differ in case or in `-` for `_` the existing one is taken.
void SetConfig(ConfigNode& root, absl::string_view path, absl::string_view value,
               const ConfigOrigin& origin);

// Overlays the variables PREFIX__SECTION__KEY=value; a number after `__` is an index of a list.
// References are not expanded in such values. Unknown keys are found by the reader like others; an
// index beyond the next free one is a problem.
void OverlayEnvironment(ConfigNode& root, absl::string_view prefix, Environment& environment,
                        ConfigProblems& problems);

ConfigOrigin FlagOrigin(absl::string_view flag);

}  // namespace slipway::base
