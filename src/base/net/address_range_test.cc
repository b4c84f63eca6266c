#include "base/net/address_range.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/testing/status_matchers.h"

namespace slipway::base::net {
namespace {

using ::slipway::base::testing::IsOkAndHolds;
using ::slipway::base::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(AddressRange, EachNumberIsAnAddress) {  // E16
  EXPECT_THAT(ExpandRange("kv-{0..2}.svc:6000", 64),
              IsOkAndHolds(ElementsAre("kv-0.svc:6000", "kv-1.svc:6000", "kv-2.svc:6000")));
  EXPECT_THAT(ExpandRange("{9..10}", 2), IsOkAndHolds(ElementsAre("9", "10")));
  EXPECT_THAT(ExpandRange("127.0.0.1:600{7..7}", 1), IsOkAndHolds(ElementsAre("127.0.0.1:6007")));
  EXPECT_THAT(ExpandRange("h{4294967295..4294967295}", 1),
              IsOkAndHolds(ElementsAre("h4294967295")));
}

TEST(AddressRange, WithoutARangeATextStaysAsItIs) {
  for (const std::string text : {"", "[::1]:8080", "a..b:1", "localhost:5001"}) {
    EXPECT_THAT(ExpandRange(text, 0), IsOkAndHolds(ElementsAre(text)));
  }
}

TEST(AddressRange, WhatIsWrongIsNamed) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"a-{0..2:1", "a brace without the other one"},
      {"a-0..2}:1", "a brace without the other one"},
      {"a-}0..2{:1", "a brace without the other one"},
      {"a-{0..2}-{0..1}:1", "one range"},
      {"a-{0..2}}:1", "one range"},
      {"a-{}:1", "no FIRST..LAST"},
      {"a-{0-2}:1", "no FIRST..LAST"},
      {"a-{0,2}:1", "no FIRST..LAST"},
      {"a-{..}:1", "whole numbers"},
      {"a-{{0..2}:1", "whole numbers"},
      {"a-{0..}:1", "whole numbers"},
      {"a-{0...2}:1", "whole numbers"},
      {"a-{-1..2}:1", "whole numbers"},
      {"a-{ 0..2}:1", "whole numbers"},
      {"a-{00..02}:1", "without zeros"},
      {"a-{0..4294967296}:1", "whole numbers"},
      {"a-{2..0}:1", "above the last"},
      {"a-{0..64}:1", "it means 65 addresses, at most 64"},
      {"a-{0..4294967295}:1", "it means 4294967296 addresses"},
  };
  for (const auto& [text, reason] : rows) {
    EXPECT_THAT(ExpandRange(text, 64),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(reason)))
        << text;
    EXPECT_THAT(ExpandRange(text, 64).status().message(), HasSubstr(text));
  }
}

}  // namespace
}  // namespace slipway::base::net
