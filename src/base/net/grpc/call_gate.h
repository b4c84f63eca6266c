// How many calls run, and what became of them. One for each Server. Thread-safe; no lock on the way
// of a call, but when a code is seen for the first time.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/metrics/metrics.h"
#include "base/sync/cancel.h"

namespace slipway::base::net {

class CallGate {
 public:
  // Codes are 0 to 16; any other counts as UNKNOWN.
  static constexpr size_t kCodes = 17;

  struct Method {
    std::string service, method;  // labels
    Histogram* seconds = nullptr;
    Gauge* inflight = nullptr;  // of the service
    std::array<std::atomic<Counter*>, kCodes> requests = {};
  };

  // Empty `prefix`: no metrics.
  CallGate(int calls_max, Metrics& metrics, absl::string_view prefix);

  // Before the first call. "/package.Service/Method"; twice is once.
  void AddMethod(absl::string_view path);
  // The entry of a path, or that of "other". Never null.
  Method* Find(absl::string_view path);

  // False: `calls_max` calls run already. True: Leave follows.
  bool Enter();
  void Leave();
  int calls() const { return calls_.load(std::memory_order_relaxed); }

  // The end of a drain: the calls that still run are told, and what they end with is UNAVAILABLE.
  void Stop() { stop_.Cancel({CancelReason::Kind::kOther, "the server stops"}); }
  CancelToken stopped() const { return stop_.token(); }

  // Metrics of a call's begin and end.
  void Begin(Method* method);
  void End(Method* method, absl::StatusCode code, absl::Duration took);
  // A call that ended as it began.
  void Count(Method* method, absl::StatusCode code);

 private:
  std::unique_ptr<Method> MakeMethod(absl::string_view service, absl::string_view method);

  const int calls_max_;
  Metrics& metrics_;
  const std::string prefix_;
  std::atomic<int> calls_{0};
  CancelSource stop_;
  std::unordered_map<std::string, std::unique_ptr<Method>> methods_;  // const after the start
  std::unique_ptr<Method> other_;
};

}  // namespace slipway::base::net
