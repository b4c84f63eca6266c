// Replaces the engine's directory by a snapshot, so that after a crash at any step the old or the
// new state is there, whole (E162, E67): kv.new is built, verified and synced, the intent goes to
// the log, kv.new becomes kv. Recovery completes what has an intent and discards what has none.
//
// The engine's directory holds one group. Where several groups share an engine, the state of the
// others would go with the directory: InvalidArgument.
//
// Not thread-safe: one install at a time for a data directory. Blocks.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/digest/sha256.h"
#include "base/files.h"
#include "eraft/store/engine.h"
#include "eraft/store/snapshot.h"

namespace slipway::eraft {

inline constexpr char kEngineDir[] = "kv";
inline constexpr char kNewEngineDir[] = "kv.new";
inline constexpr char kOldEngineDir[] = "kv.old";

// What the log's records of type 5 (intent) and 6 (done) say (6.5).
struct InstallIntent {
  SnapshotName name;
  base::Sha256Digest manifest{};  // SHA-256 of the bytes of MANIFEST
  friend bool operator==(const InstallIntent&, const InstallIntent&) = default;
};

class InstallJournal {
 public:
  virtual ~InstallJournal() = default;
  // Durable after OK. A Begin without an End is what RecoverInstall is told at the next start.
  virtual absl::Status Begin(const InstallIntent& intent) = 0;
  virtual absl::Status End(const InstallIntent& intent) = 0;
};

// Builds and verifies kv.new from a snapshot; the engine serves on meanwhile. DataLoss: the
// snapshot is damaged. FailedPrecondition: it is of another engine.
absl::StatusOr<InstallIntent> PrepareInstall(base::Dir& root, EngineHome& home,
                                             const SnapshotName& name);

// kv.new becomes kv; the engine must be closed. After OK the new state is there for good. After an
// error the outcome is open until RecoverInstall has run.
absl::Status CommitInstall(base::Dir& root, const InstallIntent& intent, InstallJournal& journal);

// At start, before the engine is opened: completes the install of `open` (a Begin without an End),
// or removes what is left of one that never began. DataLoss: neither state is there.
absl::Status RecoverInstall(base::Dir& root, const std::optional<InstallIntent>& open,
                            InstallJournal& journal);

}  // namespace slipway::eraft
