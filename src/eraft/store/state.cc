#include "eraft/store/state.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/digest/blake3.h"
#include "base/digest/sha256.h"
#include "eraft/store/limits.h"
#include "eraft/store/values.h"

namespace slipway::eraft {
namespace {

constexpr size_t kGroupPrefixBytes = 5;  // format and group

template <size_t kCount>
std::string EncodeNumbers(const std::array<uint64_t, kCount>& numbers) {
  std::string out(kCount * 8, '\0');
  for (size_t i = 0; i < kCount; ++i) {
    base::StoreLittle(reinterpret_cast<uint8_t*>(&out[i * 8]), numbers[i]);
  }
  return out;
}

template <size_t kCount>
absl::StatusOr<std::array<uint64_t, kCount>> DecodeNumbers(absl::string_view text,
                                                           absl::string_view what) {
  if (text.size() != kCount * 8) {
    return absl::DataLossError(
        absl::StrCat(what, ": ", text.size(), " bytes instead of ", kCount * 8));
  }
  std::array<uint64_t, kCount> numbers;
  for (size_t i = 0; i < kCount; ++i) {
    numbers[i] = base::LoadLittle<uint64_t>(base::AsBytes(text).data() + i * 8);
  }
  return numbers;
}

bool Same(const ShardStats& a, const ShardStats& b) { return a == b; }

// Adds the rows of one kind to the counters of their shards.
absl::Status Count(const View& view, const KeyRange& range, std::map<ShardId, ShardStats>& shards) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<Iterator> rows, view.Scan(range));
  for (; rows->valid(); rows->Next()) {
    SLIPWAY_ASSIGN_OR_RETURN(const DecodedKey key, DecodeKey(rows->key()));
    ShardStats& stats = shards[key.shard];
    stats.digest += DigestOfRow(rows->key(), rows->value());
    if (key.kind == KeyKind::kSession && !key.is_answer) ++stats.sessions;
    if (key.kind == KeyKind::kShardData) {
      SLIPWAY_ASSIGN_OR_RETURN(const ValueHead head, DecodeValueHead(rows->value()));
      ++stats.keys;
      stats.bytes += key.text.size() + head.total_bytes;
    }
  }
  return rows->status();
}

}  // namespace

StateDigest& StateDigest::operator+=(const StateDigest& other) {
  const uint64_t before = low;
  low += other.low;
  high += other.high + (low < before ? 1 : 0);
  return *this;
}

StateDigest& StateDigest::operator-=(const StateDigest& other) {
  high -= other.high + (low < other.low ? 1 : 0);
  low -= other.low;
  return *this;
}

StateDigest DigestOfRow(absl::string_view key, absl::string_view value) {
  key.remove_prefix(kGroupPrefixBytes);
  std::string row = EncodeNumbers<1>({key.size()});
  absl::StrAppend(&row, key, value);
  const base::Blake3Digest hash = base::Blake3Of(base::AsBytes(row));
  return {base::LoadLittle<uint64_t>(hash.data()), base::LoadLittle<uint64_t>(hash.data() + 8)};
}

std::string EncodeGroupState(const GroupState& state) {
  return EncodeNumbers<6>({state.index, state.term, state.time_ms, state.sessions,
                           state.session_ttl_ms, state.sessions_max});
}

absl::StatusOr<GroupState> DecodeGroupState(absl::string_view text) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto n, DecodeNumbers<6>(text, "the row `applied`"));
  return GroupState{n[0], n[1], n[2], n[3], n[4], n[5]};
}

std::string EncodeShardStats(const ShardStats& stats) {
  return EncodeNumbers<5>(
      {stats.keys, stats.bytes, stats.sessions, stats.digest.low, stats.digest.high});
}

absl::StatusOr<ShardStats> DecodeShardStats(absl::string_view text) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto n, DecodeNumbers<5>(text, "the counters of a shard"));
  return ShardStats{n[0], n[1], n[2], {n[3], n[4]}};
}

