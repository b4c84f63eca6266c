#include "deploy/pack/file_writer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "deploy/model/errors.h"
#include "deploy/pack/hash_zeros.h"
#include "deploy/pack/names.h"

namespace slipway::deploy {
namespace {

constexpr uint64_t kSmallBytesMax = 64 << 10;
constexpr size_t kBatchFiles = 64;
constexpr uint64_t kBatchBytes = 1 << 20;
constexpr size_t kBatchesWaiting = 4;  // beside one for each thread
constexpr size_t kBufferBytes = 1 << 20;

// Sets what the member says; where attributes cannot be kept, the rest. Counts that.
absl::Status SetFinalMeta(base::File& file, const base::MetaChange& meta, uint64_t& xattrs_lost) {
  const absl::Status set = file.SetMeta(meta);
  if (!absl::IsUnimplemented(set) || !meta.xattrs.has_value()) return set;
  ++xattrs_lost;
  return file.SetMeta({.mode = meta.mode, .mtime = meta.mtime, .xattrs = {}});
}

base::Owned<base::File> Create(const Place& place) {
  return place.dir->Open(place.name, {.read = false,
                                      .write = true,
                                      .create = true,
                                      .exclusive = true,
                                      .truncate = false,
                                      .mode = 0600});
}

}  // namespace

struct FileWriter::Small {
  Place place;
  std::string path;
  size_t index = 0;
  base::MetaChange meta;
  base::Bytes data;
  base::Blake3Digest digest{};
};

struct FileWriter::Batch {
  std::vector<Small> files;
  uint64_t bytes = 0;
  absl::Status status;
  uint64_t xattrs_lost = 0;
  std::atomic<bool> done = false;

  void Run() {
    for (Small& file : files) {
      status = CreationError(WriteOne(file), file.path);
      file.place.dir.reset();  // a descriptor; the batch may wait long to be collected
      file.data = base::Bytes();
      if (!status.ok()) break;
    }
    done.store(true, std::memory_order_release);
  }
  absl::Status WriteOne(Small& small) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file, Create(small.place));
    if (!small.data.empty()) SLIPWAY_RETURN_IF_ERROR(file->WriteAt(0, small.data));
    small.digest = base::Blake3Of(small.data);
    return SetFinalMeta(*file, small.meta, xattrs_lost);
  }
};

FileWriter::FileWriter(FolderCache& folders, base::Pool& pool)
    : folders_(folders), pool_(pool), filling_(std::make_shared<Batch>()), jobs_(pool) {}
FileWriter::~FileWriter() = default;

absl::Status FileWriter::Write(const TarMember& member, size_t index, const base::MetaChange& meta,
                               TarReader& reader, const base::CancelToken& cancel,
                               absl::FunctionRef<void(uint64_t)> progress) {
  SLIPWAY_ASSIGN_OR_RETURN(Place place, folders_.Find(member.path));
  if (member.sparse || member.size_bytes > kSmallBytesMax) {
    return WriteLarge(member, index, meta, place, reader, cancel, progress);
  }
  Small small{.place = std::move(place),
              .path = member.path,
              .index = index,
              .meta = meta,
              .data = base::Bytes(member.size_bytes),
              .digest = {}};
  for (size_t done = 0; done < small.data.size();) {
    SLIPWAY_ASSIGN_OR_RETURN(const TarPiece piece,
                             reader.Read(absl::MakeSpan(small.data).subspan(done)));
    done += piece.size;
  }
  progress(member.size_bytes);
  filling_->bytes += member.size_bytes;
  filling_->files.push_back(std::move(small));
  if (filling_->files.size() < kBatchFiles && filling_->bytes < kBatchBytes)
    return absl::OkStatus();
  SendBatch();
  return CollectFinished();
}

absl::Status FileWriter::WriteLarge(const TarMember& member, size_t index,
                                    const base::MetaChange& meta, const Place& place,
                                    TarReader& reader, const base::CancelToken& cancel,
                                    absl::FunctionRef<void(uint64_t)> progress) {
  base::Owned<base::File> created = Create(place);
  if (!created.ok()) return CreationError(created.status(), member.path);
  base::File& file = **created;
  buffer_.resize(kBufferBytes);
  base::Blake3 hash;
  uint64_t end = 0;
  while (true) {
    SLIPWAY_RETURN_IF_ERROR(CheckCancelled(cancel, "extract package"));
    SLIPWAY_ASSIGN_OR_RETURN(const TarPiece piece, reader.Read(absl::MakeSpan(buffer_)));
    if (piece.size == 0) break;
    const base::BytesView data(buffer_.data(), piece.size);
    SLIPWAY_RETURN_IF_ERROR(CreationError(file.WriteAt(piece.offset, data), member.path));
    SLIPWAY_RETURN_IF_ERROR(HashZeros(hash, piece.offset - end, cancel, "extract package"));
    hash.Update(data);
    end = piece.offset + piece.size;
    progress(piece.size);
  }
  if (end < member.size_bytes) {  // a hole at the end
    SLIPWAY_RETURN_IF_ERROR(CreationError(file.Truncate(member.size_bytes), member.path));
    SLIPWAY_RETURN_IF_ERROR(HashZeros(hash, member.size_bytes - end, cancel, "extract package"));
  }
  digests_.emplace_back(index, hash.Finish());
  return CreationError(SetFinalMeta(file, meta, xattrs_lost_), member.path);
}

void FileWriter::SendBatch() {
  if (filling_->files.empty()) return;
  std::shared_ptr<Batch> batch = std::move(filling_);
  filling_ = std::make_shared<Batch>();
  sent_.push_back(batch);
  jobs_.Run([batch = std::move(batch)] { batch->Run(); });
  jobs_.WaitUntil(static_cast<size_t>(pool_.threads()) + kBatchesWaiting);
}

absl::Status FileWriter::CollectFinished() {
  while (!sent_.empty() && sent_.front()->done.load(std::memory_order_acquire)) {
    const std::shared_ptr<Batch> batch = std::move(sent_.front());
    sent_.pop_front();
    if (!batch->status.ok()) return std::move(batch->status);
    xattrs_lost_ += batch->xattrs_lost;
    for (const Small& small : batch->files) digests_.emplace_back(small.index, small.digest);
  }
  return absl::OkStatus();
}

absl::Status FileWriter::Finish(
    absl::FunctionRef<void(size_t index, const base::Blake3Digest&)> result) {
  SendBatch();
  jobs_.Wait();
  SLIPWAY_RETURN_IF_ERROR(CollectFinished());
  for (const auto& [index, digest] : digests_) result(index, digest);
  digests_.clear();
  return absl::OkStatus();
}

}  // namespace slipway::deploy
