#include <algorithm>
#include <numeric>
#include <optional>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/check.h"
#include "base/mutant.h"
#include "base/status.h"
#include "base/sync/wait.h"
#include "deploy/model/errors.h"
#include "deploy/pack/extractor.h"
#include "deploy/pack/folders.h"
#include "deploy/pack/hash_zeros.h"
#include "deploy/pack/names.h"
#include "deploy/pack/walker.h"

namespace slipway::deploy {
namespace {

using Type = IndexEntry::Type;

constexpr size_t kNamedMax = 5;
constexpr size_t kBatchFiles = 256;  // hashed together
constexpr uint64_t kBatchBytes = 256ull << 20;
constexpr size_t kBufferBytes = 256 << 10;
constexpr char kTime[] = "mtime";

absl::string_view TypeName(Type type) {
  switch (type) {
    case Type::kFile:
      return "file";
    case Type::kDirectory:
      return "directory";
    case Type::kSymlink:
      return "symlink";
    case Type::kHardLink:
      return "hard link";
  }
  return "?";
}

// World-write may have been dropped on the way in (D193).
bool ModesAgree(uint32_t actual, uint32_t indexed) {
  return actual == indexed || actual == (indexed & ~kWorldWrite);
}

std::string ModeDetail(uint32_t actual, uint32_t indexed) {
  return absl::StrFormat("mode %04o instead of %04o", actual, indexed);
}

// How `actual` differs from `indexed`, both of one path; empty: not at all.
std::string Difference(const IndexEntry& actual, const IndexEntry& indexed) {
  if (actual.type != indexed.type) {
    return absl::StrCat("type ", TypeName(actual.type), " instead of ", TypeName(indexed.type));
  }
  const bool file = indexed.type == Type::kFile;
  if (file && actual.size_bytes != indexed.size_bytes) {
    return absl::StrCat("size ", actual.size_bytes, " instead of ", indexed.size_bytes);
  }
  if (file && actual.blake3 != indexed.blake3 && !SLIPWAY_MUTANT("skip-digest")) return "content";
  if ((file || indexed.type == Type::kDirectory) && !ModesAgree(actual.mode, indexed.mode)) {
    return ModeDetail(actual.mode, indexed.mode);
  }
  if (actual.link != indexed.link) {
    return absl::StrCat("link to ", ShowName(actual.link), " instead of ", ShowName(indexed.link));
  }
  if (indexed.type != Type::kHardLink && actual.mtime_ns != indexed.mtime_ns) return kTime;
  return "";
}

// Finds entries by path, with little memory beside them. Of one path the first is found.
class ByPath {
 public:
  explicit ByPath(const std::vector<IndexEntry>& entries)
      : entries_(entries), order_(entries.size()) {
    SLIPWAY_CHECK(entries.size() <= UINT32_MAX);  // several terabytes of names
    std::iota(order_.begin(), order_.end(), 0);
    std::stable_sort(order_.begin(), order_.end(), [&entries](uint32_t a, uint32_t b) {
      return entries[a].path < entries[b].path;
    });
  }
  std::optional<size_t> Find(absl::string_view path) const {
    const auto at = std::lower_bound(
        order_.begin(), order_.end(), path,
        [this](uint32_t index, absl::string_view want) { return entries_[index].path < want; });
    if (at == order_.end() || entries_[*at].path != path) return std::nullopt;
    return *at;
  }

 private:
  const std::vector<IndexEntry>& entries_;
  std::vector<uint32_t> order_;
};

// Directories that hold `entries`. That some are entries too does not matter: those are found
// first.
absl::flat_hash_set<absl::string_view> ImpliedBy(const std::vector<IndexEntry>& entries) {
  absl::flat_hash_set<absl::string_view> implied;
  for (const IndexEntry& entry : entries) {
    absl::string_view parent = base::SplitPath(entry.path).first;
    while (!parent.empty() && implied.insert(parent).second) {
      parent = base::SplitPath(parent).first;
    }
  }
  return implied;
}

// One look at an installed tree.
class TreeCheck {
 public:
  TreeCheck(base::Dir& tree, const FileIndex& index, base::Pool& pool, const VerifyOptions& options,
            const base::CancelToken& cancel)
      : tree_(tree),
        index_(index),
        pool_(pool),
        options_(options),
        cancel_(cancel),
        by_path_(index.entries),
        seen_(index.entries.size()) {}

