// eraftctl wal dump, verify, stat (E116). They only read, so that a copy of a damaged directory, or
// one that another user owns, can be looked at.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/cli/command.h"
#include "base/cli/table.h"
#include "base/json/json.h"
#include "base/units.h"
#include "eraft/cli/commands.h"
#include "eraft/wal/node_files.h"
#include "eraft/wal/recovery.h"
#include "eraft/wal/two_copy.h"

namespace slipway::eraft::cli {
namespace {

using base::Json;
using base::cli::Align;
using base::cli::Invocation;

constexpr int64_t kGroupMax = 0xFFFFFFFF;
constexpr int64_t kLimitMax = 1'000'000'000;
constexpr int64_t kLimitDefault = 1000;

struct WalCommand {
  std::string directory;
  std::optional<uint32_t> group;
  int64_t limit = kLimitDefault;
};

// What lies in a node's directory beside the segments.
struct Opened {
  std::unique_ptr<base::Dir> node;  // null: the directory holds segments only
  std::unique_ptr<base::Dir> wal;
  uint64_t durable_sequence = 0;
  std::optional<wal::ClusterId> cluster;  // of IDENTITY
  std::vector<std::string> damaged;       // copies of HARD and IDENTITY that cannot be read
  bool lost = false;                      // of one of them, both
};

absl::Status LookAtCopies(Opened& opened, absl::string_view name) {
  SLIPWAY_ASSIGN_OR_RETURN(const wal::TwoCopyState state, wal::ReadTwoCopy(*opened.node, name));
  if (state.damaged > 0) {
    opened.damaged.push_back(absl::StrCat(
        name, ": ", state.damaged, state.damaged == 1 ? " copy is" : " copies are", " damaged"));
    opened.lost = opened.lost || !state.newest.has_value();
  }
  const bool is_hard = name == wal::kHardName;
  if (is_hard && !state.newest.has_value() && state.damaged == 0) {  // no log begins without it
    opened.damaged.push_back(absl::StrCat(name, ": no copy is there"));
    opened.lost = true;
  }
  if (!state.newest.has_value()) return absl::OkStatus();
  if (is_hard) {
    SLIPWAY_ASSIGN_OR_RETURN(const wal::HardCopies copies, wal::DecodeHard(state.newest->payload));
    opened.durable_sequence = copies.durable_sequence;
    return absl::OkStatus();
  }
  SLIPWAY_ASSIGN_OR_RETURN(const wal::Identity identity,
                           wal::DecodeIdentity(state.newest->payload));
  opened.cluster = identity.cluster;
  return absl::OkStatus();
}

// DIR is a node's directory, or its wal/ alone.
absl::StatusOr<Opened> Open(const WalCommand& o, Invocation& in) {
  Opened opened;
  SLIPWAY_ASSIGN_OR_RETURN(opened.node, in.world.files.OpenRoot(o.directory));
  base::Owned<base::Dir> inner = opened.node->OpenDir(wal::kWalDirectory);
  if (absl::IsNotFound(inner.status())) {
    const bool is_node = opened.node->Stat(wal::kHardName).ok();  // which has lost its log
    if (is_node) SLIPWAY_RETURN_IF_ERROR(LookAtCopies(opened, wal::kHardName));
    opened.wal = std::move(opened.node);
    return opened;
  }
  SLIPWAY_RETURN_IF_ERROR(inner.status());
  opened.wal = *std::move(inner);
  SLIPWAY_RETURN_IF_ERROR(LookAtCopies(opened, wal::kHardName));
  SLIPWAY_RETURN_IF_ERROR(LookAtCopies(opened, wal::kIdentityName));
  return opened;
}

absl::StatusOr<wal::LogImage> Read(const WalCommand& o, const Opened& opened,
                                   wal::ReadOptions options) {
  options.durable_sequence = opened.durable_sequence;
  options.cluster = opened.cluster;
  SLIPWAY_ASSIGN_OR_RETURN(wal::LogImage image, wal::ReadLog(*opened.wal, options));
  if (image.segments.empty() && image.strays.empty() && image.report.empty()) {
    return absl::NotFoundError(absl::StrCat("read log: ", o.directory, " has no segment"));
  }
  return image;
}

Json DamageJson(const wal::DamageReport& report) {
  Json damages = Json::MakeArray();
  const auto range = [](const wal::DamagedEntries& e) {
    return Json::MakeObject({{"group", e.group}, {"first", e.range.first}, {"last", e.range.last}});
  };
  for (const wal::Damage& damage : report.damages) {
    Json entries = Json::MakeArray();
    for (const wal::DamagedEntries& e : damage.entries) entries.Append(range(e));
    damages.Append(Json::MakeObject({{"file", damage.file},
                                     {"offset", damage.offset},
                                     {"bytes", damage.bytes},
                                     {"first_sequence", damage.first_sequence},
                                     {"last_sequence", damage.last_sequence},
                                     {"why", damage.why},
                                     {"entries", std::move(entries)}}));
  }
  Json missing = Json::MakeArray();
  for (const wal::DamagedEntries& e : report.missing) missing.Append(range(e));
  return Json::MakeObject({{"damages", std::move(damages)}, {"missing", std::move(missing)}});
}

// What is wrong, or OK.
absl::Status Verdict(absl::string_view verb, const Opened& opened, const wal::LogImage& image) {
  std::string text = image.report.Text();
  if (opened.lost) absl::StrAppend(&text, absl::StrJoin(opened.damaged, "\n"), "\n");
  if (text.empty()) return absl::OkStatus();
  text.pop_back();
  return base::WithInfo(
      absl::DataLossError(absl::StrCat(verb, " log: it is damaged\n", text)),
      {"", "keep a copy of the directory, then rebuild this replica from the others"});
}

uint64_t RecordsOf(const wal::LogImage& image) {
  uint64_t records = 0;
  for (const wal::SegmentSummary& segment : image.segments) records += segment.records;
  return records;
}

std::string State(const Opened& opened, const wal::LogImage& image) {
  if (!image.report.empty() || opened.lost) return "damaged";
  return image.torn_bytes > 0 || !image.strays.empty() ? "torn" : "whole";
}

absl::Status RunVerify(const WalCommand& o, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const Opened opened, Open(o, in));
  SLIPWAY_ASSIGN_OR_RETURN(const wal::LogImage image, Read(o, opened, {}));
  const std::string state = State(opened, image);
  in.result = Json::MakeObject({{"state", state},
                                {"segments", static_cast<uint64_t>(image.segments.size())},
                                {"records", RecordsOf(image)},
                                {"torn_bytes", image.torn_bytes},
                                {"report", DamageJson(image.report)}});
  Json& strays = in.result.Set("strays", Json::MakeArray());
  for (const std::string& stray : image.strays) strays.Append(stray);
  Json& copies = in.result.Set("damaged_copies", Json::MakeArray());
  for (const std::string& damaged : opened.damaged) {
    copies.Append(damaged);
    in.Warn("damaged-copy", damaged);
  }
  SLIPWAY_RETURN_IF_ERROR(Verdict("verify", opened, image));
  if (in.json) return absl::OkStatus();
  in.streams.out << image.segments.size() << " segments, " << RecordsOf(image)
                 << " records: " << state << "\n";
  if (image.torn_bytes > 0) {
    in.streams.out << "a crash left " << image.torn_bytes
                   << " bytes of a batch that nobody was told of; the next start removes them\n";
  }
  for (const std::string& stray : image.strays) {
    in.streams.out << stray << " was never begun; the next start removes it\n";
  }
  return absl::OkStatus();
}

std::string MarkText(const raft::SnapshotMark& mark) {
  return mark.index == 0 ? "-" : absl::StrCat(mark.index, "@", mark.term);
}

Json SegmentsJson(const wal::LogImage& image) {
  Json segments = Json::MakeArray();
  for (const wal::SegmentSummary& s : image.segments) {
    segments.Append(Json::MakeObject({{"file", s.name},
                                      {"epoch", s.header.epoch},
                                      {"first_sequence", s.header.first_sequence},
                                      {"records", s.records},
                                      {"used_bytes", s.used_bytes},
                                      {"file_bytes", s.file_bytes}}));
  }
  return segments;
}

Json GroupsJson(const wal::LogImage& image) {
  Json groups = Json::MakeArray();
  for (const auto& [id, group] : image.index.groups()) {
    groups.Append(Json::MakeObject({{"group", id},
                                    {"term", group.hard_state().term},
                                    {"vote", group.hard_state().vote},
                                    {"commit", group.hard_state().commit},
                                    {"mark_index", group.mark().index},
                                    {"mark_term", group.mark().term},
                                    {"first_index", group.first_index()},
                                    {"last_index", group.last_index()},
                                    {"intent", group.intent().has_value()}}));
  }
  return groups;
}

absl::Status RunStat(const WalCommand& o, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const Opened opened, Open(o, in));
  SLIPWAY_ASSIGN_OR_RETURN(const wal::LogImage image, Read(o, opened, {}));
  in.result = Json::MakeObject({{"state", State(opened, image)},
                                {"next_sequence", image.next_sequence},
                                {"spare", image.has_spare},
                                {"segments", SegmentsJson(image)},
                                {"groups", GroupsJson(image)}});
  if (in.json) return Verdict("stat", opened, image);
  base::cli::Table segments({{"SEGMENT"},
                             {"EPOCH", Align::kRight},
                             {"FIRST", Align::kRight},
                             {"RECORDS", Align::kRight},
                             {"USED", Align::kRight},
                             {"SIZE", Align::kRight}});
  for (const wal::SegmentSummary& s : image.segments) {
    segments.AddRow({s.name, absl::StrCat(s.header.epoch), absl::StrCat(s.header.first_sequence),
                     absl::StrCat(s.records), base::FormatSize(s.used_bytes),
                     base::FormatSize(s.file_bytes)});
  }
  base::cli::Table groups({{"GROUP", Align::kRight},
                           {"TERM", Align::kRight},
                           {"VOTE", Align::kRight},
                           {"COMMIT", Align::kRight},
                           {"SNAPSHOT", Align::kRight},
                           {"FIRST", Align::kRight},
                           {"LAST", Align::kRight}});
  for (const auto& [id, group] : image.index.groups()) {
    groups.AddRow({absl::StrCat(id), absl::StrCat(group.hard_state().term),
                   absl::StrCat(group.hard_state().vote), absl::StrCat(group.hard_state().commit),
                   MarkText(group.mark()), absl::StrCat(group.first_index()),
                   absl::StrCat(group.last_index())});
  }
  in.streams.out << segments.Render(in.streams) << "\n"
                 << groups.Render(in.streams) << "\nstate " << State(opened, image)
                 << ", next record " << image.next_sequence
                 << (image.has_spare ? ", spare ready" : ", no spare") << "\n";
  return Verdict("stat", opened, image);
}

