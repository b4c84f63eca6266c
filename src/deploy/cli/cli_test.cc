// Each file of testdata is a session with deploy-tool in a simulated world:
//
//   write PATH [0644]     a file with the lines below
//   symlink PATH TARGET, mkdir PATH, remove PATH, append PATH (the lines below)
//   cd PATH, env NAME=VALUE, user NAME, clock 1h
//   run                   the command lines below, without the program's name
//   cat PATH, tree PATH   what stands there
//
// `run` prints stdout, stderr with "! " before each line, and the exit code if it is not 0. After a
// failure and after a dry run it compares the whole disk with before: nothing may have changed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/cli/completion.h"
#include "base/json/json.h"
#include "base/sim/world.h"
#include "base/testing/data_driven.h"
#include "base/units.h"
#include "deploy/cli/deploy_tool.h"

namespace slipway::deploy::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Everything below `path`, one line each; contents are in it, so two disks can be compared.
void Walk(base::Dir& dir, const std::string& path, bool contents, std::string* out) {
  std::vector<base::DirEntry> entries;
  auto cursor = dir.List().value();
  for (auto entry = cursor->Next().value(); entry.has_value(); entry = cursor->Next().value()) {
    entries.push_back(*entry);
  }
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  for (const base::DirEntry& entry : entries) {
    const std::string name = path.empty() ? entry.name : absl::StrCat(path, "/", entry.name);
    if (entry.kind == base::FileKind::kDirectory) {
      absl::StrAppend(out, name, "/\n");
      Walk(*dir.OpenDir(entry.name).value(), name, contents, out);
    } else if (entry.kind == base::FileKind::kSymlink) {
      absl::StrAppend(out, name, " -> ", dir.ReadLink(entry.name).value(), "\n");
    } else {
      absl::StrAppend(out, name, "\n");
      if (contents) absl::StrAppend(out, base::ReadFile(dir, entry.name, 1 << 30).value(), "\n");
    }
  }
}

struct Ran {
  int exit = 0;
  std::string out, err;
};

class Machine {
 public:
  Machine() : world_(1) {
    // What a user of its own may write; the rest belongs to root.
    for (const char* path : {"/home/ann/p", "/home/ann", "/tmp", "/opt", "/srv"}) {
      auto dir = world_.files.MakeRoot(path);
      EXPECT_TRUE(dir.ok());
      EXPECT_TRUE((*dir)->SetMeta(".", {.mode = 0777}).ok());
    }
    world_.SetUser("ann", 1000);
    world_.SetWorkingDirectory("/home/ann/p");
    world_.environment.Set("HOME", "/home/ann");
  }

  Ran Run(const std::vector<std::string>& args) {
    std::istringstream in;
    std::ostringstream out, err;
    base::cli::Streams streams{in, out, err};
    DeployTool tool("1.2.3");
    Ran ran;
    ran.exit = tool.program().Run(args, streams, world_.world());
    ran.out = out.str();
    ran.err = err.str();
    return ran;
  }

  std::string Disk(absl::string_view path = "/", bool contents = true) {
    std::string text;
    Walk(*world_.files.OpenRoot(path).value(), "", contents, &text);
    return text;
  }

  std::string Handle(const base::testing::DataCase& c);
  base::sim::World& world() { return world_; }

 private:
  std::string RunLines(const std::string& input);
  std::unique_ptr<base::Dir> ParentOf(const std::string& path, std::string* name) {
    const std::string full = absl::StartsWith(path, "/")
                                 ? path
                                 : absl::StrCat(world_.environment.WorkingDirectory(), "/", path);
    *name = full.substr(full.rfind('/') + 1);
    return world_.files.MakeRoot(full.substr(0, std::max<size_t>(1, full.rfind('/')))).value();
  }

  base::sim::World world_;
};

std::string Machine::RunLines(const std::string& input) {
  std::string out;
  for (absl::string_view line : absl::StrSplit(input, '\n', absl::SkipEmpty())) {
    std::vector<std::string> args = base::cli::SplitLine(line);
    // Progress is tested where it is made; here it would only be noise.
    args.insert(args.begin(), {"--progress", "none"});
    const bool dry_run = std::find(args.begin(), args.end(), "--dry-run") != args.end();
    const std::string before = Disk();
    const Ran ran = Run(args);
    absl::StrAppend(&out, ran.out);
    for (absl::string_view error : absl::StrSplit(ran.err, '\n', absl::SkipEmpty())) {
      absl::StrAppend(&out, "! ", error, "\n");
    }
    if (ran.exit != 0) absl::StrAppend(&out, "exit ", ran.exit, "\n");
    if ((ran.exit != 0 || dry_run) && Disk() != before) absl::StrAppend(&out, "CHANGED THE DISK\n");
  }
  return out;
}

