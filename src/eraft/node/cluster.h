// What a kvserver's cluster keeps about itself, on disk and in its log: the names of its group and
// shards, the addresses of its members, its id. Thread-safe: constants and free functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "eraft/store/keys.h"
#include "eraft/wal/format.h"
#include "raft/types.h"

namespace slipway::eraft {

inline constexpr GroupId kKvGroup = 1;
inline constexpr ShardId kUserShard = 0;
// What the cluster keeps about itself: keys `member/<id in decimal>`, values addresses.
inline constexpr ShardId kSystemShard = 0xFFFFFFFF;
inline constexpr size_t kMembersMax = 64;

// Of the data directory.
inline constexpr char kLockName[] = "LOCK";
inline constexpr char kMembersName[] = "MEMBERS";
inline constexpr char kPeersName[] = "PEERS";  // whom it has met: docs/formats/eraft-peers.md
inline constexpr uint64_t kMembersBytesMax = 1 << 20;

using Addresses = std::map<raft::NodeId, std::string>;

// "member/7"; and back, kNoNode for anything else. All such keys lie in [kMemberPrefix,
// kMemberEnd).
inline constexpr absl::string_view kMemberPrefix = "member/";
inline constexpr absl::string_view kMemberEnd = "member0";
std::string MemberKey(raft::NodeId id);
raft::NodeId MemberOfKey(absl::string_view key);

// The file MEMBERS: a line "<id> <address>" for each, ascending.
std::string EncodeMembers(const Addresses& members);
absl::StatusOr<Addresses> DecodeMembers(absl::string_view text);  // DataLoss
absl::Status WriteMembers(base::Dir& dir, const Addresses& members);

// Of the text that names a cluster (E123): the first 16 bytes of its SHA-256, or what its 32 hex
// digits say.
wal::ClusterId ClusterIdOf(absl::string_view token);

}  // namespace slipway::eraft
