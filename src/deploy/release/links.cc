#include "deploy/release/links.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/mutant.h"
#include "deploy/release/failpoints.h"

namespace slipway::deploy {
namespace {

// A link's directory, opened, and its name there.
struct Place {
  std::unique_ptr<base::Dir> opened;  // absent: the root itself
  base::Dir* dir = nullptr;
  std::string name;
};

absl::StatusOr<Place> OpenPlace(const Root& root, const std::string& path) {
  const auto [parent, name] = base::SplitPath(path);
  Place place;
  place.name = std::string(name);
  if (absl::StartsWith(path, "/")) {
    SLIPWAY_ASSIGN_OR_RETURN(
        place.opened, root.world.files.OpenRoot(parent.empty() ? absl::string_view("/") : parent));
  } else if (!parent.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(place.opened, root.dir->OpenDir(parent));
  }
  place.dir = place.opened == nullptr ? root.dir.get() : place.opened.get();
  return place;
}

std::string TempName(absl::string_view tx) { return absl::StrCat(".deploy-tool-", tx, ".tmp"); }

absl::StatusOr<LinkAt> ReadIn(base::Dir& dir, const std::string& name) {
  LinkAt at;
  SLIPWAY_ASSIGN_OR_RETURN(const auto meta, StatIfAny(dir, name));
  if (!meta) return at;
  at.exists = true;
  at.is_link = meta->kind == base::FileKind::kSymlink;
  if (at.is_link) {
    SLIPWAY_ASSIGN_OR_RETURN(at.target, dir.ReadLink(name));
  }
  return at;
}

// `target` under `place`, in one rename.
absl::Status SetLink(const Place& place, absl::string_view tx, const std::string& target,
                     base::RenameMode mode) {
  const std::string temp = TempName(tx);
  SLIPWAY_RETURN_IF_ERROR(RemoveFile(*place.dir, temp));
  if (SLIPWAY_MUTANT("unlink-symlink")) {
    SLIPWAY_RETURN_IF_ERROR(RemoveFile(*place.dir, place.name));
    return place.dir->Symlink(target, place.name);
  }
  SLIPWAY_RETURN_IF_ERROR(place.dir->Symlink(target, temp));
  SLIPWAY_FAILPOINT("deploy.rename.before");
  return place.dir->Rename(temp, *place.dir, place.name, mode);
}

absl::Status ApplyOne(const Root& root, absl::string_view tx, const LinkChange& change) {
  SLIPWAY_ASSIGN_OR_RETURN(const Place place, OpenPlace(root, change.path));
  if (!change.moved_to.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(const Place aside, OpenPlace(root, change.moved_to));
    SLIPWAY_RETURN_IF_ERROR(
        place.dir->Rename(place.name, *aside.dir, aside.name, base::RenameMode::kNoReplace));
  }
  return SetLink(place, tx, change.to,
                 change.from.empty() ? base::RenameMode::kNoReplace : base::RenameMode::kReplace);
}

absl::Status RevertOne(const Root& root, absl::string_view tx, const LinkChange& change) {
  const auto place = OpenPlace(root, change.path);
  if (absl::IsNotFound(place.status())) return absl::OkStatus();  // its directory was never made
  SLIPWAY_RETURN_IF_ERROR(place.status());
  SLIPWAY_RETURN_IF_ERROR(RemoveFile(*place->dir, TempName(tx)));
  SLIPWAY_ASSIGN_OR_RETURN(const LinkAt at, ReadIn(*place->dir, place->name));
  const bool ours = at.is_link && at.target == change.to;
  if (!change.from.empty()) {
    const bool wanted = (ours && change.to != change.from) || !at.exists;
    return wanted ? SetLink(*place, tx, change.from, base::RenameMode::kReplace) : absl::OkStatus();
  }
  if (ours) SLIPWAY_RETURN_IF_ERROR(place->dir->Remove(place->name));
  if (change.moved_to.empty() || (at.exists && !ours)) return absl::OkStatus();
  SLIPWAY_ASSIGN_OR_RETURN(const Place aside, OpenPlace(root, change.moved_to));
  const absl::Status back =
      aside.dir->Rename(aside.name, *place->dir, place->name, base::RenameMode::kNoReplace);
  return absl::IsNotFound(back) ? absl::OkStatus() : back;
}

// Each directory that holds one of the links, once.
absl::Status SyncParents(const Root& root, const std::vector<LinkChange>& changes) {
  if (SLIPWAY_MUTANT("no-fsync")) return absl::OkStatus();
  std::set<std::string> done;
  for (const LinkChange& change : changes) {
    if (!done.insert(std::string(base::SplitPath(change.path).first)).second) continue;
    const auto place = OpenPlace(root, change.path);
    if (absl::IsNotFound(place.status())) continue;
    SLIPWAY_RETURN_IF_ERROR(place.status());
    SLIPWAY_RETURN_IF_ERROR(place->dir->Sync());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LinkAt> ReadLinkAt(const Root& root, const std::string& path) {
  const auto place = OpenPlace(root, path);
  if (absl::IsNotFound(place.status())) return LinkAt();
  SLIPWAY_RETURN_IF_ERROR(place.status());
  return ReadIn(*place->dir, place->name);
}

bool SameTarget(absl::string_view a, absl::string_view b) {
  while (a.size() > 1 && absl::ConsumeSuffix(&a, "/")) {
  }
  while (b.size() > 1 && absl::ConsumeSuffix(&b, "/")) {
  }
  return a == b;
}

absl::Status ApplyLinks(const Root& root, absl::string_view tx,
                        const std::vector<LinkChange>& changes) {
  for (const LinkChange& change : changes) {
    SLIPWAY_RETURN_IF_ERROR(base::Annotate(ApplyOne(root, tx, change), "set link " + change.path));
  }
  return SyncParents(root, changes);
}

absl::Status RevertLinks(const Root& root, absl::string_view tx,
                         const std::vector<LinkChange>& changes) {
  for (auto change = changes.rbegin(); change != changes.rend(); ++change) {
    SLIPWAY_RETURN_IF_ERROR(
        base::Annotate(RevertOne(root, tx, *change), "set link back " + change->path));
  }
  return SyncParents(root, changes);
}

absl::Status MakeLinkDirs(const Root& root, const std::vector<std::string>& dirs) {
  for (const std::string& path : dirs) {
    SLIPWAY_ASSIGN_OR_RETURN(const Place place, OpenPlace(root, path));
    const absl::Status made = place.dir->MakeDir(place.name, root.modes.dir);
    if (absl::IsAlreadyExists(made)) continue;
    SLIPWAY_RETURN_IF_ERROR(made);
    SLIPWAY_RETURN_IF_ERROR(place.dir->Sync());
  }
  return absl::OkStatus();
}

absl::Status RemoveLinkDirs(const Root& root, const std::vector<std::string>& dirs) {
  for (auto path = dirs.rbegin(); path != dirs.rend(); ++path) {
    const auto place = OpenPlace(root, *path);
    if (absl::IsNotFound(place.status())) continue;
    SLIPWAY_RETURN_IF_ERROR(place.status());
    const absl::Status removed = place->dir->Remove(place->name);
    // Not empty: somebody uses it.
    if (absl::IsNotFound(removed) || absl::IsFailedPrecondition(removed)) continue;
    SLIPWAY_RETURN_IF_ERROR(removed);
    SLIPWAY_RETURN_IF_ERROR(place->dir->Sync());
  }
  return absl::OkStatus();
}

}  // namespace slipway::deploy
