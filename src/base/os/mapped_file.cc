#include "base/os/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/os/beneath.h"
#include "base/os/fd.h"

namespace slipway::base::os {

Owned<MappedFile> MappedFile::Open(absl::string_view path) {
  const Fd fd(open(std::string(path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!fd.valid() || fstat(fd.get(), &info) != 0) return PathError(errno, "map", path);
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat("map ", path, ": it is no file"));
  }
  const auto size = static_cast<size_t>(info.st_size);
  const uint32_t mode = info.st_mode & 07777;
  if (size == 0) return std::unique_ptr<MappedFile>(new MappedFile({}, info.st_uid, mode));
  void* const at = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (at == MAP_FAILED) return PathError(errno, "map", path);
  // Fewer page faults where the kernel can; advice only.
  madvise(at, size, MADV_HUGEPAGE);
  return std::unique_ptr<MappedFile>(
      new MappedFile({static_cast<const uint8_t*>(at), size}, info.st_uid, mode));
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<uint8_t*>(bytes_.data()), bytes_.size());
}

}  // namespace slipway::base::os
