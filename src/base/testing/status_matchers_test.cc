#include "base/testing/status_matchers.h"

#include <gtest/gtest-spi.h>

#include <memory>

namespace slipway::base::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pointee;

TEST(StatusMatchers, TellOkFromErrors) {
  EXPECT_THAT(absl::OkStatus(), IsOk());
  EXPECT_THAT(absl::StatusOr<int>(7), IsOk());
  EXPECT_THAT(absl::NotFoundError("x"), Not(IsOk()));
  EXPECT_THAT(absl::StatusOr<int>(absl::NotFoundError("x")), Not(IsOk()));
}

TEST(StatusMatchers, LookIntoValuesWithoutCopying) {
  EXPECT_THAT(absl::StatusOr<int>(7), IsOkAndHolds(7));
  EXPECT_THAT(absl::StatusOr<int>(7), Not(IsOkAndHolds(8)));
  EXPECT_THAT(absl::StatusOr<int>(absl::NotFoundError("x")), Not(IsOkAndHolds(7)));
  EXPECT_THAT(absl::StatusOr<std::string>("abc"), IsOkAndHolds(HasSubstr("b")));
  EXPECT_THAT(absl::StatusOr<std::unique_ptr<int>>(std::make_unique<int>(7)),
              IsOkAndHolds(Pointee(7)));
}

TEST(StatusMatchers, CompareCodeMessageAndInfo) {
  const absl::Status status =
      MakeError(absl::StatusCode::kFailedPrecondition, "not installed", {"DT010", "deploy it"});
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("installed")));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, "not installed"));
  EXPECT_THAT(status, Not(StatusIs(absl::StatusCode::kNotFound)));
  EXPECT_THAT(status, Not(StatusIs(absl::StatusCode::kFailedPrecondition, "other")));
  EXPECT_THAT(status, HasErrorCode("DT010"));
  EXPECT_THAT(status, Not(HasErrorCode("DT011")));
  EXPECT_THAT(status, HasHint("deploy it"));
  EXPECT_THAT(absl::StatusOr<int>(status), HasErrorCode("DT010"));
  EXPECT_THAT(absl::OkStatus(), Not(HasErrorCode("")));
}

TEST(StatusMatchers, ExplainAFailure) {
  EXPECT_NONFATAL_FAILURE(EXPECT_OK(absl::NotFoundError("no such thing")), "no such thing");
  EXPECT_NONFATAL_FAILURE(
      EXPECT_THAT(absl::StatusOr<int>(absl::NotFoundError("no such thing")), IsOkAndHolds(1)),
      "no such thing");
}

TEST(StatusMatchers, AssignGivesTheValue) {
  ASSERT_OK_AND_ASSIGN(const int value, absl::StatusOr<int>(7));
  ASSERT_OK_AND_ASSIGN(const auto pointer,
                       absl::StatusOr<std::unique_ptr<int>>(std::make_unique<int>(value + 1)));
  EXPECT_EQ(*pointer, 8);
}

}  // namespace
}  // namespace slipway::base::testing
