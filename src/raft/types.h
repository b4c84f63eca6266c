// The values that a Raft group is made of: entries, durable state, membership. Plain values;
// thread-compatible (a Slice may be shared between threads).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace slipway::raft {

using NodeId = uint64_t;   // within one cluster; kNoNode names none
using GroupId = uint32_t;  // one Raft group among those of a process
using Term = uint64_t;     // 0 before the first election
using Index = uint64_t;    // of the first entry: 1; 0 = before it
inline constexpr NodeId kNoNode = 0;

// Immutable bytes with shared ownership: a payload is read from the wire once and then only passed
// on, to the log, to peers and to the state machine (E106).
class Slice {
 public:
  Slice() = default;
  explicit Slice(base::Bytes bytes)
      : bytes_(std::make_shared<const base::Bytes>(std::move(bytes))), view_(*bytes_) {}
  // The part of what `owner` keeps alive that `view` shows.
  Slice(std::shared_ptr<const base::Bytes> owner, base::BytesView view)
      : bytes_(std::move(owner)), view_(view) {}

  base::BytesView view() const { return view_; }
  size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }
  friend bool operator==(const Slice& a, const Slice& b) { return a.view_ == b.view_; }

 private:
  std::shared_ptr<const base::Bytes> bytes_;
  base::BytesView view_;
};

enum class EntryKind : uint8_t {
  kCommand = 1,     // for the state machine
  kNoop = 2,        // first of a leader's term (E58); payload empty
  kMembership = 3,  // payload: EncodeMembership
};

// One entry of the log. `payload_crc` is the CRC-32C of the payload, computed once where it was
// proposed and checked wherever the bytes cross the disk or the network (E163).
struct Entry {
  Index index = 0;
  Term term = 0;
  EntryKind kind = EntryKind::kCommand;
  uint32_t payload_crc = 0;
  Slice payload;

  friend bool operator==(const Entry& a, const Entry& b) {
    return a.index == b.index && a.term == b.term && a.kind == b.kind &&
           a.payload_crc == b.payload_crc && a.payload == b.payload;
  }
};

// What must be durable before anything that depends on it leaves the node (Raft paper, figure 2).
// `commit` is a hint that spares work after a restart: it may be older than what was committed.
struct HardState {
  Term term = 0;
  NodeId vote = kNoNode;
  Index commit = 0;

  friend bool operator==(const HardState& a, const HardState& b) {
    return a.term == b.term && a.vote == b.vote && a.commit == b.commit;
  }
};

// Who takes part. Lists are sorted and without repetition; `outgoing` is empty except in a joint
// configuration, where majorities of both `voters` and `outgoing` must agree (Raft thesis, 4.3).
struct Membership {
  std::vector<NodeId> voters;
  std::vector<NodeId> outgoing;
  std::vector<NodeId> learners;       // receive the log, never counted (E104)
  std::vector<NodeId> learners_next;  // voters of `outgoing` that become learners after it

  bool joint() const { return !outgoing.empty(); }
  friend bool operator==(const Membership& a, const Membership& b) {
    return a.voters == b.voters && a.outgoing == b.outgoing && a.learners == b.learners &&
           a.learners_next == b.learners_next;
  }
};

// What a snapshot stands for: the state after applying entry `index`. Its content is not the
// protocol's business and travels by a road of its own (E122, E161).
struct SnapshotMark {
  Index index = 0;  // 0: none
  Term term = 0;
  Membership membership;

  friend bool operator==(const SnapshotMark& a, const SnapshotMark& b) {
    return a.index == b.index && a.term == b.term && a.membership == b.membership;
  }
};

// What a node finds on its disk at start, and so what its Raft begins with.
struct Restored {
  HardState hard_state;
  SnapshotMark snapshot;       // the log begins after it
  std::vector<Entry> entries;  // without gaps, first index = snapshot.index + 1
  Index applied = 0;           // durable in the engine; in [snapshot.index, last entry]
};

}  // namespace slipway::raft
