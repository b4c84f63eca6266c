#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/mutant.h"
#include "base/status.h"
#include "base/temp_files.h"
#include "base/units.h"
#include "deploy/repository/repository.h"

namespace slipway::deploy {
namespace {

constexpr size_t kBlockBytes = base::kMiB;
constexpr uint64_t kSliceBytes = 64 * base::kMiB;
constexpr int kDepthMax = 64;

std::string FileUrl(absl::string_view path) {
  std::string url = "file://";
  for (const unsigned char c : path) {
    if (absl::ascii_isalnum(c) || absl::StrContains("/-._~", static_cast<char>(c))) {
      url.push_back(static_cast<char>(c));
    } else {
      absl::StrAppendFormat(&url, "%%%02X", c);
    }
  }
  return url;
}

// Who may read an object may find it.
uint32_t DirMode(uint32_t file_mode) { return file_mode | (file_mode & 0444) >> 2; }

// All of `source` into `file`; OutOfRange unless it is `size_bytes` long.
absl::Status CopyAll(base::ByteSource& source, uint64_t size_bytes, base::File& file) {
  base::Bytes block(kBlockBytes);
  uint64_t done = 0;
  for (;;) {
    SLIPWAY_ASSIGN_OR_RETURN(const size_t got, source.Read(absl::MakeSpan(block)));
    if (got == 0 && done == size_bytes) return absl::OkStatus();
    if (got == 0 || got > size_bytes - done) {
      return absl::OutOfRangeError(absl::StrCat("the source is ", got == 0 ? "shorter" : "longer",
                                                " than the ", size_bytes, " bytes announced"));
    }
    SLIPWAY_RETURN_IF_ERROR(file.WriteAt(done, base::BytesView(block.data(), got)));
    done += got;
  }
}

// The first `size_bytes` of `source` into `file`, by the kernel, in slices between which the caller
// may stop it.
absl::Status CopyFile(base::File& source, uint64_t size_bytes, base::File& file,
                      CopyProgress progress) {
  for (uint64_t done = 0; done < size_bytes;) {
    const uint64_t slice = std::min(kSliceBytes, size_bytes - done);
    SLIPWAY_RETURN_IF_ERROR(file.CopyFrom(source, done, done, slice));
    done += slice;
    if (done < size_bytes) SLIPWAY_RETURN_IF_ERROR(progress(done));
  }
  return progress(size_bytes);
}

// Lists files in the bytewise order of their keys, directory by directory: memory is one directory
// a level and one page.
class Lister {
 public:
  Lister(absl::string_view prefix, absl::string_view token) : prefix_(prefix), token_(token) {}

  absl::Status List(base::Dir& dir, const std::string& base, int depth) {
    if (depth > kDepthMax) return absl::OkStatus();  // no key is as deep
    SLIPWAY_ASSIGN_OR_RETURN(const std::vector<Entry> entries, Entries(dir, base));
    for (const Entry& entry : entries) {
      if (full_) return absl::OkStatus();
      if (entry.is_dir) {
        SLIPWAY_RETURN_IF_ERROR(Descend(dir, entry, depth));
      } else {
        SLIPWAY_RETURN_IF_ERROR(Add(dir, entry));
      }
    }
    return absl::OkStatus();
  }

  Page TakePage() { return std::move(page_); }

 private:
  struct Entry {
    std::string name;
    std::string key;  // of a directory: with a slash, which puts it where its keys are in order
    bool is_dir = false;
  };

  absl::StatusOr<std::vector<Entry>> Entries(base::Dir& dir, const std::string& base) {
    std::vector<Entry> entries;
    SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::DirCursor> cursor, dir.List());
    for (;;) {
      SLIPWAY_ASSIGN_OR_RETURN(const std::optional<base::DirEntry> found, cursor->Next());
      if (!found) break;
      const bool is_dir = found->kind == base::FileKind::kDirectory;
      if (!is_dir && found->kind != base::FileKind::kFile) continue;
      Entry entry{found->name, absl::StrCat(base, found->name, is_dir ? "/" : ""), is_dir};
      if (Wanted(entry)) entries.push_back(std::move(entry));
    }
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return a.key < b.key; });
    return entries;
  }

  bool Wanted(const Entry& entry) const {
    if (entry.name.front() == '.') return false;  // temporary files of a killed process, no object
    if (!entry.is_dir) return absl::StartsWith(entry.key, prefix_) && entry.key > token_;
    const bool meets = absl::StartsWith(entry.key, prefix_) || absl::StartsWith(prefix_, entry.key);
    return meets && (entry.key > token_ || absl::StartsWith(token_, entry.key));
  }

  absl::Status Descend(base::Dir& dir, const Entry& entry, int depth) {
    base::Owned<base::Dir> below = dir.OpenDir(entry.name);
    if (absl::IsNotFound(below.status())) return absl::OkStatus();
    SLIPWAY_RETURN_IF_ERROR(below.status());
    return List(**below, entry.key, depth + 1);
  }

  absl::Status Add(base::Dir& dir, const Entry& entry) {
    const absl::StatusOr<base::Meta> meta = dir.Stat(entry.name);
    if (absl::IsNotFound(meta.status())) return absl::OkStatus();  // removed meanwhile
    SLIPWAY_RETURN_IF_ERROR(meta.status());
    if (page_.objects.size() == kPageObjectsMax) {
      page_.next_token = page_.objects.back().key;
      full_ = true;
      return absl::OkStatus();
    }
    page_.objects.push_back({entry.key, meta->size_bytes, meta->mtime});
    return absl::OkStatus();
  }

  std::string prefix_;
  std::string token_;
  Page page_;
  bool full_ = false;
};

