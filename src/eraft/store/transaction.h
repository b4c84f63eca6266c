// The rows as the commands of one batch see and leave them (E152): what the batch has changed so
// far lies over the engine, and all of it becomes one engine batch at the end, together with the
// counters, the digests and the applied index (E65). Thread-compatible.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "eraft/store/engine.h"
#include "eraft/store/keys.h"
#include "eraft/store/state.h"

namespace slipway::eraft {

class Transaction {
 public:
  using Row = std::optional<std::string>;  // nothing: there is none

  // `group` and `shards` are changed in place; after a Write that failed they are worthless.
  Transaction(Engine& engine, GroupId group_id, GroupState& group,
              std::map<ShardId, ShardStats>& shards)
      : engine_(engine), group_id_(group_id), group_(group), shards_(shards) {}

  GroupId group_id() const { return group_id_; }
  GroupState& group() { return group_; }
  ShardStats& stats(ShardId shard);

  absl::StatusOr<Row> Get(const std::string& key) const;
  // Of a row that belongs to a shard's digest; `before` is what Get tells.
  void Replace(ShardId shard, const std::string& key, Row before, Row after);
  // Such a row, to be changed in place, which costs no copy of it; it grows by about `bytes`. Holds
  // until the next call about the same row, or DeleteRange.
  absl::StatusOr<Row*> Edit(ShardId shard, const std::string& key, uint64_t bytes);
  // Of any other row.
  void Set(const std::string& key, Row after);
  // All rows of the range; digests and counters are the caller's.
  void DeleteRange(const KeyRange& range);
  // Calls `visit` for each row in order, until it says false.
  absl::Status Scan(const KeyRange& range,
                    absl::FunctionRef<bool(absl::string_view, absl::string_view)> visit) const;

  uint64_t bytes() const { return bytes_; }  // of the batch so far, roughly
  // The shards whose counters changed.
  const std::map<ShardId, bool>& touched() const { return touched_; }
  // Brings the digests of the shards up to date, each by what its rows were before the transaction
  // and are now. The end: only touched() may be asked afterwards.
  Batch ToBatch() &&;

 private:
  struct Changed {
    Row before;  // before the transaction; of counted rows only
    Row after;
    ShardId shard = 0;
    bool counted = false;  // in the digest of `shard`
  };
  bool Deleted(absl::string_view key) const;

  Engine& engine_;
  const GroupId group_id_;
  GroupState& group_;
  std::map<ShardId, ShardStats>& shards_;
  std::map<ShardId, bool> touched_;
  std::vector<KeyRange> deleted_;  // happened before all of rows_
  std::map<std::string, Changed> rows_;
  uint64_t bytes_ = 0;
};

}  // namespace slipway::eraft
