// Packs a directory in one pass: walk, tar, compress, digest, index (D6-D12, D140, D141, D150,
// D151).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/codec/codec.h"
#include "base/sync/cancel.h"
#include "base/world.h"
#include "deploy/model/manifest.h"

namespace slipway::deploy {

// Exclude rules in gitignore syntax; the last match wins (D11).
struct RuleSource {
  std::string origin;              // "defaults", "pack.exclude", "--include", … for messages
  std::vector<std::string> lines;  // a line of an include list is passed with "!" before it
};

struct PackProgress {
  uint64_t bytes = 0;  // read from the source
  uint64_t files = 0;
};

struct PackOptions {
  Component component;
  base::Codec codec = base::Codec::kGzip;
  int level = 6;
  bool compress_all = false;
  std::vector<RuleSource> rules;         // in order; .deployignore files come after "config" rules
  size_t rules_before_ignore_files = 0;  // how many of `rules` stand before .deployignore files
  std::optional<int64_t>
      mtime_epoch_s;            // clamp: mtimes later than this become this (SOURCE_DATE_EPOCH)
  bool mtime_fixed = false;     // all mtimes become mtime_epoch_s
  bool skip_special = false;    // devices, FIFOs, sockets: warn instead of DT018
  bool allow_changing = false;  // a file changed while read: warn instead of DT016
  bool force = false;           // replace a different existing package
  absl::Duration lock_wait = absl::Seconds(30);  // for another packer that is finishing
  bool dry_run = false;                          // list and count only
  std::string tool_version;
  std::string source_path;  // for the manifest
  absl::Time created_at;
  std::vector<Dependency> dependencies;
  std::map<std::string, std::string> labels;
  std::string name, description;
  std::function<void(const PackProgress&)> progress;  // called from the packing thread, may be null
};

struct PackResult {
  Manifest manifest;
  bool unchanged = false;  // the same package was already there
  uint64_t source_bytes = 0;
  uint64_t source_files = 0;
  std::vector<std::string> warnings;
};

// Packs the tree of `source` into `dist` (package, file index, pieces) and writes the manifest into
// `manifests`, in this order, each durable. Nothing stands under a final name unless it is whole,
// and no manifest without its package. The files have mode 0666 without the umask. Errors: DT002,
// 005, 006, 012, 016, 018, 021 (another packer), 026 as D12 says. The calling thread reads and
// writes; compression and hashing run on world.pool.
absl::StatusOr<PackResult> Pack(base::World& world, base::Dir& source, base::Dir& dist,
                                base::Dir& manifests, const PackOptions& options,
                                const base::CancelToken& cancel);

}  // namespace slipway::deploy
