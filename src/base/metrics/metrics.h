// Counters, gauges and histograms, and their text for Prometheus. prometheus-cpp stays in
// metrics.cc.
//
// A folder's metrics are one struct built from the registry that is passed in (STYLE S31):
//
//   struct ReleaseMetrics {
//     explicit ReleaseMetrics(base::Metrics& m)
//         : switched(m.AddCounter("deploy_tool_switches_total",
//                                 "Switches of `current`, by result.", {{"result", "ok"}})) {}
//     base::Counter& switched;
//   };
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace slipway::base {

// Label names and values. Each set is registered by an Add call of its own, which is what keeps the
// sets closed: there is no way to count under a label that nobody registered.
using MetricLabels = std::vector<std::pair<std::string, std::string>>;

// All three: thread-safe, without locks on the hot path of counters and gauges.
class Counter {
 public:
  virtual ~Counter() = default;
  virtual void Increment(double by = 1) = 0;  // CHECK: by >= 0
  virtual double value() const = 0;
};

class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void Set(double value) = 0;
  virtual void Add(double by) = 0;
  virtual double value() const = 0;
};

class Histogram {
 public:
  virtual ~Histogram() = default;
  virtual void Observe(double value) = 0;
  // Adds what an earlier run observed: for each bucket, and for +Inf last, the values in it alone
  // (not cumulative), and their sum. CHECK: as many counts as buckets and one.
  virtual void Merge(absl::Span<const uint64_t> counts, double sum) = 0;
};

enum class MetricKind : uint8_t { kCounter, kGauge, kHistogram };

// One set of labels with its value.
struct MetricSeries {
  MetricLabels labels;  // sorted by name
  double value = 0;     // counter, gauge; the sum of a histogram
  std::vector<std::pair<double, uint64_t>>
      buckets;  // histogram: upper bound, cumulative; +Inf last
};

struct MetricFamily {
  std::string name;
  std::string help;
  MetricKind kind = MetricKind::kCounter;
  std::vector<MetricSeries> series;  // sorted by labels
};

// Upper bounds that fit from one millisecond to five minutes.
std::vector<double> SecondsBuckets();

// The registry. Thread-safe. What it hands out lives as long as it does.
class Metrics {
 public:
  // More sets of labels than this under one name are counted together, with every value "other".
  static constexpr size_t kSeriesMax = 1000;

  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Add twice with the same name and labels gives the same object. CHECK: the name and the names of
  // the labels are Prometheus's, `help` is not empty, and kind, help and buckets are the same each
  // time. Values of labels may be any text.
  Counter& AddCounter(absl::string_view name, absl::string_view help, MetricLabels labels = {});
  Gauge& AddGauge(absl::string_view name, absl::string_view help, MetricLabels labels = {});
  // `buckets`: upper bounds, ascending, without +Inf.
  Histogram& AddHistogram(absl::string_view name, absl::string_view help, MetricLabels labels = {},
                          std::vector<double> buckets = SecondsBuckets());

  // The values of now, sorted by name.
  std::vector<MetricFamily> Collect() const;
  // FormatMetrics(Collect()).
  std::string Text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Prometheus text format 0.0.4: HELP and TYPE before each name, values of labels escaped.
std::string FormatMetrics(absl::Span<const MetricFamily> families);

}  // namespace slipway::base
