// The streams that run now: for /debug/requests (Z146), and to end uploads that went idle.
// Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/json/json.h"
#include "base/sync/mutex.h"

namespace slipway::cas {

class Requests {
 public:
  explicit Requests(base::Clock& clock) : clock_(clock) {}

  // One running stream; gone from the list when it is destroyed.
  class Entry {
   public:
    ~Entry();
    void SetSubject(absl::string_view subject);
    void SetTarget(absl::string_view target);
    void AddBytes(uint64_t bytes) { bytes_ += bytes; }
    uint64_t bytes() const { return bytes_; }
    uint64_t id() const { return id_; }
    // While true the client is the one to act, and its time runs.
    void SetWaiting(bool waiting);
    // Whether it still has been the client's turn for longer than the last ExpireIdle allowed.
    bool IsSilent() const;

   private:
    friend class Requests;
    Requests* owner_ = nullptr;
    uint64_t id_ = 0;
    std::list<std::weak_ptr<Entry>>::iterator place_;  // of owner_'s list, under its lock
    std::string method_, peer_;
    absl::Duration started_at_;
    std::function<void()> expire_;
    std::atomic<uint64_t> bytes_{0};
    std::atomic<int64_t> waiting_since_ns_{-1};  // -1: it is not the client's turn
    base::Mutex mutex_;
    std::string subject_ ABSL_GUARDED_BY(mutex_), target_ ABSL_GUARDED_BY(mutex_);
  };

  // `expire` is called by ExpireIdle, perhaps more than once, and must not block; null: never. What
  // it hands to other threads asks IsSilent again: the client may have acted meanwhile.
  // Outlives its entries.
  std::shared_ptr<Entry> Add(absl::string_view method, absl::string_view peer,
                             std::function<void()> expire = nullptr);
  // Calls expire() of those whose client has been silent for longer than `limit`.
  void ExpireIdle(absl::Duration limit);
  // {"requests": [{"id", "method", "peer", "subject", "target", "bytes", "age_s"}]}, oldest first.
  base::Json ToJson();
  size_t size();

 private:
  std::list<std::shared_ptr<Entry>> Snapshot();

  base::Clock& clock_;
  std::atomic<int64_t> limit_ns_{0};  // of the last ExpireIdle
  base::Mutex mutex_;
  uint64_t last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  std::list<std::weak_ptr<Entry>> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::cas
