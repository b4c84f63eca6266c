// One HTTP connection: a state machine over a socket, with or without TLS. Of base/net/http only,
// and included by few, for it includes Boost. Loop-only.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "absl/time/time.h"
#include "base/net/http/handler_gate.h"
#include "base/net/http/request_reader.h"
#include "base/net/http/server.h"
#include "base/net/http/server_metrics.h"
#include "base/net/http/server_tls.h"
#include "base/pool.h"
#include "base/sync/cancel.h"

namespace slipway::base::net {

class Connection;

// What all connections of a server share. Outlives them.
struct ConnectionHost {
  const HttpServerOptions options;
  boost::asio::io_context& loop;
  Pool& pool;
  ServerMetrics metrics;
  const std::shared_ptr<HandlerGate> gate;
  size_t memory_left;     // of options.memory_bytes_max
  bool draining = false;  // no further request on any connection
  std::unordered_set<Connection*> connections;
  std::function<void()> on_empty;  // the last connection closed
  std::string date;                // of the second `date_second`
  int64_t date_second = -1;
};

// Kept alive by its outstanding operations. Reads are of at most one chunk at a time, and none
// while what was read before is not used up: a client that sends ahead waits in the kernel's
// buffer.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::ip::tcp::socket;

  Connection(ConnectionHost& host, Socket socket, SslSession session, std::string peer);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Start();
  // Closes when it waits for a request, else after the answer of the running one.
  void Drain();
  // Closes now and cancels the running request.
  void Close();

 private:
  using Steady = std::chrono::steady_clock;
  using error_code = boost::system::error_code;
  struct Exchange;

  enum class Phase : uint8_t {
    kHandshake,
    kIdle,     // waits for the first byte of a request
    kHeader,   // reads one
    kBody,     // reads one, or writes "100 Continue"
    kHandler,  // the request is on the pool
    kWrite,    // writes the answer
    kClosing,  // has written all; waits for the client to close, so that it can read the answer
    kClosed,
  };

  void SetDeadline(absl::Duration from_now);
  void ArmTimer();
  void OnTimeout();

  void StartRead();
  void OnRead(const error_code& error, size_t count);
  void OnReadEnd(const error_code& error);
  void Process();
  void OnHeader();
  void Write(absl::string_view text, std::function<void(const error_code&)> done);
  void Dispatch();
  void OnHandled(const std::shared_ptr<Exchange>& exchange, HttpResponse response);
  void Refuse(const Refusal& refusal);
  void Respond(HttpResponse response, bool keep_alive);
  void OnWritten(const error_code& error);
  void NextRequest();
  void Abandon(CancelReason reason);
  void GiveBackMemory();

  void CloseGently();
  void Linger();

  ConnectionHost& host_;
  Socket socket_;
  std::unique_ptr<boost::asio::ssl::stream<Socket&>> tls_;  // null: plain text
  const std::string peer_;
  std::string subject_;
  boost::asio::steady_timer timer_;
  Steady::time_point deadline_;
  Steady::time_point armed_for_;  // when the timer looks at deadline_ next
  bool timer_armed_ = false;

  Phase phase_ = Phase::kIdle;
  bool reading_ = false;     // a read into chunk_ is outstanding
  bool read_ended_ = false;  // the client sends no more
  bool continuing_ = false;  // "100 Continue" is being written
  bool lingering_ = false;
  size_t lingered_bytes_ = 0;
  std::array<char, 4096> chunk_;
  std::string in_;  // read and not yet used

  std::optional<RequestReader> reader_;
  size_t memory_taken_ = 0;
  bool keep_alive_ = false;
  bool is_http_1_0_ = false;
  std::shared_ptr<Exchange> exchange_;  // of the running request
  std::string method_;                  // of the request being answered
  int status_ = 0;
  Steady::time_point request_at_;
  std::string head_, body_;  // being written
};

}  // namespace slipway::base::net
