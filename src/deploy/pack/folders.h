// Directory handles by path while a tree is written or read in order, and the errors of doing so.
// Thread-compatible; the handles it gives out may be used by jobs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "base/sync/cancel.h"

namespace slipway::deploy {

// Where `name` stands: a handle is faster than a long path, and knows no limit of a path's length.
struct Place {
  std::shared_ptr<base::Dir> dir;
  std::string name;
};

// Keeps the handles of one branch open, at most one for each level.
class FolderCache {
 public:
  explicit FolderCache(base::Dir& root);
  base::Dir& root() { return *root_; }
  // The place of `path`, whose parent must exist.
  absl::StatusOr<Place> Find(absl::string_view path);

 private:
  struct Level {
    std::string path;
    std::shared_ptr<base::Dir> dir;
  };
  std::shared_ptr<base::Dir> root_;  // not owned
  std::vector<Level> branch_;        // each within the one before
};

// OK, DT026 or DT027 ("`what`: cancelled: SIGINT").
absl::Status CheckCancelled(const base::CancelToken& cancel, absl::string_view what);

// An error of making or changing the member `path`: DT023 when its name is taken, which in an empty
// directory only a file system that folds names can bring about; else by its kind (DT005, DT006 …).
absl::Status CreationError(const absl::Status& status, absl::string_view path);

// An error of reading `path` of a source tree: DT005, DT002, DT006 (descriptors), else DT016.
absl::Status ReadingError(const absl::Status& status, absl::string_view what,
                          absl::string_view path);

}  // namespace slipway::deploy
