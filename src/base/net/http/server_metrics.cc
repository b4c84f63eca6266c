#include "base/net/http/server_metrics.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/net/http/response.h"

namespace slipway::base::net {
namespace {

constexpr std::array<absl::string_view, 7> kMethods = {"GET",    "HEAD",  "POST",   "PUT",
                                                       "DELETE", "PATCH", "OPTIONS"};
constexpr std::array<absl::string_view, kRefusedCount> kReasons = {
    "connections", "files", "tls", "timeout", "too_large", "malformed", "busy"};

absl::string_view MethodLabel(absl::string_view method) {
  const auto* const found = std::find(kMethods.begin(), kMethods.end(), method);
  return found == kMethods.end() ? absl::string_view("other") : *found;
}

}  // namespace

ServerMetrics::ServerMetrics(Metrics& registry, absl::string_view prefix)
    : registry_(registry),
      requests_name_(absl::StrCat(prefix, "_http_requests_total")),
      connections_(registry.AddGauge(absl::StrCat(prefix, "_http_connections"),
                                     "HTTP connections that are open.")),
      seconds_(registry.AddHistogram(absl::StrCat(prefix, "_http_request_seconds"),
                                     "Time from the last byte of an HTTP request's header to the "
                                     "last byte of its response.")) {
  for (size_t i = 0; i < kRefusedCount; ++i) {
    refused_[i] = &registry.AddCounter(
        absl::StrCat(prefix, "_http_refused_total"),
        "HTTP connections and requests that were turned away before a handler saw them, by reason.",
        {{"reason", std::string(kReasons[i])}});
  }
}

void ServerMetrics::Count(absl::string_view method, int status, absl::Duration took) {
  // Statuses without a phrase are a handler's invention: together, to keep the set closed.
  const int known = ReasonPhrase(status) == "Status" ? 0 : status;
  Counter*& counter = requests_[{MethodLabel(method), known}];
  if (counter == nullptr) {
    counter = &registry_.AddCounter(requests_name_, "HTTP requests answered, by method and status.",
                                    {{"method", std::string(MethodLabel(method))},
                                     {"code", known == 0 ? "other" : absl::StrCat(known)}});
  }
  counter->Increment();
  seconds_.Observe(absl::ToDoubleSeconds(took));
}

}  // namespace slipway::base::net
