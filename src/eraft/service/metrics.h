// Metrics of kvserver (spec 6.7). Thread-safe.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "base/metrics/metrics.h"

namespace slipway::eraft {

// Why writes are refused at the moment, whatever the node says (E167, E171).
enum class Alarm : uint8_t { kNoSpace, kQuota, kMemory };
inline constexpr std::array<Alarm, 3> kAlarms = {Alarm::kNoSpace, Alarm::kQuota, Alarm::kMemory};

inline absl::string_view AlarmName(Alarm alarm) {
  switch (alarm) {
    case Alarm::kNoSpace:
      return "NOSPACE";
    case Alarm::kQuota:
      return "QUOTA";
    case Alarm::kMemory:
      return "MEMORY";
  }
  return "UNKNOWN";
}

class ServiceMetrics {
 public:
  explicit ServiceMetrics(base::Metrics& m)
      : inflight(m.AddGauge("eraft_inflight", "Commands and reads under way.")),
        rejected_inflight(Rejected(m, "inflight")),
        rejected_lag(Rejected(m, "lag")),
        rejected_alarm(Rejected(m, "alarm")),
        rejected_credit(Rejected(m, "credit")),
        rejected_results(Rejected(m, "results")),
        auth_failures(
            m.AddCounter("eraft_auth_failures_total", "Calls refused for who made them.")),
        slow_requests(
            m.AddCounter("eraft_slow_requests_total", "Requests that took longer than slow_log.")),
        sessions(m.AddGauge("eraft_sessions", "Sessions of clients.")),
        sessions_evicted(m.AddCounter("eraft_sessions_evicted_total",
                                      "Sessions removed: expired, or one too many.")),
        dedup_hits(
            m.AddCounter("eraft_dedup_hits_total", "Commands that were answered from a session.")),
        keys(m.AddGauge("eraft_keys", "Keys of clients.")),
        bytes(m.AddGauge("eraft_bytes", "Bytes of clients' keys and values.")),
        engine_bytes(m.AddGauge("eraft_engine_bytes", "Bytes of the engine's files.")),
        disk_free_bytes(m.AddGauge("eraft_disk_free_bytes", "Room on the disk of the data.")),
        reserve_bytes(m.AddGauge("eraft_reserve_bytes", "Held back for a full disk.")),
        waits_for_readmission(m.AddGauge("eraft_waits_for_readmission",
                                         "1 while this node, whose data were lost, is no member.")),
        readmissions_begun(Readmissions(m, "begun")),
        readmissions_done(Readmissions(m, "done")),
        metrics_(m) {}

  base::Gauge& inflight;
  base::Counter& rejected_inflight;
  base::Counter& rejected_lag;
  base::Counter& rejected_alarm;
  base::Counter& rejected_credit;
  base::Counter& rejected_results;
  base::Counter& auth_failures;
  base::Counter& slow_requests;
  base::Gauge& sessions;
  base::Counter& sessions_evicted;
  base::Counter& dedup_hits;
  base::Gauge& keys;
  base::Gauge& bytes;
  base::Gauge& engine_bytes;
  base::Gauge& disk_free_bytes;
  base::Gauge& reserve_bytes;
  base::Gauge& waits_for_readmission;
  base::Counter& readmissions_begun;
  base::Counter& readmissions_done;

  base::Gauge& alarm(Alarm alarm) {
    return metrics_.AddGauge("eraft_alarm", "1 while writes are refused for it.",
                             {{"type", std::string(AlarmName(alarm))}});
  }
  // Of a leader: entries that a member has not yet confirmed.
  base::Gauge& match_lag(uint64_t peer) {
    return metrics_.AddGauge("eraft_raft_peer_match_lag",
                             "Of a leader: entries that the member has not confirmed.",
                             {{"peer", std::to_string(peer)}});
  }
  // Commands of the pipeline, which are no calls of their own.
  static constexpr size_t kOps = 8, kCodes = 16;
  base::Counter& commands(size_t op, absl::string_view op_name, size_t code,
                          absl::string_view code_name) {
    std::atomic<base::Counter*>& known =
        commands_[std::min(op, kOps - 1)][std::min(code, kCodes - 1)];
    base::Counter* counter = known.load(std::memory_order_relaxed);
    if (counter == nullptr) {
      counter = &metrics_.AddCounter(
          "eraft_pipeline_commands_total", "Commands of pipelines, by what they were answered.",
          {{"op", std::string(op_name)}, {"code", std::string(code_name)}});
      known.store(counter, std::memory_order_relaxed);
    }
    return *counter;
  }

 private:
  static base::Counter& Rejected(base::Metrics& m, const char* reason) {
    return m.AddCounter("eraft_rejected_total", "Requests refused at once, by reason.",
                        {{"reason", reason}});
  }
  static base::Counter& Readmissions(base::Metrics& m, const char* event) {
    return m.AddCounter("eraft_readmissions_total",
                        "Of a leader: members that lost their data and are taken in again.",
                        {{"event", event}});
  }
  base::Metrics& metrics_;
  std::array<std::array<std::atomic<base::Counter*>, kCodes>, kOps> commands_ = {};
};

}  // namespace slipway::eraft
