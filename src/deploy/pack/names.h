// What names in a package may be (D191, D193). Thread-safe: free functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::deploy {

inline constexpr size_t kNameBytesMax = 255;
inline constexpr size_t kPathBytesMax = 4096;
inline constexpr size_t kDepthMax = 256;  // components of a path
// The tool's own folder; no package may bring one (D191).
inline constexpr absl::string_view kToolFolder = ".deploy-tool";

// `name` for a message: control characters escaped, the middle cut out of a long one.
std::string ShowName(absl::string_view name);

// The path that the raw name of a member stands for, with its empty and "." components taken out
// ("./a//b/" is "a/b", "./" is ""). DT023, naming it: absolute, "..", NUL, empty, too long, too
// deep, beneath the tool's own folder.
absl::StatusOr<std::string> CleanMemberName(absl::string_view raw);

// DT023 unless the symlink `path` -> `target` stays in the tree, by its text alone.
absl::Status CheckSymlink(absl::string_view path, absl::string_view target, bool allow_absolute);

// What the names of a package may take together: they are held in memory, and long ones compress to
// nothing (D192, D262). Packing and extracting keep the same limit. Thread-compatible.
class NameBudget {
 public:
  static constexpr uint64_t kBytesFree = 16 << 20;
  static constexpr uint64_t kBytesPerMember = 256;

  // A member with `bytes` of path and link target; false: beyond the limit.
  bool TakeMember(size_t bytes) {
    limit_bytes_ += kBytesPerMember;
    return TakeImplied(bytes);
  }
  // A directory that no member brings: it earns nothing.
  bool TakeImplied(size_t bytes) {
    used_bytes_ += bytes;
    return used_bytes_ <= limit_bytes_;
  }
  uint64_t limit_bytes() const { return limit_bytes_; }

 private:
  uint64_t used_bytes_ = 0;
  uint64_t limit_bytes_ = kBytesFree;
};

// A key that is equal for names which a file system that folds case or normalises Unicode could
// take for one: letters of Latin, Greek and Cyrillic lower-cased, Latin letters decomposed. For
// warnings.
std::string FoldName(absl::string_view name);

}  // namespace slipway::deploy
