// Jobs that run in parallel and are taken in order: the middle of every encoder and decoder here.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstring>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "base/bytes.h"
#include "base/codec/buffer.h"
#include "base/pool.h"
#include "base/sync/mutex.h"
#include "base/sync/wait.h"

namespace slipway::base::codec {

// One unit of work and its buffers, which are reused.
struct Slot {
  Buffer input;
  size_t input_bytes = 0;   // of input, that the work is given
  size_t input_used = 0;    // of these, that serial work took
  Buffer output;            // at least output_bytes
  size_t output_bytes = 0;  // that the work produced
  bool ended = false;       // serial work came to the end of its member or frame
  absl::Status status;

  BytesView InputView() const { return input.first(input_bytes); }
  BytesView OutputView() const { return output.first(output_bytes); }
  void AppendInput(BytesView bytes) {
    input.Grow(input_bytes + bytes.size(), input_bytes);
    if (!bytes.empty()) std::memcpy(input.data() + input_bytes, bytes.data(), bytes.size());
    input_bytes += bytes.size();
  }

 private:
  friend class OrderedJobs;
  std::atomic<bool> done{false};
};

// Thread-compatible; the work runs on the pool. Destruction drops work that has not begun and waits
// for the rest.
class OrderedJobs {
 public:
  using Work = absl::AnyInvocable<absl::Status(Slot&)>;

  explicit OrderedJobs(Pool& pool) : group_(pool) {}
  ~OrderedJobs() { dropped_.store(true, std::memory_order_relaxed); }

  // A slot with empty input, kept by the caller until Run.
  std::unique_ptr<Slot> Take();
  // Runs `work` on `slot`, behind those already running; its result becomes slot->status.
  void Run(std::unique_ptr<Slot> slot, Work work);

  size_t size() const { return running_.size(); }
  bool FrontDone() const { return running_.front()->done.load(std::memory_order_acquire); }
  bool BackDone() const { return running_.back()->done.load(std::memory_order_acquire); }
  // Waits for the oldest, and shows it. Only when size() > 0.
  Slot& Front();
  Slot& Back() { return *running_.back(); }
  void PopFront();

 private:
  std::atomic<bool> dropped_{false};
  std::deque<std::unique_ptr<Slot>> running_;
  std::vector<std::unique_ptr<Slot>> free_;
  JobGroup group_;  // last: its destructor waits for jobs that use the rest
};

// Objects that are dear to make and of which each running job needs one. Thread-safe.
template <class T>
class Spares {
 public:
  using Make = absl::AnyInvocable<std::unique_ptr<T>() const>;
  explicit Spares(Make make) : make_(std::move(make)) {}

  std::unique_ptr<T> Take() {
    {
      MutexLock lock(mutex_);
      if (!spares_.empty()) {
        std::unique_ptr<T> spare = std::move(spares_.back());
        spares_.pop_back();
        return spare;
      }
    }
    return make_();
  }
  void Return(std::unique_ptr<T> spare) {
    MutexLock lock(mutex_);
    spares_.push_back(std::move(spare));
  }

 private:
  const Make make_;
  Mutex mutex_;
  std::vector<std::unique_ptr<T>> spares_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::base::codec
