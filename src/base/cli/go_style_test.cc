// The command line of Go programs (E52).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/cli/completion.h"
#include "base/cli/program.h"
#include "base/sim/world.h"

namespace slipway::base::cli {
namespace {

using ::testing::HasSubstr;

// A store's client as Go would have it, with commands and with options alone.
struct Store {
  std::string id = "0", value, key, op;
  bool verbose = false, color = true;
  std::vector<std::string> words;

  std::unique_ptr<Program> Make() {
    ProgramOptions options;
    options.version = "1";
    options.go_style = true;
    auto program = std::make_unique<Program>("store", "Keeps values.", options);
    program->globals().Text("--id", "N", &id, "Which");
    program->globals().Text("--value,-v", "V", &value, "What");
    program->globals().Flag("--verbose", &verbose, "More");
    program->globals().Switch("--tint", &color, "Colour");
    const auto show = [this](Invocation& in) {
      in.streams.out << "id=" << id << " value=" << value << " verbose=" << verbose
                     << " tint=" << color << " words=" << absl::StrJoin(words, "|") << "\n";
      return absl::OkStatus();
    };
    program->Add("", "Does it").Run(show);
    Command& append = program->Add("append", "Append");
    for (const char* name : {"KEY", "VALUE"}) {
      append.Argument(name, &key, name).Required().set = [this](absl::string_view word) {
        words.emplace_back(word);
        return absl::OkStatus();
      };
    }
    append.Run(show);
    Command& query = program->Add("query", "Query");
    query.Argument("NUM", &key, "Number").set = [this](absl::string_view word) {
      words.emplace_back(word);
      return absl::OkStatus();
    };
    query.Run(show);
    Command& join = program->Add("join", "Join");
    join.Arguments("GROUP", &words, "Groups");
    join.Run(show);
    return program;
  }
};

struct Ran {
  int exit = 0;
  std::string out, err;
};

Ran Launch(const std::vector<std::string>& args) {
  sim::World world(1);
  std::istringstream in;
  std::ostringstream out, err;
  Streams streams{in, out, err};
  Store store;
  Ran ran;
  ran.exit = store.Make()->Run(args, streams, world.world());
  ran.out = out.str();
  ran.err = err.str();
  return ran;
}

TEST(GoStyle, AllFourSpellingsAreEqual) {  // E52
  const std::string want = "id=auto value= verbose=0 tint=1 words=\n";
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{
           {"-id", "auto"}, {"-id=auto"}, {"--id", "auto"}, {"--id=auto"}}) {
    const Ran ran = Launch(args);
    EXPECT_EQ(ran.out, want) << absl::StrJoin(args, " ") << ran.err;
  }
  EXPECT_THAT(Launch({"query", "-id=7", "3"}).out, HasSubstr("id=7"));
}

TEST(GoStyle, TheWordBehindAnOptionIsItsValueWhateverItLooksLike) {
  for (const char* value : {"--", "-id", "--json", "-5", "", "a=b"}) {
    EXPECT_EQ(Launch({"-value", value}).out,
              absl::StrCat("id=0 value=", value, " verbose=0 tint=1 words=\n"));
    EXPECT_EQ(Launch({absl::StrCat("-value=", value)}).out,
              absl::StrCat("id=0 value=", value, " verbose=0 tint=1 words=\n"));
  }
  EXPECT_THAT(Launch({"-value"}).err, HasSubstr("--value needs a value"));
}

TEST(GoStyle, FromTheFirstArgumentOnADashIsData) {  // E52
  EXPECT_THAT(Launch({"append", "k", "-x"}).out, HasSubstr("words=k|-x\n"));
  EXPECT_THAT(Launch({"append", "k", "--json"}).out, HasSubstr("words=k|--json\n"));
  EXPECT_THAT(Launch({"append", "k", "--"}).out, HasSubstr("words=k|--\n"));
  EXPECT_THAT(Launch({"append", "--", "-k", "-x"}).out, HasSubstr("words=-k|-x\n"));
  EXPECT_THAT(Launch({"append", "k", "@home"}).out, HasSubstr("words=k|@home\n"));
  EXPECT_THAT(Launch({"join", "-verbose", "1=a", "-id", "--", "2"}).out,
              HasSubstr("verbose=1 tint=1 words=1=a|-id|--|2\n"));
}

TEST(GoStyle, ANegativeNumberIsAnArgument) {  // E52
  EXPECT_THAT(Launch({"query", "-1"}).out, HasSubstr("words=-1\n"));
  EXPECT_THAT(Launch({"append", "-1", "-2"}).out, HasSubstr("words=-1|-2\n"));
  EXPECT_EQ(Launch({"-1"}).exit, kExitUsage);
}

TEST(GoStyle, BehindTheLastArgumentOptionsAreReadAgain) {
  EXPECT_THAT(Launch({"query", "-1", "-id", "4"}).out, HasSubstr("id=4"));
  EXPECT_THAT(Launch({"append", "k", "-x", "--verbose"}).out, HasSubstr("verbose=1"));
  EXPECT_THAT(Launch({"append", "k", "-x", "--", "-y"}).err, HasSubstr("it takes at most 2"));
  EXPECT_THAT(Launch({"append", "k", "v", "-nonsense"}).err,
              HasSubstr("unknown option --nonsense"));
}

TEST(GoStyle, FlagsTakeTrueAndFalse) {
  EXPECT_THAT(Launch({"-verbose=true"}).out, HasSubstr("verbose=1"));
  EXPECT_THAT(Launch({"-verbose", "-verbose=false"}).out, HasSubstr("verbose=0"));
  EXPECT_THAT(Launch({"-tint=0"}).out, HasSubstr("tint=0"));
  EXPECT_THAT(Launch({"-no-tint"}).out, HasSubstr("tint=0"));
  EXPECT_THAT(Launch({"-no-tint=false"}).out, HasSubstr("tint=1"));
  EXPECT_THAT(Launch({"-help=false", "-version=0"}).out, HasSubstr("id=0"));
  EXPECT_THAT(Launch({"-verbose=maybe"}).err, HasSubstr("--verbose takes true or false"));
}

TEST(GoStyle, LettersAndUnknownWordsAreAsElsewhere) {
  EXPECT_THAT(Launch({"-v", "x"}).out, HasSubstr("value=x"));
  EXPECT_THAT(Launch({"-qv=x"}).out, HasSubstr("value==x"));
  EXPECT_THAT(Launch({"-help"}).out, HasSubstr("Usage: store"));
  EXPECT_EQ(Launch({"-version"}).out, "store 1\n");
  const Ran wrong = Launch({"-idd", "3"});
  EXPECT_EQ(wrong.exit, kExitUsage);
  EXPECT_THAT(wrong.err, HasSubstr("unknown option --idd; did you mean --id?"));
  EXPECT_THAT(Launch({"-json", "-idd"}).out, HasSubstr("{\"error\":"));
}

TEST(GoStyle, CompletionKnowsOneDash) {
  sim::World world(1);
  Store store;
  const auto program = store.Make();
  const auto complete = [&](const std::string& line) {
    return Complete(*program, std::vector<std::string>{"bash", line}, world.world());
  };
  EXPECT_EQ(complete("store -ver"), "-version\n-verbose\n");
  EXPECT_EQ(complete("store --ver"), "--version\n--verbose\n");
  EXPECT_EQ(complete("store append k -ver"), "");
}

}  // namespace
}  // namespace slipway::base::cli
