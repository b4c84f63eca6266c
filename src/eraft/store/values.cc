#include "eraft/store/values.h"

#include <algorithm>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/status.h"
#include "eraft/store/limits.h"

namespace slipway::eraft {
namespace {

constexpr char kPlain = 0;
constexpr char kChunked = 1;
constexpr size_t kChunkedHeadBytes = 13;  // tag, total, chunks

using Row = Transaction::Row;

std::string EncodePlain(absl::string_view value) {
  return absl::StrCat(absl::string_view(&kPlain, 1), value);
}

std::string EncodeChunked(uint64_t total_bytes, uint32_t chunks, absl::string_view tail) {
  std::string out(kChunkedHeadBytes, kChunked);
  auto* bytes = reinterpret_cast<uint8_t*>(out.data());
  base::StoreLittle(bytes + 1, total_bytes);
  base::StoreLittle(bytes + 9, chunks);
  absl::StrAppend(&out, tail);
  return out;
}

// The value of a row; `chunk` gets the chunk of a number.
absl::StatusOr<std::string> Assemble(absl::string_view row,
                                     absl::FunctionRef<absl::StatusOr<Row>(uint32_t)> chunk) {
  SLIPWAY_ASSIGN_OR_RETURN(const ValueHead head, DecodeValueHead(row));
  if (!head.chunked) return std::string(head.tail);
  std::string value;
  value.reserve(std::min<uint64_t>(head.total_bytes, kValueBytesMax));
  for (uint32_t i = 0; i < head.chunks; ++i) {
    SLIPWAY_ASSIGN_OR_RETURN(const Row part, chunk(i));
    if (!part.has_value()) {
      return absl::DataLossError(absl::StrCat("chunk ", i, " of a value is not there"));
    }
    value += *part;
  }
  absl::StrAppend(&value, head.tail);
  if (value.size() == head.total_bytes) return value;
  return absl::DataLossError(
      absl::StrCat("a value of ", head.total_bytes, " bytes has chunks of ", value.size()));
}

// One value while a command changes it.
class Value {
 public:
  Value(Transaction& transaction, ShardId shard, absl::string_view key)
      : transaction_(transaction),
        shard_(shard),
        key_(key),
        data_key_(DataKey(transaction.group_id(), shard, key)) {}

  absl::Status Load() {
    SLIPWAY_ASSIGN_OR_RETURN(before_, transaction_.Get(data_key_));
    if (!before_.has_value()) return absl::OkStatus();
    SLIPWAY_ASSIGN_OR_RETURN(head_, DecodeValueHead(*before_));
    return absl::OkStatus();
  }
  bool there() const { return before_.has_value(); }
  const ValueHead& head() const { return head_; }

  absl::Status DeleteChunks() {
    for (uint32_t i = 0; i < head_.chunks; ++i) {
      const std::string key = ChunkKey(transaction_.group_id(), shard_, key_, i);
      SLIPWAY_ASSIGN_OR_RETURN(const Row chunk, transaction_.Get(key));
      transaction_.Replace(shard_, key, chunk, std::nullopt);
    }
    return absl::OkStatus();
  }
  void AddChunk(uint32_t number, absl::string_view bytes) {
    transaction_.Replace(shard_, ChunkKey(transaction_.group_id(), shard_, key_, number),
                         std::nullopt, std::string(bytes));
  }
  // The row becomes `after`, a value of `total_bytes`.
  void Finish(Row after, uint64_t total_bytes) {
    ShardStats& stats = transaction_.stats(shard_);
    if (before_.has_value()) {
      --stats.keys;
      stats.bytes -= key_.size() + head_.total_bytes;
    }
    if (after.has_value()) {
      ++stats.keys;
      stats.bytes += key_.size() + total_bytes;
    }
    transaction_.Replace(shard_, data_key_, before_, std::move(after));
  }
  // As chunks of what `bytes` has for whole ones, behind `chunks` that are there.
  void FinishChunked(uint64_t total_bytes, uint32_t chunks, absl::string_view bytes) {
    while (bytes.size() >= kTailBytesMax) {
      const absl::string_view chunk = bytes.substr(0, kChunkBytesMax);
      AddChunk(chunks++, chunk);
      bytes.remove_prefix(chunk.size());
    }
    Finish(EncodeChunked(total_bytes, chunks, bytes), total_bytes);
  }

