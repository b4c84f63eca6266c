#include "base/recordlog/recordlog.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/digest/crc32c.h"
#include "base/mutant.h"

namespace slipway::base {
namespace {

// How many bytes the search for a record behind damage may check: a bound against input that was
// made to be slow. Whoever reaches it has no ordinary torn tail.
constexpr uint64_t kSearchBytesMax = 64 * 1024 * 1024;

static_assert(kRecordHeaderBytes + kRecordBytesMax < kRecordLogBytesMax);

uint64_t ClaimedBytes(BytesView bytes, uint64_t at) {
  return LoadLittle<uint32_t>(bytes.data() + at);
}

// The payload of the whole and valid record at `at`, if there is one.
std::optional<BytesView> RecordAt(BytesView bytes, uint64_t at) {
  if (bytes.size() - at < kRecordHeaderBytes) return std::nullopt;
  const uint64_t length = ClaimedBytes(bytes, at);
  if (length == 0 || length > kRecordBytesMax) return std::nullopt;
  if (length > bytes.size() - at - kRecordHeaderBytes) return std::nullopt;
  const BytesView payload = bytes.subspan(at + kRecordHeaderBytes, length);
  if (Crc32c(payload) != LoadLittle<uint32_t>(bytes.data() + at + 4)) return std::nullopt;
  return payload;
}

absl::Status Damaged(uint64_t at, absl::string_view reason) {
  return absl::DataLossError(absl::StrCat("decode record log: damaged at byte ", at, ": ", reason));
}

// Nothing decodes at `at`. OK when a crash in an Append may have left that.
absl::Status CheckTorn(BytesView bytes, uint64_t at) {
  const uint64_t rest = bytes.size() - at;
  if (rest >= kRecordHeaderBytes) {
    const uint64_t length = ClaimedBytes(bytes, at);
    if (length > kRecordBytesMax && length <= rest - kRecordHeaderBytes) {
      return absl::ResourceExhaustedError(absl::StrCat("decode record log: the record at byte ", at,
                                                       " claims ", length, " bytes; the limit is ",
                                                       kRecordBytesMax));
    }
  }
  if (rest > kRecordHeaderBytes + kRecordBytesMax) {
    return Damaged(at, "more follows than one record that was being written");
  }
  uint64_t checked = 0;
  for (uint64_t next = at + 1; next + kRecordHeaderBytes < bytes.size(); ++next) {
    const uint64_t length = ClaimedBytes(bytes, next);
    if (length == 0 || length > bytes.size() - next - kRecordHeaderBytes) continue;
    checked += length;
    if (checked > kSearchBytesMax) return Damaged(at, "what follows is no torn record");
    if (RecordAt(bytes, next)) {
      return Damaged(at, absl::StrCat("a whole record follows at byte ", next));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RecordLogContents> DecodeRecordLog(BytesView bytes) {
  RecordLogContents contents;
  while (contents.valid_bytes < bytes.size()) {
    const std::optional<BytesView> payload = RecordAt(bytes, contents.valid_bytes);
    if (!payload) {
      SLIPWAY_RETURN_IF_ERROR(CheckTorn(bytes, contents.valid_bytes));
      contents.torn = true;
      break;
    }
    if (contents.records.size() == kRecordLogRecordsMax) {
      return absl::ResourceExhaustedError(
          absl::StrCat("decode record log: more than ", kRecordLogRecordsMax, " records"));
    }
    contents.records.emplace_back(AsText(*payload));
    contents.valid_bytes += kRecordHeaderBytes + payload->size();
  }
  return contents;
}

std::string EncodeRecord(absl::string_view payload) {
  SLIPWAY_CHECK(!payload.empty());
  SLIPWAY_CHECK(payload.size() <= kRecordBytesMax);
  uint8_t header[kRecordHeaderBytes];
  StoreLittle<uint32_t>(header, static_cast<uint32_t>(payload.size()));
  StoreLittle<uint32_t>(header + 4, Crc32c(AsBytes(payload)));
  return absl::StrCat(AsText(header), payload);
}

RecordLog::RecordLog(std::unique_ptr<File> file, uint64_t end_bytes, uint64_t records)
    : file_(std::move(file)), end_bytes_(end_bytes), records_(records) {}

Owned<RecordLog> RecordLog::Create(Dir& dir, absl::string_view name) {
  SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<File> file,
                           dir.Open(name, {.write = true, .create = true, .exclusive = true}));
  SLIPWAY_RETURN_IF_ERROR(file->Sync());
  SLIPWAY_RETURN_IF_ERROR(dir.Sync());
  return std::unique_ptr<RecordLog>(new RecordLog(std::move(file), 0, 0));
}

Owned<RecordLog> RecordLog::Open(Dir& dir, absl::string_view name, RecordLogContents& contents) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(dir, name, kRecordLogBytesMax));
  absl::StatusOr<RecordLogContents> decoded = DecodeRecordLog(AsBytes(bytes));
  if (!decoded.ok()) return Annotate(decoded.status(), absl::StrCat("open ", name));
  SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<File> file, dir.Open(name, {.write = true}));
  if (decoded->torn) SLIPWAY_RETURN_IF_ERROR(file->Truncate(decoded->valid_bytes));
  // Also where nothing was cut: the last record may be in the page cache only, left there by a
  // process that died before its sync.
  SLIPWAY_RETURN_IF_ERROR(file->Sync());
  SLIPWAY_RETURN_IF_ERROR(dir.Sync());
  contents = *std::move(decoded);
  return std::unique_ptr<RecordLog>(
      new RecordLog(std::move(file), contents.valid_bytes, contents.records.size()));
}

absl::Status RecordLog::Append(absl::string_view payload) {
  if (failed_) {
    return absl::FailedPreconditionError(
        "append to record log: an earlier append failed; open the log anew");
  }
  if (payload.empty() || payload.size() > kRecordBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("append to record log: ", payload.size(),
                                                   " bytes; a record has 1 to ", kRecordBytesMax));
  }
  const std::string record = EncodeRecord(payload);
  if (record.size() > kRecordLogBytesMax - end_bytes_) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "append to record log: it would be larger than ", kRecordLogBytesMax, " bytes"));
  }
  if (records_ >= kRecordLogRecordsMax) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "append to record log: it has ", kRecordLogRecordsMax, " records, the most it may have"));
  }
  failed_ = true;  // until both steps have succeeded
  SLIPWAY_RETURN_IF_ERROR(file_->WriteAt(end_bytes_, AsBytes(record)));
  if (!SLIPWAY_MUTANT("recordlog-no-sync")) SLIPWAY_RETURN_IF_ERROR(file_->Sync());
  failed_ = false;
  end_bytes_ += record.size();
  ++records_;
  return absl::OkStatus();
}

}  // namespace slipway::base
