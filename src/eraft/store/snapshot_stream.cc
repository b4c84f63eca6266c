#include "eraft/store/snapshot_stream.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/digest/crc32c.h"
#include "base/mutant.h"
#include "eraft/store/limits.h"

namespace slipway::eraft {
namespace {

constexpr size_t kHeaderBytes = 16;  // file, offset, CRC
constexpr absl::string_view kPartSuffix = ".part";

uint32_t ChunkCrc(const base::Sha256Digest& manifest, base::BytesView header,
                  base::BytesView data) {
  return base::Crc32c(data, base::Crc32c(header, base::Crc32c(manifest)));
}

absl::Status Damaged(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("chunk of a snapshot: ", what));
}

// Puts the header before the data of `chunk`, which stand behind it already.
void Seal(const base::Sha256Digest& manifest, uint32_t file, uint64_t offset_bytes,
          absl::Span<uint8_t> chunk) {
  base::StoreLittle(chunk.data(), file);
  base::StoreLittle(chunk.data() + 4, offset_bytes);
  base::StoreLittle(chunk.data() + 12,
                    ChunkCrc(manifest, chunk.subspan(0, 12), chunk.subspan(kHeaderBytes)));
}

struct ChunkView {
  uint32_t file = 0;
  uint64_t offset_bytes = 0;
  base::BytesView data;
};

absl::StatusOr<ChunkView> ViewChunk(const base::Sha256Digest& manifest, base::BytesView bytes) {
  if (bytes.size() < kHeaderBytes || bytes.size() > kHeaderBytes + kSnapshotChunkBytes) {
    return Damaged(absl::StrCat(bytes.size(), " bytes"));
  }
  const base::BytesView data = bytes.subspan(kHeaderBytes);
  if (base::LoadLittle<uint32_t>(bytes.data() + 12) !=
      ChunkCrc(manifest, bytes.subspan(0, 12), data)) {
    return Damaged("its checksum does not match, or it belongs to another snapshot");
  }
  return ChunkView{.file = base::LoadLittle<uint32_t>(bytes.data()),
                   .offset_bytes = base::LoadLittle<uint64_t>(bytes.data() + 4),
                   .data = data};
}

// A list may say anything: what is beyond counting is more than any disk has.
uint64_t BytesOf(const Manifest& manifest) {
  uint64_t bytes = 0;
  for (const SnapshotFile& file : manifest.files) {
    bytes += std::min(file.size_bytes, std::numeric_limits<uint64_t>::max() - bytes);
  }
  return bytes;
}

// Removes what was received of other snapshots of the group.
absl::Status RemoveOtherParts(base::Dir& snapshots, GroupId group, absl::string_view keep) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(snapshots));
  for (const std::string& text : names) {
    if (!absl::EndsWith(text, kPartSuffix) || text == keep) continue;
    const auto name =
        ParseSnapshotName(absl::string_view(text).substr(0, text.size() - kPartSuffix.size()));
    if (name.has_value() && name->group != group) continue;
    SLIPWAY_RETURN_IF_ERROR(base::RemoveTree(snapshots, text));
  }
  return absl::OkStatus();
}

// After a sync that failed nobody can tell what of the folder is durable, and the next sync says OK
// of what it is not: so the next attempt begins with nothing.
void Forget(base::Dir& root, absl::string_view path) {
  if (!SLIPWAY_MUTANT("eraft-resume-after-failed-sync")) base::RemoveTree(root, path).IgnoreError();
}

// The folder of a transfer, with nothing but its MANIFEST, durably.
absl::Status MakePart(base::Dir& root, base::Dir& parent, absl::string_view path,
                      absl::string_view manifest_bytes) {
  SLIPWAY_RETURN_IF_ERROR(root.MakeDir(path, 0700));
  SLIPWAY_RETURN_IF_ERROR(root.MakeDir(base::JoinPath(path, kSnapshotFilesDir), 0700));
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::Dir> dir, root.OpenDir(path));
  SLIPWAY_RETURN_IF_ERROR(base::WriteFileDurably(*dir, kManifestName, manifest_bytes, 0600));
  return parent.Sync();
}

}  // namespace

base::Bytes EncodeChunk(const base::Sha256Digest& manifest, const SnapshotChunk& chunk) {
  SLIPWAY_CHECK(chunk.data.size() <= kSnapshotChunkBytes);
  base::Bytes out(kHeaderBytes);
  out.insert(out.end(), chunk.data.begin(), chunk.data.end());
  Seal(manifest, chunk.file, chunk.offset_bytes, absl::MakeSpan(out));
  return out;
}

absl::StatusOr<SnapshotChunk> DecodeChunk(const base::Sha256Digest& manifest,
                                          base::BytesView bytes) {
  SLIPWAY_ASSIGN_OR_RETURN(const ChunkView chunk, ViewChunk(manifest, bytes));
  return SnapshotChunk{.file = chunk.file,
                       .offset_bytes = chunk.offset_bytes,
                       .data = base::Bytes(chunk.data.begin(), chunk.data.end())};
}

// ---- Reader ----

