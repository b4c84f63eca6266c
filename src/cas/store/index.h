// What a disk store knows of its blobs without looking at files. The objects are the truth; an
// index that is lost or doubtful is built again from them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/status.h"
#include "cas/digest.h"

namespace slipway::cas {

// docs/formats/cas-store.md has the bytes (spec 7.11).
struct IndexRecord {
  uint8_t codec = 0;  // 0: raw file
  uint64_t size_bytes = 0;
  uint64_t stored_bytes = 0;
  uint32_t created_s = 0;   // Unix time
  uint32_t accessed_s = 0;  // coarse
  uint64_t inode = 0;
  uint64_t mtime_ns = 0;
  friend bool operator==(const IndexRecord&, const IndexRecord&) = default;
};

struct IndexStats {
  uint64_t blobs = 0;
  uint64_t logical_bytes = 0;
  uint64_t stored_bytes = 0;
};

// Thread-safe; blocks.
class Index {
 public:
  using Entry = std::pair<Hash, IndexRecord>;
  virtual ~Index() = default;
  virtual absl::StatusOr<std::optional<IndexRecord>> Find(const Hash& hash) = 0;
  // All or nothing; with `durable`, on disk after OK.
  virtual absl::Status Apply(absl::Span<const Entry> put, absl::Span<const Hash> erase,
                             bool durable) = 0;
  // Entries from `from` on, bytewise, until `visit` returns false; in pieces, so that no read is
  // long.
  virtual absl::Status Scan(const Hash& from,
                            absl::FunctionRef<bool(const Hash&, const IndexRecord&)> visit) = 0;
  virtual absl::StatusOr<IndexStats> Stats() = 0;
  virtual absl::Status Clear() = 0;

  // Whether the last holder ended with PutCleanMark of the same `token` (which store it was) and
  // nothing changed since. Called once, first; the mark is gone after it. False: the holder clears
  // and fills the index.
  virtual absl::StatusOr<bool> TakeCleanMark(uint64_t token) = 0;
  // The last call: what was applied is durable and the next holder may trust it.
  virtual absl::Status PutCleanMark(uint64_t token) = 0;
};

std::unique_ptr<Index> MakeMemoryIndex();

}  // namespace slipway::cas
