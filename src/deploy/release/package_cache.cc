#include "deploy/release/package_cache.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/digest/sha256.h"
#include "base/log/log.h"
#include "base/mutant.h"
#include "base/units.h"
#include "deploy/model/errors.h"
#include "deploy/release/bad_packages.h"
#include "deploy/release/failpoints.h"
#include "deploy/release/locks.h"
#include "deploy/repository/repository.h"

namespace slipway::deploy {
namespace {

constexpr size_t kReadBytes = 1 << 20;
constexpr uint64_t kStampBytesMax = 256;
// A fetch of a large package by another change takes its time; whoever waits can be interrupted.
constexpr absl::Duration kFetchWaitMin = absl::Minutes(10);

std::string CacheDir(const std::string& sha256) {
  return absl::StrCat(kPackageCacheDir, "/", absl::string_view(sha256).substr(0, 2));
}
std::string CachePath(const std::string& sha256) {
  return absl::StrCat(CacheDir(sha256), "/", sha256);
}
std::string PartPath(const std::string& sha256) { return CachePath(sha256) + ".part"; }
std::string StampPath(const std::string& sha256) { return CachePath(sha256) + ".verified"; }

// Changes whenever the file's bytes may have changed.
std::string StampOf(const base::Meta& meta) {
  return absl::StrCat(meta.size_bytes, " ", absl::ToUnixNanos(meta.mtime), " ",
                      absl::ToUnixNanos(meta.ctime), " ", meta.inode, "\n");
}

// Not synced: a lost stamp costs one hash, a torn one matches nothing.
absl::Status WriteStamp(const Root& root, const std::string& sha256, base::File& file) {
  SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, file.Stat());
  base::OpenOptions options;
  options.write = true;
  options.create = true;
  options.truncate = true;
  options.mode = root.modes.file;
  SLIPWAY_ASSIGN_OR_RETURN(const auto stamp, root.dir->Open(StampPath(sha256), options));
  return stamp->WriteAt(0, base::AsBytes(StampOf(meta)));
}

absl::StatusOr<std::string> HashFile(const Root& root, base::File& file,
                                     const DeployComponent& component, const ProgressFn& progress) {
  base::Sha256 sha;
  base::Bytes buffer(kReadBytes);
  Progress event{Progress::Phase::kVerify,
                 component.manifest.component,
                 0,
                 component.manifest.package.size_bytes,
                 0,
                 ""};
  for (;;) {
    SLIPWAY_RETURN_IF_ERROR(root.options.cancel.status());
    SLIPWAY_ASSIGN_OR_RETURN(const size_t got, file.ReadAt(event.bytes, absl::MakeSpan(buffer)));
    if (got == 0) return base::ToHex(sha.Finish());
    sha.Update(absl::MakeSpan(buffer).first(got));
    event.bytes += got;
    if (progress) progress(event);
  }
}

BadPackage Describe(const Manifest& manifest, absl::string_view source, absl::string_view reason) {
  return {manifest.component, manifest.package.file, std::string(source), manifest.package.sha256,
          std::string(reason)};
}

// The cached package, if it is there and right; a wrong one is put away.
absl::StatusOr<std::unique_ptr<base::File>> OpenCached(const Root& root,
                                                       const DeployComponent& component,
                                                       bool paranoid, const ProgressFn& progress,
                                                       std::vector<std::string>& warnings) {
  const Manifest::Package& package = component.manifest.package;
  auto file = root.dir->Open(CachePath(package.sha256), base::OpenOptions());
  if (absl::IsNotFound(file.status())) return std::unique_ptr<base::File>();
  SLIPWAY_RETURN_IF_ERROR(file.status());
  SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, (*file)->Stat());
  const auto stamp = base::ReadFile(*root.dir, StampPath(package.sha256), kStampBytesMax);
  if (!paranoid && stamp.ok() && *stamp == StampOf(meta)) return *std::move(file);
  SLIPWAY_ASSIGN_OR_RETURN(const std::string got, HashFile(root, **file, component, progress));
  if (got == package.sha256 || SLIPWAY_MUTANT("skip-digest")) {
    SLIPWAY_RETURN_IF_ERROR(WriteStamp(root, package.sha256, **file));
    return *std::move(file);
  }
  warnings.push_back(absl::StrCat("the cached package of ", component.manifest.component.ToString(),
                                  " was damaged and is fetched again"));
  KeepBad(root, CachePath(package.sha256),
          Describe(component.manifest, "cache", "the SHA-256 of the cached file is " + got));
  SLIPWAY_RETURN_IF_ERROR(RemoveFile(*root.dir, CachePath(package.sha256)));
  return std::unique_ptr<base::File>();
}

