// A Dir and a File that pass every call on: a test overrides what it wants to be different.
// Thread-safe as what they stand before.
#pragma once

#include <memory>
#include <utility>

#include "base/files.h"

namespace slipway::base::testing {

class ForwardingFile : public File {
 public:
  explicit ForwardingFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
  absl::StatusOr<size_t> ReadAt(uint64_t offset_bytes, absl::Span<uint8_t> out) override {
    return file_->ReadAt(offset_bytes, out);
  }
  absl::Status WriteAt(uint64_t offset_bytes, BytesView data) override {
    return file_->WriteAt(offset_bytes, data);
  }
  absl::Status Truncate(uint64_t size_bytes) override { return file_->Truncate(size_bytes); }
  absl::Status CopyFrom(File& source, uint64_t source_offset_bytes, uint64_t offset_bytes,
                        uint64_t size_bytes) override {
    return file_->CopyFrom(source, source_offset_bytes, offset_bytes, size_bytes);
  }
  absl::StatusOr<std::pair<uint64_t, uint64_t>> NextData(uint64_t offset_bytes) override {
    return file_->NextData(offset_bytes);
  }
  absl::StatusOr<Meta> Stat() override { return file_->Stat(); }
  absl::StatusOr<Xattrs> GetXattrs() override { return file_->GetXattrs(); }
  absl::Status SetMeta(const MetaChange& change) override { return file_->SetMeta(change); }
  absl::Status Sync() override { return file_->Sync(); }
  absl::Status TryLock() override { return file_->TryLock(); }
  void StartWriting(uint64_t offset_bytes, uint64_t size_bytes) override {
    file_->StartWriting(offset_bytes, size_bytes);
  }
  void DropCache(uint64_t offset_bytes, uint64_t size_bytes) override {
    file_->DropCache(offset_bytes, size_bytes);
  }

 protected:
  File& inner() { return *file_; }

 private:
  std::unique_ptr<File> file_;
};

// The other directory of a Rename and the file of a Publish must not be forwarding ones.
class ForwardingDir : public Dir {
 public:
  explicit ForwardingDir(std::unique_ptr<Dir> dir) : dir_(std::move(dir)) {}
  Owned<Dir> OpenDir(absl::string_view path) override { return dir_->OpenDir(path); }
  Owned<File> Open(absl::string_view path, OpenOptions options) override {
    return dir_->Open(path, options);
  }
  Owned<File> CreateTemp() override { return dir_->CreateTemp(); }
  absl::Status Publish(File& temp, absl::string_view name, RenameMode mode) override {
    return dir_->Publish(temp, name, mode);
  }
  absl::Status Rename(absl::string_view from, Dir& to_dir, absl::string_view to,
                      RenameMode mode) override {
    return dir_->Rename(from, to_dir, to, mode);
  }
  absl::Status MakeDir(absl::string_view path, uint32_t mode) override {
    return dir_->MakeDir(path, mode);
  }
  absl::Status Symlink(absl::string_view target, absl::string_view path) override {
    return dir_->Symlink(target, path);
  }
  absl::Status HardLink(absl::string_view existing, absl::string_view path) override {
    return dir_->HardLink(existing, path);
  }
  absl::StatusOr<std::string> ReadLink(absl::string_view path) override {
    return dir_->ReadLink(path);
  }
  absl::StatusOr<Meta> Stat(absl::string_view path) override { return dir_->Stat(path); }
  absl::StatusOr<Xattrs> GetXattrs(absl::string_view path) override {
    return dir_->GetXattrs(path);
  }
  absl::Status SetMeta(absl::string_view path, const MetaChange& change) override {
    return dir_->SetMeta(path, change);
  }
  Owned<DirCursor> List() override { return dir_->List(); }
  absl::Status Remove(absl::string_view path) override { return dir_->Remove(path); }
  absl::Status Sync() override { return dir_->Sync(); }
  absl::Status SyncFilesystem() override { return dir_->SyncFilesystem(); }
  absl::StatusOr<Space> FreeSpace() override { return dir_->FreeSpace(); }

 protected:
  Dir& inner() { return *dir_; }

 private:
  std::unique_ptr<Dir> dir_;
};

}  // namespace slipway::base::testing