SnapshotReader::SnapshotReader(std::unique_ptr<base::Dir> files, std::string manifest_bytes,
                               Manifest manifest)
    : files_(std::move(files)),
      manifest_bytes_(std::move(manifest_bytes)),
      manifest_(std::move(manifest)),
      digest_(base::Sha256Of(base::AsBytes(manifest_bytes_))) {}

base::Owned<SnapshotReader> SnapshotReader::Open(base::Dir& root, const SnapshotName& name) {
  SLIPWAY_ASSIGN_OR_RETURN(Manifest manifest, ReadManifest(root, name));
  const std::string path = SnapshotPath(name);
  SLIPWAY_ASSIGN_OR_RETURN(
      std::string bytes,
      base::ReadFile(root, base::JoinPath(path, kManifestName), kManifestBytesMax));
  SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<base::Dir> files,
                           root.OpenDir(base::JoinPath(path, kSnapshotFilesDir)));
  return std::unique_ptr<SnapshotReader>(
      new SnapshotReader(std::move(files), std::move(bytes), std::move(manifest)));
}

absl::Status SnapshotReader::Seek(uint32_t file) {
  if (file > manifest_.files.size()) {
    return absl::OutOfRangeError(
        absl::StrCat("file ", file, " of a snapshot of ", manifest_.files.size()));
  }
  file_number_ = file;
  offset_bytes_ = 0;
  file_ = nullptr;
  return absl::OkStatus();
}

absl::StatusOr<std::optional<base::Bytes>> SnapshotReader::Next() {
  if (file_number_ == manifest_.files.size()) return std::nullopt;
  const SnapshotFile& file = manifest_.files[file_number_];
  if (file_ == nullptr) {
    SLIPWAY_ASSIGN_OR_RETURN(file_, files_->Open(file.name, {}));
  }
  base::Bytes chunk(kHeaderBytes +
                    std::min<uint64_t>(file.size_bytes - offset_bytes_, kSnapshotChunkBytes));
  const absl::Span<uint8_t> data = absl::MakeSpan(chunk).subspan(kHeaderBytes);
  SLIPWAY_ASSIGN_OR_RETURN(const size_t size, file_->ReadAt(offset_bytes_, data));
  if (size < data.size()) {
    return absl::DataLossError(
        absl::StrCat("file ", file.name, " of a snapshot is shorter than MANIFEST says"));
  }
  Seal(digest_, file_number_, offset_bytes_, absl::MakeSpan(chunk));
  offset_bytes_ += size;
  if (offset_bytes_ == file.size_bytes) SLIPWAY_RETURN_IF_ERROR(Seek(file_number_ + 1));
  return chunk;
}

// ---- Writer ----

SnapshotWriter::SnapshotWriter(base::Dir& root, std::string path, std::unique_ptr<base::Dir> files,
                               Manifest manifest, const base::Sha256Digest& digest)
    : root_(root),
      path_(std::move(path)),
      files_(std::move(files)),
      manifest_(std::move(manifest)),
      digest_(digest) {}

base::Owned<SnapshotWriter> SnapshotWriter::Begin(base::Dir& root, EngineKind kind,
                                                  absl::string_view manifest_bytes) {
  SLIPWAY_ASSIGN_OR_RETURN(Manifest manifest, DecodeManifest(manifest_bytes));
  if (manifest.engine != kind) {
    return absl::FailedPreconditionError(
        absl::StrCat("receive snapshot: it is of engine ", EngineKindName(manifest.engine),
                     ", this node has ", EngineKindName(kind), "; convert one of them"));
  }
  SLIPWAY_RETURN_IF_ERROR(base::MakeDirs(root, kSnapshotsDir, 0700));
  SLIPWAY_RETURN_IF_ERROR(root.Sync());
  const std::string name = absl::StrCat(
      ToString(SnapshotName{manifest.group, manifest.term, manifest.index}), kPartSuffix);
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::Dir> parent, root.OpenDir(kSnapshotsDir));
  SLIPWAY_RETURN_IF_ERROR(RemoveOtherParts(*parent, manifest.group, name));
  const std::string path = base::JoinPath(kSnapshotsDir, name);
  const auto before = base::ReadFile(root, base::JoinPath(path, kManifestName), kManifestBytesMax);
  // A power loss may have kept the MANIFEST and not the folder made before it.
  const bool resumes = before.ok() && *before == manifest_bytes &&
                       root.Stat(base::JoinPath(path, kSnapshotFilesDir)).ok();
  if (!resumes) {
    SLIPWAY_RETURN_IF_ERROR(base::RemoveTree(root, path));
    if (absl::Status made = MakePart(root, *parent, path, manifest_bytes); !made.ok()) {
      Forget(root, path);
      return made;
    }
  }
  SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<base::Dir> files,
                           root.OpenDir(base::JoinPath(path, kSnapshotFilesDir)));
  std::unique_ptr<SnapshotWriter> writer(
      new SnapshotWriter(root, path, std::move(files), std::move(manifest),
                         base::Sha256Of(base::AsBytes(manifest_bytes))));
  SLIPWAY_RETURN_IF_ERROR(writer->CheckRoom());
  SLIPWAY_RETURN_IF_ERROR(writer->SkipVerified());
  return writer;
}

