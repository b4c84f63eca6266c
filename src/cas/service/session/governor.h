// How many streams a client should open (Z9), and the pool that measures why. Thread-safe.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/metrics/metrics.h"
#include "base/pool.h"
#include "base/sync/mutex.h"

namespace slipway::cas {

// Additive increase, multiplicative decrease (Chiu and Jain, "Analysis of the increase and decrease
// algorithms", 1989) on the delay of the I/O queue: halved while the delay exceeds the limit, one
// more for each second without that; between 1 and the configured number.
class Governor {
 public:
  Governor(int max, absl::Duration overload_delay, base::Clock& clock, base::Gauge* gauge);
  // A job waited this long.
  void Observe(absl::Duration delay);
  int recommended();

 private:
  void Recover(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int max_;
  const absl::Duration overload_delay_;
  base::Clock& clock_;
  base::Gauge* const gauge_;
  base::Mutex mutex_;
  int value_ ABSL_GUARDED_BY(mutex_);
  absl::Duration changed_at_ ABSL_GUARDED_BY(mutex_);
};

struct IoMetrics {
  explicit IoMetrics(base::Metrics& m);
  base::Gauge& depth;
  base::Histogram& seconds;
};

// A pool that tells how long its jobs wait, and whose end waits for the jobs it was given: what
// they use may be destroyed after it.
class MeteredPool : public base::Pool {
 public:
  MeteredPool(base::Pool& pool, base::Clock& clock, Governor& governor, IoMetrics& metrics);
  ~MeteredPool() override;
  absl::Status Submit(base::Task job) override;
  bool RunOne() override { return pool_.RunOne(); }
  int threads() const override { return pool_.threads(); }

 private:
  class Ticket;
  void Leave();

  base::Pool& pool_;
  base::Clock& clock_;
  Governor& governor_;
  IoMetrics& metrics_;
  base::Mutex mutex_;
  base::CondVar changed_;
  int jobs_ ABSL_GUARDED_BY(mutex_) = 0;  // queued or running
};

}  // namespace slipway::cas
