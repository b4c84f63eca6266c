#include "cas/store/disk_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/digest/blake3.h"
#include "base/log/log.h"
#include "base/units.h"
#include "cas/errors.h"
#include "cas/store/format.h"

namespace slipway::cas {
namespace {

constexpr size_t kListMax = 10'001;  // the largest page of the protocol, and the one after it
constexpr size_t kHashPieceBytes = 1 * base::kMiB;

uint64_t FirstBytes(const Hash& hash) { return base::LoadLittle<uint64_t>(hash.data()); }

bool SameFile(const IndexRecord& record, const base::Meta& meta) {
  return record.size_bytes == meta.size_bytes && record.inode == meta.inode;
}

}  // namespace

DiskStoreImpl::DiskStoreImpl(std::unique_ptr<DiskStoreMetrics> metrics,
                             std::unique_ptr<Layout> layout, std::unique_ptr<Index> index,
                             const DiskStoreOptions& options, base::Clock& clock)
    : metrics_(std::move(metrics)),
      layout_(std::move(layout)),
      index_(std::move(index)),
      options_(options),
      clock_(clock),
      committer_(*layout_, *index_, clock, options, *metrics_) {
  committer_.UpdateGauges();
}

DiskStoreImpl::~DiskStoreImpl() {
  CommitJob job;
  job.kind = CommitJob::Kind::kTouch;
  absl::Status status = committer_.Run(job);
  const absl::StatusOr<uint64_t> token = CleanToken(*layout_);
  status.Update(token.status());
  // A name that is in doubt is in no index; the next start looks for itself.
  if (status.ok() && !committer_.AnyDoubtful()) status.Update(index_->PutCleanMark(*token));
  if (!status.ok()) {
    SLIPWAY_LOG(kWarn, "store not closed cleanly: the next start reads its directories",
                {{"store", layout_->path()}, {"error", status.message()}});
  }
}

absl::StatusOr<bool> DiskStoreImpl::IsDamaged(const Digest& digest, const base::Meta& meta) {
  if (meta.size_bytes == digest.size_bytes) return false;
  SLIPWAY_ASSIGN_OR_RETURN(const std::optional<IndexRecord> record, index_->Find(digest.blake3));
  return record && record->size_bytes == digest.size_bytes;
}

bool DiskStoreImpl::Reindex(const Digest& digest) {
  CommitJob job;
  job.kind = CommitJob::Kind::kRecord;
  job.digest = digest;
  return !committer_.Run(job).ok() || job.found;
}

absl::StatusOr<std::optional<StoredBlob>> DiskStoreImpl::Find(const Digest& digest) {
  const absl::StatusOr<std::optional<base::Meta>> meta = layout_->StatObject(digest.blake3);
  if (!meta.ok()) return ReadError(digest, meta.status());
  const bool there = meta->has_value() && !committer_.Doubtful(digest.blake3);
  const auto found = index_->Find(digest.blake3);
  if (!found.ok()) return ReadError(digest, found.status());
  const std::optional<IndexRecord>& record = *found;
  if (!there) {
    if (record) (void)Reindex(digest);  // a repair that fails is tried again the next time
    return std::optional<StoredBlob>();
  }
  if ((*meta)->size_bytes != digest.size_bytes) {
    if (record && record->size_bytes == digest.size_bytes) {
      (void)Corrupt(digest, (*meta)->inode, metrics_->corrupt_size, "the file has another length");
    }
    return std::optional<StoredBlob>();
  }
  if (record && SameFile(*record, **meta) && !committer_.Pending(digest.blake3)) {
    return std::optional<StoredBlob>({digest, *record});
  }
  // The file is the truth. One that came otherwise than through here was not seen to be right.
  SetVerified(digest.blake3, false);
  // Or it is being stored at this moment, and its sync fails: then the file is taken back.
  if (!Reindex(digest)) return std::optional<StoredBlob>();
  return std::optional<StoredBlob>({digest, RecordOf(**meta, clock_.Wall())});
}

absl::StatusOr<std::optional<uint64_t>> DiskStoreImpl::Check(const Digest& digest) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::optional<StoredBlob> blob, Find(digest));
  if (!blob) return std::optional<uint64_t>();
  return std::optional<uint64_t>(digest.size_bytes);
}

