#include "base/cli/test_program.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/cli/table.h"
#include "base/status.h"

namespace slipway::base::cli {
namespace {

void AddPack(Program& program, const std::shared_ptr<DemoOptions>& o) {
  Command& pack = program.Add("pack", "Make a package of a directory");
  pack.Example("demo pack ./models --type model", "the common case");
  pack.Example("demo pack ./models --type model --compress zstd --level 19");
  pack.Description("Packs everything below SOURCE but what rules exclude.");
  pack.Argument("SOURCE", &o->source, "Directory to pack").Completes(ValueKind::kDirectory);
  pack.Text("--type,-t", "TYPE", &o->type, "Component type").Completes([](World&) {
    return std::vector<Candidate>{{"model", "a model"}, {"config", ""}};
  });
  pack.Choice("--compress", "ALG", &o->codec, {"gzip", "zstd", "none"}, "Compressor");
  pack.Int("--level", "N", &o->level, 1, 19, "Level");
  pack.Size("--size-max", "SIZE", &o->size, "Refuse more");
  pack.Duration("--wait-lock", "DUR", &o->wait, "Wait that long").Group("Locking");
  pack.List("--exclude,-x", "PATTERN", &o->exclude, "Leave out");
  pack.Flag("--force,-f", &o->force, "Overwrite");
  pack.Switch("--atomic", &o->atomic, "All or nothing");
  pack.Flag("--secret", &o->force, "Not shown").Hidden();
  pack.Run([o](Invocation& in) {
    in.result = Json::MakeObject({{"source", o->source}});
    if (!in.json) in.streams.out << "packed " << o->source << "\n";
    return absl::OkStatus();
  });
}

void AddVersion(Program& program, const std::shared_ptr<DemoOptions>& o) {
  program.AddGroup("version", "Installed versions");
  Command& list = program.Add("version list", "List versions");
  list.Argument("TYPE", &o->component, "Component type").Required();
  list.Run([o](Invocation& in) {
    Table table({{"VERSION"}, {"SIZE", Align::kRight}});
    table.AddRow({"1.0.0", "12MiB"});
    in.streams.out << table.Render(in.streams);
    return absl::OkStatus();
  });
  Command& change = program.Add("version switch", "Make a version current");
  change.Example("demo version switch model 1.0.0");
  change.Argument("TYPE", &o->component, "Component type").Required();
  change.Argument("VERSION", &o->version, "Version").Required().Completes([](World&) {
    return std::vector<Candidate>{{"1.0.0", "current"}, {"1.1.0", ""}};
  });
  change.Run([o](Invocation& in) {
    in.Warn("DM007", "it is old");
    return MakeError(absl::StatusCode::kNotFound,
                     absl::StrCat("switch ", o->component, " to ", o->version, ": not installed"),
                     {"DM010", absl::StrCat("demo deploy ", o->component, ":", o->version)});
  });
}

void AddOthers(Program& program, const std::shared_ptr<DemoOptions>& o) {
  Command& deploy = program.Add("deploy", "Install components");
  deploy.Arguments("SPEC", &o->specs, "type:version").Completes([](World&) {
    return std::vector<Candidate>{{"model:1.0.0", "newest"}, {"model:1.1.0", ""}, {"config:2", ""}};
  });
  deploy.Run([o](Invocation& in) {
    in.streams.out << absl::StrJoin(o->specs, ",") << "\n";
    return absl::OkStatus();
  });
  Command& remove = program.Add("remove", "Remove everything");
  remove.Flag("--yes,-y", &o->yes, "Do not ask");
  remove.Run([o](Invocation& in) -> absl::Status {
    SLIPWAY_RETURN_IF_ERROR(in.Confirm("remove everything", o->yes, "DM009"));
    in.streams.out << "removed\n";
    return absl::OkStatus();
  });
  Command& fail = program.Add("fail", "Fail in a way").Hidden();
  fail.Argument("HOW", &o->fail, "How");
  fail.Run([o](Invocation& in) -> absl::Status {
    if (o->fail == "plain") return absl::UnavailableError("open x: bad\x1b[31m luck");
    if (o->fail == "lines") return MakeError(absl::StatusCode::kInvalidArgument, "a\nb", {"DM001"});
    if (o->fail == "check") {
      in.exit_code = 15;
      in.result = Json::MakeObject({{"broken", 2}});
      return MakeError(absl::StatusCode::kFailedPrecondition, "verify links: 2 are broken",
                       {"DM007"});
    }
    if (o->fail == "zero") {
      in.exit_code = 0;
      return absl::InternalError("bug");
    }
    return in.cancel.status();
  });
}

}  // namespace

ProgramOptions DemoProgramOptions() {
  ProgramOptions options;
  options.version = "1.2.3";
  options.exits = {{"DM010", 6}, {"DM007", 3}, {"DM009", 2}};
  options.usage_id = "DM001";
  options.missing_id = "DM009";
  options.internal_id = "DM099";
  return options;
}

std::unique_ptr<Program> MakeDemo(const std::shared_ptr<DemoOptions>& options,
                                  ProgramOptions program_options) {
  auto program =
      std::make_unique<Program>("demo", "Shows what base/cli can do.", std::move(program_options));
  program->globals()
      .Text("--root", "DIR", &options->root, "Deploy root")
      .Completes(ValueKind::kDirectory);
  program->globals().Example("demo pack ./models --type model");
  AddPack(*program, options);
  AddVersion(*program, options);
  AddOthers(*program, options);
  return program;
}

}  // namespace slipway::base::cli
