#include "deploy/pack/extractor.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/failpoint.h"
#include "base/mutant.h"
#include "deploy/model/errors.h"
#include "deploy/pack/extracted_tree.h"
#include "deploy/pack/file_writer.h"
#include "deploy/pack/names.h"
#include "deploy/pack/tar_reader.h"

namespace slipway::deploy {
namespace {

constexpr uint64_t kContentBytesMin = 1ull << 30;  // D192, where no manifest tells
constexpr uint64_t kExpansionMax = 200;
// Headers, attributes and padding that a stream may spend beside contents.
constexpr uint64_t kOverheadBytes = 64ull << 20;
constexpr uint64_t kOverheadBytesPerEntry = 64ull << 10;

absl::Status Unsafe(const TarMember& member, absl::string_view reason) {
  return Error(Dt::kUnsafe,
               absl::StrCat("extract package: member ", ShowName(member.path), ": ", reason),
               "the package is refused as a whole; take it from a source you trust");
}

class Extraction {
 public:
  Extraction(base::ByteSource& tar, base::Dir& into, base::Pool& pool,
             const ExtractOptions& options, const base::CancelToken& cancel)
      : reader_(tar),
        options_(options),
        cancel_(cancel),
        folders_(into),
        writer_(folders_, pool),
        bytes_max_(options.content_bytes.value_or(
            std::max(kContentBytesMin, kExpansionMax * options.package_bytes))) {}

  absl::StatusOr<Extracted> Run() {
    while (true) {
      SLIPWAY_RETURN_IF_ERROR(CheckCancelled(cancel_, "extract package"));
      SLIPWAY_ASSIGN_OR_RETURN(const std::optional<TarMember> member, reader_.Next());
      if (!member.has_value()) break;
      SLIPWAY_RETURN_IF_ERROR(CheckLimits(*member));
      SLIPWAY_RETURN_IF_ERROR(Place(*member));
    }
    SLIPWAY_RETURN_IF_ERROR(tree_.CheckSymlinksResolved());
    SLIPWAY_RETURN_IF_ERROR(writer_.Finish([this](size_t index, const base::Blake3Digest& digest) {
      tree_.entries()[index].blake3 = digest;
    }));
    SLIPWAY_FAILPOINT("extract.links.before");
    SLIPWAY_RETURN_IF_ERROR(MakeHardLinks());
    SLIPWAY_RETURN_IF_ERROR(FinishDirectories());
    Report();
    Extracted result;
    result.entries = std::move(tree_.entries());
    result.bytes = bytes_;
    result.files = files_;
    if (const uint64_t lost = writer_.xattrs_lost() + xattrs_lost_; lost > 0) {
      result.warnings.push_back(absl::StrCat("extended attributes of ", lost,
                                             " files or directories left out: this file system "
                                             "does not keep them"));
    }
    return result;
  }

 private:
  // What has come, with the directories that it implies.
  uint64_t Entries() const { return tree_.entries().size() + tree_.implied().size(); }

  absl::Status TooMany(const TarMember& member) const {
    return Unsafe(member, absl::StrCat("more than ", options_.entries_max, " members"));
  }

  absl::Status CheckLimits(const TarMember& member) {
    if (Entries() >= options_.entries_max) return TooMany(member);
    if (member.type == TarMember::Type::kFile) {
      if (member.size_bytes > bytes_max_ - bytes_) {
        return Unsafe(member, absl::StrCat("the contents take more than the ", bytes_max_,
                                           options_.content_bytes.has_value()
                                               ? " bytes that were announced"
                                               : " bytes that a package of this size may unpack "
                                                 "to"));
      }
      bytes_ += member.size_bytes;
    }
    const uint64_t overhead_max =
        kOverheadBytes + kOverheadBytesPerEntry * (tree_.entries().size() + 1);
    if (member.data_offset > bytes_ && member.data_offset - bytes_ > overhead_max) {
      return Unsafe(member, "the archive spends too much on headers");
    }
    return absl::OkStatus();
  }

  // Permission bits that a member gets on disk (D193).
  uint32_t DiskMode(uint32_t packed) const {
    return packed & (options_.keep_world_write ? 0777u : 0777u & ~kWorldWrite);
  }

  absl::Status Place(const TarMember& member) {
    if (member.type == TarMember::Type::kSymlink) {
      SLIPWAY_RETURN_IF_ERROR(
          CheckSymlink(member.path, member.link, options_.allow_absolute_symlinks));
    }
    SLIPWAY_ASSIGN_OR_RETURN(const ExtractedTree::Admitted admitted, tree_.Admit(member));
    tree_.entries()[admitted.index].mode = member.mode & 0777;
    if (Entries() > options_.entries_max) return TooMany(member);
    for (const std::string& parent : admitted.parents) {
      SLIPWAY_RETURN_IF_ERROR(MakeDirectory(parent));
    }
    switch (member.type) {
      case TarMember::Type::kDirectory:
        if (!admitted.exists) SLIPWAY_RETURN_IF_ERROR(MakeDirectory(member.path));
        return SetDirectoryXattrs(member);
      case TarMember::Type::kSymlink:
        CountFile();
        return MakeSymlink(member);
      case TarMember::Type::kHardLink:  // made at the end, when its target is surely written
        CountFile();
        return absl::OkStatus();
      case TarMember::Type::kFile:
        CountFile();
        return WriteFile(member, admitted.index);
    }
    return absl::OkStatus();
  }

