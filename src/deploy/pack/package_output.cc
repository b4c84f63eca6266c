#include "deploy/pack/package_output.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/mutant.h"
#include "base/status.h"
#include "deploy/model/errors.h"

namespace slipway::deploy {
namespace {
constexpr size_t kWriteBytes = 256 << 10;
constexpr size_t kHashBytes = 2 << 20;  // handed to the hashing jobs at a time
}  // namespace

PackageOutput::PackageOutput(base::Dir& dir, base::Pool& pool, std::string name, uint32_t mode,
                             std::unique_ptr<base::File> file)
    : dir_(dir), name_(std::move(name)), mode_(mode), file_(std::move(file)), jobs_(pool) {}
PackageOutput::~PackageOutput() = default;

absl::Status PackageOutput::FileError(const absl::Status& status) const {
  return Wrap(status, FileErrorCode(status, Dt::kStorage), absl::StrCat("write ", name_));
}

absl::StatusOr<std::unique_ptr<PackageOutput>> PackageOutput::Create(base::Dir& dir,
                                                                     base::Pool& pool,
                                                                     std::string name,
                                                                     uint32_t mode) {
  base::Owned<base::File> file = dir.CreateTemp();
  if (!file.ok()) {
    return Wrap(file.status(), FileErrorCode(file.status(), Dt::kStorage),
                absl::StrCat("write ", name));
  }
  return std::unique_ptr<PackageOutput>(
      new PackageOutput(dir, pool, std::move(name), mode, *std::move(file)));
}

absl::Status PackageOutput::Append(base::BytesView data) {
  // A frame of zstd may be larger than what is hashed at a time, and shall not be held twice.
  while (!data.empty()) {
    const base::BytesView part = data.subspan(0, kHashBytes - filling_.size());
    data.remove_prefix(part.size());
    SLIPWAY_RETURN_IF_ERROR(AppendPart(part));
  }
  return absl::OkStatus();
}

absl::Status PackageOutput::AppendPart(base::BytesView data) {
  filling_.insert(filling_.end(), data.begin(), data.end());
  size_bytes_ += data.size();
  // The first bytes at once (D8), then not every header of an uncompressed package by itself.
  if (written_bytes_ == 0 || size_bytes_ - written_bytes_ >= kWriteBytes) {
    SLIPWAY_RETURN_IF_ERROR(Write());
  }
  if (filling_.size() < kHashBytes) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(Write());
  Hash();
  return absl::OkStatus();
}

absl::Status PackageOutput::Write() {
  const size_t pending = static_cast<size_t>(size_bytes_ - written_bytes_);
  if (pending == 0) return absl::OkStatus();
  SLIPWAY_CHECK(pending <= filling_.size());
  const base::BytesView data(filling_.data() + (filling_.size() - pending), pending);
  SLIPWAY_RETURN_IF_ERROR(FileError(file_->WriteAt(written_bytes_, data)));
  written_bytes_ = size_bytes_;
  return absl::OkStatus();
}

void PackageOutput::Hash() {
  jobs_.Wait();  // what was handed out before
  std::swap(filling_, hashing_);
  filling_.clear();
  jobs_.Run([this] { whole_hash_.Update(hashing_); });
  jobs_.Run([this] {
    base::BytesView rest = hashing_;
    while (!rest.empty()) {
      const size_t size = std::min<uint64_t>(rest.size(), kPieceBytes - piece_bytes_);
      piece_hash_.Update(rest.subspan(0, size));
      rest.remove_prefix(size);
      piece_bytes_ += size;
      if (piece_bytes_ < kPieceBytes) continue;
      const base::Sha256Digest digest = piece_hash_.Finish();
      pieces_.insert(pieces_.end(), digest.begin(), digest.end());
      piece_bytes_ = 0;
    }
  });
}

absl::Status PackageOutput::Finish() {
  SLIPWAY_RETURN_IF_ERROR(Write());
  Hash();
  jobs_.Wait();
  filling_ = base::Bytes();  // the package's stay no longer when its index is made
  hashing_ = base::Bytes();
  sha256_ = whole_hash_.Finish();
  if (piece_bytes_ > 0) {
    const base::Sha256Digest digest = piece_hash_.Finish();
    pieces_.insert(pieces_.end(), digest.begin(), digest.end());
  }
  SLIPWAY_RETURN_IF_ERROR(FileError(file_->SetMeta({.mode = mode_, .mtime = {}, .xattrs = {}})));
  if (SLIPWAY_MUTANT("no-fsync")) return absl::OkStatus();
  return FileError(file_->Sync());
}

absl::Status PackageOutput::Publish(bool replace) {
  return FileError(dir_.Publish(
      *file_, name_, replace ? base::RenameMode::kReplace : base::RenameMode::kNoReplace));
}

}  // namespace slipway::deploy