// What a record says, in a few words.
std::string Describe(const wal::RecordRef& record) {
  const base::BytesView payload = record.payload;
  switch (record.header.type) {
    case wal::RecordType::kEntries: {
      const auto entries = wal::ParseEntriesSummary(payload);
      if (!entries.ok()) break;
      return absl::StrCat("entries ", entries->first, " to ", entries->first + entries->count - 1,
                          (record.header.flags & wal::kFlagCopy) != 0 ? ", copied forward" : "");
    }
    case wal::RecordType::kHardState: {
      const auto state = wal::ParseHardState(payload);
      if (!state.ok()) break;
      return absl::StrCat("term ", state->term, ", vote ", state->vote, ", commit ", state->commit);
    }
    case wal::RecordType::kTruncatePrefix: {
      const auto mark = wal::ParseMark(payload);
      if ((record.header.flags & wal::kFlagGone) != 0) return "the group has left";
      return mark.ok() ? absl::StrCat("up to ", MarkText(*mark)) : "?";
    }
    case wal::RecordType::kTruncateSuffix: {
      const auto index = wal::ParseIndex(payload);
      return index.ok() ? absl::StrCat("from ", *index) : "?";
    }
    case wal::RecordType::kSnapshotIntent: {
      const auto intent = wal::ParseIntent(payload);
      if (!intent.ok()) break;
      return absl::StrCat("at ", MarkText(intent->mark), ", ",
                          base::EscapeForTerminal(intent->detail));
    }
    case wal::RecordType::kSnapshotDone: {
      const auto done = wal::ParseDone(payload, record.header.flags);
      if (!done.ok()) break;
      return absl::StrCat("at ", done->index, "@", done->term, done->discarded ? ", given up" : "");
    }
    case wal::RecordType::kBatch: {
      const auto batch = wal::ParseBatchHeader(payload);
      if (!batch.ok()) break;
      return absl::StrCat(batch->records, " records, ", batch->bytes, " bytes, durable to ",
                          batch->durable_sequence);
    }
    case wal::RecordType::kMembership: {
      const auto copy = wal::ParseMembership(payload);
      if (!copy.ok()) break;
      return absl::StrCat("of entry ", copy->index, ", voters ",
                          absl::StrJoin(copy->membership.voters, ","));
    }
    case wal::RecordType::kLastEntry: {
      const auto index = wal::ParseIndex(payload);
      return index.ok() ? absl::StrCat("older segments hold entries up to ", *index) : "?";
    }
    case wal::RecordType::kPad:
      return "";
  }
  return "?";
}

