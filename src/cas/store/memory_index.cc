#include <map>

#include "base/sync/mutex.h"
#include "cas/store/index.h"

namespace slipway::cas {
namespace {

constexpr size_t kScanPiece = 256;

class MemoryIndex : public Index {
 public:
  absl::StatusOr<std::optional<IndexRecord>> Find(const Hash& hash) override {
    const base::MutexLock lock(mutex_);
    const auto it = records_.find(hash);
    if (it == records_.end()) return std::optional<IndexRecord>();
    return std::optional<IndexRecord>(it->second);
  }

  absl::Status Apply(absl::Span<const Entry> put, absl::Span<const Hash> erase, bool) override {
    const base::MutexLock lock(mutex_);
    for (const auto& [hash, record] : put) {
      Drop(hash);
      records_[hash] = record;
      stats_.logical_bytes += record.size_bytes;
      stats_.stored_bytes += record.stored_bytes;
    }
    for (const Hash& hash : erase) Drop(hash);
    stats_.blobs = records_.size();
    return absl::OkStatus();
  }

  absl::Status Scan(const Hash& from,
                    absl::FunctionRef<bool(const Hash&, const IndexRecord&)> visit) override {
    Hash next = from;
    std::vector<Entry> piece;
    for (bool first = true;; first = false) {
      piece.clear();
      {
        const base::MutexLock lock(mutex_);
        auto it = first ? records_.lower_bound(next) : records_.upper_bound(next);
        for (; it != records_.end() && piece.size() < kScanPiece; ++it) piece.push_back(*it);
      }
      for (const auto& [hash, record] : piece) {
        if (!visit(hash, record)) return absl::OkStatus();
      }
      if (piece.size() < kScanPiece) return absl::OkStatus();
      next = piece.back().first;
    }
  }

  absl::StatusOr<IndexStats> Stats() override {
    const base::MutexLock lock(mutex_);
    return stats_;
  }

  absl::Status Clear() override {
    const base::MutexLock lock(mutex_);
    records_.clear();
    stats_ = {};
    return absl::OkStatus();
  }

  absl::StatusOr<bool> TakeCleanMark(uint64_t token) override {
    const base::MutexLock lock(mutex_);
    return std::exchange(mark_, std::nullopt) == token;
  }

  absl::Status PutCleanMark(uint64_t token) override {
    const base::MutexLock lock(mutex_);
    mark_ = token;
    return absl::OkStatus();
  }

 private:
  void Drop(const Hash& hash) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto it = records_.find(hash);
    if (it == records_.end()) return;
    stats_.logical_bytes -= it->second.size_bytes;
    stats_.stored_bytes -= it->second.stored_bytes;
    records_.erase(it);
  }

  base::Mutex mutex_;
  std::map<Hash, IndexRecord> records_ ABSL_GUARDED_BY(mutex_);
  IndexStats stats_ ABSL_GUARDED_BY(mutex_);
  std::optional<uint64_t> mark_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<Index> MakeMemoryIndex() { return std::make_unique<MemoryIndex>(); }

}  // namespace slipway::cas
