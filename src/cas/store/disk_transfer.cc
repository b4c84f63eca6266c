// The writer and the reader of the disk store.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/digest/blake3.h"
#include "base/mutant.h"
#include "base/units.h"
#include "cas/errors.h"
#include "cas/store/disk_store.h"
#include "cas/store/format.h"

namespace slipway::cas {
namespace {

// Larger files are synced by their own thread, so that small ones do not wait for them in a group.
constexpr uint64_t kOwnSyncBytesMin = 1 * base::kMiB;
// What comes in pieces is put together to so many bytes, a whole subtree of the hash: pieces that
// begin anywhere would be hashed at their edges block by block, and written in as many calls. Few
// enough to be in the second-level cache when they are hashed and written.
constexpr size_t kPieceBytes = 128 * base::kKiB;
// The disk begins with so many bytes while the next ones come, so that the sync is short.
constexpr uint64_t kWriteOutBytes = 8 * base::kMiB;

class DiskWriter : public BlobWriter {
 public:
  DiskWriter(DiskStoreImpl& store, std::unique_ptr<base::File> file, const Digest& digest)
      : store_(store),
        file_(std::move(file)),
        digest_(digest),
        sync_failures_(store.committer().sync_failures()) {}

  absl::Status Append(base::BytesView data) override {
    const uint64_t appended = written_ + piece_.size();
    if (data.size() > digest_.size_bytes - appended) {
      return SizeMismatchError(digest_, appended + data.size());
    }
    while (!data.empty()) {
      const uint64_t left = digest_.size_bytes - written_;
      const auto wanted = static_cast<size_t>(std::min<uint64_t>(left, kPieceBytes));
      const size_t count = std::min(data.size(), wanted - piece_.size());
      const base::BytesView part = data.subspan(0, count);
      data.remove_prefix(count);
      if (count == wanted) {
        SLIPWAY_RETURN_IF_ERROR(Write(part));
        continue;
      }
      piece_.reserve(wanted);
      piece_.insert(piece_.end(), part.begin(), part.end());
      if (piece_.size() < wanted) return absl::OkStatus();
      SLIPWAY_RETURN_IF_ERROR(Write(piece_));
      piece_.clear();
    }
    return absl::OkStatus();
  }

  absl::Status Commit() override {
    if (written_ != digest_.size_bytes) {
      return SizeMismatchError(digest_, written_ + piece_.size());
    }
    const Digest got{hash_.Finish(), written_};
    if (got != digest_ && !SLIPWAY_MUTANT("cas-skip-digest")) {
      return DigestMismatchError(digest_, got);
    }
    absl::Status status = file_->SetMeta({.mode = kObjectMode, .mtime = {}, .xattrs = {}});
    if (!status.ok()) return store_.WriteError(digest_, status);
    CommitJob job;
    job.digest = digest_;
    job.temp = file_.get();
    job.sync_failures = sync_failures_;
    job.synced = written_ >= kOwnSyncBytesMin && store_.options().durability != Durability::kNone;
    if (job.synced) {
      status = file_->Sync();
      if (!status.ok()) return store_.WriteError(digest_, status);
    }
    status = store_.committer().Run(job);
    if (!status.ok()) return store_.WriteError(digest_, status);
    if (!job.found) store_.SetVerified(digest_.blake3, true);
    return absl::OkStatus();
  }

 private:
  absl::Status Write(base::BytesView data) {
    hash_.Update(data);  // first: it brings into the cache what the write copies
    if (const absl::Status status = file_->WriteAt(written_, data); !status.ok()) {
      return store_.WriteError(digest_, status);
    }
    written_ += data.size();
    if (written_ - written_out_ >= kWriteOutBytes &&
        store_.options().durability != Durability::kNone) {
      file_->StartWriting(written_out_, written_ - written_out_);
      written_out_ = written_;
    }
    return absl::OkStatus();
  }

  DiskStoreImpl& store_;
  const std::unique_ptr<base::File> file_;  // without a name until the commit
  const Digest digest_;
  const uint64_t sync_failures_;
  base::Blake3 hash_;
  base::Bytes piece_;  // came after what is written
  uint64_t written_ = 0;
  uint64_t written_out_ = 0;  // the disk has begun with
};

class DiskReader : public BlobReader {
 public:
  DiskReader(DiskStoreImpl& store, DiskStoreMetrics& metrics, std::unique_ptr<base::File> file,
             uint64_t inode, const Digest& digest, const Extent& extent, bool verify)
      : store_(store),
        metrics_(metrics),
        file_(std::move(file)),
        inode_(inode),
        digest_(digest),
        at_(extent.offset_bytes),
        end_(extent.offset_bytes + extent.size_bytes) {
    if (verify) hash_.emplace();
  }

  absl::StatusOr<size_t> Read(absl::Span<uint8_t> out) override {
    SLIPWAY_RETURN_IF_ERROR(failed_);
    const auto wanted = static_cast<size_t>(std::min<uint64_t>(out.size(), end_ - at_));
    if (wanted == 0) return 0;
    const absl::StatusOr<size_t> got = file_->ReadAt(at_, out.first(wanted));
    if (!got.ok()) {
      failed_ = store_.ReadError(digest_, got.status());
      // What the disk cannot give is no blob any more (ZR4).
      if (absl::IsDataLoss(got.status())) {
        (void)store_.Corrupt(digest_, inode_, metrics_.corrupt_read, "input/output error");
      }
      return failed_;
    }
    if (*got < wanted) return Fail(absl::StrCat("the file ends at byte ", at_ + *got));
    if (hash_) hash_->Update(base::BytesView(out.data(), wanted));
    at_ += wanted;
    // Before the last bytes are handed out: the caller has not got the whole when it is wrong.
    if (hash_ && at_ == end_) {
      if (hash_->Finish() != digest_.blake3) return Fail("the bytes have another hash");
      store_.SetVerified(digest_.blake3, true);
    }
    return wanted;
  }

 private:
  absl::Status Fail(absl::string_view reason) {
    failed_ = store_.Corrupt(digest_, inode_, metrics_.corrupt_read, reason);
    return failed_;
  }

  DiskStoreImpl& store_;
  DiskStoreMetrics& metrics_;
  const std::unique_ptr<base::File> file_;
  const uint64_t inode_;
  const Digest digest_;
  uint64_t at_;
  const uint64_t end_;
  std::optional<base::Blake3> hash_;
  absl::Status failed_;
};

}  // namespace

base::Owned<BlobWriter> MakeDiskWriter(DiskStoreImpl& store, Layout& layout, const Digest& digest) {
  base::Owned<base::File> file = layout.temp().CreateTemp();
  if (!file.ok()) return store.WriteError(digest, file.status());
  return std::make_unique<DiskWriter>(store, *std::move(file), digest);
}

base::Owned<BlobReader> MakeDiskReader(DiskStoreImpl& store, DiskStoreMetrics& metrics,
                                       std::unique_ptr<base::File> file, uint64_t inode,
                                       const Digest& digest, const Extent& extent) {
  const bool verify = store.options().verify_first_read && extent.offset_bytes == 0 &&
                      extent.size_bytes == digest.size_bytes && !store.Verified(digest.blake3);
  return std::make_unique<DiskReader>(store, metrics, std::move(file), inode, digest, extent,
                                      verify);
}

}  // namespace slipway::cas
