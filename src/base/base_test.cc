#include <gtest/gtest.h>

#include "absl/strings/string_view.h"

#include "base/bytes.h"
#include "base/limiter.h"
#include "base/random.h"
#include "base/retry.h"
#include "base/status.h"
#include "base/units.h"

namespace slipway::base {
namespace {

TEST(Status, InfoSurvivesAnnotation) {
  const absl::Status status = Annotate(
      MakeError(absl::StatusCode::kNotFound, "gone", {.code = "DT010", .hint = "look"}), "read x");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "read x: gone");
  EXPECT_EQ(GetErrorInfo(status).code, "DT010");
  EXPECT_EQ(GetErrorInfo(status).hint, "look");
}

TEST(Status, InnerInfoWinsOverOuter) {
  const absl::Status status =
      WithInfo(MakeError(absl::StatusCode::kNotFound, "gone", {.code = "DT010", .hint = ""}),
               {.code = "DT099", .hint = "h"});
  EXPECT_EQ(GetErrorInfo(status).code, "DT010");
  EXPECT_EQ(GetErrorInfo(status).hint, "h");
}

TEST(Status, HttpTableIsTheDecidedOne) {
  EXPECT_EQ(HttpStatus(absl::StatusCode::kOutOfRange), 400);
  EXPECT_EQ(HttpStatus(absl::StatusCode::kAborted), 409);
  EXPECT_EQ(HttpStatus(absl::StatusCode::kResourceExhausted), 429);
  EXPECT_EQ(HttpStatus(absl::StatusCode::kDataLoss), 500);
}

TEST(Units, SizesReadAndPrint) {
  struct Case {
    absl::string_view text;
    uint64_t bytes;
  };
  for (const Case& c : {Case{"0", 0}, Case{"17", 17}, Case{"17B", 17}, Case{"64 KiB", 65536},
                        Case{"1.5GiB", 1610612736}, Case{"20GiB", 20 * kGiB}, Case{"1kB", 1000},
                        Case{"0.5kB", 500}, Case{"9223372036854775807", INT64_MAX}}) {
    EXPECT_EQ(ParseSize(c.text).value_or(1), c.bytes) << c.text;
  }
  for (const absl::string_view bad : {"", "-1", "1.5", "0.3KiB", "1 kib", "KiB", "1..5KiB", ".5KiB",
                                      "1e3", "9223372036854775808", "9999999TiB", "5 m"}) {
    EXPECT_EQ(ParseSize(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_EQ(FormatSize(0), "0B");
  EXPECT_EQ(FormatSize(1023), "1023B");
  EXPECT_EQ(FormatSize(1536), "1.5KiB");
  EXPECT_EQ(FormatSize(512 * kMiB), "512MiB");
  EXPECT_EQ(FormatSize(kMiB - 1), "1MiB");
  EXPECT_EQ(FormatSizeDecimal(524288000), "524MB");  // D52
}

TEST(Units, DurationsReadAndPrint) {
  EXPECT_EQ(*ParseDuration("1h30m"), absl::Minutes(90));
  EXPECT_EQ(*ParseDuration("30d"), absl::Hours(720));
  EXPECT_EQ(*ParseDuration("1.5s"), absl::Milliseconds(1500));
  EXPECT_EQ(*ParseDuration("-5ms"), absl::Milliseconds(-5));
  EXPECT_EQ(*ParseDuration("0"), absl::ZeroDuration());
  for (const absl::string_view bad : {"", "5", "s", "1h30", "1x", "1 s", "-", "999999999d"}) {
    EXPECT_EQ(ParseDuration(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_EQ(FormatGoDuration(absl::Minutes(90)), "1h30m");
  EXPECT_EQ(FormatGoDuration(absl::ZeroDuration()), "0s");
}

TEST(Units, TimesReadBackWhatWasPrinted) {
  const absl::Time time = absl::FromUnixSeconds(1705744800);
  EXPECT_EQ(FormatRfc3339(time), "2024-01-20T10:00:00Z");  // D9
  EXPECT_EQ(*ParseRfc3339(FormatRfc3339(time)), time);
  EXPECT_FALSE(ParseRfc3339("2024-01-20 10:00:00").ok());
}

TEST(Bytes, HexRoundTripsAndRefusesWhatItNeverWrites) {
  EXPECT_EQ(ToHex(AsBytes("\x01\xAB")), "01ab");
  EXPECT_EQ(*FromHex("01ab"), (Bytes{1, 0xAB}));
  EXPECT_FALSE(FromHex("0").ok());
  EXPECT_FALSE(FromHex("0G").ok());
  EXPECT_FALSE(FromHex("AB").ok());
}

TEST(Bytes, TerminalTextHasNoControlCharacters) {  // D193
  EXPECT_EQ(EscapeForTerminal("plain \\ text \xC3\xA4"), "plain \\ text \xC3\xA4");
  EXPECT_EQ(EscapeForTerminal("a\x1B[2J\n"), "a\\x1b[2J\\x0a");
  EXPECT_EQ(EscapeForTerminal("bad \xFF byte \xC2\x9B"), "bad \\xff byte \\xc2\\x9b");
  EXPECT_EQ(EscapeForTerminal("\\\n"), "\\\\\\x0a");
}

TEST(Bytes, Utf8KnowsOverlongAndSurrogates) {
  EXPECT_TRUE(IsUtf8("\xF0\x9F\x9A\xA2 \xE2\x82\xAC"));
  for (const absl::string_view bad :
       {"\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82", "\x80"}) {
    EXPECT_FALSE(IsUtf8(bad));
  }
}

TEST(Bytes, ConstantTimeCompareIsACompare) {
  EXPECT_TRUE(EqualConstantTime(AsBytes("abc"), AsBytes("abc")));
  EXPECT_FALSE(EqualConstantTime(AsBytes("abc"), AsBytes("abd")));
  EXPECT_FALSE(EqualConstantTime(AsBytes("abc"), AsBytes("abcd")));
}

class Counting : public Random {
 public:
  void Fill(absl::Span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = next_++;
  }

 private:
  uint8_t next_ = 0;
};

TEST(Random, BelowStaysBelow) {
  Counting random;
  for (uint64_t bound : {uint64_t{1}, uint64_t{3}, uint64_t{1} << 63}) {
    for (int i = 0; i < 100; ++i) EXPECT_LT(random.Below(bound), bound);
  }
}

TEST(Retry, DelaysStayUnderTheDoublingCeilingAndEnd) {
  Counting random;
  Retry retry({.base = absl::Milliseconds(100), .cap = absl::Milliseconds(300), .tries_max = 4},
              random);
  const absl::Status down = absl::UnavailableError("down");
  for (const int ceiling_ms : {100, 200, 300}) {
    const auto delay = retry.Next(down, absl::InfiniteDuration());
    ASSERT_TRUE(delay.has_value());
    EXPECT_LE(*delay, absl::Milliseconds(ceiling_ms));
  }
  EXPECT_FALSE(retry.Next(down, absl::InfiniteDuration()).has_value());
}

TEST(Retry, OnlyWhatMayHealIsRetried) {
  Counting random;
  Retry retry({}, random);
  EXPECT_FALSE(retry.Next(absl::NotFoundError("no"), absl::InfiniteDuration()).has_value());
  EXPECT_FALSE(retry.Next(absl::UnavailableError("x"), absl::ZeroDuration()).has_value());
  EXPECT_EQ(retry.tries(), 1);
}

TEST(Limiter, GivesTheBurstAndThenTheRate) {
  Limiter limiter(/*rate=*/10, /*burst=*/5);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(limiter.TryTake(1, absl::Seconds(1)));
  EXPECT_FALSE(limiter.TryTake(1, absl::Seconds(1)));
  EXPECT_TRUE(limiter.TryTake(1, absl::Seconds(1.1)));
  EXPECT_EQ(limiter.Take(10, absl::Seconds(1.1)), absl::Seconds(1));
}

}  // namespace
}  // namespace slipway::base
