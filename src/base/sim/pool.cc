#include "base/sim/pool.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace slipway::base::sim {

absl::Status Pool::Submit(Task job) {
  const MutexLock lock(mutex_);
  if (jobs_.size() >= queue_max_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("submit a job: ", queue_max_, " are waiting already"));
  }
  jobs_.push_back(std::move(job));
  return absl::OkStatus();
}

bool Pool::RunOne() {
  Task job;
  {
    const MutexLock lock(mutex_);
    if (jobs_.empty()) return false;
    std::swap(jobs_[static_cast<size_t>(choices_.Below(jobs_.size()))], jobs_.back());
    job = std::move(jobs_.back());
    jobs_.pop_back();
  }
  job();
  return true;
}

void Pool::RunAll() {
  while (RunOne()) {
  }
}

size_t Pool::waiting() {
  const MutexLock lock(mutex_);
  return jobs_.size();
}

}  // namespace slipway::base::sim