std::string Machine::Handle(const base::testing::DataCase& c) {
  std::string name;
  const std::string path = c.words.empty() ? "" : c.words[0];
  if (c.command == "run") return RunLines(c.input);
  if (c.command == "cd") {
    EXPECT_TRUE(world_.files.MakeRoot(path).ok());
    world_.SetWorkingDirectory(path);
  } else if (c.command == "env") {
    for (const auto& [key, value] : c.named) world_.environment.Set(key, value);
    for (const std::string& word : c.words) world_.environment.Unset(word);
  } else if (c.command == "user") {
    world_.SetUser(path, path == "root" ? 0 : 1000);
  } else if (c.command == "clock") {
    world_.clock.Advance(base::ParseDuration(path).value());
  } else if (c.command == "mkdir") {
    EXPECT_TRUE(world_.files.MakeRoot(path).ok());
  } else if (c.command == "write" || c.command == "append") {
    auto dir = ParentOf(path, &name);
    const std::string old =
        c.command == "append" ? base::ReadFile(*dir, name, 1 << 20).value() : "";
    EXPECT_TRUE(base::WriteFileDurably(*dir, name, old + c.input).ok());
  } else if (c.command == "symlink") {
    EXPECT_TRUE(ParentOf(path, &name)->Symlink(c.words[1], name).ok());
  } else if (c.command == "remove") {
    auto dir = ParentOf(path, &name);
    EXPECT_TRUE(base::RemoveTree(*dir, name).ok());
  } else if (c.command == "cat") {
    auto dir = ParentOf(path, &name);
    return base::ReadFile(*dir, name, 1 << 20).value_or("none\n");
  } else if (c.command == "tree") {
    return Disk(path, /*contents=*/false);
  } else {
    ADD_FAILURE() << c.file << ":" << c.line << ": unknown command " << c.command;
  }
  return "";
}

TEST(DeployTool, SessionsGoAsWritten) {
  base::testing::RunDataFiles(SLIPWAY_TEST_SOURCE_DIR "/testdata", [] {
    auto machine = std::make_shared<Machine>();
    return base::testing::DataHandler(
        [machine](const base::testing::DataCase& c) { return machine->Handle(c); });
  });
}

// A project with two packed and published versions, the first of them deployed.
void MakeProject(Machine& machine) {
  auto dir = machine.world().files.MakeRoot("/home/ann/p/models").value();
  ASSERT_TRUE(base::WriteFileDurably(*dir, "a", "one").ok());
  auto project = machine.world().files.OpenRoot("/home/ann/p").value();
  ASSERT_TRUE(
      base::WriteFileDurably(*project, kConfigFile,
                             "project: {name: demo}\n"
                             "components: {model: {path: ./models}}\n"
                             "publish: {targets: [{name: local, type: fs, path: /srv/store}]}\n"
                             "deploy: {root: /opt/root}\n")
          .ok());
  for (const char* version : {"1.0.0", "1.1.0"}) {
    ASSERT_TRUE(base::WriteFileDurably(*dir, "a", version).ok());
    ASSERT_EQ(machine.Run({"pack", "--type", "model", "--version", version}).exit, 0);
    ASSERT_EQ(machine.Run({"publish", absl::StrCat("model:", version)}).exit, 0);
  }
  ASSERT_EQ(machine.Run({"deploy", "model:1.0.0"}).exit, 0);
}

const std::vector<std::string>& EveryCommand() {
  static const auto* const kCommands =
      new std::vector<std::string>{"init /tmp/new",
                                   "pack --type model --version 1.2.0",
                                   "publish model:1.0.0",
                                   "release create model:1.1.0 --release-version 2024.01.20",
                                   "release list",
                                   "release show 2024.01.20",
                                   "deploy model:1.1.0",
                                   "version list model",
                                   "version switch model 1.0.0",
                                   "version verify model",
                                   "rollback model",
                                   "generation list",
                                   "links list",
                                   "links verify",
                                   "links repair",
                                   "component list",
                                   "component show model:1.0.0",
                                   "status",
                                   "history",
                                   "recover",
                                   "config show",
                                   "config validate",
                                   "paths",
                                   "completion bash",
                                   "help deploy"};
  return *kCommands;
}

