// D11: the same verdict and the same deciding rule as `git check-ignore` on 500 generated trees.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/glob/ignore_rules.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "gtest/gtest.h"

namespace slipway::base {
namespace {

namespace fs = std::filesystem;

constexpr int kTrees = 500;

// A tree as a map of paths; directories end nothing, `is_dir` tells them apart.
struct Tree {
  std::map<std::string, bool> is_dir;          // by path
  std::map<std::string, std::string> ignores;  // .gitignore text by directory
};

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  Tree MakeTree(const std::string& root) {
    Tree tree;
    tree.is_dir[root] = true;
    Fill(tree, root, 0);
    return tree;
  }

 private:
  size_t Below(size_t bound) { return random_() % bound; }

  std::string Name() {
    static constexpr const char* kNames[] = {
        "a",  "b",  "c",    "ab", "abc", "a.c", "b.c", ".a", "a b",      "x]", "[x", "a-c",
        "!a", "#a", "a\\b", "B",  "1",   "a ",  "**",  "*",  "\xc3\xa4", "d",  "e"};
    return kNames[Below(std::size(kNames))];
  }

  void Fill(Tree& tree, const std::string& dir, int depth) {
    const size_t count = 1 + Below(5);
    for (size_t i = 0; i < count; ++i) {
      const std::string path = dir + "/" + Name();
      if (tree.is_dir.count(path) > 0) continue;
      const bool is_dir = depth < 3 && Below(2) == 0;
      tree.is_dir[path] = is_dir;
      if (is_dir) Fill(tree, path, depth + 1);
    }
    if (depth == 0 || Below(3) == 0) tree.ignores[dir] = IgnoreText();
  }

  std::string IgnoreText() {
    std::string text = Below(20) == 0 ? "\xEF\xBB\xBF" : "";
    const size_t count = 1 + Below(5);
    for (size_t i = 0; i < count; ++i) {
      absl::StrAppend(&text, Pattern(), Below(10) == 0 ? "\r\n" : "\n");
    }
    if (Below(8) == 0) absl::StrAppend(&text, Pattern());  // without a newline at the end
    return text;
  }

  std::string Component() {
    static constexpr const char* kParts[] = {
        "a",        "b",     "c",        ".c",    "*",       "?",     "**",          "***",
        "[a-c]",    "[!a]",  "[^b]",     "[]]",   "[x]",     "\\*",   "\\a",         "\\!",
        "\\#",      "\\[",   "\\\\",     "[",     "[a",      "[a-",   "[[:alpha:]]", "[[:digit:]-]",
        "[[:no:]]", "[[:a]", "[a\\-c]",  "[-a]",  "]",       "\\ ",   " ",           "a*",
        "*c",       "ab",    "\xc3\xa4", "[\\]]", "[a-c-e]", "[c-a]", "B",           "[B[:lower:]]",
        "\t",       "!",     "#"};
    std::string text;
    const size_t count = 1 + Below(Below(3) == 0 ? 4 : 2);
    for (size_t i = 0; i < count; ++i) text += kParts[Below(std::size(kParts))];
    return text;
  }

  std::string Pattern() {
    if (Below(25) == 0) return "";
    if (Below(25) == 0) return "# note";
    std::string text = Below(4) == 0 ? "!" : "";
    if (Below(6) == 0) text += "/";
    const size_t components = 1 + (Below(2) == 0 ? 0 : Below(3));
    for (size_t i = 0; i < components; ++i) {
      if (i > 0) text += Below(40) == 0 ? "//" : "/";
      text += Below(4) == 0 ? "**" : Component();
    }
    if (Below(5) == 0) text += "/";
    if (Below(12) == 0) text += "  ";
    if (Below(60) == 0) text += "\\";
    return text;
  }

