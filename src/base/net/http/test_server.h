// A running server with routes for tests. Thread-compatible.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "base/metrics/metrics.h"
#include "base/net/http/server.h"
#include "base/net/http/test_client.h"
#include "base/os/pool.h"
#include "base/sync/mutex.h"
#include "base/testing/status_matchers.h"

namespace slipway::base::net {

// A door that a handler waits at.
class Door {
 public:
  void Open() {
    MutexLock lock(mutex_);
    open_ = true;
    changed_.NotifyAll();
  }
  // False: not opened within half a minute.
  bool Await() {
    MutexLock lock(mutex_);
    while (!open_) {
      if (!changed_.WaitFor(mutex_, absl::Seconds(30))) return false;
    }
    return true;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
};

class SwitchedPool : public Pool {
 public:
  absl::Status Submit(Task job) override {
    if (full) return absl::ResourceExhaustedError("full");
    return pool_.Submit(std::move(job));
  }
  bool RunOne() override { return pool_.RunOne(); }
  int threads() const override { return pool_.threads(); }
  std::atomic<bool> full = false;

 private:
  os::ThreadPool pool_{"http-test", 4, 1000};
};

// Routes: GET /hello; POST /echo; GET /name/{name}; GET /big (32 MiB); GET /bad (a malformed
// answer); GET /wait (until `go` opens); GET /cancel (until the call is cancelled); GET /call.
class HttpServerTest : public ::testing::Test {
 protected:
  HttpServerTest() {
    options_.addresses = {"127.0.0.1:0"};
    options_.metric_prefix = "test";
    // Long enough for a busy machine; a test of one sets it.
    options_.header_timeout = options_.body_timeout = options_.handler_timeout =
        options_.write_timeout = options_.idle_timeout = absl::Seconds(60);
  }

  void Start() {
    HttpRouter router;
    AddRoutes(router);
    absl::StatusOr<std::unique_ptr<HttpServer>> server =
        HttpServer::Start(options_, std::move(router), pool_, metrics_);
    ASSERT_OK(server);
    server_ = *std::move(server);
  }
  int port() const { return server_->port(); }
  TestClient Client() { return TestClient(port()); }
  // One request on a connection of its own.
  TestResponse Ask(absl::string_view request) { return Client().Ask(request); }
  double Value(absl::string_view line) const {
    for (const absl::string_view found : absl::StrSplit(metrics_.Text(), '\n')) {
      if (!absl::StartsWith(found, absl::StrCat(line, " "))) continue;
      double value = 0;
      if (absl::SimpleAtod(found.substr(line.size() + 1), &value)) return value;
    }
    return -1;
  }

  SwitchedPool pool_;
  Metrics metrics_;
  HttpServerOptions options_;
  Door go_, entered_, cancelled_;
  std::atomic<int> reason_ = -1;        // CancelReason::Kind that /cancel saw
  std::unique_ptr<HttpServer> server_;  // last: its end waits for the handlers

 private:
  void AddRoutes(HttpRouter& router) {
    router.Add("GET", "/hello", [](const HttpRequest&) { return HttpResponse{.body = "hello\n"}; });
    router.Add("POST", "/echo",
               [](const HttpRequest& request) { return HttpResponse{.body = request.body}; });
    router.Add("GET", "/name/{name}", [](const HttpRequest& request) {
      return HttpResponse{.body = std::string(request.Query("name"))};
    });
    router.Add("GET", "/big",
               [](const HttpRequest&) { return HttpResponse{.body = std::string(32 << 20, 'x')}; });
    router.Add("GET", "/bad", [](const HttpRequest&) {
      return HttpResponse{.headers = {{"X-A", "a\r\nSet-Cookie: b"}}, .body = "secret"};
    });
    router.Add("GET", "/wait", [this](const HttpRequest&) {
      entered_.Open();
      EXPECT_TRUE(go_.Await());
      return HttpResponse{.body = "waited\n"};
    });
    router.Add("GET", "/cancel", [this](const HttpRequest& request) {
      Door over;
      const auto handle = request.call.cancel.OnCancel([&] { over.Open(); });
      entered_.Open();
      const bool told = over.Await();
      EXPECT_TRUE(told);
      if (told) reason_ = static_cast<int>(request.call.cancel.reason().kind);
      cancelled_.Open();
      return HttpResponse{.body = "late\n"};
    });
    router.Add("GET", "/call", [](const HttpRequest& request) {
      const Call& call = request.call;
      return HttpResponse{.body = absl::StrCat(call.peer, "|", call.subject, "|",
                                               call.authorization, "|", call.trace.trace_id(), "|",
                                               request.Header("authorization"))};
    });
  }
};

}  // namespace slipway::base::net
