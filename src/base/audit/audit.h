// The audit log (Z144): who did what to what, and what came of it. JSON lines chained by
// hashes, so that a line changed or taken out shows (DECISIONS 2). Thread-safe; blocks: on an I/O
// pool only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/json/json.h"
#include "base/limiter.h"
#include "base/status.h"
#include "base/sync/mutex.h"

namespace slipway::base {

struct AuditRecord {
  std::string actor;   // subject of the caller, or its address where nobody is known
  std::string peer;    // its address
  std::string op;      // "upload"
  std::string target;  // what it was done to; empty where there is nothing
  std::string request_id;
  absl::Status outcome;
  Json fields;  // further members of the record; an object or null
};

class AuditLog {
 public:
  // Appends to `path`, made with mode 0600 where it is missing. What a crash left of a last line is
  // taken off; the chain goes on from the last whole one. Errors of Files; DataLoss: the end of the
  // file is no audit log; Aborted: somebody else writes it, another server perhaps.
  static Owned<AuditLog> Open(Files& files, const std::string& path, Clock& clock);
  // A record that cannot be written is logged as an error; the call it tells of goes on. What would
  // make a line of over 32 KiB is cut, and the record says so ("cut"). Of callers that were denied,
  // who could fill the disk, a hundred are written and then ten a second; how many were left out is
  // in the next record ("denied_left_out").
  void Write(const AuditRecord& record);

 private:
  AuditLog(std::unique_ptr<File> file, Clock& clock) : clock_(clock), file_(std::move(file)) {}
  absl::Status Continue();

  Clock& clock_;
  Mutex mutex_;
  Limiter denied_ ABSL_GUARDED_BY(mutex_) = Limiter(/*rate=*/10, /*burst=*/100);
  uint64_t left_out_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<File> file_ ABSL_GUARDED_BY(mutex_);
  uint64_t size_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t seq_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string hash_ ABSL_GUARDED_BY(mutex_) = std::string(64, '0');
};

// Whether `text` is a whole log: every hash fits, every record follows the one before. DataLoss
// with the line that does not.
absl::Status VerifyAudit(absl::string_view text);

}  // namespace slipway::base
