#include "deploy/release/stage.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/codec/codec.h"
#include "base/digest/sha256.h"
#include "base/log/log.h"
#include "base/mutant.h"
#include "deploy/model/errors.h"
#include "deploy/pack/extractor.h"
#include "deploy/pack/file_source.h"
#include "deploy/release/failpoints.h"
#include "deploy/repository/codec.h"
#include "deploy/repository/repository.h"

namespace slipway::deploy {
namespace {

constexpr size_t kSmallEntriesMax = 64;
constexpr uint64_t kSmallTreeBytesMax = 16 << 20;
constexpr char kTreeName[] = "tree";
constexpr char kManifestName[] = "manifest.json";
constexpr char kIndexName[] = "files.zst";

class PhaseTimer {
 public:
  PhaseTimer(const Root& root, ComponentResult& result, const char* phase)
      : clock_(root.world.clock), result_(result), phase_(phase), start_(clock_.Monotonic()) {}
  ~PhaseTimer() { result_.phases.emplace_back(phase_, clock_.Monotonic() - start_); }
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;

 private:
  base::Clock& clock_;
  ComponentResult& result_;
  const char* phase_;
  absl::Duration start_;
};

base::Owned<base::File> CreateNew(const Root& root, base::Dir& dir, const char* name) {
  base::OpenOptions options;
  options.write = true;
  options.create = true;
  options.exclusive = true;
  options.mode = root.modes.file;
  return dir.Open(name, options);
}

absl::Status WriteNew(const Root& root, base::Dir& dir, const char* name, absl::string_view data) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto file, CreateNew(root, dir, name));
  return file->WriteAt(0, base::AsBytes(data));
}

// Appends to a file, and keeps the hash of all.
struct HashedOutput {
  explicit HashedOutput(base::File& output) : file(output) {}
  absl::Status Append(base::BytesView data) {
    sha.Update(data);
    written = file.WriteAt(size_bytes, data);
    size_bytes += data.size();
    return written;
  }

  base::File& file;
  base::Sha256 sha;
  uint64_t size_bytes = 0;
  absl::Status written;
};

// The published file index into the empty file `into`, from the first source that has the right
// one. False, and nothing in the file: the manifest names none, or no source can be reached. DT007:
// all that answered gave wrong bytes.
absl::StatusOr<bool> FetchIndex(const DeployComponent& component, base::File& into,
                                std::vector<std::string>& warnings) {
  const std::optional<SideFile>& index = component.manifest.package.index;
  if (!index) return false;
  absl::Status wrong;
  for (const PackageSource& source : component.sources) {
    HashedOutput output(into);
    const absl::Status fetched = GetAtMost(
        *source.repository, ObjectKey(component.manifest.component, index->file),
        kIndexFileBytesMax, [&output](base::BytesView data) { return output.Append(data); });
    SLIPWAY_RETURN_IF_ERROR(output.written);
    const std::string got = base::ToHex(output.sha.Finish());
    if (fetched.ok() && got == index->sha256) return true;
    SLIPWAY_RETURN_IF_ERROR(into.Truncate(0));
    if (!fetched.ok()) continue;
    wrong = Error(Dt::kChecksum,
                  absl::StrCat("fetch ", index->file, " from ", source.name, ": its SHA-256 is ",
                               got, ", the manifest states ", index->sha256));
  }
  SLIPWAY_RETURN_IF_ERROR(wrong);
  const auto& content = component.manifest.package.content;
  warnings.push_back(absl::StrCat(
      "no source has the file index of ", component.manifest.component.ToString(),
      " that its manifest names; one was made from what was extracted, of which ",
      content && !content->tree.empty() ? "the package's SHA-256 and the tree digest were checked"
                                        : "only the SHA-256 of the package was checked"));
  return false;
}

absl::Status CheckTree(const Manifest& manifest, const std::vector<IndexEntry>& entries) {
  const auto& content = manifest.package.content;
  if (!content || content->tree.empty()) return absl::OkStatus();
  if (TreeDigestMatches(entries, content->tree)) return absl::OkStatus();
  return Error(Dt::kChecksum,
               absl::StrCat("verify ", manifest.component.ToString(), ": the extracted tree is ",
                            TreeDigest(entries), ", the manifest states ", content->tree));
}