// One try for the .part file, alone: an exclusive lock on the file that has the name.
base::Owned<base::File> TryOpenPart(const Root& root, const Manifest& manifest) {
  const std::string path = PartPath(manifest.package.sha256);
  base::OpenOptions options;
  options.write = true;
  options.create = true;
  options.mode = root.modes.file;  // it may hold files that few may read
  SLIPWAY_RETURN_IF_ERROR(
      base::MakeDirs(*root.dir, CacheDir(manifest.package.sha256), root.modes.dir));
  SLIPWAY_ASSIGN_OR_RETURN(auto file, root.dir->Open(path, options));
  const absl::Status busy =
      Error(Dt::kLocked,
            absl::StrCat("fetch ", manifest.package.file, ": another process fetches this package"),
            "try again when it is done, or wait with --wait-lock 30s");
  const absl::Status locked = file->TryLock();
  if (absl::IsAborted(locked)) return busy;
  SLIPWAY_RETURN_IF_ERROR(locked);
  SLIPWAY_ASSIGN_OR_RETURN(const base::Meta own, file->Stat());
  SLIPWAY_ASSIGN_OR_RETURN(const auto named, StatIfAny(*root.dir, path));
  if (!named || named->inode != own.inode) return busy;  // it has just been given its final name
  SLIPWAY_RETURN_IF_ERROR(file->Truncate(0));
  return file;
}

// Whoever fetches the same package for another type is waited for: types do not disturb each other
// (D1). Null: the package has come into the cache meanwhile.
base::Owned<base::File> OpenPart(const Root& root, const Manifest& manifest) {
  std::unique_ptr<base::File> part;
  const absl::Duration wait = std::max(root.options.wait_lock, kFetchWaitMin);
  const absl::Status opened = RetryWhileLocked(root, wait, [&]() -> absl::Status {
    part = nullptr;
    SLIPWAY_ASSIGN_OR_RETURN(auto locked, TryOpenPart(root, manifest));
    SLIPWAY_ASSIGN_OR_RETURN(const auto there,
                             StatIfAny(*root.dir, CachePath(manifest.package.sha256)));
    if (there) return RemoveFile(*root.dir, PartPath(manifest.package.sha256));
    part = std::move(locked);
    return absl::OkStatus();
  });
  if (!opened.ok()) return RootError(opened, "write the package cache");
  return part;
}

// All bytes of the package object into `part`; its digest.
absl::StatusOr<std::string> Download(const Root& root, const DeployComponent& component,
                                     const PackageSource& source, base::File& part,
                                     const ProgressFn& progress) {
  const Manifest& manifest = component.manifest;
  Progress event{
      Progress::Phase::kFetch, manifest.component, 0, manifest.package.size_bytes, 0, source.name};
  base::Sha256 sha;
  const absl::Status got = source.repository->Get(
      ObjectKey(manifest.component, manifest.package.file), Range(),
      [&](base::BytesView data) -> absl::Status {
        SLIPWAY_RETURN_IF_ERROR(root.options.cancel.status());
        SLIPWAY_RETURN_IF_ERROR(
            RootError(part.WriteAt(event.bytes, data), "write the package cache"));
        sha.Update(data);
        event.bytes += data.size();
        if (progress) progress(event);
        if (event.bytes <= manifest.package.size_bytes) return absl::OkStatus();
        return Error(Dt::kChecksum,
                     absl::StrCat("it is larger than the ", manifest.package.size_bytes,
                                  " bytes that the manifest states"));
      });
  SLIPWAY_RETURN_IF_ERROR(got);
  return base::ToHex(sha.Finish());
}

// Gives the verified .part its final name, durably.
absl::Status Keep(const Root& root, const std::string& sha256, base::File& part) {
  if (!SLIPWAY_MUTANT("cache-unsynced")) SLIPWAY_RETURN_IF_ERROR(part.Sync());
  SLIPWAY_RETURN_IF_ERROR(
      root.dir->Rename(PartPath(sha256), *root.dir, CachePath(sha256), base::RenameMode::kReplace));
  SLIPWAY_RETURN_IF_ERROR(SyncDirAt(*root.dir, CacheDir(sha256)));
  return WriteStamp(root, sha256, part);
}

// What its digest cannot show: a manifest that states another size.
absl::Status CheckSize(const Manifest& manifest, base::File& package) {
  SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, package.Stat());
  if (meta.size_bytes == manifest.package.size_bytes) return absl::OkStatus();
  return Error(Dt::kChecksum,
               absl::StrCat("it has ", meta.size_bytes, " bytes, the manifest states ",
                            manifest.package.size_bytes),
               "publish the version again: its manifest does not belong to this package");
}

