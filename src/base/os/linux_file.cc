#include "base/os/linux_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/os/beneath.h"
#include "base/os/lock_holder.h"
#include "base/os/random.h"
#include "base/temp_files.h"
#include "base/units.h"

namespace slipway::base::os {
namespace {

constexpr size_t kCopyBytes = 256 * kKiB;

off_t ToOffset(uint64_t bytes) {
  // A larger offset becomes negative, which every call refuses with EINVAL.
  return static_cast<off_t>(bytes);
}

}  // namespace

LinuxFile::~LinuxFile() {
  if (temp_ == Temp::kNamed) unlinkat(temp_dir_->fd.get(), temp_name_.c_str(), 0);
}

absl::StatusOr<size_t> LinuxFile::ReadAt(uint64_t offset_bytes, absl::Span<uint8_t> out) {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t got = RetryInterrupted([&] {
      return pread(fd_.get(), out.data() + done, out.size() - done, ToOffset(offset_bytes + done));
    });
    if (got < 0) return PathError(errno, "read", name_);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

absl::Status LinuxFile::WriteAt(uint64_t offset_bytes, BytesView data) {
  size_t done = 0;
  while (done < data.size()) {
    const ssize_t put = RetryInterrupted([&] {
      return pwrite(fd_.get(), data.data() + done, data.size() - done,
                    ToOffset(offset_bytes + done));
    });
    if (put < 0) return PathError(errno, "write", name_);
    if (put == 0) return PathError(EIO, "write", name_);
    done += static_cast<size_t>(put);
  }
  return absl::OkStatus();
}

absl::Status LinuxFile::Truncate(uint64_t size_bytes) {
  if (RetryInterrupted([&] { return ftruncate(fd_.get(), ToOffset(size_bytes)); }) != 0) {
    return PathError(errno, "truncate", name_);
  }
  return absl::OkStatus();
}

absl::Status LinuxFile::CopyFrom(File& source, uint64_t source_offset_bytes, uint64_t offset_bytes,
                                 uint64_t size_bytes) {
  const auto* from = dynamic_cast<const LinuxFile*>(&source);
  while (from != nullptr && options_.copy_file_range && size_bytes > 0) {
    off_t in = ToOffset(source_offset_bytes);
    off_t out = ToOffset(offset_bytes);
    const ssize_t copied = RetryInterrupted([&] {
      return copy_file_range(from->fd_.get(), &in, fd_.get(), &out,
                             std::min<uint64_t>(size_bytes, kGiB), 0);
    });
    // Every refusal, and the early end that some file systems feign, is left to the plain copy.
    if (copied <= 0) break;
    const auto bytes = static_cast<uint64_t>(copied);
    source_offset_bytes += bytes;
    offset_bytes += bytes;
    size_bytes -= bytes;
  }
  return CopyByBuffer(source, source_offset_bytes, offset_bytes, size_bytes);
}

absl::Status LinuxFile::CopyByBuffer(File& source, uint64_t source_offset_bytes,
                                     uint64_t offset_bytes, uint64_t size_bytes) {
  Bytes buffer(std::min<uint64_t>(size_bytes, kCopyBytes));
  while (size_bytes > 0) {
    const auto out = absl::MakeSpan(buffer).subspan(0, std::min<uint64_t>(size_bytes, kCopyBytes));
    SLIPWAY_ASSIGN_OR_RETURN(const size_t got, source.ReadAt(source_offset_bytes, out));
    SLIPWAY_RETURN_IF_ERROR(WriteAt(offset_bytes, out.subspan(0, got)));
    source_offset_bytes += got;
    offset_bytes += got;
    size_bytes -= got;
    if (got < out.size()) {
      return absl::OutOfRangeError(absl::StrCat("copy to ", name_, ": the source ends ", size_bytes,
                                                " bytes before the end of the range"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::pair<uint64_t, uint64_t>> LinuxFile::NextData(uint64_t offset_bytes) {
  SLIPWAY_ASSIGN_OR_RETURN(const Meta meta, Stat());
  const std::pair<uint64_t, uint64_t> nothing_left(meta.size_bytes, meta.size_bytes);
  if (offset_bytes >= meta.size_bytes) return nothing_left;
  const off_t data = lseek(fd_.get(), ToOffset(offset_bytes), SEEK_DATA);
  if (data < 0) {
    if (errno == ENXIO) return nothing_left;
    if (errno == EINVAL) return std::make_pair(offset_bytes, meta.size_bytes);
    return PathError(errno, "find data in", name_);
  }
  const off_t hole = lseek(fd_.get(), data, SEEK_HOLE);
  if (hole < 0) return PathError(errno, "find a hole in", name_);
  return std::make_pair(static_cast<uint64_t>(data), static_cast<uint64_t>(hole));
}

absl::StatusOr<Meta> LinuxFile::Stat() {
  struct stat info;
  if (fstat(fd_.get(), &info) != 0) return PathError(errno, "stat", name_);
  return MetaOf(info);
}

absl::StatusOr<Xattrs> LinuxFile::GetXattrs() {
  return ReadXattrs(fd_.get(), /*path_only=*/false, name_);
}

absl::Status LinuxFile::SetMeta(const MetaChange& change) {
  SLIPWAY_RETURN_IF_ERROR(CheckChange(change, name_));
  return ApplyMeta(fd_.get(), /*path_only=*/false, change, name_);
}

absl::Status LinuxFile::Sync() {
  if (RetryInterrupted([&] { return fsync(fd_.get()); }) != 0) {
    return PathError(errno, "sync", name_);
  }
  return absl::OkStatus();
}

absl::Status LinuxFile::SyncData() {
  if (RetryInterrupted([&] { return fdatasync(fd_.get()); }) != 0) {
    return PathError(errno, "sync the data of", name_);
  }
  return absl::OkStatus();
}

absl::Status LinuxFile::TryLock() {
  if (RetryInterrupted([&] { return flock(fd_.get(), LOCK_EX | LOCK_NB); }) == 0) {
    return absl::OkStatus();
  }
  if (errno != EWOULDBLOCK) return PathError(errno, "lock", name_);
  struct stat info;
  std::string holder = "another process";
  if (fstat(fd_.get(), &info) == 0) holder = LockHolder(info.st_dev, info.st_ino);
  return absl::AbortedError(absl::StrCat("lock ", name_, ": held by ", holder));
}

void LinuxFile::StartWriting(uint64_t offset_bytes, uint64_t size_bytes) {
  sync_file_range(fd_.get(), ToOffset(offset_bytes), ToOffset(size_bytes), SYNC_FILE_RANGE_WRITE);
}

void LinuxFile::DropCache(uint64_t offset_bytes, uint64_t size_bytes) {
  posix_fadvise(fd_.get(), ToOffset(offset_bytes), ToOffset(size_bytes), POSIX_FADV_DONTNEED);
}

void LinuxFile::MarkTemp(Temp temp, std::shared_ptr<const DirHandle> dir, std::string temp_name) {
  temp_ = temp;
  temp_dir_ = std::move(dir);
  temp_name_ = std::move(temp_name);
}

bool LinuxFile::HoldTemp() {
  RetryInterrupted([&] { return flock(fd_.get(), LOCK_EX | LOCK_NB); });
  struct stat info;
  return fstat(fd_.get(), &info) != 0 || info.st_nlink > 0;
}

// One more name for this file; errno is that of linkat.
absl::Status LinuxFile::LinkTo(const DirHandle& dir, const std::string& name) {
  const int to = dir.fd.get();
  if (temp_ == Temp::kNamed) {
    if (linkat(temp_dir_->fd.get(), temp_name_.c_str(), to, name.c_str(), 0) == 0) {
      return absl::OkStatus();
    }
    return PathError(errno, "publish", JoinPath(dir.name, name));
  }
  // An empty path needs a capability on most kernels; the way through /proc needs /proc.
  if (linkat(fd_.get(), "", to, name.c_str(), AT_EMPTY_PATH) == 0) return absl::OkStatus();
  if (errno == ENOENT || errno == EPERM) {
    const std::string self = absl::StrCat("/proc/self/fd/", fd_.get());
    if (linkat(AT_FDCWD, self.c_str(), to, name.c_str(), AT_SYMLINK_FOLLOW) == 0) {
      return absl::OkStatus();
    }
  }
  return PathError(errno, "publish", JoinPath(dir.name, name));
}

absl::Status LinuxFile::PublishTo(const std::shared_ptr<const DirHandle>& dir,
                                  const std::string& name, RenameMode mode) {
  const std::string shown = JoinPath(dir->name, name);
  if (temp_ == Temp::kNo) {
    return absl::FailedPreconditionError(
        absl::StrCat("publish ", shown, ": not an unpublished temporary file"));
  }
  bool done = false;
  if (temp_ == Temp::kAnonymous || mode == RenameMode::kNoReplace) {
    const absl::Status linked = LinkTo(*dir, name);
    if (!linked.ok() && (mode == RenameMode::kNoReplace || !absl::IsAlreadyExists(linked))) {
      return linked;
    }
    done = linked.ok();
    if (done && temp_ == Temp::kNamed) unlinkat(temp_dir_->fd.get(), temp_name_.c_str(), 0);
  }
  if (!done) {
    // A link never replaces, so the file gets a name of its own first and is renamed. When that
    // fails it keeps the name: the kernel gives a file that had one no other once it is gone.
    if (temp_ == Temp::kAnonymous) {
      HoldTemp();  // before it has the name
      std::string own = absl::StrCat(kTempPrefix, RandomName());
      SLIPWAY_RETURN_IF_ERROR(LinkTo(*dir, own));
      MarkTemp(Temp::kNamed, dir, std::move(own));
    }
    if (renameat(temp_dir_->fd.get(), temp_name_.c_str(), dir->fd.get(), name.c_str()) != 0) {
      return PathError(errno, "publish", shown);
    }
  }
  MarkTemp(Temp::kNo, nullptr, "");
  name_ = shown;
  return absl::OkStatus();
}

}  // namespace slipway::base::os
