#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/digest/blake3.h"
#include "base/mutant.h"
#include "base/sync/mutex.h"
#include "cas/errors.h"
#include "cas/store/stores.h"

namespace slipway::cas {
namespace {

using Shared = std::shared_ptr<const base::Bytes>;

// What writers and readers share with the store, and keep alive.
struct State {
  explicit State(uint64_t capacity) : capacity_bytes(capacity) {}
  const uint64_t capacity_bytes;
  base::Mutex mutex;
  absl::flat_hash_map<Hash, Shared> blobs ABSL_GUARDED_BY(mutex);
  uint64_t used_bytes ABSL_GUARDED_BY(mutex) = 0;  // of blobs and of writers

  Shared Find(const Digest& digest) {
    const base::MutexLock lock(mutex);
    const auto it = blobs.find(digest.blake3);
    return it != blobs.end() && it->second->size() == digest.size_bytes ? it->second : nullptr;
  }
  bool Reserve(uint64_t bytes) {
    const base::MutexLock lock(mutex);
    if (bytes > capacity_bytes - used_bytes) return false;
    used_bytes += bytes;
    return true;
  }
  void Release(uint64_t bytes) {
    const base::MutexLock lock(mutex);
    used_bytes -= bytes;
  }
};

absl::Status QuotaError(const Digest& digest, uint64_t capacity_bytes) {
  return IoError(digest, absl::StrCat("store (quota of ", capacity_bytes, " bytes)"),
                 absl::ResourceExhaustedError("quota"));
}

class MemoryWriter : public BlobWriter {
 public:
  MemoryWriter(std::shared_ptr<State> state, const Digest& digest)
      : state_(std::move(state)), digest_(digest) {}
  ~MemoryWriter() override { state_->Release(data_.size()); }

  absl::Status Append(base::BytesView data) override {
    if (data.size() > digest_.size_bytes - data_.size()) {
      return SizeMismatchError(digest_, data_.size() + data.size());
    }
    if (!state_->Reserve(data.size())) return QuotaError(digest_, state_->capacity_bytes);
    data_.insert(data_.end(), data.begin(), data.end());
    return absl::OkStatus();
  }

  absl::Status Commit() override {
    if (data_.size() != digest_.size_bytes) return SizeMismatchError(digest_, data_.size());
    const Digest got = DigestOf(data_);
    if (got != digest_ && !SLIPWAY_MUTANT("cas-skip-digest")) {
      return DigestMismatchError(digest_, got);
    }
    auto blob = std::make_shared<const base::Bytes>(std::exchange(data_, {}));
    const base::MutexLock lock(state_->mutex);
    if (!state_->blobs.try_emplace(digest_.blake3, blob).second) {
      state_->used_bytes -= blob->size();  // somebody else stored it meanwhile
    }
    return absl::OkStatus();
  }

 private:
  const std::shared_ptr<State> state_;
  const Digest digest_;
  base::Bytes data_;
};

class MemoryReader : public BlobReader {
 public:
  MemoryReader(Shared blob, const Extent& extent)
      : blob_(std::move(blob)),
        at_(static_cast<size_t>(extent.offset_bytes)),
        end_(static_cast<size_t>(extent.offset_bytes + extent.size_bytes)) {}

  absl::StatusOr<size_t> Read(absl::Span<uint8_t> out) override {
    const size_t size = std::min(out.size(), end_ - at_);
    std::copy_n(blob_->data() + at_, size, out.data());
    at_ += size;
    return size;
  }

 private:
  const Shared blob_;
  size_t at_;
  const size_t end_;
};

class MemoryStore : public BlobStore {
 public:
  explicit MemoryStore(uint64_t capacity_bytes) : state_(std::make_shared<State>(capacity_bytes)) {}

  absl::StatusOr<std::optional<uint64_t>> Check(const Digest& digest) override {
    if (state_->Find(digest) == nullptr) return std::optional<uint64_t>();
    return std::optional<uint64_t>(digest.size_bytes);
  }
  absl::StatusOr<bool> Contains(const Digest& digest) override {
    return state_->Find(digest) != nullptr;
  }
  base::Owned<BlobWriter> Store(const Digest& digest) override {
    if (state_->Find(digest) != nullptr) return AlreadyExistsError(digest);
    if (digest.size_bytes > state_->capacity_bytes) {
      return QuotaError(digest, state_->capacity_bytes);
    }
    return std::make_unique<MemoryWriter>(state_, digest);
  }
  base::Owned<BlobReader> Fetch(const Digest& digest, BlobRange range) override {
    SLIPWAY_RETURN_IF_ERROR(CheckRange(range));
    Shared blob = state_->Find(digest);
    if (blob == nullptr) return NotFoundError(digest);
    SLIPWAY_ASSIGN_OR_RETURN(const Extent extent, Resolve(range, digest));
    return std::make_unique<MemoryReader>(std::move(blob), extent);
  }
  std::optional<std::string> GetLocalPath(const Digest&) override { return std::nullopt; }

 private:
  const std::shared_ptr<State> state_;
};

}  // namespace

std::unique_ptr<BlobStore> MakeMemoryStore(uint64_t capacity_bytes) {
  return std::make_unique<MemoryStore>(capacity_bytes);
}

}  // namespace slipway::cas
