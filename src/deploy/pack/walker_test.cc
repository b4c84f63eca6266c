// Order, rules and refusals of the walk (D8, D11, D125, D128).
#include "deploy/pack/walker.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/sim/files.h"
#include "base/testing/status_matchers.h"
#include "deploy/pack/test_tree.h"

namespace slipway::deploy {
namespace {

using base::testing::IsOk;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class WalkerTest : public ::testing::Test {
 protected:
  WalkerTest() : files(1), root(files.MakeRoot("/source").value()) {}

  void Put(absl::string_view path, absl::string_view text = "x") {
    ASSERT_THAT(PutFile(*root, path, text), IsOk());
  }
  // The paths of the walk, directories with a slash.
  std::vector<std::string> Walk(const WalkOptions& options = {}) {
    auto walker = Walker::Make(*root, options);
    EXPECT_THAT(walker, IsOk());
    std::vector<std::string> paths;
    while (true) {
      const auto entry = (*walker)->Next();
      if (!entry.ok()) error = entry.status();
      if (!entry.ok() || !entry->has_value()) break;
      const bool directory = (*entry)->kind == base::FileKind::kDirectory;
      paths.push_back((*entry)->path + (directory ? "/" : ""));
    }
    excluded = (*walker)->excluded();
    warnings = (*walker)->warnings();
    return paths;
  }

  base::sim::Files files;
  std::unique_ptr<base::Dir> root;
  std::map<std::string, uint64_t> excluded;
  std::vector<std::string> warnings;
  absl::Status error;
};

TEST_F(WalkerTest, SortsBytewiseWithinEachDirectory) {  // D141
  for (const char* path : {"b", "a/z", "a/B", "a-b", "\xff", "Z", "a/b/c", "a/b.txt"}) Put(path);
  EXPECT_THAT(Walk(),
              ElementsAre("Z", "a/", "a/B", "a/b/", "a/b/c", "a/b.txt", "a/z", "a-b", "b", "\xff"));
}

TEST_F(WalkerTest, MergesRulesInOrderAndCountsWhatEachRemoved) {  // D11
  for (const char* path : {"a.pyc", "keep.pyc", "x/__pycache__/1", "x/__pycache__/2", "x/data.tmp",
                           "x/important.tmp", "y/only.tmp", "y/again.log"}) {
    Put(path);
  }
  Put("x/.deployignore", "!important.tmp\n# a comment\n");
  Put("y/.deployignore", "*.log\n");
  const WalkOptions options{.rules = {{"defaults", {"__pycache__/", "*.pyc"}},
                                      {"pack.exclude", {"*.tmp"}},
                                      {"--exclude", {"again.log"}},
                                      {"--include", {"!keep.pyc"}}},
                            .rules_before_ignore_files = 2};
  EXPECT_THAT(Walk(options), ElementsAre("keep.pyc", "x/", "x/.deployignore", "x/important.tmp",
                                         "y/", "y/.deployignore"));
  // The whole of a directory counts once: nobody looked into it.
  EXPECT_THAT(excluded, UnorderedElementsAre(Pair("__pycache__/", 1), Pair("*.pyc", 1),
                                             Pair("*.tmp", 2), Pair("again.log", 1)));
}

TEST_F(WalkerTest, CommandLineIsStrongerThanIgnoreFiles) {  // D11
  Put("a.log");
  Put("b.log");
  Put(".deployignore", "*.log\n");
  const WalkOptions options{.rules = {{"--include", {"!b.log"}}}, .rules_before_ignore_files = 0};
  EXPECT_THAT(Walk(options), ElementsAre(".deployignore", "b.log"));
}

TEST_F(WalkerTest, IgnoreFilesAreFilesOnly) {
  Put("rules", "*.log\n");
  Put("a.log");
  ASSERT_THAT(root->Symlink("rules", ".deployignore"), IsOk());
  EXPECT_THAT(Walk(), ElementsAre(".deployignore", "a.log", "rules"));
}

TEST_F(WalkerTest, FollowsNoSymlink) {  // D124
  Put("real/file");
  ASSERT_THAT(root->Symlink("real", "link"), IsOk());
  EXPECT_THAT(Walk(), ElementsAre("link", "real/", "real/file"));
}

TEST_F(WalkerTest, RefusesTheToolsOwnFolder) {  // D191: nobody could deploy it
  Put(".deploy-tool/state");
  Walk();
  EXPECT_EQ(base::GetErrorInfo(error).code, "DT018");
  error = absl::OkStatus();
  EXPECT_THAT(Walk({.rules = {{"--exclude", {"/.deploy-tool/"}}}}), SizeIs(0));
  EXPECT_THAT(error, IsOk());
}

TEST_F(WalkerTest, RefusesWhatIsDeeperThanAPackageMayBe) {
  std::string path;
  for (int i = 0; i < 256; ++i) path += "d/";
  Put(path + "file");
  EXPECT_THAT(Walk(), SizeIs(256));
  EXPECT_EQ(base::GetErrorInfo(error).code, "DT018");
}

TEST_F(WalkerTest, WarnsOfNamesThatCouldCollide) {  // D193
  for (const char* path : {"README", "Readme", "d/\xc3\x84", "d/a\xcc\x88", "e/readme"}) Put(path);
  Walk();
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("Readme"), HasSubstr("letter case")));
}

TEST_F(WalkerTest, AMalformedRuleSourceIsNamed) {  // D12
  const auto walker = Walker::Make(*root, {.rules = {{"pack.exclude", {std::string(5000, 'x')}}}});
  EXPECT_EQ(base::GetErrorInfo(walker.status()).code, "DT001");
  EXPECT_THAT(std::string(walker.status().message()), HasSubstr("pack.exclude"));
}

}  // namespace
}  // namespace slipway::deploy
