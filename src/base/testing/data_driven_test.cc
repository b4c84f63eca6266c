#include "base/testing/data_driven.h"

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>

#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/testing/temp_dir.h"

namespace slipway::base::testing {
namespace {

using ::testing::ElementsAre;

// The language of testdata/*.txt.
std::string Handle(const DataCase& data) {
  if (data.command == "upper") return absl::AsciiStrToUpper(data.input);
  if (data.command == "describe") {
    return absl::StrCat("words: ", absl::StrJoin(data.words, "|"),
                        "\nnamed: ", absl::StrJoin(data.named, "|", absl::PairFormatter("->")));
  }
  if (data.command == "print") return data.Has("blank") ? "first\n\nlast\n" : data.Get("text", "?");
  return absl::StrCat("unknown command ", data.command);
}

TEST(DataDriven, RunsTheFilesOfADirectory) {
  RunDataFiles(SLIPWAY_TEST_SOURCE_DIR "/testdata", [] { return DataHandler(&Handle); });
}

class DataFileTest : public ::testing::Test {
 protected:
  void Put(absl::string_view text) { std::ofstream(file()) << std::string(text); }
  std::string Text() const {
    std::ostringstream text;
    text << std::ifstream(file()).rdbuf();
    return text.str();
  }
  std::string file() const { return dir_.Join("a.txt"); }

  TempDir dir_;
};

TEST_F(DataFileTest, ADifferenceIsAFailure) {
  Put("upper\nabc\n----\nABD\n");
  EXPECT_NONFATAL_FAILURE(internal::RunDataFile(file(), &Handle, false), "ABC");
  EXPECT_EQ(Text(), "upper\nabc\n----\nABD\n");
}

TEST_F(DataFileTest, MalformedCasesAreFailures) {
  Put("upper\nabc\n");
  EXPECT_NONFATAL_FAILURE(internal::RunDataFile(file(), &Handle, false), "without ----");
  Put("upper\nabc\n----\n----\nABC\n");
  EXPECT_NONFATAL_FAILURE(internal::RunDataFile(file(), &Handle, false), "does not end");
  Put("# nothing\n");
  EXPECT_NONFATAL_FAILURE(internal::RunDataFile(file(), &Handle, false), "no case");
  EXPECT_NONFATAL_FAILURE(internal::RunDataFile(dir_.Join("missing"), &Handle, false), "missing");
  EXPECT_NONFATAL_FAILURE(DataFiles(dir_.Join("none")), "no *.txt");
}

TEST_F(DataFileTest, RewritingKeepsEverythingButTheOutput) {
  Put("# head\n\nupper\nabc\n----\nold\n\n# between\nprint blank\n----\n\nprint text=x\n----\n\n# "
      "end\n");
  internal::RunDataFile(file(), &Handle, true);
  EXPECT_EQ(Text(),
            "# head\n\nupper\nabc\n----\nABC\n\n# between\nprint blank\n----\n----\nfirst\n\nlast\n"
            "----\n----\n\nprint text=x\n----\nx\n\n# end\n");
  const std::string once = Text();
  internal::RunDataFile(file(), &Handle, false);  // and now it passes
  internal::RunDataFile(file(), &Handle, true);
  EXPECT_EQ(Text(), once);
}

TEST_F(DataFileTest, RewritingKeepsCasesApart) {
  Put("print text=x\n----\n----\na\n\nb\n----\n----\nprint text=y\n----\ny\n");
  internal::RunDataFile(file(), &Handle, true);
  EXPECT_EQ(Text(), "print text=x\n----\nx\n\nprint text=y\n----\ny\n");
}

TEST_F(DataFileTest, FilesComeSorted) {
  Put("");
  std::ofstream(dir_.Join("B.txt")) << "";
  std::ofstream(dir_.Join("c.md")) << "";
  EXPECT_THAT(DataFiles(dir_.path()), ElementsAre(dir_.Join("B.txt"), file()));
}

}  // namespace
}  // namespace slipway::base::testing
