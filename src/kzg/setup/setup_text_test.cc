// The text and JSON forms of a setup, strictly read (K56).
#include "kzg/setup/setup_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/testing/status_matchers.h"
#include "kzg/scheme/generate.h"
#include "kzg/scheme/setup.h"
#include "kzg/testing/official.h"

namespace slipway::kzg {
namespace {

using base::testing::IsOkAndHolds;
using base::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

const base::Bytes& Bytes() {
  static const base::Bytes bytes = GenerateInsecureSetup(1);
  return bytes;
}

// The tokens of a text: counts and points.
std::vector<std::string> Tokens() {
  std::vector<std::string> tokens = {"4096", "65"};
  size_t at = 0;
  for (const auto& [count, bytes] :
       {std::pair(kSetupG1Points, kBytesPerG1), std::pair(kSetupG2Points, kBytesPerG2),
        std::pair(kSetupG1Points, kBytesPerG1)}) {
    for (size_t i = 0; i < count; ++i, at += bytes) {
      tokens.push_back(base::ToHex(BytesView(Bytes()).subspan(at, bytes)));
    }
  }
  return tokens;
}
std::string Text(const std::vector<std::string>& tokens) {
  return absl::StrCat(absl::StrJoin(tokens, "\n"), "\n");
}

std::string JsonText(const std::vector<std::string>& keys, absl::string_view prefix) {
  const std::vector<std::string> tokens = Tokens();
  std::string json = "{\"extra\": [1]";
  size_t at = 2;
  const std::vector<size_t> counts = {kSetupG1Points, kSetupG2Points, kSetupG1Points};
  for (size_t i = 0; i < 3; ++i, at += counts[i - 1]) {
    const std::vector<std::string> points(tokens.begin() + at, tokens.begin() + at + counts[i]);
    absl::StrAppend(&json, ",\n\"", keys[i], "\": [\"", prefix,
                    absl::StrJoin(points, absl::StrCat("\",\"", prefix)), "\"]");
  }
  return json + "}\n";
}

TEST(SetupText, ReadsTheTextForm) {
  EXPECT_THAT(ParseSetup(Text(Tokens()), "s"), IsOkAndHolds(Bytes()));
  EXPECT_THAT(ParseSetup(absl::StrJoin(Tokens(), " \t\r\n "), "s"), IsOkAndHolds(Bytes()));
}

TEST(SetupText, ReadsJsonWithNewAndOldNames) {
  EXPECT_THAT(ParseSetup(JsonText({"g1_lagrange", "g2_monomial", "g1_monomial"}, "0x"), "s"),
              IsOkAndHolds(Bytes()));
  EXPECT_THAT(ParseSetup(JsonText({"setup_G1_lagrange", "setup_G2", "setup_G1"}, ""), "s"),
              IsOkAndHolds(Bytes()));
  EXPECT_THAT(ParseSetup(JsonText({"g1_lagrange", "g2_monomial", "other"}, "0x"), "s"),
              StatusIs(kInvalid, HasSubstr("g1_monomial: it is missing")));
  EXPECT_THAT(ParseSetup("{\"g1_lagrange\": [\"0x00\"]}", "s"),
              StatusIs(kInvalid, HasSubstr("a list of 4096 points")));
  EXPECT_THAT(ParseSetup("{", "s"), StatusIs(kInvalid, HasSubstr("read setup s")));
}

TEST(SetupText, NamesLineAndTokenOfWhatIsWrong) {
  std::vector<std::string> tokens = Tokens();
  tokens[2 + 17][5] = 'x';
  EXPECT_THAT(ParseSetup(Text(tokens), "s"),
              StatusIs(kInvalid, AllOf(HasSubstr("line 20, token 20: G1 point in Lagrange form 17"),
                                       HasSubstr("character 6 ('x') is no hex digit"))));
  tokens = Tokens();
  tokens[2 + 4096 + 3].pop_back();
  EXPECT_THAT(ParseSetup(Text(tokens), "s"),
              StatusIs(kInvalid, AllOf(HasSubstr("G2 point 3"), HasSubstr("191 characters"))));
  tokens = Tokens();
  tokens[2] = absl::StrCat("0x", tokens[2]);
  EXPECT_THAT(ParseSetup(Text(tokens), "s"), StatusIs(kInvalid, HasSubstr("98 characters")));
  tokens = Tokens();
  tokens.pop_back();
  EXPECT_THAT(ParseSetup(Text(tokens), "s"),
              StatusIs(kInvalid, HasSubstr("G1 point in monomial form 4095 of 4096 is missing")));
  tokens = Tokens();
  tokens.emplace_back("00");
  EXPECT_THAT(ParseSetup(Text(tokens), "s"),
              StatusIs(kInvalid, HasSubstr("'00' stands after the last point")));
  tokens = Tokens();
  tokens[1] = "64";
  EXPECT_THAT(ParseSetup(Text(tokens), "s"),
              StatusIs(kInvalid, HasSubstr("the number of G2 points is '64'; it must be 65")));
  EXPECT_THAT(ParseSetup("", "s"), StatusIs(kInvalid, HasSubstr("G1 points is missing")));
}

TEST(SetupText, HasALimit) {
  EXPECT_THAT(ParseSetup(std::string(kSetupTextBytesMax + 1, ' '), "s"),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("the limit is 16777216")));
}

TEST(OfficialSetup, HasTheIdOfTheCeremonyAndPassesAllChecks) {  // K56, K58
  const auto setup = testing::OfficialSetup();
  if (setup == nullptr) GTEST_SKIP() << "no official KZG data; see stderr";
  EXPECT_EQ(setup->id(), kEthereumSetupId);
  Bytes32 seed;
  seed.fill(3);
  for (const SetupCheck& check : VerifySetup(*setup, seed, nullptr)) {
    EXPECT_TRUE(check.ok) << check.name << ": " << check.detail;
  }
}

}  // namespace
}  // namespace slipway::kzg
