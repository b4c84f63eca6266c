#include "base/config/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "absl/strings/str_cat.h"
#include "base/config/nearest.h"
#include "base/config/test_environment.h"
#include "base/config/test_schema.h"
#include "base/testing/status_matchers.h"

namespace slipway::base {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;
using testing::StatusIs;
using ::testing::UnorderedElementsAre;

constexpr char kGood[] = R"(
project: {name: "lang-${SUFFIX:-v1}", }
pack:
  threads: ${THREADS}
  compression: {algorithm: zstd, level: 9}
  exclude: ["*.tmp", "a,b"]
components:
  model: {path: ./models}
  config:
publish:
  targets:
    - {name: local, path: "/srv/$${x}"}
    - {name: far, path: /far, token: "${TOKEN}"}
deploy: {create_parents: true, fill: 85%, cache_size: 1.5GiB, timeout: 1h30m, custom_links: {./a: b}}
metadata: {anything: [1, {b: c}]}
)";

struct Bound {
  absl::Status status;
  TestConfig config;
  std::vector<std::string> warnings;
  std::vector<ConfigField> values, schema;
};

Bound Bind(ConfigNode root, Environment& environment) {
  ConfigReader reader(root, {&environment, nullptr, ""});
  Bound bound;
  BindTestConfig(reader, bound.config);
  bound.status = reader.Finish({"DT001", "fix it"});
  bound.warnings = reader.Warnings();
  bound.values = reader.values();
  bound.schema = reader.schema();
  return bound;
}

ConfigNode Parse(absl::string_view text, Environment& environment) {
  ConfigNode root = ParseConfig(text, "f.yaml").value();
  ConfigProblems problems;
  ExpandConfig(root, environment, problems);
  EXPECT_THAT(problems.ToStatus(), IsOk());
  return root;
}

// Overlays the environment; what was wrong with it.
std::vector<std::string> Overlay(ConfigNode& root, absl::string_view prefix,
                                 Environment& environment) {
  ConfigProblems problems;
  OverlayEnvironment(root, prefix, environment, problems);
  return problems.Lines();
}

TEST(ConfigReader, ReadsEveryType) {
  MapEnvironment environment({{"THREADS", "4"}, {"TOKEN", "canary"}});
  const Bound bound = Bind(Parse(kGood, environment), environment);
  ASSERT_THAT(bound.status, IsOk());
  const TestConfig& c = bound.config;
  EXPECT_EQ(c.name, "lang-v1");
  EXPECT_EQ(c.codec, TestCodec::kZstd);
  EXPECT_EQ(c.level, 9);
  EXPECT_EQ(c.threads, 4);
  EXPECT_THAT(c.exclude, ElementsAre("*.tmp", "a,b"));
  EXPECT_THAT(c.component_paths,
              UnorderedElementsAre(Pair("model", "./models"), Pair("config", "")));
  ASSERT_THAT(c.targets, SizeIs(2));
  EXPECT_EQ(c.targets[0].path, "/srv/${x}");  // D39: $${ is a literal
  EXPECT_TRUE(c.targets[0].token.empty());
  EXPECT_EQ(c.targets[1].token.Reveal(), "canary");
  EXPECT_TRUE(c.create_parents);
  EXPECT_EQ(c.fill, 0.85);
  EXPECT_EQ(c.cache_bytes, 3 * kGiB / 2);
  EXPECT_EQ(c.timeout, absl::Minutes(90));
  EXPECT_THAT(c.custom_links, ElementsAre(Pair("./a", "b")));
  EXPECT_THAT(bound.warnings, SizeIs(0));
}

TEST(ConfigReader, AnEmptyFileIsAllDefaults) {
  MapEnvironment environment({});
  for (const char* text : {"", "# nothing\n", "---\n", "pack:\n", "\xef\xbb\xbfpack: {}\n"}) {
    const Bound bound = Bind(Parse(text, environment), environment);
    ASSERT_THAT(bound.status, IsOk());
    EXPECT_EQ(bound.config.level, 6);
    EXPECT_THAT(bound.config.exclude, ElementsAre(".git/", "*.pyc"));
    EXPECT_FALSE(bound.config.threads.has_value());
  }
}

