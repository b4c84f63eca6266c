#include "deploy/pack/packer.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/failpoint.h"
#include "base/status.h"
#include "base/temp_files.h"
#include "deploy/model/errors.h"
#include "deploy/pack/folders.h"
#include "deploy/pack/names.h"
#include "deploy/pack/package_output.h"
#include "deploy/pack/package_stream.h"
#include "deploy/pack/publication.h"
#include "deploy/pack/source_reader.h"
#include "deploy/pack/walker.h"
#include "deploy/repository/folder_lock.h"

namespace slipway::deploy {
namespace {

WalkOptions WalkOptionsOf(const PackOptions& options) {
  return {.rules = options.rules,
          .rules_before_ignore_files = options.rules_before_ignore_files,
          .ignore_files = true,
          .skip_special = options.skip_special};
}

// Names the frame of each file's data (D150).
void SetFrames(FileIndex& index) {
  for (IndexEntry& entry : index.entries) {
    const auto after =
        std::upper_bound(index.frames.begin(), index.frames.end(), entry.tar_offset,
                         [](uint64_t offset, const auto& frame) { return offset < frame.second; });
    entry.frame_index =
        static_cast<uint64_t>(std::max<ptrdiff_t>(0, after - index.frames.begin() - 1));
  }
}

// The file index as a finished file.
absl::Status WriteIndex(const FileIndex& index, PackageOutput& output) {
  SLIPWAY_RETURN_IF_ERROR(
      WriteFileIndex(index, [&](base::BytesView data) { return output.Append(data); }));
  return output.Finish();
}

Manifest ManifestOf(const PackOptions& options, const PackedFiles& files, Content content,
                    std::map<std::string, uint64_t> excluded) {
  Manifest manifest;
  manifest.component = options.component;
  manifest.created_at = options.created_at;
  manifest.name = options.name;
  manifest.description = options.description;
  manifest.dependencies = options.dependencies;
  manifest.labels = options.labels;
  manifest.package.file = files.package.name();
  manifest.package.size_bytes = files.package.size_bytes();
  manifest.package.algorithm = std::string(base::CodecName(options.codec));
  if (options.codec != base::Codec::kNone) manifest.package.level = options.level;
  manifest.package.sha256 = files.package.sha256();
  manifest.package.content = std::move(content);
  manifest.package.pieces = SideFile{.file = files.pieces.name(), .sha256 = files.pieces.sha256()};
  manifest.package.piece_bytes = kPieceBytes;
  manifest.package.index = SideFile{.file = files.index.name(), .sha256 = files.index.sha256()};
  manifest.source_path = options.source_path;
  manifest.tool_version = options.tool_version;
  manifest.excluded = std::move(excluded);
  return manifest;
}

// Lists and counts, reads no contents and writes nothing.
absl::StatusOr<PackResult> DryRun(base::Dir& source, const PackOptions& options,
                                  const base::CancelToken& cancel) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<Walker> walker,
                           Walker::Make(source, WalkOptionsOf(options)));
  PackResult result;
  absl::flat_hash_map<std::pair<uint64_t, uint64_t>, bool> linked;
  while (true) {
    SLIPWAY_RETURN_IF_ERROR(CheckCancelled(cancel, "pack"));
    SLIPWAY_ASSIGN_OR_RETURN(const std::optional<WalkEntry> entry, walker->Next());
    if (!entry.has_value()) break;
    if (entry->kind == base::FileKind::kDirectory) continue;
    ++result.source_files;
    if (entry->kind != base::FileKind::kFile) continue;
    const absl::StatusOr<base::Meta> meta = entry->parent->Stat(entry->name);
    if (!meta.ok()) return ReadingError(meta.status(), "pack", entry->path);
    const bool again =
        meta->link_count > 1 && !linked.try_emplace({meta->device, meta->inode}, true).second;
    if (!again) result.source_bytes += meta->size_bytes;
    if (options.progress) options.progress({result.source_bytes, result.source_files});
  }
  result.manifest.component = options.component;
  result.manifest.excluded = walker->excluded();
  result.warnings = std::move(walker->warnings());
  return result;
}

// Packs everything into `output`; what it packed is in the result but for the manifest's file
// parts.
struct Packed {
  FileIndex index;
  PackProgress totals;
  std::map<std::string, uint64_t> excluded;
  std::vector<std::string> warnings;
};