  absl::StatusOr<std::vector<Drift>> Run() {
    WalkOptions walk_options;
    walk_options.ignore_files = false;
    walk_options.everything = true;
    SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<Walker> walker,
                             Walker::Make(tree_, walk_options));
    while (true) {
      SLIPWAY_RETURN_IF_ERROR(CheckCancelled(cancel_, "verify"));
      SLIPWAY_ASSIGN_OR_RETURN(std::optional<WalkEntry> entry, walker->Next());
      if (!entry.has_value()) break;
      SLIPWAY_RETURN_IF_ERROR(Look(*entry));
    }
    SLIPWAY_RETURN_IF_ERROR(HashBatch());
    for (size_t i = 0; i < seen_.size(); ++i) {
      if (!seen_[i]) Add(Drift::Kind::kMissing, index_.entries[i].path, "");
    }
    std::sort(drifts_.begin(), drifts_.end(),
              [](const Drift& a, const Drift& b) { return a.path < b.path; });
    return std::move(drifts_);
  }

 private:
  struct ToHash {
    WalkEntry entry;
    const IndexEntry* indexed = nullptr;
    std::string detail;  // what is known to differ besides the content
    bool differs = false;
  };

  void Add(Drift::Kind kind, absl::string_view path, std::string detail) {
    drifts_.push_back({.kind = kind, .path = std::string(path), .detail = std::move(detail)});
  }

  absl::Status Look(WalkEntry& entry) {
    const std::optional<size_t> found = by_path_.Find(entry.path);
    if (!found.has_value()) return LookAtUnknown(entry);
    seen_[*found] = true;
    const IndexEntry& indexed = index_.entries[*found];
    const absl::StatusOr<base::Meta> meta = entry.parent->Stat(entry.name);
    if (!meta.ok()) return ReadingError(meta.status(), "verify", entry.path);
    SLIPWAY_ASSIGN_OR_RETURN(const std::string detail, Compare(entry, *meta, indexed));
    const bool hash = indexed.type == Type::kFile && options_.deep;
    // A changed file has a new time too: the content is what its owner must know.
    if (!detail.empty() && !(hash && detail == kTime)) {
      Add(Drift::Kind::kChanged, entry.path, detail);
      return absl::OkStatus();
    }
    ++files_;
    if (!hash) return absl::OkStatus();
    batch_bytes_ += indexed.size_bytes;
    batch_.push_back({.entry = std::move(entry), .indexed = &indexed, .detail = detail});
    if (batch_.size() < kBatchFiles && batch_bytes_ < kBatchBytes) return absl::OkStatus();
    return HashBatch();
  }

  // A directory on the way to a member was made with that one; anything else is too much.
  absl::Status LookAtUnknown(const WalkEntry& entry) {
    if (!implied_.has_value()) implied_ = ImpliedBy(index_.entries);
    if (!implied_->contains(entry.path)) {
      Add(Drift::Kind::kExtra, entry.path, "");
      return absl::OkStatus();
    }
    const absl::StatusOr<base::Meta> meta = entry.parent->Stat(entry.name);
    if (!meta.ok()) return ReadingError(meta.status(), "verify", entry.path);
    if (meta->kind != base::FileKind::kDirectory) {
      Add(Drift::Kind::kChanged, entry.path, "no directory");
    } else if ((meta->mode & 0777) != kImpliedMode) {
      Add(Drift::Kind::kChanged, entry.path, ModeDetail(meta->mode & 0777, kImpliedMode));
    }
    return absl::OkStatus();
  }

  // Everything but content.
  absl::StatusOr<std::string> Compare(const WalkEntry& entry, const base::Meta& meta,
                                      const IndexEntry& indexed) {
    IndexEntry actual = indexed;
    switch (meta.kind) {
      case base::FileKind::kFile:
        actual.type = indexed.type == Type::kHardLink ? Type::kHardLink : Type::kFile;
        actual.size_bytes = meta.size_bytes;
        actual.mtime_ns = absl::ToUnixNanos(meta.mtime);
        break;
      case base::FileKind::kDirectory:
        // Its time says only that some name in it came or went, which shows by itself.
        actual.type = Type::kDirectory;
        break;
      case base::FileKind::kSymlink: {
        actual.type = Type::kSymlink;
        absl::StatusOr<std::string> target = entry.parent->ReadLink(entry.name);
        if (!target.ok()) return ReadingError(target.status(), "verify", entry.path);
        actual.link = *std::move(target);
        break;
      }
      case base::FileKind::kOther:
        return absl::StrCat("type device, FIFO or socket instead of ", TypeName(indexed.type));
    }
    actual.mode = meta.mode & 0777;
    if (const std::string detail = Difference(actual, indexed); !detail.empty()) return detail;
    if (indexed.type != Type::kHardLink) return std::string();
    const absl::StatusOr<base::Meta> target = tree_.Stat(indexed.link);
    const bool same = target.ok() && target->inode == meta.inode && target->device == meta.device;
    return same ? std::string() : absl::StrCat("no hard link to ", ShowName(indexed.link));
  }

