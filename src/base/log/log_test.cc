#include "base/log/log.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <thread>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/log/format.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace slipway::base {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using testing::IsOkAndHolds;
using ::testing::MatchesRegex;
using testing::StatusIs;
using testing::TempDir;

class FixedClock : public Clock {
 public:
  absl::Time Wall() override {
    return absl::FromUnixMillis(1705744800123) + absl::Microseconds(999);
  }
  absl::Duration Monotonic() override { return absl::ZeroDuration(); }
};

class LogTest : public ::testing::Test {
 protected:
  ~LogTest() override { ResetLog(); }

  LogOptions InFile() const { return {.logger = "program", .file = file()}; }
  std::string file() const { return dir_.Join("test.log"); }
  std::string Text() const {
    std::ostringstream text;
    text << std::ifstream(file()).rdbuf();
    return text.str();
  }

  TempDir dir_;
  FixedClock clock_;
};

TEST_F(LogTest, TextLine) {
  ASSERT_OK(ConfigureLog(InFile(), clock_));
  SLIPWAY_LOG(kInfo, "version switched", {{"component", "model"}, {"version", "1.4.0"}});
  SLIPWAY_LOG(kWarn, "slow", {{"seconds", 1.5}, {"retries", 3}, {"final", false}, {"delta", -2}});
  SLIPWAY_LOG(kError, "failed");
  EXPECT_EQ(Text(),
            "2024-01-20 10:00:00.123 [INFO] version switched component=model version=1.4.0\n"
            "2024-01-20 10:00:00.123 [WARN] slow seconds=1.5 retries=3 final=false delta=-2\n"
            "2024-01-20 10:00:00.123 [ERROR] failed\n");
}

TEST_F(LogTest, TextLineWithoutMilliseconds) {  // D52
  LogOptions options = InFile();
  options.text_milliseconds = false;
  ASSERT_OK(ConfigureLog(options, clock_));
  SLIPWAY_LOG(kInfo, "deployed", {{"size", "524MB"}});
  EXPECT_EQ(Text(), "2024-01-20 10:00:00 [INFO] deployed size=524MB\n");
}

TEST_F(LogTest, JsonLine) {
  LogOptions options = InFile();
  options.format = LogOptions::Format::kJson;
  ASSERT_OK(ConfigureLog(options, clock_));
  SLIPWAY_LOG(kInfo, "version switched",
              {{"version", "1.4.0"}, {"bytes", uint64_t{1} << 40}, {"ok", true}, {"n", "5"}});
  EXPECT_EQ(Text(),
            "{\"time\":\"2024-01-20T10:00:00.123Z\",\"level\":\"info\",\"logger\":\"program\","
            "\"msg\":\"version switched\",\"version\":\"1.4.0\",\"bytes\":1099511627776,"
            "\"ok\":true,\"n\":\"5\"}\n");
}

TEST(LogFormat, TextValuesAreQuotedWhereNeeded) {
  const auto value = [](absl::string_view text) {
    const LogField fields[] = {{"k", text}};
    return internal::FormatTextBody(LogLevel::kInfo, "m", fields).substr(strlen("[INFO] m k="));
  };
  EXPECT_EQ(value("plain-1.0/x"), "plain-1.0/x");
  EXPECT_EQ(value("C:\\y"), "C:\\y");
  EXPECT_EQ(value("C:\\x41"), "\"C:\\\\x41\"");  // or it would look like an escaped A
  EXPECT_EQ(value(""), R"("")");
  EXPECT_EQ(value("two words"), R"("two words")");
  EXPECT_EQ(value("a=b"), R"("a=b")");
  EXPECT_EQ(value("say \"hi\""), R"("say \"hi\"")");
  EXPECT_EQ(value("a\\ \"b"), R"("a\\ \"b")");
  EXPECT_EQ(value("line\nbreak"), R"("line\x0abreak")");
  EXPECT_EQ(value("\x1b[31mred"), R"("\x1b[31mred")");
  EXPECT_EQ(value("\xff"), R"("\xff")");
  EXPECT_EQ(value("größe"), "größe");
}

TEST(LogFormat, OneCallIsOneLine) {
  const LogField fields[] = {{"k", "a\nb\r"}};
  for (const std::string& line :
       {internal::FormatTextBody(LogLevel::kInfo, "m\nforged", fields),
        internal::FormatJsonLine(absl::UnixEpoch(), "l", LogLevel::kInfo, "m\nforged", fields)}) {
    EXPECT_EQ(line.find_first_of("\r\n"), std::string::npos) << line;
  }
}

TEST(LogFormat, JsonStringsAreValid) {
  const LogField fields[] = {{"a", "q\"b\\t\tn\n\x01"},
                             {"b", "\xff\"x"},
                             {"c", "größe"},
                             {"d", std::numeric_limits<double>::infinity()},
                             {"e", -1.5}};
  EXPECT_THAT(internal::FormatJsonLine(absl::UnixEpoch(), "", LogLevel::kError, "m", fields),
              EndsWith(R"("level":"error","msg":"m","a":"q\"b\\t\tn\n\u0001","b":"\\xff\"x",)"
                       R"("c":"größe","d":"inf","e":-1.5})"));
}

