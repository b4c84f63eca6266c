#include "eraft/store/leveldb_files.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/bytes.h"
#include "base/digest/crc32c.h"
#include "base/status.h"

namespace slipway::eraft {
namespace {

// Larger than any record: a larger length in a frame is none.
constexpr uint32_t kFrameBytesMax = uint32_t{1} << 30;
constexpr size_t kFrameHeaderBytes = 8;

// A file that LevelDB writes, through the project's own. LevelDB takes an error of one for its end,
// so a write that finds no room is tried again at the same place until there is some.
class RoomyFile : public leveldb::WritableFile {
 public:
  // `dir` is synced with the file: of a MANIFEST, which speaks of files beside it. May be null.
  RoomyFile(std::unique_ptr<base::File> file, std::unique_ptr<base::Dir> dir, DiskRoom& room)
      : file_(std::move(file)), dir_(std::move(dir)), room_(room) {}

  leveldb::Status Append(const leveldb::Slice& data) override {
    buffer_.append(data.data(), data.size());
    return buffer_.size() < kBufferBytes ? leveldb::Status::OK() : Flush();
  }
  leveldb::Status Flush() override {
    if (buffer_.empty()) return leveldb::Status::OK();
    for (;;) {
      absl::Status status = TryWrite(buffer_);
      if (status.ok()) buffer_.clear();
      if (!absl::IsResourceExhausted(status) || !room_.Await()) return ToLevel(status);
    }
  }
  leveldb::Status Sync() override {
    const leveldb::Status flushed = Flush();
    if (!flushed.ok()) return flushed;
    if (dir_ != nullptr) {
      const leveldb::Status synced = ToLevel(dir_->Sync());
      if (!synced.ok()) return synced;
    }
    return ToLevel(file_->SyncData());
  }
  leveldb::Status Close() override {
    const leveldb::Status flushed = Flush();
    file_.reset();
    return flushed;
  }

  // Behind all that was written so; after an error nothing counts of it.
  absl::Status TryWrite(absl::string_view data) {
    if (!room_.Has(data.size())) return absl::ResourceExhaustedError("No space left on device");
    SLIPWAY_RETURN_IF_ERROR(file_->WriteAt(size_, base::AsBytes(data)));
    size_ += data.size();
    return absl::OkStatus();
  }
  DiskRoom& room() { return room_; }

  static leveldb::Status ToLevel(const absl::Status& status) {
    if (status.ok()) return leveldb::Status::OK();
    const std::string text(status.message());
    if (!absl::IsResourceExhausted(status)) return leveldb::Status::IOError(text);
    return leveldb::Status::IOError("No space left on device", text);
  }

 private:
  static constexpr size_t kBufferBytes = 64 << 10;

  std::unique_ptr<base::File> file_;
  const std::unique_ptr<base::Dir> dir_;
  DiskRoom& room_;
  std::string buffer_;
  uint64_t size_ = 0;
};

// A log. A frame that finds no room is kept, with what comes behind it, until there is some: what a
// write leaves need not be durable, and Admit sees to it that not much comes. Only a sync waits.
// After any other error it takes no more: a reader stops at the broken frame, so nothing behind it
// counts.
class FramedWriter : public leveldb::WritableFile {
 public:
  explicit FramedWriter(std::unique_ptr<RoomyFile> file) : file_(std::move(file)) {}
  ~FramedWriter() override { Close(); }
  leveldb::Status Append(const leveldb::Slice& data) override {
    pending_.append(data.data(), data.size());
    return leveldb::Status::OK();
  }
  leveldb::Status Flush() override {
    if (!failed_.ok()) return failed_;
    const absl::Status written = WriteFrame();
    if (absl::IsResourceExhausted(written)) return leveldb::Status::OK();
    return failed_ = RoomyFile::ToLevel(written);
  }
  leveldb::Status Sync() override {
    if (!failed_.ok()) return failed_;
    absl::Status written;
    do {
      written = WriteFrame();
    } while (absl::IsResourceExhausted(written) && file_->room().Await());
    failed_ = RoomyFile::ToLevel(written);
    if (failed_.ok()) failed_ = file_->Sync();
    return failed_;
  }
  // Before LevelDB goes on in the next log, this one is durable: else a later write could survive
  // an earlier one.
  leveldb::Status Close() override {
    if (closed_) return leveldb::Status::OK();
    closed_ = true;
    const leveldb::Status synced = Sync();
    const leveldb::Status closed = file_->Close();
    return synced.ok() ? closed : synced;
  }

 private:
  absl::Status WriteFrame() {
    if (pending_.empty()) return absl::OkStatus();
    const uint32_t crc = base::Crc32c(base::AsBytes(pending_), crc_);
    std::array<uint8_t, kFrameHeaderBytes> header;
    base::StoreLittle(header.data(), static_cast<uint32_t>(pending_.size()));
    base::StoreLittle(header.data() + 4, crc);
    SLIPWAY_RETURN_IF_ERROR(file_->TryWrite(absl::StrCat(base::AsText(header), pending_)));
    crc_ = crc;
    pending_.clear();
    return absl::OkStatus();
  }

