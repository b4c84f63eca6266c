// base::File over a descriptor of Linux. Of base/os only.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <string>

#include "base/files.h"
#include "base/os/fd.h"
#include "base/os/files.h"

namespace slipway::base::os {

// A directory's descriptor, shared by its Dir and the temporary files that still have a name in it.
struct DirHandle {
  Fd fd;
  std::string name;  // for messages
};

Meta MetaOf(const struct stat& info);

// The calls on extended attributes of one object: by descriptor, or through /proc/self/fd for a
// descriptor that was opened with O_PATH.
absl::StatusOr<Xattrs> ReadXattrs(int fd, bool path_only, absl::string_view name);
absl::Status ApplyMeta(int fd, bool path_only, const MetaChange& change, absl::string_view name);
// InvalidArgument for a mode beyond 07777 or an attribute that is not "user.*".
absl::Status CheckChange(const MetaChange& change, absl::string_view name);

class LinuxFile : public File {
 public:
  LinuxFile(Fd fd, std::string name, FilesOptions options)
      : fd_(std::move(fd)), name_(std::move(name)), options_(options) {}
  ~LinuxFile() override;

  absl::StatusOr<size_t> ReadAt(uint64_t offset_bytes, absl::Span<uint8_t> out) override;
  absl::Status WriteAt(uint64_t offset_bytes, BytesView data) override;
  absl::Status Truncate(uint64_t size_bytes) override;
  absl::Status CopyFrom(File& source, uint64_t source_offset_bytes, uint64_t offset_bytes,
                        uint64_t size_bytes) override;
  absl::StatusOr<std::pair<uint64_t, uint64_t>> NextData(uint64_t offset_bytes) override;
  absl::StatusOr<Meta> Stat() override;
  absl::StatusOr<Xattrs> GetXattrs() override;
  absl::Status SetMeta(const MetaChange& change) override;
  absl::Status Sync() override;
  absl::Status SyncData() override;
  absl::Status TryLock() override;
  void StartWriting(uint64_t offset_bytes, uint64_t size_bytes) override;
  void DropCache(uint64_t offset_bytes, uint64_t size_bytes) override;

  // What CreateTemp and Publish of LinuxDir need to know.
  enum class Temp { kNo, kAnonymous, kNamed };
  void MarkTemp(Temp temp, std::shared_ptr<const DirHandle> dir, std::string temp_name);
  // Takes the lock that keeps RemoveStaleTemps away, as far as the file system has locks. False:
  // that was faster, and the file has no name any more.
  bool HoldTemp();
  absl::Status PublishTo(const std::shared_ptr<const DirHandle>& dir, const std::string& name,
                         RenameMode mode);

 private:
  absl::Status LinkTo(const DirHandle& dir, const std::string& name);
  // What copy_file_range cannot do.
  absl::Status CopyByBuffer(File& source, uint64_t source_offset_bytes, uint64_t offset_bytes,
                            uint64_t size_bytes);

  Fd fd_;
  std::string name_;
  FilesOptions options_;
  Temp temp_ = Temp::kNo;
  std::shared_ptr<const DirHandle> temp_dir_;  // kNamed: where temp_name_ is to be removed
  std::string temp_name_;
};

}  // namespace slipway::base::os
