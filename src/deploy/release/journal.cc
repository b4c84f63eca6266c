#include "deploy/release/journal.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/check.h"
#include "deploy/model/errors.h"
#include "deploy/release/journal_check.h"
#include "deploy/release/layout.h"

namespace slipway::deploy {
namespace {

constexpr uint64_t kJournalBytesMax = 256ull << 20;
constexpr absl::string_view kSuffix = ".jnl";

std::string FileName(absl::string_view tx) { return absl::StrCat(tx, kSuffix); }

std::string EncodeAll(const std::vector<JournalStep>& steps) {
  return base::EncodeRecord(EncodeSteps(steps));
}

absl::StatusOr<std::vector<JournalStep>> DecodeRecords(const std::vector<std::string>& records,
                                                       absl::string_view tx) {
  std::vector<JournalStep> all;
  for (const std::string& record : records) {
    auto steps = DecodeSteps(record);
    if (!steps.ok()) return base::Annotate(steps.status(), absl::StrCat("journal ", tx));
    std::move(steps->begin(), steps->end(), std::back_inserter(all));
  }
  if (all.empty() || all.front().kind != StepKind::kBegin) {
    return Error(Dt::kChecksum,
                 absl::StrCat("read journal ", tx, ": it does not start with BEGIN"));
  }
  return all;
}

}  // namespace

base::Owned<Journal> Journal::Create(base::Dir& root, absl::string_view tx,
                                     std::vector<JournalStep> steps, uint32_t mode) {
  SLIPWAY_CHECK(!steps.empty());
  SLIPWAY_CHECK(steps.front().kind == StepKind::kBegin);
  SLIPWAY_ASSIGN_OR_RETURN(auto dir, root.OpenDir(kJournalDir));
  // The first record comes with the name, so that no journal is ever without its BEGIN.
  SLIPWAY_RETURN_IF_ERROR(base::WriteFileDurably(*dir, FileName(tx), EncodeAll(steps), mode,
                                                 base::RenameMode::kNoReplace));
  return Open(root, tx);
}

base::Owned<Journal> Journal::Open(base::Dir& root, absl::string_view tx) {
  auto journal = std::unique_ptr<Journal>(new Journal(root, std::string(tx)));
  SLIPWAY_RETURN_IF_ERROR(journal->Load());
  return journal;
}

absl::StatusOr<std::vector<JournalStep>> Journal::Peek(base::Dir& root, absl::string_view tx) {
  const std::string path = base::JoinPath(kJournalDir, FileName(tx));
  SLIPWAY_ASSIGN_OR_RETURN(const std::string bytes, base::ReadFile(root, path, kJournalBytesMax));
  const auto contents = base::DecodeRecordLog(base::AsBytes(bytes));
  if (!contents.ok())
    return Wrap(contents.status(), Dt::kChecksum, absl::StrCat("read journal ", tx));
  return DecodeRecords(contents->records, tx);
}

absl::Status Journal::Load() {
  SLIPWAY_ASSIGN_OR_RETURN(dir_, root_.OpenDir(kJournalDir));
  base::RecordLogContents contents;
  auto log = base::RecordLog::Open(*dir_, FileName(tx_), contents);
  if (absl::IsDataLoss(log.status())) {
    // Damaged, or a disk that fails: EIO has the same code.
    const auto bytes = base::ReadFile(*dir_, FileName(tx_), kJournalBytesMax);
    const bool damaged = bytes.ok() && !base::DecodeRecordLog(base::AsBytes(*bytes)).ok();
    return Wrap(log.status(), damaged ? Dt::kChecksum : Dt::kStorage,
                absl::StrCat("read journal ", tx_),
                damaged ? "" : "check the file system of the deploy root");
  }
  SLIPWAY_RETURN_IF_ERROR(log.status());
  log_ = *std::move(log);
  end_bytes_ = contents.valid_bytes;
  SLIPWAY_ASSIGN_OR_RETURN(steps_, DecodeRecords(contents.records, tx_));
  return absl::OkStatus();
}

absl::Status Journal::Append(std::vector<JournalStep> steps) {
  const std::string record = EncodeSteps(steps);
  last_begin_bytes_ = end_bytes_;
  end_bytes_ += base::EncodeRecord(record).size();
  std::move(steps.begin(), steps.end(), std::back_inserter(steps_));
  const absl::Status appended = log_->Append(record);
  failed_ = !appended.ok();
  return appended;
}

absl::Status Journal::CheckOwner(uint32_t user_id) {
  constexpr uint32_t kRoot = 0;
  for (const std::string& name : {FileName(tx_), std::string(".")}) {
    SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, dir_->Stat(name));
    const bool own = meta.uid == user_id || meta.uid == kRoot;
    if (own && (meta.mode & 0002) == 0) continue;
    return Error(Dt::kPermission,
                 absl::StrCat("read journal ", tx_, ": ", name == "." ? kJournalDir : name,
                              own ? " can be written by everybody"
                                  : absl::StrCat(" belongs to uid ", meta.uid)),
                 own ? "look whether a deploy-tool wrote it; then correct the modes"
                     : "run deploy-tool recover as that user");
  }
  return absl::OkStatus();
}