  const std::unique_ptr<RoomyFile> file_;
  leveldb::Status failed_;
  std::string pending_;
  uint32_t crc_ = 0;
  bool closed_ = false;
};

// Ends at the first frame that is not whole.
class FramedReader : public leveldb::SequentialFile {
 public:
  explicit FramedReader(std::unique_ptr<leveldb::SequentialFile> file) : file_(std::move(file)) {}

  leveldb::Status Read(size_t n, leveldb::Slice* result, char* scratch) override {
    size_t got = 0;
    while (got < n) {
      if (at_ == frame_.size()) {
        bool there = false;
        const leveldb::Status status = NextFrame(there);
        if (!status.ok()) return status;
        if (!there) break;
      }
      const size_t part = std::min(n - got, frame_.size() - at_);
      std::memcpy(scratch + got, frame_.data() + at_, part);
      got += part;
      at_ += part;
    }
    *result = leveldb::Slice(scratch, got);
    return leveldb::Status::OK();
  }
  leveldb::Status Skip(uint64_t n) override {
    std::string nowhere(n, '\0');
    leveldb::Slice skipped;
    return Read(n, &skipped, nowhere.data());
  }

 private:
  // `out` becomes shorter only at the end of the file.
  leveldb::Status ReadWhole(std::string& out) {
    size_t got = 0;
    while (got < out.size()) {
      leveldb::Slice part;
      const leveldb::Status status = file_->Read(out.size() - got, &part, out.data() + got);
      if (!status.ok()) return status;
      if (part.empty()) break;
      if (part.data() != out.data() + got) std::memmove(&out[got], part.data(), part.size());
      got += part.size();
    }
    out.resize(got);
    return leveldb::Status::OK();
  }
  leveldb::Status NextFrame(bool& there) {
    there = false;
    frame_.clear();
    at_ = 0;
    if (ended_) return leveldb::Status::OK();
    ended_ = true;
    std::string header(kFrameHeaderBytes, '\0');
    leveldb::Status status = ReadWhole(header);
    if (!status.ok() || header.size() < kFrameHeaderBytes) return status;
    const uint8_t* bytes = base::AsBytes(header).data();
    const auto size = base::LoadLittle<uint32_t>(bytes);
    if (size == 0 || size > kFrameBytesMax) return leveldb::Status::OK();
    // Grows as the bytes come: a damaged length must not ask for a gigabyte.
    std::string payload;
    while (payload.size() < size) {
      std::string part(std::min<size_t>(size - payload.size(), 1 << 20), '\0');
      const size_t wanted = part.size();
      status = ReadWhole(part);
      if (!status.ok() || part.size() < wanted) return status;
      payload += part;
    }
    const uint32_t crc = base::Crc32c(base::AsBytes(payload), crc_);
    if (crc != base::LoadLittle<uint32_t>(bytes + 4)) return leveldb::Status::OK();
    crc_ = crc;
    frame_ = std::move(payload);
    there = true;
    ended_ = false;
    return leveldb::Status::OK();
  }

  const std::unique_ptr<leveldb::SequentialFile> file_;
  std::string frame_;
  size_t at_ = 0;
  uint32_t crc_ = 0;
  bool ended_ = false;
};

base::Owned<RoomyFile> Make(base::Dir& dir, const std::string& path, DiskRoom& room) {
  base::OpenOptions options;
  options.write = options.create = options.truncate = true;
  SLIPWAY_ASSIGN_OR_RETURN(auto file, dir.Open(path, options));
  std::unique_ptr<base::Dir> beside;
  const size_t end = path.rfind('/');
  if (end != std::string::npos && absl::StartsWith(path.substr(end), "/MANIFEST")) {
    SLIPWAY_ASSIGN_OR_RETURN(beside, dir.OpenDir(path.substr(0, end)));
  }
  return std::make_unique<RoomyFile>(std::move(file), std::move(beside), room);
}

}  // namespace

LevelDbFiles::LevelDbFiles(std::string root, base::Dir& dir, DiskRoom& room)
    : EnvWrapper(leveldb::Env::Default()), root_(std::move(root)), dir_(dir), room_(room) {
  while (absl::EndsWith(root_, "/")) root_.pop_back();
}

leveldb::Status LevelDbFiles::NewSequentialFile(const std::string& name,
                                                leveldb::SequentialFile** out) {
  const leveldb::Status status = target()->NewSequentialFile(name, out);
  if (status.ok() && absl::EndsWith(name, ".log")) {
    *out = std::make_unique<FramedReader>(std::unique_ptr<leveldb::SequentialFile>(*out)).release();
  }
  return status;
}

leveldb::Status LevelDbFiles::NewWritableFile(const std::string& name,
                                              leveldb::WritableFile** out) {
  // LevelDB names its files as it was given its directory.
  absl::string_view below = absl::string_view(name).substr(root_.size());
  while (absl::ConsumePrefix(&below, "/")) {
  }
  const std::string path(below);
  auto made = Make(dir_, path, room_);
  while (absl::IsResourceExhausted(made.status()) && room_.Await()) made = Make(dir_, path, room_);
  if (!made.ok()) return RoomyFile::ToLevel(made.status());
  if (absl::EndsWith(name, ".log")) {
    *out = std::make_unique<FramedWriter>(*std::move(made)).release();
  } else {
    *out = made->release();
  }
  return leveldb::Status::OK();
}

}  // namespace slipway::eraft
