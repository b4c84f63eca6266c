#include "eraft/store/transaction.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/mutant.h"
#include "base/status.h"

namespace slipway::eraft {

ShardStats& Transaction::stats(ShardId shard) {
  touched_[shard] = true;
  return shards_[shard];
}

bool Transaction::Deleted(absl::string_view key) const {
  return std::any_of(deleted_.begin(), deleted_.end(),
                     [&](const KeyRange& range) { return key >= range.begin && key < range.end; });
}

absl::StatusOr<Transaction::Row> Transaction::Get(const std::string& key) const {
  const auto row = rows_.find(key);
  if (row != rows_.end()) return row->second.after;
  if (Deleted(key)) return std::nullopt;
  return engine_.Get(key);
}

void Transaction::Replace(ShardId shard, const std::string& key, Row before, Row after) {
  stats(shard);
  bytes_ += key.size() + (after.has_value() ? after->size() : 0);
  Changed& row = rows_[key];
  if (!row.counted) {
    row.before = std::move(before);
    row.shard = shard;
    row.counted = true;
  }
  row.after = std::move(after);
}

absl::StatusOr<Transaction::Row*> Transaction::Edit(ShardId shard, const std::string& key,
                                                    uint64_t bytes) {
  bytes_ += bytes;
  const auto found = rows_.find(key);
  if (found != rows_.end()) return &found->second.after;
  SLIPWAY_ASSIGN_OR_RETURN(Row before, Get(key));
  Row after = before;
  Replace(shard, key, std::move(before), std::move(after));
  return &rows_[key].after;
}

void Transaction::Set(const std::string& key, Row after) {
  bytes_ += key.size() + (after.has_value() ? after->size() : 0);
  rows_[key].after = std::move(after);
}

void Transaction::DeleteRange(const KeyRange& range) {
  rows_.erase(rows_.lower_bound(range.begin), rows_.lower_bound(range.end));
  deleted_.push_back(range);
}

absl::Status Transaction::Scan(
    const KeyRange& range,
    absl::FunctionRef<bool(absl::string_view, absl::string_view)> visit) const {
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<View> view, engine_.NewView());
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<Iterator> below, view->Scan(range));
  auto over = rows_.lower_bound(range.begin);
  const auto over_end = rows_.lower_bound(range.end);
  while (below->valid() || over != over_end) {
    const bool take_over = over != over_end && (!below->valid() || over->first <= below->key());
    if (take_over) {
      if (below->valid() && below->key() == over->first) below->Next();
      const Row& row = over->second.after;
      if (row.has_value() && !visit(over->first, *row)) return absl::OkStatus();
      ++over;
      continue;
    }
    if (!Deleted(below->key()) && !visit(below->key(), below->value())) return absl::OkStatus();
    below->Next();
  }
  return below->status();
}

Batch Transaction::ToBatch() && {
  Batch batch;
  for (KeyRange& range : deleted_) batch.DeleteRange(std::move(range));
  while (!rows_.empty()) {
    auto node = rows_.extract(rows_.begin());
    const std::string& key = node.key();
    Changed& row = node.mapped();
    if (row.counted) {
      StateDigest& digest = shards_[row.shard].digest;
      if (row.before.has_value()) digest -= DigestOfRow(key, *row.before);
      if (row.after.has_value()) digest += DigestOfRow(key, *row.after);
    }
    if (row.after.has_value()) {
      batch.Put(std::move(node.key()), *std::move(row.after));
    } else {
      batch.Delete(std::move(node.key()));
    }
  }
  for (const auto& [shard, unused] : touched_) {
    const auto stats = shards_.find(shard);
    if (stats == shards_.end()) {
      batch.Delete(ShardMetaKey(group_id_, shard));
    } else {
      batch.Put(ShardMetaKey(group_id_, shard), EncodeShardStats(stats->second));
    }
  }
  if (!SLIPWAY_MUTANT("eraft-applied-apart")) {
    batch.Put(MetaKey(group_id_, kAppliedName), EncodeGroupState(group_));
  }
  return batch;
}

}  // namespace slipway::eraft
