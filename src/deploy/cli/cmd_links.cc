// links list, verify, repair (D35-D37).
#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/cli/table.h"
#include "deploy/cli/commands.h"
#include "deploy/cli/render.h"
#include "deploy/model/errors.h"

namespace slipway::deploy::cli {
namespace {

struct LinksCommand {
  bool deep = false, adopt = false;
};

std::string RenderLinks(const Invocation& in, const std::vector<LinkInfo>& links) {
  base::cli::Table table({{"LINK", base::cli::Align::kLeft, true},
                          {"TARGET", base::cli::Align::kLeft, true},
                          {"VERSION"},
                          {"STATE"},
                          {"WHY", base::cli::Align::kLeft, true}});
  for (const LinkInfo& link : links) {
    table.AddRow({link.path, OrDash(link.target), OrDash(link.version), LinkStateName(link.state),
                  link.detail},
                 link.state == LinkState::kOk && link.detail.empty() ? base::cli::Tone::kPlain
                                                                     : base::cli::Tone::kRed);
  }
  return table.Render(in.streams);
}

void SetLinks(Invocation& in, const std::string& root, const std::vector<LinkInfo>& links) {
  in.result = base::Json::MakeObject({{"root", root}});
  base::Json& list = in.result.Set("links", base::Json::MakeArray());
  for (const LinkInfo& link : links) list.Append(LinkJson(link));
}

absl::Status RunLinks(Context& context, const LinksCommand& o, bool verify, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const Project* project, context.AnyProject(in));
  SLIPWAY_ASSIGN_OR_RETURN(auto root, context.OpenRoot(in, OpenMode::kRead));
  const LinkOptions options = LinksOf(*project, false);
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<LinkInfo> links,
                           verify ? root->VerifyLinks(options, o.deep) : root->ListLinks(options));
  SetLinks(in, root->path(), links);
  if (verify) in.result.Set("ok", links.empty());
  if (!in.json && verify && links.empty()) in.streams.out << "all links are ok\n";
  if (!in.json && (!verify || !links.empty())) in.streams.out << RenderLinks(in, links);
  if (!verify || links.empty()) return absl::OkStatus();
  const bool contents = std::all_of(links.begin(), links.end(), [](const LinkInfo& link) {
    return link.state == LinkState::kOk;
  });
  if (contents) {
    return Error(Dt::kProblems,
                 absl::StrCat("verify links: files behind ", Count(links.size(), "link"),
                              " are not as installed"),
                 absl::StrCat("deploy-tool version verify ", links.front().type, " names them"));
  }
  return Error(Dt::kProblems,
               absl::StrCat("verify links: ", Count(links.size(), "link"), " not ok"),
               "deploy-tool links repair --dry-run shows what can be put right");
}

absl::Status RunRepair(Context& context, const LinksCommand& o, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(ChangeOptions change, context.MakeChange(in));
  change.links.adopt = o.adopt;
  SLIPWAY_ASSIGN_OR_RETURN(auto root, context.OpenRoot(in, OpenMode::kMutate));
  if (!change.dry_run) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto broken, root->VerifyLinks(change.links, false));
    if (!broken.empty()) {
      if (!in.json && !in.quiet) in.streams.err << RenderLinks(in, broken);
      SLIPWAY_RETURN_IF_ERROR(in.Confirm(absl::StrCat("repair ", Count(broken.size(), "link")),
                                         context.options().yes, DtName(Dt::kMissing)));
    }
  }
  const absl::StatusOr<RepairResult> result = root->RepairLinks(change);
  if (!result.ok()) return FailedChange(in, result.status());
  ReportChange(in, result->change, root->path());
  base::Json& refused = in.result.Set("refused", base::Json::MakeArray());
  for (const LinkInfo& link : result->refused) refused.Append(LinkJson(link));
  if (!in.json && result->change.links.empty() && result->refused.empty()) {
    in.streams.out << "nothing to repair\n";
  }
  if (result->refused.empty()) return absl::OkStatus();
  if (!in.json) in.streams.out << RenderLinks(in, result->refused);
  return Error(
      Dt::kProblems,
      absl::StrCat("repair links: ", Count(result->refused.size(), "link"), " not repaired"),
      "move real files out of the way (--adopt does), or deploy the component again");
}

}  // namespace

void AddLinks(Program& program, Context& context) {
  auto o = std::make_shared<LinksCommand>();
  program.AddGroup("links", "Links that applications read through");
  Command& list = program.Add("links list", "List all links with where they lead");
  list.Example("deploy-tool links list");
  list.Run([o, &context](Invocation& in) { return RunLinks(context, *o, false, in); });
  Command& verify = program.Add("links verify", "Check that all links lead where they should");
  verify.Example("deploy-tool links verify --deep");
  verify.Description("Leaves with 15 if one does not.");
  verify.Flag("--deep", &o->deep, "Compare what is behind them with the file index too");
  verify.Run([o, &context](Invocation& in) { return RunLinks(context, *o, true, in); });
  Command& repair = program.Add("links repair", "Put wrong, missing and dangling links right");
  repair.Example("deploy-tool links repair --dry-run");
  repair.Description("Never replaces real files, unless --adopt moves them aside.");
  repair.Flag("--adopt", &o->adopt, "Move files that lie at a link's path to PATH.bak-TIME");
  repair.Run([o, &context](Invocation& in) { return RunRepair(context, *o, in); });
}

}  // namespace slipway::deploy::cli
