// A load without its network: which client may send its next request when, and what came of all of
// them (E30, E81).
//
// Closed: each of `clients` sends as soon as it has its answer. Open (`rate`): requests fall due at
// a fixed rate whatever the servers do; one that has to wait for a free client is late, and its
// latency counts from when it was due, so that a server that stands still cannot hide it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/sync/mutex.h"
#include "eraft/bench/histogram.h"
#include "eraft/bench/workload.h"

namespace slipway::eraft::bench {

struct LoadOptions {
  uint64_t clients = 1;     // requests under way at most
  uint64_t requests = 0;    // to be measured; 0: as many as come in `duration`
  bool shares = false;      // each client sends as many; else whoever is free sends the next
  absl::Duration duration;  // measured; ignored where `requests` is given
  absl::Duration warm_up;   // before; what is due in it is sent and not counted
  double rate = 0;          // requests a second; 0: closed
  absl::Duration pause_min = absl::Milliseconds(100);  // without any success, to be told
};

// Times without any success, over all parts of a load. Thread-safe.
class Pulse {
 public:
  struct Pause {
    absl::Duration at;  // of the monotonic clock: the last success before
    absl::Duration length;
  };
  explicit Pulse(absl::Duration pause_min) : pause_min_(pause_min) {}
  void Start(absl::Duration now);
  void Beat(absl::Duration now);
  std::vector<Pause> pauses() const;

 private:
  const absl::Duration pause_min_;
  mutable base::Mutex mutex_;
  absl::Duration last_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  std::vector<Pause> pauses_ ABSL_GUARDED_BY(mutex_);
};

struct Result {
  // Empty: done. Else the kind of the error in a few words, of which there are few different ones.
  std::string error;
  uint64_t retries = 0;
};

struct Report {
  Histogram latency;  // of what succeeded
  uint64_t requests = 0, failed = 0, retries = 0;
  std::map<std::string, uint64_t> errors;                                            // by kind
  absl::Duration begin = absl::InfiniteDuration(), end = -absl::InfiniteDuration();  // monotonic
  std::vector<Pulse::Pause> pauses;

  uint64_t succeeded() const { return requests - failed; }
  absl::Duration elapsed() const;
  double throughput() const;      // successes a second
  void Add(const Report& other);  // of another part of the same load
};

// One part of a load. Thread-compatible; its owner sends what Next gives, tells Answered, and asks
// again then and when `due` is over.
class Load {
 public:
  // All outlives this. `progress`: client 0 has had so many answers; null: nobody wants to know.
  Load(const LoadOptions& options, base::Clock& clock, Workload& workload, Pulse& pulse,
       std::function<void(uint64_t)> progress = nullptr);

  struct Send {
    uint64_t client;
    Request request;
  };
  void Start();
  // A request that is to be sent now; nothing: no client is free, none is due, or that was all.
  std::optional<Send> Next();
  void Answered(uint64_t client, const Result& result);
  // How long until a request is due that a free client waits for. Infinite: only an answer helps.
  absl::Duration due() const;
  // Nothing is under way and nothing comes any more.
  bool over() const { return busy_ == 0 && !More(clock_.Monotonic()); }
  // Sends nothing more; what is under way is waited for.
  void Stop() { stopped_ = true; }
  const Report& report() const { return report_; }

 private:
  struct Client {
    absl::Duration due;   // of what is under way
    bool counts = false;  // it was due after the warm-up
    uint64_t sent = 0, answered = 0;
    uint64_t share = 0;  // that it may send
  };
  bool More(absl::Duration now) const;
  absl::Duration NextDue() const { return begin_ + interval_ * static_cast<double>(sent_); }

  const LoadOptions options_;
  base::Clock& clock_;
  Workload& workload_;
  Pulse& pulse_;
  const std::function<void(uint64_t)> progress_;
  const absl::Duration interval_;  // zero: closed
  std::vector<Client> clients_;
  std::vector<uint64_t> free_;  // clients that may send
  absl::Duration begin_, measure_, stop_;
  uint64_t sent_ = 0, counted_ = 0;
  uint64_t busy_ = 0;
  bool stopped_ = false;
  Report report_;
};

}  // namespace slipway::eraft::bench
