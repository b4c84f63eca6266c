// The implementations of BlobStore that need no network.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/metrics/metrics.h"
#include "base/pool.h"
#include "base/status.h"
#include "cas/blob_store.h"
#include "cas/store/index.h"

namespace slipway::cas {

// In memory; `capacity_bytes` is its quota.
std::unique_ptr<BlobStore> MakeMemoryStore(uint64_t capacity_bytes);

enum class Durability : uint8_t {
  kStrict,  // each commit is synced by itself
  kBatch,   // commits that come together share one sync; each is answered after it
  kNone     // for caches that may be lost with the power
};

struct DiskStoreOptions {
  Durability durability = Durability::kBatch;
  absl::Duration batch_delay_max = absl::Milliseconds(20);
  uint64_t blob_bytes_max = 64ull << 30;
  uint64_t free_bytes_min = 64ull << 20;  // uploads are refused below this
  bool verify_first_read = true;          // sampled: the first read of a blob after start
};

struct StoredBlob {
  Digest digest;
  IndexRecord record;
};

struct ScrubResult {
  uint64_t blobs = 0, bytes = 0;
  std::vector<Digest> corrupt;  // set aside in quarantine/
};

// What a local store can do beyond BlobStore.
class DiskStore : public BlobStore {
 public:
  virtual absl::StatusOr<std::optional<StoredBlob>> Stat(const Digest& digest) = 0;
  // Blobs whose hash is at or after `from`, at most `count_max`, by hash.
  virtual absl::StatusOr<std::vector<StoredBlob>> List(const Hash& from, size_t count_max) = 0;
  // False: it was not there. Readers that have it open go on.
  virtual absl::StatusOr<bool> Remove(const Digest& digest) = 0;
  virtual absl::StatusOr<IndexStats> Stats() = 0;
  // Reads the blob whole; DataLoss: it was damaged, and is in quarantine now.
  virtual absl::Status Verify(const Digest& digest) = 0;
  // Least recently used first, until `target_bytes` of stored bytes are left. `progress`: blobs and
  // bytes removed so far; false stops.
  virtual absl::Status Collect(uint64_t target_bytes, bool dry_run,
                               absl::FunctionRef<bool(const StoredBlob& removed)> progress) = 0;
};

struct DiskStoreMetrics;

// Opens or creates the store in `root` (spec 7.11). Takes the lock: Aborted names the holder's pid.
// FailedPrecondition: a newer format, or a folder of somebody else whose content a store would take
// for its own. Sweeps tmp/, and rebuilds an index that does not fit.
// `make_index` opens the index of a directory (LMDB in programs, memory in simulation).
using MakeIndex = std::function<base::Owned<Index>(const std::string& root)>;
base::Owned<DiskStore> OpenDiskStore(const std::string& root, const DiskStoreOptions& options,
                                     base::Files& files, base::Clock& clock, base::Pool& pool,
                                     base::Metrics& metrics, const MakeIndex& make_index);

}  // namespace slipway::cas
