#include "deploy/pack/package_stream.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "deploy/model/errors.h"
#include "deploy/pack/folders.h"
#include "deploy/pack/hash_zeros.h"
#include "deploy/pack/names.h"
#include "deploy/pack/tar_writer.h"

namespace slipway::deploy {
namespace {

constexpr size_t kBufferBytes = 1 << 20;
constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr int64_t kSecondsMax = INT64_MAX / kNsPerSecond;

absl::Status ReadError(const absl::Status& status, const SourceItem& item) {
  return ReadingError(status, "pack", item.entry.path);
}

// Where `file` has data; empty when it has no hole. Beyond kSparseRangesMax the rest counts as
// data.
absl::StatusOr<std::optional<TarRanges>> FindHoles(base::File& file, uint64_t size_bytes) {
  TarRanges ranges;
  uint64_t end = 0;
  bool holes = false;
  while (end < size_bytes) {
    SLIPWAY_ASSIGN_OR_RETURN(auto data, file.NextData(end));
    data.first = std::min(data.first, size_bytes);
    data.second = std::min(data.second, size_bytes);
    if (ranges.size() == kSparseRangesMax) data = {end, size_bytes};
    holes |= data.first > end;
    if (data.first >= size_bytes) break;
    ranges.emplace_back(data.first, data.second - data.first);
    end = data.second;
  }
  return holes ? std::optional<TarRanges>(std::move(ranges)) : std::nullopt;
}

}  // namespace

PackageStream::PackageStream(base::Encoder& encoder, const PackOptions& options,
                             const base::CancelToken& cancel)
    : encoder_(encoder), options_(options), cancel_(cancel) {}

int64_t PackageStream::MtimeOf(const base::Meta& meta) const {
  const int64_t own = absl::ToUnixNanos(meta.mtime);
  if (!options_.mtime_epoch_s.has_value()) return own;
  const int64_t epoch =
      std::clamp(*options_.mtime_epoch_s, -kSecondsMax, kSecondsMax) * kNsPerSecond;
  return options_.mtime_fixed ? epoch : std::min(own, epoch);
}

absl::Status PackageStream::Append(base::BytesView data) {
  offset_ += data.size();
  return encoder_.Append(data);
}

absl::Status PackageStream::WriteHeader(const TarMember& member) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::string header, FormatTarHeader(member));
  return Append(base::AsBytes(header));
}

// The error of a file that changed, or a warning where the user allows that.
absl::Status PackageStream::Changed(const SourceItem& item, absl::string_view how) {
  const std::string text = absl::StrCat(ShowName(item.entry.path), ": ", how);
  if (options_.allow_changing) {
    warnings_.push_back(text);
    return absl::OkStatus();
  }
  return Error(Dt::kChanged, absl::StrCat("pack ", text),
               "pack again when nothing writes there, or pass --allow-changing");
}

absl::Status PackageStream::Record(const TarMember& member, uint64_t data_offset,
                                   const base::Blake3Digest& digest) {
  if (!names_.TakeMember(member.path.size() + member.link.size())) {
    return Error(
        Dt::kFileKind,
        absl::StrCat("pack ", ShowName(member.path), ": the names up to it take more than ",
                     names_.limit_bytes(), " bytes, which no package may"),
        "shorten the paths, or pack the tree as several components");
  }
  IndexEntry entry;
  entry.path = member.path;
  entry.link = member.link;
  entry.mtime_ns = member.mtime_ns;
  entry.mode = member.mode;
  switch (member.type) {
    case TarMember::Type::kFile:
      entry.type = IndexEntry::Type::kFile;
      entry.size_bytes = member.size_bytes;
      entry.blake3 = digest;
      entry.tar_offset = data_offset;
      break;
    case TarMember::Type::kDirectory:
      entry.type = IndexEntry::Type::kDirectory;
      break;
    case TarMember::Type::kSymlink:
      entry.type = IndexEntry::Type::kSymlink;
      break;
    case TarMember::Type::kHardLink:
      entry.type = IndexEntry::Type::kHardLink;
      break;
  }
  entries_.push_back(std::move(entry));
  if (member.type != TarMember::Type::kDirectory) ++totals_.files;
  return absl::OkStatus();
}

