// How far long work has come: a bar with rate and time left on a terminal, plain lines elsewhere,
// event lines for machines. Thread-safe: workers report, the one who draws draws.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/cli/streams.h"
#include "base/clock.h"
#include "base/sync/mutex.h"

namespace slipway::base::cli {

enum class ProgressMode : uint8_t { kAuto, kBar, kPlain, kJson, kNone };
absl::StatusOr<ProgressMode> ParseProgressMode(absl::string_view name);

// What an event line says beside the numbers (D201); empty texts are left out.
struct ProgressSubject {
  std::string phase;      // "pack", "fetch", …
  std::string component;  // "model:1.0.0"
  std::string source;
};

class Progress {
 public:
  struct Options {
    ProgressMode mode = ProgressMode::kAuto;  // kAuto: kBar on a terminal, else kPlain
    absl::Duration redraw_every = absl::Milliseconds(100);
    absl::Duration line_every = absl::Seconds(5);
  };

  // Writes to `streams.err`. Both outlive this.
  Progress(Streams& streams, Clock& clock, Options options);
  // Clears an unfinished bar.
  ~Progress();

  // Begins a phase and shows it at once. `total_bytes` is absent where nobody knows it yet.
  void Start(ProgressSubject subject, std::optional<uint64_t> total_bytes = std::nullopt);
  // Totals so far, of this phase; may be called as often as one likes.
  void Update(uint64_t bytes, uint64_t files = 0);
  void SetTotal(uint64_t total_bytes);
  // Ends the phase with a last line or event.
  void Finish();

 private:
  void Draw(bool last) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DrawBar(bool last) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DrawJson() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Measure(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string Numbers(bool last) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Streams& streams_;
  Clock& clock_;
  const Options options_;
  const ProgressMode mode_;
  Mutex mutex_;
  ProgressSubject subject_ ABSL_GUARDED_BY(mutex_);
  std::optional<uint64_t> total_ ABSL_GUARDED_BY(mutex_);
  uint64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t files_ ABSL_GUARDED_BY(mutex_) = 0;
  bool active_ ABSL_GUARDED_BY(mutex_) = false;
  bool bar_drawn_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration started_ ABSL_GUARDED_BY(mutex_);
  absl::Duration drawn_ ABSL_GUARDED_BY(mutex_);
  absl::Duration measured_ ABSL_GUARDED_BY(mutex_);
  uint64_t measured_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  double rate_ ABSL_GUARDED_BY(mutex_) = 0;  // bytes a second, smoothed
};

}  // namespace slipway::base::cli