// The file index to keep, into the empty file `into`: the published one after a comparison, else
// one made here. Neither is held in memory, which the entries alone may fill (D262).
absl::Status KeepIndex(const DeployComponent& component, Staged& staged, base::File& into,
                       bool verify, std::vector<std::string>& warnings) {
  std::vector<IndexEntry>& entries = staged.entries;
  SLIPWAY_ASSIGN_OR_RETURN(const bool published, FetchIndex(component, into, warnings));
  if (verify) {
    SLIPWAY_RETURN_IF_ERROR(CheckTree(component.manifest, entries));
    if (published) {
      FileSource source(into);
      SLIPWAY_ASSIGN_OR_RETURN(FileIndexReader index,
                               ReadFileIndex(source, FileIndexTextBytesMax(entries, staged.bytes)));
      SLIPWAY_RETURN_IF_ERROR(CompareWithIndex(entries, std::move(index)));
    }
  }
  if (published) return absl::OkStatus();
  FileIndex own;  // borrows the entries: they may be many
  own.entries.swap(entries);
  HashedOutput output(into);
  const absl::Status made =
      WriteFileIndex(own, [&output](base::BytesView data) { return output.Append(data); });
  own.entries.swap(entries);
  return made;
}

absl::StatusOr<Extracted> ExtractInto(const Root& root, const DeployComponent& component,
                                      base::File& package, base::Dir& tree,
                                      const ProgressFn& progress) {
  const Manifest& manifest = component.manifest;
  const auto codec = base::ParseCodec(manifest.package.algorithm);
  if (!codec.ok()) {
    return Error(
        Dt::kFormat,
        absl::StrCat("extract ", manifest.component.ToString(), ": ", codec.status().message()),
        "use a newer deploy-tool, or pack it with gzip or zstd");
  }
  ExtractOptions options;
  options.codec = *codec;
  options.package_bytes = manifest.package.size_bytes;
  options.allow_absolute_symlinks = component.allow_absolute_symlinks;
  if (manifest.package.content) options.content_bytes = manifest.package.content->bytes;
  if (progress) {
    options.progress = [&](uint64_t bytes, uint64_t files) {
      progress({Progress::Phase::kExtract, manifest.component, bytes,
                options.content_bytes.value_or(0), files, ""});
    };
  }
  FileSource source(package);
  return Extract(source, tree, root.world.pool, options, root.options.cancel);
}

bool PackageIsWrong(const absl::Status& status) {
  const std::string code = base::GetErrorInfo(status).code;
  return code == DtName(Dt::kChecksum) || code == DtName(Dt::kUnsafe);
}

absl::StatusOr<Staged> StageInto(const Root& root, base::Dir& dir, const DeployComponent& component,
                                 FetchedPackage& package, const DeployOptions& options,
                                 ComponentResult& result, std::vector<std::string>& warnings) {
  Staged staged;
  staged.component = component.manifest.component;
  SLIPWAY_RETURN_IF_ERROR(dir.MakeDir(kTreeName, root.modes.dir));
  SLIPWAY_ASSIGN_OR_RETURN(const auto tree, dir.OpenDir(kTreeName));
  {
    const PhaseTimer timer(root, result, "extract");
    SLIPWAY_ASSIGN_OR_RETURN(Extracted extracted,
                             ExtractInto(root, component, *package.file, *tree, options.progress));
    staged.bytes = extracted.bytes;
    staged.files = extracted.files;
    staged.entries = std::move(extracted.entries);
    std::move(extracted.warnings.begin(), extracted.warnings.end(), std::back_inserter(warnings));
  }
  const PhaseTimer timer(root, result, "verify");
  SLIPWAY_ASSIGN_OR_RETURN(const auto index, CreateNew(root, dir, kIndexName));
  SLIPWAY_RETURN_IF_ERROR(KeepIndex(component, staged, *index, options.verify, warnings));
  const std::string manifest =
      component.manifest_text.empty() ? WriteManifest(component.manifest) : component.manifest_text;
  staged.manifest_sha256 = base::ToHex(base::Sha256Of(base::AsBytes(manifest)));
  SLIPWAY_RETURN_IF_ERROR(WriteNew(root, dir, kManifestName, manifest));
  return staged;
}

absl::Status SyncFile(base::Dir& dir, const std::string& path) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto file, dir.Open(path, base::OpenOptions()));
  return file->Sync();
}

// Files first, then directories from the deepest up: the names they hold.
absl::Status SyncEach(const Root& root, const Staged& staged) {
  const std::string tree = base::JoinPath(staged.dir, kTreeName);
  std::set<std::string> dirs = {tree};
  for (const IndexEntry& entry : staged.entries) {
    const std::string path = base::JoinPath(tree, entry.path);
    if (entry.type == IndexEntry::Type::kFile) {
      SLIPWAY_RETURN_IF_ERROR(SyncFile(*root.dir, path));
    }
    absl::string_view dir = entry.type == IndexEntry::Type::kDirectory
                                ? absl::string_view(path)
                                : base::SplitPath(path).first;
    for (; dir.size() > tree.size(); dir = base::SplitPath(dir).first) dirs.emplace(dir);
  }
  for (auto dir = dirs.rbegin(); dir != dirs.rend(); ++dir) {
    SLIPWAY_RETURN_IF_ERROR(SyncDirAt(*root.dir, *dir));
  }
  return absl::OkStatus();
}

