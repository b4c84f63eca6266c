// How users' values lie in rows: short ones in one, long ones in chunks with a tail that is open,
// so that n appends cost as much as the bytes they append, not their square (E153). Thread-safe:
// free functions; a Transaction belongs to one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "eraft/store/engine.h"
#include "eraft/store/keys.h"
#include "eraft/store/transaction.h"

namespace slipway::eraft {

// The row at DataKey: either all of the value, or its length, the number of chunks before the tail,
// and the tail.
struct ValueHead {
  bool chunked = false;
  uint64_t total_bytes = 0;
  uint32_t chunks = 0;
  absl::string_view tail;  // in the row
};
absl::StatusOr<ValueHead> DecodeValueHead(absl::string_view row);  // DataLoss

// Each keeps the counters and the digest of the shard. Errors of the engine, and DataLoss.
absl::StatusOr<std::optional<std::string>> ReadValue(const Transaction& transaction, ShardId shard,
                                                     absl::string_view key);
absl::Status PutValue(Transaction& transaction, ShardId shard, absl::string_view key,
                      absl::string_view value);
absl::StatusOr<bool> DeleteValue(Transaction& transaction, ShardId shard,
                                 absl::string_view key);  // false: not there
// False: the value would exceed kValueBytesMax; nothing changed.
absl::StatusOr<bool> AppendValue(Transaction& transaction, ShardId shard, absl::string_view key,
                                 absl::string_view more);

// Of a state that does not change, without a transaction.
absl::StatusOr<std::optional<std::string>> ReadValue(const View& view, GroupId group, ShardId shard,
                                                     absl::string_view key);

}  // namespace slipway::eraft
