#include "eraft/store/snapshot.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/mutant.h"
#include "base/status.h"
#include "eraft/store/limits.h"
#include "eraft/store/state.h"

namespace slipway::eraft {
namespace {

constexpr absl::string_view kTempSuffix = ".tmp";

// A list of them would be refused by whoever reads it.
absl::Status TooManyFiles(GroupId group, uint64_t count) {
  return absl::ResourceExhaustedError(absl::StrCat("snapshot of group ", group, ": its engine has ",
                                                   count, " files; at most ", kSnapshotFilesMax,
                                                   " may be, wait until they are compacted"));
}

// What the checkpoint itself says, so that apply need not wait while it is made.
absl::StatusOr<Manifest> Describe(EngineHome& home, const std::string& path, GroupId group) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> copy, home.Open(path));
  if (SLIPWAY_MUTANT("eraft-sessions-not-in-snapshot")) {
    Batch batch;
    batch.DeleteRange(KindRange(group, KeyKind::kSession));
    batch.DeleteRange(KindRange(group, KeyKind::kExpiry));
    SLIPWAY_RETURN_IF_ERROR(copy->Write(batch));
  }
  Manifest manifest;
  {
    SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<View> view, copy->NewView());
    SLIPWAY_ASSIGN_OR_RETURN(const MetaRows rows, ReadMetaRows(*view, group));
    manifest = {.group = group,
                .index = rows.group.index,
                .term = rows.group.term,
                .membership = rows.membership,
                .engine = home.kind(),
                .logical_digest = LogicalDigest(rows)};
  }
  SLIPWAY_RETURN_IF_ERROR(copy->Close());
  return manifest;
}

// An engine makes its files as it likes; a snapshot is nobody else's business.
absl::Status MakePrivate(base::Dir& root, const std::string& path) {
  SLIPWAY_RETURN_IF_ERROR(root.SetMeta(path, {.mode = 0700}));
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::Dir> files, root.OpenDir(path));
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(*files));
  for (const std::string& name : names) {
    SLIPWAY_RETURN_IF_ERROR(files->SetMeta(name, {.mode = 0600}));
  }
  return absl::OkStatus();
}

}  // namespace

std::string ToString(const SnapshotName& name) {
  return absl::StrCat(name.group, "-", name.term, "-", name.index);
}

std::optional<SnapshotName> ParseSnapshotName(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '-');
  SnapshotName name;
  const bool parsed = parts.size() == 3 && absl::SimpleAtoi(parts[0], &name.group) &&
                      absl::SimpleAtoi(parts[1], &name.term) &&
                      absl::SimpleAtoi(parts[2], &name.index);
  if (!parsed || ToString(name) != text) return std::nullopt;
  return name;
}

std::string SnapshotPath(const SnapshotName& name) {
  return absl::StrCat(kSnapshotsDir, "/", ToString(name));
}

bool Exists(base::Dir& dir, absl::string_view path) { return dir.Stat(path).ok(); }

absl::StatusOr<std::vector<std::string>> NamesIn(base::Dir& dir) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::DirCursor> cursor, dir.List());
  std::vector<std::string> names;
  while (true) {
    SLIPWAY_ASSIGN_OR_RETURN(std::optional<base::DirEntry> entry, cursor->Next());
    if (!entry.has_value()) break;
    names.push_back(std::move(entry->name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<SnapshotFile> HashFile(base::Dir& dir, absl::string_view path) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file, dir.Open(path, {}));
  SnapshotFile out = {.name = std::string(base::SplitPath(path).second)};
  base::Sha256 hash;
  base::Bytes buffer(kSnapshotChunkBytes);
  while (true) {
    SLIPWAY_ASSIGN_OR_RETURN(const size_t size,
                             file->ReadAt(out.size_bytes, absl::MakeSpan(buffer)));
    if (size == 0) break;
    hash.Update(base::BytesView(buffer.data(), size));
    out.size_bytes += size;
  }
  out.sha256 = hash.Finish();
  return out;
}

absl::Status SyncFlat(base::Dir& dir) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(dir));
  for (const std::string& name : names) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file, dir.Open(name, {}));
    SLIPWAY_RETURN_IF_ERROR(file->Sync());
  }
  return dir.Sync();
}