absl::StatusOr<Packed> PackTree(base::Pool& pool, base::Dir& source, const PackOptions& options,
                                PackageOutput& output, const base::CancelToken& cancel) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<Walker> walker,
                           Walker::Make(source, WalkOptionsOf(options)));
  const base::EncoderOptions encoder_options{
      .codec = options.codec, .level = options.level, .compress_all = options.compress_all};
  absl::StatusOr<std::unique_ptr<base::Encoder>> encoder = base::MakeEncoder(
      encoder_options, pool, [&](base::BytesView data) { return output.Append(data); });
  if (!encoder.ok()) return Wrap(encoder.status(), Dt::kConfig, "pack");
  Packed packed;
  PackageStream stream(**encoder, options, cancel);
  SourceReader reader(*walker, pool);
  while (true) {
    SLIPWAY_ASSIGN_OR_RETURN(std::vector<SourceItem> items, reader.Next());
    if (items.empty()) break;
    for (SourceItem& item : items) {
      SLIPWAY_RETURN_IF_ERROR(CheckCancelled(cancel, "pack"));
      SLIPWAY_RETURN_IF_ERROR(stream.Add(item));
      item = SourceItem();  // frees its contents and handles
    }
  }
  SLIPWAY_RETURN_IF_ERROR(stream.Finish());
  packed.index.entries = std::move(stream.entries());
  packed.index.frames = (*encoder)->frames();
  packed.totals = stream.totals();
  packed.excluded = walker->excluded();
  packed.warnings = std::move(walker->warnings());
  for (std::string& warning : stream.warnings()) packed.warnings.push_back(std::move(warning));
  SetFrames(packed.index);
  return packed;
}

// Several packers of one version: the last one's files and manifest stand there, not a mixture.
base::Owned<base::File> LockDist(base::World& world, base::Dir& dist, base::Dir& manifests,
                                 const PackOptions& options, const base::CancelToken& cancel) {
  SLIPWAY_ASSIGN_OR_RETURN(
      std::unique_ptr<base::File> lock,
      LockFolder(dist, world.clock,
                 {.what = "the folder of packages",
                  .hint = "another pack is running; try again when it has ended",
                  .wait = options.lock_wait,
                  .mode = 0666 & ~world.environment.Umask()},
                 cancel));
  for (base::Dir* dir : {&dist, &manifests}) {
    const absl::Status swept = base::RemoveStaleTemps(*dir).status();  // of a pack that was killed
    if (!swept.ok()) return Wrap(swept, FileErrorCode(swept, Dt::kStorage), "pack");
  }
  return lock;
}

}  // namespace

absl::StatusOr<PackResult> Pack(base::World& world, base::Dir& source, base::Dir& dist,
                                base::Dir& manifests, const PackOptions& options,
                                const base::CancelToken& cancel) {
  SLIPWAY_RETURN_IF_ERROR(CheckType(options.component.type));
  SLIPWAY_RETURN_IF_ERROR(CheckVersion(options.component.version, VersionScheme::kAny));
  if (options.dry_run) return DryRun(source, options, cancel);

  base::Pool& pool = world.pool;
  const uint32_t mode = 0666 & ~world.environment.Umask();
  const std::string package_name =
      absl::StrCat(options.component.type, "-", options.component.version, ".tar",
                   base::CodecSuffix(options.codec));
  SLIPWAY_ASSIGN_OR_RETURN(const auto package,
                           PackageOutput::Create(dist, pool, package_name, mode));
  SLIPWAY_FAILPOINT("pack.stream.before");
  SLIPWAY_ASSIGN_OR_RETURN(Packed packed, PackTree(pool, source, options, *package, cancel));
  SLIPWAY_RETURN_IF_ERROR(package->Finish());
  SLIPWAY_FAILPOINT("pack.stream.after");

  SLIPWAY_ASSIGN_OR_RETURN(
      const auto index, PackageOutput::Create(dist, pool, IndexFileName(options.component), mode));
  SLIPWAY_RETURN_IF_ERROR(WriteIndex(packed.index, *index));
  SLIPWAY_ASSIGN_OR_RETURN(
      const auto pieces,
      PackageOutput::Create(dist, pool, PiecesFileName(options.component), mode));
  SLIPWAY_RETURN_IF_ERROR(pieces->Append(package->pieces()));
  SLIPWAY_RETURN_IF_ERROR(pieces->Finish());
  SLIPWAY_RETURN_IF_ERROR(CheckCancelled(cancel, "pack"));

  const PackedFiles files{.package = *package, .index = *index, .pieces = *pieces, .mode = mode};
  Content content{.files = packed.totals.files,
                  .bytes = packed.totals.bytes,
                  .tree = TreeDigest(packed.index.entries)};
  SLIPWAY_ASSIGN_OR_RETURN(const auto lock, LockDist(world, dist, manifests, options, cancel));
  SLIPWAY_ASSIGN_OR_RETURN(
      Publication published,
      PublishPackage(dist, manifests, files,
                     ManifestOf(options, files, std::move(content), std::move(packed.excluded)),
                     options.force, cancel));
  return PackResult{.manifest = std::move(published.manifest),
                    .unchanged = published.unchanged,
                    .source_bytes = packed.totals.bytes,
                    .source_files = packed.totals.files,
                    .warnings = std::move(packed.warnings)};
}

}  // namespace slipway::deploy