  absl::Status WriteFile(const TarMember& member, size_t index) {
    const base::MetaChange meta{.mode = DiskMode(member.mode),
                                .mtime = absl::FromUnixNanos(member.mtime_ns),
                                .xattrs = member.xattrs.empty()
                                              ? std::nullopt
                                              : std::optional<base::Xattrs>(member.xattrs)};
    return writer_.Write(member, index, meta, reader_, cancel_, [this](uint64_t bytes) {
      written_bytes_ += bytes;
      Report();
    });
  }

  absl::Status MakeDirectory(absl::string_view path) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto place, folders_.Find(path));
    return CreationError(place.dir->MakeDir(place.name, 0700), path);
  }

  absl::Status SetDirectoryXattrs(const TarMember& member) {
    if (member.xattrs.empty()) return absl::OkStatus();
    SLIPWAY_ASSIGN_OR_RETURN(const auto place, folders_.Find(member.path));
    const absl::Status set =
        place.dir->SetMeta(place.name, {.mode = {}, .mtime = {}, .xattrs = member.xattrs});
    if (absl::IsUnimplemented(set)) {
      ++xattrs_lost_;
      return absl::OkStatus();
    }
    return CreationError(set, member.path);
  }

  absl::Status MakeSymlink(const TarMember& member) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto place, folders_.Find(member.path));
    SLIPWAY_RETURN_IF_ERROR(
        CreationError(place.dir->Symlink(member.link, place.name), member.path));
    return CreationError(
        place.dir->SetMeta(
            place.name, {.mode = {}, .mtime = absl::FromUnixNanos(member.mtime_ns), .xattrs = {}}),
        member.path);
  }

  absl::Status MakeHardLinks() {
    for (const IndexEntry& entry : tree_.entries()) {
      if (entry.type != IndexEntry::Type::kHardLink) continue;
      SLIPWAY_RETURN_IF_ERROR(
          CreationError(folders_.root().HardLink(entry.link, entry.path), entry.path));
    }
    return absl::OkStatus();
  }

  // What is inside first: it can be reached only before its parent gets its final mode, and making
  // a name changes the parent's mtime. Descending by path, which also keeps what is in one
  // directory together: the handles of the way there are opened once.
  absl::Status FinishDirectories() {
    struct Final {
      absl::string_view path;
      const IndexEntry* entry;  // null: implied
    };
    std::vector<Final> directories;
    for (const IndexEntry& entry : tree_.entries()) {
      if (entry.type != IndexEntry::Type::kDirectory) continue;
      directories.push_back({entry.path, &entry});
    }
    for (const std::string& path : tree_.implied()) {
      directories.push_back({path, nullptr});
    }
    std::sort(directories.begin(), directories.end(), [](const Final& a, const Final& b) {
      return SLIPWAY_MUTANT("outermost-first") ? a.path < b.path : a.path > b.path;
    });
    for (const auto& [path, entry] : directories) {
      SLIPWAY_RETURN_IF_ERROR(CheckCancelled(cancel_, "extract package"));
      base::MetaChange meta;
      meta.mode = entry == nullptr ? kImpliedMode : DiskMode(entry->mode);
      if (entry != nullptr) meta.mtime = absl::FromUnixNanos(entry->mtime_ns);
      SLIPWAY_RETURN_IF_ERROR(SetDirectoryMeta(path, meta));
    }
    return absl::OkStatus();
  }

  absl::Status SetDirectoryMeta(absl::string_view path, const base::MetaChange& meta) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto place, folders_.Find(path));
    return CreationError(place.dir->SetMeta(place.name, meta), path);
  }

  void CountFile() { ++files_; }

  void Report() {
    if (options_.progress) options_.progress(written_bytes_, files_);
  }

  TarReader reader_;
  const ExtractOptions& options_;
  const base::CancelToken& cancel_;
  FolderCache folders_;
  ExtractedTree tree_;
  FileWriter writer_;
  const uint64_t bytes_max_;
  uint64_t bytes_ = 0;          // announced by the members so far
  uint64_t written_bytes_ = 0;  // for the progress
  uint64_t files_ = 0;
  uint64_t xattrs_lost_ = 0;
};

}  // namespace

absl::StatusOr<Extracted> Extract(base::ByteSource& package, base::Dir& into, base::Pool& pool,
                                  const ExtractOptions& options, const base::CancelToken& cancel) {
  const base::DecoderOptions decoder_options{.codec = options.codec};
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::ByteSource> tar,
                           base::MakeDecoder(decoder_options, package, pool));
  return Extraction(*tar, into, pool, options, cancel).Run();
}

}  // namespace slipway::deploy
