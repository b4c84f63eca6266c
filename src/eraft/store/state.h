// What a group keeps beside its data, as rows of kind kMeta (docs/formats/eraft-keys.md): how far
// the log is applied, and the counters and digest of each shard. Thread-safe: free functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "eraft/store/engine.h"
#include "eraft/store/keys.h"
#include "raft/types.h"

namespace slipway::eraft {

inline constexpr char kAppliedName[] = "applied";        // GroupState
inline constexpr char kMembershipName[] = "membership";  // as raft::EncodeMembership wrote it

// The sum of the hashes of all rows, modulo 2^128: the same in whatever order rows came and went
// (E134). A sum tells damage and divergence, not an adversary.
struct StateDigest {
  uint64_t low = 0;
  uint64_t high = 0;
  StateDigest& operator+=(const StateDigest& other);
  StateDigest& operator-=(const StateDigest& other);
  friend bool operator==(const StateDigest&, const StateDigest&) = default;
};

// Of one row; the group is no part of it, so that a shard that moves keeps its digest.
StateDigest DigestOfRow(absl::string_view key, absl::string_view value);

// Of the rows of kinds kShardData, kChunk and kSession of one shard.
struct ShardStats {
  uint64_t keys = 0;
  uint64_t bytes = 0;  // of users' keys and values
  uint64_t sessions = 0;
  StateDigest digest;
  friend bool operator==(const ShardStats&, const ShardStats&) = default;
};

struct GroupState {
  raft::Index index = 0;  // the last entry whose effect the rows show (E65)
  raft::Term term = 0;    // of that entry
  uint64_t time_ms = 0;   // replicated time, never falling (E143)
  uint64_t sessions = 0;
  uint64_t session_ttl_ms = 0;
  uint64_t sessions_max = 0;
  friend bool operator==(const GroupState&, const GroupState&) = default;
};

std::string EncodeGroupState(const GroupState& state);
absl::StatusOr<GroupState> DecodeGroupState(absl::string_view text);  // DataLoss
std::string EncodeShardStats(const ShardStats& stats);
absl::StatusOr<ShardStats> DecodeShardStats(absl::string_view text);  // DataLoss

// All that the meta rows of a group say; a group without any is as a new one.
struct MetaRows {
  GroupState group;
  std::map<ShardId, ShardStats> shards;
  std::string membership;
};
absl::StatusOr<MetaRows> ReadMetaRows(const View& view, GroupId group);

// One hash over the meta rows, and so over the state: equal on replicas that are equal. 32 bytes.
std::string LogicalDigest(const MetaRows& rows);

// Reads every row of the group and holds it against the counters and digests of the meta rows.
// DataLoss: they differ, or a row is malformed; says which shard.
absl::Status VerifyRows(const View& view, GroupId group, const MetaRows& rows);

// The applied index that a power loss would leave: the log must be kept above it (E151).
absl::StatusOr<raft::Index> DurableIndex(Engine& engine, GroupId group);

}  // namespace slipway::eraft
