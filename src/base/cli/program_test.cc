// Each stanza of testdata/program.txt runs the demo program and holds exit code, stdout and stderr.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/cli/completion.h"
#include "base/cli/test_program.h"
#include "base/sim/world.h"

namespace slipway::base::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

struct Ran {
  int exit = 0;
  std::string out, err;
  std::shared_ptr<DemoOptions> options = std::make_shared<DemoOptions>();
};

struct RunSetup {
  std::string in;
  bool terminal = false;
  int width = 80;
  CancelToken cancel;
  ProgramOptions options = DemoProgramOptions();
};

Ran RunDemo(const std::vector<std::string>& args, RunSetup setup = {}) {
  sim::World world(1);
  {
    auto dir = world.files.MakeRoot("/args").value();
    EXPECT_TRUE(
        WriteFileDurably(*dir, "pack", "# comment\npack\n\n  --type\nmodel\n@/args/more\n").ok());
    EXPECT_TRUE(WriteFileDurably(*dir, "more", "--exclude=*.a b\n@@x\n").ok());
    EXPECT_TRUE(WriteFileDurably(*dir, "loop", "@/args/loop\n").ok());
  }
  Ran ran;
  std::istringstream in(setup.in);
  std::ostringstream out, err;
  Streams streams{in, out, err};
  streams.in_is_terminal = streams.out_is_terminal = streams.err_is_terminal = setup.terminal;
  streams.width = setup.width;
  auto program = MakeDemo(ran.options, setup.options);
  ran.exit = program->Run(args, streams, world.world(), setup.cancel);
  ran.out = out.str();
  ran.err = err.str();
  return ran;
}

std::string DataPath() { return absl::StrCat(SLIPWAY_TEST_SOURCE_DIR, "/testdata/program.txt"); }

TEST(Program, EachStanzaPrintsAndLeavesAsWritten) {  // S32, D133, D135, D204
  std::ifstream file(DataPath());
  std::stringstream text;
  text << file.rdbuf();
  std::vector<std::string> rewritten;
  int stanzas = 0;
  for (absl::string_view stanza : absl::StrSplit(text.str(), "====\n")) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(stanza, absl::MaxSplits('\n', 1));
    const Ran ran = RunDemo(SplitLine(parts.first).front().empty() ? std::vector<std::string>()
                                                                   : SplitLine(parts.first));
    const std::string actual =
        absl::StrCat("exit ", ran.exit, "\n-- out\n", ran.out, "-- err\n", ran.err);
    EXPECT_EQ(actual, std::string(parts.second)) << parts.first;
    rewritten.push_back(absl::StrCat(parts.first, "\n", actual));
    ++stanzas;
  }
  EXPECT_GE(stanzas, 40);
  if (std::getenv("SLIPWAY_REWRITE") != nullptr) {
    std::ofstream(DataPath()) << absl::StrJoin(rewritten, "====\n");
  }
}

TEST(Program, OptionsReachTheirVariables) {
  const Ran ran = RunDemo({"pack", "-t", "model", "--compress=zstd", "--level", "19", "--size-max",
                           "1.5GiB", "--wait-lock=1m30s", "-x", "a", "-xb", "--exclude", "c", "-f",
                           "--no-atomic", "--root", "/r", "./m"});
  ASSERT_EQ(ran.exit, 0) << ran.err;
  EXPECT_EQ(ran.options->type, "model");
  EXPECT_EQ(ran.options->codec, "zstd");
  EXPECT_EQ(ran.options->level, 19);
  EXPECT_EQ(ran.options->size, 3 * kGiB / 2);
  EXPECT_EQ(ran.options->wait, absl::Seconds(90));
  EXPECT_THAT(ran.options->exclude, ElementsAre("a", "b", "c"));
  EXPECT_TRUE(ran.options->force);
  EXPECT_FALSE(ran.options->atomic);
  EXPECT_EQ(ran.options->root, "/r");
  EXPECT_EQ(ran.options->source, "./m");
}

TEST(Program, GlobalOptionsStandBeforeAndBehindTheCommand) {
  EXPECT_EQ(RunDemo({"--root", "/a", "pack"}).options->root, "/a");
  EXPECT_EQ(RunDemo({"pack", "--root=/b"}).options->root, "/b");
}

TEST(Program, WhatFollowsTwoDashesIsNoOption) {
  const Ran ran = RunDemo({"deploy", "a", "--", "--json", "@/args/pack", "-x"});
  EXPECT_EQ(ran.out, "a,--json,@/args/pack,-x\n");
  EXPECT_EQ(RunDemo({"deploy", "-"}).out, "-\n");
}

TEST(Program, AHintBringsNoControlCharacterToTheTerminal) {  // D193
  RunSetup setup;
  setup.options.hint_of = [](const absl::Status&) { return "run \x1b]0;title\x07 \u202e x"; };
  const Ran ran = RunDemo({"fail", "plain"}, setup);
  EXPECT_THAT(ran.err, HasSubstr("run \\x1b]0;title\\x07 \\xe2\\x80\\xae x"));
  EXPECT_THAT(ran.err, Not(HasSubstr("\x1b")));
}

