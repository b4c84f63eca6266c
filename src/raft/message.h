// What the members of a group say to each other. Plain values; thread-compatible. The encoding for
// the network is eraft's business; this folder knows no bytes.
#pragma once

#include <optional>
#include <vector>

#include "raft/types.h"

namespace slipway::raft {

enum class MessageKind : uint8_t {
  kPreVote = 1,   // would you vote for me? (thesis 9.6); as kVote; `term`: the term it would be
  kPreVoteReply,  // `reject`; `term`: of the request when granted, else the voter's own
  kVote,          // `log_index`, `log_term`: the candidate's last entry; `forced`: transfer
  kVoteReply,     // `reject`
  kAppend,        // `entries` after (`log_index`, `log_term`); `commit`; `round`
  kAppendReply,   // `log_index`: match; or `reject`: the conflict (E59), `context`: the
                  // `log_index` refused; `round`
  kHeartbeat,     // `commit` <= what the receiver is known to hold; `round`; `forced`: let us sleep
  kHeartbeatReply,  // `round`; `forced`: I sleep (E108)
  kSnapshot,       // the content of `snapshot` has come, by its own road: made by the driver of the
                   // leader, given to Step by that of the receiver
  kSnapshotReply,  // `log_index`: last index held now; `reject`: not installed
  kReadIndex,      // a follower asks for a read point; `context`
  kReadIndexReply,  // `log_index`: the read point; `reject`: not the leader, ask again; `context`
  kTimeoutNow,      // take over at once (thesis 3.10)
};

struct Message {
  MessageKind kind = MessageKind::kHeartbeat;
  NodeId from = kNoNode;
  NodeId to = kNoNode;
  Term term = 0;

  Index log_index = 0;
  Term log_term = 0;
  Index commit = 0;
  bool reject = false;
  bool forced = false;                // a vote that a transfer asked for: heeds no lease; or E108
  std::optional<Term> conflict_term;  // absent: the log ends before the place asked for
  uint64_t round = 0;                 // which quorum round of the leader this belongs to (E140)
  uint64_t context = 0;               // names a read between its asker and its answer
  SnapshotMark snapshot;
  std::vector<Entry> entries;
};

}  // namespace slipway::raft
