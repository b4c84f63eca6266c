#include "eraft/check/drawing.h"

#include "eraft/check/models.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace slipway::eraft::check {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Drawing, ShowsOrderAndWhatIsLeftOut) {
  std::vector<Operation<RegisterModel>> history = {
      {1, 0, 1, {RegisterModel::Kind::kPut, "k", "a", {}}, RegisterModel::Output{}},
      {2, 2, 3, {RegisterModel::Kind::kGet, "k", "", {}}, RegisterModel::Output{"<b>", false}},
      {3, 2, kNever, {RegisterModel::Kind::kPut, "k", "c", {}}, {}}};
  const Result result = CheckLinearizable(history);
  ASSERT_EQ(result.verdict, Verdict::kIllegal);
  const std::string page = DrawHistory("seed 7", history, result);
  EXPECT_THAT(page, HasSubstr("client 2"));
  EXPECT_THAT(page, HasSubstr("class=\"out\""));
  EXPECT_THAT(page, HasSubstr("open\""));
  EXPECT_THAT(page, HasSubstr("get(k) &quot;&lt;b&gt;&quot;"));
  EXPECT_THAT(page, Not(HasSubstr("<b>")));  // what clients wrote never becomes markup
  EXPECT_THAT(page, Not(HasSubstr("http")));
}

TEST(Drawing, EmptyHistoryIsAPageToo) {
  EXPECT_THAT(DrawHistory("none", std::vector<Box>{}, {}), HasSubstr("0 operations"));
}

}  // namespace
}  // namespace slipway::eraft::check
