// The rows that were written last, so that the next command that needs one does not search the
// engine: a counter that is set again and again, the answers of a session until they are
// acknowledged. Rows that are not there are not kept. Thread-compatible.
#pragma once

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace slipway::eraft {

class RowCache {
 public:
  // Holds rows of `bytes_max` bytes at most, and none that is longer than a 64th of it.
  explicit RowCache(uint64_t bytes_max) : half_bytes_max_(bytes_max / 2) {}

  // Null: unknown. Holds until the next call.
  const std::string* Find(absl::string_view key);
  void Put(absl::string_view key, absl::string_view row);
  void Delete(absl::string_view key);
  void Clear();
  uint64_t bytes() const { return young_bytes_ + old_bytes_; }

 private:
  using Rows = absl::flat_hash_map<std::string, std::string>;
  const std::string* Add(absl::string_view key, std::string row);
  static void Remove(Rows& rows, uint64_t& bytes, absl::string_view key);

  const uint64_t half_bytes_max_;
  // What was used since the halves were changed; a row here hides one of the same name in `old_`.
  Rows young_;
  Rows old_;  // goes when `young_` is full
  uint64_t young_bytes_ = 0, old_bytes_ = 0;
};

}  // namespace slipway::eraft
