// The keys of a node's engine (docs/formats/eraft-keys.md): a byte of format, the group, a byte of
// kind, then fields of fixed width, big-endian, so that the order of bytes is the order of numbers
// and no prefix is the beginning of another one (E66). Thread-safe: free functions.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "eraft/store/engine.h"
#include "raft/types.h"

namespace slipway::eraft {

using raft::GroupId;
using ShardId = uint32_t;
using ClientId = uint64_t;   // 0: a command outside of any session
using CommandId = uint64_t;  // of one client, rising from 0

enum class KeyKind : char {
  kAuth = 'a',       // reserved
  kSession = 'c',    // shard, client: the session; with a command: stored answers from it on
  kChunk = 'd',      // shard, escaped key, chunk: part of a long value (E153)
  kExpiry = 'e',     // time, shard, client: sessions by their last use (E143)
  kMvcc = 'k',       // reserved: escaped key, revision
  kLease = 'l',      // reserved
  kMeta = 'm',       // name
  kRevision = 'r',   // reserved
  kShardData = 's',  // shard, key
};

// Every key of a group; every key of one kind.
KeyRange GroupRange(GroupId group);
KeyRange KindRange(GroupId group, KeyKind kind);

std::string MetaKey(GroupId group, absl::string_view name);
std::string ShardMetaKey(GroupId group, ShardId shard);  // the counters of a shard
KeyRange ShardMetaRange(GroupId group);

std::string DataKey(GroupId group, ShardId shard, absl::string_view key);
std::string ChunkKey(GroupId group, ShardId shard, absl::string_view key, uint32_t chunk);
KeyRange ChunkRange(GroupId group, ShardId shard, absl::string_view key);  // of one value
std::string SessionKey(GroupId group, ShardId shard, ClientId client);
std::string AnswerKey(GroupId group, ShardId shard, ClientId client, CommandId command);
KeyRange AnswerRange(GroupId group, ShardId shard, ClientId client);
std::string ExpiryKey(GroupId group, uint64_t time, ShardId shard, ClientId client);

// The keys of one shard: of kinds kShardData, kChunk and kSession.
KeyRange ShardRange(GroupId group, KeyKind kind, ShardId shard);

// What a key says. Fields that its kind does not have are zero or empty.
struct DecodedKey {
  GroupId group = 0;
  KeyKind kind = KeyKind::kMeta;
  ShardId shard = 0;
  ClientId client = 0;
  CommandId command = 0;
  bool is_answer = false;  // a kSession with a command
  uint32_t chunk = 0;
  uint64_t time = 0;
  std::string text;  // name, user's key, or of a reserved kind all that follows
};
// DataLoss: no function above made it.
absl::StatusOr<DecodedKey> DecodeKey(absl::string_view key);

// A key of any bytes followed by an end mark, such that no escaped key is the beginning of another
// and their order is that of the keys: 00 becomes 00 FF, the end is 00 01.
std::string EscapeKey(absl::string_view key);
// The key at the front of `text`, which is shortened by it. DataLoss: there is none.
absl::StatusOr<std::string> TakeEscapedKey(absl::string_view& text);

}  // namespace slipway::eraft
