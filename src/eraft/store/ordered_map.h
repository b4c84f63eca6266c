// An ordered map of bytes to bytes whose copies are cheap: sorted leaves of up to kLeafEntries
// entries, which a copy shares until one of the two changes them. For the memory engine, whose
// views and durable image are such copies. Deterministic: what it does depends on the calls alone.
//
// Thread-compatible; a Frozen copy may be read by any thread while the map changes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "eraft/store/engine.h"

namespace slipway::eraft {

class OrderedMap {
 public:
  using Entry = std::pair<std::string, std::string>;
  static constexpr size_t kLeafEntries = 64;

 private:
  // A leaf or a spine belongs to the map, and may be changed in place, as long as no Freeze came
  // after it was made: its `age` tells. (The count of a shared_ptr would not do: a reader on
  // another thread that drops its last one is not ordered before the writer that looks.)
  struct Leaf {
    uint64_t age = 0;
    std::vector<Entry> entries;  // sorted, never empty
  };
  using LeafPtr = std::shared_ptr<Leaf>;
  struct Spine {
    uint64_t age = 0;
    std::vector<LeafPtr> leaves;
    uint64_t entries = 0;
    uint64_t bytes = 0;
  };

 public:
  // A state that does not change.
  class Frozen {
   public:
    struct Position {
      size_t leaf = 0;
      size_t entry = 0;
    };
    const std::string* Find(absl::string_view key) const;  // nullptr: absent
    Position Seek(absl::string_view key) const;
    const Entry* At(Position position) const;  // nullptr: at the end
    Position After(Position position) const;
    uint64_t size() const { return spine_->entries; }
    uint64_t bytes() const { return spine_->bytes; }

   private:
    friend class OrderedMap;
    explicit Frozen(std::shared_ptr<const Spine> spine) : spine_(std::move(spine)) {}
    std::shared_ptr<const Spine> spine_;
  };

  OrderedMap() : spine_(std::make_shared<Spine>()) {}
  OrderedMap(const OrderedMap&) = delete;
  OrderedMap& operator=(const OrderedMap&) = delete;

  void Put(absl::string_view key, absl::string_view value);
  void Erase(absl::string_view key);
  void EraseRange(const KeyRange& range);

  const std::string* Find(absl::string_view key) const;  // until the next change
  uint64_t size() const { return spine_->entries; }
  uint64_t bytes() const { return spine_->bytes; }  // of keys and values

  // Takes no time that grows with the map; the next change of each shared leaf copies that leaf.
  Frozen Freeze();

 private:
  static size_t LeafFor(const Spine& spine, absl::string_view key);
  Spine& OwnSpine();
  Leaf& OwnLeaf(size_t index);
  void EraseInLeaf(size_t index, const KeyRange& range);
  void Split(size_t index);

  uint64_t age_ = 0;
  std::shared_ptr<Spine> spine_;
};

}  // namespace slipway::eraft
