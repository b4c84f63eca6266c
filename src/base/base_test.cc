#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <string>
#include <vector>

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

// S14: which errno is which code, all of them.
TEST(Status, ErrnoTableIsTheDocumentedOne) {
  using absl::StatusCode;
  const std::map<int, StatusCode> table = {{ENOENT, StatusCode::kNotFound},
                                           {EEXIST, StatusCode::kAlreadyExists},
                                           {EACCES, StatusCode::kPermissionDenied},
                                           {EPERM, StatusCode::kPermissionDenied},
                                           {EROFS, StatusCode::kPermissionDenied},
                                           {ENOSPC, StatusCode::kResourceExhausted},
                                           {EDQUOT, StatusCode::kResourceExhausted},
                                           {EMFILE, StatusCode::kResourceExhausted},
                                           {ENFILE, StatusCode::kResourceExhausted},
                                           {ENOMEM, StatusCode::kResourceExhausted},
                                           {ENOTDIR, StatusCode::kFailedPrecondition},
                                           {EISDIR, StatusCode::kFailedPrecondition},
                                           {ENOTEMPTY, StatusCode::kFailedPrecondition},
                                           {ELOOP, StatusCode::kFailedPrecondition},
                                           {EXDEV, StatusCode::kFailedPrecondition},
                                           {EBUSY, StatusCode::kFailedPrecondition},
                                           {ETXTBSY, StatusCode::kFailedPrecondition},
                                           {EIO, StatusCode::kDataLoss},
                                           {EINVAL, StatusCode::kInvalidArgument},
                                           {ENAMETOOLONG, StatusCode::kInvalidArgument},
                                           {E2BIG, StatusCode::kInvalidArgument},
                                           {ERANGE, StatusCode::kInvalidArgument},
                                           {EINTR, StatusCode::kCancelled},
                                           {ENOSYS, StatusCode::kUnimplemented},
                                           {EOPNOTSUPP, StatusCode::kUnimplemented},
                                           {EAGAIN, StatusCode::kUnavailable},
                                           {ETIMEDOUT, StatusCode::kDeadlineExceeded}};
  for (int error = 1; error < 134; ++error) {  // all that Linux has
    const auto known = table.find(error);
    EXPECT_EQ(ErrnoError(error, "x").code(),
              known == table.end() ? StatusCode::kUnknown : known->second)
        << std::strerror(error);
  }
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
  EXPECT_EQ(*ParseDuration("1.00000000000000000d"), absl::Hours(24));
  EXPECT_EQ(*ParseDuration("0.00000000000000001d"), absl::ZeroDuration());
  EXPECT_EQ(*ParseDuration("1.9ns"), absl::Nanoseconds(1));
  EXPECT_EQ(*ParseDuration("105850d"), absl::Hours(24 * 105850));
  EXPECT_EQ(*ParseDuration("-105850d"), -absl::Hours(24 * 105850));
  for (const absl::string_view bad : {"", "5", "s", "1h30", "1x", "1 s", "-", "999999999d",
                                      "105850d1ns", "9999999999999999999d", "inf"}) {
    EXPECT_EQ(ParseDuration(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_EQ(FormatGoDuration(absl::Minutes(90)), "1h30m");
  EXPECT_EQ(FormatGoDuration(absl::ZeroDuration()), "0s");
}

TEST(Units, TimesReadBackWhatWasPrinted) {
  const absl::Time time = absl::FromUnixSeconds(1705744800);
  EXPECT_EQ(FormatRfc3339(time), "2024-01-20T10:00:00Z");  // D9
  EXPECT_EQ(*ParseRfc3339(FormatRfc3339(time)), time);
  EXPECT_EQ(*ParseRfc3339("2024-01-20T11:00:00.25+01:00"), time + absl::Milliseconds(250));
  for (const absl::string_view bad :
       {"2024-01-20 10:00:00", "infinite-future", "infinite-past", " 2024-01-20T10:00:00Z",
        "2024-01-20T10:00:00Z ", "20240-01-20T10:00:00Z", "-024-01-20T10:00:00Z",
        "2024-1-20T10:00:00Z", "2024-01-20T10:00:00", "2024-01-20T10:00:00.Z",
        "2024-13-20T10:00:00Z", "2024-02-30T10:00:00Z", "2024-01-20T24:00:00Z",
        "2024-01-20T10:00:00+0100", ""}) {
    EXPECT_EQ(ParseRfc3339(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

TEST(Units, TimesBeyondTheYearsOfFourDigitsArePrintedAsTheNearest) {
  EXPECT_EQ(FormatRfc3339(absl::InfiniteFuture()), "9999-12-31T23:59:59Z");
  EXPECT_EQ(FormatRfc3339(absl::InfinitePast()), "0000-01-01T00:00:00Z");
  EXPECT_EQ(FormatRfc3339(absl::FromUnixSeconds(INT64_MAX / 2)), "9999-12-31T23:59:59Z");
  for (const absl::Time end : {absl::InfiniteFuture(), absl::InfinitePast()}) {
    EXPECT_TRUE(ParseRfc3339(FormatRfc3339(end)).ok());
  }
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

TEST(Bytes, EscapedTextsNeverLookTheSame) {
  // All short texts of the bytes that could be confused.
  std::map<std::string, std::string> seen;
  std::vector<std::string> texts = {""};
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::string shown = EscapeForTerminal(texts[i]);
    const auto [other, fresh] = seen.emplace(shown, texts[i]);
    EXPECT_TRUE(fresh) << shown;
    if (texts[i].size() < 5) {
      for (const char c : {'\\', 'x', '0', 'a', '\n'}) texts.push_back(texts[i] + c);
    }
  }
  EXPECT_EQ(EscapeForTerminal("a\\x0a"), "a\\\\x0a");
}

TEST(Bytes, TerminalTextReadsInTheOrderInWhichItStands) {
  EXPECT_EQ(EscapeForTerminal("a\u202eb"), "a\\xe2\\x80\\xaeb");  // right to left from here on
  for (const absl::string_view mark : {"\u061c", "\u200e", "\u200f", "\u2028", "\u2029", "\u202a",
                                       "\u202e", "\u2066", "\u2069", "\ufeff", "\U000e0041"}) {
    EXPECT_EQ(EscapeForTerminal(mark).substr(0, 2), "\\x") << ToHex(AsBytes(mark));
  }
  for (const absl::string_view text : {"\u200d", "\u2027", "\u202f", "\u05d0", "\U0001f6a2"}) {
    EXPECT_EQ(EscapeForTerminal(text), text);
  }
}

TEST(Bytes, FirstCharacterDecodes) {
  const auto first = [](absl::string_view text) {
    const Utf8Character character = FirstCharacter(text);
    return std::pair(static_cast<uint32_t>(character.code), character.bytes);
  };
  EXPECT_EQ(first("ab"), std::pair(uint32_t{'a'}, size_t{1}));
  EXPECT_EQ(first("\u00e4x"), std::pair(uint32_t{0xE4}, size_t{2}));
  EXPECT_EQ(first("\u20ac"), std::pair(uint32_t{0x20AC}, size_t{3}));
  EXPECT_EQ(first("\U0010ffff"), std::pair(uint32_t{0x10FFFF}, size_t{4}));
  for (const absl::string_view bad : {"", "\xC0\x80", "\xE2\x82", "\x80"}) {
    EXPECT_EQ(FirstCharacter(bad).bytes, 0u);
  }
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

// Gives these numbers, one after the other.
class Scripted : public Random {
 public:
  explicit Scripted(std::vector<uint64_t> numbers) : numbers_(std::move(numbers)) {}
  void Fill(absl::Span<uint8_t> out) override {
    ASSERT_EQ(out.size(), sizeof(uint64_t));
    ASSERT_LT(next_, numbers_.size());
    StoreLittle<uint64_t>(out.data(), numbers_[next_++]);
  }
  size_t used() const { return next_; }

 private:
  std::vector<uint64_t> numbers_;
  size_t next_ = 0;
};

TEST(Random, BelowFavoursNoNumber) {
  // 2^64 is no multiple of 10: the last, incomplete run of ten is drawn again.
  Scripted random({UINT64_MAX, UINT64_MAX - 5, 7});
  EXPECT_EQ(random.Below(10), 7u);
  EXPECT_EQ(random.used(), 3u);
  Scripted last({UINT64_MAX - 6});
  EXPECT_EQ(last.Below(10), 9u);
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
