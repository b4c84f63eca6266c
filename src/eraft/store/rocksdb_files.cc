#include "eraft/store/rocksdb_files.h"

#include <rocksdb/file_system.h>

#include <cstdint>
#include <utility>

#include "base/mutant.h"

namespace slipway::eraft {
namespace {

thread_local std::string table_of_compaction;

// RocksDB asserts that nothing follows a write that failed, and does not keep to it. So a write
// that finds no room is tried again, at the same place, until there is some. Where that is given
// up, the rest of the file is dropped in silence, and the sync, without which no file counts, says
// so.
class RoomyFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  RoomyFile(std::unique_ptr<rocksdb::FSWritableFile> file, DiskRoom& room, bool of_compaction)
      : FSWritableFileOwnerWrapper(std::move(file)), room_(room), of_compaction_(of_compaction) {}

  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override {
    while (!given_up_) {
      // A compaction can be done another day; what it has written goes with it.
      if (of_compaction_ && !room_.HasPlenty()) break;
      if (room_.Has(data.size())) {
        rocksdb::IOStatus status = target()->PositionedAppend(data, size_, options, debug);
        if (status.ok()) size_ += data.size();
        if (!status.IsNoSpace()) return status;
      }
      if (of_compaction_ || !room_.Await()) break;
    }
    given_up_ = true;
    return rocksdb::IOStatus::OK();
  }
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           const rocksdb::DataVerificationInfo& /*unused*/,
                           rocksdb::IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  rocksdb::IOStatus Sync(const rocksdb::IOOptions& options,
                         rocksdb::IODebugContext* debug) override {
    return given_up_ ? NoRoom() : FSWritableFileOwnerWrapper::Sync(options, debug);
  }
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options,
                          rocksdb::IODebugContext* debug) override {
    return given_up_ ? NoRoom() : FSWritableFileOwnerWrapper::Fsync(options, debug);
  }

 private:
  static rocksdb::IOStatus NoRoom() { return rocksdb::IOStatus::NoSpace("no room on the disk"); }

  DiskRoom& room_;
  const bool of_compaction_;
  uint64_t size_ = 0;
  bool given_up_ = false;
};

class RoomyFiles : public rocksdb::FileSystemWrapper {
 public:
  explicit RoomyFiles(DiskRoom& room)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), room_(room) {}
  const char* Name() const override { return "slipway.RoomyFiles"; }
  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* out,
                                    rocksdb::IODebugContext* debug) override {
    const bool of_compaction = name == table_of_compaction;
    rocksdb::IOStatus status;
    do {
      status = FileSystemWrapper::NewWritableFile(name, options, out, debug);
    } while (status.IsNoSpace() && !of_compaction && room_.Await());
    if (status.ok() && !SLIPWAY_MUTANT("eraft-engine-meets-full-disk")) {
      *out = std::make_unique<RoomyFile>(std::move(*out), room_, of_compaction);
    }
    return status;
  }

 private:
  DiskRoom& room_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> RocksDbEnv(DiskRoom& room) {
  return rocksdb::NewCompositeEnv(std::make_shared<RoomyFiles>(room));
}

void NoteTableOfCompaction(std::string path) { table_of_compaction = std::move(path); }

}  // namespace slipway::eraft
