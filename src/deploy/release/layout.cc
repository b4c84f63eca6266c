#include "deploy/release/layout.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/json/json.h"
#include "base/mutant.h"
#include "base/units.h"
#include "deploy/model/errors.h"
#include "deploy/repository/repository.h"

namespace slipway::deploy {
namespace {

constexpr const char* kRootDirs[] = {
    kComponentsDir,
    kLinksDir,
    kGenerationsDir,
    kJournalDir,
    kStagingDir,
    kBadDir,
    kStateDir,
    ".deploy-tool/locks",
    ".deploy-tool/manifests",
    ".deploy-tool/index",
    kPackageCacheDir,
};

// Those that are missing: somebody may have taken one away.
absl::Status MakeRootDirs(base::World& world, base::Dir& dir) {
  for (const char* name : kRootDirs) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto there, StatIfAny(dir, name));
    if (!there) SLIPWAY_RETURN_IF_ERROR(MakeDirsDurably(dir, name, ModesOf(world).dir));
  }
  return absl::OkStatus();
}

// Who else may change what is installed here, and put a journal in.
absl::StatusOr<std::vector<std::string>> WarningsOf(base::World& world, base::Dir& dir) {
  constexpr uint32_t kRoot = 0;
  std::vector<std::string> warnings;
  SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, dir.Stat("."));
  if (meta.uid != kRoot && meta.uid != world.environment.UserId()) {
    warnings.push_back(absl::StrCat("the deploy root belongs to uid ", meta.uid,
                                    ", who may change what is installed here; run as that user"));
  }
  if ((meta.mode & 0002) != 0) {
    warnings.emplace_back(
        "everybody may write to the deploy root and change what is installed here; "
        "take that away: chmod o-w");
  }
  return warnings;
}

absl::Status MakeRootFiles(base::World& world, base::Dir& dir) {
  SLIPWAY_RETURN_IF_ERROR(MakeRootDirs(world, dir));
  base::Json json = base::Json::MakeObject();
  json.Set("format", kRootFormat);
  json.Set("root_id", world.random.Hex(16));
  json.Set("created_at", base::FormatRfc3339(world.clock.Wall()));
  SLIPWAY_ASSIGN_OR_RETURN(const auto tool, dir.OpenDir(kToolDir));
  const uint32_t mode = ModesOf(world).file;
  const absl::Status history =
      base::WriteFileDurably(*tool, "history.jsonl", "", mode, base::RenameMode::kNoReplace);
  if (!absl::IsAlreadyExists(history)) SLIPWAY_RETURN_IF_ERROR(history);
  // Last: with it, the directory is a deploy root.
  const absl::Status written = base::WriteFileDurably(*tool, "root.json", json.Dump(2) + "\n", mode,
                                                      base::RenameMode::kNoReplace);
  return absl::IsAlreadyExists(written) ? absl::OkStatus() : written;
}

absl::StatusOr<std::string> ReadRootId(base::Dir& dir, absl::string_view path) {
  const auto text = base::ReadFile(dir, kRootFile, kSmallFileBytesMax);
  if (!text.ok()) return text.status();
  const auto json = base::ParseJson(*text);
  const base::Json* format = json.ok() ? json->Find("format") : nullptr;
  const base::Json* id = json.ok() ? json->Find("root_id") : nullptr;
  const bool newer = format != nullptr && format->AsInt() && *format->AsInt() > kRootFormat;
  const bool known = format != nullptr && format->AsInt() && id != nullptr && id->AsString();
  if (!newer && !known) {
    return Error(Dt::kChecksum,
                 absl::StrCat("open deploy root ", path, ": ", kRootFile, " is damaged"),
                 "restore the file from a backup, or move it away and deploy again");
  }
  if (newer) {
    return Error(Dt::kFormat,
                 absl::StrCat("open deploy root ", path, ": format ", *format->AsInt(),
                              " is newer than ", kRootFormat),
                 "use the newer deploy-tool that wrote it");
  }
  return *id->AsString();
}

absl::Status NoRoot(absl::string_view path, absl::string_view what) {
  return Error(Dt::kPathNotFound, absl::StrCat("open deploy root ", path, ": ", what),
               "deploy a component to make one, or name another with --root");
}

base::Owned<base::Dir> OpenOrMake(base::World& world, absl::string_view path, OpenMode mode) {
  if (mode == OpenMode::kCreate) {
    return MakeRootWithMode(world.files, std::string(path), ModesOf(world).dir);
  }
  auto dir = world.files.OpenRoot(path);
  if (absl::IsNotFound(dir.status())) return NoRoot(path, "no such directory");
  return dir;
}

}  // namespace

Modes ModesOf(base::World& world) {
  const uint32_t taken = world.environment.Umask();
  return {.file = 0664 & ~taken, .dir = 0775 & ~taken};
}

std::string TypeDir(absl::string_view type) { return absl::StrCat(kComponentsDir, "/", type); }
std::string VersionDir(const Component& component) {
  return absl::StrCat(kComponentsDir, "/", component.type, "/", component.version);
}
std::string CurrentLink(absl::string_view type) {
  return absl::StrCat(kComponentsDir, "/", type, "/", kCurrentName);
}
std::string TypeLink(absl::string_view type) { return absl::StrCat(kLinksDir, "/", type); }
std::string TypeLinkTarget(absl::string_view type) {
  return absl::StrCat("../", kComponentsDir, "/", type, "/", kCurrentName);
}
std::string GenerationDir(uint64_t number) { return absl::StrCat(kGenerationsDir, "/", number); }
std::string GenerationLinkTarget(const Component& component) {
  return absl::StrCat("../../", VersionDir(component));
}
// A directory for each type: "a-b" with version "1" and "a" with "b-1" are two files.
std::string ManifestPath(const Component& component) {
  return absl::StrCat(kToolDir, "/manifests/", component.type, "/", component.version,
                      ".manifest.json");
}
std::string IndexPath(const Component& component) {
  return absl::StrCat(kToolDir, "/index/", component.type, "/", component.version, ".files.zst");
}
std::string TypeLockFile(absl::string_view type) {
  return absl::StrCat(kToolDir, "/locks/", type, ".lock");
}
std::string StagingDir(absl::string_view tx) { return absl::StrCat(kStagingDir, "/", tx); }

