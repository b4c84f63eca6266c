#include "eraft/backup/backup_writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/digest/crc32c.h"
#include "base/mutant.h"
#include "base/temp_files.h"
#include "eraft/backup/limits.h"
#include "eraft/store/limits.h"
#include "eraft/store/snapshot.h"

namespace slipway::eraft {
namespace {

constexpr uint32_t kFileMode = 0600, kDirMode = 0700;

// A user's folder is not taken for a place of backups by a slip of the hand.
absl::Status CheckContents(base::Dir& dir) {
  const std::set<std::string> own = {kLockName, kBackupManifestName, kBackupFilesDir, "lost+found"};
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(dir));
  for (const std::string& name : names) {
    if (own.count(name) != 0 || absl::StartsWith(name, base::kTempPrefix)) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("the directory holds ", name,
                     ", which is no part of a backup; name an empty or a new one"));
  }
  return absl::OkStatus();
}

absl::StatusOr<base::Sha256Digest> DigestOfName(const std::string& name) {
  base::Sha256Digest digest{};
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes bytes, base::FromHex(name));
  if (bytes.size() != digest.size()) return absl::InvalidArgumentError("no hash");
  std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

}  // namespace

base::Owned<BackupWriter> BackupWriter::Open(base::Dir& dir) {
  SLIPWAY_RETURN_IF_ERROR(CheckContents(dir));
  base::OpenOptions create;
  create.write = true;
  create.create = true;
  create.mode = kFileMode;
  SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<base::File> lock, dir.Open(kLockName, create));
  SLIPWAY_RETURN_IF_ERROR(lock->TryLock());
  SLIPWAY_RETURN_IF_ERROR(base::MakeDirs(dir, kBackupFilesDir, kDirMode));
  SLIPWAY_RETURN_IF_ERROR(dir.Sync());
  SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<base::Dir> files, dir.OpenDir(kBackupFilesDir));
  std::unique_ptr<BackupWriter> writer(new BackupWriter(dir, std::move(lock), std::move(files)));
  SLIPWAY_RETURN_IF_ERROR(writer->Look());
  return writer;
}

absl::Status BackupWriter::Look() {
  SLIPWAY_RETURN_IF_ERROR(base::RemoveStaleTemps(dir_).status());
  SLIPWAY_RETURN_IF_ERROR(base::RemoveStaleTemps(*files_).status());
  auto before = ReadBackup(dir_);
  if (before.ok()) {
    before_ = *std::move(before);
  } else if (!absl::IsNotFound(before.status()) && !absl::IsDataLoss(before.status())) {
    return before.status();  // a damaged one is replaced
  }
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(*files_));
  for (const std::string& name : names) {
    const auto digest = DigestOfName(name);
    if (!digest.ok()) continue;
    // Its name is a promise; a disk may have broken it since.
    const auto found = HashFile(*files_, name);
    if (found.ok() && found->sha256 == *digest) known_[name] = found->size_bytes;
  }
  return absl::OkStatus();
}

std::vector<base::Sha256Digest> BackupWriter::known() const {
  std::vector<base::Sha256Digest> out;
  for (const auto& [name, size] : known_) out.push_back(*DigestOfName(name));
  return out;
}

absl::Status BackupWriter::Begin(const BackupHeader& header) {
  if (before_.has_value()) {
    const BackupHeader& other = before_->header;
    if (other.cluster != header.cluster || other.group != header.group) {
      return absl::FailedPreconditionError(
          absl::StrCat("the directory holds a backup of cluster ",
                       base::ToHex(base::BytesView(other.cluster)), ", group ", other.group,
                       ", this is one of ", base::ToHex(base::BytesView(header.cluster)),
                       ", group ", header.group, "; each has a directory of its own"));
    }
  }
  report_.manifest.header = header;
  begun_ = true;
  return absl::OkStatus();
}

absl::Status BackupWriter::AddUnchanged(const BackupPart& part) {
  const std::string name = base::ToHex(part.sha256);
  const auto found = known_.find(name);
  if (found == known_.end() || file_ != nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("file ", part.file, " was not sent, and is not here"));
  }
  ++report_.files_reused;
  report_.bytes_reused += found->second;
  report_.manifest.files.push_back({part.file, found->second, part.sha256});
  return absl::OkStatus();
}

absl::Status BackupWriter::EndFile(const BackupPart& part) {
  const base::Sha256Digest found = hash_.Finish();
  if (found != part.sha256) {
    return absl::DataLossError(absl::StrCat("file ", part.file, " did not come as it was sent"));
  }
  if (!SLIPWAY_MUTANT("backup-files-unsynced")) {
    SLIPWAY_RETURN_IF_ERROR(file_->Sync());
  }
  SLIPWAY_RETURN_IF_ERROR(files_->Publish(*file_, base::ToHex(found), base::RenameMode::kReplace));
  report_.manifest.files.push_back({part.file, offset_bytes_, found});
  known_[base::ToHex(found)] = offset_bytes_;
  file_ = nullptr;
  return absl::OkStatus();
}

absl::Status BackupWriter::Add(const BackupPart& part) {
  if (!begun_) return absl::InvalidArgumentError("a file came before what the backup is of");
  if (part.unchanged) return AddUnchanged(part);
  if (file_ == nullptr) {
    SLIPWAY_ASSIGN_OR_RETURN(file_, files_->CreateTemp());
    file_name_ = part.file;
    offset_bytes_ = 0;
  }
  if (part.file != file_name_ || part.offset_bytes != offset_bytes_) {
    return absl::InvalidArgumentError(absl::StrCat("a part of ", part.file, " came out of order"));
  }
  const base::BytesView data = base::AsBytes(part.data);
  if (base::Crc32c(data) != part.crc32c) {
    return absl::DataLossError(
        absl::StrCat("a part of ", part.file, " was damaged on the way; try again"));
  }
  SLIPWAY_RETURN_IF_ERROR(file_->WriteAt(offset_bytes_, data));
  hash_.Update(data);
  offset_bytes_ += data.size();
  report_.bytes_received += data.size();
  return part.last ? EndFile(part) : absl::OkStatus();
}

absl::StatusOr<BackupReport> BackupWriter::Finish(absl::Time now, const std::string& version) {
  BackupManifest& manifest = report_.manifest;
  if (!begun_ || file_ != nullptr) return absl::DataLossError("the backup broke off in a file");
  std::sort(manifest.files.begin(), manifest.files.end(),
            [](const SnapshotFile& a, const SnapshotFile& b) { return a.name < b.name; });
  manifest.created = absl::FromUnixSeconds(absl::ToUnixSeconds(now));
  manifest.version = version;
  SLIPWAY_RETURN_IF_ERROR(ReadSnapshotManifest(dir_, manifest).status());
  // What BACKUP.json names must be there before it is.
  if (!SLIPWAY_MUTANT("backup-manifest-first")) {
    SLIPWAY_RETURN_IF_ERROR(files_->Sync());
  }
  SLIPWAY_RETURN_IF_ERROR(
      base::WriteFileDurably(dir_, kBackupManifestName, EncodeBackupManifest(manifest), kFileMode));
  SLIPWAY_RETURN_IF_ERROR(RemoveOthers());
  return report_;
}

absl::Status BackupWriter::RemoveOthers() {
  std::set<std::string> named;
  for (const SnapshotFile& file : report_.manifest.files) named.insert(base::ToHex(file.sha256));
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(*files_));
  for (const std::string& name : names) {
    if (named.count(name) == 0) SLIPWAY_RETURN_IF_ERROR(files_->Remove(name));
  }
  return files_->Sync();
}

}  // namespace slipway::eraft
