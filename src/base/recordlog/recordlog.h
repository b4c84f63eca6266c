// Append-only file of checked records: u32 LE length, u32 LE CRC-32C of the payload, payload.
// A torn tail (what a crash leaves) is dropped; damage before the last record is DataLoss.
// Format: docs/formats/recordlog.md. Thread-compatible.
//
// A payload has 1 to kRecordBytesMax bytes: an empty record would be eight zeros, which is also
// what a power loss leaves where a file grew and its bytes did not arrive.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"

namespace slipway::base {

inline constexpr uint64_t kRecordHeaderBytes = 8;
inline constexpr uint64_t kRecordBytesMax = 16 * 1024 * 1024;  // of one payload
inline constexpr uint64_t kRecordLogBytesMax = 1024 * 1024 * 1024;
inline constexpr uint64_t kRecordLogRecordsMax = 4 * 1024 * 1024;  // tiny ones cost more in memory

struct RecordLogContents {
  std::vector<std::string> records;
  uint64_t valid_bytes = 0;  // where the next record goes
  bool torn = false;         // bytes after valid_bytes were dropped
};

// Decodes bytes; pure, the fuzz target's entry. What does not decode is a torn tail unless a whole
// record follows somewhere, or there is more of it than one Append can leave: then DataLoss with
// the offset. ResourceExhausted for a record that claims more than kRecordBytesMax and is followed
// by that much data, and for more than kRecordLogRecordsMax records.
absl::StatusOr<RecordLogContents> DecodeRecordLog(BytesView bytes);

// CHECK: `payload` has 1 to kRecordBytesMax bytes.
std::string EncodeRecord(absl::string_view payload);

class RecordLog {
 public:
  // Creates `name` in `dir` and syncs both. AlreadyExists if there is one.
  static Owned<RecordLog> Create(Dir& dir, absl::string_view name);
  // Opens, reads `contents`, cuts a torn tail off and syncs: what `contents` holds after OK
  // survives power loss, also where a process died before it could sync. NotFound, DataLoss as
  // above; ResourceExhausted: larger than kRecordLogBytesMax.
  static Owned<RecordLog> Open(Dir& dir, absl::string_view name, RecordLogContents& contents);
  // Appends and syncs: after OK the record survives power loss. InvalidArgument: empty or too
  // large; ResourceExhausted: the log would pass kRecordLogBytesMax or kRecordLogRecordsMax; in
  // both cases nothing happened. After any other error the record may be there or not, and the log
  // takes no further one (FailedPrecondition): open it anew.
  absl::Status Append(absl::string_view payload);
  uint64_t size_bytes() const { return end_bytes_; }

 private:
  RecordLog(std::unique_ptr<File> file, uint64_t end_bytes, uint64_t records);
  std::unique_ptr<File> file_;
  uint64_t end_bytes_;
  uint64_t records_;
  bool failed_ = false;
};

}  // namespace slipway::base
