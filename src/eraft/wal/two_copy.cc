#include "eraft/wal/two_copy.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/digest/crc32c.h"
#include "eraft/wal/limits.h"

namespace slipway::eraft::wal {
namespace {

constexpr size_t kGenerationAt = 8;
constexpr size_t kLengthAt = 16;
constexpr size_t kCrcAt = 20;
constexpr uint32_t kMode = 0600;

std::string CopyName(absl::string_view name, int copy) {
  return copy == 0 ? std::string(name) : absl::StrCat(name, ".2");
}

uint32_t CrcOf(base::BytesView header, base::BytesView payload) {
  return base::Crc32c(payload, base::Crc32c(header.subspan(0, kCrcAt)));
}

// As much of a copy as one can have; what is behind it does not count, however much it is.
absl::StatusOr<base::Bytes> ReadBeginning(base::Dir& dir, const std::string& name) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file, dir.Open(name, {}));
  SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, file->Stat());
  base::Bytes bytes(static_cast<size_t>(
      std::min<uint64_t>(meta.size_bytes, kTwoCopyHeaderBytes + kTwoCopyBytesMax)));
  SLIPWAY_ASSIGN_OR_RETURN(const size_t got, file->ReadAt(0, absl::MakeSpan(bytes)));
  bytes.resize(got);
  return bytes;
}

}  // namespace

base::Bytes EncodeTwoCopy(const TwoCopyContents& contents) {
  base::Bytes bytes(kTwoCopyHeaderBytes + contents.payload.size());
  std::memcpy(bytes.data(), kTwoCopyMagic.data(), kTwoCopyMagic.size());
  base::StoreLittle(bytes.data() + kGenerationAt, contents.generation);
  base::StoreLittle(bytes.data() + kLengthAt, static_cast<uint32_t>(contents.payload.size()));
  std::copy(contents.payload.begin(), contents.payload.end(), bytes.begin() + kTwoCopyHeaderBytes);
  base::StoreLittle(bytes.data() + kCrcAt, CrcOf(bytes, contents.payload));
  return bytes;
}

absl::StatusOr<TwoCopyContents> DecodeTwoCopy(base::BytesView bytes) {
  if (bytes.size() < kTwoCopyHeaderBytes) return absl::DataLossError("the header is cut");
  const auto length = base::LoadLittle<uint32_t>(bytes.data() + kLengthAt);
  if (length > bytes.size() - kTwoCopyHeaderBytes) return absl::DataLossError("it is cut");
  const base::BytesView payload = bytes.subspan(kTwoCopyHeaderBytes, length);
  if (base::LoadLittle<uint32_t>(bytes.data() + kCrcAt) != CrcOf(bytes, payload)) {
    return absl::DataLossError("the CRC differs");
  }
  const absl::string_view magic = base::AsText(bytes.subspan(0, kTwoCopyMagic.size()));
  if (magic != kTwoCopyMagic) {
    return absl::FailedPreconditionError(absl::StrCat("format ", base::EscapeForTerminal(magic),
                                                      ", this program reads ", kTwoCopyMagic,
                                                      "; use the version that wrote it"));
  }
  TwoCopyContents contents;
  contents.generation = base::LoadLittle<uint64_t>(bytes.data() + kGenerationAt);
  contents.payload.assign(payload.begin(), payload.end());
  return contents;
}

absl::StatusOr<TwoCopyState> ReadTwoCopy(base::Dir& dir, absl::string_view name) {
  TwoCopyState state;
  for (int copy = 0; copy < 2; ++copy) {
    const auto bytes = ReadBeginning(dir, CopyName(name, copy));
    if (absl::IsNotFound(bytes.status())) continue;
    if (absl::IsDataLoss(bytes.status())) {  // the disk cannot read it: the other may do
      ++state.damaged;
      continue;
    }
    SLIPWAY_RETURN_IF_ERROR(bytes.status());
    absl::StatusOr<TwoCopyContents> contents = DecodeTwoCopy(*bytes);
    if (absl::IsFailedPrecondition(contents.status())) {
      return base::Annotate(contents.status(), absl::StrCat("read ", CopyName(name, copy)));
    }
    if (!contents.ok()) {
      ++state.damaged;
      continue;
    }
    if (state.newest.has_value() && state.newest->generation >= contents->generation) continue;
    state.newest = *std::move(contents);
    state.newest_copy = copy;
  }
  return state;
}

absl::StatusOr<TwoCopyFile> TwoCopyFile::Open(base::Dir& dir, absl::string_view name) {
  SLIPWAY_ASSIGN_OR_RETURN(TwoCopyState state, ReadTwoCopy(dir, name));
  if (!state.newest.has_value()) {
    if (state.damaged == 0) return absl::NotFoundError(absl::StrCat("open ", name, ": not there"));
    return absl::DataLossError(absl::StrCat("open ", name, ": no copy of it can be read (",
                                            state.damaged, " damaged); restore ", name,
                                            " from a backup or rebuild this replica"));
  }
  TwoCopyFile file(dir, name);
  file.generation_ = state.newest->generation;
  file.next_copy_ = 1 - state.newest_copy;
  file.damaged_ = state.damaged;
  SLIPWAY_RETURN_IF_ERROR(file.Write(state.newest->payload));
  return file;
}

absl::StatusOr<TwoCopyFile> TwoCopyFile::Create(base::Dir& dir, absl::string_view name,
                                                base::BytesView payload) {
  for (int copy = 0; copy < 2; ++copy) {
    if (dir.Stat(CopyName(name, copy)).ok()) {
      return absl::AlreadyExistsError(absl::StrCat("create ", name, ": it is there"));
    }
  }
  TwoCopyFile file(dir, name);
  SLIPWAY_RETURN_IF_ERROR(file.Write(payload));
  SLIPWAY_RETURN_IF_ERROR(file.Write(payload));
  return file;
}

absl::Status TwoCopyFile::Write(base::BytesView payload) {
  SLIPWAY_RETURN_IF_ERROR(failed_);
  if (payload.size() > kTwoCopyBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("write ", name_, ": ", payload.size(), " bytes, at most ", kTwoCopyBytesMax));
  }
  TwoCopyContents contents{generation_ + 1, base::Bytes(payload.begin(), payload.end())};
  const int copy = next_copy_;
  const base::Bytes bytes = EncodeTwoCopy(contents);
  const auto write = [&]() -> absl::Status {
    base::Owned<base::File> file = dir_->Open(CopyName(name_, copy), {.write = true});
    if (absl::IsNotFound(file.status())) {
      // Appears whole: a first copy torn by a crash would look like one that was lost.
      return base::WriteFileDurably(*dir_, CopyName(name_, copy), base::AsText(bytes), kMode);
    }
    SLIPWAY_RETURN_IF_ERROR(file.status());
    SLIPWAY_RETURN_IF_ERROR((*file)->WriteAt(0, bytes));
    SLIPWAY_RETURN_IF_ERROR((*file)->SyncData());
    // The name may be new, and which name was durable an earlier process does not tell.
    return named_[copy] ? absl::OkStatus() : dir_->Sync();
  };
  failed_ = base::Annotate(write(), absl::StrCat("write ", CopyName(name_, copy)));
  SLIPWAY_RETURN_IF_ERROR(failed_);
  named_[copy] = true;
  next_copy_ = 1 - copy;
  generation_ = contents.generation;
  payload_ = std::move(contents.payload);
  return absl::OkStatus();
}

}  // namespace slipway::eraft::wal