absl::Status RunDump(const WalCommand& o, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const Opened opened, Open(o, in));
  Json records = Json::MakeArray();
  int64_t shown = 0;
  uint64_t left_out = 0;
  const auto show = [&](const wal::SegmentSummary& segment, const wal::RecordRef& record) {
    const wal::RecordHeader& header = record.header;
    if (o.group.has_value() &&
        (header.group != *o.group || header.type == wal::RecordType::kBatch)) {
      return;
    }
    if (o.limit != 0 && shown >= o.limit) {
      ++left_out;
      return;
    }
    ++shown;
    const std::string type(wal::RecordTypeName(header.type));
    if (in.json) {
      records.Append(Json::MakeObject({{"sequence", header.sequence},
                                       {"file", segment.name},
                                       {"offset", record.offset},
                                       {"bytes", wal::RecordBytes(header.length)},
                                       {"type", type},
                                       {"group", header.group},
                                       {"text", Describe(record)}}));
      return;
    }
    in.streams.out << header.sequence << " " << segment.name << " " << record.offset << " +"
                   << wal::RecordBytes(header.length) << " group " << header.group << " " << type
                   << ": " << Describe(record) << "\n";
  };
  absl::FunctionRef<void(const wal::SegmentSummary&, const wal::RecordRef&)> visit(show);
  wal::ReadOptions options;
  options.visit = &visit;
  SLIPWAY_ASSIGN_OR_RETURN(const wal::LogImage image, Read(o, opened, options));
  in.result = Json::MakeObject({{"records", std::move(records)}, {"left_out", left_out}});
  if (left_out > 0) {
    in.Warn("limit", absl::StrCat(left_out, " more records; --limit 0 shows all"));
  }
  return Verdict("dump", opened, image);
}

}  // namespace

