#include "eraft/bench/load.h"

#include <algorithm>
#include <utility>

namespace slipway::eraft::bench {
namespace {

constexpr size_t kPausesMax = 10'000;

}  // namespace

// ---- Pulse ----

void Pulse::Start(absl::Duration now) {
  const base::MutexLock lock(mutex_);
  last_ = std::max(last_, now);
}

void Pulse::Beat(absl::Duration now) {
  const base::MutexLock lock(mutex_);
  if (now - last_ >= pause_min_ && pauses_.size() < kPausesMax) {
    pauses_.push_back({last_, now - last_});
  }
  last_ = std::max(last_, now);
}

std::vector<Pulse::Pause> Pulse::pauses() const {
  const base::MutexLock lock(mutex_);
  return pauses_;
}

// ---- Report ----

absl::Duration Report::elapsed() const { return std::max(end - begin, absl::ZeroDuration()); }

double Report::throughput() const {
  const double seconds = absl::ToDoubleSeconds(elapsed());
  return seconds > 0 ? static_cast<double>(succeeded()) / seconds : 0;
}

void Report::Add(const Report& other) {
  latency.Add(other.latency);
  requests += other.requests;
  failed += other.failed;
  retries += other.retries;
  for (const auto& [kind, count] : other.errors) errors[kind] += count;
  begin = std::min(begin, other.begin);
  end = std::max(end, other.end);
  pauses.insert(pauses.end(), other.pauses.begin(), other.pauses.end());
}

// ---- Load ----

Load::Load(const LoadOptions& options, base::Clock& clock, Workload& workload, Pulse& pulse,
           std::function<void(uint64_t)> progress)
    : options_(options),
      clock_(clock),
      workload_(workload),
      pulse_(pulse),
      progress_(std::move(progress)),
      interval_(options.rate > 0 ? absl::Seconds(1) / options.rate : absl::ZeroDuration()),
      clients_(options.clients) {
  for (uint64_t i = 0; i < options_.clients; ++i) {
    const bool more = i < options_.requests % options_.clients;
    clients_[i].share = options_.requests / options_.clients + (more ? 1 : 0);
  }
  for (uint64_t i = options_.clients; i-- > 0;) {  // taken from the end: client 0 first
    if (!options_.shares || clients_[i].share > 0) free_.push_back(i);
  }
}

void Load::Start() {
  begin_ = clock_.Monotonic();
  measure_ = begin_ + options_.warm_up;
  stop_ = options_.requests > 0 ? absl::InfiniteDuration() : measure_ + options_.duration;
  report_.begin = measure_;
  pulse_.Start(begin_);
}

bool Load::More(absl::Duration now) const {
  if (stopped_ || (options_.requests > 0 && counted_ >= options_.requests)) return false;
  return (interval_ > absl::ZeroDuration() ? NextDue() : now) < stop_;
}

absl::Duration Load::due() const {
  const absl::Duration now = clock_.Monotonic();
  if (free_.empty() || !More(now)) return absl::InfiniteDuration();
  if (interval_ == absl::ZeroDuration()) return absl::ZeroDuration();
  return std::max(NextDue() - now, absl::ZeroDuration());
}

std::optional<Load::Send> Load::Next() {
  const absl::Duration now = clock_.Monotonic();
  if (free_.empty() || !More(now)) return std::nullopt;
  const bool open = interval_ > absl::ZeroDuration();
  const absl::Duration due = open ? NextDue() : now;
  if (due > now) return std::nullopt;
  const uint64_t index = free_.back();
  free_.pop_back();
  Client& client = clients_[index];
  client.due = due;
  client.counts = due >= measure_;
  if (client.counts) ++counted_;
  ++sent_;
  ++busy_;
  return Send{index, workload_.Next(index, client.sent++)};
}

void Load::Answered(uint64_t index, const Result& result) {
  const absl::Duration now = clock_.Monotonic();
  Client& client = clients_[index];
  --busy_;
  ++client.answered;
  if (result.error.empty()) pulse_.Beat(now);
  if (client.counts) {
    ++report_.requests;
    report_.retries += result.retries;
    report_.end = std::max(report_.end, now);
    if (result.error.empty()) {
      report_.latency.Record(now - client.due);
    } else {
      ++report_.failed;
      ++report_.errors[result.error];
    }
  }
  if (!options_.shares || client.sent < client.share) free_.push_back(index);
  if (index == 0 && progress_ != nullptr) progress_(client.answered);
}

}  // namespace slipway::eraft::bench