absl::StatusOr<MetaRows> ReadMetaRows(const View& view, GroupId group) {
  MetaRows out;
  out.group.session_ttl_ms = kSessionTtlMs;
  out.group.sessions_max = kSessionsMax;
  SLIPWAY_ASSIGN_OR_RETURN(const auto applied, view.Get(MetaKey(group, kAppliedName)));
  if (applied.has_value()) {
    SLIPWAY_ASSIGN_OR_RETURN(out.group, DecodeGroupState(*applied));
  }
  SLIPWAY_ASSIGN_OR_RETURN(auto membership, view.Get(MetaKey(group, kMembershipName)));
  out.membership = std::move(membership).value_or("");
  const KeyRange range = ShardMetaRange(group);
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<Iterator> rows, view.Scan(range));
  for (; rows->valid(); rows->Next()) {
    const absl::string_view number = rows->key().substr(range.begin.size());
    if (number.size() != 4) return absl::DataLossError("a row of counters names no shard");
    ShardId shard = 0;
    for (const char c : number) shard = shard << 8 | static_cast<uint8_t>(c);
    SLIPWAY_ASSIGN_OR_RETURN(out.shards[shard], DecodeShardStats(rows->value()));
  }
  SLIPWAY_RETURN_IF_ERROR(rows->status());
  return out;
}

std::string LogicalDigest(const MetaRows& rows) {
  base::Sha256 hash;
  hash.Update(base::AsBytes(EncodeGroupState(rows.group)));
  hash.Update(base::AsBytes(EncodeNumbers<1>({rows.membership.size()})));
  hash.Update(base::AsBytes(rows.membership));
  for (const auto& [shard, stats] : rows.shards) {
    hash.Update(base::AsBytes(EncodeNumbers<1>({shard})));
    hash.Update(base::AsBytes(EncodeShardStats(stats)));
  }
  return std::string(base::AsText(hash.Finish()));
}

absl::Status VerifyRows(const View& view, GroupId group, const MetaRows& rows) {
  std::map<ShardId, ShardStats> found;
  for (const KeyKind kind : {KeyKind::kShardData, KeyKind::kChunk, KeyKind::kSession}) {
    SLIPWAY_RETURN_IF_ERROR(Count(view, KindRange(group, kind), found));
  }
  uint64_t sessions = 0;
  for (const auto& [shard, stats] : found) {
    const auto expected = rows.shards.find(shard);
    if (expected == rows.shards.end() || !Same(expected->second, stats)) {
      return absl::DataLossError(absl::StrCat("the rows of shard ", shard, " of group ", group,
                                              " do not add up to its counters and digest"));
    }
    sessions += stats.sessions;
  }
  for (const auto& [shard, stats] : rows.shards) {
    if (found.count(shard) == 0 && !Same(stats, ShardStats())) {
      return absl::DataLossError(
          absl::StrCat("shard ", shard, " of group ", group, " has counters and no rows"));
    }
  }
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<Iterator> expiry,
                           view.Scan(KindRange(group, KeyKind::kExpiry)));
  uint64_t expiring = 0;
  for (; expiry->valid(); expiry->Next()) ++expiring;
  SLIPWAY_RETURN_IF_ERROR(expiry->status());
  if (sessions == rows.group.sessions && sessions == expiring) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("group ", group, " has ", sessions, " sessions, but ",
                                          rows.group.sessions, " are counted and ", expiring,
                                          " would expire"));
}

absl::StatusOr<raft::Index> DurableIndex(Engine& engine, GroupId group) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto row, engine.GetDurable(MetaKey(group, kAppliedName)));
  if (!row.has_value()) return raft::Index{0};
  SLIPWAY_ASSIGN_OR_RETURN(const GroupState state, DecodeGroupState(*row));
  return state.index;
}

}  // namespace slipway::eraft
