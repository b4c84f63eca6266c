#include "eraft/bench/report.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace slipway::eraft::bench {
namespace {

constexpr int kRuleWidth = 18;
constexpr struct {
  const char* title;
  const char* name;
  double share;
} kQuantiles[] = {{"P50 Latency:       ", "p50", 0.5},
                  {"P90 Latency:       ", "p90", 0.9},
                  {"P99 Latency:       ", "p99", 0.99},
                  {"P99.9 Latency:     ", "p999", 0.999}};

std::string Milliseconds(absl::Duration duration) {
  return absl::StrFormat("%.2f ms\n", absl::ToDoubleMilliseconds(duration));
}

}  // namespace

std::string StartText(uint64_t requests, uint64_t clients) {
  return absl::StrCat("Starting benchmark with ", requests, " requests using ", clients,
                      " concurrent clients...\n");
}

std::string ProgressText(uint64_t answered) {
  return absl::StrCat("Progress: ", answered, " requests completed...\n");
}

std::string ResultsText(const Report& report, uint64_t clients) {
  std::string out = absl::StrCat(
      "\nBenchmark Results:\n", std::string(kRuleWidth, '='), "\n",                     //
      "Total Requests:    ", report.requests, "\n",                                     //
      "Concurrent Clients: ", clients, "\n",                                            //
      "Successful:        ", report.succeeded(), "\n",                                  //
      "Failed:            ", report.failed, "\n",                                       //
      "Duration:          ", absl::FormatDuration(report.elapsed()), "\n",              //
      "Throughput:        ", absl::StrFormat("%.2f req/s", report.throughput()), "\n",  //
      "Avg Latency:       ", Milliseconds(report.latency.mean()));
  for (const auto& quantile : kQuantiles) {
    absl::StrAppend(&out, quantile.title, Milliseconds(report.latency.Quantile(quantile.share)));
  }
  absl::StrAppend(&out, "Max Latency:       ", Milliseconds(report.latency.max()));
  if (report.retries > 0) absl::StrAppend(&out, "Sent Again:        ", report.retries, "\n");
  for (const auto& [kind, count] : report.errors) {
    absl::StrAppend(&out, "Error:             ", count, " x ", kind, "\n");
  }
  return out;
}

base::Json ResultsJson(const Report& report, uint64_t clients, absl::Time boot) {
  using base::Json;
  Json errors = Json::MakeObject();
  for (const auto& [kind, count] : report.errors) errors.Set(kind, count);
  Json latency = Json::MakeObject();
  latency.Set("mean", absl::ToDoubleMilliseconds(report.latency.mean()));
  for (const auto& quantile : kQuantiles) {
    latency.Set(quantile.name, absl::ToDoubleMilliseconds(report.latency.Quantile(quantile.share)));
  }
  latency.Set("max", absl::ToDoubleMilliseconds(report.latency.max()));
  Json pauses = Json::MakeArray();
  for (const Pulse::Pause& pause : report.pauses) {
    pauses.Append(Json::MakeObject({{"at_ms", absl::ToUnixMillis(boot + pause.at)},
                                    {"ms", absl::ToDoubleMilliseconds(pause.length)}}));
  }
  Json out = Json::MakeObject();
  out.Set("clients", clients);
  out.Set("requests", report.requests);
  out.Set("succeeded", report.succeeded());
  out.Set("failed", report.failed);
  out.Set("retries", report.retries);
  out.Set("errors", std::move(errors));
  out.Set("seconds", absl::ToDoubleSeconds(report.elapsed()));
  out.Set("throughput", report.throughput());
  out.Set("latency_ms", std::move(latency));
  out.Set("pauses", std::move(pauses));
  return out;
}

}  // namespace slipway::eraft::bench
