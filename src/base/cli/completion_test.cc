// The scripts run in the real shells: a shell that is missing fails the test, it is not skipped.
#include "base/cli/completion.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/cli/test_program.h"
#include "base/os/world.h"
#include "base/sim/world.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace slipway::base::cli {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<std::string> Lines(absl::string_view text) {
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

std::vector<std::string> CompleteWords(const std::vector<std::string>& args) {
  sim::World world(1);
  auto program = MakeDemo(std::make_shared<DemoOptions>(), DemoProgramOptions());
  std::istringstream in;
  std::ostringstream out, err;
  Streams streams{in, out, err};
  std::vector<std::string> all = {"__complete"};
  all.insert(all.end(), args.begin(), args.end());
  EXPECT_EQ(program->Run(all, streams, world.world()), 0);
  EXPECT_EQ(err.str(), "");
  return Lines(out.str());
}

TEST(Complete, KnowsCommandsOptionsAndValues) {  // D203
  EXPECT_THAT(CompleteWords({"fish", "ver"}), ElementsAre("version\tInstalled versions"));
  EXPECT_THAT(CompleteWords({"fish", "version", ""}),
              ElementsAre("list\tList versions", "switch\tMake a version current"));
  EXPECT_THAT(CompleteWords({"fish", "pack", "--ty"}), ElementsAre("--type\tComponent type"));
  EXPECT_THAT(CompleteWords({"fish", "pack", "--no-a"}),
              ElementsAre("--no-atomic\tNot: All or nothing"));
  EXPECT_THAT(CompleteWords({"fish", "pack", "--type", "m"}), ElementsAre("model\ta model"));
  EXPECT_THAT(CompleteWords({"fish", "pack", "--type=m"}), ElementsAre("--type=model\ta model"));
  EXPECT_THAT(CompleteWords({"fish", "pack", "--compress", ""}),
              ElementsAre("gzip\t", "zstd\t", "none\t"));
  EXPECT_THAT(CompleteWords({"fish", "version", "switch", "model", ""}),
              ElementsAre("1.0.0\tcurrent", "1.1.0\t"));
  EXPECT_THAT(CompleteWords({"fish", "deploy", "config:2", "model:1.1"}),
              ElementsAre("model:1.1.0\t"));
  EXPECT_THAT(CompleteWords({"fish", "pack", ""}), ElementsAre(":dirs"));
  EXPECT_THAT(CompleteWords({"fish", "--root", ""}), ElementsAre(":dirs"));
  EXPECT_THAT(CompleteWords({"fish", "pack", "--sec"}), IsEmpty());  // hidden
  EXPECT_THAT(CompleteWords({"fish", "fa"}), IsEmpty());             // hidden
  EXPECT_THAT(CompleteWords({"zsh", "deploy", "model:1.0"}), ElementsAre("model\\:1.0.0:newest"));
}

TEST(Complete, NonsenseHasNoCandidatesAndNoError) {
  EXPECT_THAT(CompleteWords({}), IsEmpty());
  EXPECT_THAT(CompleteWords({"bash"}), IsEmpty());
  EXPECT_THAT(CompleteWords({"bash", ""}), Not(IsEmpty()));
  EXPECT_THAT(CompleteWords({"fish", "nonsense", "x"}), IsEmpty());
  EXPECT_THAT(CompleteWords({"fish", "pack", "--nonsense", "x"}), IsEmpty());
  EXPECT_THAT(CompleteWords({"fish", "pack", "a", "b"}), IsEmpty());
}

TEST(Complete, BashWordsAreCutAtTheLastBreak) {
  EXPECT_THAT(CompleteWords({"bash", "demo deploy model:1.", " \t:="}),
              ElementsAre("1.0.0", "1.1.0"));
  EXPECT_THAT(CompleteWords({"bash", "demo deploy model:", " \t:="}),
              ElementsAre("1.0.0", "1.1.0"));
  EXPECT_THAT(CompleteWords({"bash", "demo deploy model:1.", " \t"}),
              ElementsAre("model:1.0.0", "model:1.1.0"));
  EXPECT_THAT(CompleteWords({"bash", "demo pack --type=mo", " \t:="}), ElementsAre("model"));
  EXPECT_THAT(CompleteWords({"bash", "demo pack 'a b' --compress zs", ""}), ElementsAre("zstd"));
}

TEST(SplitLine, FollowsQuotesAndBackslashes) {
  EXPECT_THAT(SplitLine("a b"), ElementsAre("a", "b"));
  EXPECT_THAT(SplitLine("a "), ElementsAre("a", ""));
  EXPECT_THAT(SplitLine(""), ElementsAre(""));
  EXPECT_THAT(SplitLine("'a b'c \"d \\\" e\" f\\ g ''"), ElementsAre("a bc", "d \" e", "f g", ""));
}

