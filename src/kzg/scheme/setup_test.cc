// Setups in memory and the checks on them.
#include "kzg/scheme/setup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"
#include "bls12_381/encoding.h"
#include "kzg/scheme/kzg.h"
#include "kzg/scheme/test_setup.h"

namespace slipway::kzg {
namespace {

using base::testing::StatusIs;
using ::testing::HasSubstr;
using testing::PlainSetup;

constexpr size_t kG2At = kSetupG1Points * kBytesPerG1;
constexpr size_t kMonomialAt = kG2At + kSetupG2Points * kBytesPerG2;

std::string FailedChecks(const base::Bytes& bytes) {
  absl::StatusOr<SetupPoints> points = DecodeSetup(bytes);
  if (!points.ok()) return std::string(points.status().message());
  Bytes32 seed;
  seed.fill(9);
  std::string failed;
  for (const SetupCheck& check :
       VerifySetup(*kzg::Setup::Make(*points, SetupIdOf(bytes)), seed, nullptr)) {
    EXPECT_EQ(check.ok, check.detail.empty());
    if (!check.ok) absl::StrAppend(&failed, check.name, ";");
  }
  return failed;
}

TEST(SetupChecks, AGeneratedSetupPassesAll) {
  EXPECT_EQ(FailedChecks(GenerateInsecureSetup(1)), "");
}

TEST(SetupChecks, ACorruptedPointInEachSectionIsFoundByItsCheck) {  // K58
  const base::Bytes good = GenerateInsecureSetup(2);
  base::Bytes bad = good;  // two points of a section change places
  std::swap_ranges(bad.begin(), bad.begin() + kBytesPerG1, bad.begin() + 7 * kBytesPerG1);
  EXPECT_EQ(FailedChecks(bad), "Lagrange form;");
  bad = good;
  std::swap_ranges(bad.begin() + kG2At + 5 * kBytesPerG2, bad.begin() + kG2At + 6 * kBytesPerG2,
                   bad.begin() + kG2At + 9 * kBytesPerG2);
  EXPECT_EQ(FailedChecks(bad), "powers of G2;");
  bad = good;
  std::swap_ranges(bad.begin() + kMonomialAt + 5 * kBytesPerG1,
                   bad.begin() + kMonomialAt + 6 * kBytesPerG1,
                   bad.begin() + kMonomialAt + 4095 * kBytesPerG1);
  EXPECT_EQ(FailedChecks(bad), "powers of G1;Lagrange form;");
  bad = good;
  std::copy_n(good.begin() + kMonomialAt + kBytesPerG1, kBytesPerG1, bad.begin() + kMonomialAt);
  EXPECT_THAT(FailedChecks(bad), HasSubstr("generators;"));
  bad = good;
  std::copy_n(good.begin() + kG2At + kBytesPerG2, kBytesPerG2, bad.begin() + kG2At);
  EXPECT_THAT(FailedChecks(bad), HasSubstr("generators;"));
}

TEST(SetupChecks, PointsOffTheSubgroupAreNamedWithTheirPlace) {  // K58
  for (const size_t at : {size_t{100} * kBytesPerG1, kMonomialAt + 4000 * kBytesPerG1}) {
    base::Bytes bad = GenerateInsecureSetup(3);
    std::fill_n(bad.begin() + at, kBytesPerG1, 0);
    bad[at] = 0x80;  // x = 0: on the curve, of order three
    EXPECT_THAT(DecodeSetup(bad),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr(at < kG2At ? "in Lagrange form 100: is not in the subgroup"
                                              : "in monomial form 4000: is not in the subgroup")));
  }
}

TEST(SetupBytes, EncodingIsTheInverseOfDecoding) {
  const base::Bytes bytes = GenerateInsecureSetup(4);
  ASSERT_OK_AND_ASSIGN(const SetupPoints points, DecodeSetup(bytes));
  EXPECT_EQ(EncodeSetup(points), bytes);
  EXPECT_NE(SetupIdOf(bytes), SetupIdOf(GenerateInsecureSetup(5)));
}

TEST(Tables, HoldShiftsOfThePointsAndSayTheirSize) {  // K76
  const TablePlan small;
  EXPECT_EQ(small.bytes(), 30'849'024u);  // 29.4 MiB
  EXPECT_EQ(small.name(), "b13-c9-l9");
  const TablePlan plan{.blob_bits = 10, .cell_bits = 7, .lane_bits = 6};
  EXPECT_EQ(testing::TabledSetup().tables()->plan(), plan);
  EXPECT_EQ(testing::TabledSetup().tables()->entries().blob.size(), plan.blob_shape().entries());
}

TEST(Tables, TheSmallestAndTheLargestDigitsGiveTheSame) {  // K67, K70
  const base::Bytes blob(kBytesPerBlob, 0x21);
  const auto expected = CommitAndProve(blob, PlainSetup());
  ASSERT_OK(expected);
  for (const int bits : {4, 15}) {
    const TablePlan plan{.blob_bits = bits, .cell_bits = bits, .lane_bits = bits};
    const auto setup = PlainSetup().WithTables(ProvingTables::Build(PlainSetup(), plan, nullptr));
    const auto result = CommitAndProve(blob, *setup);
    ASSERT_OK(result);
    EXPECT_EQ(result->commitment, expected->commitment) << bits;
    EXPECT_EQ(result->proof, expected->proof) << bits;
  }
}

}  // namespace
}  // namespace slipway::kzg
