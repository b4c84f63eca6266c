#include "cas/store/layout.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/log/log.h"
#include "base/units.h"
#include "cas/store/format.h"

namespace slipway::cas {
namespace {

absl::StatusOr<std::vector<std::string>> NamesIn(base::Dir& dir) {
  std::vector<std::string> names;
  SLIPWAY_ASSIGN_OR_RETURN(const auto cursor, dir.List());
  for (;;) {
    SLIPWAY_ASSIGN_OR_RETURN(std::optional<base::DirEntry> entry, cursor->Next());
    if (!entry) return names;
    names.push_back(std::move(entry->name));
  }
}

}  // namespace

base::Owned<Layout> Layout::Open(const std::string& root, base::Files& files, base::Clock& clock,
                                 DiskStoreMetrics& metrics) {
  SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<base::Dir> dir, files.MakeRoot(root));
  SLIPWAY_ASSIGN_OR_RETURN(std::string path, files.Canonical(root));
  std::unique_ptr<Layout> layout(new Layout(std::move(dir), std::move(path), clock, metrics));
  SLIPWAY_RETURN_IF_ERROR(
      base::Annotate(layout->Prepare(), absl::StrCat("open the store in ", layout->path())));
  return layout;
}

absl::Status Layout::Prepare() {
  SLIPWAY_RETURN_IF_ERROR(Lock());
  SLIPWAY_RETURN_IF_ERROR(CheckFormat());
  SLIPWAY_RETURN_IF_ERROR(OpenDirs());
  SLIPWAY_RETURN_IF_ERROR(SweepTemp());
  SLIPWAY_RETURN_IF_ERROR(CountQuarantine());
  if (!created_) return absl::OkStatus();
  return base::WriteFileDurably(*root_, kFormatFile, FormatLine(), 0644);
}

absl::Status Layout::Lock() {
  SLIPWAY_ASSIGN_OR_RETURN(lock_,
                           root_->Open(kLockFile, {.write = true, .create = true, .mode = 0644}));
  return base::WithInfo(lock_->TryLock(),
                        {"ZK4006", "stop the process that has the store open, or use another"});
}

absl::Status Layout::CheckFormat() {
  const auto text = base::ReadFile(*root_, kFormatFile, 1 * base::kKiB);
  created_ = absl::IsNotFound(text.status());
  if (created_) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(text.status());
  SLIPWAY_ASSIGN_OR_RETURN(const uint32_t version, ParseFormatLine(*text));
  if (version <= kFormatVersion) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("its format is ", version, ", and this program knows up to ", kFormatVersion,
                   "; use the newer program that wrote it"));
}

absl::Status Layout::OpenDirs() {
  for (const char* name : {kObjectsDir, kTempDir, kQuarantineDir}) {
    SLIPWAY_RETURN_IF_ERROR(base::MakeDirs(*root_, name));
  }
  for (auto& lane : sync_roots_) {
    SLIPWAY_ASSIGN_OR_RETURN(lane, root_->OpenDir(""));
  }
  SLIPWAY_ASSIGN_OR_RETURN(objects_, root_->OpenDir(kObjectsDir));
  SLIPWAY_ASSIGN_OR_RETURN(temp_, root_->OpenDir(kTempDir));
  SLIPWAY_ASSIGN_OR_RETURN(quarantine_, root_->OpenDir(kQuarantineDir));
  // Whether they are new or not: who made them may have been killed before it synced.
  SLIPWAY_RETURN_IF_ERROR(root_->Sync());
  return objects_->Sync();
}

absl::Status Layout::SweepTemp() {
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(*temp_));
  for (const std::string& name : names) {
    SLIPWAY_RETURN_IF_ERROR(base::RemoveTree(*temp_, name));
  }
  return absl::OkStatus();
}

absl::Status Layout::CountQuarantine() {
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(*quarantine_));
  double count = 0;
  for (const std::string& name : names) count += absl::EndsWith(name, kReasonSuffix) ? 0 : 1;
  metrics_.quarantined.Set(count);
  return absl::OkStatus();
}