  std::mt19937_64 random_;
};

// Corners that chance seldom meets, each over the same tree.
constexpr const char* kCorners[] = {"*\n!*/\n!x/a**\n",
                                    "*\n!*/\n!a**\n",
                                    "*\n!*/\n!x/a**/c\n",
                                    "*\n!*/\n!/x/**/c\n",
                                    "*\n!*/\n!**c\n",
                                    "x/***\n!x/ab\n",
                                    "*\n!*/\n!x/***\n",
                                    "*\n!*/\n!x/**\\/c\n",
                                    "a \\ \n",
                                    "*\\ \n",
                                    "c\t\n",
                                    "[\v[:space:]]\n",
                                    "/**/c\n!x/**/c\n",
                                    "x/\n!x/c\n",
                                    "x/*\n!x/c\n",
                                    "\\\n",
                                    "!\n*\n",
                                    "/\n",
                                    "//\n"};

Tree CornerTree(const std::string& root, const std::string& ignore) {
  Tree tree;
  for (const char* dir : {"", "/x", "/x/ab", "/x/ab/d", "/ab", "/ab/d"})
    tree.is_dir[root + dir] = true;
  for (const char* file : {"/c", "/x/c", "/x/ab/c", "/x/ab/d/c", "/ab/c", "/ab/d/c", "/a ", "/c\t",
                           "/\v", "/\f", "/x/abc", "/xc"}) {
    tree.is_dir[root + file] = false;
  }
  tree.ignores[root] = ignore;
  return tree;
}

void Write(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

// What decided about a path, as "<directory of the file>:<line>:<rule>", empty for nothing.
using Decisions = std::map<std::string, std::string>;

Decisions AskGit(const fs::path& repository, const std::vector<std::string>& paths) {
  Write(repository / "../paths", absl::StrJoin(paths, std::string(1, '\0')) + std::string(1, '\0'));
  const std::string command =
      absl::StrCat("cd '", repository.string(),
                   "' && export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null && ",
                   "git init -q . && git check-ignore --no-index -v -n -z --stdin <../paths "
                   ">../answers; test $? -le 1");
  EXPECT_EQ(std::system(command.c_str()), 0);
  std::ifstream in(repository / "../answers", std::ios::binary);
  const std::string answers{std::istreambuf_iterator<char>(in), {}};
  const std::vector<std::string> fields = absl::StrSplit(answers, '\0');
  Decisions decisions;
  for (size_t i = 0; i + 3 < fields.size(); i += 4) {
    const std::string& source = fields[i];
    decisions[fields[i + 3]] =
        source.empty() ? "" : absl::StrCat(source, ":", fields[i + 1], ":", fields[i + 2]);
  }
  return decisions;
}

// A walk like the packer's: an ignored directory decides for all that lies beneath it.
class Walker {
 public:
  explicit Walker(const Tree& tree, Decisions& decisions) : tree_(tree), decisions_(decisions) {}

  void Walk(const std::string& dir) {
    const auto ignore = tree_.ignores.find(dir);
    if (ignore != tree_.ignores.end()) {
      auto rules = IgnoreRules::Parse(ignore->second, dir);
      ASSERT_OK(rules);
      lists_.push_back(*std::move(rules));
      sources_.push_back(dir + "/.gitignore");
    }
    const std::string prefix = dir + "/";
    for (auto entry = tree_.is_dir.lower_bound(prefix);
         entry != tree_.is_dir.end() && absl::StartsWith(entry->first, prefix); ++entry) {
      const auto& [path, is_dir] = *entry;
      if (path.find('/', prefix.size()) != std::string::npos) continue;
      const auto [decision, ignored] = Decide(path, is_dir);
      decisions_[path] = decision;
      if (!is_dir) continue;
      if (ignored) {
        DecideBeneath(path, decision);
      } else {
        Walk(path);
      }
    }
    if (ignore == tree_.ignores.end()) return;
    lists_.pop_back();
    sources_.pop_back();
  }

 private:
  std::pair<std::string, bool> Decide(const std::string& path, bool is_dir) {
    std::vector<const IgnoreRules*> chain;
    for (const IgnoreRules& list : lists_) chain.push_back(&list);
    const IgnoreMatch match = MatchLast(chain, path, is_dir);
    if (match.verdict == IgnoreMatch::Verdict::kNone) return {"", false};
    size_t from = lists_.size();  // MatchLast names no list; find the one whose match it is
    while (from > 0 && lists_[from - 1].Match(path, is_dir).rule.data() != match.rule.data())
      --from;
    return {absl::StrCat(sources_[from - 1], ":", match.line, ":", match.rule), match.ignored()};
  }

  void DecideBeneath(const std::string& dir, const std::string& decision) {
    const std::string prefix = dir + "/";
    for (auto entry = tree_.is_dir.lower_bound(prefix);
         entry != tree_.is_dir.end() && absl::StartsWith(entry->first, prefix); ++entry) {
      decisions_[entry->first] = decision;
    }
  }

  const Tree& tree_;
  Decisions& decisions_;
  std::vector<IgnoreRules> lists_;
  std::vector<std::string> sources_;
};

TEST(IgnoreRulesAgainstGit, DecideTheSameOnGeneratedTrees) {
  const testing::TempDir temp;
  const fs::path repository = fs::path(std::string(temp.path())) / "repository";
  Generator generator(/*seed=*/20240120);
  std::vector<std::string> paths;
  std::map<std::string, Tree> trees;
  Decisions ours;
  for (int i = 0; i < kTrees; ++i) {
    const std::string root = absl::StrCat("t", i);
    trees[root] = generator.MakeTree(root);
  }
  for (size_t i = 0; i < std::size(kCorners); ++i) {
    const std::string root = absl::StrCat("c", i);
    trees[root] = CornerTree(root, kCorners[i]);
  }
  for (const auto& [root, tree] : trees) {
    for (const auto& [path, is_dir] : tree.is_dir) {
      // Git looks only whether a path is a directory; what is not there is none.
      if (is_dir) fs::create_directories(repository / path);
      if (path != root) paths.push_back(path);
    }
    for (const auto& [dir, text] : tree.ignores) Write(repository / dir / ".gitignore", text);
    Walker(tree, ours).Walk(root);
  }
  const Decisions gits = AskGit(repository, paths);
  ASSERT_EQ(gits.size(), paths.size());
  std::set<std::string> used;
  int failures = 0;
  for (const auto& [path, decision] : gits) {
    used.insert(decision);
    if (ours[path] == decision || ++failures > 10) continue;
    const std::string root = path.substr(0, path.find('/'));
    ADD_FAILURE() << path << "\n  git:  " << decision << "\n  ours: " << ours[path];
  }
  EXPECT_EQ(failures, 0);
  // The trees are no test if few rules ever decide.
  EXPECT_GT(used.size(), 500u);
}

}  // namespace
}  // namespace slipway::base
