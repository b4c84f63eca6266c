// D38: what is wrong is named with file, line, column, key, reason and remedy.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/config/test_environment.h"
#include "base/config/test_schema.h"

namespace slipway::base {
namespace {

struct Case {
  std::string claim, file, expected;
};

std::string DataPath() { return absl::StrCat(SLIPWAY_TEST_SOURCE_DIR, "/testdata/bad.txt"); }

std::vector<Case> ReadCases(std::string* header) {
  std::ifstream in(DataPath());
  std::stringstream text;
  text << in.rdbuf();
  std::vector<Case> cases;
  std::string all = text.str();
  *header = all.substr(0, all.find('\n') + 1);
  all = all.substr(header->size());
  for (absl::string_view stanza : absl::StrSplit(all, "====\n")) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(stanza, absl::MaxSplits("----\n", 1));
    const std::pair<absl::string_view, absl::string_view> head =
        absl::StrSplit(parts.first, absl::MaxSplits('\n', 1));
    cases.push_back({std::string(head.first), std::string(head.second), std::string(parts.second)});
  }
  return cases;
}

std::string Messages(const std::string& file) {
  MapEnvironment environment({{"TOKEN", "canary"}, {"HUNDRED", "100"}});
  absl::StatusOr<ConfigNode> root = ParseConfig(file, "f.yaml");
  if (!root.ok()) return absl::StrCat(root.status().message(), "\n");
  ConfigProblems problems;
  ExpandConfig(*root, environment, problems);
  if (!problems.empty()) return absl::StrCat(problems.ToStatus().message(), "\n");
  TestConfig config;
  ConfigReader reader(*root, {&environment, nullptr, ""});
  BindTestConfig(reader, config);
  const absl::Status status = reader.Finish();
  return status.ok() ? "ok\n" : absl::StrCat(status.message(), "\n");
}

TEST(BadConfig, EachFileIsRefusedWithExactlyItsMessages) {  // D38, D39
  std::string header;
  const std::vector<Case> cases = ReadCases(&header);
  EXPECT_GE(cases.size(), 60u);
  std::vector<std::string> rewritten;
  for (const Case& c : cases) {
    const std::string messages = Messages(c.file);
    EXPECT_EQ(messages, c.expected) << c.claim;
    EXPECT_NE(messages, "ok\n") << c.claim;
    EXPECT_FALSE(absl::StrContains(messages, "canary") && absl::StrContains(c.file, "TOKEN"))
        << c.claim;
    rewritten.push_back(absl::StrCat(c.claim, "\n", c.file, "----\n", messages));
  }
  if (std::getenv("SLIPWAY_REWRITE") != nullptr) {
    std::ofstream(DataPath()) << header << absl::StrJoin(rewritten, "====\n");
  }
}

}  // namespace
}  // namespace slipway::base
