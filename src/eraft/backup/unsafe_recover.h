// The last resort for a group that has lost its majority for good (E170): the log of one stopped
// node gets an entry that makes this node the only member. What the lost nodes had and this one has
// not is gone, though it was acknowledged. Whoever else survived joins the new group with an empty
// directory.
//
// Thread-compatible; calls block.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/random.h"
#include "base/status.h"
#include "eraft/backup/offline_log.h"
#include "eraft/node/cluster.h"
#include "eraft/wal/node_files.h"
#include "raft/types.h"

namespace slipway::eraft {

// Audit log of such recoveries, in the data directory.
inline constexpr char kRecoveryAuditName[] = "unsafe-recover.log";

class UnsafeRecovery {
 public:
  struct World {
    base::Files& files;
    base::Clock& clock;
    base::Random& random;
    uint64_t segment_bytes = wal::kSegmentBytesDefault;  // of the log, where it needs another
  };
  // What stands now.
  struct Found {
    wal::Identity identity;
    raft::Term term = 0;       // that the node knows of
    raft::Term last_term = 0;  // of its last entry
    raft::Index commit = 0;    // known to be committed, at least
    raft::Index last = 0;
    raft::Membership members;  // in force at the last entry
    Addresses addresses;
  };

  // Takes the directory's LOCK. Aborted: a process runs on it; NotFound: no node's directory;
  // DataLoss: identity or log are damaged; FailedPrecondition: an install is not finished (start
  // the node once), or the node is no voter. `world` outlives this.
  static base::Owned<UnsafeRecovery> Open(const std::string& directory, const World& world);
  const Found& found() const { return found_; }
  // The others that vote now.
  std::vector<raft::NodeId> lost() const;

  // Rewrites the membership; `actor` goes to the audit log. FailedPrecondition: nobody else votes,
  // so nothing is lost. After an error or a crash it is to be run again; FailedPrecondition says
  // then that nothing was left to do.
  absl::Status Run(const std::string& actor);

 private:
  UnsafeRecovery(std::string path, const World& world) : path_(std::move(path)), world_(world) {}
  absl::Status Look();
  absl::Status BecomeAnother();
  absl::Status WriteLog();
  absl::Status WriteOwnAddress();

  const std::string path_;
  const World world_;
  std::unique_ptr<base::Dir> dir_;
  std::unique_ptr<base::File> lock_;
  std::unique_ptr<OfflineLog> log_;
  Found found_;
};

}  // namespace slipway::eraft