 private:
  Transaction& transaction_;
  const ShardId shard_;
  const absl::string_view key_;
  const std::string data_key_;
  Row before_;
  ValueHead head_;
};

}  // namespace

absl::StatusOr<ValueHead> DecodeValueHead(absl::string_view row) {
  if (!row.empty() && row.front() == kPlain) {
    return ValueHead{.total_bytes = row.size() - 1, .tail = row.substr(1)};
  }
  if (row.size() < kChunkedHeadBytes || row.front() != kChunked) {
    return absl::DataLossError("a row of data is malformed");
  }
  const uint8_t* bytes = base::AsBytes(row).data();
  return ValueHead{.chunked = true,
                   .total_bytes = base::LoadLittle<uint64_t>(bytes + 1),
                   .chunks = base::LoadLittle<uint32_t>(bytes + 9),
                   .tail = row.substr(kChunkedHeadBytes)};
}

absl::StatusOr<std::optional<std::string>> ReadValue(const Transaction& transaction, ShardId shard,
                                                     absl::string_view key) {
  const GroupId group = transaction.group_id();
  SLIPWAY_ASSIGN_OR_RETURN(const Row row, transaction.Get(DataKey(group, shard, key)));
  if (!row.has_value()) return std::nullopt;
  return Assemble(*row,
                  [&](uint32_t i) { return transaction.Get(ChunkKey(group, shard, key, i)); });
}

absl::StatusOr<std::optional<std::string>> ReadValue(const View& view, GroupId group, ShardId shard,
                                                     absl::string_view key) {
  SLIPWAY_ASSIGN_OR_RETURN(const Row row, view.Get(DataKey(group, shard, key)));
  if (!row.has_value()) return std::nullopt;
  return Assemble(*row, [&](uint32_t i) { return view.Get(ChunkKey(group, shard, key, i)); });
}

absl::Status PutValue(Transaction& transaction, ShardId shard, absl::string_view key,
                      absl::string_view value) {
  Value stored(transaction, shard, key);
  SLIPWAY_RETURN_IF_ERROR(stored.Load());
  SLIPWAY_RETURN_IF_ERROR(stored.DeleteChunks());
  if (value.size() <= kPlainBytesMax) {
    stored.Finish(EncodePlain(value), value.size());
  } else {
    stored.FinishChunked(value.size(), 0, value);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> DeleteValue(Transaction& transaction, ShardId shard, absl::string_view key) {
  Value stored(transaction, shard, key);
  SLIPWAY_RETURN_IF_ERROR(stored.Load());
  if (!stored.there()) return false;
  SLIPWAY_RETURN_IF_ERROR(stored.DeleteChunks());
  stored.Finish(std::nullopt, 0);
  return true;
}

absl::StatusOr<bool> AppendValue(Transaction& transaction, ShardId shard, absl::string_view key,
                                 absl::string_view more) {
  Value stored(transaction, shard, key);
  SLIPWAY_RETURN_IF_ERROR(stored.Load());
  const ValueHead& head = stored.head();
  const uint64_t total = head.total_bytes + more.size();
  if (total > kValueBytesMax) return false;
  // What is plain becomes chunks as soon as it is too much to be written again and again.
  const std::string bytes = absl::StrCat(head.tail, more);
  if (!head.chunked && total <= kTailBytesMax) {
    stored.Finish(EncodePlain(bytes), total);
  } else {
    stored.FinishChunked(total, head.chunks, bytes);
  }
  return true;
}

}  // namespace slipway::eraft
