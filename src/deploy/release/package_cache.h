// Packages by their SHA-256: cache/packages/sha256/<aa>/<hex>, and where bad ones are kept
// (D21, D23, D43). Deleting any of it at any time is harmless. Thread-safe: free functions; of two
// transactions that fetch the same package one waits, up to RootOptions::wait_lock, or gets DT021.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "deploy/release/layout.h"
#include "deploy/release/options.h"

namespace slipway::deploy {

struct FetchedPackage {
  std::unique_ptr<base::File> file;  // open, so that it stays readable when the cache is emptied
  bool cache_hit = false;
  std::string source;  // empty: the cache
  uint64_t bytes_fetched = 0;
};

// Whether the cache holds a package of this digest and size, by its name alone.
absl::StatusOr<bool> InCache(const Root& root, const Manifest& manifest);

// The package of `component`: from the cache if it is there and its digest is right - which its
// stamp (size, mtime, ctime, inode, written after a check) says, unless `paranoid` - else from the
// first source that gives the right bytes. Wrong bytes are kept in bad/. DT007: all that answered
// gave wrong bytes; DT010: no source has it; DT004 and others: what the last source said.
absl::StatusOr<FetchedPackage> FetchPackage(const Root& root, const DeployComponent& component,
                                            bool paranoid, const ProgressFn& progress,
                                            std::vector<std::string>& warnings);

// Moves the cached package to bad/<utc>-<source>-<file>, with why in a .json beside it; of each
// component the newest 3 stay, 2 GiB in all. Never fails the caller, who has an error already.
void KeepBadPackage(const Root& root, const Manifest& manifest, absl::string_view source,
                    const absl::Status& why);

}  // namespace slipway::deploy
