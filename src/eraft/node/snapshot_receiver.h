// The follower's side of a snapshot on its way (E161): takes one at a time for its group, part by
// part, in order; what came early waits a little. On the loop; the disk is written by jobs.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "eraft/node/codec.h"
#include "eraft/store/snapshot_stream.h"
#include "raft/types.h"

namespace slipway::eraft {

class Group;

class SnapshotReceiver {
 public:
  explicit SnapshotReceiver(Group& group) : group_(group) {}
  ~SnapshotReceiver();

  void OnOffer(raft::NodeId peer, SnapshotOffer offer);
  void OnPart(raft::NodeId peer, const SnapshotPart& part);
  void Tick();
  // Why the last snapshot that could not be taken or installed could not; empty: none is needed.
  std::string error() const;
  // That of entry `index` came whole, and cannot be installed.
  void NoteError(raft::Index index, const absl::Status& why);

 private:
  struct Transfer {
    raft::NodeId peer = raft::kNoNode;
    SnapshotOffer offer;
    std::shared_ptr<SnapshotWriter> writer;  // of one job at a time; null: being opened
    uint64_t first_file = 0;
    uint64_t next = 0;  // part
    std::map<uint64_t, raft::Slice> early;
    bool busy = false;  // a job runs
    absl::Duration heard;
  };
  struct Opened {
    std::shared_ptr<SnapshotWriter> writer;
    bool whole = false;
    Manifest manifest;
  };
  struct Added {
    absl::Status status;
    bool whole = false;
    Manifest manifest;
  };
  bool AnswerAtOnce(raft::NodeId peer, const SnapshotOffer& offer);
  void Open();
  void OnOpened(absl::StatusOr<Opened> opened);
  void Take();
  void OnAdded(uint64_t count, const Added& added);
  void Finish(const Manifest& manifest);
  void Drop(bool failed);
  void Reply(raft::NodeId peer, uint64_t transfer, SnapshotReply reply, uint64_t next = 0);

  Group& group_;
  std::string error_;  // of the offer of the snapshot at error_at_
  raft::Index error_at_ = 0;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unique_ptr<Transfer> transfer_;
};

}  // namespace slipway::eraft