  absl::Status HashBatch() {
    SLIPWAY_RETURN_IF_ERROR(
        base::ParallelFor(pool_, batch_.size(), [this](size_t i) { return HashOne(batch_[i]); }));
    for (const ToHash& one : batch_) {
      const absl::string_view detail = one.differs ? "content" : absl::string_view(one.detail);
      if (!detail.empty()) Add(Drift::Kind::kChanged, one.entry.path, std::string(detail));
    }
    batch_.clear();
    bytes_ += batch_bytes_;
    batch_bytes_ = 0;
    if (options_.progress) options_.progress(bytes_, files_);
    return absl::OkStatus();
  }

  absl::Status HashOne(ToHash& one) {
    const auto fail = [&](const absl::Status& status) {
      return ReadingError(status, "verify", one.entry.path);
    };
    const base::Owned<base::File> file = one.entry.parent->Open(one.entry.name, {});
    if (!file.ok()) return fail(file.status());
    const absl::StatusOr<base::Meta> meta = (*file)->Stat();
    if (!meta.ok()) return fail(meta.status());
    base::Bytes buffer(std::min<uint64_t>(kBufferBytes, one.indexed->size_bytes + 1));
    base::Blake3 hash;
    // Holes are not read: they are zeros, and may be terabytes.
    uint64_t data_end = meta->allocated_bytes < meta->size_bytes ? 0 : UINT64_MAX;
    for (uint64_t offset = 0;;) {
      SLIPWAY_RETURN_IF_ERROR(CheckCancelled(cancel_, "verify"));
      if (offset >= data_end) {
        const auto data = (*file)->NextData(offset);
        if (!data.ok()) return fail(data.status());
        SLIPWAY_RETURN_IF_ERROR(HashZeros(hash, data->first - offset, cancel_, "verify"));
        if (data->first == data->second) break;
        offset = data->first;
        data_end = data->second;
      }
      const size_t step = std::min<uint64_t>(buffer.size(), data_end - offset);
      const absl::StatusOr<size_t> got =
          (*file)->ReadAt(offset, absl::MakeSpan(buffer).subspan(0, step));
      if (!got.ok()) return fail(got.status());
      if (*got == 0) break;
      hash.Update(base::BytesView(buffer.data(), *got));
      offset += *got;
    }
    one.differs = hash.Finish() != one.indexed->blake3 && !SLIPWAY_MUTANT("skip-digest");
    return absl::OkStatus();
  }

  base::Dir& tree_;
  const FileIndex& index_;
  base::Pool& pool_;
  const VerifyOptions& options_;
  const base::CancelToken& cancel_;
  const ByPath by_path_;
  std::optional<absl::flat_hash_set<absl::string_view>> implied_;  // when first asked for
  std::vector<bool> seen_;
  std::vector<Drift> drifts_;
  std::vector<ToHash> batch_;
  uint64_t batch_bytes_ = 0, bytes_ = 0, files_ = 0;
};

// The first few of all differences.
class Differences {
 public:
  void Add(absl::string_view path, absl::string_view detail) {
    if (++count_ <= kNamedMax) {
      named_.push_back(absl::StrCat(ShowName(path), " (", detail, ")"));
    }
  }
  absl::Status Result(size_t members) const {
    if (count_ == 0) return absl::OkStatus();
    return Error(Dt::kChecksum,
                 absl::StrCat("verify package: ", count_, " of ", members,
                              " members differ from the file index: ", absl::StrJoin(named_, ", "),
                              count_ > kNamedMax ? ", …" : ""),
                 "fetch the package and its side files again");
  }

 private:
  size_t count_ = 0;
  std::vector<std::string> named_;
};

}  // namespace

absl::Status CompareWithIndex(const std::vector<IndexEntry>& extracted, FileIndexReader index) {
  std::vector<bool> seen(extracted.size());
  std::optional<ByPath> by_path;  // only for an index in another order than the archive
  Differences differences;
  size_t members = 0;
  for (size_t next = 0;; ++members) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::optional<IndexEntry> indexed, index.Next());
    if (!indexed.has_value()) break;
    std::optional<size_t> found = next;
    if (next >= extracted.size() || extracted[next].path != indexed->path) {
      if (!by_path.has_value()) by_path.emplace(extracted);
      found = by_path->Find(indexed->path);
    }
    if (!found.has_value() || seen[*found]) {
      differences.Add(indexed->path, "missing");
      continue;
    }
    next = *found + 1;
    seen[*found] = true;
    const std::string detail = Difference(extracted[*found], *indexed);
    if (!detail.empty()) differences.Add(indexed->path, detail);
  }
  for (size_t i = 0; i < seen.size(); ++i) {
    if (!seen[i]) differences.Add(extracted[i].path, "not in the index");
  }
  return differences.Result(members);
}

absl::StatusOr<std::vector<Drift>> VerifyTree(base::Dir& tree, const FileIndex& index,
                                              base::Pool& pool, const VerifyOptions& options,
                                              const base::CancelToken& cancel) {
  return TreeCheck(tree, index, pool, options, cancel).Run();
}

}  // namespace slipway::deploy
