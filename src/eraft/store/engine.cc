#include "eraft/store/engine.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace slipway::eraft {

absl::string_view EngineKindName(EngineKind kind) {
  switch (kind) {
    case EngineKind::kMemory:
      return "memory";
    case EngineKind::kRocksDb:
      return "rocksdb";
    case EngineKind::kLevelDb:
      return "leveldb";
  }
  return "unknown";
}

absl::StatusOr<EngineKind> ParseEngineKind(absl::string_view name) {
  for (const EngineKind kind : {EngineKind::kMemory, EngineKind::kRocksDb, EngineKind::kLevelDb}) {
    if (EngineKindName(kind) == name) return kind;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("engine '", name, "' is unknown; there are rocksdb, leveldb and memory"));
}

void Batch::Put(std::string key, std::string value) {
  bytes_ += key.size() + value.size();
  changes_.push_back({Kind::kPut, std::move(key), std::move(value)});
}

void Batch::Delete(std::string key) {
  bytes_ += key.size();
  changes_.push_back({Kind::kDelete, std::move(key), ""});
}

void Batch::DeleteRange(KeyRange range) {
  if (range.begin >= range.end) return;
  bytes_ += range.begin.size() + range.end.size();
  changes_.push_back({Kind::kDeleteRange, std::move(range.begin), std::move(range.end)});
}

absl::Status CheckRange(const KeyRange& range) {
  if (!range.end.empty() && range.begin <= range.end) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "scan from '", absl::CHexEscape(range.begin), "' to '", absl::CHexEscape(range.end),
      "': a scan needs an upper bound not below its begin"));
}

}  // namespace slipway::eraft
