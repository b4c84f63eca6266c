// Journal steps as JSON and back.
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/units.h"
#include "deploy/model/errors.h"
#include "deploy/release/journal.h"
#include "deploy/release/json_fields.h"

namespace slipway::deploy {
namespace {

using base::Json;

constexpr const char* kStepNames[] = {"BEGIN",  "FETCH",  "STAGE", "PLACE",  "GEN",
                                      "SWITCH", "ACTIVE", "LINK",  "COMMIT", "END"};

Json ComponentsToJson(const std::vector<Component>& components) {
  Json json = Json::MakeArray();
  for (const Component& component : components) {
    Json item = Json::MakeObject();
    item.Set("type", component.type);
    item.Set("version", component.version);
    json.Append(std::move(item));
  }
  return json;
}

Json LinksToJson(const std::vector<LinkChange>& links) {
  Json json = Json::MakeArray();
  for (const LinkChange& link : links) {
    Json item = Json::MakeObject();
    item.Set("path", link.path);
    item.Set("from", link.from);
    item.Set("to", link.to);
    if (!link.moved_to.empty()) item.Set("moved_to", link.moved_to);
    json.Append(std::move(item));
  }
  return json;
}

Json PlacesToJson(const std::vector<Placement>& places) {
  Json json = Json::MakeArray();
  for (const Placement& place : places) {
    Json item = Json::MakeObject();
    item.Set("from", place.from);
    item.Set("to", place.to);
    item.Set("replace", place.replace);
    item.Set("inode", place.inode);
    json.Append(std::move(item));
  }
  return json;
}

void BeginToJson(const BeginStep& begin, Json& json) {
  json.Set("format", kJournalFormat);
  json.Set("operation", begin.operation);
  json.Set("components", ComponentsToJson(begin.components));
  json.Set("types", StringsToJson(begin.types));
  json.Set("user", begin.user);
  json.Set("host", begin.host);
  json.Set("pid", begin.pid);
  json.Set("command", begin.command);
  json.Set("at", base::FormatRfc3339(begin.at));
  if (begin.generation) json.Set("generation", *begin.generation);
}

BeginStep BeginFromJson(Fields& fields) {
  BeginStep begin;
  begin.operation = fields.Text("operation");
  for (Fields& item : fields.Objects("components")) {
    begin.components.push_back({item.Text("type"), item.Text("version")});
    fields.Take(item);
  }
  begin.types = fields.Texts("types");
  begin.user = fields.Text("user");
  begin.host = fields.Text("host");
  begin.pid = static_cast<int>(fields.Unsigned("pid"));
  begin.command = fields.Text("command");
  begin.at = fields.Time("at");
  begin.generation = fields.OptionalUnsigned("generation");
  return begin;
}

std::vector<LinkChange> LinksFromJson(Fields& fields) {
  std::vector<LinkChange> links;
  for (Fields& item : fields.Objects("links")) {
    LinkChange link;
    link.path = item.Text("path");
    link.from = item.Text("from");
    link.to = item.Text("to");
    link.moved_to = item.OptionalText("moved_to");
    links.push_back(std::move(link));
    fields.Take(item);
  }
  return links;
}

std::vector<Placement> PlacesFromJson(Fields& fields) {
  std::vector<Placement> places;
  for (Fields& item : fields.Objects("places")) {
    Placement place;
    place.from = item.Text("from");
    place.to = item.Text("to");
    place.replace = item.Bool("replace");
    place.inode = item.Unsigned("inode");
    places.push_back(std::move(place));
    fields.Take(item);
  }
  return places;
}

CommitStep CommitFromJson(Fields& fields) {
  CommitStep commit;
  if (const Json* states = fields.Value("states"); states != nullptr && states->is_object()) {
    for (const auto& [type, state] : *states->AsObject()) commit.states.emplace_back(type, state);
  }
  if (const Json* history = fields.Value("history"); history != nullptr) commit.history = *history;
  return commit;
}

absl::StatusOr<StepKind> KindFromName(const std::string& name) {
  for (size_t i = 0; i < std::size(kStepNames); ++i) {
    if (name == kStepNames[i]) return static_cast<StepKind>(i);
  }
  return Error(Dt::kFormat,
               absl::StrCat("read journal: unknown step ", base::EscapeForTerminal(name)),
               "use the newer deploy-tool that wrote it");
}

}  // namespace

const char* StepName(StepKind kind) { return kStepNames[static_cast<size_t>(kind)]; }

base::Json StepToJson(const JournalStep& step) {
  Json json = Json::MakeObject();
  json.Set("step", StepName(step.kind));
  switch (step.kind) {
    case StepKind::kBegin:
      BeginToJson(step.begin, json);
      break;
    case StepKind::kPlace:
      json.Set("places", PlacesToJson(step.places));
      json.Set("dirs", StringsToJson(step.dirs));
      break;
    case StepKind::kGen:
      json.Set("generation", step.generation);
      break;
    case StepKind::kSwitch:
    case StepKind::kActive:
    case StepKind::kLink:
      json.Set("links", LinksToJson(step.links));
      json.Set("dirs", StringsToJson(step.dirs));
      break;
    case StepKind::kCommit: {
      Json states = Json::MakeObject();
      for (const auto& [type, state] : step.commit.states) states.Set(type, state);
      json.Set("states", std::move(states));
      json.Set("history", step.commit.history);
      break;
    }
    case StepKind::kFetch:
    case StepKind::kStage:
    case StepKind::kEnd:
      break;
  }
  return json;
}

absl::StatusOr<JournalStep> StepFromJson(const base::Json& json) {
  Fields fields(json, "journal step");
  JournalStep step;
  SLIPWAY_ASSIGN_OR_RETURN(step.kind, KindFromName(fields.Text("step")));
  switch (step.kind) {
    case StepKind::kBegin:
      if (fields.Unsigned("format") > kJournalFormat) {
        return Error(Dt::kFormat, "read journal: it has a newer format",
                     "use the newer deploy-tool that wrote it");
      }
      step.begin = BeginFromJson(fields);
      break;
    case StepKind::kPlace:
      step.places = PlacesFromJson(fields);
      step.dirs = fields.Texts("dirs");
      break;
    case StepKind::kGen:
      step.generation = fields.Unsigned("generation");
      break;
    case StepKind::kSwitch:
    case StepKind::kActive:
    case StepKind::kLink:
      step.links = LinksFromJson(fields);
      step.dirs = fields.Texts("dirs");
      break;
    case StepKind::kCommit:
      step.commit = CommitFromJson(fields);
      break;
    case StepKind::kFetch:
    case StepKind::kStage:
    case StepKind::kEnd:
      break;
  }
  SLIPWAY_RETURN_IF_ERROR(fields.status());
  return step;
}

std::string EncodeSteps(const std::vector<JournalStep>& steps) {
  Json list = Json::MakeArray();
  for (const JournalStep& step : steps) list.Append(StepToJson(step));
  return list.Dump();
}

absl::StatusOr<std::vector<JournalStep>> DecodeSteps(absl::string_view record) {
  const auto json = base::ParseJson(record);
  if (!json.ok() || !json->is_array()) {
    return Error(Dt::kChecksum, "read journal: a record is no list of steps");
  }
  std::vector<JournalStep> steps;
  for (const Json& item : *json->AsArray()) {
    SLIPWAY_ASSIGN_OR_RETURN(JournalStep step, StepFromJson(item));
    steps.push_back(std::move(step));
  }
  return steps;
}

}  // namespace slipway::deploy