void AddWalCommands(base::cli::Program& program) {
  program.AddGroup("wal", "The write-ahead log of a node that does not run");
  const auto add = [&](absl::string_view name, absl::string_view summary,
                       absl::Status(*run)(const WalCommand&, Invocation&)) -> auto& {
    auto options = std::make_shared<WalCommand>();
    base::cli::Command& command = program.Add(absl::StrCat("wal ", name), summary);
    command.Argument("DIR", &options->directory, "Directory of the node, or its wal/")
        .Required()
        .Completes(base::cli::ValueKind::kDirectory);
    if (name == "dump") {
      command.Int("--group", "N", &options->group, 0, kGroupMax, "Only records of this group");
      command.Int("--limit", "N", &options->limit, 0, kLimitMax, "Stop after so many; 0: never");
    }
    command.Run([options, run](Invocation& in) { return run(*options, in); });
    return command;
  };
  add("dump", "Show each record", RunDump)
      .Example("eraftctl wal dump /var/lib/eraft/kv_0 --group 1 --limit 0");
  add("verify", "Check every CRC; say what is damaged", RunVerify)
      .Description(
          "Exit code 0: the log is whole, or ends in what a crash left of an unanswered "
          "batch. 4: it is damaged. 1: it could not be read.")
      .Example("eraftctl wal verify /var/lib/eraft/kv_0 --json");
  add("stat", "Show segments and groups", RunStat).Example("eraftctl wal stat /var/lib/eraft/kv_0");
}

}  // namespace slipway::eraft::cli