// Before anything is hashed: who has no room is asked again and again.
absl::Status SnapshotWriter::CheckRoom() {
  if (BytesOf(manifest_) < kSnapshotRoomAskedBytes) return absl::OkStatus();
  uint64_t held_bytes = 0;
  for (const SnapshotFile& file : manifest_.files) {
    const auto there = files_->Stat(file.name);
    if (there.ok()) held_bytes += std::min(there->size_bytes, file.size_bytes);
  }
  const uint64_t missing_bytes = BytesOf(manifest_) - held_bytes;
  SLIPWAY_ASSIGN_OR_RETURN(const base::Space space, files_->FreeSpace());
  if (missing_bytes <= space.free_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "receive snapshot: ", missing_bytes, " bytes of it are missing and the disk has ",
      space.free_bytes, " free; make room, it is offered again"));
}

absl::Status SnapshotWriter::SkipVerified() {
  while (next_file_ < manifest_.files.size()) {
    const SnapshotFile& expected = manifest_.files[next_file_];
    const auto there = HashFile(*files_, expected.name);
    if (!there.ok() && there.status().code() != absl::StatusCode::kNotFound) {
      return there.status();
    }
    if (!there.ok() || *there != expected) break;
    ++next_file_;
  }
  return absl::OkStatus();
}

absl::Status SnapshotWriter::StartFile() {
  base::OpenOptions options;
  options.write = true;
  options.create = true;
  options.truncate = true;
  options.mode = 0600;
  SLIPWAY_ASSIGN_OR_RETURN(file_, files_->Open(manifest_.files[next_file_].name, options));
  hash_ = base::Sha256();
  offset_bytes_ = begun_bytes_ = 0;
  return absl::OkStatus();
}

absl::Status SnapshotWriter::EndFile() {
  const SnapshotFile& expected = manifest_.files[next_file_];
  const bool good = hash_.Finish() == expected.sha256;
  if (good) {
    if (absl::Status synced = file_->Sync(); !synced.ok()) {
      Forget(root_, path_);
      return synced;
    }
  }
  file_ = nullptr;
  if (!good) {
    return absl::DataLossError(absl::StrCat("file ", expected.name,
                                            " of a snapshot arrived with another SHA-256 than "
                                            "MANIFEST says; it is asked for again"));
  }
  ++next_file_;
  return absl::OkStatus();
}

absl::Status SnapshotWriter::Add(base::BytesView bytes) {
  SLIPWAY_ASSIGN_OR_RETURN(const ChunkView chunk, ViewChunk(digest_, bytes));
  const uint64_t offset_bytes = file_ == nullptr ? 0 : offset_bytes_;
  if (next_file_ == manifest_.files.size() || chunk.file != next_file_ ||
      chunk.offset_bytes != offset_bytes) {
    return absl::FailedPreconditionError(absl::StrCat("chunk of a snapshot: file ", chunk.file,
                                                      " at ", chunk.offset_bytes, "; expected is ",
                                                      next_file_, " at ", offset_bytes));
  }
  const uint64_t size_bytes = manifest_.files[next_file_].size_bytes;
  if (chunk.data.size() > size_bytes - offset_bytes ||
      (chunk.data.empty() && offset_bytes < size_bytes)) {
    return Damaged("it does not fit into its file");
  }
  if (file_ == nullptr) SLIPWAY_RETURN_IF_ERROR(StartFile());
  SLIPWAY_RETURN_IF_ERROR(file_->WriteAt(offset_bytes_, chunk.data));
  hash_.Update(chunk.data);
  offset_bytes_ += chunk.data.size();
  if (offset_bytes_ - begun_bytes_ >= kSnapshotWriteBehindBytes) {
    file_->StartWriting(begun_bytes_, offset_bytes_ - begun_bytes_);
    begun_bytes_ = offset_bytes_;
  }
  return offset_bytes_ == size_bytes ? EndFile() : absl::OkStatus();
}

absl::StatusOr<Manifest> SnapshotWriter::Finish() {
  if (next_file_ < manifest_.files.size()) {
    return absl::FailedPreconditionError(
        absl::StrCat("receive snapshot: ", manifest_.files.size() - next_file_, " of ",
                     manifest_.files.size(), " files are missing"));
  }
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::Dir> dir, root_.OpenDir(path_));
  absl::Status synced = SyncFlat(*files_);
  if (synced.ok()) synced = dir->Sync();
  if (!synced.ok()) {
    Forget(root_, path_);
    return synced;
  }
  const SnapshotName name = {manifest_.group, manifest_.term, manifest_.index};
  // One of that name is as good; this one is verified.
  SLIPWAY_RETURN_IF_ERROR(RemoveSnapshot(root_, name));
  SLIPWAY_RETURN_IF_ERROR(
      root_.Rename(path_, root_, SnapshotPath(name), base::RenameMode::kNoReplace));
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::Dir> parent, root_.OpenDir(kSnapshotsDir));
  SLIPWAY_RETURN_IF_ERROR(parent->Sync());
  return manifest_;
}

}  // namespace slipway::eraft
