#include "eraft/store/row_cache.h"

#include <utility>

#include "base/mutant.h"

namespace slipway::eraft {
namespace {

constexpr uint64_t kRowOverheadBytes = 80;  // the map's, about
constexpr uint64_t kLongRowDivisor = 32;    // of a half

}  // namespace

const std::string* RowCache::Find(absl::string_view key) {
  const auto young = young_.find(key);
  if (young != young_.end()) return &young->second;
  const auto old = old_.find(key);
  if (old == old_.end()) return nullptr;
  std::string row = std::move(old->second);
  old_bytes_ -= key.size() + row.size() + kRowOverheadBytes;
  old_.erase(old);
  return Add(key, std::move(row));
}

const std::string* RowCache::Add(absl::string_view key, std::string row) {
  const uint64_t bytes = key.size() + row.size() + kRowOverheadBytes;
  if (young_bytes_ + bytes > half_bytes_max_) {
    old_ = std::exchange(young_, {});
    old_bytes_ = std::exchange(young_bytes_, 0);
  }
  young_bytes_ += bytes;
  return &young_.insert_or_assign(std::string(key), std::move(row)).first->second;
}

void RowCache::Remove(Rows& rows, uint64_t& bytes, absl::string_view key) {
  const auto found = rows.find(key);
  if (found == rows.end()) return;
  bytes -= key.size() + found->second.size() + kRowOverheadBytes;
  rows.erase(found);
}

void RowCache::Put(absl::string_view key, absl::string_view row) {
  if (key.size() + row.size() > half_bytes_max_ / kLongRowDivisor) return Delete(key);
  Remove(old_, old_bytes_, key);
  const auto young = young_.find(key);
  if (young != young_.end() && row.size() <= young->second.size()) {
    young_bytes_ -= young->second.size() - row.size();
    young->second.assign(row.data(), row.size());
    return;
  }
  if (young != young_.end()) Remove(young_, young_bytes_, key);
  Add(key, std::string(row));
}

void RowCache::Delete(absl::string_view key) {
  if (SLIPWAY_MUTANT("eraft-cache-keeps-deleted")) return;
  Remove(young_, young_bytes_, key);
  Remove(old_, old_bytes_, key);
}

void RowCache::Clear() {
  young_.clear();
  old_.clear();
  young_bytes_ = old_bytes_ = 0;
}

}  // namespace slipway::eraft