TEST(ConfigReader, ErrorsCarryTheGivenIdAndHint) {
  MapEnvironment environment({});
  const Bound bound = Bind(Parse("zzz: 1", environment), environment);
  EXPECT_THAT(bound.status, StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(GetErrorInfo(bound.status).code, "DT001");
  EXPECT_EQ(GetErrorInfo(bound.status).hint, "fix it");
}

// DECISIONS 3: default < file < environment < flag.
TEST(ConfigReader, StrongerOriginsWin) {
  MapEnvironment environment({{"DEPLOY_TOOL__PACK__COMPRESSION__LEVEL", "3"},
                              {"DEPLOY_TOOL__PACK__EXCLUDE", "a, b,,c"},
                              {"DEPLOY_TOOL__PUBLISH__TARGETS__0__PATH", "/env"},
                              {"DEPLOY_TOOL__PUBLISH__TARGETS__1__NAME", "new"},
                              {"DEPLOY_TOOL__COMPONENTS__MODEL__PATH", "${NOT_EXPANDED}"},
                              {"DEPLOY_TOOL_LOG_LEVEL", "debug"},
                              {"OTHER__PACK__THREADS", "7"}});
  ConfigNode root = Parse(
      "pack: {compression: {level: 5}, threads: 2}\n"
      "publish: {targets: [{name: a, path: /file}]}\n"
      "deploy: {create_parents: true}",
      environment);
  EXPECT_THAT(Overlay(root, "DEPLOY_TOOL", environment), IsEmpty());
  SetConfig(root, "pack.threads", "8", FlagOrigin("--threads"));
  SetConfig(root, "deploy.create-parents", "false", FlagOrigin("--create-parents"));
  const Bound bound = Bind(root, environment);
  ASSERT_THAT(bound.status, IsOk());
  EXPECT_EQ(bound.config.level, 3);
  EXPECT_EQ(bound.config.threads, 8);
  EXPECT_THAT(bound.config.exclude, ElementsAre("a", "b", "c"));
  ASSERT_THAT(bound.config.targets, SizeIs(2));
  EXPECT_EQ(bound.config.targets[0].path, "/env");
  EXPECT_EQ(bound.config.targets[1].name, "new");
  EXPECT_EQ(bound.config.component_paths.at("model"), "${NOT_EXPANDED}");
  EXPECT_FALSE(bound.config.create_parents);
}

// DECISIONS 3: the tenth element stands where its number says.
TEST(ConfigReader, ListsByEnvironmentMayHaveTenElementsAndMore) {
  std::map<std::string, std::string> variables;
  for (int i = 0; i < 112; ++i) {
    variables[absl::StrCat("P__PACK__EXCLUDE__", i)] = absl::StrCat("e", i);
    variables[absl::StrCat("P__PUBLISH__TARGETS__", i, "__NAME")] = absl::StrCat("n", i);
    variables[absl::StrCat("P__PUBLISH__TARGETS__", i, "__PATH")] = absl::StrCat("/", i);
  }
  MapEnvironment environment(variables);
  ConfigNode root = Parse("publish: {targets: [{name: a, path: /file}]}", environment);
  EXPECT_THAT(Overlay(root, "P", environment), IsEmpty());
  const Bound bound = Bind(root, environment);
  ASSERT_THAT(bound.status, IsOk());
  ASSERT_THAT(bound.config.exclude, SizeIs(112));
  ASSERT_THAT(bound.config.targets, SizeIs(112));
  for (size_t i = 0; i < 112; ++i) {
    EXPECT_EQ(bound.config.exclude[i], absl::StrCat("e", i));
    EXPECT_EQ(bound.config.targets[i].name, absl::StrCat("n", i));
    EXPECT_EQ(bound.config.targets[i].path, absl::StrCat("/", i));
  }
}

TEST(ConfigReader, AGapInAListByEnvironmentIsNamed) {
  MapEnvironment environment({{"P__PUBLISH__TARGETS__0__NAME", "canary"},
                              {"P__PUBLISH__TARGETS__12__NAME", "canary"},
                              {"P__PACK__EXCLUDE__2", "canary"}});
  ConfigNode root = Parse("pack: {exclude: [a]}", environment);
  EXPECT_THAT(Overlay(root, "P", environment),
              ElementsAre("P__PACK__EXCLUDE__2: pack.exclude has 1 elements, so index 2 leaves a "
                          "gap; go on with 1",
                          "P__PUBLISH__TARGETS__12__NAME: publish.targets has 1 elements, so index "
                          "12 leaves a gap; go on with 1"));
  MapEnvironment late({{"P__PACK__EXCLUDE__1", "canary"}, {"P__PUBLISH__TARGETS__1__NAME", "b"}});
  ConfigNode empty = Parse("", late);
  EXPECT_THAT(Overlay(empty, "P", late), IsEmpty());
  const std::string text(Bind(empty, late).status.message());
  EXPECT_THAT(text, HasSubstr("P__PACK__EXCLUDE__1: pack.exclude: expected a list of texts, found "
                              "a map; number its elements from 0 on, without gaps"));
  EXPECT_THAT(text, HasSubstr("publish.targets: expected a list, found a map; number its"));
}

TEST(ConfigReader, ExpansionHasLimits) {
  const std::string half(600 * 1024, 'x');
  MapEnvironment environment(std::map<std::string, std::string>{{"HALF", half}});
  const auto problem = [&](absl::string_view text) {
    ConfigNode root = ParseConfig(text, "f.yaml").value();
    ConfigProblems problems;
    ExpandConfig(root, environment, problems);
    return problems.empty() ? "" : problems.Lines()[0];
  };
  EXPECT_EQ(problem("a: ${HALF}"), "");
  EXPECT_THAT(problem("a: ${HALF}${HALF}"), HasSubstr("longer than 1048576 bytes"));
  std::string nested = "x";
  for (int depth = 1; depth <= 9; ++depth) {
    nested = absl::StrCat("${NONE:-", nested, "}");
    if (depth <= 8) {
      EXPECT_EQ(problem(absl::StrCat("a: \"", nested, "\"")), "") << depth;
    } else {
      EXPECT_THAT(problem(absl::StrCat("a: \"", nested, "\"")), HasSubstr("deeper than 8"));
    }
  }
}

TEST(ConfigReader, UnknownEnvironmentKeysAreErrorsThatNameTheNearest) {
  MapEnvironment environment({{"KZG__PCAK__THREADS", "canary"},
                              {"KZG__PACK__THREDS", "canary"},
                              {"KZG__PACK__COMPRESSION__LEVEL", "canary"},
                              {"KZG__", "x"}});
  ConfigNode root = Parse("", environment);
  EXPECT_THAT(Overlay(root, "KZG", environment), IsEmpty());
  const Bound bound = Bind(root, environment);
  const std::string text(bound.status.message());
  EXPECT_THAT(text, HasSubstr("KZG__PCAK__THREADS: pcak: unknown key; did you mean pack?"));
  EXPECT_THAT(text,
              HasSubstr("KZG__PACK__THREDS: pack.threds: unknown key; did you mean threads?"));
  EXPECT_THAT(text, HasSubstr("KZG__PACK__COMPRESSION__LEVEL: pack.compression.level: expected an "
                              "integer, found its value"));
  EXPECT_THAT(text, Not(HasSubstr("canary")));
}

TEST(ConfigReader, MergePutsMapsTogetherAndReplacesTheRest) {  // D111
  MapEnvironment environment({});
  ConfigNode root = Parse("pack: {compression: {level: 5}, exclude: [a]}", environment);
  MergeConfig(root, Parse("pack: {compression: {algorithm: none}, exclude: [b]}", environment));
  const Bound bound = Bind(root, environment);
  EXPECT_EQ(bound.config.level, 5);
  EXPECT_EQ(bound.config.codec, TestCodec::kNone);
  EXPECT_THAT(bound.config.exclude, ElementsAre("b"));
}

struct Expansion {
  const char* text;
  const char* expected;  // null: a problem
};

TEST(ConfigExpand, FollowsTheShellForms) {  // D39
  MapEnvironment environment({{"A", "x"}, {"EMPTY", ""}, {"TRICK", "${A}"}});
  const Expansion cases[] = {{"${A}", "x"},
                             {"p${A}q${A}", "pxqx"},
                             {"${A:-d}", "x"},
                             {"${B:-d}", "d"},
                             {"${B:-}", ""},
                             {"${EMPTY}", ""},
                             {"${EMPTY:-d}", "d"},
                             {"${EMPTY:?no}", nullptr},
                             {"${A:?no}", "x"},
                             {"${B:-${A}}", "x"},
                             {"${B:-${C:-deep}}", "deep"},
                             {"$${A}", "${A}"},
                             {"$A", "$A"},
                             {"$", "$"},
                             {"${TRICK}", "${A}"},  // what the environment says is final
                             {"${B}", nullptr},
                             {"${}", nullptr},
                             {"${A", nullptr},
                             {"${A-d}", nullptr},
                             {"${B:-${}}", nullptr}};
  for (const Expansion& c : cases) {
    ConfigNode root = ParseConfig(absl::StrCat("k: '", c.text, "'"), "f").value();
    ConfigProblems problems;
    ExpandConfig(root, environment, problems);
    EXPECT_EQ(problems.empty(), c.expected != nullptr) << c.text;
    if (c.expected != nullptr) {
      EXPECT_EQ(root.Find("k")->text, c.expected) << c.text;
    }
  }
}

TEST(ConfigParse, LimitsAreNamed) {
  const std::string deep = absl::StrCat("a: ", std::string(70, '['), std::string(70, ']'));
  EXPECT_THAT(ParseConfig(deep, "f"),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("deeper than 64 levels")));
  const std::string wide = absl::StrCat("a: [", std::string(300'000, ','), "]");
  EXPECT_FALSE(ParseConfig(wide, "f").ok());
  std::string many = "a: [";
  for (int i = 0; i < 100'001; ++i) many += "1,";
  EXPECT_THAT(ParseConfig(many + "]", "f"),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("more than 100000 values")));
  EXPECT_THAT(ParseConfig(std::string((4 << 20) + 1, ' '), "f"),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("at most 4194304")));
}

TEST(ConfigParse, ControlCharactersAndOtherEncodingsAreRefused) {
  EXPECT_THAT(
      ParseConfig(absl::string_view("a: 1\nb: \x04\nzzz: 1", 15), "f"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("f:2:4: a control character (0x04)")));
  EXPECT_THAT(ParseConfig("a: \xff\xfe", "f"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not UTF-8")));
}

TEST(ConfigReader, ALiteralSecretWarnsAndAMaskIsAllThatShows) {  // D16
  MapEnvironment environment({{"TOKEN", "canary-env"}, {"THREADS", "1"}});
  const Bound bound = Bind(Parse("publish: {targets: [{name: a, token: canary-literal},\n"
                                 "  {name: b, token: 'env:TOKEN'}, {name: c, token: '${TOKEN}'}]}",
                                 environment),
                           environment);
  ASSERT_THAT(bound.status, IsOk());
  EXPECT_EQ(bound.config.targets[0].token.Reveal(), "canary-literal");
  EXPECT_EQ(bound.config.targets[1].token.Reveal(), "canary-env");
  EXPECT_EQ(bound.config.targets[1].token, bound.config.targets[2].token);
  EXPECT_FALSE(bound.config.targets[0].token == bound.config.targets[1].token);
  EXPECT_THAT(bound.warnings, ElementsAre(HasSubstr("publish.targets[0].token: a secret stands in "
                                                    "the file itself")));
  std::stringstream printed;
  printed << bound.config.targets[0].token << ShowConfig(bound.values, true) << bound.warnings[0];
  EXPECT_THAT(printed.str(), HasSubstr("token: \"***\""));
  EXPECT_THAT(printed.str(), Not(HasSubstr("canary")));
}

TEST(ConfigShow, WhatIsShownReadsBackTheSame) {
  MapEnvironment environment({{"THREADS", "4"}, {"TOKEN", "t"}});
  const Bound first = Bind(Parse(kGood, environment), environment);
  const std::string shown = ShowConfig(first.values, /*origins=*/false);
  const Bound second = Bind(Parse(shown, environment), environment);
  ASSERT_THAT(second.status, IsOk()) << shown;
  EXPECT_EQ(ShowConfig(second.values, false), shown);
  EXPECT_EQ(second.config.targets[0].path, "/srv/${x}");
  EXPECT_EQ(second.config.cache_bytes, first.config.cache_bytes);
}

TEST(ConfigShow, WhatIsNotReadIsShownAsItStands) {
  MapEnvironment environment(std::map<std::string, std::string>{{"OWNER", "me, myself"}});
  const Bound bound =
      Bind(Parse("metadata: {owner: \"${OWNER}\", n: 5, t: \"5\", yes: true, none: , "
                 "list: [1, {b: c}], empty: [], \"a: b\": \"x\\ny\"}",
                 environment),
           environment);
  const std::string shown = ShowConfig(bound.values, false);
  EXPECT_THAT(shown,
              HasSubstr("metadata: {owner: \"me, myself\", \"n\": 5, t: \"5\", \"yes\": true, "
                        "none: null, list: [1, {b: c}], empty: [], \"a: b\": \"x\\ny\"}\n"));
  EXPECT_EQ(ShowConfig(Bind(Parse(shown, environment), environment).values, false), shown);
}

TEST(ConfigShow, OriginsStandBehindTheValues) {
  MapEnvironment environment({{"THREADS", "4"}, {"TOKEN", "t"}, {"P__DEPLOY__TIMEOUT", "5s"}});
  ConfigNode root = Parse(kGood, environment);
  EXPECT_THAT(Overlay(root, "P", environment), IsEmpty());
  const std::string shown = ShowConfig(Bind(root, environment).values, true);
  EXPECT_THAT(shown, HasSubstr("  threads: 4  # f.yaml:4:12 (THREADS)\n"));
  EXPECT_THAT(shown, HasSubstr("  timeout: 5s  # P__DEPLOY__TIMEOUT\n"));
  EXPECT_THAT(shown, HasSubstr("    - name: local  # f.yaml:12:14\n      path:"));
  const std::string defaults = ShowConfig(Bind(Parse("", environment), environment).values, true);
  EXPECT_THAT(defaults, HasSubstr("    level: 6  # default\n"));
  EXPECT_THAT(defaults, HasSubstr("  cache_size: 20GiB  # default\n"));
  EXPECT_THAT(defaults, Not(HasSubstr("trust")));
}

TEST(ConfigShow, TheTableHasEveryKeyOnceEvenOfEmptyLists) {
  MapEnvironment environment({});
  const Bound bound =
      Bind(Parse("publish: {targets: [{name: a}, {name: b}]}", environment), environment);
  const std::string table = ConfigTable(bound.schema);
  EXPECT_THAT(table, HasSubstr("| `publish.targets[].name` | text |  | Name of the target |\n"));
  EXPECT_THAT(table, HasSubstr("| `components.<type>.path` |"));
  EXPECT_THAT(table, HasSubstr("Compressor \\| of packages"));
  EXPECT_THAT(table, Not(HasSubstr("[0]")));
}

TEST(Nearest, FindsTypingErrorsAndNothingFarAway) {
  const std::vector<std::string> words = {"pack", "publish", "deploy", "version", "generation"};
  EXPECT_EQ(NearestWord("pakc", words), "pack");
  EXPECT_EQ(NearestWord("Deploy", words), "deploy");
  EXPECT_EQ(NearestWord("verison", words), "version");
  EXPECT_EQ(NearestWord("generatoin", words), "generation");
  EXPECT_EQ(NearestWord("xyz", words), std::nullopt);
  EXPECT_EQ(NearestWord("", words), std::nullopt);
  EXPECT_EQ(NearestWord("a", {}), std::nullopt);
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("ab", "ba"), 1u);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
}

}  // namespace
}  // namespace slipway::base
