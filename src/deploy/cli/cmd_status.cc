// status, history, recover (D178, D179).
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/bytes.h"
#include "base/cli/table.h"
#include "base/units.h"
#include "deploy/cli/commands.h"
#include "deploy/cli/render.h"
#include "deploy/model/errors.h"

namespace slipway::deploy::cli {
namespace {

struct HistoryCommand {
  std::string type;
  int limit = 20;
};

base::Json StatusJson(const RootStatus& status) {
  base::Json json = base::Json::MakeObject({{"root", status.path}, {"root_id", status.root_id}});
  base::Json& types = json.Set("components", base::Json::MakeArray());
  for (const TypeStatus& type : status.types) {
    base::Json item = base::Json::MakeObject({{"type", type.type}});
    item.Set("current", TextJson(type.current));
    item.Set("previous", TextJson(type.previous));
    item.Set("versions", type.versions);
    item.Set("bytes", type.bytes);
    item.Set("active_since", TimeJson(type.active_since));
    item.Set("bad", type.current_bad);
    types.Append(std::move(item));
  }
  json.Set("generation",
           status.generation.has_value() ? base::Json(*status.generation) : base::Json());
  json.Set("generations", status.generations);
  json.Set("free_bytes", status.free_bytes);
  json.Set("total_bytes", status.total_bytes);
  json.Set("last_change",
           status.last_change.has_value() ? HistoryJson(*status.last_change) : base::Json());
  base::Json& unfinished = json.Set("unfinished", base::Json::MakeArray());
  for (const std::string& tx : status.unfinished) unfinished.Append(tx);
  json.Set("links_bad", status.links_bad);
  return json;
}

std::string ChangesText(const HistoryEntry& entry) {
  std::vector<std::string> changes;
  for (const HistoryEntry::Change& change : entry.changes) {
    if (change.to.empty()) {
      changes.push_back(absl::StrCat(change.type, ":", change.installed, " installed"));
    } else {
      changes.push_back(absl::StrCat(change.type, " ", OrDash(change.from), " -> ", change.to));
    }
  }
  return absl::StrJoin(changes, ", ");
}

void PrintStatus(Invocation& in, const RootStatus& status) {
  std::ostream& out = in.streams.out;
  out << "root        " << base::EscapeForTerminal(status.path) << "\n";
  if (status.generation.has_value()) {
    out << "generation  " << *status.generation << " (of " << status.generations << " kept)\n";
  }
  out << "disk        " << base::FormatSize(status.free_bytes) << " free of "
      << base::FormatSize(status.total_bytes) << "\n";
  if (status.last_change.has_value()) {
    out << "last change " << base::FormatRfc3339(status.last_change->at) << " "
        << status.last_change->operation << " by "
        << base::EscapeForTerminal(status.last_change->user) << ": "
        << base::EscapeForTerminal(ChangesText(*status.last_change)) << "\n";
  }
  if (status.links_bad > 0) {
    out << "links       " << Count(status.links_bad, "link")
        << " not ok; deploy-tool links verify\n";
  }
  if (!status.unfinished.empty()) {
    out << "unfinished  " << absl::StrJoin(status.unfinished, ", ") << "\n";
  }
  out << "\n";
  base::cli::Table table({{"COMPONENT", base::cli::Align::kLeft, true},
                          {"CURRENT"},
                          {"PREVIOUS"},
                          {"SINCE"},
                          {"VERSIONS", base::cli::Align::kRight},
                          {"SIZE", base::cli::Align::kRight}});
  for (const TypeStatus& type : status.types) {
    table.AddRow({type.type, absl::StrCat(OrDash(type.current), type.current_bad ? " (bad)" : ""),
                  OrDash(type.previous), TimeText(type.active_since), absl::StrCat(type.versions),
                  base::FormatSize(type.bytes)});
  }
  out << table.Render(in.streams);
}

absl::Status RunStatus(Context& context, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(auto root, context.OpenRoot(in, OpenMode::kRead));
  SLIPWAY_ASSIGN_OR_RETURN(const RootStatus status, root->Status());
  in.result = StatusJson(status);
  if (!in.json) PrintStatus(in, status);
  return absl::OkStatus();
}

absl::Status RunHistory(Context& context, const HistoryCommand& o, Invocation& in) {
  if (!o.type.empty()) SLIPWAY_RETURN_IF_ERROR(CheckType(o.type));
  SLIPWAY_ASSIGN_OR_RETURN(auto root, context.OpenRoot(in, OpenMode::kRead));
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<HistoryEntry> entries,
                           root->History(o.type, static_cast<size_t>(o.limit)));
  in.result = base::Json::MakeObject({{"root", root->path()}});
  base::Json& list = in.result.Set("entries", base::Json::MakeArray());
  base::cli::Table table({{"WHEN"},
                          {"OPERATION"},
                          {"CHANGE", base::cli::Align::kLeft, true},
                          {"BY"},
                          {"TOOK", base::cli::Align::kRight},
                          {"REASON", base::cli::Align::kLeft, true}});
  for (const HistoryEntry& entry : entries) {
    list.Append(HistoryJson(entry));
    table.AddRow({base::FormatRfc3339(entry.at), entry.operation, ChangesText(entry), entry.user,
                  base::FormatGoDuration(absl::Trunc(entry.duration, absl::Milliseconds(1))),
                  entry.reason});
  }
  if (!in.json) in.streams.out << table.Render(in.streams);
  return absl::OkStatus();
}

absl::Status RunRecover(Context& context, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(auto root, context.OpenRoot(in, OpenMode::kMutate));
  if (context.options().dry_run) {
    SLIPWAY_ASSIGN_OR_RETURN(const RootStatus status, root->Status());
    in.result = base::Json::MakeObject({{"dry_run", true}});
    base::Json& unfinished = in.result.Set("unfinished", base::Json::MakeArray());
    for (const std::string& tx : status.unfinished) unfinished.Append(tx);
    if (!in.json) {
      in.streams.out << (status.unfinished.empty()
                             ? "nothing to recover"
                             : absl::StrCat("would look at ",
                                            absl::StrJoin(status.unfinished, ", ")))
                     << "\n";
    }
    return absl::OkStatus();
  }
  // Opening for a change recovers already; what it did is the answer.
  const Recovery recovery = root->recovery();
  in.result = RecoveryJson(recovery);
  if (in.json) return absl::OkStatus();
  for (const RecoveredTx& tx : recovery.transactions) {
    std::vector<std::string> components;
    for (const Component& component : tx.components) components.push_back(component.ToString());
    in.streams.out << (tx.outcome == RecoveredTx::Outcome::kUndone ? "undone    " : "finished  ")
                   << tx.operation << " of " << absl::StrJoin(components, ", ") << " (" << tx.tx
                   << ")\n";
  }
  if (recovery.leftovers_removed > 0) {
    in.streams.out << "removed   " << recovery.leftovers_removed
                   << " leftover staging directories\n";
  }
  if (recovery.transactions.empty() && recovery.leftovers_removed == 0) {
    in.streams.out << "nothing to recover\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddStatus(Program& program, Context& context) {
  auto o = std::make_shared<HistoryCommand>();
  Command& status = program.Add("status", "Show the deploy root on one screen");
  status.Example("deploy-tool status");
  status.Run([&context](Invocation& in) { return RunStatus(context, in); });
  Command& history = program.Add("history", "List what was changed, by whom, when");
  history.Example("deploy-tool history model --limit 5");
  history.Argument("TYPE", &o->type, "Only this component").Completes(CompleteTypes(context));
  history.Int("--limit", "N", &o->limit, 1, 1'000'000, "At most so many (20)");
  history.Run([o, &context](Invocation& in) { return RunHistory(context, *o, in); });
  Command& recover = program.Add("recover", "Finish or undo changes that were interrupted");
  recover.Example("deploy-tool recover");
  recover.Description("Every command that changes the root does this first.");
  recover.Run([&context](Invocation& in) { return RunRecover(context, in); });
}

}  // namespace slipway::deploy::cli
