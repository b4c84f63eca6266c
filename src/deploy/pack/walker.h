// Walks a source tree in archive order while it is being listed: no pass before the walk (D8).
// Thread-compatible; the handles in its entries may be used by jobs.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/files.h"
#include "base/glob/ignore_rules.h"
#include "deploy/pack/packer.h"

namespace slipway::deploy {

inline constexpr absl::string_view kIgnoreFileName = ".deployignore";

struct WalkEntry {
  std::shared_ptr<base::Dir> parent;
  std::shared_ptr<base::Dir> self;  // of a directory
  std::string name;
  std::string path;
  base::FileKind kind = base::FileKind::kFile;
};

struct WalkOptions {
  std::vector<RuleSource> rules;
  size_t rules_before_ignore_files = 0;
  bool ignore_files = true;   // read .deployignore files
  bool skip_special = false;  // warn of devices, FIFOs and sockets instead of DT018
  bool everything = false;    // also what no package may hold: for trees that are only looked at
};

class Walker {
 public:
  // `root` outlives the walker. DT001: a rule too long, or too many.
  static absl::StatusOr<std::unique_ptr<Walker>> Make(base::Dir& root, const WalkOptions& options);

  // The next entry: sorted bytewise within each directory, a directory before what is in it;
  // nullopt at the end. Entries that a rule removes are counted and passed over, directories with
  // all that is in them. DT005, DT018 (also: deeper or longer than a package may be), DT016 (a
  // directory that vanished).
  absl::StatusOr<std::optional<WalkEntry>> Next();

  // Entries removed so far by each rule as written (D11).
  const std::map<std::string, uint64_t>& excluded() const { return excluded_; }
  std::vector<std::string>& warnings() { return warnings_; }

 private:
  struct Level {
    std::string path;
    std::shared_ptr<base::Dir> dir;
    std::vector<base::DirEntry> entries;
    size_t next = 0;
    std::unique_ptr<base::IgnoreRules> own;       // of its .deployignore
    std::vector<const base::IgnoreRules*> chain;  // weakest first
    bool watch_folding = false;                   // two of its names could be one elsewhere
    absl::flat_hash_set<std::string> folded;
  };

  explicit Walker(const WalkOptions& options)
      : skip_special_(options.skip_special),
        ignore_files_(options.ignore_files),
        everything_(options.everything) {}
  absl::Status Push(std::string path, std::shared_ptr<base::Dir> dir);
  absl::Status ReadIgnoreFile(Level& level);
  absl::StatusOr<bool> Admit(Level& level, const base::DirEntry& entry, const std::string& path);

  const bool skip_special_, ignore_files_, everything_;
  std::vector<base::IgnoreRules> before_, after_;
  std::vector<std::unique_ptr<Level>> levels_;
  std::map<std::string, uint64_t> excluded_;
  std::vector<std::string> warnings_;
};

}  // namespace slipway::deploy
