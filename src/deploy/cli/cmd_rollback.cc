// rollback, generation list (D173, D174).
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/cli/table.h"
#include "deploy/cli/commands.h"
#include "deploy/cli/render.h"
#include "deploy/model/errors.h"

namespace slipway::deploy::cli {
namespace {

struct RollbackCommand {
  std::string type;
  std::optional<std::string> to;
  bool forward = false, deep = false;
};

absl::StatusOr<ChangeResult> RollBack(DeployRoot& root, const RollbackCommand& o,
                                      const RollbackOptions& options) {
  if (o.type.empty()) {
    if (!o.to.has_value()) return root.RollbackGeneration(std::nullopt, options);
    uint64_t generation = 0;
    if (absl::SimpleAtoi(*o.to, &generation) && generation > 0) {
      return root.RollbackGeneration(generation, options);
    }
    return Error(Dt::kMissing,
                 absl::StrCat("roll back to ", *o.to, ": without TYPE, --to names a generation"),
                 "deploy-tool generation list, or deploy-tool rollback TYPE --to VERSION");
  }
  SLIPWAY_RETURN_IF_ERROR(CheckType(o.type));
  if (o.to.has_value()) return root.Switch(o.type, *o.to, options);
  return root.Rollback(o.type, options);
}

absl::Status RunRollback(Context& context, const RollbackCommand& o, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const ChangeOptions change, context.MakeChange(in));
  RollbackOptions options;
  static_cast<ChangeOptions&>(options) = change;
  options.forward = o.forward;
  options.deep = o.deep;
  SLIPWAY_ASSIGN_OR_RETURN(auto root, context.OpenRoot(in, OpenMode::kMutate));
  const absl::StatusOr<ChangeResult> result = RollBack(*root, o, options);
  if (!result.ok()) return FailedChange(in, result.status());
  ReportChange(in, *result, root->path());
  return absl::OkStatus();
}

absl::Status RunGenerations(Context& context, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(auto root, context.OpenRoot(in, OpenMode::kRead));
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<Generation> generations, root->Generations());
  in.result = base::Json::MakeObject({{"root", root->path()}});
  base::Json& list = in.result.Set("generations", base::Json::MakeArray());
  base::cli::Table table({{"GENERATION", base::cli::Align::kRight},
                          {"STATE"},
                          {"COMPONENTS", base::cli::Align::kLeft, true}});
  for (const Generation& generation : generations) {
    list.Append(GenerationJson(generation));
    std::vector<std::string> components;
    for (const Component& component : generation.components)
      components.push_back(component.ToString());
    table.AddRow({absl::StrCat(generation.number),
                  generation.active       ? "active"
                  : generation.incomplete ? "incomplete"
                                          : "",
                  absl::StrJoin(components, " ")},
                 generation.active ? base::cli::Tone::kGreen : base::cli::Tone::kPlain);
  }
  if (!in.json) in.streams.out << table.Render(in.streams);
  return absl::OkStatus();
}

}  // namespace

void AddRollback(Program& program, Context& context) {
  auto o = std::make_shared<RollbackCommand>();
  Command& rollback = program.Add("rollback", "Go back to what was active before");
  rollback.Example("deploy-tool rollback model", "one component");
  rollback.Example("deploy-tool rollback", "the whole root, by one generation");
  rollback.Example("deploy-tool rollback --to 7");
  rollback.Description("Rolling back twice goes back twice; --forward undoes the last rollback.");
  rollback.Argument("TYPE", &o->type, "Component type; else the whole root")
      .Completes(CompleteTypes(context));
  rollback.Text("--to", "WHERE", &o->to, "A version with TYPE, a generation without");
  rollback.Flag("--forward", &o->forward, "Back to what the last rollback left");
  rollback.Flag("--deep", &o->deep, "Compare the contents of files with the index first");
  rollback.Run([o, &context](Invocation& in) { return RunRollback(context, *o, in); });

  program.AddGroup("generation", "Snapshots of which versions were active together");
  Command& list = program.Add("generation list", "List the generations of the deploy root");
  list.Example("deploy-tool generation list");
  list.Run([&context](Invocation& in) { return RunGenerations(context, in); });
}

}  // namespace slipway::deploy::cli
