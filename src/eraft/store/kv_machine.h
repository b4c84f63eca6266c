// The replicated key-value state machine of one group: committed entries become changes of the
// engine, in batches, each atomic with the applied index and the sessions (E65, E152), and nothing
// an entry says can make it fail (E71).
//
// Apply from one thread at a time; everything else is thread-safe. All calls but status ones block
// on the engine.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/status.h"
#include "base/sync/mutex.h"
#include "eraft/store/command.h"
#include "eraft/store/engine.h"
#include "eraft/store/sessions.h"
#include "eraft/store/state.h"
#include "raft/types.h"

namespace slipway::eraft {

// What to tell whoever waits for the entry.
struct Outcome {
  raft::Index index = 0;
  Answer answer;
};

// Keys in order with their values, as Scan found them.
struct ScanResult {
  std::vector<std::pair<std::string, std::string>> rows;
  bool more = false;  // a limit ended it, and there is a key behind the last one
};

// O(1), from counters that Apply keeps (E78).
struct KvStatus {
  raft::Index applied = 0;
  raft::Term applied_term = 0;
  uint64_t time_ms = 0;
  uint64_t keys = 0;
  uint64_t bytes = 0;
  uint64_t sessions = 0;
  uint64_t shards = 0;
  // Since the start:
  uint64_t sessions_evicted = 0;
  uint64_t commands_repeated = 0;
  uint64_t commands_invalid = 0;
};

class KvMachine {
 public:
  // `engine` outlives it. `membership`, as raft::EncodeMembership wrote it, is that of a group
  // without any state. DataLoss: the group's meta rows are damaged.
  static base::Owned<KvMachine> Open(Engine& engine, GroupId group, std::string membership);

  // Applies what is above the applied index; what is not above it was applied before a restart and
  // is passed over (E65). One outcome for each command that was applied. FailedPrecondition: an
  // entry is missing in between. DataLoss: a payload does not match its CRC (E163).
  // ResourceExhausted: the engine has no room for them now; come again with the same entries, and
  // more if there are. After any other error the machine is unusable: open a new one.
  absl::StatusOr<std::vector<Outcome>> Apply(absl::Span<const raft::Entry> entries);

  // Of the state that the last Apply left. Nothing: the key is not there.
  absl::StatusOr<std::optional<std::string>> Get(ShardId shard, absl::string_view key);

  // The keys from `begin` on and below `end` (empty: to the end of the shard), of one moment: at
  // most `keys_max`, and no further one once keys and values have reached `bytes_max`. The first
  // comes whatever its size.
  absl::StatusOr<ScanResult> Scan(ShardId shard, absl::string_view begin, absl::string_view end,
                                  uint64_t keys_max, uint64_t bytes_max);

  KvStatus GetStatus() const;
  ShardStats GetShard(ShardId shard) const;
  std::vector<ShardId> Shards() const;  // those with a row, sorted
  std::string membership() const;       // as of the applied index
  GroupId group() const { return group_id_; }

 private:
  KvMachine(Engine& engine, GroupId group, MetaRows rows);
  absl::Status ApplyEntry(Transaction& transaction, const raft::Entry& entry,
                          std::vector<Outcome>& outcomes);
  absl::StatusOr<Answer> ApplyCommand(Transaction& transaction, const raft::Entry& entry);
  absl::StatusOr<AnswerCode> Execute(Transaction& transaction, const Command& command);
  absl::StatusOr<AnswerCode> CompareAndSet(Transaction& transaction, const Command& command);
  absl::Status DeleteShard(Transaction& transaction, ShardId shard);
  absl::StatusOr<std::vector<Outcome>> ApplyNew(absl::Span<const raft::Entry> entries);
  absl::Status Commit(Transaction& transaction);
  absl::Status WriteUnwritten();
  void Publish(const std::map<ShardId, bool>& touched);

  Engine& engine_;
  const GroupId group_id_;
  // What the batch under way has made of the rows; of the thread of Apply.
  GroupState group_;
  std::map<ShardId, ShardStats> shards_;
  std::string new_membership_;
  Sessions sessions_;
  uint64_t invalid_ = 0;
  // What Apply has made and the engine had no room for: it comes before anything else.
  struct Unwritten {
    Batch batch;
    std::map<ShardId, bool> touched;
  };
  std::optional<Unwritten> unwritten_;
  std::vector<Outcome> outcomes_;  // of entries that were passed to an Apply without an end
  absl::Status broken_;

  mutable base::Mutex mutex_;
  KvStatus status_ ABSL_GUARDED_BY(mutex_);
  std::map<ShardId, ShardStats> published_ ABSL_GUARDED_BY(mutex_);
  std::string membership_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::eraft
