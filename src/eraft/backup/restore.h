// Makes data directories of a new cluster out of a backup (E194): another cluster id, other
// members, the same keys and values. Every member gets the same state, so that they agree from the
// start.
//
// Thread-safe: free functions. All calls block on disk.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/random.h"
#include "eraft/backup/backup.h"
#include "eraft/store/engine.h"
#include "eraft/store/state.h"

namespace slipway::eraft {

// Opens engines beneath `dir`, whose absolute path is `path`.
using HomeMaker = std::function<std::unique_ptr<EngineHome>(EngineKind kind, base::Dir& dir,
                                                            const std::string& path)>;
// With the engines' usual options.
std::unique_ptr<EngineHome> DefaultHome(EngineKind kind, base::Dir& dir, const std::string& path);

struct RestoreWorld {
  base::Files& files;
  base::Clock& clock;
  base::Random& random;
  HomeMaker home = DefaultHome;
};

struct RestoreOptions {
  std::string out;  // the directory of member i is `out`_i, as kvserver's --db has it
  std::vector<std::string> members;  // host:port in order; node id = 1 + place
  std::optional<size_t> only;        // the place of one of them; absent: all
  std::string token;                 // names the new cluster; empty: a name is derived
};

struct Restored {
  std::string directory;
  raft::NodeId node = raft::kNoNode;
};
struct RestoreReport {
  BackupManifest backup;
  wal::ClusterId cluster{};  // the new one
  std::vector<Restored> nodes;
  uint64_t keys = 0;   // of clients
  StateDigest digest;  // DigestOfData
};

// The id that the new cluster gets: by its token, else by backup and members, so that each member
// may be restored on its own machine. FailedPrecondition: the token names the cluster that the
// backup is of, whose nodes would take the new ones for their own.
absl::StatusOr<wal::ClusterId> RestoredCluster(const BackupManifest& backup,
                                               const RestoreOptions& options);

// Nothing is at a target, or a whole directory, wherever a crash comes; with several targets, none
// is there before all can be. AlreadyExists: a target is there and not empty; DataLoss: the backup
// is damaged, naming the file; FailedPrecondition: a newer format, RestoredCluster;
// InvalidArgument: the options.
absl::StatusOr<RestoreReport> Restore(base::Dir& backup, const RestoreWorld& world,
                                      const RestoreOptions& options);

// Of the rows of clients' keys and values, without sessions, which a cluster ends by itself as time
// goes by.
absl::StatusOr<StateDigest> DigestOfData(const View& view, GroupId group);

// Reads the engine of a data directory that nobody uses: every row is held against its counters.
// DataLoss; errors of EngineHome::Open.
struct DataSummary {
  uint64_t keys = 0;
  StateDigest digest;
};
absl::StatusOr<DataSummary> SummarizeData(const RestoreWorld& world, const std::string& directory,
                                          EngineKind kind);

}  // namespace slipway::eraft
