#include "deploy/repository/repository.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace slipway::deploy {
namespace {

constexpr size_t kKeyBytesMax = 1024;
// Leaves room below 255 for what a file system or a sync tool adds to a name.
constexpr size_t kKeyPartBytesMax = 200;
static_assert(kKeyPartBytesMax < 255);

class FileSource : public base::ByteSource {
 public:
  FileSource(base::File& file, uint64_t size_bytes, CopyProgress progress)
      : file_(file), size_bytes_(size_bytes), progress_(progress) {}

  absl::StatusOr<size_t> Read(absl::Span<uint8_t> out) override {
    const uint64_t left = size_bytes_ - offset_bytes_;
    const auto wanted = static_cast<size_t>(std::min<uint64_t>(left, out.size()));
    SLIPWAY_RETURN_IF_ERROR(progress_(offset_bytes_));
    if (wanted == 0) return size_t{0};
    SLIPWAY_ASSIGN_OR_RETURN(const size_t got, file_.ReadAt(offset_bytes_, out.subspan(0, wanted)));
    offset_bytes_ += got;
    return got;
  }

 private:
  base::File& file_;
  uint64_t size_bytes_;
  CopyProgress progress_;
  uint64_t offset_bytes_ = 0;
};

class TextSource : public base::ByteSource {
 public:
  explicit TextSource(absl::string_view text) : left_(text) {}

  absl::StatusOr<size_t> Read(absl::Span<uint8_t> out) override {
    const size_t count = std::min(left_.size(), out.size());
    if (count > 0) std::memcpy(out.data(), left_.data(), count);
    left_.remove_prefix(count);
    return count;
  }

 private:
  absl::string_view left_;
};

}  // namespace

absl::StatusOr<Object> Repository::PutFile(absl::string_view key, base::File& source,
                                           uint64_t size_bytes, If condition,
                                           CopyProgress progress) {
  FileSource bytes(source, size_bytes, progress);
  return Put(key, bytes, size_bytes, condition);
}

absl::Status GetAtMost(Repository& repository, absl::string_view key, uint64_t limit_bytes,
                       Sink sink) {
  uint64_t got_bytes = 0;
  return repository.Get(key, Range(), [&](base::BytesView bytes) {
    if (bytes.size() > limit_bytes - got_bytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat("read ", key, ": larger than the limit of ", limit_bytes, " bytes"));
    }
    got_bytes += bytes.size();
    return sink(bytes);
  });
}

absl::StatusOr<std::string> GetText(Repository& repository, absl::string_view key,
                                    uint64_t limit_bytes) {
  std::string text;
  SLIPWAY_RETURN_IF_ERROR(GetAtMost(repository, key, limit_bytes, [&](base::BytesView bytes) {
    const absl::string_view part = base::AsText(bytes);
    text.append(part.data(), part.size());
    return absl::OkStatus();
  }));
  return text;
}

absl::Status PutText(Repository& repository, absl::string_view key, absl::string_view text,
                     If condition) {
  TextSource source(text);
  return repository.Put(key, source, text.size(), condition).status();
}

absl::Status CheckKey(absl::string_view key) {
  SLIPWAY_RETURN_IF_ERROR(base::CheckRelative(key));
  const auto wrong = [&](absl::string_view reason) {
    return absl::InvalidArgumentError(absl::StrCat(
        "key '", base::EscapeForTerminal(key.substr(0, kKeyPartBytesMax)), "': ", reason));
  };
  if (key.size() > kKeyBytesMax) return wrong(absl::StrCat("longer than ", kKeyBytesMax, " bytes"));
  for (const absl::string_view part : absl::StrSplit(key, '/')) {
    if (part.size() > kKeyPartBytesMax) {
      return wrong(absl::StrCat("a component is longer than ", kKeyPartBytesMax, " bytes"));
    }
    if (part.front() == '.') return wrong("a component begins with a dot");
  }
  return absl::OkStatus();
}

}  // namespace slipway::deploy
