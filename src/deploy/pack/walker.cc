#include "deploy/pack/walker.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "deploy/model/errors.h"
#include "deploy/pack/folders.h"
#include "deploy/pack/names.h"

namespace slipway::deploy {
namespace {

constexpr uint64_t kIgnoreFileBytesMax = 1 << 20;

bool MayFold(absl::string_view name) {
  return std::any_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
  });
}

absl::Status Unfit(absl::string_view path, absl::string_view reason, absl::string_view hint) {
  return Error(Dt::kFileKind, absl::StrCat("pack ", ShowName(path), ": ", reason), hint);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Walker>> Walker::Make(base::Dir& root, const WalkOptions& options) {
  std::unique_ptr<Walker> walker(new Walker(options));
  for (size_t i = 0; i < options.rules.size(); ++i) {
    const RuleSource& source = options.rules[i];
    absl::StatusOr<base::IgnoreRules> rules =
        base::IgnoreRules::Parse(absl::MakeConstSpan(source.lines));
    if (!rules.ok()) {
      return Wrap(rules.status(), Dt::kConfig, absl::StrCat("read the rules of ", source.origin));
    }
    (i < options.rules_before_ignore_files ? walker->before_ : walker->after_)
        .push_back(*std::move(rules));
  }
  SLIPWAY_RETURN_IF_ERROR(
      walker->Push("", std::shared_ptr<base::Dir>(std::shared_ptr<base::Dir>(), &root)));
  return walker;
}

absl::Status Walker::ReadIgnoreFile(Level& level) {
  const bool there =
      std::any_of(level.entries.begin(), level.entries.end(), [](const base::DirEntry& entry) {
        return entry.name == kIgnoreFileName && entry.kind == base::FileKind::kFile;
      });
  if (!there) return absl::OkStatus();
  const std::string path = base::JoinPath(level.path, kIgnoreFileName);
  const absl::StatusOr<std::string> text =
      base::ReadFile(*level.dir, kIgnoreFileName, kIgnoreFileBytesMax);
  if (!text.ok()) return ReadingError(text.status(), "read rules of", path);
  absl::StatusOr<base::IgnoreRules> rules = base::IgnoreRules::Parse(*text, level.path);
  if (!rules.ok()) {
    return Wrap(rules.status(), Dt::kConfig, absl::StrCat("read rules of ", ShowName(path)));
  }
  level.own = std::make_unique<base::IgnoreRules>(*std::move(rules));
  return absl::OkStatus();
}

absl::Status Walker::Push(std::string path, std::shared_ptr<base::Dir> dir) {
  auto level = std::make_unique<Level>();
  level->path = std::move(path);
  level->dir = std::move(dir);
  absl::StatusOr<std::unique_ptr<base::DirCursor>> cursor = level->dir->List();
  while (cursor.ok()) {
    absl::StatusOr<std::optional<base::DirEntry>> entry = (*cursor)->Next();
    if (!entry.ok()) return ReadingError(entry.status(), "list", level->path);
    if (!entry->has_value()) break;
    level->watch_folding |= MayFold((*entry)->name);
    level->entries.push_back(**std::move(entry));
  }
  if (!cursor.ok()) return ReadingError(cursor.status(), "list", level->path);
  std::sort(level->entries.begin(), level->entries.end(),
            [](const base::DirEntry& a, const base::DirEntry& b) { return a.name < b.name; });
  if (ignore_files_) SLIPWAY_RETURN_IF_ERROR(ReadIgnoreFile(*level));
  for (const base::IgnoreRules& rules : before_) level->chain.push_back(&rules);
  for (const auto& above : levels_) {
    if (above->own != nullptr) level->chain.push_back(above->own.get());
  }
  if (level->own != nullptr) level->chain.push_back(level->own.get());
  for (const base::IgnoreRules& rules : after_) level->chain.push_back(&rules);
  levels_.push_back(std::move(level));
  return absl::OkStatus();
}

// Whether the entry goes into the package.
absl::StatusOr<bool> Walker::Admit(Level& level, const base::DirEntry& entry,
                                   const std::string& path) {
  const base::IgnoreMatch match =
      base::MatchLast(level.chain, path, entry.kind == base::FileKind::kDirectory);
  if (match.ignored()) {
    ++excluded_[std::string(match.rule)];
    return false;
  }
  if (everything_) return true;
  if (entry.kind == base::FileKind::kOther) {
    if (!skip_special_) {
      return Unfit(path, "it is a device, FIFO or socket",
                   "exclude it, or pass --skip-special to leave such files out");
    }
    warnings_.push_back(absl::StrCat(ShowName(path), ": a device, FIFO or socket; left out"));
    return false;
  }
  if (path.size() > kPathBytesMax || levels_.size() > kDepthMax) {
    return Unfit(path,
                 absl::StrCat("deeper than ", kDepthMax, " levels or longer than ", kPathBytesMax,
                              " bytes, so that no machine would unpack it"),
                 "exclude it or flatten the tree");
  }
  if (path == kToolFolder) {
    return Unfit(path, "it is the tool's own folder and no machine would unpack it",
                 absl::StrCat("exclude it: --exclude /", kToolFolder));
  }
  if (level.watch_folding && !level.folded.insert(FoldName(entry.name)).second) {
    warnings_.push_back(
        absl::StrCat(ShowName(path),
                     ": differs from another name only by letter case or Unicode form; a file "
                     "system that folds names cannot hold both"));
  }
  return true;
}

absl::StatusOr<std::optional<WalkEntry>> Walker::Next() {
  while (!levels_.empty()) {
    Level& level = *levels_.back();
    if (level.next == level.entries.size()) {
      levels_.pop_back();
      continue;
    }
    base::DirEntry& entry = level.entries[level.next++];
    WalkEntry result;
    result.path = base::JoinPath(level.path, entry.name);
    SLIPWAY_ASSIGN_OR_RETURN(const bool admitted, Admit(level, entry, result.path));
    if (!admitted) continue;
    result.parent = level.dir;
    result.name = std::move(entry.name);
    result.kind = entry.kind;
    if (result.kind == base::FileKind::kDirectory) {
      absl::StatusOr<std::unique_ptr<base::Dir>> opened = result.parent->OpenDir(result.name);
      if (!opened.ok()) return ReadingError(opened.status(), "open", result.path);
      result.self = *std::move(opened);
      SLIPWAY_RETURN_IF_ERROR(Push(result.path, result.self));
    }
    return std::optional<WalkEntry>(std::move(result));
  }
  return std::optional<WalkEntry>();
}

}  // namespace slipway::deploy
