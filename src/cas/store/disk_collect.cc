// Removal of what was not used for longest.
#include <algorithm>
#include <tuple>

#include "cas/errors.h"
#include "cas/store/disk_store.h"

namespace slipway::cas {
namespace {

// Of so many the oldest are found in one pass over the index: bounds the memory.
constexpr size_t kPassMax = 8192;
constexpr size_t kEvictGroup = 64;

using Age = std::pair<uint32_t, Hash>;
Age AgeOf(const StoredBlob& blob) { return {blob.record.accessed_s, blob.digest.blake3}; }
bool Older(const StoredBlob& a, const StoredBlob& b) { return AgeOf(a) < AgeOf(b); }

}  // namespace

absl::StatusOr<std::vector<StoredBlob>> DiskStoreImpl::Oldest(const StoredBlob* after) {
  std::vector<StoredBlob> heap;  // the youngest of the oldest in front
  SLIPWAY_RETURN_IF_ERROR(index_->Scan({}, [&](const Hash& hash, const IndexRecord& record) {
    const StoredBlob blob{{hash, record.size_bytes}, record};
    if (after != nullptr && AgeOf(blob) <= AgeOf(*after)) return true;
    if (heap.size() == kPassMax) {
      if (!Older(blob, heap.front())) return true;
      std::pop_heap(heap.begin(), heap.end(), Older);
      heap.pop_back();
    }
    heap.push_back(blob);
    std::push_heap(heap.begin(), heap.end(), Older);
    return true;
  }));
  std::sort_heap(heap.begin(), heap.end(), Older);
  return heap;
}

absl::Status DiskStoreImpl::Evict(absl::Span<const StoredBlob> blobs) {
  std::vector<CommitJob> jobs(blobs.size());
  std::vector<CommitJob*> pointers;
  for (size_t i = 0; i < blobs.size(); ++i) {
    jobs[i].kind = CommitJob::Kind::kRemove;
    jobs[i].digest = blobs[i].digest;
    pointers.push_back(&jobs[i]);
  }
  committer_.Run(pointers);
  absl::Status status;
  for (const CommitJob& job : jobs) {
    SetVerified(job.digest.blake3, false);
    if (!job.status.ok()) status.Update(IoError(job.digest, "remove", job.status));
    if (!job.found) continue;
    metrics_->evicted.Increment();
    metrics_->evicted_bytes.Increment(static_cast<double>(job.digest.size_bytes));
  }
  return status;
}

absl::Status DiskStoreImpl::Collect(uint64_t target_bytes, bool dry_run,
                                    absl::FunctionRef<bool(const StoredBlob&)> progress) {
  CommitJob touches;
  touches.kind = CommitJob::Kind::kTouch;
  SLIPWAY_RETURN_IF_ERROR(committer_.Run(touches));
  SLIPWAY_ASSIGN_OR_RETURN(const IndexStats stats, index_->Stats());
  uint64_t left = stats.stored_bytes;
  std::optional<StoredBlob> last;
  while (left > target_bytes) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::vector<StoredBlob> oldest, Oldest(last ? &*last : nullptr));
    if (oldest.empty()) return absl::OkStatus();
    for (size_t at = 0; at < oldest.size() && left > target_bytes;) {
      std::vector<StoredBlob> group;
      for (; at < oldest.size() && left > target_bytes && group.size() < kEvictGroup; ++at) {
        // Read since its time was taken: it is not old any more.
        if (committer_.Touched(oldest[at].digest.blake3)) continue;
        group.push_back(oldest[at]);
        left -= std::min(left, oldest[at].record.stored_bytes);
      }
      if (!dry_run) SLIPWAY_RETURN_IF_ERROR(Evict(group));
      bool go_on = true;
      for (const StoredBlob& blob : group) go_on = progress(blob) && go_on;
      if (!go_on) return absl::OkStatus();
    }
    last = oldest.back();
  }
  return absl::OkStatus();
}

}  // namespace slipway::cas
