#include "base/json/json.h"

#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace slipway::base {
namespace {

using ::testing::HasSubstr;

Json Parse(absl::string_view text) {
  absl::StatusOr<Json> json = ParseJson(text);
  EXPECT_TRUE(json.ok()) << json.status();
  return json.ok() ? *std::move(json) : Json("not parsed");
}

TEST(ParseJson, KeepsOrderAndExactIntegers) {
  const absl::string_view text =
      R"({"z":1,"a":[true,false,null,"x"],"min":-9223372036854775808,"max":18446744073709551615})";
  const Json json = Parse(text);
  EXPECT_EQ(json.Dump(), text);
  EXPECT_EQ(json.Find("min")->AsInt(), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(json.Find("max")->AsUint(), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(json.Find("max")->AsInt(), std::nullopt);
  EXPECT_EQ(json.Find("min")->AsUint(), std::nullopt);
}

TEST(ParseJson, TopLevelScalars) {
  EXPECT_TRUE(Parse(" null ").is_null());
  EXPECT_EQ(Parse("true").AsBool(), true);
  EXPECT_EQ(*Parse("\"\"").AsString(), "");
  EXPECT_EQ(Parse("-0.5").AsDouble(), -0.5);
  EXPECT_EQ(Parse("12").AsDouble(), 12.0);
}

struct BadText {
  std::string text;
  std::string message;
};

TEST(ParseJson, RefusesWithPlaceAndReason) {
  const std::vector<BadText> cases = {
      {"", "line 1, column 1: "},
      {"{", "line 1, column 1: "},
      {"[1,]", "line 1, column 4: "},
      {"{\"a\":1}\n x", "line 2, column 2: "},
      {"[1] [2]", "line 1, column 5: "},
      {"{'a':1}", "line 1, column 2: "},
      {"[01]", "line 1, column 3: "},
      {"[NaN]", "line 1, column 2: "},
      {"[1e999]", "column"},
      {"// note\n1", "line 1, column 1: "},
      {"{\"a\":1,\n \"b\":2,\n \"a\":3}", "line 3, column 4: duplicate key \"a\""},
      {"[18446744073709551616]", "integer outside -2^63 to 2^64-1"},
      {"[-9223372036854775809]", "integer outside -2^63 to 2^64-1"},
      {std::string("{}\0x", 4), "zero byte at offset 2"},
      {std::string("\"a\0b\"", 5), "zero byte at offset 2"},
      {"\"\xff\"", "line 1, column 2: "},
      {"\"\xed\xa0\x80\"", "line 1, column"},
      {"\"\\ud800\"", "line 1, column"},
      {"\"tab\there\"", "line 1, column"},
  };
  for (const BadText& c : cases) {
    const absl::StatusOr<Json> json = ParseJson(c.text);
    ASSERT_FALSE(json.ok()) << c.text;
    EXPECT_EQ(json.status().code(), absl::StatusCode::kInvalidArgument) << json.status();
    EXPECT_THAT(std::string(json.status().message()), HasSubstr(c.message)) << c.text;
  }
}

TEST(ParseJson, FindsADuplicateInALargeObject) {
  std::string text = "{";
  for (int i = 0; i < 1000; ++i) text += "\"k" + std::to_string(i) + "\":0,";
  EXPECT_TRUE(ParseJson(text + "\"last\":0}").ok());
  const absl::StatusOr<Json> json = ParseJson(text + "\"k7\":0}");
  EXPECT_THAT(std::string(json.status().message()), HasSubstr("duplicate key \"k7\""));
}

TEST(ParseJson, NamesTheLimitThatIsReached) {
  const auto message = [](absl::string_view text, JsonLimits limits) {
    const absl::Status status = ParseJson(text, limits).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(message("[[[1]]]", {.depth_max = 2}), HasSubstr("deeper than the limit of 2"));
  EXPECT_THAT(message("[1,2,3]", {.values_max = 3}), HasSubstr("values than the limit of 3"));
  EXPECT_THAT(message("[1,2,3]", {.bytes_max = 6}), HasSubstr("more than the limit of 6"));
  EXPECT_TRUE(ParseJson("[[1]]", {.depth_max = 2}).ok());
  EXPECT_TRUE(ParseJson("[1,2]", {.values_max = 3}).ok());
  // Depth is refused before the stack is: a million brackets return.
  EXPECT_THAT(message(std::string(1'000'000, '['), {}), HasSubstr("deeper than the limit of 64"));
}

TEST(JsonDump, RoundTripsDoublesAndText) {
  for (double value : {0.1, 1.0, -2.5e-300, 1e22, 123456789.125, 5e-324}) {
    const std::string text = Json(value).Dump();
    EXPECT_EQ(Parse(text).AsDouble(), value) << text;
    EXPECT_EQ(Parse(text).type(), Json::Type::kDouble) << text;
  }
  const std::string wild = "\"\\/\b\f\n\r\t\x01\x7f \xc3\xa4\xf0\x9f\x98\x80";
  EXPECT_EQ(*Parse(Json(wild).Dump()).AsString(), wild);
  EXPECT_EQ(Json(std::string("a\xff"
                             "b\xc0\xaf"))
                .Dump(),
            "\"a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD\xEF\xBF\xBD\"");
  EXPECT_EQ(Json(std::numeric_limits<double>::infinity()).Dump(), "null");
}

TEST(JsonDump, PrettyAndCanonical) {
  const Json json = Parse(R"({"b":[1,{"y":2,"x":[]}],"a":{}})");
  EXPECT_EQ(json.Dump(2),
            "{\n  \"b\": [\n    1,\n    {\n      \"y\": 2,\n      \"x\": []\n    }\n  ],\n  \"a\": "
            "{}\n}");
  EXPECT_EQ(json.DumpCanonical(), R"({"a":{},"b":[1,{"x":[],"y":2}]})");
}

TEST(Json, EditsObjectsInPlace) {
  Json json = Json::MakeObject({{"a", 1}, {"b", "two"}});
  json.Set("a", 3);
  json.Set("c", Json::MakeArray({1, 2}));
  json.Find("c")->Append(3);
  json.Remove("b");
  json.Remove("missing");
  EXPECT_EQ(json.Dump(), R"({"a":3,"c":[1,2,3]})");
  EXPECT_EQ(json, Parse(R"({"a":3,"c":[1,2,3]})"));  // one stored signed, the other unsigned
  EXPECT_FALSE(Json(-1) == Json(std::numeric_limits<uint64_t>::max()));
  EXPECT_EQ(json.Find("b"), nullptr);
  EXPECT_EQ(Json(7).Find("x"), nullptr);
}

}  // namespace
}  // namespace slipway::base