absl::StatusOr<Root> OpenRootDir(base::World& world, absl::string_view path,
                                 const RootOptions& options) {
  auto dir = OpenOrMake(world, path, options.mode);
  if (!dir.ok()) return RootError(dir.status(), absl::StrCat("open deploy root ", path));
  auto real = world.files.Canonical(path);
  if (!real.ok()) return RootError(real.status(), absl::StrCat("open deploy root ", path));
  auto id = ReadRootId(**dir, *real);
  if (absl::IsNotFound(id.status()) && base::GetErrorInfo(id.status()).code.empty()) {
    if (options.mode != OpenMode::kCreate) return NoRoot(*real, "the directory is no deploy root");
    const absl::Status made = MakeRootFiles(world, **dir);
    if (!made.ok()) return RootError(made, absl::StrCat("make deploy root ", *real));
    id = ReadRootId(**dir, *real);
  }
  if (!id.ok()) return RootError(id.status(), absl::StrCat("open deploy root ", *real));
  if (options.mode != OpenMode::kRead) {
    const absl::Status made = MakeRootDirs(world, **dir);
    if (!made.ok()) return RootError(made, absl::StrCat("open deploy root ", *real));
  }
  std::vector<std::string> warnings;
  if (options.mode != OpenMode::kRead) {
    auto found = WarningsOf(world, **dir);
    if (!found.ok()) return RootError(found.status(), absl::StrCat("open deploy root ", *real));
    warnings = *std::move(found);
  }
  return Root{world,   *std::move(real),    *std::move(id), *std::move(dir),
              options, std::move(warnings), ModesOf(world)};
}

absl::StatusOr<std::vector<base::DirEntry>> ListSorted(base::Dir& dir, absl::string_view path) {
  std::vector<base::DirEntry> entries;
  const auto opened = dir.OpenDir(path);
  if (absl::IsNotFound(opened.status())) return entries;
  SLIPWAY_RETURN_IF_ERROR(opened.status());
  SLIPWAY_ASSIGN_OR_RETURN(const auto cursor, (*opened)->List());
  for (;;) {
    SLIPWAY_ASSIGN_OR_RETURN(std::optional<base::DirEntry> entry, cursor->Next());
    if (!entry) break;
    entries.push_back(*std::move(entry));
  }
  std::sort(entries.begin(), entries.end(),
            [](const base::DirEntry& a, const base::DirEntry& b) { return a.name < b.name; });
  return entries;
}

absl::StatusOr<std::optional<base::Meta>> StatIfAny(base::Dir& dir, absl::string_view path) {
  auto meta = dir.Stat(path);
  if (meta.ok()) return std::optional<base::Meta>(*std::move(meta));
  if (absl::IsNotFound(meta.status())) return std::optional<base::Meta>();
  return meta.status();
}

absl::Status SyncDirAt(base::Dir& dir, absl::string_view path) {
  if (SLIPWAY_MUTANT("no-fsync")) return absl::OkStatus();
  if (path.empty()) return dir.Sync();
  SLIPWAY_ASSIGN_OR_RETURN(const auto opened, dir.OpenDir(path));
  return opened->Sync();
}

absl::Status MakeDirsDurably(base::Dir& dir, absl::string_view path, uint32_t mode) {
  const absl::string_view parent = base::SplitPath(path).first;
  absl::Status made = dir.MakeDir(path, mode);
  if (absl::IsNotFound(made) && !parent.empty()) {
    SLIPWAY_RETURN_IF_ERROR(MakeDirsDurably(dir, parent, mode));
    made = dir.MakeDir(path, mode);
  }
  if (absl::IsAlreadyExists(made)) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(made);
  return SyncDirAt(dir, parent);
}

absl::Status RemoveFile(base::Dir& dir, absl::string_view path) {
  const absl::Status removed = dir.Remove(path);
  return absl::IsNotFound(removed) ? absl::OkStatus() : removed;
}

absl::Status RootError(const absl::Status& status, absl::string_view context) {
  if (!base::GetErrorInfo(status).code.empty()) return status;
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return status;
    case absl::StatusCode::kResourceExhausted:
      if (!IsOutOfSpace(status)) {
        return Wrap(status, Dt::kStorage, context,
                    "raise the limit of this process, or end others");
      }
      return Wrap(status, Dt::kDiskSpace, context,
                  "free space on the file system of the deploy root");
    case absl::StatusCode::kPermissionDenied:
      if (absl::StrContains(status.message(), "Read-only file system")) {
        return Wrap(status, Dt::kPermission, context,
                    "mount the file system of the deploy root for writing, or use another root");
      }
      return Wrap(status, Dt::kPermission, context,
                  "run as the owner of the deploy root, or correct its owner and mode");
    case absl::StatusCode::kCancelled:
      return Wrap(status, Dt::kCancelled, context);
    case absl::StatusCode::kDeadlineExceeded:
      return Wrap(status, Dt::kTimeout, context);
    case absl::StatusCode::kFailedPrecondition:  // a file where a directory should be, or the like
      return Wrap(status, Dt::kStorage, context, "look what lies at that path, or use another");
    default:
      return Wrap(status, Dt::kStorage, context, "check the file system of the deploy root");
  }
}

}  // namespace slipway::deploy