// D201: one object with the same outer fields, for success and for failure.
TEST(DeployTool, EveryCommandHasTheJsonEnvelope) {
  Machine machine;
  MakeProject(machine);
  DeployTool tool("1.2.3");
  for (const auto& command : tool.program().commands()) {
    const bool listed =
        std::any_of(EveryCommand().begin(), EveryCommand().end(), [&](const std::string& line) {
          return line == command->path() || absl::StartsWith(line, command->path() + " ");
        });
    EXPECT_TRUE(listed) << command->path() << " is missing in EveryCommand";
  }
  const auto check = [&](const std::vector<std::string>& args, bool success) {
    const Ran ran = machine.Run(args);
    EXPECT_EQ(ran.exit == 0, success) << absl::StrJoin(args, " ") << ran.out << ran.err;
    EXPECT_EQ(ran.err, "") << absl::StrJoin(args, " ");
    const absl::StatusOr<base::Json> json = base::ParseJson(ran.out);
    ASSERT_TRUE(json.ok()) << ran.out;
    std::vector<std::string> keys;
    for (const auto& [key, value] : *json->AsObject()) keys.push_back(key);
    EXPECT_EQ(absl::StrJoin(keys, " "),
              "schema command ok tool_version duration_ms data warnings error");
    EXPECT_EQ(*json->Find("schema")->AsString(), "deploy-tool/1");
    EXPECT_EQ(*json->Find("ok")->AsBool(), success);
    EXPECT_TRUE(json->Find("data")->is_object()) << ran.out;
    EXPECT_EQ(json->Find("error")->is_null(), success);
    if (success) return;
    const base::Json& error = *json->Find("error");
    EXPECT_EQ(error.Find("exit")->AsInt(), ran.exit);
    EXPECT_EQ(error.Find("code")->AsString()->substr(0, 2), "DT");
    for (const char* key : {"message", "cause", "hint", "details"}) {
      EXPECT_NE(error.Find(key), nullptr) << key;
    }
  };
  for (const std::string& line : EveryCommand()) {
    std::vector<std::string> args = absl::StrSplit(line, ' ');
    args.push_back("--json");
    check(args, true);
    args.push_back("--nonsense");
    check(args, false);
  }
}

// D133, D135: bare, with --help, with bad arguments.
TEST(DeployTool, EveryCommandAnswersBareAndWithHelpAndWithNonsense) {
  DeployTool tool("1.2.3");
  for (const auto& command : tool.program().commands()) {
    Machine machine;
    std::vector<std::string> words = absl::StrSplit(command->path(), ' ');
    const Ran bare = machine.Run(words);
    EXPECT_NE(bare.exit, 10) << command->path() << bare.err;
    EXPECT_EQ(bare.exit == 0, bare.err.find("error[DT") == std::string::npos) << bare.err;
    if (bare.exit != 0) {
      EXPECT_THAT(bare.err, HasSubstr("  hint: ")) << command->path();
    }
    words.push_back("--help");
    const Ran help = machine.Run(words);
    EXPECT_EQ(help.exit, 0);
    EXPECT_THAT(help.out, HasSubstr(absl::StrCat("Usage: deploy-tool ", command->path())));
    words.back() = "--nonsense";
    EXPECT_EQ(machine.Run(words).exit, 2) << command->path();
  }
}

// D181
TEST(DeployTool, DryRunsChangeNothing) {
  Machine machine;
  MakeProject(machine);
  ASSERT_EQ(
      machine.Run({"release", "create", "model:1.1.0", "--release-version", "2024.01.20"}).exit, 0);
  ASSERT_EQ(machine.Run({"deploy", "model:1.1.0"}).exit, 0);
  for (const std::string& line : EveryCommand()) {
    std::vector<std::string> args = absl::StrSplit(line, ' ');
    args.push_back("--dry-run");
    const std::string before = machine.Disk();
    const Ran ran = machine.Run(args);
    EXPECT_EQ(ran.exit, 0) << line << ran.err;
    EXPECT_EQ(machine.Disk() == before, true) << line;
  }
}

// D181: a plan takes no lock and puts nothing right, also where a change was cut off.
TEST(DeployTool, DryRunsLeaveAnInterruptedChangeAlone) {
  Machine machine;
  MakeProject(machine);
  base::sim::Files& files = machine.world().files;
  const base::sim::Files before = files;
  ASSERT_EQ(machine.Run({"deploy", "model:1.1.0"}).exit, 0);
  const int operations = files.operations() - before.operations();
  files = before;
  files.PowerLossAt(operations * 2 / 3);
  ASSERT_NE(machine.Run({"deploy", "model:1.1.0"}).exit, 0);
  files.Reboot(base::sim::Loss::kKeepAll);
  for (const char* line : {"deploy model:1.1.0", "version switch model 1.0.0", "rollback model",
                           "links repair", "recover"}) {
    std::vector<std::string> args = absl::StrSplit(line, ' ');
    args.push_back("--dry-run");
    const std::string disk = machine.Disk();
    const Ran ran = machine.Run(args);
    EXPECT_EQ(machine.Disk() == disk, true) << line << ran.out << ran.err;
  }
  EXPECT_THAT(machine.Run({"deploy", "model:1.1.0"}).err, HasSubstr("an interrupted deploy"));
}

