// What comes out of the operations of a deploy root. Values; thread-compatible.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "deploy/model/component.h"

namespace slipway::deploy {

enum class Action : uint8_t { kInstalled, kAlreadyInstalled, kSwitched, kAlreadyCurrent };
const char* ActionName(Action action);  // "installed", "already_installed", …

struct ComponentResult {
  Component component;
  std::string previous;  // version that was active; empty: none
  Action action = Action::kAlreadyCurrent;
  bool replaced = false;  // kInstalled over an installed version
  std::string source;     // the one the bytes came from; empty: cache, or nothing was fetched
  std::string source_reason;
  uint64_t bytes_fetched = 0;
  uint64_t bytes_reused = 0;  // of the package, from the cache
  bool cache_hit = false;
  std::vector<std::pair<std::string, absl::Duration>> phases;  // fetch, extract, verify, sync
};

// A link that was (or would be) changed. Path: relative to the root, or absolute outside it.
struct LinkChange {
  std::string path;
  std::string from;      // old target; empty: there was no link
  std::string to;        // new target
  std::string moved_to;  // where adopted files went; empty: there were none
  friend bool operator==(const LinkChange&, const LinkChange&) = default;
};

// One line of a plan: "fetch", "stage", "place", "generation", "switch", "link", …
struct Step {
  std::string name;
  std::string detail;
  uint64_t bytes = 0;
};

struct ChangeResult {
  std::string tx;  // empty: nothing had to change, or dry_run
  bool dry_run = false;
  std::vector<ComponentResult> components;
  std::optional<uint64_t> generation;  // the new one, where active versions changed
  std::vector<LinkChange> links;
  std::vector<Step> steps;  // what was done, or would be
  std::vector<std::string> warnings;
};

struct RecoveredTx {
  enum class Outcome : uint8_t { kUndone, kFinished };
  std::string tx;
  std::string operation;  // "deploy", "switch", "rollback", "repair"
  std::vector<Component> components;
  Outcome outcome = Outcome::kUndone;
};

struct Recovery {
  std::vector<RecoveredTx> transactions;
  std::vector<std::string> running;  // transactions of live processes, left alone
  uint64_t leftovers_removed = 0;    // staging directories without a transaction
};

struct VersionInfo {
  Component component;
  bool current = false;
  bool previous = false;
  bool pinned = false;
  bool bad = false;
  std::vector<std::string> tags;
  std::optional<absl::Time> deployed_at;
  std::optional<absl::Time> last_active_at;
  uint64_t bytes = 0;
  uint64_t files = 0;
  std::string sha256;  // of the package; empty: not known
  std::string source;
};

struct Generation {
  uint64_t number = 0;
  bool active = false;
  bool incomplete = false;  // a version of it is no longer installed; not offered for rollback
  std::vector<Component> components;  // by type
};

struct HistoryEntry {
  absl::Time at;
  std::string tx;
  std::string operation;
  std::string user, host;
  std::string release, reason;
  struct Change {
    std::string type;
    std::string from;       // empty: none was active
    std::string to;         // equal to `from`: installed again; empty: installed without a switch
    std::string installed;  // version this transaction installed; empty: none
    std::string source;
  };
  std::vector<Change> changes;
  std::optional<uint64_t> generation;
  std::optional<uint64_t> restored_generation;  // rollback of the whole root: the one it went to
  bool forward = false;
  absl::Duration duration;
};

enum class LinkState : uint8_t { kOk, kMissing, kDangling, kWrongTarget, kNotALink, kForeign };
const char* LinkStateName(LinkState state);  // "ok", "missing", "dangling", "wrong-target", …

struct LinkInfo {
  enum class Kind : uint8_t { kCurrent, kLink, kActive, kCustom };
  Kind kind = Kind::kCurrent;
  std::string path;      // as in LinkChange
  std::string target;    // as it is; empty: none
  std::string expected;  // as it should be; empty: not known
  std::string type;      // empty: active, and custom links that name none
  std::string version;   // it resolves to; empty: none
  LinkState state = LinkState::kOk;
  std::string detail;  // why it is not ok
};

struct TypeStatus {
  std::string type;
  std::string current, previous;  // empty: none
  uint64_t versions = 0;
  uint64_t bytes = 0;  // of all installed versions, logical
  std::optional<absl::Time> active_since;
  bool current_bad = false;
};

struct RootStatus {
  std::string path, root_id;
  std::vector<TypeStatus> types;
  std::optional<uint64_t> generation;
  uint64_t generations = 0;
  uint64_t free_bytes = 0, total_bytes = 0;
  std::optional<HistoryEntry> last_change;
  std::vector<std::string> unfinished;  // transactions with a journal: running or crashed
  uint64_t links_bad = 0;               // built-in links that are not ok
};

struct RepairResult {
  ChangeResult change;
  std::vector<LinkInfo> refused;  // real files in the way, or nothing to point at: left as they are
};

}  // namespace slipway::deploy
