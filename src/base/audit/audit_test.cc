#include "base/audit/audit.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_replace.h"
#include "base/sim/clock.h"
#include "base/sim/files.h"
#include "base/testing/status_matchers.h"

namespace slipway::base {
namespace {

using absl::StatusCode;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::IsOk;
using ::testing::Not;
using testing::StatusIs;

class AuditTest : public ::testing::Test {
 protected:
  std::unique_ptr<AuditLog> Open() {
    auto log = AuditLog::Open(files_, "/log/audit.jsonl", clock_);
    EXPECT_THAT(log, IsOk());
    return log.ok() ? *std::move(log) : nullptr;
  }
  void Write(AuditLog& log, absl::string_view op, absl::Status outcome = absl::OkStatus()) {
    log.Write({.actor = "ada",
               .peer = "ipv4:127.0.0.1:1",
               .op = std::string(op),
               .target = "blake3:00/5",
               .request_id = "7",
               .outcome = std::move(outcome),
               .fields = Json::MakeObject({{"bytes", 5}})});
  }
  std::string Text() {
    return ReadUserFile(files_, "/log/audit.jsonl", 1 << 20).value_or("unreadable");
  }
  void Replace(absl::string_view text) {
    auto dir = files_.OpenRoot("/log");
    ASSERT_THAT(dir, IsOk());
    ASSERT_OK(WriteFileDurably(**dir, "audit.jsonl", text));
  }
  sim::Clock clock_;
  sim::Files files_{1};
};

TEST_F(AuditTest, TellsWhoDidWhatAndWhatCameOfIt) {  // Z144
  auto log = Open();
  Write(*log, "upload");
  Write(*log, "delete", absl::PermissionDeniedError("no"));
  Write(*log, "download", absl::NotFoundError("no"));
  const std::string text = Text();
  EXPECT_OK(VerifyAudit(text));
  EXPECT_THAT(text, AllOf(HasSubstr(R"("actor":"ada","bytes":5,"code":"OK")"),
                          HasSubstr(R"("op":"delete")"), HasSubstr(R"("result":"denied")"),
                          HasSubstr(R"("result":"failed")"),
                          HasSubstr(R"("ts":"2024-01-20T10:00:00.000Z")")));
}

TEST_F(AuditTest, ARecordOfAnySizeIsCutSoThatTheLogIsOpenedAgain) {  // E192
  const std::string huge(200'000, '\x01');                           // six bytes each, in JSON
  Open()->Write({.actor = huge,
                 .peer = huge,
                 .op = "set_option",
                 .target = "\xc3\xa4" + huge,
                 .request_id = huge,
                 .outcome = absl::InvalidArgumentError("no"),
                 .fields = Json::MakeObject({{"before", huge}})});
  EXPECT_LT(Text().size(), 64u << 10);
  EXPECT_THAT(Text(), AllOf(HasSubstr(R"("cut":true)"), HasSubstr("\"target\":\"\xc3\xa4")));
  auto again = Open();
  ASSERT_NE(again, nullptr);
  Write(*again, "next");
  EXPECT_OK(VerifyAudit(Text()));
}

TEST_F(AuditTest, CallersThatAreDeniedDoNotFillTheDisk) {  // E192
  auto log = Open();
  for (int i = 0; i < 250; ++i) Write(*log, "delete", absl::PermissionDeniedError("no"));
  EXPECT_THAT(Text(), AllOf(HasSubstr(R"("seq":100,)"), Not(HasSubstr(R"("seq":101,)"))));
  Write(*log, "upload");
  EXPECT_THAT(Text(), HasSubstr(R"("denied_left_out":150,)"));
  Write(*log, "upload");
  EXPECT_THAT(Text(), Not(HasSubstr(R"("denied_left_out":0)")));
  EXPECT_OK(VerifyAudit(Text()));
}

TEST_F(AuditTest, AChangeOrAGapShows) {
  auto log = Open();
  for (const char* op : {"a", "b", "c"}) Write(*log, op);
  const std::string text = Text();
  EXPECT_THAT(VerifyAudit(absl::StrReplaceAll(text, {{R"("op":"b")", R"("op":"x")"}})),
              StatusIs(StatusCode::kDataLoss, HasSubstr("record 2")));
  const size_t first = text.find('\n') + 1;
  const size_t second = text.find('\n', first) + 1;
  EXPECT_THAT(VerifyAudit(text.substr(0, first) + text.substr(second)),
              StatusIs(StatusCode::kDataLoss, HasSubstr("record 2")));
}

TEST_F(AuditTest, GoesOnAfterARestartAndATornLine) {
  Write(*Open(), "a");
  Replace(Text() + "{\"torn");
  Write(*Open(), "b");
  EXPECT_OK(VerifyAudit(Text()));
  EXPECT_THAT(Text(), HasSubstr(R"("seq":2)"));
}

TEST_F(AuditTest, ADamagedEndIsNotContinued) {
  Write(*Open(), "a");
  Replace(absl::StrReplaceAll(Text(), {{"ada", "eve"}}));
  EXPECT_THAT(AuditLog::Open(files_, "/log/audit.jsonl", clock_),
              StatusIs(StatusCode::kDataLoss, HasSubstr("move the file away")));
}

TEST_F(AuditTest, HasOneWriterAtATime) {
  auto log = Open();
  Write(*log, "a");
  EXPECT_THAT(AuditLog::Open(files_, "/log/audit.jsonl", clock_), StatusIs(StatusCode::kAborted));
  Write(*log, "b");
  log.reset();
  Write(*Open(), "c");
  EXPECT_OK(VerifyAudit(Text()));
}

}  // namespace
}  // namespace slipway::base
