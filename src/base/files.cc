#include "base/files.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/units.h"

namespace slipway::base {
namespace {

constexpr uint64_t kReadBytes = 64 * kKiB;
constexpr int kTreeDepthMax = 1024;

absl::StatusOr<std::string> ReadAll(File& file, absl::string_view path, uint64_t limit_bytes) {
  std::string text;
  for (;;) {
    const size_t have = text.size();
    if (have > limit_bytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat("read ", path, ": more than the limit of ", limit_bytes, " bytes"));
    }
    text.resize(have + kReadBytes);
    SLIPWAY_ASSIGN_OR_RETURN(
        const size_t got,
        file.ReadAt(have,
                    absl::MakeSpan(reinterpret_cast<uint8_t*>(text.data()) + have, kReadBytes)));
    text.resize(have + got);
    if (got == 0) return text;
  }
}

absl::StatusOr<std::vector<DirEntry>> ListAll(Dir& dir) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<DirCursor> cursor, dir.List());
  std::vector<DirEntry> entries;
  for (;;) {
    SLIPWAY_ASSIGN_OR_RETURN(std::optional<DirEntry> entry, cursor->Next());
    if (!entry) return entries;
    entries.push_back(*std::move(entry));
  }
}

// Empties and removes the directory `name` of `parent`, which stands on file system `device`.
absl::Status RemoveDirectory(Dir& parent, absl::string_view name, uint64_t device, int depth) {
  if (depth > kTreeDepthMax) {
    return absl::FailedPreconditionError(
        absl::StrCat("remove ", name, ": nested deeper than ", kTreeDepthMax, " directories"));
  }
  SLIPWAY_ASSIGN_OR_RETURN(const Meta meta, parent.Stat(name));
  if (meta.device != device) {
    return absl::FailedPreconditionError(
        absl::StrCat("remove ", name, ": another file system is mounted there"));
  }
  if ((meta.mode & 0700) != 0700) {
    SLIPWAY_RETURN_IF_ERROR(
        parent.SetMeta(name, {.mode = meta.mode | 0700, .mtime = {}, .xattrs = {}}));
  }
  {
    SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<Dir> dir, parent.OpenDir(name));
    SLIPWAY_ASSIGN_OR_RETURN(const std::vector<DirEntry> entries, ListAll(*dir));
    for (const DirEntry& entry : entries) {
      const absl::Status removed = entry.kind == FileKind::kDirectory
                                       ? RemoveDirectory(*dir, entry.name, device, depth + 1)
                                       : dir->Remove(entry.name);
      if (!removed.ok() && !absl::IsNotFound(removed)) return removed;
    }
  }
  return parent.Remove(name);
}

}  // namespace

absl::StatusOr<std::string> ReadFile(Dir& dir, absl::string_view path, uint64_t limit_bytes) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, dir.Open(path, OpenOptions{}));
  return ReadAll(*file, path, limit_bytes);
}

absl::StatusOr<std::string> ReadUserFile(Files& files, absl::string_view path,
                                         uint64_t limit_bytes) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::string real, files.Canonical(path));
  const auto [parent, name] = SplitPath(real);
  if (name.empty()) {
    return absl::FailedPreconditionError(absl::StrCat("read ", path, ": it is a directory"));
  }
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<Dir> dir,
                           files.OpenRoot(parent.empty() ? absl::string_view("/") : parent));
  return ReadFile(*dir, name, limit_bytes);
}

absl::Status WriteFileDurably(Dir& dir, absl::string_view name, absl::string_view data,
                              uint32_t mode, RenameMode rename) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, dir.CreateTemp());
  SLIPWAY_RETURN_IF_ERROR(file->WriteAt(0, AsBytes(data)));
  SLIPWAY_RETURN_IF_ERROR(file->SetMeta({.mode = mode, .mtime = {}, .xattrs = {}}));
  SLIPWAY_RETURN_IF_ERROR(file->Sync());
  SLIPWAY_RETURN_IF_ERROR(dir.Publish(*file, name, rename));
  return dir.Sync();
}

absl::Status RemoveTree(Dir& dir, absl::string_view path) {
  const absl::StatusOr<Meta> meta = dir.Stat(path);
  if (absl::IsNotFound(meta.status())) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(meta.status());
  if (meta->kind != FileKind::kDirectory) return dir.Remove(path);
  return RemoveDirectory(dir, path, meta->device, 0);
}

absl::Status MakeDirs(Dir& dir, absl::string_view path, uint32_t mode) {
  SLIPWAY_RETURN_IF_ERROR(CheckRelative(path));
  for (size_t end = 0; end != absl::string_view::npos;) {
    end = path.find('/', end + 1);
    const absl::string_view part = path.substr(0, end);
    const absl::Status made = dir.MakeDir(part, mode);
    if (!made.ok() && !absl::IsAlreadyExists(made)) return made;
  }
  SLIPWAY_ASSIGN_OR_RETURN(const Meta meta, dir.Stat(path));
  if (meta.kind == FileKind::kDirectory) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("make directory ", path, ": something else is there"));
}

std::pair<absl::string_view, absl::string_view> SplitPath(absl::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == absl::string_view::npos) return {absl::string_view(), path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

std::string JoinPath(absl::string_view a, absl::string_view b) {
  if (a.empty()) return std::string(b);
  if (b.empty()) return std::string(a);
  return absl::StrCat(a, a.back() == '/' ? "" : "/", b);
}

absl::Status CheckRelative(absl::string_view path) {
  const auto bad = [&](absl::string_view reason) {
    return absl::InvalidArgumentError(
        absl::StrCat("path \"", EscapeForTerminal(path), "\": ", reason));
  };
  if (path.empty()) return bad("empty");
  if (path.front() == '/') return bad("absolute, where a relative one is needed");
  if (path.find('\0') != absl::string_view::npos) return bad("holds a NUL byte");
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    if (part.empty()) return bad("has an empty component");
    if (part == "." || part == "..") return bad("has the component \".\" or \"..\"");
  }
  return absl::OkStatus();
}

}  // namespace slipway::base
