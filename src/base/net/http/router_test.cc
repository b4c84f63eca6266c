#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/json/json.h"
#include "base/net/http/response.h"
#include "base/net/http/server.h"
#include "base/testing/status_matchers.h"

namespace slipway::base::net {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

HttpHandler Says(absl::string_view text) {
  return [text = std::string(text)](const HttpRequest& request) {
    return HttpResponse{.body = absl::StrCat(text, request.Query("name"))};
  };
}

HttpResponse Ask(const HttpRouter& router, absl::string_view method, absl::string_view path) {
  return router.Handle({.method = std::string(method), .path = std::string(path)});
}

TEST(Router, ChoosesByMethodAndPath) {
  HttpRouter router;
  router.Add("GET", "/a", Says("get"));
  router.Add("POST", "/a", Says("post"));
  router.Add("GET", "/a/b", Says("deep"));
  EXPECT_EQ(Ask(router, "GET", "/a").body, "get");
  EXPECT_EQ(Ask(router, "POST", "/a").body, "post");
  EXPECT_EQ(Ask(router, "GET", "/a/b").body, "deep");
  EXPECT_EQ(Ask(router, "HEAD", "/a").body, "get");
}

TEST(Router, UnknownPathIs404AndUnknownMethodIs405WithAllow) {
  HttpRouter router;
  router.Add("GET", "/a", Says("get"));
  router.Add("PUT", "/a", Says("put"));
  EXPECT_EQ(Ask(router, "GET", "/b").status, 404);
  EXPECT_EQ(Ask(router, "GET", "/a/").status, 404);
  EXPECT_EQ(Ask(router, "GET", "/").status, 404);
  const HttpResponse refused = Ask(router, "DELETE", "/a");
  EXPECT_EQ(refused.status, 405);
  EXPECT_THAT(refused.headers, ElementsAre(Pair("Allow", "GET, HEAD, PUT")));
}

TEST(Router, AParameterIsOneComponentAndTheQueryCannotFakeIt) {
  HttpRouter router;
  router.Add("GET", "/x/{name}", Says("any "));
  router.Add("GET", "/x/fixed", Says("fixed"));
  EXPECT_EQ(Ask(router, "GET", "/x/abc").body, "any abc");
  EXPECT_EQ(Ask(router, "GET", "/x/fixed").body, "fixed");
  EXPECT_EQ(Ask(router, "GET", "/x/a/b").status, 404);
  EXPECT_EQ(Ask(router, "GET", "/x/").status, 404);
  const HttpRequest fake = {.method = "GET", .path = "/x/abc", .query = {{"name", "fake"}}};
  EXPECT_EQ(router.Handle(fake).body, "any abc");
}

TEST(HttpError, CarriesCodeReasonMessageAndRetryAfter) {
  const HttpResponse response = HttpError(WithRetryAfter(
      MakeError(absl::StatusCode::kUnavailable, "storage is full \"now\"", {.code = "ZK0007"}),
      absl::Milliseconds(1500)));
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(response.body,
            "{\"error\":{\"code\":\"UNAVAILABLE\",\"reason\":\"ZK0007\","
            "\"message\":\"storage is full \\\"now\\\"\"}}\n");
  EXPECT_THAT(response.headers, ElementsAre(Pair("Retry-After", "2")));
  EXPECT_EQ(HttpError(absl::NotFoundError("x")).body,
            "{\"error\":{\"code\":\"NOT_FOUND\",\"message\":\"x\"}}\n");
}

TEST(Response, HeadSaysWhatTheServerDecidesOnceAndNoBanner) {
  HttpResponse response{.headers = {{"Content-Length", "99"}, {"Connection", "x"}, {"X-A", "b"}},
                        .body = "abc"};
  const std::string head = FormatHead(response, {.date = "D", .close = true});
  EXPECT_EQ(head,
            "HTTP/1.1 200 OK\r\nDate: D\r\nX-Content-Type-Options: nosniff\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\nX-A: b\r\n"
            "Connection: close\r\n\r\n");
  response.status = 204;
  EXPECT_THAT(FormatHead(response, {}), Not(HasSubstr("Content-Length")));
}

TEST(Response, WhatWouldBreakTheStreamIsMalformed) {
  EXPECT_TRUE(IsWellFormed({.headers = {{"X-A", "b c\t\xff"}}}));
  EXPECT_FALSE(IsWellFormed({.headers = {{"X-A", "b\nc"}}}));
  EXPECT_FALSE(IsWellFormed({.headers = {{"X A", "b"}}}));
  EXPECT_FALSE(IsWellFormed({.headers = {{"", "b"}}}));
  EXPECT_FALSE(IsWellFormed({.status = 100}));
  EXPECT_FALSE(IsWellFormed({.content_type = "a\r\nb"}));
}

TEST(Response, DatesAreThoseOfHttp) {
  EXPECT_EQ(HttpDate(absl::FromUnixSeconds(784111777)), "Sun, 06 Nov 1994 08:49:37 GMT");
}

class HealthRoutes : public ::testing::Test {
 protected:
  HealthRoutes() { AddHealthRoutes(router_, health_, metrics_); }
  HttpResponse Get(absl::string_view path, bool verbose = false) {
    HttpRequest request{.method = "GET", .path = std::string(path)};
    if (verbose) request.query.emplace_back("verbose", "");
    return router_.Handle(request);
  }
  Health health_;
  Metrics metrics_;
  HttpRouter router_;
};

TEST_F(HealthRoutes, AliveFromTheStart) {
  for (const char* path : {"/livez", "/healthz"}) EXPECT_EQ(Get(path).status, 200);
}

TEST_F(HealthRoutes, ReadyOnlyWhileServingWithEveryPart) {
  for (const char* path : {"/readyz", "/ready"}) {
    health_.SetPhase(Health::Phase::kStarting);
    EXPECT_EQ(Get(path).status, 503);
    health_.SetPhase(Health::Phase::kServing);
    EXPECT_EQ(Get(path).status, 200);
    health_.Set("storage", false, "read-only");
    EXPECT_EQ(Get(path).status, 503);
    EXPECT_EQ(Get(path).body, "not ready\n");
    EXPECT_EQ(Get(path, true).body,
              "not ready\n[+] phase serving\n[-] storage failed: read-only\n");
    health_.Set("storage", true);
    EXPECT_EQ(Get(path, true).body, "ok\n[+] phase serving\n[+] storage ok\n");
    health_.SetPhase(Health::Phase::kDraining);
    EXPECT_EQ(Get(path, true).body, "not ready\n[-] phase draining\n[+] storage ok\n");
  }
}

TEST_F(HealthRoutes, SummaryIs503WhileStartingOrDraining) {
  EXPECT_EQ(Get("/health").status, 503);
  EXPECT_EQ(Get("/health").body, "{\"status\":\"starting\",\"ready\":false,\"checks\":[]}\n");
  health_.SetPhase(Health::Phase::kServing);
  health_.Set("storage", true);
  EXPECT_EQ(Get("/health").status, 200);
  EXPECT_EQ(Get("/health").body,
            "{\"status\":\"ok\",\"ready\":true,\"checks\":[{\"name\":\"storage\",\"ok\":true}]}\n");
  health_.Set("storage", false, "EIO");
  EXPECT_EQ(Get("/health").status, 200);
  EXPECT_THAT(Get("/health").body, HasSubstr("\"degraded\""));
  EXPECT_THAT(Get("/health").body, HasSubstr("\"reason\":\"EIO\""));
  health_.SetPhase(Health::Phase::kDraining);
  EXPECT_EQ(Get("/health").status, 503);
}

TEST_F(HealthRoutes, MetricsAreThePrometheusTextOfTheRegistry) {
  metrics_.AddCounter("x_total", "An x.").Increment(3);
  const HttpResponse response = Get("/metrics");
  EXPECT_EQ(response.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(response.body, metrics_.Text());
  EXPECT_THAT(response.body, HasSubstr("x_total 3"));
}

}  // namespace
}  // namespace slipway::base::net
