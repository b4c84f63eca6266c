// base::Dir over a descriptor of Linux. Of base/os only.
#pragma once

#include <memory>
#include <string>

#include "base/files.h"
#include "base/os/beneath.h"
#include "base/os/linux_file.h"

namespace slipway::base::os {

class LinuxDir : public Dir {
 public:
  LinuxDir(Fd fd, std::string name, FilesOptions options)
      : handle_(std::make_shared<DirHandle>(DirHandle{std::move(fd), std::move(name)})),
        options_(options) {}

  Owned<Dir> OpenDir(absl::string_view path) override;
  Owned<File> Open(absl::string_view path, OpenOptions options) override;
  Owned<File> CreateTemp() override;
  absl::Status Publish(File& temp, absl::string_view name, RenameMode mode) override;
  absl::Status Rename(absl::string_view from, Dir& to_dir, absl::string_view to,
                      RenameMode mode) override;
  absl::Status MakeDir(absl::string_view path, uint32_t mode) override;
  absl::Status Symlink(absl::string_view target, absl::string_view path) override;
  absl::Status HardLink(absl::string_view existing, absl::string_view path) override;
  absl::StatusOr<std::string> ReadLink(absl::string_view path) override;
  absl::StatusOr<Meta> Stat(absl::string_view path) override;
  absl::StatusOr<Xattrs> GetXattrs(absl::string_view path) override;
  absl::Status SetMeta(absl::string_view path, const MetaChange& change) override;
  Owned<DirCursor> List() override;
  absl::Status Remove(absl::string_view path) override;
  absl::Status Sync() override;
  absl::Status SyncFilesystem() override;
  absl::StatusOr<Space> FreeSpace() override;

 private:
  int fd() const { return handle_->fd.get(); }
  // `path` for messages.
  std::string Shown(absl::string_view path) const;
  absl::Status Error(int error, absl::string_view what, absl::string_view path) const;
  // Opens a file, creating it where asked; `created` tells whether this call did.
  Fd OpenFile(absl::string_view path, const OpenOptions& options, bool& created) const;

  std::shared_ptr<const DirHandle> handle_;
  FilesOptions options_;
};

}  // namespace slipway::base::os
