// What goes into the operations of a deploy root. Values; thread-compatible.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "deploy/model/component.h"
#include "deploy/model/manifest.h"

namespace slipway::deploy {

class Repository;

// A link outside the built-in ones (D26). `path`: absolute, or relative to the root. `target`: an
// absolute path, or relative to the root, such as "links/model".
struct CustomLink {
  std::string path;
  std::string target;
};

struct LinkOptions {
  bool enabled = true;  // keep <root>/links/<type>
  std::vector<CustomLink> custom;
  bool create_parents = false;  // make missing parent directories of custom links
  bool adopt = false;           // move what occupies a link's path to <path>.bak-<utc>
  // Absolute paths that no custom link may take or lie above: the project, its stores. The root
  // itself is always one of them.
  std::vector<std::string> keep;
};

// kFull: contents are on disk before a version becomes visible. kFast: only links, state and
// journal are; after a power loss a freshly deployed version may need a redeploy.
enum class Durability : uint8_t { kFull, kFast };

struct Progress {
  enum class Phase : uint8_t { kFetch, kVerify, kExtract, kSync, kSwitch };
  Phase phase = Phase::kFetch;
  Component component;       // kSync: none, it is for all
  uint64_t bytes = 0;        // done in this phase
  uint64_t bytes_total = 0;  // 0: not known
  uint64_t files = 0;
  std::string source;  // kFetch
};
using ProgressFn = std::function<void(const Progress&)>;  // called from the calling thread

// Where a package may be fetched from; borrowed.
struct PackageSource {
  std::string name;
  Repository* repository = nullptr;
};

struct DeployComponent {
  Manifest manifest;
  std::string manifest_text;           // as published, kept byte for byte; empty: written anew
  std::vector<PackageSource> sources;  // tried in this order
  std::string source_reason;           // why the first one is first, for the result
  bool allow_absolute_symlinks = false;
};

// What every operation that changes the root takes.
struct ChangeOptions {
  bool dry_run = false;  // the real plan in the result, no lock taken, nothing written
  // False: after a failure everything stays as it is, with its journal; the next mutating command
  // or `recover` undoes it.
  bool rollback = true;
  bool deep = false;   // compare installed versions with their file index, content too, first
  std::string reason;  // for the history
  LinkOptions links;
  ProgressFn progress;  // may be null
};

struct DeployOptions : ChangeOptions {
  bool force = false;        // install again what is installed, or has other content
  bool verify = true;        // compare what was extracted with the published file index
  bool switch_links = true;  // false: install only
  bool paranoid = false;     // digest of a cached package even if its stamp says verified (D23)
  std::string release;       // name of the release these components are, for the history
  Durability durability = Durability::kFull;
};

struct RollbackOptions : ChangeOptions {
  bool forward = false;  // back to what the last rollback left (D174)
};

}  // namespace slipway::deploy
