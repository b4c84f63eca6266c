#include "deploy/pack/publication.h"

#include "absl/strings/str_cat.h"
#include "base/digest/sha256.h"
#include "base/failpoint.h"
#include "base/mutant.h"
#include "base/status.h"
#include "deploy/model/errors.h"
#include "deploy/pack/folders.h"
#include "deploy/repository/codec.h"

namespace slipway::deploy {
namespace {

constexpr uint64_t kManifestBytesMax = 16 << 20;

enum class Standing : uint8_t { kMissing, kSame, kDifferent };

// What stands under the name of `file` in `dir`.
absl::StatusOr<Standing> Compare(base::Dir& dir, const PackageOutput& file,
                                 const base::CancelToken& cancel) {
  const absl::StatusOr<base::Meta> meta = dir.Stat(file.name());
  if (absl::IsNotFound(meta.status())) return Standing::kMissing;
  SLIPWAY_RETURN_IF_ERROR(meta.status());
  if (meta->kind != base::FileKind::kFile || meta->size_bytes != file.size_bytes()) {
    return Standing::kDifferent;
  }
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> old, dir.Open(file.name(), {}));
  base::Sha256 hash;
  base::Bytes buffer(1 << 20);
  for (uint64_t offset = 0;;) {
    SLIPWAY_RETURN_IF_ERROR(CheckCancelled(cancel, "pack"));
    SLIPWAY_ASSIGN_OR_RETURN(const size_t got, old->ReadAt(offset, absl::MakeSpan(buffer)));
    if (got == 0) break;
    hash.Update(base::BytesView(buffer.data(), got));
    offset += got;
  }
  return base::ToHex(hash.Finish()) == file.sha256() ? Standing::kSame : Standing::kDifferent;
}

absl::Status Exists(const Manifest& manifest, absl::string_view what) {
  return Error(Dt::kExists,
               absl::StrCat("pack ", manifest.component.ToString(), ": ", what,
                            " is there already and differs"),
               "choose another version, or replace it with --force");
}

// The manifest that stands there.
struct OldManifest {
  bool exists = false;
  std::optional<Manifest> parsed;  // absent when it is none
};

absl::StatusOr<OldManifest> ReadOldManifest(base::Dir& manifests, const Component& component) {
  const absl::StatusOr<std::string> text =
      base::ReadFile(manifests, ManifestFileName(component), kManifestBytesMax);
  if (absl::IsNotFound(text.status())) return OldManifest();
  SLIPWAY_RETURN_IF_ERROR(text.status());
  absl::StatusOr<Manifest> parsed = ParseManifest(*text);
  if (!parsed.ok()) return OldManifest{.exists = true, .parsed = std::nullopt};
  return OldManifest{.exists = true, .parsed = *std::move(parsed)};
}

// Whether `old` says the same as `fresh`, but for when, where and by whom it was packed.
bool SameStatement(const Manifest& old, Manifest fresh) {
  fresh.created_at = old.created_at;
  fresh.tool_version = old.tool_version;
  fresh.pack_version = old.pack_version;
  fresh.source_path = old.source_path;
  fresh.excluded = old.excluded;
  return WriteManifest(old) == WriteManifest(fresh);
}

absl::Status StorageError(const absl::Status& status, const Manifest& manifest) {
  return Wrap(status, FileErrorCode(status, Dt::kStorage),
              absl::StrCat("pack ", manifest.component.ToString()));
}

// Puts one file under its name unless the same is there; says whether it wrote.
absl::StatusOr<bool> Place(base::Dir& dist, PackageOutput& file, bool replace,
                           const base::CancelToken& cancel) {
  SLIPWAY_ASSIGN_OR_RETURN(const Standing standing, Compare(dist, file, cancel));
  if (standing == Standing::kSame) return false;
  SLIPWAY_RETURN_IF_ERROR(file.Publish(replace));
  return true;
}

absl::Status PlaceManifest(base::Dir& manifests, const Manifest& manifest, uint32_t mode) {
  SLIPWAY_FAILPOINT("pack.manifest.before");
  SLIPWAY_RETURN_IF_ERROR(CheckManifest(manifest));
  SLIPWAY_RETURN_IF_ERROR(StorageError(
      base::WriteFileDurably(manifests, ManifestFileName(manifest.component),
                             WriteManifest(manifest), mode, base::RenameMode::kNoReplace),
      manifest));
  SLIPWAY_FAILPOINT("pack.manifest.after");
  return absl::OkStatus();
}

absl::StatusOr<bool> PlaceFiles(base::Dir& dist, const PackedFiles& files, bool force,
                                const base::CancelToken& cancel) {
  SLIPWAY_FAILPOINT("pack.package.before");
  SLIPWAY_ASSIGN_OR_RETURN(bool wrote, Place(dist, files.package, force, cancel));
  SLIPWAY_FAILPOINT("pack.package.after");
  // Side files belong to the package; without its manifest nobody reads them.
  for (PackageOutput* side : {&files.index, &files.pieces}) {
    SLIPWAY_ASSIGN_OR_RETURN(const bool side_written, Place(dist, *side, true, cancel));
    wrote |= side_written;
  }
  SLIPWAY_FAILPOINT("pack.sides.after");
  if (!wrote || SLIPWAY_MUTANT("no-fsync")) return wrote;
  SLIPWAY_RETURN_IF_ERROR(dist.Sync());
  return wrote;
}

}  // namespace

absl::StatusOr<Publication> PublishPackage(base::Dir& dist, base::Dir& manifests,
                                           const PackedFiles& files, const Manifest& manifest,
                                           bool force, const base::CancelToken& cancel) {
  const absl::StatusOr<Standing> package = Compare(dist, files.package, cancel);
  if (!package.ok()) return StorageError(package.status(), manifest);
  if (*package == Standing::kDifferent && !force) return Exists(manifest, files.package.name());
  const absl::StatusOr<OldManifest> old = ReadOldManifest(manifests, manifest.component);
  if (!old.ok()) return StorageError(old.status(), manifest);
  const bool keep = old->parsed.has_value() && SameStatement(*old->parsed, manifest);
  if (old->exists && !keep) {
    if (!force) return Exists(manifest, ManifestFileName(manifest.component));
    SLIPWAY_RETURN_IF_ERROR(
        StorageError(manifests.Remove(ManifestFileName(manifest.component)), manifest));
    SLIPWAY_RETURN_IF_ERROR(StorageError(manifests.Sync(), manifest));
  }
  const absl::StatusOr<bool> wrote = PlaceFiles(dist, files, force, cancel);
  if (!wrote.ok()) return StorageError(wrote.status(), manifest);
  if (keep) return Publication{.manifest = *old->parsed, .unchanged = !*wrote};
  SLIPWAY_RETURN_IF_ERROR(PlaceManifest(manifests, manifest, files.mode));
  return Publication{.manifest = manifest, .unchanged = false};
}

}  // namespace slipway::deploy