absl::StatusOr<Manifest> CreateSnapshot(base::Dir& root, EngineHome& home, Engine& engine,
                                        GroupId group) {
  const std::string temp = absl::StrCat(kSnapshotsDir, "/", group, kTempSuffix);
  const std::string files_path = base::JoinPath(temp, kSnapshotFilesDir);
  SLIPWAY_RETURN_IF_ERROR(base::MakeDirs(root, kSnapshotsDir, 0700));
  SLIPWAY_RETURN_IF_ERROR(root.Sync());
  SLIPWAY_RETURN_IF_ERROR(base::RemoveTree(root, temp));
  SLIPWAY_RETURN_IF_ERROR(root.MakeDir(temp, 0700));
  SLIPWAY_RETURN_IF_ERROR(engine.Checkpoint(files_path));
  SLIPWAY_ASSIGN_OR_RETURN(Manifest manifest, Describe(home, files_path, group));
  SLIPWAY_RETURN_IF_ERROR(MakePrivate(root, files_path));
  if (manifest.index == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("snapshot of group ", group, ": it has applied nothing"));
  }
  const SnapshotName name = {group, manifest.term, manifest.index};
  if (Exists(root, SnapshotPath(name))) {
    SLIPWAY_RETURN_IF_ERROR(base::RemoveTree(root, temp));
    return ReadManifest(root, name);
  }
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::Dir> files, root.OpenDir(files_path));
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(*files));
  if (names.size() > kSnapshotFilesMax) return TooManyFiles(group, names.size());
  for (const std::string& file : names) {
    SLIPWAY_ASSIGN_OR_RETURN(SnapshotFile hashed, HashFile(*files, file));
    manifest.files.push_back(std::move(hashed));
  }
  SLIPWAY_RETURN_IF_ERROR(SyncFlat(*files));
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::Dir> made, root.OpenDir(temp));
  SLIPWAY_RETURN_IF_ERROR(
      base::WriteFileDurably(*made, kManifestName, EncodeManifest(manifest), 0600));
  SLIPWAY_RETURN_IF_ERROR(
      root.Rename(temp, root, SnapshotPath(name), base::RenameMode::kNoReplace));
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::Dir> parent, root.OpenDir(kSnapshotsDir));
  SLIPWAY_RETURN_IF_ERROR(parent->Sync());
  return manifest;
}

absl::StatusOr<std::vector<SnapshotName>> ListSnapshots(base::Dir& root, GroupId group) {
  std::vector<SnapshotName> out;
  const auto dir = root.OpenDir(kSnapshotsDir);
  if (dir.status().code() == absl::StatusCode::kNotFound) return out;
  SLIPWAY_RETURN_IF_ERROR(dir.status());
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(**dir));
  for (const std::string& text : names) {
    const auto name = ParseSnapshotName(text);
    if (name.has_value() && name->group == group) out.push_back(*name);
  }
  std::sort(out.begin(), out.end(), [](const SnapshotName& a, const SnapshotName& b) {
    return std::pair(a.index, a.term) < std::pair(b.index, b.term);
  });
  return out;
}

absl::StatusOr<Manifest> ReadManifest(base::Dir& root, const SnapshotName& name) {
  const std::string path = base::JoinPath(SnapshotPath(name), kManifestName);
  SLIPWAY_ASSIGN_OR_RETURN(const std::string bytes, base::ReadFile(root, path, kManifestBytesMax));
  auto manifest = DecodeManifest(bytes);
  if (!manifest.ok()) return base::Annotate(manifest.status(), path);
  if (SnapshotName{manifest->group, manifest->term, manifest->index} != name) {
    return absl::DataLossError(absl::StrCat(path, ": it is that of another snapshot"));
  }
  return manifest;
}

absl::Status VerifySnapshot(base::Dir& root, const SnapshotName& name) {
  SLIPWAY_ASSIGN_OR_RETURN(const Manifest manifest, ReadManifest(root, name));
  const std::string path = base::JoinPath(SnapshotPath(name), kSnapshotFilesDir);
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::Dir> files, root.OpenDir(path));
  for (const SnapshotFile& expected : manifest.files) {
    const auto found = HashFile(*files, expected.name);
    if (found.ok() && *found == expected) continue;
    return absl::DataLossError(
        absl::StrCat(base::JoinPath(path, expected.name), ": ",
                     found.ok() ? "it is not what MANIFEST says" : found.status().message(),
                     "; the snapshot is of no use, take or fetch a new one"));
  }
  return absl::OkStatus();
}

absl::Status RemoveSnapshot(base::Dir& root, const SnapshotName& name) {
  // Under another name first: a half of it must not look like a snapshot.
  const std::string temp = absl::StrCat(kSnapshotsDir, "/", ToString(name), ".gone", kTempSuffix);
  SLIPWAY_RETURN_IF_ERROR(base::RemoveTree(root, temp));
  const absl::Status renamed =
      root.Rename(SnapshotPath(name), root, temp, base::RenameMode::kNoReplace);
  if (renamed.code() == absl::StatusCode::kNotFound) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(renamed);
  // Durably first: else a crash may keep the old name and some of what was removed.
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::Dir> parent, root.OpenDir(kSnapshotsDir));
  SLIPWAY_RETURN_IF_ERROR(parent->Sync());
  SLIPWAY_RETURN_IF_ERROR(base::RemoveTree(root, temp));
  return parent->Sync();
}

absl::Status RemoveUnfinished(base::Dir& root) {
  const auto dir = root.OpenDir(kSnapshotsDir);
  if (dir.status().code() == absl::StatusCode::kNotFound) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(dir.status());
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(**dir));
  for (const std::string& name : names) {
    // Nor is one without its MANIFEST of any use, which a disk that failed may leave.
    const bool bare = ParseSnapshotName(name).has_value() &&
                      absl::IsNotFound((*dir)->Stat(base::JoinPath(name, kManifestName)).status());
    if (bare || absl::EndsWith(name, kTempSuffix)) {
      SLIPWAY_RETURN_IF_ERROR(base::RemoveTree(**dir, name));
    }
  }
  return (*dir)->Sync();
}

}  // namespace slipway::eraft
