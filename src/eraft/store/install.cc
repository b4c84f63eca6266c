#include "eraft/store/install.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutant.h"
#include "base/status.h"
#include "eraft/store/limits.h"
#include "eraft/store/state.h"

namespace slipway::eraft {
namespace {

absl::Status SyncDir(base::Dir& dir) {
  if (SLIPWAY_MUTANT("eraft-install-no-dir-sync")) return absl::OkStatus();
  return dir.Sync();
}

// An error is not "no": what cannot be looked up may be the new state.
absl::StatusOr<bool> IsThere(base::Dir& root, absl::string_view path) {
  const absl::Status found = root.Stat(path).status();
  if (absl::IsNotFound(found)) return false;
  SLIPWAY_RETURN_IF_ERROR(found);
  return true;
}

absl::Status CopyFile(base::Dir& root, const std::string& from, const std::string& to) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> source, root.Open(from, {}));
  SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, source->Stat());
  base::OpenOptions options;
  options.write = true;
  options.create = true;
  options.exclusive = true;
  options.mode = 0600;
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> target, root.Open(to, options));
  return target->CopyFrom(*source, 0, 0, meta.size_bytes);
}

// The files of the snapshot, in kv.new, as MANIFEST says.
absl::Status CopyFiles(base::Dir& root, EngineHome& home, const SnapshotName& name,
                       const Manifest& manifest) {
  const std::string from = base::JoinPath(SnapshotPath(name), kSnapshotFilesDir);
  for (const SnapshotFile& file : manifest.files) {
    const std::string source = base::JoinPath(from, file.name);
    const std::string target = base::JoinPath(kNewEngineDir, file.name);
    const absl::Status linked = home.IsImmutable(file.name) ? root.HardLink(source, target)
                                                            : absl::UnimplementedError("changes");
    if (!linked.ok()) SLIPWAY_RETURN_IF_ERROR(CopyFile(root, source, target));
    SLIPWAY_ASSIGN_OR_RETURN(const SnapshotFile there, HashFile(root, target));
    if (there == file) continue;
    return absl::DataLossError(absl::StrCat("install snapshot ", ToString(name), ": file ",
                                            file.name, " is not what MANIFEST says"));
  }
  return absl::OkStatus();
}

absl::Status CheckOnlyGroup(const View& view, GroupId group) {
  const KeyRange own = GroupRange(group);
  for (const KeyRange& range : {KeyRange{"", own.begin}, KeyRange{own.end, "\xff"}}) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<Iterator> others, view.Scan(range));
    if (others->valid()) {
      return absl::InvalidArgumentError(
          absl::StrCat("install snapshot of group ", group, ": its files hold other groups too"));
    }
    SLIPWAY_RETURN_IF_ERROR(others->status());
  }
  return absl::OkStatus();
}

// What the engine reads from kv.new is the state that the manifest names.
absl::Status VerifyEngine(EngineHome& home, const Manifest& manifest) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine, home.Open(kNewEngineDir));
  {
    SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<View> view, engine->NewView());
    SLIPWAY_RETURN_IF_ERROR(CheckOnlyGroup(*view, manifest.group));
    SLIPWAY_ASSIGN_OR_RETURN(const MetaRows rows, ReadMetaRows(*view, manifest.group));
    const bool same = rows.group.index == manifest.index && rows.group.term == manifest.term &&
                      rows.membership == manifest.membership &&
                      LogicalDigest(rows) == manifest.logical_digest;
    if (!same) {
      return absl::DataLossError(absl::StrCat("install snapshot of group ", manifest.group, " at ",
                                              manifest.index,
                                              ": its state is not what MANIFEST says"));
    }
    SLIPWAY_RETURN_IF_ERROR(VerifyRows(*view, manifest.group, rows));
  }
  return engine->Close();
}

