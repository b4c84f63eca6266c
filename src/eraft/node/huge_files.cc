#include "eraft/node/huge_files.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/status.h"
#include "base/testing/forwarding_files.h"
#include "eraft/store/forwarding_engine.h"
#include "eraft/store/memory_engine.h"

namespace slipway::eraft {
namespace {

constexpr absl::string_view kPrefix = "huge";
constexpr size_t kCompareBytes = 64 << 10;
constexpr uint64_t kStride = 0x9E3779B97F4A7C15;  // odd: each word of a file is another one

// The number of the huge file at `path`.
std::optional<uint64_t> NumberOf(absl::string_view path) {
  const absl::string_view name = base::SplitPath(path).second;
  uint64_t number = 0;
  if (!absl::StartsWith(name, kPrefix)) return std::nullopt;
  if (!absl::SimpleAtoi(name.substr(kPrefix.size()), &number)) return std::nullopt;
  return number;
}

absl::StatusOr<uint64_t> LengthIn(base::File& file) {
  uint8_t bytes[8];
  SLIPWAY_ASSIGN_OR_RETURN(const size_t size, file.ReadAt(0, absl::MakeSpan(bytes)));
  return size < sizeof(bytes) ? 0 : base::LoadLittle<uint64_t>(bytes);
}

absl::Status SetLengthIn(base::File& file, uint64_t length_bytes) {
  uint8_t bytes[8];
  base::StoreLittle(bytes, length_bytes);
  return file.WriteAt(0, bytes);
}

class HugeFile final : public base::testing::ForwardingFile {
 public:
  HugeFile(std::unique_ptr<base::File> length, uint64_t number)
      : ForwardingFile(std::move(length)), number_(number) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset_bytes, absl::Span<uint8_t> out) override {
    SLIPWAY_ASSIGN_OR_RETURN(const uint64_t length_bytes, LengthIn(inner()));
    if (offset_bytes >= length_bytes) return 0;
    const size_t size = std::min<uint64_t>(out.size(), length_bytes - offset_bytes);
    MakeHugeBytes(number_, offset_bytes, out.subspan(0, size));
    return size;
  }

  absl::Status WriteAt(uint64_t offset_bytes, base::BytesView data) override {
    SLIPWAY_ASSIGN_OR_RETURN(const uint64_t length_bytes, LengthIn(inner()));
    if (offset_bytes != length_bytes) {
      return absl::InternalError(absl::StrCat("write huge file ", number_, " at ", offset_bytes,
                                              ": it has ", length_bytes, " bytes"));
    }
    uint8_t expected[kCompareBytes];
    for (size_t done = 0; done < data.size();) {
      const size_t size = std::min(data.size() - done, kCompareBytes);
      MakeHugeBytes(number_, offset_bytes + done, absl::MakeSpan(expected, size));
      if (std::memcmp(expected, data.data() + done, size) != 0) {
        return absl::InternalError(absl::StrCat("write huge file ", number_, " at ",
                                                offset_bytes + done, ": not the bytes of there"));
      }
      done += size;
    }
    return SetLengthIn(inner(), offset_bytes + data.size());
  }

  absl::Status Truncate(uint64_t size_bytes) override { return SetLengthIn(inner(), size_bytes); }
  absl::Status CopyFrom(base::File&, uint64_t, uint64_t, uint64_t) override {
    return absl::UnimplementedError("a huge file is linked, not copied");
  }
  absl::StatusOr<base::Meta> Stat() override {
    SLIPWAY_ASSIGN_OR_RETURN(base::Meta meta, ForwardingFile::Stat());
    SLIPWAY_ASSIGN_OR_RETURN(meta.size_bytes, LengthIn(inner()));
    return meta;
  }

 private:
  const uint64_t number_;
};

class HugeDir final : public base::testing::ForwardingDir {
 public:
  using ForwardingDir::ForwardingDir;

