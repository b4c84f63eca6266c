#include "eraft/store/ordered_map.h"

#include <algorithm>
#include <iterator>

namespace slipway::eraft {
namespace {

using Entries = std::vector<OrderedMap::Entry>;

bool Below(const OrderedMap::Entry& entry, absl::string_view key) { return entry.first < key; }

template <class List>
auto LowerBound(List& entries, absl::string_view key) {
  return std::lower_bound(entries.begin(), entries.end(), key, Below);
}

}  // namespace

// The leaf where `key` is or would be: the last one that begins at or before it, else the first.
size_t OrderedMap::LeafFor(const Spine& spine, absl::string_view key) {
  const auto above = std::upper_bound(
      spine.leaves.begin(), spine.leaves.end(), key,
      [](absl::string_view k, const LeafPtr& leaf) { return k < leaf->entries.front().first; });
  const auto index = static_cast<size_t>(above - spine.leaves.begin());
  return index == 0 ? 0 : index - 1;
}

OrderedMap::Spine& OrderedMap::OwnSpine() {
  if (spine_->age != age_) {
    spine_ = std::make_shared<Spine>(*spine_);
    spine_->age = age_;
  }
  return *spine_;
}

OrderedMap::Leaf& OrderedMap::OwnLeaf(size_t index) {
  LeafPtr& leaf = OwnSpine().leaves[index];
  if (leaf->age != age_) {
    leaf = std::make_shared<Leaf>(*leaf);
    leaf->age = age_;
  }
  return *leaf;
}

void OrderedMap::Split(size_t index) {
  Leaf& leaf = OwnLeaf(index);
  // Keys that come in rising order leave full leaves behind.
  const size_t keep = index + 1 == spine_->leaves.size() ? kLeafEntries : kLeafEntries / 2;
  auto right = std::make_shared<Leaf>();
  right->age = age_;
  const auto middle = leaf.entries.begin() + static_cast<std::ptrdiff_t>(keep);
  right->entries.assign(std::make_move_iterator(middle),
                        std::make_move_iterator(leaf.entries.end()));
  leaf.entries.erase(middle, leaf.entries.end());
  spine_->leaves.insert(spine_->leaves.begin() + static_cast<std::ptrdiff_t>(index) + 1,
                        std::move(right));
}

void OrderedMap::Put(absl::string_view key, absl::string_view value) {
  Spine& spine = OwnSpine();
  if (spine.leaves.empty()) {
    spine.leaves.push_back(std::make_shared<Leaf>());
    spine.leaves.back()->age = age_;
    spine.leaves.back()->entries.emplace_back(std::string(key), std::string(value));
    spine.entries = 1;
    spine.bytes = key.size() + value.size();
    return;
  }
  const size_t index = LeafFor(spine, key);
  Leaf& leaf = OwnLeaf(index);
  const auto at = LowerBound(leaf.entries, key);
  if (at != leaf.entries.end() && at->first == key) {
    spine.bytes += value.size() - at->second.size();
    at->second.assign(value.data(), value.size());
    return;
  }
  leaf.entries.emplace(at, std::string(key), std::string(value));
  ++spine.entries;
  spine.bytes += key.size() + value.size();
  if (leaf.entries.size() > kLeafEntries) Split(index);
}

void OrderedMap::Erase(absl::string_view key) {
  if (Find(key) == nullptr) return;
  // No key lies between `key` and `key` with a zero byte behind it.
  EraseInLeaf(LeafFor(*spine_, key), {std::string(key), std::string(key) + '\0'});
}

void OrderedMap::EraseInLeaf(size_t index, const KeyRange& range) {
  Leaf& leaf = OwnLeaf(index);
  const auto begin = LowerBound(leaf.entries, range.begin);
  const auto end = LowerBound(leaf.entries, range.end);
  for (auto entry = begin; entry != end; ++entry) {
    --spine_->entries;
    spine_->bytes -= entry->first.size() + entry->second.size();
  }
  leaf.entries.erase(begin, end);
  if (leaf.entries.empty()) {
    spine_->leaves.erase(spine_->leaves.begin() + static_cast<std::ptrdiff_t>(index));
  }
}

void OrderedMap::EraseRange(const KeyRange& range) {
  if (range.begin >= range.end || spine_->leaves.empty()) return;
  size_t index = LeafFor(*spine_, range.begin);
  while (index < spine_->leaves.size() &&
         spine_->leaves[index]->entries.front().first < range.end) {
    const size_t before = spine_->leaves.size();
    EraseInLeaf(index, range);
    if (spine_->leaves.size() == before) ++index;
  }
}

const std::string* OrderedMap::Find(absl::string_view key) const {
  return Frozen(spine_).Find(key);
}

OrderedMap::Frozen OrderedMap::Freeze() {
  ++age_;
  return Frozen(spine_);
}

const std::string* OrderedMap::Frozen::Find(absl::string_view key) const {
  const Entry* entry = At(Seek(key));
  return entry != nullptr && entry->first == key ? &entry->second : nullptr;
}

OrderedMap::Frozen::Position OrderedMap::Frozen::Seek(absl::string_view key) const {
  if (spine_->leaves.empty()) return {};
  const size_t leaf = LeafFor(*spine_, key);
  const Entries& entries = spine_->leaves[leaf]->entries;
  const auto entry = static_cast<size_t>(LowerBound(entries, key) - entries.begin());
  return entry < entries.size() ? Position{leaf, entry} : Position{leaf + 1, 0};
}

const OrderedMap::Entry* OrderedMap::Frozen::At(Position position) const {
  if (position.leaf >= spine_->leaves.size()) return nullptr;
  return &spine_->leaves[position.leaf]->entries[position.entry];
}

OrderedMap::Frozen::Position OrderedMap::Frozen::After(Position position) const {
  const size_t entries = spine_->leaves[position.leaf]->entries.size();
  if (position.entry + 1 < entries) return {position.leaf, position.entry + 1};
  return {position.leaf + 1, 0};
}

}  // namespace slipway::eraft