// kv.new takes the place of kv, which becomes kv.old; each step that was done already is passed
// over.
absl::Status Swap(base::Dir& root) {
  SLIPWAY_ASSIGN_OR_RETURN(const bool has_new, IsThere(root, kNewEngineDir));
  SLIPWAY_ASSIGN_OR_RETURN(const bool has_engine, IsThere(root, kEngineDir));
  if (has_new) {
    if (has_engine) {
      SLIPWAY_RETURN_IF_ERROR(
          root.Rename(kEngineDir, root, kOldEngineDir, base::RenameMode::kNoReplace));
    }
    SLIPWAY_RETURN_IF_ERROR(
        root.Rename(kNewEngineDir, root, kEngineDir, base::RenameMode::kNoReplace));
  }
  if (!has_new && !has_engine) {
    return absl::DataLossError(
        "install snapshot: neither the old state nor the new one is there; fetch a snapshot from "
        "another node");
  }
  return SyncDir(root);
}

absl::Status RemoveDurably(base::Dir& root, absl::string_view path) {
  SLIPWAY_ASSIGN_OR_RETURN(const bool there, IsThere(root, path));
  if (!there) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(base::RemoveTree(root, path));
  return root.Sync();
}

absl::Status Complete(base::Dir& root, const InstallIntent& intent, InstallJournal& journal) {
  SLIPWAY_RETURN_IF_ERROR(Swap(root));
  SLIPWAY_RETURN_IF_ERROR(journal.End(intent));
  return RemoveDurably(root, kOldEngineDir);
}

}  // namespace

namespace {

absl::StatusOr<InstallIntent> Prepare(base::Dir& root, EngineHome& home, const SnapshotName& name) {
  SLIPWAY_ASSIGN_OR_RETURN(const Manifest manifest, ReadManifest(root, name));
  if (manifest.engine != home.kind()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "install snapshot ", ToString(name), ": it is of engine ", EngineKindName(manifest.engine),
        ", this node has ", EngineKindName(home.kind())));
  }
  // What an earlier install left must be gone for good before an intent speaks of these names.
  SLIPWAY_RETURN_IF_ERROR(RemoveDurably(root, kNewEngineDir));
  SLIPWAY_ASSIGN_OR_RETURN(const bool has_engine, IsThere(root, kEngineDir));
  if (has_engine) SLIPWAY_RETURN_IF_ERROR(RemoveDurably(root, kOldEngineDir));
  SLIPWAY_RETURN_IF_ERROR(root.MakeDir(kNewEngineDir, 0700));
  SLIPWAY_RETURN_IF_ERROR(CopyFiles(root, home, name, manifest));
  SLIPWAY_RETURN_IF_ERROR(VerifyEngine(home, manifest));
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::Dir> made, root.OpenDir(kNewEngineDir));
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(*made));
  for (const std::string& file_name : names) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file, made->Open(file_name, {}));
    SLIPWAY_RETURN_IF_ERROR(file->Sync());
  }
  SLIPWAY_RETURN_IF_ERROR(SyncDir(*made));
  SLIPWAY_RETURN_IF_ERROR(SyncDir(root));
  return InstallIntent{name, base::Sha256Of(base::AsBytes(EncodeManifest(manifest)))};
}

}  // namespace

absl::StatusOr<InstallIntent> PrepareInstall(base::Dir& root, EngineHome& home,
                                             const SnapshotName& name) {
  auto intent = Prepare(root, home, name);
  // A part of it must not be what the room is wanting for.
  if (absl::IsResourceExhausted(intent.status())) RemoveDurably(root, kNewEngineDir).IgnoreError();
  return intent;
}

absl::Status CommitInstall(base::Dir& root, const InstallIntent& intent, InstallJournal& journal) {
  SLIPWAY_RETURN_IF_ERROR(journal.Begin(intent));
  return Complete(root, intent, journal);
}

absl::Status RecoverInstall(base::Dir& root, const std::optional<InstallIntent>& open,
                            InstallJournal& journal) {
  if (open.has_value()) return Complete(root, *open, journal);
  SLIPWAY_RETURN_IF_ERROR(RemoveDurably(root, kNewEngineDir));
  SLIPWAY_ASSIGN_OR_RETURN(const bool has_engine, IsThere(root, kEngineDir));
  return has_engine ? RemoveDurably(root, kOldEngineDir) : absl::OkStatus();
}

}  // namespace slipway::eraft
