#include "cas/client/dial_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"

namespace slipway::cas {
namespace {

using ::slipway::base::testing::StatusIs;
using ::testing::HasSubstr;

DialAddress Choose(const AdvertisedAddress& advertised,
                   absl::string_view cas = "store.example:50610",
                   absl::string_view authority = "") {
  const auto chosen = ChooseDialAddress(advertised, cas, authority);
  EXPECT_OK(chosen);
  return chosen.value_or(DialAddress());
}

// Z10
TEST(DialAddress, V4IsANumberWithTheFirstByteHighest) {
  EXPECT_EQ(Choose({0x7F000001, {}, 50611}).address, "127.0.0.1:50611");
  EXPECT_EQ(Choose({0xC0A80001, {}, 1}).address, "192.168.0.1:1");
}

// Z10
TEST(DialAddress, V6IsSixteenBytesInNetworkOrder) {
  const std::string loopback = std::string(15, '\0') + '\1';
  EXPECT_EQ(Choose({{}, loopback, 65535}).address, "[::1]:65535");
  EXPECT_THAT(ChooseDialAddress({{}, "\1\2\3\4", 5}, "h:1", ""),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("4 bytes")));
}

// Z10
TEST(DialAddress, PortZeroAndPortsOver65535AreRefused) {
  EXPECT_THAT(ChooseDialAddress({0x7F000001, {}, 0}, "h:1", ""),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("port 0")));
  EXPECT_THAT(ChooseDialAddress({0x7F000001, {}, 65536}, "h:1", ""),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("port 65536")));
  EXPECT_THAT(ChooseDialAddress({{}, {}, 4294967295}, "h:1", ""),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

// Z11
TEST(DialAddress, WithoutAnAddressTheTransportIsWhereTheCasIs) {
  EXPECT_EQ(Choose({}).address, "");
  EXPECT_EQ(Choose({0, {}, 0}).address, "");
  EXPECT_EQ(Choose({{}, std::string(16, '\0'), 0}).address, "");
  EXPECT_EQ(Choose({{}, {}, 50611}).address, "store.example:50611");
  EXPECT_EQ(Choose({0, {}, 50611}).address, "store.example:50611");
  EXPECT_EQ(Choose({{}, std::string(16, '\0'), 50611}, "[::1]:50610").address, "[::1]:50611");
}

// Z11
TEST(DialAddress, AnAdvertisedAddressIsDialledUnderTheNameOfTheCasHost) {
  EXPECT_EQ(Choose({0x0A000001, {}, 50611}).authority, "store.example");
  EXPECT_EQ(Choose({0x0A000001, {}, 50611}, "10.0.0.9:1", "store.example").authority,
            "store.example");
  EXPECT_EQ(Choose({{}, {}, 50611}).authority, "");
}

}  // namespace
}  // namespace slipway::cas
