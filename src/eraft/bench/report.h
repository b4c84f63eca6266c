// What came of a load, for people and for programs (spec 6.3, E81). Thread-compatible: free
// functions.
#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "base/json/json.h"
#include "eraft/bench/load.h"

namespace slipway::eraft::bench {

// Lines as the reference's `bench` prints them; behind them what it did not measure.
std::string StartText(uint64_t requests, uint64_t clients);
std::string ProgressText(uint64_t answered);
std::string ResultsText(const Report& report, uint64_t clients);

// {clients, requests, succeeded, failed, retries, errors, seconds, throughput, latency_ms: {mean,
// p50, p90, p99, p999, max}, pauses: [{at_ms, ms}]}. `boot`: the wall time at which the monotonic
// clock was zero, so that at_ms is Unix time.
base::Json ResultsJson(const Report& report, uint64_t clients, absl::Time boot);

}  // namespace slipway::eraft::bench
