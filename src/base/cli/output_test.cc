#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "absl/strings/str_split.h"
#include "base/cli/progress.h"
#include "base/cli/table.h"
#include "base/units.h"

namespace slipway::base::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class HandClock : public Clock {
 public:
  absl::Time Wall() override { return absl::UnixEpoch() + now; }
  absl::Duration Monotonic() override { return now; }
  absl::Duration now = absl::Seconds(1);
};

struct Output {
  std::istringstream in;
  std::ostringstream out, err;
  Streams streams{in, out, err};
};

TEST(DisplayWidth, CountsColumnsOfATerminal) {  // D200
  EXPECT_EQ(DisplayWidth("abc"), 3);
  EXPECT_EQ(DisplayWidth("模型"), 4);
  EXPECT_EQ(DisplayWidth("ü"), 1);
  EXPECT_EQ(DisplayWidth("u\u0308"), 1);  // combining
  EXPECT_EQ(DisplayWidth("🚀"), 2);
  EXPECT_EQ(DisplayWidth("\xff\xfe"), 2);  // not UTF-8
  EXPECT_EQ(DisplayWidth("\xe6\xa8"), 2);  // cut in the middle
  EXPECT_EQ(DisplayWidth(""), 0);
}

TEST(CutToWidth, KeepsWholeCharacters) {
  EXPECT_EQ(CutToWidth("abcdef", 6), "abcdef");
  EXPECT_EQ(CutToWidth("abcdef", 4), "abc…");
  EXPECT_EQ(CutToWidth("模型模型", 5), "模型…");
  EXPECT_EQ(CutToWidth("模型模型", 4), "模…");
  EXPECT_EQ(CutToWidth("abc", 0), "");
}

Table Sample() {
  Table table({{"NAME", Align::kLeft, true}, {"SIZE", Align::kRight}, {"NOTE"}});
  table.AddRow({"模型", "12MiB", "x"});
  table.AddRow({"a-long-name-of-a-component", "1B", ""});
  table.AddRow({"bad\x1b[1m", "-"});
  return table;
}

TEST(Table, AlignsByWidthAndIsWholeWhenPiped) {  // D200
  Output output;
  output.streams.width = 20;
  EXPECT_EQ(Sample().Render(output.streams),
            "NAME                         SIZE  NOTE\n"
            "模型                        12MiB  x\n"
            "a-long-name-of-a-component     1B\n"
            "bad\\x1b[1m                      -\n");
}

TEST(Table, ShrinksOnANarrowTerminal) {
  Output output;
  output.streams.width = 30;
  output.streams.out_is_terminal = true;
  EXPECT_EQ(Sample().Render(output.streams),
            "NAME                SIZE  NOTE\n"
            "模型               12MiB  x\n"
            "a-long-name-of-a…     1B\n"
            "bad\\x1b[1m             -\n");
}

TEST(Table, ColoursTitlesAndTonedRows) {
  Output output;
  output.streams.color_out = true;
  Table table({{"A"}});
  table.AddRow({"x"}, Tone::kRed);
  EXPECT_EQ(table.Render(output.streams), "\x1b[1mA\x1b[0m\n\x1b[31mx\x1b[0m\n");
}

TEST(Progress, IsPlainLinesWhenPiped) {  // D200
  Output output;
  HandClock clock;
  Progress progress(output.streams, clock, {});
  progress.Start({"pack", "model:1", ""});
  EXPECT_EQ(output.err.str(), "pack model:1\n");  // at once
  for (int i = 1; i <= 60; ++i) {
    clock.now += absl::Milliseconds(100);
    progress.Update(static_cast<uint64_t>(i) * kMiB, static_cast<uint64_t>(i));
  }
  progress.Finish();
  EXPECT_EQ(output.err.str(),
            "pack model:1\n"
            "pack model:1: 50MiB, 50 files, 10MiB/s\n"
            "pack model:1: 60MiB, 60 files, 10MiB/s in 6s\n");
}

TEST(Progress, CountsNothingWhereNothingIsCounted) {
  Output output;
  HandClock clock;
  Progress progress(output.streams, clock, {});
  progress.Start({"sync", "", ""});
  clock.now += absl::Milliseconds(20);
  progress.Finish();
  EXPECT_EQ(output.err.str(), "sync\nsync: in 20ms\n");
}

TEST(Progress, IsABarWithTimeLeftOnATerminal) {
  Output output;
  HandClock clock;
  output.streams.err_is_terminal = true;
  {
    Progress progress(output.streams, clock, {});
    progress.Start({"fetch", "", "near"}, 100 * kMiB);
    clock.now += absl::Milliseconds(50);
    progress.Update(1);  // too soon to draw
    clock.now += absl::Seconds(5);
    progress.Update(50 * kMiB);
  }
  EXPECT_EQ(output.err.str(),
            "\r\x1b[Kfetch [..............................] 0B of 100MiB"
            "\r\x1b[Kfetch [###############...............] 50MiB of 100MiB, 9.9MiB/s, 6s left"
            "\r\x1b[K");
}

TEST(Progress, ABarNeverWraps) {
  Output output;
  HandClock clock;
  output.streams.err_is_terminal = true;
  output.streams.width = 24;
  Progress progress(output.streams, clock, {});
  progress.Start({"fetch", "a-component-with-a-long-name:1.0.0", ""}, kGiB);
  for (absl::string_view line : absl::StrSplit(output.err.str(), "\r\x1b[K")) {
    EXPECT_LT(DisplayWidth(line), 24);
  }
}

TEST(Progress, WritesEventLinesForMachines) {  // D201, 6.15
  Output output;
  HandClock clock;
  Progress progress(output.streams, clock, {.mode = ProgressMode::kJson});
  progress.Start({"fetch", "model:1", "near"}, 10);
  clock.now += absl::Seconds(2);
  progress.Update(4, 1);
  progress.Finish();
  const std::vector<std::string> lines = absl::StrSplit(output.err.str(), '\n', absl::SkipEmpty());
  EXPECT_THAT(lines,
              ElementsAre(R"({"event":"progress","phase":"fetch","component":"model:1","bytes":0,)"
                          R"("total":10,"files":0,"rate":0,"source":"near"})",
                          R"({"event":"progress","phase":"fetch","component":"model:1","bytes":4,)"
                          R"("total":10,"files":1,"rate":2,"source":"near"})",
                          R"({"event":"progress","phase":"fetch","component":"model:1","bytes":4,)"
                          R"("total":10,"files":1,"rate":2,"source":"near"})"));
}

TEST(Progress, NoneIsSilentAndNamesAreChecked) {
  Output output;
  HandClock clock;
  Progress progress(output.streams, clock, {.mode = ProgressMode::kNone});
  progress.Start({"pack", "", ""});
  progress.Finish();
  EXPECT_EQ(output.err.str(), "");
  EXPECT_EQ(*ParseProgressMode("json"), ProgressMode::kJson);
  EXPECT_THAT(std::string(ParseProgressMode("x").status().message()), HasSubstr("choose auto"));
}

}  // namespace
}  // namespace slipway::base::cli
