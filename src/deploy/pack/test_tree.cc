#include "deploy/pack/test_tree.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/digest/sha256.h"
#include "base/status.h"

namespace slipway::deploy {
namespace {

using Inodes = std::map<std::pair<uint64_t, uint64_t>, std::string>;
using Lines = std::map<std::string, std::string>;

std::string RandomName(base::Random& random, int serial) {
  static const char* const kOdd[] = {"a b",    "new\nline",  "\xff\xfe bytes", "\xc3\xa4", "-dash",
                                     "..dots", "quote\"'\\", "tab\t",          "[glob*",   "\x01",
                                     "CON",    "=%25"};
  std::string name;
  if (random.Below(3) == 0) {
    name = kOdd[random.Below(std::size(kOdd))];
  } else if (random.Below(12) == 0) {
    name = std::string(100 + random.Below(140), 'n');
  }
  return absl::StrCat(name, serial);
}

absl::Status MakeFile(base::Dir& dir, const std::string& path, base::Random& random,
                      const RandomTreeOptions& options) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto file,
                           dir.Open(path, {.write = true, .create = true, .exclusive = true}));
  static constexpr uint64_t kSizes[] = {0, 1, 511, 512, 513, 4096, 65'536, 65'537};
  const uint64_t size =
      random.Below(2) == 0 ? kSizes[random.Below(8)] : random.Below(options.file_bytes_max);
  base::Bytes data(size);
  random.Fill(absl::MakeSpan(data));
  if (random.Below(6) == 0) {  // with holes, at the ends too
    const uint64_t holes = 1 + random.Below(4);
    for (uint64_t i = 0; i < holes; ++i) {
      SLIPWAY_RETURN_IF_ERROR(file->WriteAt(i * 200'000 + random.Below(2) * 70'000, data));
    }
    return random.Below(2) == 0 ? file->Truncate(1'500'000) : absl::OkStatus();
  }
  return size == 0 ? absl::OkStatus() : file->WriteAt(0, data);
}

absl::Status SetRandomMeta(base::Dir& dir, const std::string& path, bool directory,
                           base::Random& random, const RandomTreeOptions& options) {
  base::MetaChange change;
  uint32_t mode = static_cast<uint32_t>(random.Below(01000));
  if (!options.unreadable) mode |= directory ? 0500 : 0400;
  if (!options.read_only) mode |= 0200;
  change.mode = mode;
  change.mtime = absl::FromUnixNanos(static_cast<int64_t>(random.Below(2'000'000'000'000'000'000)));
  if (options.xattrs && random.Below(4) == 0) {
    change.xattrs =
        base::Xattrs{{"user.a", random.Hex(5)},
                     {options.odd_xattrs ? "user.b=%" : "user.b", std::string("\0\n\xff", 3)}};
  }
  return dir.SetMeta(path, change);
}

absl::StatusOr<std::string> ContentLine(base::Dir& dir, const std::string& path) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto file, dir.Open(path, {}));
  base::Sha256 hash;
  base::Bytes buffer(1 << 16);
  for (uint64_t offset = 0;;) {
    SLIPWAY_ASSIGN_OR_RETURN(const size_t got, file->ReadAt(offset, absl::MakeSpan(buffer)));
    if (got == 0) break;
    hash.Update(base::BytesView(buffer.data(), got));
    offset += got;
  }
  return base::ToHex(hash.Finish()).substr(0, 16);
}

