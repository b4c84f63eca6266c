#include "deploy/repository/local_package.h"

#include "absl/strings/str_cat.h"
#include "base/digest/sha256.h"
#include "base/mutant.h"
#include "base/status.h"
#include "base/units.h"
#include "deploy/model/errors.h"
#include "deploy/repository/codec.h"

namespace slipway::deploy {
namespace {

constexpr size_t kBlockBytes = base::kMiB;

bool SameFile(const base::Meta& a, const base::Meta& b) {
  return a.kind == b.kind && a.size_bytes == b.size_bytes && a.mtime == b.mtime &&
         a.ctime == b.ctime && a.inode == b.inode && a.device == b.device;
}

absl::StatusOr<std::string> HashFile(base::File& file, const base::CancelToken& cancel) {
  base::Sha256 hash;
  base::Bytes block(kBlockBytes);
  for (uint64_t at = 0;;) {
    SLIPWAY_RETURN_IF_ERROR(CancelError(cancel));
    SLIPWAY_ASSIGN_OR_RETURN(const size_t got, file.ReadAt(at, absl::MakeSpan(block)));
    if (got == 0) break;
    hash.Update(base::BytesView(block.data(), got));
    at += got;
  }
  return base::ToHex(hash.Finish());
}

absl::StatusOr<LocalObject> CheckObject(base::Dir& dist, const std::string& name,
                                        const std::string& sha256,
                                        const base::CancelToken& cancel) {
  const std::string what = absl::StrCat("check ", base::EscapeForTerminal(name));
  const base::Owned<base::File> file = dist.Open(name, base::OpenOptions());
  if (!file.ok()) {
    return Wrap(file.status(), FileErrorCode(file.status(), Dt::kStorage), what,
                "pack the version again");
  }
  const absl::StatusOr<base::Meta> meta = (*file)->Stat();
  if (!meta.ok()) return Wrap(meta.status(), Dt::kStorage, what);
  const absl::StatusOr<std::string> got = HashFile(**file, cancel);
  if (!got.ok()) return Wrap(got.status(), FileErrorCode(got.status(), Dt::kStorage), what);
  if (*got != sha256 && !SLIPWAY_MUTANT("skip-digest")) {
    return Error(Dt::kChecksum,
                 absl::StrCat(what, ": its sha256 is ", *got, ", the manifest says ", sha256),
                 "pack the version again");
  }
  LocalObject object{name, sha256, *meta};
  SLIPWAY_RETURN_IF_ERROR(CheckUnchanged(**file, object));
  return object;
}

}  // namespace

absl::Status CancelError(const base::CancelToken& cancel) {
  if (!cancel.cancelled()) return absl::OkStatus();
  const absl::Status status = cancel.status();
  return Wrap(status, absl::IsDeadlineExceeded(status) ? Dt::kTimeout : Dt::kCancelled, "");
}

absl::Status CheckUnchanged(base::File& file, const LocalObject& object) {
  SLIPWAY_ASSIGN_OR_RETURN(const base::Meta now, file.Stat());
  if (SameFile(now, object.meta)) return absl::OkStatus();
  return Error(Dt::kChanged, absl::StrCat("read ", object.file, ": changed after it was checked"),
               "run the command again when nothing writes there");
}

absl::StatusOr<LocalPackage> LoadLocalPackage(base::Dir& manifests, base::Dir& dist,
                                              const Component& component,
                                              const base::CancelToken& cancel) {
  SLIPWAY_RETURN_IF_ERROR(CheckType(component.type));
  SLIPWAY_RETURN_IF_ERROR(CheckVersion(component.version, VersionScheme::kAny));
  const std::string name = ManifestFileName(component);
  absl::StatusOr<std::string> text = base::ReadFile(manifests, name, kManifestBytesMax);
  if (absl::IsNotFound(text.status())) {
    return Error(Dt::kNotFound,
                 absl::StrCat("read manifest of ", component.ToString(), ": there is no ", name),
                 absl::StrCat("deploy-tool pack SOURCE --type ", component.type, " --version ",
                              component.version));
  }
  if (!text.ok()) {
    return Wrap(text.status(), FileErrorCode(text.status(), Dt::kStorage),
                absl::StrCat("read manifest of ", component.ToString()));
  }
  LocalPackage package;
  absl::StatusOr<Manifest> manifest = ParseManifest(*text);
  if (!manifest.ok()) return Wrap(manifest.status(), Dt::kChecksum, name);
  if (manifest->component != component) {
    return Error(Dt::kChecksum, absl::StrCat("read manifest of ", component.ToString(), ": ", name,
                                             " describes ", manifest->component.ToString()));
  }
  package.manifest = *std::move(manifest);
  package.manifest_text = *std::move(text);
  const Manifest::Package& stated = package.manifest.package;
  SLIPWAY_ASSIGN_OR_RETURN(LocalObject archive,
                           CheckObject(dist, stated.file, stated.sha256, cancel));
  if (archive.meta.size_bytes != stated.size_bytes) {
    return Error(Dt::kChecksum,
                 absl::StrCat("check ", stated.file, ": it has ", archive.meta.size_bytes,
                              " bytes, the manifest says ", stated.size_bytes));
  }
  package.objects.push_back(std::move(archive));
  for (const std::optional<SideFile>* side : {&stated.pieces, &stated.index}) {
    if (!*side) continue;
    SLIPWAY_ASSIGN_OR_RETURN(LocalObject object,
                             CheckObject(dist, (*side)->file, (*side)->sha256, cancel));
    package.objects.push_back(std::move(object));
  }
  for (const LocalObject& object : package.objects) package.bytes_total += object.meta.size_bytes;
  return package;
}

}  // namespace slipway::deploy
