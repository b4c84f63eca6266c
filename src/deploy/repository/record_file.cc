#include "deploy/repository/record_file.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/failpoint.h"
#include "base/status.h"
#include "base/temp_files.h"
#include "deploy/model/errors.h"
#include "deploy/repository/codec.h"
#include "deploy/repository/folder_lock.h"
#include "deploy/repository/local_package.h"

namespace slipway::deploy {
base::Owned<base::File> LockRecords(const PublishRequest& request) {
  base::Dir& records = request.folders.records;
  SLIPWAY_ASSIGN_OR_RETURN(
      std::unique_ptr<base::File> lock,
      LockFolder(records, request.clock,
                 {.what = "publish records",
                  .hint = "another publish is running; try again when it has ended",
                  .wait = request.options.lock_wait,
                  .mode = request.file_mode},
                 request.cancel));
  base::RemoveStaleTemps(records).IgnoreError();  // of a publish that was killed
  return lock;
}

absl::StatusOr<RecordFile> RecordFile::Read(const PublishRequest& request,
                                            const Component& component) {
  RecordFile file(request);
  const std::string name = RecordFileName(component);
  const absl::StatusOr<std::string> text =
      base::ReadFile(request.folders.records, name, kRecordBytesMax);
  if (absl::IsNotFound(text.status())) {
    file.record_.component = component;
    file.record_.published_at = request.clock.Wall();
    return file;
  }
  if (!text.ok()) return Wrap(text.status(), FileErrorCode(text.status(), Dt::kStorage), name);
  const absl::StatusOr<PublishRecord> record = ParseRecord(*text);
  if (!record.ok()) {
    return Wrap(record.status(), Dt::kChecksum, name,
                "repair the file, or remove it to begin anew");
  }
  if (record->component != component) {
    return Error(Dt::kChecksum, absl::StrCat("read publish record ", name, ": it describes ",
                                             record->component.ToString()));
  }
  file.record_ = *record;
  file.previous_text_ = *text;
  file.previous_ = *base::ParseJson(*text);
  return file;
}

void RecordFile::Add(Location location, bool uploaded) {
  const bool known = std::find(record_.locations.begin(), record_.locations.end(), location) !=
                     record_.locations.end();
  if (known && !uploaded) return;  // a repeated publish changes no file that Git sees
  PublishRecord added;
  added.locations.push_back(std::move(location));
  added.published_at = request_->clock.Wall();
  MergeRecord(record_, added);
  changed_ = true;
}

std::string RecordFile::Text() const {
  return WriteRecord(record_, previous_ ? &*previous_ : nullptr);
}

absl::Status RecordFile::Check() const { return ScrubCheck(Text(), request_->options.secrets); }

absl::StatusOr<bool> RecordFile::Write() const {
  if (!changed_) return false;
  SLIPWAY_FAILPOINT("publish.record.before");
  const std::string name = RecordFileName(record_.component);
  SLIPWAY_RETURN_IF_ERROR(Check());
  const absl::Status written =
      base::WriteFileDurably(request_->folders.records, name, Text(), request_->file_mode);
  if (!written.ok()) {
    return Wrap(written, FileErrorCode(written, Dt::kStorage), absl::StrCat("write ", name));
  }
  SLIPWAY_FAILPOINT("publish.record.after");
  return true;
}

absl::Status RecordFile::PutBack() const {
  if (!changed_) return absl::OkStatus();
  base::Dir& records = request_->folders.records;
  const std::string name = RecordFileName(record_.component);
  const absl::StatusOr<std::string> now = base::ReadFile(records, name, kRecordBytesMax);
  if (previous_text_) {
    if (now.ok() && *now == *previous_text_) return absl::OkStatus();
    return base::WriteFileDurably(records, name, *previous_text_, request_->file_mode);
  }
  if (absl::IsNotFound(now.status())) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(records.Remove(name));
  return records.Sync();
}

}  // namespace slipway::deploy