class FilesystemRepository : public Repository {
 public:
  FilesystemRepository(std::unique_ptr<base::Dir> root, std::string name, std::string path,
                       uint32_t file_mode)
      : root_(std::move(root)),
        name_(std::move(name)),
        path_(std::move(path)),
        file_mode_(file_mode) {}

  absl::StatusOr<Object> Put(absl::string_view key, base::ByteSource& source, uint64_t size_bytes,
                             If condition) override {
    return Store(key, condition,
                 [&](base::File& file) { return CopyAll(source, size_bytes, file); });
  }

  absl::StatusOr<Object> PutFile(absl::string_view key, base::File& source, uint64_t size_bytes,
                                 If condition, CopyProgress progress) override {
    return Store(key, condition,
                 [&](base::File& file) { return CopyFile(source, size_bytes, file, progress); });
  }

  absl::Status Get(absl::string_view key, Range range, Sink sink) override {
    SLIPWAY_RETURN_IF_ERROR(CheckKey(key));
    // A FIFO or a device would block or worse when opened.
    SLIPWAY_RETURN_IF_ERROR(Stat(key).status());
    base::OpenOptions options;
    SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file, root_->Open(key, options));
    SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, file->Stat());
    const uint64_t past = meta.size_bytes;
    const bool inside =
        range.offset_bytes <= past && range.size_bytes.value_or(0) <= past - range.offset_bytes;
    if (!inside) {
      return absl::OutOfRangeError(
          absl::StrCat("read ", key, ": the range reaches past the end at byte ", past));
    }
    const uint64_t end = range.size_bytes ? range.offset_bytes + *range.size_bytes : past;
    base::Bytes block(
        static_cast<size_t>(std::min<uint64_t>(kBlockBytes, end - range.offset_bytes)));
    for (uint64_t at = range.offset_bytes; at < end;) {
      const auto wanted = static_cast<size_t>(std::min<uint64_t>(block.size(), end - at));
      SLIPWAY_ASSIGN_OR_RETURN(const size_t got,
                               file->ReadAt(at, absl::MakeSpan(block.data(), wanted)));
      if (got == 0)
        return absl::DataLossError(absl::StrCat("read ", key, ": cut off at byte ", at));
      SLIPWAY_RETURN_IF_ERROR(sink(base::BytesView(block.data(), got)));
      at += got;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Object> Stat(absl::string_view key) override {
    SLIPWAY_RETURN_IF_ERROR(CheckKey(key));
    const absl::StatusOr<base::Meta> meta = root_->Stat(key);
    // A directory or a file on the way means only that there is no such object.
    if (absl::IsFailedPrecondition(meta.status()) ||
        (meta.ok() && meta->kind != base::FileKind::kFile)) {
      return absl::NotFoundError(absl::StrCat("stat ", key, ": no object"));
    }
    SLIPWAY_RETURN_IF_ERROR(meta.status());
    return Object{std::string(key), meta->size_bytes, meta->mtime};
  }

  absl::StatusOr<Page> List(absl::string_view prefix, absl::string_view token) override {
    Lister lister(prefix, token);
    SLIPWAY_RETURN_IF_ERROR(lister.List(*root_, "", 0));
    return lister.TakePage();
  }

  absl::Status Remove(absl::string_view key) override {
    const absl::StatusOr<Object> object = Stat(key);
    if (absl::IsNotFound(object.status())) return absl::OkStatus();
    SLIPWAY_RETURN_IF_ERROR(object.status());
    const auto [parent, name] = base::SplitPath(key);
    SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::Dir> dir, root_->OpenDir(parent));
    const absl::Status removed = dir->Remove(name);
    if (!removed.ok() && !absl::IsNotFound(removed)) return removed;
    return dir->Sync();
  }

  Location LocationOf(const Component& component, absl::string_view package_file) override {
    const std::string folder = base::JoinPath(path_, ObjectKey(component, ""));
    Location location;
    location.name = name_;
    location.type = "filesystem";
    location.path = folder;
    location.url = FileUrl(base::JoinPath(folder, package_file));
    return location;
  }

 private:
  // Opens the directory `path`, made where missing. Each one on the way is synced into its parent
  // whether it was there or not: another process may have made it and not have come to its sync.
  absl::StatusOr<std::unique_ptr<base::Dir>> MakeFolder(absl::string_view path) {
    SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<base::Dir> dir, root_->OpenDir(""));
    if (path.empty()) return dir;
    for (const absl::string_view part : absl::StrSplit(path, '/')) {
      const absl::Status made = dir->MakeDir(part, DirMode(file_mode_));
      if (!made.ok() && !absl::IsAlreadyExists(made)) return made;
      SLIPWAY_RETURN_IF_ERROR(dir->Sync());
      SLIPWAY_ASSIGN_OR_RETURN(dir, dir->OpenDir(part));
    }
    return dir;
  }

  absl::StatusOr<Object> Store(absl::string_view key, If condition,
                               absl::FunctionRef<absl::Status(base::File&)> fill) {
    SLIPWAY_RETURN_IF_ERROR(CheckKey(key));
    const auto [parent, name] = base::SplitPath(key);
    base::Owned<base::Dir> dir = MakeFolder(parent);
    if (absl::IsNotFound(dir.status())) {
      return absl::UnavailableError(
          absl::StrCat("write ", key, ": the directory ", path_, " is gone"));
    }
    SLIPWAY_RETURN_IF_ERROR(dir.status());
    const absl::StatusOr<base::Meta> before = (*dir)->Stat(name);
    if (before.ok() && condition == If::kAbsent) {
      return absl::AlreadyExistsError(absl::StrCat("write ", key, ": exists"));
    }
    const absl::Status stored = StoreIn(**dir, name, condition, fill);
    if (!stored.ok()) return base::Annotate(stored, absl::StrCat("write ", key));
    return Stat(key);
  }

  absl::Status StoreIn(base::Dir& dir, absl::string_view name, If condition,
                       absl::FunctionRef<absl::Status(base::File&)> fill) {
    base::RemoveStaleTemps(dir).IgnoreError();  // of a publish that was killed
    SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file, dir.CreateTemp());
    SLIPWAY_RETURN_IF_ERROR(fill(*file));
    SLIPWAY_RETURN_IF_ERROR(file->SetMeta({.mode = file_mode_, .mtime = {}, .xattrs = {}}));
    if (!SLIPWAY_MUTANT("no-fsync")) SLIPWAY_RETURN_IF_ERROR(file->Sync());
    const bool replace = condition == If::kAny && dir.Stat(name).ok();
    const absl::Status published = dir.Publish(
        *file, name,
        condition == If::kAny ? base::RenameMode::kReplace : base::RenameMode::kNoReplace);
    SLIPWAY_RETURN_IF_ERROR(published);
    const absl::Status synced = dir.Sync();
    // A name that may or may not be durable must not be seen after an error.
    if (!synced.ok() && !replace) dir.Remove(name).IgnoreError();
    return synced;
  }

  const std::unique_ptr<base::Dir> root_;
  const std::string name_;
  const std::string path_;  // absolute
  const uint32_t file_mode_;
};

}  // namespace

base::Owned<base::Dir> MakeRootWithMode(base::Files& files, const std::string& path,
                                        uint32_t mode) {
  base::Owned<base::Dir> there = files.OpenRoot(path);
  if (!absl::IsNotFound(there.status())) return there;
  const std::string parent(base::SplitPath(path).first);
  if (!parent.empty()) SLIPWAY_RETURN_IF_ERROR(MakeRootWithMode(files, parent, mode).status());
  SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<base::Dir> made, files.MakeRoot(path));
  SLIPWAY_RETURN_IF_ERROR(made->SetMeta("", {.mode = mode, .mtime = {}, .xattrs = {}}));
  SLIPWAY_RETURN_IF_ERROR(made->Sync());
  return made;
}

base::Owned<Repository> OpenFilesystemRepository(base::Files& files, std::string name,
                                                 const std::string& path, uint32_t file_mode) {
  SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<base::Dir> root,
                           MakeRootWithMode(files, path, DirMode(file_mode)));
  SLIPWAY_ASSIGN_OR_RETURN(std::string real, files.Canonical(path));
  return std::make_unique<FilesystemRepository>(std::move(root), std::move(name), std::move(real),
                                                file_mode);
}

}  // namespace slipway::deploy
