// All links of one node: what PeerTransport does, without gRPC. Thread-safe.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/bytes.h"
#include "base/loop.h"
#include "base/metrics/metrics.h"
#include "base/sync/mutex.h"
#include "base/transport.h"
#include "eraft/transport/link/inbox.h"
#include "eraft/transport/link/outgoing.h"

namespace slipway::eraft::link {

// What is borrowed outlives Stop; `loop` outlives its tasks.
class Hub final : public std::enable_shared_from_this<Hub> {
 public:
  struct Peer {
    raft::NodeId id = raft::kNoNode;
    LaneStatus messages, snapshots;
    Inbox::Seen seen;
  };

  Hub(std::shared_ptr<const LinkWorld> world, base::Loop& loop, base::Metrics& metrics);
  // Starts the timer; once.
  void Start();

  // As base::Transport's.
  absl::Status Send(raft::NodeId peer, base::FrameClass frame_class, base::Bytes frame);
  // As PeerTransport's.
  void SetPeers(std::map<raft::NodeId, std::string> peers);
  void SetData(const std::map<raft::NodeId, uint64_t>& incarnations);
  std::vector<Peer> Status() const;
  void AnnounceLeaving();
  void SetGuests(bool welcome, raft::NodeId keep);
  void Stop();

  const std::shared_ptr<Inbox>& inbox() const { return inbox_; }

 private:
  struct Links {
    PeerMetrics* metrics = nullptr;
    std::array<std::shared_ptr<Outgoing>, kLanes> lanes;
    bool guest = false;
  };
  Links MakeLinks(raft::NodeId id, const std::string& address, PeerMetrics& metrics, bool guest);
  bool TakeGuest(const Hello& hello);
  void ArmTimer();
  void Tick();
  PeerMetrics& MetricsOf(raft::NodeId peer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(raft::NodeId peer);
  bool IsPeer(raft::NodeId peer) const;
  void TakeData(raft::NodeId peer, uint64_t incarnation);

  const std::shared_ptr<const LinkWorld> world_;
  const std::shared_ptr<Inbox> inbox_;
  base::Loop& loop_;
  base::Metrics& registry_;

  base::Mutex change_mutex_;  // of SetPeers and Stop; before mutex_
  mutable base::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool welcome_ ABSL_GUARDED_BY(mutex_) = false;                 // guests are
  std::map<raft::NodeId, Links> peers_ ABSL_GUARDED_BY(mutex_);  // guests, too
  // Of all that ever were peers: their streams may be at work.
  std::map<raft::NodeId, std::unique_ptr<PeerMetrics>> metrics_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::eraft::link