// Runs `script` in a shell that finds `demo` first.
class Shells : public ::testing::Test {
 protected:
  Shells() {
    const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
    auto dir = world_.world().files.OpenRoot(std::string(temp_.path())).value();
    EXPECT_TRUE(WriteFileDurably(*dir, "demo",
                                 absl::StrCat("#!/bin/sh\nexec '", self, "' --as-demo \"$@\"\n"),
                                 0755)
                    .ok());
  }

  std::vector<std::string> Run(std::vector<std::string> argv, absl::string_view script) {
    SpawnOptions options;
    options.argv = std::move(argv);
    options.argv.emplace_back(script);
    options.env = {{"PATH", absl::StrCat(std::string(temp_.path()), ":/usr/bin:/bin")},
                   {"HOME", std::string(temp_.path())},
                   {"TERM", "dumb"},
                   {"LC_ALL", "C.UTF-8"}};
    options.cwd = std::string(temp_.path());
    auto process = world_.world().spawner.Spawn(options);
    if (!process.ok()) {
      ADD_FAILURE() << process.status();
      return {};
    }
    auto exit = (*process)->Wait(absl::Seconds(30));
    EXPECT_THAT(exit, testing::IsOk());
    if (!exit.ok()) return {};
    EXPECT_EQ(exit->err, "");
    EXPECT_EQ(exit->code, 0);
    return Lines(exit->out);
  }

  std::vector<std::string> Bash(absl::string_view line) {
    return Run(
        {"/bin/bash", "--norc", "--noprofile", "-c"},
        absl::StrCat("source <(demo completion bash) || exit 1\nCOMP_LINE='", line,
                     "'\nCOMP_POINT=${#COMP_LINE}\n_demo demo\n",
                     "if (( ${#COMPREPLY[@]} )); then printf '%s\\n' \"${COMPREPLY[@]}\"; fi"));
  }

  std::vector<std::string> Fish(absl::string_view line) {
    return Run({"/usr/bin/fish", "--no-config", "-c"},
               absl::StrCat("demo completion fish | source\ncomplete -C '", line, "'"));
  }

  // Presses Tab in an interactive zsh on a pseudo terminal and prints what the line has become.
  std::vector<std::string> Zsh(absl::string_view line) {
    return Run({"/usr/bin/zsh", "-f", "-c"}, absl::StrCat(R"zsh(
zmodload zsh/zpty || exit 1
zpty z zsh -f -i
zpty -w z 'PS1= RPS1=; autoload -Uz compinit; compinit -u -D; source <(demo completion zsh)'
zpty -w z 'show() { print -r -- "<<$BUFFER>>"; BUFFER=; zle accept-line }; zle -N show; bindkey "^X" show; print READY-$((1+1))'
zpty -r -m z out '*READY-2*'
zpty -w -n z $')zsh",
                                                          line, R"zsh(\t\x18'
zpty -r -m z out '*<<*>>*'
out=${out##*<<}
print -r -- "${out%%>>*}"
zpty -d z
)zsh"));
  }

  testing::TempDir temp_;
  os::World world_{{.block_signals = false}};
};

TEST_F(Shells, BashCompletes) {
  EXPECT_THAT(Bash("demo ver"), ElementsAre("version"));
  EXPECT_THAT(Bash("demo version s"), ElementsAre("switch"));
  EXPECT_THAT(Bash("demo deploy model:1.1"), ElementsAre("1.1.0"));
  EXPECT_THAT(Bash("demo pack --compress z"), ElementsAre("zstd"));
  EXPECT_THAT(Bash("demo nonsense x"), IsEmpty());
}

TEST_F(Shells, FishCompletes) {
  EXPECT_THAT(Fish("demo ver"), ElementsAre("version\tInstalled versions"));
  EXPECT_THAT(Fish("demo "), Contains("deploy\tInstall components"));
  EXPECT_THAT(Fish("demo deploy model:1.1"), ElementsAre("model:1.1.0"));
  EXPECT_THAT(Fish("demo pack --compress=z"), ElementsAre("--compress=zstd"));
  EXPECT_THAT(Fish("demo version switch model "), Contains("1.0.0\tcurrent"));
}

TEST_F(Shells, ZshCompletes) {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0) GTEST_SKIP() << "the system has no pseudo terminals";
  close(terminal);
  EXPECT_THAT(Zsh("demo ver"), ElementsAre("demo version "));
  EXPECT_THAT(Zsh("demo deploy model:1.1"), ElementsAre("demo deploy model:1.1.0 "));
  EXPECT_THAT(Zsh("demo version switch model 1.1"),
              ElementsAre("demo version switch model 1.1.0 "));
}

}  // namespace
}  // namespace slipway::base::cli