// D16: what the environment holds in secret variables reaches no file and no output.
TEST(DeployTool, SecretsOfTheEnvironmentAreWrittenNowhere) {
  Machine machine;
  machine.world().environment.Set("STORE_TOKEN", "canary-token-4711");
  machine.world().environment.Set("AWS_SECRET_ACCESS_KEY", "canary-key-4711");
  machine.world().environment.Set("SOME_TOKEN_FILE", "model:1.0.0");  // where it lies, no secret
  MakeProject(machine);
  std::string seen;
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{
           {"pack", "--type", "model", "--version", "2.0.0", "--label", "t=canary-token-4711"},
           {"publish", "model:2.0.0"},
           {"publish", "model:2.0.0", "--json"},
           {"publish", "model:1.0.0", "--release-version", "r1", "--release-name",
            "canary-key-4711"},
           {"deploy", "model:1.0.0", "--reason", "for canary-key-4711"},
           {"deploy", "model:1.0.0", "--target", "https://user:canary@host/x"},
           {"deplyo", "--tokn=canary-token-4711", "--json"},
           {"config", "show", "--origin"}}) {
    const Ran ran = machine.Run(args);
    seen += ran.out + ran.err;
  }
  EXPECT_THAT(seen, HasSubstr("DT019"));
  EXPECT_THAT(seen, Not(HasSubstr("canary")));
  EXPECT_THAT(machine.Disk(), Not(HasSubstr("canary")));
}

// D38: what is too large or too deep is wrong, and no disk is full.
TEST(DeployTool, LimitsOfAConfigurationAreErrorsOfTheConfiguration) {
  Machine machine;
  const auto dir = machine.world().files.MakeRoot("/home/ann/p").value();
  std::string values = "metadata: [";
  for (int i = 0; i < 100'001; ++i) values += "1,";
  for (const std::string& text :
       {absl::StrCat("metadata: ", std::string(70, '['), std::string(70, ']')), values + "1]",
        absl::StrCat("# ", std::string(5 << 20, 'x'))}) {
    ASSERT_TRUE(base::WriteFileDurably(*dir, kConfigFile, text + "\n").ok());
    const Ran ran = machine.Run({"config", "validate"});
    EXPECT_EQ(ran.exit, 2) << ran.err;
    EXPECT_THAT(ran.err, HasSubstr("error[DT001]: read configuration: "));
  }
}

// D204: a store that holds an impossible manifest is damaged, not full.
TEST(DeployTool, ManifestOfImpossibleSizeIsDamage) {
  Machine machine;
  MakeProject(machine);
  const auto dir = machine.world().files.OpenRoot("/srv/store/model/1.1.0").value();
  ASSERT_TRUE(
      base::WriteFileDurably(*dir, "model-1.1.0.manifest.json", std::string(17 << 20, ' ')).ok());
  const Ran ran = machine.Run({"deploy", "model:1.1.0"});
  EXPECT_THAT(ran.err, HasSubstr("error[DT007]"));
  EXPECT_EQ(ran.exit, 3);
}

// D193: marks that turn the direction of text around are shown, not obeyed.
TEST(DeployTool, HistoryShowsMarksOfDirectionInsteadOfObeyingThem) {
  Machine machine;
  MakeProject(machine);
  ASSERT_EQ(machine
                .Run({"deploy", "model:1.1.0", "--reason",
                      "a\xE2\x80\xAE"
                      "b"})
                .exit,
            0);
  const Ran ran = machine.Run({"history"});
  EXPECT_THAT(ran.out, Not(HasSubstr("\xE2\x80\xAE")));
  EXPECT_THAT(ran.out, HasSubstr("a\\xe2\\x80\\xaeb"));
}

TEST(DeployTool, CompletionKnowsComponentsOfTheProject) {  // D203
  Machine machine;
  MakeProject(machine);
  EXPECT_EQ(machine.Run({"__complete", "fish", "deploy", "mod"}).out,
            "model:1.1.0\t\nmodel:1.0.0\t\n");
  EXPECT_EQ(machine.Run({"__complete", "fish", "version", "list", ""}).out, "model\t\n");
}

}  // namespace
}  // namespace slipway::deploy::cli
