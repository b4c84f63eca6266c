// Which incarnation of its data each peer had when it was first met: a node whose disk was wiped
// comes back under its old id with another one, and may not speak under it (E123).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "base/status.h"
#include "base/sync/mutex.h"
#include "raft/types.h"

namespace slipway::eraft {

// Thread-safe.
class Incarnations {
 public:
  virtual ~Incarnations() = default;
  // Does not block.
  virtual std::optional<uint64_t> Get(raft::NodeId id) const = 0;
  // Durable after OK; blocks. FailedPrecondition: another one is remembered.
  virtual absl::Status Remember(raft::NodeId id, uint64_t incarnation) = 0;
  // The group has decided that these are the member's data, whatever is remembered. Durable after
  // OK; blocks.
  virtual absl::Status Replace(raft::NodeId id, uint64_t incarnation) = 0;
  // The member was removed: whoever comes under its id next is new. Blocks. An unknown id is OK.
  virtual absl::Status Forget(raft::NodeId id) = 0;
};

// The file PEERS (docs/formats/eraft-peers.md), replaced as a whole by each change.
class PeersFile : public Incarnations {
 public:
  static constexpr char kName[] = "PEERS";
  static constexpr size_t kPeersMax = 1000;

  // Reads it from `dir`, which outlives the result; a file that is not there is empty. Blocks.
  // DataLoss: it is damaged. FailedPrecondition: it is of a newer version.
  static base::Owned<PeersFile> Open(base::Dir& dir);

  std::optional<uint64_t> Get(raft::NodeId id) const override;
  absl::Status Remember(raft::NodeId id, uint64_t incarnation) override;
  absl::Status Replace(raft::NodeId id, uint64_t incarnation) override;
  absl::Status Forget(raft::NodeId id) override;

 private:
  using Map = std::map<raft::NodeId, uint64_t>;
  PeersFile(base::Dir& dir, Map known) : dir_(dir), known_(std::move(known)) {}
  Map Known() const;
  absl::Status Write(Map known) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);

  base::Dir& dir_;
  base::Mutex write_mutex_;  // one change at a time; taken before mutex_
  mutable base::Mutex mutex_;
  Map known_ ABSL_GUARDED_BY(mutex_);
};

std::string EncodePeers(const std::map<raft::NodeId, uint64_t>& known);
// DataLoss for anything EncodePeers did not write; FailedPrecondition for another version.
absl::StatusOr<std::map<raft::NodeId, uint64_t>> DecodePeers(absl::string_view text);

}  // namespace slipway::eraft
