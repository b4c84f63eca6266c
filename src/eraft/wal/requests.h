// What the log takes: checks of a request before it is queued, and its parts. What recovery would
// not take must never be written. Thread-safe: free functions.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "eraft/wal/records.h"
#include "raft/types.h"

namespace slipway::eraft::wal {

// InvalidArgument: a gap, or an entry that fills more than a record of `record_bytes_max`.
// DataLoss: a payload that its CRC does not fit.
absl::Status CheckEntries(raft::GroupId group, const std::vector<raft::Entry>& entries,
                          uint64_t record_bytes_max);
// All but the entries. InvalidArgument: beyond limits.h or `record_bytes_max`.
absl::Status CheckRest(const Batch& rest, uint64_t record_bytes_max);

// `batch` as parts that fit into one batch each, but for an entry that fits none, which is a part
// of its own; taken in order they mean the same.
std::vector<Batch> Split(Batch batch, uint64_t record_bytes_max);

}  // namespace slipway::eraft::wal