absl::StatusOr<base::Dir*> Layout::FanOut(uint8_t index) {
  const base::MutexLock lock(mutex_);
  std::unique_ptr<base::Dir>& slot = fan_out_[index];
  if (slot != nullptr) return slot.get();
  const std::string name = FanOutName(index);
  if (lost_[index]) {
    // Another directory in its place, for the next sync cannot be trusted with this one. It is
    // empty.
    const absl::Status removed = objects_->Remove(name);
    if (!removed.ok() && !absl::IsNotFound(removed)) return removed;
    lost_[index] = false;
  }
  base::Owned<base::Dir> dir = objects_->OpenDir(name);
  if (absl::IsNotFound(dir.status())) {
    SLIPWAY_RETURN_IF_ERROR(objects_->MakeDir(name));
    // Before it is used: a blob is not durable where its directory is not.
    if (const absl::Status synced = objects_->Sync(); !synced.ok()) {
      lost_[index] = true;
      return synced;
    }
    dir = objects_->OpenDir(name);
  }
  SLIPWAY_RETURN_IF_ERROR(dir.status());
  slot = *std::move(dir);
  return slot.get();
}

absl::StatusOr<std::optional<base::Meta>> Layout::StatObject(const Hash& hash) {
  base::Dir* dir = nullptr;
  {
    const base::MutexLock lock(mutex_);
    dir = fan_out_[hash[0]].get();
  }
  // A directory that is open already need not be looked up.
  absl::StatusOr<base::Meta> meta =
      dir != nullptr ? dir->Stat(ObjectName(hash)) : objects_->Stat(ObjectPath(hash));
  if (absl::IsNotFound(meta.status())) return std::optional<base::Meta>();
  SLIPWAY_RETURN_IF_ERROR(meta.status());
  if (meta->kind != base::FileKind::kFile) return std::optional<base::Meta>();
  return std::optional<base::Meta>(*std::move(meta));
}

absl::StatusOr<bool> Layout::SetAside(const Hash& hash, uint64_t inode, absl::string_view reason) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::optional<base::Meta> meta, StatObject(hash));
  if (!meta || (inode != 0 && meta->inode != inode)) return false;
  const std::string name = base::ToHex(hash);
  const bool fresh = absl::IsNotFound(quarantine_->Stat(name).status());
  SLIPWAY_RETURN_IF_ERROR(
      objects_->Rename(ObjectPath(hash), *quarantine_, name, base::RenameMode::kReplace));
  if (fresh) metrics_.quarantined.Add(1);
  WriteReason(name, base::JoinPath(kObjectsDir, ObjectPath(hash)), reason);
  return true;
}

absl::Status Layout::SetAsideStray(const std::string& path, absl::string_view reason) {
  // The name may be as long as names can be, so it gets another; the reason file has the old one.
  const std::string name = absl::StrCat("stray-", absl::ToUnixNanos(clock_.Wall()), "-",
                                        strays_.fetch_add(1, std::memory_order_relaxed));
  SLIPWAY_RETURN_IF_ERROR(root_->Rename(path, *quarantine_, name, base::RenameMode::kNoReplace));
  metrics_.quarantined.Add(1);
  WriteReason(name, path, reason);
  return absl::OkStatus();
}

void Layout::WriteReason(const std::string& name, const std::string& path,
                         absl::string_view reason) {
  SLIPWAY_LOG(kError, "file of the store set aside",
              {{"store", path_}, {"file", path}, {"quarantine", name}, {"reason", reason}});
  const std::string text =
      absl::StrCat("file: ", base::EscapeForTerminal(path), "\nreason: ", reason,
                   "\nat: ", base::FormatRfc3339(clock_.Wall()), "\n");
  const absl::Status written =
      base::WriteFileDurably(*quarantine_, absl::StrCat(name, kReasonSuffix), text, 0644);
  if (!written.ok()) {
    SLIPWAY_LOG(kWarn, "reason of a file in quarantine not written",
                {{"store", path_}, {"quarantine", name}, {"error", written.message()}});
  }
}

}  // namespace slipway::cas