absl::StatusOr<bool> DiskStoreImpl::Contains(const Digest& digest) {
  const auto record = index_->Find(digest.blake3);
  if (record.ok() && record->has_value() && (*record)->size_bytes == digest.size_bytes &&
      !committer_.Pending(digest.blake3)) {
    return !committer_.Doubtful(digest.blake3);
  }
  // The index knows every blob before it is acknowledged, and is built anew where it might not. A
  // file that came otherwise is found by whoever reads or stores the blob: to call it absent here
  // costs an upload that is answered with AlreadyExists, and spares a look at the disk for each of
  // the many that are really absent.
  if (record.ok() && !record->has_value()) return false;
  SLIPWAY_ASSIGN_OR_RETURN(const std::optional<StoredBlob> blob, Find(digest));
  return blob.has_value();
}

absl::StatusOr<std::optional<StoredBlob>> DiskStoreImpl::Stat(const Digest& digest) {
  return Find(digest);
}

absl::Status DiskStoreImpl::CheckSpace(const Digest& digest) {
  if (digest.size_bytes > options_.blob_bytes_max) {
    return TooLargeError(digest, options_.blob_bytes_max);
  }
  const absl::StatusOr<base::Space> space = layout_->root().FreeSpace();
  if (!space.ok()) return WriteError(digest, space.status());
  const uint64_t free = space->free_bytes;
  const bool fits =
      free >= options_.free_bytes_min && free - options_.free_bytes_min >= digest.size_bytes;
  if (fits) return absl::OkStatus();
  return WriteError(digest,
                    absl::ResourceExhaustedError(absl::StrCat(
                        free, " bytes are free, and ", options_.free_bytes_min, " are kept free")));
}

base::Owned<BlobWriter> DiskStoreImpl::Store(const Digest& digest) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::optional<StoredBlob> blob, Find(digest));
  if (blob) {
    metrics_->dedup.Increment();
    committer_.Touch(digest.blake3);
    return AlreadyExistsError(digest);
  }
  SLIPWAY_RETURN_IF_ERROR(CheckSpace(digest));
  return MakeDiskWriter(*this, *layout_, digest);
}

absl::StatusOr<DiskStoreImpl::OpenBlob> DiskStoreImpl::Open(const Digest& digest) {
  if (committer_.Doubtful(digest.blake3)) return NotFoundError(digest);
  base::Owned<base::File> file = layout_->objects().Open(ObjectPath(digest.blake3), {});
  if (absl::IsNotFound(file.status())) {
    const auto record = index_->Find(digest.blake3);
    if (record.ok() && record->has_value()) (void)Reindex(digest);
    return NotFoundError(digest);
  }
  if (!file.ok()) return ReadError(digest, file.status());
  const absl::StatusOr<base::Meta> meta = (*file)->Stat();
  if (!meta.ok()) return ReadError(digest, meta.status());
  if (meta->size_bytes != digest.size_bytes) {
    SLIPWAY_ASSIGN_OR_RETURN(const bool damaged, IsDamaged(digest, *meta));
    if (!damaged) return NotFoundError(digest);
    return Corrupt(digest, meta->inode, metrics_->corrupt_size, "the file has another length");
  }
  return OpenBlob{*std::move(file), *meta};
}

base::Owned<BlobReader> DiskStoreImpl::Fetch(const Digest& digest, BlobRange range) {
  SLIPWAY_RETURN_IF_ERROR(CheckRange(range));
  absl::StatusOr<OpenBlob> blob = Open(digest);
  if (absl::IsNotFound(blob.status())) metrics_->misses.Increment();
  SLIPWAY_RETURN_IF_ERROR(blob.status());
  SLIPWAY_ASSIGN_OR_RETURN(const Extent extent, Resolve(range, digest));
  metrics_->hits.Increment();
  committer_.Touch(digest.blake3);
  return MakeDiskReader(*this, *metrics_, std::move(blob->file), blob->meta.inode, digest, extent);
}

std::optional<std::string> DiskStoreImpl::GetLocalPath(const Digest& digest) {
  const auto blob = Find(digest);
  if (!blob.ok() || !blob->has_value()) return std::nullopt;
  committer_.Touch(digest.blake3);
  return absl::StrCat(layout_->path(), "/", kObjectsDir, "/", ObjectPath(digest.blake3));
}

absl::StatusOr<std::vector<StoredBlob>> DiskStoreImpl::List(const Hash& from, size_t count_max) {
  std::vector<StoredBlob> blobs;
  const size_t count = std::min(count_max, kListMax);
  if (count == 0) return blobs;
  SLIPWAY_RETURN_IF_ERROR(index_->Scan(from, [&](const Hash& hash, const IndexRecord& record) {
    blobs.push_back({{hash, record.size_bytes}, record});
    return blobs.size() < count;
  }));
  return blobs;
}

