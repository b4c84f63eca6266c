#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/json/json.h"
#include "base/net/http/server.h"

namespace slipway::base::net {
namespace {

HttpResponse Alive(const HttpRequest&) { return {.body = "ok\n"}; }

HttpResponse Ready(const Health& health, const HttpRequest& request) {
  const bool ready = health.ready();
  HttpResponse response{.status = ready ? 200 : 503, .body = ready ? "ok\n" : "not ready\n"};
  const bool verbose = std::any_of(request.query.begin(), request.query.end(),
                                   [](const auto& pair) { return pair.first == "verbose"; });
  if (!verbose) return response;
  const Health::Phase phase = health.phase();
  absl::StrAppend(&response.body, phase == Health::Phase::kServing ? "[+] " : "[-] ", "phase ",
                  PhaseName(phase), "\n");
  for (const Health::Check& check : health.checks()) {
    absl::StrAppend(&response.body, check.ok ? "[+] " : "[-] ", check.name,
                    check.ok ? " ok" : " failed", check.reason.empty() ? "" : ": ", check.reason,
                    "\n");
  }
  return response;
}

// 503 while starting or draining only: a part that fails makes the process "degraded", and it can
// still say so (/readyz is what takes it out of a load balancer).
HttpResponse Summary(const Health& health) {
  const Health::Phase phase = health.phase();
  const bool serving = phase == Health::Phase::kServing;
  bool all_ok = true;
  Json checks = Json::MakeArray();
  for (const Health::Check& check : health.checks()) {
    all_ok = all_ok && check.ok;
    Json item = Json::MakeObject({{"name", check.name}, {"ok", check.ok}});
    if (!check.reason.empty()) item.Set("reason", check.reason);
    checks.Append(std::move(item));
  }
  const absl::string_view status = !serving ? PhaseName(phase) : all_ok ? "ok" : "degraded";
  Json body = Json::MakeObject({{"status", status}, {"ready", serving && all_ok}});
  body.Set("checks", std::move(checks));
  return {.status = serving ? 200 : 503,
          .content_type = "application/json",
          .body = absl::StrCat(body.Dump(), "\n")};
}

}  // namespace

// At once, but for the metrics, which are much text: whether a server lives is asked most when all
// its threads are busy.
void AddHealthRoutes(HttpRouter& router, Health& health, Metrics& metrics) {
  for (const char* path : {"/livez", "/healthz"}) router.AddAtOnce("GET", path, &Alive);
  for (const char* path : {"/readyz", "/ready"}) {
    router.AddAtOnce("GET", path,
                     [&health](const HttpRequest& request) { return Ready(health, request); });
  }
  router.AddAtOnce("GET", "/health", [&health](const HttpRequest&) { return Summary(health); });
  router.Add("GET", "/metrics", [&metrics](const HttpRequest&) {
    return HttpResponse{.content_type = "text/plain; version=0.0.4; charset=utf-8",
                        .body = metrics.Text()};
  });
}

}  // namespace slipway::base::net
