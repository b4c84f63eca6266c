#include "deploy/repository/record_file.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/failpoint.h"
#include "base/mutant.h"
#include "base/status.h"
#include "base/sync/mutex.h"
#include "deploy/model/errors.h"
#include "deploy/repository/codec.h"
#include "deploy/repository/local_package.h"

namespace slipway::deploy {
namespace {

constexpr char kLockFile[] = ".lock";
constexpr absl::Duration kPollFirst = absl::Milliseconds(5);
constexpr absl::Duration kPollMax = absl::Milliseconds(200);

// Until `duration` passed or the token fires.
void Pause(const base::CancelToken& cancel, absl::Duration duration) {
  base::Mutex mutex;
  base::CondVar wake;
  const std::shared_ptr<void> registered = cancel.OnCancel([&] {
    const base::MutexLock lock(mutex);
    wake.NotifyAll();
  });
  const base::MutexLock lock(mutex);
  if (!cancel.cancelled()) wake.WaitFor(mutex, duration);
}

}  // namespace

base::Owned<base::File> LockRecords(const PublishRequest& request) {
  base::OpenOptions options;
  options.write = true;
  options.create = true;
  base::Owned<base::File> file = request.folders.records.Open(kLockFile, options);
  if (!file.ok()) {
    return Wrap(file.status(), FileErrorCode(file.status(), Dt::kStorage), "lock publish records");
  }
  if (SLIPWAY_MUTANT("drop-lock")) return file;
  const absl::Duration give_up = request.clock.Monotonic() + request.options.lock_wait;
  for (absl::Duration pause = kPollFirst;; pause = std::min(2 * pause, kPollMax)) {
    const absl::Status locked = (*file)->TryLock();
    if (locked.ok()) return file;
    if (!absl::IsAborted(locked)) return Wrap(locked, Dt::kStorage, "lock publish records");
    const absl::Duration left = give_up - request.clock.Monotonic();
    if (left <= absl::ZeroDuration()) {
      return Wrap(locked, Dt::kLocked, "lock publish records",
                  "another publish is running; try again when it has ended");
    }
    Pause(request.cancel, std::min(pause, left));
    SLIPWAY_RETURN_IF_ERROR(CancelError(request.cancel));
  }
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
  const absl::Status written = base::WriteFileDurably(request_->folders.records, name, Text());
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
    return base::WriteFileDurably(records, name, *previous_text_);
  }
  if (absl::IsNotFound(now.status())) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(records.Remove(name));
  return records.Sync();
}

}  // namespace slipway::deploy
