// What a Raft wants done, and in which order. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "raft/message.h"
#include "raft/types.h"

namespace slipway::raft {

// A read that may be answered once `index` is applied: linearizable at the moment of asking (E140).
struct ReadState {
  uint64_t context = 0;
  Index index = 0;
  bool failed = false;  // leadership was lost or unknown, or no answer came: ask again
};

// Entries that memory no longer holds and a slow peer needs: read [first, last] from the log, at
// most `bytes_max` of payload but at least one entry, and hand them to OnEntriesRead (E106). Each
// read is answered, with no entries when it failed; until then the peer gets nothing.
struct LogRead {
  NodeId peer = kNoNode;
  Index first = 0;
  Index last = 0;
  uint64_t bytes_max = 0;
};

// All that the driver has to do. Order: `messages` may go at once; then `hard_state` and `entries`
// are made durable *together*, and OnHardStatePersisted and OnPersisted called; messages in
// `messages_after_persist` leave only then. Committed entries are applied in order, and OnApplied
// called; they are durable here, too. Several Ready may be under way; their writes take effect in
// order, and messages that wait do so for the writes of every earlier Ready, also when their own
// has none.
struct Ready {
  std::optional<HardState> hard_state;  // only when it changed
  std::vector<Entry> entries;           // append; those at or above entries[0].index are replaced
  std::vector<Message> messages;
  std::vector<Message> messages_after_persist;
  std::vector<Entry> committed;
  std::optional<SnapshotMark>
      install;  // replace the state machine by this snapshot, then OnInstalled
  std::vector<NodeId> send_snapshot;  // send these a snapshot and kSnapshot, then OnSnapshotSent
  std::vector<LogRead> reads;
  std::vector<ReadState> read_states;
  bool must_sync = false;  // whether hard_state or entries need a sync before OnPersisted
};

}  // namespace slipway::raft
