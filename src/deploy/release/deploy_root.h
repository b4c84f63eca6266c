// The deploy root: versions of components side by side, links that switch in one rename, and a
// journal that makes every change all or nothing (D20-D37, D173-D178; docs/formats/deploy-root.md).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/status.h"
#include "base/sync/cancel.h"
#include "base/world.h"
#include "deploy/pack/extractor.h"
#include "deploy/release/options.h"
#include "deploy/release/results.h"

namespace slipway::deploy {

enum class OpenMode : uint8_t {
  kCreate,  // make the root if it is missing, then as kMutate
  kMutate,  // must exist; transactions that crashed are finished or undone first
  kRead,    // must exist; nothing is written, no lock is taken
};

struct RootOptions {
  OpenMode mode = OpenMode::kRead;
  std::string command;  // what others see when they find the root locked: "deploy model:1.0.0"
  absl::Duration wait_lock = absl::ZeroDuration();  // how long to wait for a lock before DT021
  base::CancelToken cancel;  // ends waits and transactions; a cancelled transaction is undone
};

// Whether the failed operation had already changed the root and undid it: exit code 12 (D27).
bool WasRolledBack(const absl::Status& status);

// Thread-safe; one object for one command. All calls block. Besides their own errors all changing
// calls return DT021 (locked, with the holder), DT015 (a crashed transaction cannot be recovered),
// DT025 (a newer tool left it), DT005, DT006 and DT026; after any error the root is as it was
// before, unless DT015 says otherwise.
class DeployRoot {
 public:
  // DT002: no such directory, or no deploy root (kMutate, kRead). DT025: a newer format. `world` is
  // borrowed. The recovery that a mutating open made is in recovery().
  static base::Owned<DeployRoot> Open(base::World& world, absl::string_view path,
                                      const RootOptions& options);
  ~DeployRoot();

  const std::string& path() const;  // absolute, without symbolic links
  const std::string& root_id() const;
  const Recovery& recovery() const;  // of Open
  // Of a root that others than its user may change; none where it was opened to read.
  const std::vector<std::string>& warnings() const;

  // Installs all components and switches to them, in one transaction (D28). Nothing is fetched for
  // what is installed and intact; nothing is written when it is also current. Components of one
  // type twice: DT014. DT012: installed with other content (see force), or something that is no
  // link lies where a link goes. DT007, DT023: the package; the file is kept in .deploy-tool/bad.
  // DT004, DT010: no source has it.
  absl::StatusOr<ChangeResult> Deploy(std::vector<DeployComponent> components,
                                      const DeployOptions& options);

  // Makes the installed `version` current. DT010: not installed, with the nearest ones; DT007: it
  // is not intact.
  absl::StatusOr<ChangeResult> Switch(absl::string_view type, absl::string_view version,
                                      const ChangeOptions& options);

  // Back to the version of `type` that was active before, by history, skipping what is bad or gone;
  // twice goes back twice (D174). DT010: there is none.
  absl::StatusOr<ChangeResult> Rollback(absl::string_view type, const RollbackOptions& options);
  // The whole root back to the generation before the active one, or to `generation`. Types that the
  // generation does not know keep their version, with a warning. DT010: none, or incomplete.
  absl::StatusOr<ChangeResult> RollbackGeneration(std::optional<uint64_t> generation,
                                                  const RollbackOptions& options);

  // Finishes or undoes what crashed (D178). Idempotent: a second call finds nothing.
  absl::StatusOr<Recovery> Recover();

  // ---- Reading: no lock; a change under way is seen before or after each of its steps ----
  absl::StatusOr<std::vector<std::string>> Types();
  // Highest precedence first. DT010: nothing of this type is installed.
  absl::StatusOr<std::vector<VersionInfo>> ListVersions(absl::string_view type);
  absl::StatusOr<std::optional<std::string>> CurrentVersion(absl::string_view type);
  absl::StatusOr<Manifest> InstalledManifest(const Component& component);  // DT010
  absl::StatusOr<std::vector<Generation>> Generations();                   // newest first
  // Newest first; `type` empty: all.
  absl::StatusOr<std::vector<HistoryEntry>> History(absl::string_view type, size_t limit);
  absl::StatusOr<RootStatus> Status();

  // How the installed version differs from its file index; empty: intact. DT010: not installed;
  // DT007: it has no usable index.
  absl::StatusOr<std::vector<Drift>> VerifyVersion(const Component& component,
                                                   const VerifyOptions& options);
  absl::StatusOr<std::vector<LinkInfo>> ListLinks(const LinkOptions& options);
  // ListLinks without those that are ok. `deep`: also current links, in state ok, whose version
  // differs from its file index; `detail` says how.
  absl::StatusOr<std::vector<LinkInfo>> VerifyLinks(const LinkOptions& options, bool deep);
  // Puts wrong, missing and dangling links right, in one transaction (D37).
  absl::StatusOr<RepairResult> RepairLinks(const ChangeOptions& options);

 private:
  class Impl;
  explicit DeployRoot(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::deploy