void PackageStream::Report() {
  if (options_.progress) options_.progress(totals_);
}

absl::Status PackageStream::Add(SourceItem& item) {
  if (absl::IsNotFound(item.status)) return Changed(item, "it vanished while the tree was packed");
  if (!item.status.ok()) return ReadError(item.status, item);
  TarMember member;
  member.path = item.entry.path;
  member.mode = item.meta.mode & 0777;
  member.mtime_ns = MtimeOf(item.meta);
  switch (item.entry.kind) {
    case base::FileKind::kDirectory:
      member.type = TarMember::Type::kDirectory;
      member.xattrs = std::move(item.xattrs);
      break;
    case base::FileKind::kSymlink:
      member.type = TarMember::Type::kSymlink;
      member.link = std::move(item.link);
      if (!CheckSymlink(member.path, member.link, false).ok()) {
        warnings_.push_back(absl::StrCat(ShowName(member.path), ": symlink out of the tree to ",
                                         ShowName(member.link),
                                         "; deploying refuses it unless the component allows it"));
      }
      break;
    case base::FileKind::kFile:
      return AddFile(item, std::move(member));
    case base::FileKind::kOther:
      return Changed(item, "it became something else while the tree was packed");
  }
  SLIPWAY_RETURN_IF_ERROR(WriteHeader(member));
  SLIPWAY_RETURN_IF_ERROR(Record(member, offset_, {}));
  Report();
  return absl::OkStatus();
}

absl::Status PackageStream::AddFile(SourceItem& item, TarMember member) {
  if (item.read) return AddWhole(item, std::move(member));
  base::Owned<base::File> opened = item.entry.parent->Open(item.entry.name, {});
  if (!opened.ok()) return ReadError(opened.status(), item);
  base::File& file = **opened;
  absl::StatusOr<base::Meta> meta = file.Stat();
  if (!meta.ok()) return ReadError(meta.status(), item);
  if (meta->kind != base::FileKind::kFile) {
    return Changed(item, "it became something else while the tree was packed");
  }
  item.meta = *std::move(meta);
  if (item.meta.link_count > 1) {
    const auto [first, fresh] =
        linked_.try_emplace({item.meta.device, item.meta.inode}, member.path);
    if (!fresh) {
      member.type = TarMember::Type::kHardLink;
      member.link = first->second;
      member.mode = item.meta.mode & 0777;
      member.mtime_ns = MtimeOf(item.meta);
      SLIPWAY_RETURN_IF_ERROR(WriteHeader(member));
      SLIPWAY_RETURN_IF_ERROR(Record(member, offset_, {}));
      Report();
      return absl::OkStatus();
    }
  }
  if (item.meta.allocated_bytes < item.meta.size_bytes) {
    absl::StatusOr<std::optional<TarRanges>> ranges = FindHoles(file, item.meta.size_bytes);
    if (!ranges.ok()) return ReadError(ranges.status(), item);
    member.sparse = ranges->has_value();
    if (member.sparse) member.ranges = **std::move(ranges);
  }
  if (member.sparse || item.meta.size_bytes > kWholeBytesMax) {
    return AddStreamed(file, item, std::move(member));
  }
  SLIPWAY_RETURN_IF_ERROR(ReadError(ReadWhole(file, item), item));
  return AddWhole(item, std::move(member));
}

absl::Status PackageStream::AddWhole(SourceItem& item, TarMember member) {
  if (item.changed) {
    SLIPWAY_RETURN_IF_ERROR(Changed(item, "it changed while it was read, twice"));
  }
  member.mode = item.meta.mode & 0777;
  member.mtime_ns = MtimeOf(item.meta);
  member.size_bytes = item.data.size();
  member.xattrs = std::move(item.xattrs);
  SLIPWAY_RETURN_IF_ERROR(WriteHeader(member));
  totals_.bytes += member.size_bytes;
  SLIPWAY_RETURN_IF_ERROR(Record(member, offset_, item.digest));
  SLIPWAY_RETURN_IF_ERROR(Append(item.data));
  SLIPWAY_RETURN_IF_ERROR(Append(base::Bytes(TarPaddingBytes(item.data.size()))));
  Report();
  return absl::OkStatus();
}