TEST(Program, WhatIsEscapedInAMessageIsNotEscapedAgain) {
  EXPECT_THAT(RunDemo({"de\x1b[31mploy"}).err, HasSubstr("unknown command de\\x1b[31mploy;"));
  EXPECT_THAT(RunDemo({"de\\x1bploy"}).err, HasSubstr("unknown command de\\\\x1bploy;"));
}

TEST(Program, ArgumentFilesAreReadLineByLine) {
  const Ran ran = RunDemo({"@/args/pack"});
  ASSERT_EQ(ran.exit, 0) << ran.err;
  EXPECT_EQ(ran.options->type, "model");
  EXPECT_THAT(ran.options->exclude, ElementsAre("*.a b"));
  EXPECT_EQ(ran.options->source, "@x");
  EXPECT_EQ(RunDemo({"deploy", "@-"}, {.in = "# from a pipe\na\nb\n"}).out, "a,b\n");
  EXPECT_EQ(RunDemo({"deploy", "@/dev/stdin"}, {.in = "a"}).out, "a\n");
  EXPECT_THAT(RunDemo({"deploy", "@-"}, {.in = std::string((1 << 20) + 1, 'x')}).err,
              HasSubstr("read standard input: more than the limit of 1048576 bytes"));
  EXPECT_THAT(RunDemo({"@/"}).err, HasSubstr("read argument file: read /: it is a directory"));
  EXPECT_EQ(RunDemo({"@/args/loop"}).exit, 2);
  EXPECT_THAT(RunDemo({"@/args/loop"}).err, HasSubstr("nested deeper than 4 files"));
  EXPECT_THAT(RunDemo({"@/args/none"}).err, HasSubstr("read argument file: "));
}

TEST(Program, InterruptsLeaveWithTheirCodes) {  // D108
  for (const auto& [name, exit] : {std::pair("SIGINT", 130), std::pair("SIGTERM", 143)}) {
    CancelSource source;
    source.Cancel({CancelReason::Kind::kInterrupt, name});
    RunSetup setup;
    setup.cancel = source.token();
    EXPECT_EQ(RunDemo({"fail", "cancelled"}, setup).exit, exit);
  }
}

TEST(Program, ConfirmationIsAskedOnATerminalOnly) {
  RunSetup setup;
  setup.terminal = true;
  setup.in = "yes\n";
  const Ran yes = RunDemo({"remove"}, setup);
  EXPECT_EQ(yes.exit, 0);
  EXPECT_EQ(yes.err, "remove everything? [y/N] ");
  setup.in = "\n";
  const Ran no = RunDemo({"remove", "--color=never"}, setup);
  EXPECT_EQ(no.exit, 2);
  EXPECT_THAT(no.err, HasSubstr("error[DM009]: remove everything: not confirmed"));
  setup.in = "";
  EXPECT_EQ(RunDemo({"remove"}, setup).exit, 2);
  EXPECT_EQ(RunDemo({"remove", "-y"}).out, "removed\n");
}

TEST(Program, ColourIsForTerminalsThatWantIt) {  // NO_COLOR
  RunSetup setup;
  setup.terminal = true;
  EXPECT_THAT(RunDemo({"fail", "plain"}, setup).err, HasSubstr("\x1b[31merror[DM099]:\x1b[0m "));
  EXPECT_THAT(RunDemo({"fail", "plain", "--color=never"}, setup).err, Not(HasSubstr("\x1b")));
  EXPECT_THAT(RunDemo({"fail", "plain"}).err, Not(HasSubstr("\x1b")));
  EXPECT_THAT(RunDemo({"fail", "plain", "--color", "always"}).err, HasSubstr("\x1b[31m"));
  sim::World world(1);
  std::istringstream in;
  std::ostringstream out;
  Streams streams{in, out, out, true, true, true};
  streams.SetColor(ColorMode::kAuto, world.environment);
  EXPECT_TRUE(streams.color_out);
  world.environment.Set("TERM", "dumb");
  streams.SetColor(ColorMode::kAuto, world.environment);
  EXPECT_FALSE(streams.color_out);
  world.environment.Unset("TERM");
  world.environment.Set("NO_COLOR", "1");
  streams.SetColor(ColorMode::kAuto, world.environment);
  EXPECT_FALSE(streams.color_out);
  streams.SetColor(ColorMode::kAlways, world.environment);
  EXPECT_TRUE(streams.color_err);
}

