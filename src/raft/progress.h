// What a leader knows of one peer, and the window of what it has sent without an answer (E103).
// Thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "raft/raft.h"
#include "raft/types.h"

namespace slipway::raft {

// The appends under way to one peer, oldest first: a ring that grows with its use and is kept.
class Inflights {
 public:
  // A message whose last entry is `last`; rising.
  void Add(Index last, uint64_t bytes);
  // The peer holds everything up to `index`.
  void FreeTo(Index index);
  void Clear();

  size_t count() const { return count_; }
  uint64_t bytes() const { return bytes_; }

 private:
  struct Sent {
    Index last = 0;
    uint64_t bytes = 0;
  };
  std::vector<Sent> ring_;  // its size is a power of two
  size_t head_ = 0;
  size_t count_ = 0;
  uint64_t bytes_ = 0;
};

// `match` never falls within a term (E69). In kProbe the place where the logs meet is unknown: one
// message at a time. In kReplicate `next` runs ahead of `match` by what is under way. In kSnapshot
// nothing is sent, the log no longer having what the peer lacks.
struct Progress {
  NodeId id = kNoNode;
  PeerProgress::State state = PeerProgress::State::kProbe;
  Index match = 0;
  Index next = 1;
  Index commit_sent = 0;     // the newest commit index the peer was told
  Index reading = 0;         // first entry of the LogRead under way for it; 0: none
  uint64_t round = 0;        // the newest round it answered
  uint64_t waits_since = 0;  // the round in which what is under way last moved on
  bool learner = false;
  bool active = false;        // heard from since the last check of the quorum
  bool probe_sent = false;    // kProbe: the one message is under way
  bool snapshot_due = false;  // kSnapshot: not yet in a Ready
  bool sleeps = false;        // agreed to hibernate
  Inflights inflights;

  void BecomeProbe(Index next_index);
  void BecomeReplicate();
  void BecomeSnapshot();

  // Whether nothing may be sent now.
  bool Paused(const Options& options) const;

  // The peer holds everything up to `index`, durably. Whether `match` rose.
  bool Acknowledge(Index index);

  // The peer refused an append after `refused`; `resume` <= `refused` is where to try next. Whether
  // the answer was to what is under way now; an older one changes nothing.
  bool Refuse(Index refused, Index resume);
};

}  // namespace slipway::raft