// One try of one source; without a file where somebody else has brought the package meanwhile.
// DT007: wrong bytes, which are kept.
absl::StatusOr<FetchedPackage> FetchFrom(const Root& root, const DeployComponent& component,
                                         const PackageSource& source, const ProgressFn& progress) {
  const Manifest& manifest = component.manifest;
  const std::string& expected = manifest.package.sha256;
  SLIPWAY_LOG(kInfo, absl::StrCat("downloading package from ", source.name));
  const absl::Duration start = root.world.clock.Monotonic();
  SLIPWAY_ASSIGN_OR_RETURN(auto part, OpenPart(root, manifest));
  if (part == nullptr) return FetchedPackage();
  auto got = Download(root, component, source, *part, progress);
  if (got.ok() && *got != expected && !SLIPWAY_MUTANT("skip-digest")) {
    got = Error(Dt::kChecksum,
                absl::StrCat("its SHA-256 is ", *got, ", the manifest states ", expected));
  }
  if (const absl::Status size = CheckSize(manifest, *part); got.ok() && !size.ok()) got = size;
  const std::string code = base::GetErrorInfo(got.status()).code;
  if (code == DtName(Dt::kChecksum)) {
    KeepBad(root, PartPath(expected), Describe(manifest, source.name, got.status().message()));
  } else if (code == DtName(Dt::kDiskSpace)) {
    RemoveFile(*root.dir, PartPath(expected)).IgnoreError();
  }
  SLIPWAY_RETURN_IF_ERROR(got.status());
  const absl::Status kept = Keep(root, expected, *part);
  if (!kept.ok()) return RootError(kept, "write the package cache");
  SLIPWAY_LOG(kInfo, "download finished",
              {{"size", base::FormatSizeDecimal(manifest.package.size_bytes)},
               {"duration", base::FormatGoDuration(absl::Trunc(root.world.clock.Monotonic() - start,
                                                               absl::Milliseconds(1)))}});
  FetchedPackage fetched;
  fetched.file = std::move(part);
  fetched.source = source.name;
  fetched.bytes_fetched = manifest.package.size_bytes;
  return fetched;
}

// Errors of this machine, which no other source will cure.
bool IsOurs(const absl::Status& status) {
  const std::string code = base::GetErrorInfo(status).code;
  return absl::IsCancelled(status) || absl::IsDeadlineExceeded(status) ||
         code == DtName(Dt::kDiskSpace) || code == DtName(Dt::kLocked);
}

// From the cache or the sources; without a file as FetchFrom.
absl::StatusOr<FetchedPackage> TryFetch(const Root& root, const DeployComponent& component,
                                        bool paranoid, const ProgressFn& progress,
                                        std::vector<std::string>& warnings) {
  const Manifest& manifest = component.manifest;
  SLIPWAY_FAILPOINT("deploy.fetch.before");
  auto cached = OpenCached(root, component, paranoid, progress, warnings);
  if (!cached.ok()) return RootError(cached.status(), "read the package cache");
  if (*cached != nullptr) {
    const absl::Status size = CheckSize(manifest, **cached);
    if (!size.ok()) {
      return RootError(size,
                       absl::StrCat("take ", manifest.component.ToString(), " from the cache"));
    }
    FetchedPackage fetched;
    fetched.file = *std::move(cached);
    fetched.cache_hit = true;
    SLIPWAY_FAILPOINT("deploy.fetch.after");
    return fetched;
  }
  const std::string what = absl::StrCat("fetch ", manifest.component.ToString());
  absl::Status failed = Error(Dt::kNotFound, absl::StrCat(what, ": no source was given"),
                              "name one with --source, or add it to deploy.sources");
  for (const PackageSource& source : component.sources) {
    auto fetched = FetchFrom(root, component, source, progress);
    SLIPWAY_FAILPOINT("deploy.fetch.after");
    if (fetched.ok()) return fetched;
    const std::string context = absl::StrCat(what, " from ", source.name);
    if (IsOurs(fetched.status())) return RootError(fetched.status(), context);
    const bool missing = absl::IsNotFound(fetched.status());
    const Dt code = missing ? Dt::kNotFound : FileErrorCode(fetched.status(), Dt::kStorage);
    const absl::Status error = Wrap(fetched.status(), code, context,
                                    missing ? "publish it there, or name another source" : "");
    if (&source != &component.sources.back()) {
      warnings.push_back(absl::StrCat(error.message(), "; the next source was tried"));
    }
    // Wrong bytes are worse news than a source that is down.
    if (base::GetErrorInfo(failed).code != DtName(Dt::kChecksum)) failed = error;
  }
  return failed;
}

}  // namespace

absl::StatusOr<bool> InCache(const Root& root, const Manifest& manifest) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto meta,
                           StatIfAny(*root.dir, CachePath(manifest.package.sha256)));
  return meta && meta->size_bytes == manifest.package.size_bytes;
}

absl::StatusOr<FetchedPackage> FetchPackage(const Root& root, const DeployComponent& component,
                                            bool paranoid, const ProgressFn& progress,
                                            std::vector<std::string>& warnings) {
  constexpr int kTries = 3;  // what somebody else brings may be damaged again
  for (int i = 0; i < kTries; ++i) {
    auto fetched = TryFetch(root, component, paranoid, progress, warnings);
    if (!fetched.ok() || fetched->file != nullptr) return fetched;
  }
  return Error(Dt::kLocked,
               absl::StrCat("fetch ", component.manifest.component.ToString(),
                            ": others fetch this package and it gets damaged each time"),
               "try again when they are done");
}

void KeepBadPackage(const Root& root, const Manifest& manifest, absl::string_view source,
                    const absl::Status& why) {
  const std::string& sha256 = manifest.package.sha256;
  KeepBad(root, CachePath(sha256),
          Describe(manifest, source.empty() ? "cache" : source, why.message()));
  RemoveFile(*root.dir, StampPath(sha256)).IgnoreError();
}

}  // namespace slipway::deploy