TEST(Program, AnEnvelopeWrapsSuccessAndFailure) {  // D201
  RunSetup setup;
  setup.options.envelope = [](const Outcome& outcome) {
    Json json = Json::MakeObject({{"command", outcome.command}, {"ok", outcome.ok}});
    json.Set("data", outcome.data);
    json.Set("error", outcome.error);
    json.Set("warnings", static_cast<uint64_t>(outcome.warnings.size()));
    return json;
  };
  EXPECT_EQ(RunDemo({"pack", "m", "--json"}, setup).out,
            "{\"command\":\"pack\",\"ok\":true,\"data\":{\"source\":\"m\"},\"error\":null,"
            "\"warnings\":0}\n");
  const Ran ran = RunDemo({"version", "switch", "model", "2", "--json"}, setup);
  EXPECT_THAT(ran.out, HasSubstr("\"command\":\"version switch\",\"ok\":false,\"data\":null,"));
  EXPECT_THAT(ran.out, HasSubstr("\"warnings\":1"));
  EXPECT_EQ(ran.err, "");
}

TEST(Program, AFullStandardOutputIsAFailure) {
  sim::World world(1);
  std::istringstream in;
  std::ostringstream out, err;
  out.setstate(std::ios::badbit);
  Streams streams{in, out, err};
  auto program = MakeDemo(std::make_shared<DemoOptions>(), DemoProgramOptions());
  EXPECT_EQ(program->Run(std::vector<std::string>{"deploy", "a"}, streams, world.world()), 1);
  EXPECT_THAT(err.str(), HasSubstr("standard output is full or closed"));
}

TEST(Program, OutputThatFailsHasItsOwnErrorAndAClosedPipeNone) {
  sim::World world(1);
  const auto run = [&](const std::vector<std::string>& args, bool reader_gone,
                       std::string* errors) {
    std::istringstream in;
    std::ostringstream out, err;
    out.setstate(std::ios::badbit);
    Streams streams{in, out, err};
    streams.out_reader_gone = [reader_gone] { return reader_gone; };
    ProgramOptions options = DemoProgramOptions();
    options.output_id = "DM006";
    options.exits.emplace_back("DM006", 4);
    const int exit = MakeDemo(std::make_shared<DemoOptions>(), std::move(options))
                         ->Run(args, streams, world.world());
    *errors = err.str();
    return exit;
  };
  std::string errors;
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{
           {"deploy", "a"}, {"--help"}, {"--version", "--json"}}) {
    EXPECT_EQ(run(args, true, &errors), 0);
    EXPECT_EQ(errors, "");
    EXPECT_EQ(run(args, false, &errors), 4);
    EXPECT_THAT(errors, HasSubstr("error[DM006]: write the result"));
  }
}

TEST(Program, VersionNamesTheCommitToo) {
  ProgramOptions options = DemoProgramOptions();
  options.version = "1.2";
  const auto run = [&](std::vector<std::string> args) {
    auto program = MakeDemo(std::make_shared<DemoOptions>(), options);
    program->SetCommit("0123456789ab");
    std::istringstream in;
    std::ostringstream out, err;
    Streams streams{in, out, err};
    sim::World world(1);
    EXPECT_EQ(program->Run(args, streams, world.world()), 0);
    return out.str();
  };
  EXPECT_EQ(run({"--version"}), "demo 1.2+0123456789ab\n");
  EXPECT_EQ(run({"--version", "--json"}), "{\"version\":\"1.2\",\"commit\":\"0123456789ab\"}\n");
}

TEST(Program, HelpAndVersionAreJsonWhereJsonWasAskedFor) {  // D201
  RunSetup setup;
  setup.options.version = "1.2";
  EXPECT_EQ(RunDemo({"--version", "--json"}, setup).out, "{\"version\":\"1.2\"}\n");
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{
           {"--json", "--help"}, {"--help", "--json"}, {"pack", "--json", "-h"}}) {
    const Ran ran = RunDemo(args, setup);
    EXPECT_EQ(ran.exit, 0);
    const auto json = ParseJson(ran.out);
    ASSERT_TRUE(json.ok()) << ran.out;
    EXPECT_THAT(*json->Find("help")->AsString(), HasSubstr("Usage: "));
  }
}

TEST(Program, EveryCommandHasHelpAndNoneRunsBareIntoACrash) {  // D133
  auto program = MakeDemo(std::make_shared<DemoOptions>(), DemoProgramOptions());
  for (const auto& command : program->commands()) {
    std::vector<std::string> words = absl::StrSplit(command->path(), ' ');
    const Ran bare = RunDemo(words);
    EXPECT_TRUE(bare.exit == 0 || bare.exit == 1 || bare.exit == 2) << command->path();
    words.push_back("--help");
    const Ran help = RunDemo(words);
    EXPECT_EQ(help.exit, 0);
    EXPECT_THAT(help.out, HasSubstr(absl::StrCat("Usage: demo ", command->path())));
    words.back() = "--nonsense";
    EXPECT_EQ(RunDemo(words).exit, 2) << command->path();
  }
}

TEST(Program, HelpFitsTheTerminal) {
  RunSetup setup;
  setup.width = 50;
  for (absl::string_view line : absl::StrSplit(RunDemo({"pack", "--help"}, setup).out, '\n')) {
    if (line.find("demo pack") == absl::string_view::npos) {
      EXPECT_LE(DisplayWidth(line), 50) << line;
    }
  }
}

}  // namespace
}  // namespace slipway::base::cli
