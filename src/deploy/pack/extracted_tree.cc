#include "deploy/pack/extracted_tree.h"

#include <algorithm>
#include <deque>

#include "absl/hash/hash.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/status.h"
#include "deploy/model/errors.h"
#include "deploy/pack/names.h"

namespace slipway::deploy {
namespace {

constexpr int kHopsMax = 40;  // as the kernel: beyond it nothing is reached
constexpr int kStepsMax = 10'000;

absl::Status Unsafe(absl::string_view path, absl::string_view reason) {
  return Error(Dt::kUnsafe, absl::StrCat("read package: member ", ShowName(path), ": ", reason),
               "the package is refused as a whole; take it from a source you trust");
}

IndexEntry::Type TypeOf(TarMember::Type type) {
  switch (type) {
    case TarMember::Type::kHardLink:
      return IndexEntry::Type::kHardLink;
    case TarMember::Type::kSymlink:
      return IndexEntry::Type::kSymlink;
    case TarMember::Type::kDirectory:
      return IndexEntry::Type::kDirectory;
    case TarMember::Type::kFile:
      break;
  }
  return IndexEntry::Type::kFile;
}

}  // namespace

size_t ExtractedTree::Hash::operator()(size_t index) const {
  return (*this)(absl::string_view((*entries)[index].path));
}
size_t ExtractedTree::Hash::operator()(absl::string_view path) const {
  return absl::Hash<absl::string_view>()(path);
}
bool ExtractedTree::Equal::operator()(size_t a, absl::string_view b) const {
  return (*entries)[a].path == b;
}

ExtractedTree::ExtractedTree() : by_path_(0, Hash{&entries_}, Equal{&entries_}) {}

const IndexEntry* ExtractedTree::Find(absl::string_view path) const {
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? nullptr : &entries_[*found];
}

absl::StatusOr<std::vector<std::string>> ExtractedTree::MissingParents(
    const TarMember& member) const {
  std::vector<std::string> missing;
  absl::string_view parent = base::SplitPath(member.path).first;
  while (!parent.empty()) {
    if (const IndexEntry* found = Find(parent); found != nullptr) {
      if (found->type == IndexEntry::Type::kDirectory) break;
      return Unsafe(member.path,
                    absl::StrCat("below ", ShowName(parent), ", which is no directory"));
    }
    if (implied_.contains(parent)) break;
    missing.emplace_back(parent);
    parent = base::SplitPath(parent).first;
  }
  std::reverse(missing.begin(), missing.end());
  return missing;
}

absl::StatusOr<ExtractedTree::Admitted> ExtractedTree::Admit(const TarMember& member) {
  Admitted admitted;
  admitted.exists = implied_.contains(member.path);
  const bool directory = member.type == TarMember::Type::kDirectory;
  if (Find(member.path) != nullptr || (admitted.exists && !directory)) {
    return Unsafe(member.path, "a second member of this name");
  }
  SLIPWAY_ASSIGN_OR_RETURN(admitted.parents, MissingParents(member));
  IndexEntry entry;
  if (member.type == TarMember::Type::kHardLink) {
    const IndexEntry* target = Find(member.link);
    if (target == nullptr ||
        (target->type != IndexEntry::Type::kFile && target->type != IndexEntry::Type::kHardLink)) {
      return Unsafe(member.path, absl::StrCat("hard link to ", ShowName(member.link),
                                              ", which is no regular member before it"));
    }
  }
  bool within = names_.TakeMember(member.path.size() + member.link.size());
  for (const std::string& parent : admitted.parents) within &= names_.TakeImplied(parent.size());
  if (!within) {
    return Unsafe(member.path, absl::StrCat("the names up to it take more than ",
                                            names_.limit_bytes(), " bytes"));
  }
  implied_.insert(admitted.parents.begin(), admitted.parents.end());
  if (admitted.exists) implied_.erase(member.path);
  entry.path = member.path;
  entry.type = TypeOf(member.type);
  entry.mode = member.mode;
  entry.size_bytes = entry.type == IndexEntry::Type::kFile ? member.size_bytes : 0;
  entry.mtime_ns = member.mtime_ns;
  entry.link = member.link;
  entry.tar_offset = member.data_offset;
  admitted.index = entries_.size();
  entries_.push_back(std::move(entry));
  by_path_.insert(admitted.index);
  return admitted;
}

bool ExtractedTree::IsDirectory(absl::string_view path) const {
  if (path.empty() || implied_.contains(path)) return true;
  const IndexEntry* entry = Find(path);
  return entry != nullptr && entry->type == IndexEntry::Type::kDirectory;
}

absl::Status ExtractedTree::CheckSymlink(const IndexEntry& link) const {
  std::string at(base::SplitPath(link.path).first);  // reached so far; always a directory
  std::deque<std::string> rest = absl::StrSplit(link.link, '/');
  int hops = 0;
  for (int steps = 0; !rest.empty() && hops < kHopsMax; ++steps) {
    if (steps > kStepsMax) return Unsafe(link.path, "a symlink that winds without end");
    const std::string component = std::move(rest.front());
    rest.pop_front();
    if (component.empty() || component == ".") continue;
    if (component == "..") {
      if (at.empty()) {
        return Unsafe(link.path, absl::StrCat("symlink out of the tree to ", ShowName(link.link),
                                              " through other symlinks"));
      }
      at = std::string(base::SplitPath(at).first);
      continue;
    }
    const std::string next = base::JoinPath(at, component);
    const IndexEntry* entry = Find(next);
    if (entry != nullptr && entry->type == IndexEntry::Type::kSymlink) {
      if (absl::StartsWith(entry->link, "/")) break;  // the caller allowed such links
      ++hops;
      const std::vector<std::string> more = absl::StrSplit(entry->link, '/');
      rest.insert(rest.begin(), more.begin(), more.end());
    } else if (IsDirectory(next)) {
      at = next;
    } else {
      break;  // a file or nothing: the kernel goes no further
    }
  }
  return absl::OkStatus();
}

// Only a link with ".." behind another component can do what its text does not show: every other
// one goes up from a real directory first, which CheckSymlink of names.h has counted, and then
// down.
absl::Status ExtractedTree::CheckSymlinksResolved() const {
  for (const IndexEntry& entry : entries_) {
    if (entry.type != IndexEntry::Type::kSymlink || absl::StartsWith(entry.link, "/")) continue;
    bool down = false, up_after_down = false;
    for (const absl::string_view component : absl::StrSplit(entry.link, '/')) {
      if (component == "..") {
        up_after_down |= down;
      } else if (!component.empty() && component != ".") {
        down = true;
      }
    }
    if (up_after_down) SLIPWAY_RETURN_IF_ERROR(CheckSymlink(entry));
  }
  return absl::OkStatus();
}

}  // namespace slipway::deploy
