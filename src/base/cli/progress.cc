#include "base/cli/progress.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/bytes.h"
#include "base/json/json.h"
#include "base/units.h"

namespace slipway::base::cli {
namespace {

constexpr absl::Duration kMeasureEvery = absl::Milliseconds(500);
constexpr double kSmoothing = 0.3;  // weight of the newest half second
constexpr int kBarMax = 30;

ProgressMode Resolve(ProgressMode mode, const Streams& streams) {
  if (mode != ProgressMode::kAuto) return mode;
  return streams.err_is_terminal ? ProgressMode::kBar : ProgressMode::kPlain;
}

}  // namespace

absl::StatusOr<ProgressMode> ParseProgressMode(absl::string_view name) {
  if (name == "auto") return ProgressMode::kAuto;
  if (name == "bar") return ProgressMode::kBar;
  if (name == "plain") return ProgressMode::kPlain;
  if (name == "json") return ProgressMode::kJson;
  if (name == "none") return ProgressMode::kNone;
  return absl::InvalidArgumentError(
      absl::StrCat("show progress as ", name, ": unknown; choose auto, bar, plain, json or none"));
}

Progress::Progress(Streams& streams, Clock& clock, Options options)
    : streams_(streams), clock_(clock), options_(options), mode_(Resolve(options.mode, streams)) {}

Progress::~Progress() {
  MutexLock lock(mutex_);
  if (bar_drawn_) streams_.err << "\r\x1b[K" << std::flush;
}

void Progress::Start(ProgressSubject subject, std::optional<uint64_t> total_bytes) {
  MutexLock lock(mutex_);
  subject_ = std::move(subject);
  total_ = total_bytes;
  bytes_ = files_ = measured_bytes_ = 0;
  rate_ = 0;
  active_ = true;
  started_ = measured_ = clock_.Monotonic();
  Draw(/*last=*/false);
}

void Progress::SetTotal(uint64_t total_bytes) {
  MutexLock lock(mutex_);
  total_ = total_bytes;
}

void Progress::Update(uint64_t bytes, uint64_t files) {
  MutexLock lock(mutex_);
  bytes_ = bytes;
  files_ = files;
  if (!active_) return;
  const absl::Duration now = clock_.Monotonic();
  Measure(now);
  const bool frequent = mode_ == ProgressMode::kBar || mode_ == ProgressMode::kJson;
  if (now - drawn_ >= (frequent ? options_.redraw_every : options_.line_every)) Draw(false);
}

void Progress::Finish() {
  MutexLock lock(mutex_);
  if (!active_) return;
  const double seconds = absl::ToDoubleSeconds(clock_.Monotonic() - started_);
  rate_ = seconds > 0 ? static_cast<double>(bytes_) / seconds : 0;
  Draw(/*last=*/true);
  active_ = false;
}

void Progress::Measure(absl::Duration now) {
  const absl::Duration passed = now - measured_;
  if (passed < kMeasureEvery) return;
  const uint64_t moved = bytes_ > measured_bytes_ ? bytes_ - measured_bytes_ : 0;
  const double newest = static_cast<double>(moved) / absl::ToDoubleSeconds(passed);
  rate_ = rate_ == 0 ? newest : kSmoothing * newest + (1 - kSmoothing) * rate_;
  measured_ = now;
  measured_bytes_ = bytes_;
}

// "1.2GiB of 3GiB, 120 files, 310MiB/s, 6s left"; empty where nothing is counted.
std::string Progress::Numbers(bool last) const {
  if (bytes_ == 0 && files_ == 0 && !total_.has_value()) return "";
  std::string text = FormatSize(bytes_);
  if (total_.has_value() && !last) absl::StrAppend(&text, " of ", FormatSize(*total_));
  if (files_ > 0) absl::StrAppend(&text, ", ", files_, files_ == 1 ? " file" : " files");
  if (rate_ >= 1) absl::StrAppend(&text, ", ", FormatSize(static_cast<uint64_t>(rate_)), "/s");
  if (!last && total_.has_value() && rate_ >= 1 && *total_ > bytes_) {
    const double left = std::ceil(static_cast<double>(*total_ - bytes_) / rate_);
    // Beyond a few days the guess says nothing.
    if (left < 1e6) absl::StrAppend(&text, ", ", FormatGoDuration(absl::Seconds(left)), " left");
  }
  return text;
}

void Progress::Draw(bool last) {
  drawn_ = clock_.Monotonic();
  const std::string title = absl::StrCat(subject_.phase, subject_.component.empty() ? "" : " ",
                                         EscapeForTerminal(subject_.component));
  switch (mode_) {
    case ProgressMode::kAuto:
    case ProgressMode::kNone:
      return;
    case ProgressMode::kJson:
      DrawJson();
      return;
    case ProgressMode::kBar:
      DrawBar(last);
      return;
    case ProgressMode::kPlain:
      break;
  }
  std::string line = Numbers(last);
  if (last) {
    absl::StrAppend(&line, line.empty() ? "in " : " in ",
                    FormatGoDuration(absl::Trunc(drawn_ - started_, absl::Milliseconds(1))));
  }
  streams_.err << title << (line.empty() ? "" : ": ") << line << "\n" << std::flush;
}

void Progress::DrawBar(bool last) {
  const std::string title = absl::StrCat(subject_.phase, subject_.component.empty() ? "" : " ",
                                         EscapeForTerminal(subject_.component));
  std::string line = absl::StrCat(title, " ");
  const std::string numbers = Numbers(last);
  const int room = streams_.width - DisplayWidth(line) - DisplayWidth(numbers) - 4;
  if (total_.has_value() && *total_ > 0 && room >= 8 && !last) {
    const int cells = std::min(kBarMax, room);
    const double done = std::min(1.0, static_cast<double>(bytes_) / static_cast<double>(*total_));
    const auto filled = static_cast<size_t>(done * cells);
    absl::StrAppend(&line, "[", std::string(filled, '#'),
                    std::string(static_cast<size_t>(cells) - filled, '.'), "] ");
  }
  line = CutToWidth(absl::StrCat(line, numbers), std::max(1, streams_.width - 1));
  streams_.err << "\r\x1b[K" << line << (last ? "\n" : "") << std::flush;
  bar_drawn_ = !last;
}

void Progress::DrawJson() {
  Json event = Json::MakeObject({{"event", "progress"}, {"phase", subject_.phase}});
  if (!subject_.component.empty()) event.Set("component", subject_.component);
  event.Set("bytes", bytes_);
  event.Set("total", total_.has_value() ? Json(*total_) : Json());
  event.Set("files", files_);
  event.Set("rate", static_cast<uint64_t>(rate_));
  if (!subject_.source.empty()) event.Set("source", subject_.source);
  streams_.err << event.Dump() << "\n" << std::flush;
}

}  // namespace slipway::base::cli
