#include "base/audit/audit.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/bytes.h"
#include "base/digest/sha256.h"
#include "base/log/log.h"
#include "base/mutant.h"

namespace slipway::base {
namespace {

constexpr uint64_t kLineBytesMax = 64 << 10;  // what Continue finds again
constexpr size_t kTextBytesMax = 1024;        // of a text of a record, where the line is too long
constexpr char kDenied[] = "denied";
constexpr absl::string_view kTimeFormat = "%Y-%m-%dT%H:%M:%E3SZ";

// SHA-256 of the hash before, as 32 bytes, and the record without its own hash.
std::string HashOf(absl::string_view prev, const Json& record) {
  const absl::StatusOr<Bytes> before = FromHex(prev);
  Sha256 hash;
  if (before.ok()) hash.Update(*before);
  const std::string text = record.DumpCanonical();
  hash.Update(AsBytes(text));
  return ToHex(hash.Finish());
}

absl::string_view ResultOf(const absl::Status& outcome) {
  if (outcome.ok()) return "ok";
  const bool refused = absl::IsUnauthenticated(outcome) || absl::IsPermissionDenied(outcome);
  return refused ? kDenied : "failed";
}

// Its first characters.
std::string Cut(absl::string_view text) {
  size_t size = std::min(text.size(), kTextBytesMax);
  // A byte of the form 10xxxxxx goes on with a character.
  while (size > 0 && size < text.size() && (static_cast<uint8_t>(text[size]) & 0xc0) == 0x80) {
    --size;
  }
  return std::string(text.substr(0, size));
}

// The record without what follows from those before.
Json ToJson(const AuditRecord& record) {
  Json json = Json::MakeObject();
  if (const Json::Object* fields = record.fields.AsObject()) {
    for (const auto& [name, value] : *fields) json.Set(name, value);
  }
  json.Set("actor", record.actor.empty() ? record.peer : record.actor);
  json.Set("peer", record.peer);
  json.Set("op", record.op);
  json.Set("target", record.target);
  json.Set("request_id", record.request_id);
  json.Set("result", ResultOf(record.outcome));
  json.Set("code", absl::StatusCodeToString(record.outcome.code()));
  return json;
}

// Each character may take six bytes: with the rest, this is half of a line.
Json CutJson(const AuditRecord& record) {
  AuditRecord cut = record;
  for (std::string* text : {&cut.actor, &cut.peer, &cut.op, &cut.target, &cut.request_id}) {
    *text = Cut(*text);
  }
  cut.fields = Json::MakeObject({{"cut", true}});
  return ToJson(cut);
}

// The record of a line, its own hash checked and taken off.
absl::StatusOr<Json> ParseRecord(absl::string_view line, std::string* hash) {
  SLIPWAY_ASSIGN_OR_RETURN(Json record, ParseJson(line));
  const Json* own = record.Find("hash");
  const Json* prev = record.Find("prev");
  const Json* seq = record.Find("seq");
  if (own == nullptr || own->AsString() == nullptr || prev == nullptr ||
      prev->AsString() == nullptr || seq == nullptr || !seq->AsUint().has_value()) {
    return absl::DataLossError("it has no seq, prev or hash");
  }
  *hash = *own->AsString();
  record.Remove("hash");
  if (HashOf(*record.Find("prev")->AsString(), record) != *hash) {
    return absl::DataLossError("its hash does not fit");
  }
  return record;
}

}  // namespace

Owned<AuditLog> AuditLog::Open(Files& files, const std::string& path, Clock& clock) {
  const auto [parent, name] = SplitPath(path);
  SLIPWAY_ASSIGN_OR_RETURN(auto dir, files.MakeRoot(parent.empty() ? "." : parent));
  OpenOptions options;
  options.write = true;
  options.create = true;
  options.mode = 0600;
  auto file = dir->Open(name, options);
  if (!file.ok()) return Annotate(file.status(), "open audit log");
  // Two that write would each put their records where the other's are.
  SLIPWAY_RETURN_IF_ERROR(Annotate((*file)->TryLock(), "open audit log"));
  std::unique_ptr<AuditLog> log(new AuditLog(*std::move(file), clock));
  SLIPWAY_RETURN_IF_ERROR(Annotate(log->Continue(), "open audit log"));
  return log;
}

absl::Status AuditLog::Continue() {
  MutexLock lock(mutex_);
  SLIPWAY_ASSIGN_OR_RETURN(const Meta meta, file_->Stat());
  const uint64_t from = meta.size_bytes - std::min(meta.size_bytes, 2 * kLineBytesMax);
  Bytes tail(static_cast<size_t>(meta.size_bytes - from));
  SLIPWAY_ASSIGN_OR_RETURN(const size_t size, file_->ReadAt(from, absl::MakeSpan(tail)));
  absl::string_view text = AsText(tail).substr(0, size);
  const size_t end = text.rfind('\n');
  size_bytes_ = end == absl::string_view::npos ? from : from + end + 1;
  if (size_bytes_ != meta.size_bytes) SLIPWAY_RETURN_IF_ERROR(file_->Truncate(size_bytes_));
  if (end == absl::string_view::npos) {
    return from == 0 ? absl::OkStatus() : absl::DataLossError("its last line has no end");
  }
  text = text.substr(0, end);
  const size_t begin = text.rfind('\n');
  if (begin != absl::string_view::npos) text = text.substr(begin + 1);
  absl::StatusOr<Json> record = ParseRecord(text, &hash_);
  if (!record.ok()) {
    return absl::DataLossError(
        absl::StrCat("its last record is damaged: ", record.status().message(),
                     "; move the file away, keep it, and start again"));
  }
  seq_ = *record->Find("seq")->AsUint();
  return absl::OkStatus();
}

void AuditLog::Write(const AuditRecord& record) {
  Json json = ToJson(record);
  if (json.DumpCanonical().size() > kLineBytesMax / 2 && !SLIPWAY_MUTANT("audit-line-uncut")) {
    json = CutJson(record);
  }
  json.Set("ts", absl::FormatTime(kTimeFormat, clock_.Wall(), absl::UTCTimeZone()));
  MutexLock lock(mutex_);
  if (ResultOf(record.outcome) == kDenied && !denied_.TryTake(1, clock_.Monotonic())) {
    ++left_out_;
    return;
  }
  if (left_out_ > 0) json.Set("denied_left_out", left_out_);
  json.Set("seq", seq_ + 1);
  json.Set("prev", hash_);
  const std::string hash = HashOf(hash_, json);
  json.Set("hash", hash);
  const std::string line = json.DumpCanonical() + "\n";
  const absl::Status written = file_->WriteAt(size_bytes_, AsBytes(line));
  if (!written.ok()) {
    // The next record takes its place, so that the chain has no gap and no torn line.
    SLIPWAY_LOG(kError, "audit record lost",
                {{"op", record.op}, {"error", std::string(written.message())}});
    return;
  }
  size_bytes_ += line.size();
  left_out_ = 0;
  ++seq_;
  hash_ = hash;
}

absl::Status VerifyAudit(absl::string_view text) {
  std::string prev(64, '0');
  uint64_t seq = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    std::string hash;
    absl::StatusOr<Json> record = ParseRecord(line, &hash);
    absl::Status status = record.status();
    if (status.ok() &&
        (*record->Find("seq")->AsUint() != seq + 1 || *record->Find("prev")->AsString() != prev)) {
      status = absl::DataLossError("it does not follow the record before");
    }
    if (!status.ok()) {
      return absl::DataLossError(
          absl::StrCat("verify audit log: record ", seq + 1, ": ", status.message()));
    }
    prev = hash;
    ++seq;
  }
  return absl::OkStatus();
}

}  // namespace slipway::base