absl::StatusOr<IndexStats> DiskStoreImpl::Stats() { return index_->Stats(); }

absl::StatusOr<bool> DiskStoreImpl::Remove(const Digest& digest) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::optional<StoredBlob> blob, Find(digest));
  if (!blob) return false;
  CommitJob job;
  job.kind = CommitJob::Kind::kRemove;
  job.digest = digest;
  if (const absl::Status status = committer_.Run(job); !status.ok()) {
    metrics_->write_errors.Increment();
    return IoError(digest, "remove", status);
  }
  SetVerified(digest.blake3, false);
  return job.found;
}

absl::Status DiskStoreImpl::HashAll(const Digest& digest, base::File& file, Hash& hash,
                                    uint64_t& size_bytes) {
  base::Blake3 state;
  base::Bytes piece(
      static_cast<size_t>(std::min<uint64_t>(kHashPieceBytes, digest.size_bytes + 1)));
  for (size_bytes = 0;;) {
    const absl::StatusOr<size_t> got = file.ReadAt(size_bytes, absl::MakeSpan(piece));
    SLIPWAY_RETURN_IF_ERROR(got.status());
    state.Update(base::BytesView(piece.data(), *got));
    // A scrub reads everything once: it must not drive out of the cache what is in use.
    file.DropCache(size_bytes, *got);
    size_bytes += *got;
    if (*got < piece.size()) break;
  }
  hash = state.Finish();
  return absl::OkStatus();
}

absl::Status DiskStoreImpl::Verify(const Digest& digest) {
  SLIPWAY_ASSIGN_OR_RETURN(const OpenBlob blob, Open(digest));
  Digest got;
  const absl::Status status = HashAll(digest, *blob.file, got.blake3, got.size_bytes);
  if (absl::IsDataLoss(status)) {
    (void)ReadError(digest, status);
    return Corrupt(digest, blob.meta.inode, metrics_->corrupt_scrub, "input/output error");
  }
  if (!status.ok()) return ReadError(digest, status);
  if (got != digest) {
    return Corrupt(digest, blob.meta.inode, metrics_->corrupt_scrub,
                   absl::StrCat("its bytes are ", got.ToString()));
  }
  SetVerified(digest.blake3, true);
  return absl::OkStatus();
}

bool DiskStoreImpl::Verified(const Hash& hash) {
  const base::MutexLock lock(mutex_);
  return verified_.contains(FirstBytes(hash));
}

void DiskStoreImpl::SetVerified(const Hash& hash, bool verified) {
  const base::MutexLock lock(mutex_);
  if (verified) {
    verified_.insert(FirstBytes(hash));
  } else {
    verified_.erase(FirstBytes(hash));
  }
}

absl::Status DiskStoreImpl::Corrupt(const Digest& digest, uint64_t inode, base::Counter& where,
                                    absl::string_view reason) {
  SetVerified(digest.blake3, false);
  CommitJob job;
  job.kind = CommitJob::Kind::kSetAside;
  job.digest = digest;
  job.inode = inode;
  job.reason = absl::StrCat(digest.ToString(), ": ", reason);
  const absl::Status status = committer_.Run(job);
  if (job.found || !status.ok()) where.Increment();  // not by two readers of one damage
  if (!status.ok()) {
    SLIPWAY_LOG(
        kError, "damaged blob not set aside",
        {{"store", layout_->path()}, {"blob", digest.ToString()}, {"error", status.message()}});
  }
  return CorruptError(digest);
}

absl::Status DiskStoreImpl::ReadError(const Digest& digest, const absl::Status& status) {
  metrics_->read_errors.Increment();
  SLIPWAY_LOG(
      kError, "read of a blob failed",
      {{"store", layout_->path()}, {"blob", digest.ToString()}, {"error", status.message()}});
  return IoError(digest, "read", status);
}

absl::Status DiskStoreImpl::WriteError(const Digest& digest, const absl::Status& status) {
  metrics_->write_errors.Increment();
  SLIPWAY_LOG(
      kWarn, "blob not stored",
      {{"store", layout_->path()}, {"blob", digest.ToString()}, {"error", status.message()}});
  return IoError(digest, "store", status);
}

}  // namespace slipway::cas
