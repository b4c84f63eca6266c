#include "eraft/node/jobs.h"

#include <utility>

namespace slipway::eraft {

void Jobs::Run(base::Task work, base::Task done) {
  auto job = std::make_shared<Job>(Job{std::move(work), std::move(done)});
  if (!waiting_.empty() || !Submit(job)) waiting_.push_back(std::move(job));
}

void Jobs::Retry() {
  while (!waiting_.empty() && Submit(waiting_.front())) waiting_.pop_front();
}

bool Jobs::Submit(const std::shared_ptr<Job>& job) {
  return pool_.Submit([self = shared_from_this(), job] { self->RunHere(*job); }).ok();
}

void Jobs::RunHere(Job& job) {
  {
    const base::MutexLock lock(mutex_);
    if (stopped_) return;
    ++running_;
  }
  job.work();
  job.work = nullptr;  // lets go of what it holds, before anybody hears that it is done
  // Posted while Stop still waits: the loop is there.
  Post([self = shared_from_this(), done = std::move(job.done)]() mutable {
    done();
    self->Retry();
  });
  const base::MutexLock lock(mutex_);
  --running_;
  idle_.NotifyAll();
}

void Jobs::Post(base::Task task) {
  if (stopped()) return;
  loop_.Post([self = shared_from_this(), task = std::move(task)]() mutable {
    if (!self->stopped()) task();
  });
}

bool Jobs::stopped() {
  const base::MutexLock lock(mutex_);
  return stopped_;
}

void Jobs::Stop() {
  {
    const base::MutexLock lock(mutex_);
    stopped_ = true;
    while (running_ > 0) idle_.Wait(mutex_);
  }
  waiting_.clear();
}

}  // namespace slipway::eraft