void Journal::DropForeignTargets() {
  for (JournalStep& step : steps_) {
    if (step.kind != StepKind::kSwitch && step.kind != StepKind::kActive) continue;
    for (LinkChange& link : step.links) {
      if (!IsOwnTarget(step.kind, link)) link.from.clear();
    }
  }
}

absl::Status Journal::DropCommit() {
  SLIPWAY_CHECK(steps_.back().kind == StepKind::kCommit);
  steps_.pop_back();
  const absl::Status rewritten = Rewrite();
  if (!absl::IsResourceExhausted(rewritten)) return rewritten;
  // On a full disk the record is cut off in place.
  base::OpenOptions options;
  options.write = true;
  SLIPWAY_ASSIGN_OR_RETURN(const auto file, dir_->Open(FileName(tx_), options));
  SLIPWAY_RETURN_IF_ERROR(file->Truncate(last_begin_bytes_));
  return file->Sync();
}

absl::Status Journal::Rewrite() {
  // A new file: nothing that a failed sync left behind can come back in it.
  SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, dir_->Stat(FileName(tx_)));
  SLIPWAY_RETURN_IF_ERROR(
      base::WriteFileDurably(*dir_, FileName(tx_), EncodeAll(steps_), meta.mode & 0777));
  failed_ = false;
  return Load();
}

absl::Status Journal::Finish() {
  JournalStep end;
  end.kind = StepKind::kEnd;
  // What a failed sync left behind in the file must not stand before END.
  absl::Status ended = failed_ ? Rewrite() : absl::OkStatus();
  if (ended.ok()) ended = Append({end});
  if (!ended.ok() && !absl::IsResourceExhausted(ended)) return ended;
  SLIPWAY_RETURN_IF_ERROR(RemoveFile(*dir_, FileName(tx_)));
  // On a full disk the file goes without END, so that its absence must be durable.
  return ended.ok() ? absl::OkStatus() : SyncDirAt(root_, kJournalDir);
}

bool HasStep(const std::vector<JournalStep>& steps, StepKind kind) {
  return std::any_of(steps.begin(), steps.end(),
                     [&](const JournalStep& step) { return step.kind == kind; });
}

absl::StatusOr<std::vector<std::string>> ListJournals(base::Dir& root) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto entries, ListSorted(root, kJournalDir));
  std::vector<std::string> names;
  for (const base::DirEntry& entry : entries) {
    absl::string_view name = entry.name;
    if (entry.kind == base::FileKind::kFile && absl::ConsumeSuffix(&name, kSuffix)) {
      names.emplace_back(name);
    }
  }
  return names;
}

}  // namespace slipway::deploy
