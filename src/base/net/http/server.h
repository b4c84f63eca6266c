// HTTP/1.1 server: bounded requests, deadlines for each operation, TLS. Boost.Beast stays in the
// .cc. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/metrics/metrics.h"
#include "base/net/call.h"
#include "base/net/health.h"
#include "base/net/tls.h"
#include "base/pool.h"
#include "base/status.h"

namespace slipway::base::net {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;  // names in lower case

struct HttpRequest {
  std::string method;                                      // "GET"
  std::string path;                                        // decoded, normalised, begins with '/'
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  HttpHeaders headers;
  std::string body;
  Call call;

  // The first value, or "".
  absl::string_view Header(absl::string_view lower_case_name) const;
  absl::string_view Query(absl::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  HttpHeaders headers;
  std::string body;
};

// {"error": {"code", "reason", "message"}} with the table's status (base::HttpStatus), and
// Retry-After where the status carries it. CHECK: not OK.
HttpResponse HttpError(const absl::Status& status);

// Runs on the pool; may block.
using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

// Routes by method and path; "/debug/{name}" matches one component, found in the query as "name"
// before what the client wrote there; of several patterns the one with the fewest such names wins.
// A HEAD is answered by GET's handler. 404 and 405 (with Allow) by itself. Thread-compatible until
// the server starts, const after.
class HttpRouter {
 public:
  void Add(absl::string_view method, absl::string_view pattern, HttpHandler handler);
  // The same for a handler that never blocks: it runs on the thread of the server, and so answers
  // when the pool is full or stuck.
  void AddAtOnce(absl::string_view method, absl::string_view pattern, HttpHandler handler);
  HttpResponse Handle(const HttpRequest& request) const;
  bool AnswersAtOnce(const HttpRequest& request) const;

 private:
  struct Route {
    std::string method;
    std::vector<std::string> parts;
    HttpHandler handler;
    bool at_once = false;
  };
  struct Match;
  Match Find(const HttpRequest& request) const;
  std::vector<Route> routes_;
};

// /livez /healthz, /readyz /ready (?verbose), /health (JSON), /metrics.
void AddHealthRoutes(HttpRouter& router, Health& health, Metrics& metrics);

struct HttpServerOptions {
  std::vector<std::string> addresses;
  std::shared_ptr<TlsWatcher> tls;  // null: plain text
  size_t header_bytes_max = 16 << 10;
  size_t body_bytes_max = 1 << 20;
  size_t memory_bytes_max = 64 << 20;  // of all bodies, in and out, together; over it: 503
  int connections_max = 4096;          // over it: the new one is closed, and counted
  absl::Duration header_timeout = absl::Seconds(10);  // from the first byte to the last header
  absl::Duration body_timeout = absl::Seconds(30);
  absl::Duration handler_timeout = absl::Seconds(30);
  absl::Duration write_timeout = absl::Seconds(30);  // of one response
  absl::Duration idle_timeout = absl::Seconds(60);   // between requests
  std::string metric_prefix;  // <prefix>_http_requests_total{method,code}, _http_request_seconds
};

// A client that sends no further byte (it went away, or closed its sending side) cancels the call
// of its running request; an answer is written all the same, for those that only half-closed.
class HttpServer {
 public:
  // Binds everything or nothing. Unavailable: an address cannot be bound, naming it.
  // InvalidArgument: an address does not parse. One thread ("loop-http") does all I/O; handlers run
  // on `pool`, and a full pool is answered 503.
  static Owned<HttpServer> Start(HttpServerOptions options, HttpRouter router, Pool& pool,
                                 Metrics& metrics);
  // As Drain(0). Then waits for the handlers that run at this moment, which were cancelled: what
  // they use may be destroyed after this.
  virtual ~HttpServer() = default;
  virtual int port(size_t address_index = 0) const = 0;
  // No new connection; those that wait for a request are closed, running ones finished within
  // `timeout`, then cancelled and closed. Returns when none is left. Idempotent. Not on the pool.
  virtual void Drain(absl::Duration timeout) = 0;
};

}  // namespace slipway::base::net
