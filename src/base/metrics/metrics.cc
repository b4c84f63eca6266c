#include "base/metrics/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "base/check.h"
#include "base/sync/mutex.h"

namespace slipway::base {
namespace {

class PromCounter : public Counter {
 public:
  void Increment(double by) override {
    SLIPWAY_CHECK(by >= 0);
    counter_.Increment(by);
  }
  double value() const override { return counter_.Value(); }
  MetricSeries Collect() const { return {.value = counter_.Value()}; }

 private:
  prometheus::Counter counter_;
};

class PromGauge : public Gauge {
 public:
  void Set(double value) override { gauge_.Set(value); }  // NaN: not shown until it is set again
  void Add(double by) override { gauge_.Increment(by); }
  double value() const override { return gauge_.Value(); }
  MetricSeries Collect() const { return {.value = gauge_.Value()}; }

 private:
  prometheus::Gauge gauge_;
};

class PromHistogram : public Histogram {
 public:
  explicit PromHistogram(const std::vector<double>& buckets)
      : bucket_count_(buckets.size() + 1), histogram_(buckets) {}
  void Observe(double value) override { histogram_.Observe(value); }
  void Merge(absl::Span<const uint64_t> counts, double sum) override {
    SLIPWAY_CHECK(counts.size() == bucket_count_);
    histogram_.ObserveMultiple(std::vector<double>(counts.begin(), counts.end()), sum);
  }
  MetricSeries Collect() const {
    const prometheus::ClientMetric::Histogram now = histogram_.Collect().histogram;
    MetricSeries series{.value = now.sample_sum};
    for (const auto& bucket : now.bucket) {
      series.buckets.emplace_back(bucket.upper_bound, bucket.cumulative_count);
    }
    return series;
  }

 private:
  const size_t bucket_count_;
  prometheus::Histogram histogram_;
};

bool IsName(absl::string_view name, bool colons) {
  if (name.empty() || absl::ascii_isdigit(static_cast<unsigned char>(name[0]))) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || (colons && c == ':');
  });
}

void CheckLabels(const MetricLabels& sorted, MetricKind kind) {
  for (size_t i = 0; i < sorted.size(); ++i) {
    const std::string& name = sorted[i].first;
    SLIPWAY_CHECK(IsName(name, /*colons=*/false));
    SLIPWAY_CHECK(!absl::StartsWith(name, "__"));
    SLIPWAY_CHECK(kind != MetricKind::kHistogram || name != "le");
    SLIPWAY_CHECK(i == 0 || sorted[i - 1].first != name);
  }
}

struct Family {
  MetricKind kind = MetricKind::kCounter;
  std::string help;
  std::vector<double> buckets;
  // By labels; only the map of `kind` is used.
  std::map<MetricLabels, std::unique_ptr<PromCounter>> counters;
  std::map<MetricLabels, std::unique_ptr<PromGauge>> gauges;
  std::map<MetricLabels, std::unique_ptr<PromHistogram>> histograms;
};

// The object for `labels`, made by `make` when it is new.
template <class T, class Make>
T& FindOrAdd(std::map<MetricLabels, std::unique_ptr<T>>& series, MetricLabels labels, Make make) {
  auto found = series.find(labels);
  if (found == series.end() && series.size() >= Metrics::kSeriesMax) {
    for (auto& [name, value] : labels) value = "other";
    found = series.find(labels);
  }
  if (found == series.end()) found = series.emplace(std::move(labels), make()).first;
  return *found->second;
}

template <class T>
void CollectAll(const std::map<MetricLabels, std::unique_ptr<T>>& from, MetricFamily& to) {
  for (const auto& [labels, metric] : from) {
    MetricSeries series = metric->Collect();
    if (std::isnan(series.value)) continue;  // it speaks of nothing now
    to.series.push_back(std::move(series));
    to.series.back().labels = labels;
  }
}

}  // namespace

std::vector<double> SecondsBuckets() {
  return {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300};
}

struct Metrics::State {
  mutable Mutex mutex;
  std::map<std::string, Family> families ABSL_GUARDED_BY(mutex);

  // The family `name`, made when it is new. Sorts and checks `labels`.
  Family& Open(absl::string_view name, absl::string_view help, MetricKind kind,
               MetricLabels& labels) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    SLIPWAY_CHECK(IsName(name, /*colons=*/true));
    SLIPWAY_CHECK(!help.empty());
    std::sort(labels.begin(), labels.end());
    CheckLabels(labels, kind);
    const auto [found, added] = families.try_emplace(std::string(name));
    Family& family = found->second;
    if (added) {
      family.kind = kind;
      family.help = std::string(help);
    }
    SLIPWAY_CHECK(family.kind == kind);
    SLIPWAY_CHECK(family.help == help);
    return family;
  }
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

Counter& Metrics::AddCounter(absl::string_view name, absl::string_view help, MetricLabels labels) {
  MutexLock lock(state_->mutex);
  Family& family = state_->Open(name, help, MetricKind::kCounter, labels);
  return FindOrAdd(family.counters, std::move(labels),
                   [] { return std::make_unique<PromCounter>(); });
}

Gauge& Metrics::AddGauge(absl::string_view name, absl::string_view help, MetricLabels labels) {
  MutexLock lock(state_->mutex);
  Family& family = state_->Open(name, help, MetricKind::kGauge, labels);
  return FindOrAdd(family.gauges, std::move(labels), [] { return std::make_unique<PromGauge>(); });
}

Histogram& Metrics::AddHistogram(absl::string_view name, absl::string_view help,
                                 MetricLabels labels, std::vector<double> buckets) {
  SLIPWAY_CHECK(!buckets.empty());
  SLIPWAY_CHECK(std::is_sorted(buckets.begin(), buckets.end(), std::less_equal<double>()));
  SLIPWAY_CHECK(buckets.back() < std::numeric_limits<double>::infinity());
  MutexLock lock(state_->mutex);
  Family& family = state_->Open(name, help, MetricKind::kHistogram, labels);
  if (family.buckets.empty()) family.buckets = buckets;
  SLIPWAY_CHECK(family.buckets == buckets);
  return FindOrAdd(family.histograms, std::move(labels),
                   [&] { return std::make_unique<PromHistogram>(buckets); });
}

std::vector<MetricFamily> Metrics::Collect() const {
  MutexLock lock(state_->mutex);
  std::vector<MetricFamily> result;
  for (const auto& [name, family] : state_->families) {
    MetricFamily& out = result.emplace_back();
    out.name = name;
    out.help = family.help;
    out.kind = family.kind;
    CollectAll(family.counters, out);
    CollectAll(family.gauges, out);
    CollectAll(family.histograms, out);
  }
  return result;
}

std::string Metrics::Text() const { return FormatMetrics(Collect()); }

}  // namespace slipway::base