// Copies a range to the stream and the hash; false: the file ended before it, zeros stand for the
// rest.
absl::StatusOr<bool> PackageStream::CopyRange(base::File& file, uint64_t offset, uint64_t size,
                                              base::Blake3& hash) {
  buffer_.resize(kBufferBytes);
  bool whole = true;
  while (size > 0) {
    SLIPWAY_RETURN_IF_ERROR(CheckCancelled(cancel_, "pack"));
    const size_t step = std::min<uint64_t>(size, buffer_.size());
    size_t got = 0;
    if (whole) {
      SLIPWAY_ASSIGN_OR_RETURN(got, file.ReadAt(offset, absl::MakeSpan(buffer_).subspan(0, step)));
    }
    whole &= got == step;
    std::fill(buffer_.begin() + static_cast<ptrdiff_t>(got),
              buffer_.begin() + static_cast<ptrdiff_t>(step), uint8_t{0});
    const base::BytesView data(buffer_.data(), step);
    hash.Update(data);
    SLIPWAY_RETURN_IF_ERROR(Append(data));
    offset += step;
    size -= step;
    totals_.bytes += step;
    Report();
  }
  return whole;
}

absl::Status PackageStream::AddStreamed(base::File& file, SourceItem& item, TarMember member) {
  member.mode = item.meta.mode & 0777;
  member.mtime_ns = MtimeOf(item.meta);
  member.size_bytes = item.meta.size_bytes;
  absl::StatusOr<base::Xattrs> xattrs = file.GetXattrs();
  if (!xattrs.ok()) return ReadError(xattrs.status(), item);
  member.xattrs = *std::move(xattrs);
  SLIPWAY_ASSIGN_OR_RETURN(const std::string header, FormatTarHeader(member));
  SLIPWAY_RETURN_IF_ERROR(Append(base::AsBytes(header)));
  // The index points at the map of a sparse file, where the stored data begin.
  const uint64_t data_offset = offset_ - (member.sparse ? SparseMapBytes(member) : 0);
  const uint64_t bytes_before = totals_.bytes;

  base::Blake3 hash;
  bool whole = true;
  uint64_t end = 0;
  const TarRanges all = member.sparse ? member.ranges : TarRanges{{0, member.size_bytes}};
  for (const auto& [offset, size] : all) {
    SLIPWAY_RETURN_IF_ERROR(HashZeros(hash, offset - end, cancel_, "pack"));
    const absl::StatusOr<bool> copied = CopyRange(file, offset, size, hash);
    if (!copied.ok()) return ReadError(copied.status(), item);
    whole &= *copied;
    end = offset + size;
  }
  SLIPWAY_RETURN_IF_ERROR(HashZeros(hash, member.size_bytes - end, cancel_, "pack"));
  SLIPWAY_RETURN_IF_ERROR(Append(base::Bytes(TarPaddingBytes(TarDataBytes(member)))));

  absl::StatusOr<base::Meta> after = file.Stat();
  if (!after.ok()) return ReadError(after.status(), item);
  if (!whole || !SameState(item.meta, *after)) {
    SLIPWAY_RETURN_IF_ERROR(
        Changed(item, "it changed while it was read, and is too large to be read again"));
  }
  totals_.bytes = bytes_before + member.size_bytes;
  SLIPWAY_RETURN_IF_ERROR(Record(member, data_offset, hash.Finish()));
  Report();
  return absl::OkStatus();
}

absl::Status PackageStream::Finish() {
  SLIPWAY_RETURN_IF_ERROR(Append(base::AsBytes(TarEnd())));
  SLIPWAY_RETURN_IF_ERROR(encoder_.Finish());
  Report();
  return absl::OkStatus();
}

}  // namespace slipway::deploy
