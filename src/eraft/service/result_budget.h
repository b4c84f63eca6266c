// How many bytes of results wait for clients, of all calls and streams together (E171): clients
// that ask and do not read must not fill the node's memory. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/sync/mutex.h"

namespace slipway::eraft {

class ResultBudget {
 public:
  class Holder {
   public:
    virtual ~Holder() = default;
    // Gives up what it holds if its client has taken nothing for long. Not from under its lock.
    virtual void EndIfStalled(absl::Duration now) = 0;
  };

  explicit ResultBudget(uint64_t bytes_max) : bytes_max_(bytes_max) {}

  using Holders = std::list<std::weak_ptr<Holder>>;
  // From then on EndIfStalled may come, until Leave.
  Holders::iterator Enter(std::weak_ptr<Holder> holder) {
    base::MutexLock lock(mutex_);
    return holders_.insert(holders_.end(), std::move(holder));
  }
  void Leave(Holders::iterator place) {
    base::MutexLock lock(mutex_);
    holders_.erase(place);
  }
  void Hold(uint64_t bytes) { held_.fetch_add(bytes); }
  void Release(uint64_t bytes) { held_.fetch_sub(bytes); }
  uint64_t held() const { return held_.load(); }
  bool full() const { return held() >= bytes_max_; }

  // When it is full: has the holders look whether they are stalled, at most once in a while. Not on
  // a thread of gRPC, which would end their calls within.
  void Relieve(absl::Duration now) {
    std::vector<std::shared_ptr<Holder>> holders;
    {
      base::MutexLock lock(mutex_);
      if (now - relieved_ < kRelieveEvery) return;
      relieved_ = now;
      for (const auto& one : holders_) {
        if (auto holder = one.lock()) holders.push_back(std::move(holder));
      }
    }
    for (const auto& holder : holders) holder->EndIfStalled(now);
  }

 private:
  static constexpr absl::Duration kRelieveEvery = absl::Milliseconds(500);

  const uint64_t bytes_max_;
  std::atomic<uint64_t> held_{0};
  base::Mutex mutex_;
  Holders holders_ ABSL_GUARDED_BY(mutex_);
  absl::Duration relieved_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
};

}  // namespace slipway::eraft