absl::Status SyncOurs(const Root& root, const Staged& staged) {
  for (const char* name : {kManifestName, kIndexName}) {
    SLIPWAY_RETURN_IF_ERROR(SyncFile(*root.dir, base::JoinPath(staged.dir, name)));
  }
  return SyncDirAt(*root.dir, staged.dir);
}

bool AreSmall(const std::vector<Staged>& staged) {
  size_t entries = 0;
  uint64_t bytes = 0;
  for (const Staged& one : staged) {
    entries += one.entries.size();
    bytes += one.bytes;
  }
  return entries <= kSmallEntriesMax && bytes <= kSmallTreeBytesMax;
}

absl::Status SyncSmall(const Root& root, absl::string_view tx, const std::vector<Staged>& staged,
                       bool contents) {
  for (const Staged& one : staged) {
    if (contents) SLIPWAY_RETURN_IF_ERROR(SyncEach(root, one));
    SLIPWAY_RETURN_IF_ERROR(SyncOurs(root, one));
  }
  SLIPWAY_RETURN_IF_ERROR(SyncDirAt(*root.dir, StagingDir(tx)));
  return SyncDirAt(*root.dir, kStagingDir);
}

}  // namespace

absl::StatusOr<Staged> StageComponent(const Root& root, absl::string_view tx, size_t ordinal,
                                      const DeployComponent& component, FetchedPackage& package,
                                      const DeployOptions& options, ComponentResult& result,
                                      std::vector<std::string>& warnings) {
  const Component& name = component.manifest.component;
  SLIPWAY_FAILPOINT("deploy.stage.before");
  SLIPWAY_LOG(kInfo, absl::StrCat("extracting to ", root.path, "/", VersionDir(name)));
  const std::string path = absl::StrCat(StagingDir(tx), "/", ordinal);
  const std::string context = absl::StrCat("install ", name.ToString());
  const absl::Status made = base::MakeDirs(*root.dir, path, root.modes.dir);
  if (!made.ok()) return RootError(made, context);
  const auto dir = root.dir->OpenDir(path);
  if (!dir.ok()) return RootError(dir.status(), context);
  auto staged = StageInto(root, **dir, component, package, options, result, warnings);
  if (PackageIsWrong(staged.status())) {
    KeepBadPackage(root, component.manifest, package.source, staged.status());
  }
  if (!staged.ok()) return RootError(staged.status(), context);
  staged->dir = path;
  SLIPWAY_FAILPOINT("deploy.stage.after");
  return staged;
}

absl::Status SyncStaged(const Root& root, absl::string_view tx, const std::vector<Staged>& staged,
                        Durability durability) {
  if (SLIPWAY_MUTANT("no-fsync")) return absl::OkStatus();
  if (durability == Durability::kFast) return SyncSmall(root, tx, staged, false);
  if (AreSmall(staged)) {
    const absl::Status synced = SyncSmall(root, tx, staged, true);
    // A file that its owner may not read cannot be opened; syncfs needs no permission.
    if (!absl::IsPermissionDenied(synced)) return synced;
  }
  return root.dir->SyncFilesystem();
}

absl::StatusOr<JournalStep> PlanPlace(const Root& root, const std::vector<Staged>& staged) {
  JournalStep step;
  step.kind = StepKind::kPlace;
  for (const Staged& one : staged) {
    const std::pair<const char*, std::string> moves[] = {
        {kTreeName, VersionDir(one.component)},
        {kIndexName, IndexPath(one.component)},
        {kManifestName, ManifestPath(one.component)},
    };
    for (const auto& [name, to] : moves) {
      Placement place;
      place.from = base::JoinPath(one.dir, name);
      place.to = to;
      SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, root.dir->Stat(place.from));
      place.inode = meta.inode;
      SLIPWAY_ASSIGN_OR_RETURN(const auto old, StatIfAny(*root.dir, to));
      place.replace = old.has_value();
      step.places.push_back(std::move(place));
      step.dirs.emplace_back(base::SplitPath(to).first);
    }
  }
  return step;
}

}  // namespace slipway::deploy