absl::Status AddLines(base::Dir& dir, const std::string& prefix, uint32_t mode_mask, Inodes& inodes,
                      Lines& lines) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto cursor, dir.List());
  std::map<std::string, base::FileKind> names;
  while (true) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto entry, cursor->Next());
    if (!entry.has_value()) break;
    names[entry->name] = entry->kind;
  }
  for (const auto& [name, kind] : names) {
    const std::string path = prefix + name;
    SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, dir.Stat(name));
    std::string line = absl::StrFormat("%d %04o %d ", static_cast<int>(meta.kind),
                                       kind == base::FileKind::kSymlink ? 0 : meta.mode & mode_mask,
                                       absl::ToUnixNanos(meta.mtime));
    if (kind == base::FileKind::kSymlink) {
      SLIPWAY_ASSIGN_OR_RETURN(const std::string target, dir.ReadLink(name));
      absl::StrAppend(&line, "-> ", target);
    } else {
      SLIPWAY_ASSIGN_OR_RETURN(const base::Xattrs xattrs, dir.GetXattrs(name));
      for (const auto& [key, value] : xattrs) absl::StrAppend(&line, key, "=", value, " ");
    }
    if (kind == base::FileKind::kFile) {
      const auto [first, fresh] = inodes.try_emplace({meta.device, meta.inode}, path);
      if (!fresh) absl::StrAppend(&line, "same file as ", first->second, " ");
      SLIPWAY_ASSIGN_OR_RETURN(const std::string content, ContentLine(dir, name));
      absl::StrAppend(&line, meta.size_bytes, " ", content);
      // Not how many blocks, which differs between file systems, but whether there are holes.
      absl::StrAppend(&line, meta.allocated_bytes < meta.size_bytes ? " holes" : "");
    }
    lines[path] = line;
    if (kind == base::FileKind::kDirectory) {
      SLIPWAY_ASSIGN_OR_RETURN(const auto below, dir.OpenDir(name));
      SLIPWAY_RETURN_IF_ERROR(AddLines(*below, path + "/", mode_mask, inodes, lines));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status MakeRandomTree(base::Dir& dir, base::Random& random,
                            const RandomTreeOptions& options) {
  std::vector<std::string> folders = {""}, files, all;
  std::vector<std::pair<std::string, bool>> to_finish;
  for (int i = 0; i < options.entries; ++i) {
    const std::string folder = folders[random.Below(folders.size())];
    const std::string path = base::JoinPath(folder, RandomName(random, i));
    const uint64_t kind = random.Below(10);
    if (kind < 3) {
      SLIPWAY_RETURN_IF_ERROR(dir.MakeDir(path));
      folders.push_back(path);
      to_finish.emplace_back(path, true);
    } else if (kind == 3) {
      // Within the tree, also to what is not there.
      std::string target = all.empty() ? "nothing" : all[random.Below(all.size())];
      for (const char c : path) {
        if (c == '/') target.insert(0, "../");
      }
      SLIPWAY_RETURN_IF_ERROR(dir.Symlink(target, path));
      SLIPWAY_RETURN_IF_ERROR(dir.SetMeta(
          path, {.mtime = absl::FromUnixNanos(static_cast<int64_t>(random.Below(1ull << 60)))}));
    } else if (kind == 4 && !files.empty()) {
      SLIPWAY_RETURN_IF_ERROR(dir.HardLink(files[random.Below(files.size())], path));
    } else {
      SLIPWAY_RETURN_IF_ERROR(MakeFile(dir, path, random, options));
      files.push_back(path);
      to_finish.emplace_back(path, false);
    }
    all.push_back(path);
  }
  // Inside first: a parent may lose its permissions.
  for (auto item = to_finish.rbegin(); item != to_finish.rend(); ++item) {
    SLIPWAY_RETURN_IF_ERROR(SetRandomMeta(dir, item->first, item->second, random, options));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::map<std::string, std::string>> Snapshot(base::Dir& dir, uint32_t mode_mask) {
  Inodes inodes;
  Lines lines;
  SLIPWAY_RETURN_IF_ERROR(AddLines(dir, "", mode_mask, inodes, lines));
  return lines;
}

std::string SnapshotDifference(const Lines& before, const Lines& after) {
  std::string text;
  const auto add = [&](const std::string& path, const std::string& a, const std::string& b) {
    if (text.size() < 2000)
      absl::StrAppend(&text, path, "\n  before: ", a, "\n  after:  ", b, "\n");
  };
  for (const auto& [path, line] : before) {
    const auto found = after.find(path);
    if (found == after.end()) {
      add(path, line, "(missing)");
    } else if (found->second != line) {
      add(path, line, found->second);
    }
  }
  for (const auto& [path, line] : after) {
    if (!before.contains(path)) add(path, "(missing)", line);
  }
  return text;
}

absl::Status PutFile(base::Dir& dir, absl::string_view path, absl::string_view text,
                     uint32_t mode) {
  if (const absl::string_view parent = base::SplitPath(path).first; !parent.empty()) {
    SLIPWAY_RETURN_IF_ERROR(base::MakeDirs(dir, parent));
  }
  SLIPWAY_ASSIGN_OR_RETURN(
      const auto file,
      dir.Open(path, {.write = true, .create = true, .truncate = true, .mode = mode}));
  return text.empty() ? absl::OkStatus() : file->WriteAt(0, base::AsBytes(text));
}

}  // namespace slipway::deploy