TEST_F(LogTest, LevelsBelowAreOffAndTheirFieldsNotEvaluated) {
  LogOptions options = InFile();
  options.level = LogLevel::kWarn;
  ASSERT_OK(ConfigureLog(options, clock_));
  int evaluated = 0;
  SLIPWAY_LOG(kInfo, "no", {{"n", ++evaluated}});
  SLIPWAY_LOG(kWarn, "yes", {{"n", ++evaluated}});
  EXPECT_EQ(evaluated, 1);
  EXPECT_THAT(Text(), EndsWith("[WARN] yes n=1\n"));
  options.level = LogLevel::kOff;
  ASSERT_OK(ConfigureLog(options, clock_));
  EXPECT_FALSE(LogEnabled(LogLevel::kError));
  EXPECT_FALSE(LogEnabled(LogLevel::kOff));
}

TEST_F(LogTest, RotatesBySizeAndKeepsSoMany) {
  LogOptions options = InFile();
  options.max_size_bytes = 200;
  options.max_backups = 2;
  ASSERT_OK(ConfigureLog(options, clock_));
  for (int i = 0; i < 30; ++i) SLIPWAY_LOG(kInfo, "a line of some length", {{"i", i}});
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
    ++count;
    EXPECT_LE(entry.file_size(), 200u) << entry.path();
  }
  EXPECT_EQ(count, 3u);
  EXPECT_THAT(Text(), EndsWith("i=29\n"));
}

TEST_F(LogTest, AppendsToTheFileThatIsThere) {
  std::ofstream(file()) << "before\n";
  ASSERT_OK(ConfigureLog(InFile(), clock_));
  SLIPWAY_LOG(kInfo, "after");
  EXPECT_EQ(Text(), "before\n2024-01-20 10:00:00.123 [INFO] after\n");
}

TEST_F(LogTest, AFileThatCannotBeOpenedKeepsTheOldLog) {
  ASSERT_OK(ConfigureLog(InFile(), clock_));
  EXPECT_THAT(ConfigureLog({.file = dir_.Join("missing/x.log")}, clock_),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("missing/x.log")));
  EXPECT_THAT(ConfigureLog({.file = dir_.path()}, clock_),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  SLIPWAY_LOG(kInfo, "still here");
  EXPECT_THAT(Text(), EndsWith("still here\n"));
}

TEST_F(LogTest, StandardErrorBesideTheFileOrAlone) {
  LogOptions options = InFile();
  options.to_stderr = true;
  ::testing::internal::CaptureStderr();
  ASSERT_OK(ConfigureLog(options, clock_));
  SLIPWAY_LOG(kInfo, "both");
  ASSERT_OK(ConfigureLog({}, clock_));
  SLIPWAY_LOG(kInfo, "alone");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "2024-01-20 10:00:00.123 [INFO] both\n2024-01-20 10:00:00.123 [INFO] alone\n");
  EXPECT_EQ(Text(), "2024-01-20 10:00:00.123 [INFO] both\n");
}

TEST_F(LogTest, BeforeConfigurationWarningsGoToStandardError) {
  ::testing::internal::CaptureStderr();
  SLIPWAY_LOG(kInfo, "no");
  SLIPWAY_LOG(kWarn, "yes", {{"k", 1}});
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              MatchesRegex("....-..-.. ..:..:..\\.... \\[WARN\\] yes k=1\n"));
}

TEST_F(LogTest, LinesOfManyThreadsStayWhole) {
  ASSERT_OK(ConfigureLog(InFile(), clock_));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 50; ++i) SLIPWAY_LOG(kInfo, "line", {{"thread", t}, {"i", i}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<std::string> lines = absl::StrSplit(Text(), '\n', absl::SkipEmpty());
  EXPECT_EQ(lines.size(), 200u);
  std::sort(lines.begin(), lines.end());
  EXPECT_EQ(std::unique(lines.begin(), lines.end()), lines.end());
}

TEST(ParseLogLevel, KnowsTheFiveNames) {
  EXPECT_THAT(ParseLogLevel("debug"), IsOkAndHolds(LogLevel::kDebug));
  EXPECT_THAT(ParseLogLevel("INFO"), IsOkAndHolds(LogLevel::kInfo));
  EXPECT_THAT(ParseLogLevel("warn"), IsOkAndHolds(LogLevel::kWarn));
  EXPECT_THAT(ParseLogLevel("warning"), IsOkAndHolds(LogLevel::kWarn));
  EXPECT_THAT(ParseLogLevel("error"), IsOkAndHolds(LogLevel::kError));
  EXPECT_THAT(ParseLogLevel("off"), IsOkAndHolds(LogLevel::kOff));
  EXPECT_THAT(ParseLogLevel("verbose"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("debug, info")));
}

}  // namespace
}  // namespace slipway::base
