// The text format of Prometheus.
#include <charconv>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/bytes.h"
#include "base/metrics/metrics.h"

namespace slipway::base {
namespace {

std::string Number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  // Counts stay readable: 1e+06 is as right as 1000000, and nobody wants to read it.
  constexpr double kExactMax = 9007199254740992;  // 2^53
  if (std::trunc(value) == value && std::fabs(value) < kExactMax) {
    return absl::StrCat(static_cast<int64_t>(value));
  }
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value);  // the shortest exact
  return std::string(buffer, end.ptr);
}

std::string LabelValue(absl::string_view text) {
  const std::string valid = IsUtf8(text) ? std::string(text) : EscapeForTerminal(text);
  return absl::StrReplaceAll(valid, {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", "\\n"}});
}

// {a="b",c="d"}, with `le` last where it is not empty; nothing for no labels.
std::string LabelText(const MetricLabels& labels, absl::string_view le = "") {
  std::string text;
  for (const auto& [name, value] : labels) {
    absl::StrAppend(&text, text.empty() ? "" : ",", name, "=\"", LabelValue(value), "\"");
  }
  if (!le.empty()) absl::StrAppend(&text, text.empty() ? "" : ",", "le=\"", le, "\"");
  return text.empty() ? text : absl::StrCat("{", text, "}");
}

absl::string_view TypeName(MetricKind kind) {
  switch (kind) {
    case MetricKind::kCounter:
      return "counter";
    case MetricKind::kGauge:
      return "gauge";
    case MetricKind::kHistogram:
      break;
  }
  return "histogram";
}

void AppendHistogram(const std::string& name, const MetricSeries& series, std::string& out) {
  for (const auto& [bound, count] : series.buckets) {
    absl::StrAppend(&out, name, "_bucket", LabelText(series.labels, Number(bound)), " ", count,
                    "\n");
  }
  const uint64_t count = series.buckets.empty() ? 0 : series.buckets.back().second;
  const std::string labels = LabelText(series.labels);
  absl::StrAppend(&out, name, "_sum", labels, " ", Number(series.value), "\n");
  absl::StrAppend(&out, name, "_count", labels, " ", count, "\n");
}

}  // namespace

std::string FormatMetrics(absl::Span<const MetricFamily> families) {
  std::string out;
  for (const MetricFamily& family : families) {
    absl::StrAppend(&out, "# HELP ", family.name, " ",
                    absl::StrReplaceAll(family.help, {{"\\", "\\\\"}, {"\n", "\\n"}}), "\n");
    absl::StrAppend(&out, "# TYPE ", family.name, " ", TypeName(family.kind), "\n");
    for (const MetricSeries& series : family.series) {
      if (family.kind == MetricKind::kHistogram) {
        AppendHistogram(family.name, series, out);
      } else {
        absl::StrAppend(&out, family.name, LabelText(series.labels), " ", Number(series.value),
                        "\n");
      }
    }
  }
  return out;
}

}  // namespace slipway::base
