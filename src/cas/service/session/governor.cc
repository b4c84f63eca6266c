#include "cas/service/session/governor.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/check.h"

namespace slipway::cas {
namespace {

constexpr absl::Duration kRecoverEvery = absl::Seconds(1);
// Jobs that waited together tell of one overload, not of many.
constexpr absl::Duration kShrinkEvery = absl::Milliseconds(100);

}  // namespace

Governor::Governor(int max, absl::Duration overload_delay, base::Clock& clock, base::Gauge* gauge)
    : max_(max),
      overload_delay_(overload_delay),
      clock_(clock),
      gauge_(gauge),
      value_(max),
      changed_at_(clock.Monotonic()) {
  SLIPWAY_CHECK(max >= 1);
  if (gauge_ != nullptr) gauge_->Set(max);
}

void Governor::Recover(absl::Duration now) {
  const auto steps = static_cast<int64_t>((now - changed_at_) / kRecoverEvery);
  if (steps <= 0) return;
  changed_at_ += steps * kRecoverEvery;
  value_ = static_cast<int>(std::min<int64_t>(max_, value_ + steps));
  if (gauge_ != nullptr) gauge_->Set(value_);
}

void Governor::Observe(absl::Duration delay) {
  if (delay <= overload_delay_) return;
  base::MutexLock lock(mutex_);
  const absl::Duration now = clock_.Monotonic();
  Recover(now);
  if (value_ < max_ && now - changed_at_ < kShrinkEvery) return;
  value_ = std::max(1, value_ / 2);
  changed_at_ = now;
  if (gauge_ != nullptr) gauge_->Set(value_);
}

int Governor::recommended() {
  base::MutexLock lock(mutex_);
  Recover(clock_.Monotonic());
  return value_;
}

IoMetrics::IoMetrics(base::Metrics& m)
    : depth(m.AddGauge("zako_io_queue_depth", "Jobs of the I/O pool that wait for a thread.")),
      seconds(m.AddHistogram("zako_io_queue_seconds", "How long jobs of the I/O pool waited.")) {}

// One job from Submit to its end, whether it runs or is dropped.
class MeteredPool::Ticket {
 public:
  explicit Ticket(MeteredPool& pool) : pool_(pool), since_(pool.clock_.Monotonic()) {
    base::MutexLock lock(pool_.mutex_);
    ++pool_.jobs_;
    pool_.metrics_.depth.Add(1);
  }
  ~Ticket() {
    if (!started_) pool_.metrics_.depth.Add(-1);
    pool_.Leave();
  }
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;

  void Start() {
    started_ = true;
    pool_.metrics_.depth.Add(-1);
    const absl::Duration delay = pool_.clock_.Monotonic() - since_;
    pool_.metrics_.seconds.Observe(absl::ToDoubleSeconds(delay));
    pool_.governor_.Observe(delay);
  }

 private:
  MeteredPool& pool_;
  const absl::Duration since_;
  bool started_ = false;
};

MeteredPool::MeteredPool(base::Pool& pool, base::Clock& clock, Governor& governor,
                         IoMetrics& metrics)
    : pool_(pool), clock_(clock), governor_(governor), metrics_(metrics) {}

MeteredPool::~MeteredPool() {
  base::MutexLock lock(mutex_);
  while (jobs_ > 0) {
    // Helps, as every waiter does: there may be no other thread.
    mutex_.Unlock();
    const bool ran = pool_.RunOne();
    mutex_.Lock();
    if (!ran && jobs_ > 0) changed_.WaitFor(mutex_, absl::Milliseconds(20));
  }
}

void MeteredPool::Leave() {
  base::MutexLock lock(mutex_);
  --jobs_;
  changed_.NotifyAll();
}

absl::Status MeteredPool::Submit(base::Task job) {
  return pool_.Submit([ticket = std::make_unique<Ticket>(*this), job = std::move(job)]() mutable {
    ticket->Start();
    job();
    job = nullptr;  // what it holds ends before the ticket does
  });
}

}  // namespace slipway::cas
