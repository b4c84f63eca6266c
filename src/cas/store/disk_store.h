// Inside of the disk store. stores.h says what it promises, README.md how. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/metrics/metrics.h"
#include "base/pool.h"
#include "base/sync/mutex.h"
#include "cas/store/committer.h"
#include "cas/store/index.h"
#include "cas/store/layout.h"
#include "cas/store/metrics.h"
#include "cas/store/stores.h"

namespace slipway::cas {

class DiskStoreImpl : public DiskStore {
 public:
  DiskStoreImpl(std::unique_ptr<DiskStoreMetrics> metrics, std::unique_ptr<Layout> layout,
                std::unique_ptr<Index> index, const DiskStoreOptions& options, base::Clock& clock);
  // Writes the access times down and marks the index as clean.
  ~DiskStoreImpl() override;

  absl::StatusOr<std::optional<uint64_t>> Check(const Digest& digest) override;
  absl::StatusOr<bool> Contains(const Digest& digest) override;
  base::Owned<BlobWriter> Store(const Digest& digest) override;
  base::Owned<BlobReader> Fetch(const Digest& digest, BlobRange range) override;
  std::optional<std::string> GetLocalPath(const Digest& digest) override;

  absl::StatusOr<std::optional<StoredBlob>> Stat(const Digest& digest) override;
  absl::StatusOr<std::vector<StoredBlob>> List(const Hash& from, size_t count_max) override;
  absl::StatusOr<bool> Remove(const Digest& digest) override;
  absl::StatusOr<IndexStats> Stats() override;
  absl::Status Verify(const Digest& digest) override;
  absl::Status Collect(uint64_t target_bytes, bool dry_run,
                       absl::FunctionRef<bool(const StoredBlob&)> progress) override;

  // ---- For its writers and readers ----
  Committer& committer() { return committer_; }
  const DiskStoreOptions& options() const { return options_; }
  // Whether the bytes of the blob were seen to be right since the start.
  bool Verified(const Hash& hash);
  void SetVerified(const Hash& hash, bool verified);
  // The bytes of the open file are not the blob. Sets it aside and gives the error for the caller.
  absl::Status Corrupt(const Digest& digest, uint64_t inode, base::Counter& where,
                       absl::string_view reason);
  // The file system refused; to the log with all it says, to the caller without paths.
  absl::Status ReadError(const Digest& digest, const absl::Status& status);
  absl::Status WriteError(const Digest& digest, const absl::Status& status);

 private:
  struct OpenBlob {
    std::unique_ptr<base::File> file;
    base::Meta meta;
  };
  // Its file and entry, made to agree; nothing where there is no such blob.
  absl::StatusOr<std::optional<StoredBlob>> Find(const Digest& digest);
  absl::StatusOr<OpenBlob> Open(const Digest& digest);
  // The file has another length than asked for: is it damaged, or the digest another?
  absl::StatusOr<bool> IsDamaged(const Digest& digest, const base::Meta& meta);
  // Makes the entry what the file says; false: there is no file now. A repair that fails says true,
  // and is tried again the next time.
  bool Reindex(const Digest& digest);
  absl::Status CheckSpace(const Digest& digest);
  absl::Status HashAll(const Digest& digest, base::File& file, Hash& hash, uint64_t& size_bytes);
  absl::StatusOr<std::vector<StoredBlob>> Oldest(const StoredBlob* after);
  absl::Status Evict(absl::Span<const StoredBlob> blobs);

  const std::unique_ptr<DiskStoreMetrics> metrics_;
  const std::unique_ptr<Layout> layout_;
  const std::unique_ptr<Index> index_;
  const DiskStoreOptions options_;
  base::Clock& clock_;
  Committer committer_;
  base::Mutex mutex_;
  // The first bytes of the hashes: two blobs that share them cost one check of one of them.
  absl::flat_hash_set<uint64_t> verified_ ABSL_GUARDED_BY(mutex_);
};

// Fills the empty index from the objects; what is no object is set aside.
absl::Status RebuildIndex(Layout& layout, Index& index, base::Pool& pool);

// Identifies the store to its index, a copy of it as another one, and one whose directories were
// changed by somebody else as changed.
absl::StatusOr<uint64_t> CleanToken(Layout& layout);

base::Owned<BlobWriter> MakeDiskWriter(DiskStoreImpl& store, Layout& layout, const Digest& digest);
base::Owned<BlobReader> MakeDiskReader(DiskStoreImpl& store, DiskStoreMetrics& metrics,
                                       std::unique_ptr<base::File> file, uint64_t inode,
                                       const Digest& digest, const Extent& extent);

}  // namespace slipway::cas
