// What a package has brought so far, by name: the rules of D191 that need more than one member.
// Pure; thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "deploy/pack/file_index.h"
#include "deploy/pack/names.h"
#include "deploy/pack/tar.h"

namespace slipway::deploy {

class ExtractedTree {
 public:
  ExtractedTree();
  ExtractedTree(const ExtractedTree&) = delete;
  ExtractedTree& operator=(const ExtractedTree&) = delete;

  // Takes `member` in and says which parent directories it needs that no member has brought yet,
  // outermost first; they count as present afterwards. `exists`: the directory itself is one that
  // was made for an earlier member. DT023: a name twice, below something that is no directory, a
  // hard link to what is no regular member before it, names that take more than NameBudget allows.
  struct Admitted {
    size_t index = 0;  // in entries()
    bool exists = false;
    std::vector<std::string> parents;
  };
  absl::StatusOr<Admitted> Admit(const TarMember& member);

  // DT023 when a symlink, followed through the other symlinks, comes out above the root. Its text
  // alone does not show that: `a/up/../x` leaves the tree when `a/up` is a link to `..`.
  absl::Status CheckSymlinksResolved() const;

  std::vector<IndexEntry>& entries() { return entries_; }
  const std::vector<IndexEntry>& entries() const { return entries_; }
  // Directories that members needed and none brought.
  const absl::flat_hash_set<std::string>& implied() const { return implied_; }

 private:
  // Sets of indices that are looked up by path: a path is kept once.
  struct Hash {
    using is_transparent = void;
    const std::vector<IndexEntry>* entries;
    size_t operator()(size_t index) const;
    size_t operator()(absl::string_view path) const;
  };
  struct Equal {
    using is_transparent = void;
    const std::vector<IndexEntry>* entries;
    bool operator()(size_t a, size_t b) const { return a == b; }
    bool operator()(size_t a, absl::string_view b) const;
    bool operator()(absl::string_view a, size_t b) const { return (*this)(b, a); }
  };

  const IndexEntry* Find(absl::string_view path) const;
  bool IsDirectory(absl::string_view path) const;
  absl::Status CheckSymlink(const IndexEntry& link) const;
  absl::StatusOr<std::vector<std::string>> MissingParents(const TarMember& member) const;

  std::vector<IndexEntry> entries_;
  absl::flat_hash_set<size_t, Hash, Equal> by_path_;
  NameBudget names_;
  absl::flat_hash_set<std::string> implied_;  // directories without a member so far
};

}  // namespace slipway::deploy