  base::Owned<base::Dir> OpenDir(absl::string_view path) override {
    SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<base::Dir> dir, inner().OpenDir(path));
    return std::make_unique<HugeDir>(std::move(dir));
  }
  base::Owned<base::File> Open(absl::string_view path, base::OpenOptions options) override {
    SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<base::File> file, inner().Open(path, options));
    const auto number = NumberOf(path);
    if (!number.has_value()) return file;
    return std::make_unique<HugeFile>(std::move(file), *number);
  }
  absl::Status Rename(absl::string_view from, base::Dir& to_dir, absl::string_view to,
                      base::RenameMode mode) override {
    auto* const huge = dynamic_cast<HugeDir*>(&to_dir);
    return inner().Rename(from, huge == nullptr ? to_dir : huge->inner(), to, mode);
  }
  absl::StatusOr<base::Meta> Stat(absl::string_view path) override {
    SLIPWAY_ASSIGN_OR_RETURN(base::Meta meta, inner().Stat(path));
    if (!NumberOf(path).has_value()) return meta;
    SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file, inner().Open(path, {}));
    SLIPWAY_ASSIGN_OR_RETURN(meta.size_bytes, LengthIn(*file));
    return meta;
  }
  // The file of a huge one's length, made anew.
  absl::Status MakeHuge(absl::string_view path, uint64_t size_bytes) {
    base::OpenOptions options;
    options.write = options.create = true;
    SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file, inner().Open(path, options));
    SLIPWAY_RETURN_IF_ERROR(SetLengthIn(*file, size_bytes));
    return file->Sync();
  }
};

class HugeEngine final : public ForwardingEngine {
 public:
  HugeEngine(HugeDir& root, std::vector<uint64_t> sizes_bytes, std::unique_ptr<Engine> engine)
      : ForwardingEngine(std::move(engine)), root_(root), sizes_bytes_(std::move(sizes_bytes)) {}
  absl::Status Checkpoint(absl::string_view path) override {
    SLIPWAY_RETURN_IF_ERROR(ForwardingEngine::Checkpoint(path));
    for (size_t i = 0; i < sizes_bytes_.size(); ++i) {
      SLIPWAY_RETURN_IF_ERROR(root_.MakeHuge(base::JoinPath(path, HugeName(i)), sizes_bytes_[i]));
    }
    return absl::OkStatus();
  }

 private:
  HugeDir& root_;
  const std::vector<uint64_t> sizes_bytes_;
};

class Home final : public EngineHome {
 public:
  Home(HugeDir& root, std::vector<uint64_t> sizes_bytes)
      : root_(root), sizes_bytes_(std::move(sizes_bytes)), home_(MemoryHome(&root)) {}
  base::Owned<Engine> Open(absl::string_view path) override {
    SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, home_->Open(path));
    return std::make_unique<HugeEngine>(root_, sizes_bytes_, std::move(engine));
  }
  EngineKind kind() const override { return home_->kind(); }
  bool IsImmutable(absl::string_view file_name) const override {
    return NumberOf(file_name).has_value();
  }

 private:
  HugeDir& root_;
  const std::vector<uint64_t> sizes_bytes_;
  const std::unique_ptr<EngineHome> home_;
};

}  // namespace

std::string HugeName(uint64_t number) { return absl::StrCat(kPrefix, number); }

void MakeHugeBytes(uint64_t number, uint64_t offset_bytes, absl::Span<uint8_t> out) {
  SLIPWAY_CHECK(offset_bytes % 8 == 0);
  // The file's number takes the place of bits that no offset reaches.
  uint64_t word = ((number << 56) + offset_bytes / 8 + 1) * kStride;
  size_t done = 0;
  for (; done + 8 <= out.size(); done += 8, word += kStride) {
    std::memcpy(out.data() + done, &word, 8);
  }
  if (done < out.size()) std::memcpy(out.data() + done, &word, out.size() - done);
}

std::unique_ptr<base::Dir> HugeDisk(std::unique_ptr<base::Dir> disk) {
  return std::make_unique<HugeDir>(std::move(disk));
}

std::unique_ptr<EngineHome> HugeHome(base::Dir& root, std::vector<uint64_t> sizes_bytes) {
  auto* const disk = dynamic_cast<HugeDir*>(&root);
  SLIPWAY_CHECK(disk != nullptr);
  return std::make_unique<Home>(*disk, std::move(sizes_bytes));
}

}  // namespace slipway::eraft
