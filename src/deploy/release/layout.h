// Names in a deploy root (D20, spec 6.6) and what every part of the folder needs of it.
// docs/formats/deploy-root.md says what lies where. Thread-safe: free functions.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "base/world.h"
#include "deploy/model/component.h"
#include "deploy/release/deploy_root.h"

namespace slipway::deploy {

inline constexpr int kRootFormat = 1;

inline constexpr char kComponentsDir[] = "components";
inline constexpr char kLinksDir[] = "links";
inline constexpr char kGenerationsDir[] = "generations";
inline constexpr char kActiveLink[] = "active";
inline constexpr char kCurrentName[] = "current";
inline constexpr char kToolDir[] = ".deploy-tool";
inline constexpr char kRootFile[] = ".deploy-tool/root.json";
inline constexpr char kRootLockFile[] = ".deploy-tool/lock";
inline constexpr char kJournalDir[] = ".deploy-tool/journal";
inline constexpr char kStagingDir[] = ".deploy-tool/staging";
inline constexpr char kBadDir[] = ".deploy-tool/bad";
inline constexpr char kStateDir[] = ".deploy-tool/state";
inline constexpr char kHistoryFile[] = ".deploy-tool/history.jsonl";
inline constexpr char kPackageCacheDir[] = ".deploy-tool/cache/packages/sha256";

// Limits (STYLE S16).
inline constexpr uint64_t kSmallFileBytesMax = 16 << 20;  // root.json, state, manifests
inline constexpr uint64_t kIndexFileBytesMax = 1ull << 30;
inline constexpr uint64_t kHistoryBytesMax = 256ull << 20;
inline constexpr size_t kGenerationsKept = 10;

// All relative to the root.
std::string TypeDir(absl::string_view type);                   // components/<type>
std::string VersionDir(const Component& component);            // components/<type>/<version>
std::string CurrentLink(absl::string_view type);               // components/<type>/current
std::string TypeLink(absl::string_view type);                  // links/<type>
std::string TypeLinkTarget(absl::string_view type);            // ../components/<type>/current
std::string GenerationDir(uint64_t number);                    // generations/<n>
std::string GenerationLinkTarget(const Component& component);  // ../../components/<t>/<v>
std::string ManifestPath(
    const Component& component);                    // .deploy-tool/manifests/<t>/<v>.manifest.json
std::string IndexPath(const Component& component);  // .deploy-tool/index/<t>/<v>.files.zst
std::string TypeLockFile(absl::string_view type);   // .deploy-tool/locks/<type>.lock
std::string StagingDir(absl::string_view tx);       // .deploy-tool/staging/<tx>

// Of what the tool makes for itself in a root: as the umask says, and never for everybody to write;
// a journal that anybody may write is not obeyed (D51).
struct Modes {
  uint32_t file = 0644;
  uint32_t dir = 0755;
};
Modes ModesOf(base::World& world);

// What an open root consists of. Immutable after Open; Dir is thread-safe.
struct Root {
  base::World& world;
  std::string path;  // absolute, without symbolic links
  std::string root_id;
  std::unique_ptr<base::Dir> dir;
  RootOptions options;
  std::vector<std::string> warnings;  // of a root that others may change; not when only reading
  Modes modes;
};

// Opens or makes the root as `options.mode` asks; no recovery. Errors as DeployRoot::Open.
absl::StatusOr<Root> OpenRootDir(base::World& world, absl::string_view path,
                                 const RootOptions& options);

// ---- Small tools over base::Dir ----

// Names in a directory, sorted bytewise; none when it is missing.
absl::StatusOr<std::vector<base::DirEntry>> ListSorted(base::Dir& dir, absl::string_view path);
// Its metadata, or nullopt when nothing is there.
absl::StatusOr<std::optional<base::Meta>> StatIfAny(base::Dir& dir, absl::string_view path);
// Syncs the directory `path` beneath `dir`; "" is `dir` itself.
absl::Status SyncDirAt(base::Dir& dir, absl::string_view path);
// Makes the directory and its missing parents, each synced into its parent.
absl::Status MakeDirsDurably(base::Dir& dir, absl::string_view path, uint32_t mode);
// NotFound is OK.
absl::Status RemoveFile(base::Dir& dir, absl::string_view path);

// `status` as an error of the deploy root: one that has an id stays as it is, any other gets the
// context and DT006, DT005 or DT004 by its code, with the advice that fits.
absl::Status RootError(const absl::Status& status, absl::string_view context);

}  // namespace slipway::deploy
