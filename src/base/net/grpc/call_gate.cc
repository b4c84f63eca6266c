#include "base/net/grpc/call_gate.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutant.h"

namespace slipway::base::net {

CallGate::CallGate(int calls_max, Metrics& metrics, absl::string_view prefix)
    : calls_max_(calls_max),
      metrics_(metrics),
      prefix_(prefix),
      other_(MakeMethod("other", "other")) {}

std::unique_ptr<CallGate::Method> CallGate::MakeMethod(absl::string_view service,
                                                       absl::string_view method) {
  auto made = std::make_unique<Method>();
  made->service = std::string(service);
  made->method = std::string(method);
  if (prefix_.empty()) return made;
  made->seconds = &metrics_.AddHistogram(absl::StrCat(prefix_, "_rpc_seconds"),
                                         "Time from the first byte of a call to its status.",
                                         {{"service", made->service}, {"method", made->method}});
  made->inflight = &metrics_.AddGauge(absl::StrCat(prefix_, "_rpc_inflight"), "Calls that run now.",
                                      {{"service", made->service}});
  return made;
}

void CallGate::AddMethod(absl::string_view path) {
  const std::string key(path);
  if (methods_.find(key) != methods_.end()) return;
  const size_t slash = path.rfind('/');
  if (slash == absl::string_view::npos || slash == 0) return;
  methods_[key] = MakeMethod(path.substr(1, slash - 1), path.substr(slash + 1));
}

CallGate::Method* CallGate::Find(absl::string_view path) {
  const auto found = methods_.find(std::string(path));
  return found == methods_.end() ? other_.get() : found->second.get();
}

bool CallGate::Enter() {
  if (SLIPWAY_MUTANT("calls-unlimited")) return true;
  if (calls_.fetch_add(1, std::memory_order_relaxed) < calls_max_) return true;
  Leave();
  return false;
}

void CallGate::Leave() { calls_.fetch_sub(1, std::memory_order_relaxed); }

void CallGate::Begin(Method* method) {
  if (method->inflight != nullptr) method->inflight->Add(1);
}

void CallGate::End(Method* method, absl::StatusCode code, absl::Duration took) {
  if (method->inflight != nullptr) method->inflight->Add(-1);
  if (method->seconds != nullptr) method->seconds->Observe(absl::ToDoubleSeconds(took));
  Count(method, code);
}

void CallGate::Count(Method* method, absl::StatusCode code) {
  if (prefix_.empty()) return;
  auto index = static_cast<size_t>(code);
  if (index >= kCodes) {
    code = absl::StatusCode::kUnknown;
    index = static_cast<size_t>(code);
  }
  std::atomic<Counter*>& slot = method->requests[index];
  Counter* counter = slot.load(std::memory_order_acquire);
  if (counter == nullptr) {
    // Two threads here get the same counter.
    counter = &metrics_.AddCounter(absl::StrCat(prefix_, "_rpc_requests_total"),
                                   "Finished calls by their status.",
                                   {{"service", method->service},
                                    {"method", method->method},
                                    {"code", absl::StatusCodeToString(code)}});
    slot.store(counter, std::memory_order_release);
  }
  counter->Increment();
}

}  // namespace slipway::base::net
