#include "deploy/cli/render.h"

#include <ostream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/units.h"
#include "deploy/model/errors.h"
#include "deploy/release/deploy_root.h"
#include "deploy/repository/repository.h"

namespace slipway::deploy::cli {
namespace {

using base::Json;

absl::string_view DriftName(Drift::Kind kind) {
  switch (kind) {
    case Drift::Kind::kChanged:
      return "changed";
    case Drift::Kind::kMissing:
      return "missing";
    case Drift::Kind::kExtra:
      return "extra";
  }
  return "";
}

absl::string_view LinkKindName(LinkInfo::Kind kind) {
  switch (kind) {
    case LinkInfo::Kind::kCurrent:
      return "current";
    case LinkInfo::Kind::kLink:
      return "link";
    case LinkInfo::Kind::kActive:
      return "active";
    case LinkInfo::Kind::kCustom:
      return "custom";
  }
  return "";
}

Json LinkChangeJson(const LinkChange& link) {
  Json json = Json::MakeObject({{"path", link.path}, {"from", TextJson(link.from)}});
  json.Set("to", TextJson(link.to));
  if (!link.moved_to.empty()) json.Set("moved_to", link.moved_to);
  return json;
}

Json ComponentResultJson(const ComponentResult& result) {
  Json json = ComponentJson(result.component);
  json.Set("previous", TextJson(result.previous));
  json.Set("action", ActionName(result.action));
  json.Set("source", TextJson(result.source));
  json.Set("source_reason", TextJson(result.source_reason));
  json.Set("bytes_fetched", result.bytes_fetched);
  json.Set("bytes_reused", result.bytes_reused);
  json.Set("cache", result.cache_hit ? "hit" : "miss");
  Json& phases = json.Set("phases_ms", Json::MakeObject());
  for (const auto& [phase, duration] : result.phases) {
    phases.Set(phase, absl::ToInt64Milliseconds(duration));
  }
  return json;
}

template <class T, class Convert>
Json ListJson(const std::vector<T>& items, Convert convert) {
  Json list = Json::MakeArray();
  for (const T& item : items) list.Append(convert(item));
  return list;
}

std::string Sentence(const ComponentResult& result, bool dry_run) {
  const std::string name = result.component.ToString();
  const std::string from = result.previous.empty() || result.previous == result.component.version
                               ? ""
                               : absl::StrCat(" (was ", result.previous, ")");
  const std::string would = dry_run ? "would be " : "";
  switch (result.action) {
    case Action::kInstalled:
      return absl::StrCat(name, " ", would, result.replaced ? "reinstalled" : "installed", from,
                          result.source.empty() ? "" : absl::StrCat(" from ", result.source));
    case Action::kAlreadyInstalled:
      return absl::StrCat(name, " is already installed");
    case Action::kSwitched:
      return absl::StrCat(name, " ", would, "current", from);
    case Action::kAlreadyCurrent:
      return absl::StrCat(name, " is already current");
  }
  return name;
}

base::Owned<base::Dir> Named(base::Owned<base::Dir> dir, absl::string_view doing) {
  if (dir.ok()) return dir;
  const bool no_directory =
      absl::IsNotFound(dir.status()) || absl::IsFailedPrecondition(dir.status());
  return Wrap(dir.status(), FileErrorCode(dir.status(), Dt::kStorage), doing,
              no_directory ? "name an existing directory" : "");
}

}  // namespace

Json ComponentJson(const Component& component) {
  return Json::MakeObject({{"type", component.type}, {"version", component.version}});
}

Json TimeJson(const std::optional<absl::Time>& time) {
  return time.has_value() ? Json(base::FormatRfc3339(*time)) : Json();
}

Json TextJson(absl::string_view text) { return text.empty() ? Json() : Json(text); }

Json ChangeJson(const ChangeResult& change, absl::string_view target) {
  Json json = Json::MakeObject({{"tx", TextJson(change.tx)}, {"target", target}});
  json.Set("dry_run", change.dry_run);
  json.Set("components", ListJson(change.components, ComponentResultJson));
  json.Set("generation", change.generation.has_value() ? Json(*change.generation) : Json());
  json.Set("links", ListJson(change.links, LinkChangeJson));
  json.Set("steps", ListJson(change.steps, [](const Step& step) {
             return Json::MakeObject(
                 {{"step", step.name}, {"detail", step.detail}, {"bytes", step.bytes}});
           }));
  json.Set("rolled_back", false);
  return json;
}

Json HistoryJson(const HistoryEntry& entry) {
  Json json = Json::MakeObject({{"at", base::FormatRfc3339(entry.at)}, {"tx", entry.tx}});
  json.Set("operation", entry.operation);
  json.Set("user", entry.user);
  json.Set("host", entry.host);
  json.Set("release", TextJson(entry.release));
  json.Set("reason", TextJson(entry.reason));
  json.Set("changes", ListJson(entry.changes, [](const HistoryEntry::Change& change) {
             Json item = Json::MakeObject({{"type", change.type}, {"from", TextJson(change.from)}});
             item.Set("to", TextJson(change.to));
             item.Set("installed", TextJson(change.installed));
             item.Set("source", TextJson(change.source));
             return item;
           }));
  json.Set("generation", entry.generation.has_value() ? Json(*entry.generation) : Json());
  json.Set("duration_ms", absl::ToInt64Milliseconds(entry.duration));
  return json;
}

Json LinkJson(const LinkInfo& link) {
  Json json = Json::MakeObject({{"kind", LinkKindName(link.kind)}, {"path", link.path}});
  json.Set("target", TextJson(link.target));
  json.Set("expected", TextJson(link.expected));
  json.Set("type", TextJson(link.type));
  json.Set("version", TextJson(link.version));
  json.Set("state", LinkStateName(link.state));
  json.Set("detail", TextJson(link.detail));
  return json;
}

Json VersionJson(const VersionInfo& version) {
  Json json = ComponentJson(version.component);
  json.Set("current", version.current);
  json.Set("previous", version.previous);
  json.Set("pinned", version.pinned);
  json.Set("bad", version.bad);
  json.Set("tags", ListJson(version.tags, [](const std::string& tag) { return Json(tag); }));
  json.Set("deployed_at", TimeJson(version.deployed_at));
  json.Set("last_active_at", TimeJson(version.last_active_at));
  json.Set("bytes", version.bytes);
  json.Set("files", version.files);
  json.Set("sha256", TextJson(version.sha256));
  json.Set("source", TextJson(version.source));
  return json;
}

Json GenerationJson(const Generation& generation) {
  Json json = Json::MakeObject({{"number", generation.number}, {"active", generation.active}});
  json.Set("incomplete", generation.incomplete);
  json.Set("components", ListJson(generation.components, ComponentJson));
  return json;
}

Json DriftJson(const Drift& drift) {
  return Json::MakeObject(
      {{"kind", DriftName(drift.kind)}, {"path", drift.path}, {"detail", drift.detail}});
}

Json RecoveryJson(const Recovery& recovery) {
  Json json = Json::MakeObject();
  json.Set("transactions", ListJson(recovery.transactions, [](const RecoveredTx& tx) {
             Json item = Json::MakeObject({{"tx", tx.tx}, {"operation", tx.operation}});
             item.Set("components", ListJson(tx.components, ComponentJson));
             item.Set("outcome",
                      tx.outcome == RecoveredTx::Outcome::kUndone ? "undone" : "finished");
             return item;
           }));
  json.Set("running", ListJson(recovery.running, [](const std::string& tx) { return Json(tx); }));
  json.Set("leftovers_removed", recovery.leftovers_removed);
  return json;
}

void ReportChange(base::cli::Invocation& in, const ChangeResult& change, absl::string_view target) {
  for (const std::string& warning : change.warnings) in.Warn("", warning);
  in.result = ChangeJson(change, target);
  if (in.json) return;
  std::ostream& out = in.streams.out;
  for (const ComponentResult& component : change.components) {
    out << Sentence(component, change.dry_run) << "\n";
  }
  if (in.quiet) return;
  if (change.dry_run) {
    for (const Step& step : change.steps) {
      out << "  " << step.name << " " << base::EscapeForTerminal(step.detail);
      if (step.bytes > 0) out << " (" << base::FormatSize(step.bytes) << ")";
      out << "\n";
    }
    return;
  }
  for (const LinkChange& link : change.links) {
    out << "  " << base::EscapeForTerminal(link.path) << " -> " << base::EscapeForTerminal(link.to)
        << "\n";
    if (!link.moved_to.empty()) {
      out << "  moved what was there to " << base::EscapeForTerminal(link.moved_to) << "\n";
    }
  }
}

absl::Status FailedChange(base::cli::Invocation& in, const absl::Status& status) {
  constexpr int kExitRolledBack = 12;
  const bool rolled_back = WasRolledBack(status);
  in.details = Json::MakeObject({{"rolled_back", rolled_back}});
  if (rolled_back) in.exit_code = kExitRolledBack;
  return status;
}

std::string Count(uint64_t count, absl::string_view noun) {
  if (count == 1) return absl::StrCat("1 ", noun);
  if (absl::EndsWith(noun, "y"))
    return absl::StrCat(count, " ", noun.substr(0, noun.size() - 1), "ies");
  return absl::StrCat(count, " ", noun, "s");
}

std::string TimeText(const std::optional<absl::Time>& time) {
  return time.has_value() ? base::FormatRfc3339(*time) : "-";
}

std::string OrDash(absl::string_view text) { return text.empty() ? "-" : std::string(text); }

base::Owned<base::Dir> OpenDirectory(base::World& world, const std::string& path,
                                     absl::string_view doing) {
  return Named(world.files.OpenRoot(path), doing);
}

base::Owned<base::Dir> MakeDirectory(base::World& world, const std::string& path,
                                     absl::string_view doing) {
  return Named(MakeRootWithMode(world.files, path, 0777 & ~world.environment.Umask()), doing);
}

}  // namespace slipway::deploy::cli
