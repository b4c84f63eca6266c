// The leader's side of a snapshot on its way to a peer (E161): an offer, then parts, a window of
// them at a time, sent again when the peer is silent. On the loop; jobs read the disk and encode.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "eraft/node/codec.h"
#include "eraft/store/snapshot.h"
#include "eraft/store/snapshot_stream.h"
#include "raft/types.h"

namespace slipway::eraft {

class Group;

// Group::OnSenderDone is called once, from Tick, OnAnswer or a job's end; nothing comes after it.
class SnapshotSender {
 public:
  SnapshotSender(Group& group, raft::NodeId peer) : group_(group), peer_(peer) {}
  ~SnapshotSender();

  // Begins if the node has room for one more transfer and there is a snapshot; again each tick,
  // until the peer needs none or this node does not lead.
  void Tick();
  void OnAnswer(const SnapshotAnswer& answer);
  const std::optional<SnapshotName>& name() const { return name_; }
  bool done() const { return state_ == State::kDone; }
  // It failed, and perhaps because the snapshot is damaged on this disk.
  bool suspect() const { return suspect_; }

 private:
  enum class State : uint8_t { kQueued, kOpening, kOffered, kSending, kDone };
  struct Opened {
    std::shared_ptr<SnapshotReader> reader;
    Manifest manifest;
  };
  // What a job has read: chunks, and each as the frame that carries it.
  struct Read {
    absl::Status status;
    std::vector<raft::Slice> chunks;
    std::vector<base::Bytes> frames;
    bool at_end = false;
  };
  void Start();
  void OnOpened(absl::StatusOr<Opened> opened);
  void Rename();
  void Offer();
  void Wait();
  void Begin(uint64_t file);
  void OnTaken(uint64_t next);
  void Fill();
  void FillAfter(absl::Duration wait);
  void OnRead(uint64_t transfer, Read read);
  void SendPart(size_t at);
  void Resend();
  void Finish(bool ok);
  bool Wanted() const;
  absl::Duration Silence() const;

  Group& group_;
  const raft::NodeId peer_;
  // Jobs of a sender that is gone come to nothing.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  State state_ = State::kQueued;
  std::optional<SnapshotName> name_;
  std::shared_ptr<SnapshotReader> reader_;  // of one job at a time
  SnapshotOffer offer_;
  bool reading_ = false;
  bool waits_ = false;  // for the rate
  bool at_end_ = false;
  uint64_t read_parts_ = 1;        // by the next job
  std::optional<uint64_t> seek_;   // file to begin with
  std::deque<raft::Slice> parts_;  // sent and not taken, from number first_ on
  uint64_t first_ = 0;
  int attempts_ = 0;
  bool suspect_ = false;
  absl::Duration heard_;                              // when the peer last moved on
  absl::Duration sent_;                               // when something was last sent
  absl::Duration not_before_;                         // by the rate
  absl::Duration again_ = -absl::InfiniteDuration();  // queued until then: the peer was busy
};

}  // namespace slipway::eraft
