#include "base/net/http/connection.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "base/log/log.h"
#include "base/mutant.h"
#include "base/net/http/response.h"
#include "base/net/http/target.h"
#include "base/status.h"

namespace slipway::base::net {
namespace {

namespace asio = boost::asio;

// How long a client may take to read the last answer and close, and what it may send meanwhile.
constexpr absl::Duration kLinger = absl::Seconds(2);
constexpr size_t kLingerBytesMax = 1 << 20;
// A body up to this goes out in one piece with the head.
constexpr size_t kOnePieceBytesMax = 16 << 10;
// What an idle connection keeps of its buffer.
constexpr size_t kIdleBufferBytesMax = 4 << 10;

std::chrono::nanoseconds ToSteady(absl::Duration duration) {
  return absl::ToChronoNanoseconds(std::min(duration, absl::Hours(24 * 365)));
}

}  // namespace

// One request on its way through the pool. The job reads `request`, the loop the rest.
struct Connection::Exchange {
  HttpRequest request;
  CancelSource cancel;
  std::atomic<bool> abandoned = false;  // nobody waits for the answer any more
};

Connection::Connection(ConnectionHost& host, Socket socket, SslSession session, std::string peer)
    : host_(host), socket_(std::move(socket)), peer_(std::move(peer)), timer_(host.loop) {
  if (session != nullptr) {
    tls_ = std::make_unique<asio::ssl::stream<Socket&>>(socket_, session.release());
  }
  host_.connections.insert(this);
  host_.metrics.connections().Add(1);
}

Connection::~Connection() { Close(); }

void Connection::Start() {
  if (tls_ == nullptr) {
    NextRequest();
    return;
  }
  phase_ = Phase::kHandshake;
  SetDeadline(host_.options.header_timeout);
  tls_->async_handshake(asio::ssl::stream_base::server,
                        [self = shared_from_this()](const error_code& error) {
                          if (self->phase_ != Phase::kHandshake) return;
                          if (error) {
                            self->host_.metrics.Refuse(Refused::kTls);
                            self->phase_ = Phase::kClosing;
                            self->SetDeadline(kLinger);
                            self->Linger();
                            return;
                          }
                          self->subject_ = PeerSubject(*self->tls_->native_handle());
                          self->NextRequest();
                        });
}

void Connection::Drain() {
  if (phase_ == Phase::kHandshake || phase_ == Phase::kHeader) {
    Close();
  } else if (phase_ == Phase::kIdle) {
    // A request that has arrived but was not read yet is a running one.
    error_code error;
    if (socket_.available(error) == 0 || error) CloseGently();
  }
}

void Connection::Close() {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  Abandon({CancelReason::Kind::kOther, "the connection was closed"});
  GiveBackMemory();
  error_code ignored;
  socket_.close(ignored);
  timer_.cancel();
  host_.metrics.connections().Add(-1);
  host_.connections.erase(this);
  if (host_.connections.empty()) host_.on_empty();
}

// The timer is not moved for each phase: it looks at the deadline when it fires, and is set anew
// only where a deadline comes before it.
void Connection::SetDeadline(absl::Duration from_now) {
  deadline_ = Steady::now() + ToSteady(from_now);
  if (!timer_armed_ || deadline_ < armed_for_) ArmTimer();
}

void Connection::ArmTimer() {
  timer_armed_ = true;
  armed_for_ = deadline_;
  timer_.expires_at(deadline_);
  timer_.async_wait([self = shared_from_this()](const error_code& error) {
    if (error || self->phase_ == Phase::kClosed) return;
    self->timer_armed_ = false;
    if (Steady::now() < self->deadline_) {
      self->ArmTimer();
    } else {
      self->OnTimeout();
    }
  });
}

void Connection::OnTimeout() {
  switch (phase_) {
    case Phase::kIdle:
      CloseGently();
      break;
    case Phase::kHeader:
    case Phase::kBody:
      if (continuing_) return Close();  // no second write beside that of "100 Continue"
      Refuse({408, "DEADLINE_EXCEEDED", "the request did not arrive in time", Refused::kTimeout});
      break;
    case Phase::kHandler:
      Abandon({.kind = CancelReason::Kind::kTimeout, .timeout = host_.options.handler_timeout});
      Respond(HttpErrorAs(504, "DEADLINE_EXCEEDED", "no answer in time"), /*keep_alive=*/false);
      break;
    case Phase::kHandshake:
    case Phase::kWrite:
      host_.metrics.Refuse(Refused::kTimeout);
      Close();
      break;
    case Phase::kClosing:
    case Phase::kClosed:
      Close();
      break;
  }
}

void Connection::StartRead() {
  if (reading_) return;
  reading_ = true;
  auto done = [self = shared_from_this()](const error_code& error, size_t count) {
    self->OnRead(error, count);
  };
  if (tls_ != nullptr && !lingering_) {
    tls_->async_read_some(asio::buffer(chunk_), std::move(done));
  } else {
    socket_.async_read_some(asio::buffer(chunk_), std::move(done));
  }
}

void Connection::OnRead(const error_code& error, size_t count) {
  reading_ = false;
  if (phase_ == Phase::kClosed) return;
  if (phase_ == Phase::kClosing) {
    lingered_bytes_ += count;
    // An aborted read is the one from before Linger.
    const bool over = error && error != asio::error::operation_aborted;
    if (lingering_ && (over || lingered_bytes_ > kLingerBytesMax)) return Close();
    if (lingering_) StartRead();
    return;
  }
  if (error) return OnReadEnd(error);
  in_.append(chunk_.data(), count);
  if (phase_ == Phase::kIdle) {
    phase_ = Phase::kHeader;
    if (!SLIPWAY_MUTANT("http-endless-header")) SetDeadline(host_.options.header_timeout);
  }
  if (phase_ == Phase::kHeader || phase_ == Phase::kBody) Process();
}

void Connection::OnReadEnd(const error_code& error) {
  read_ended_ = true;
  const bool answer_expected = phase_ == Phase::kHandler || phase_ == Phase::kWrite;
  // A reset ends both directions; an end of the stream only the client's.
  if (!answer_expected || error == asio::error::connection_reset) return Close();
  if (exchange_ != nullptr) {
    exchange_->cancel.Cancel({CancelReason::Kind::kOther, "the client went away"});
  }
}

void Connection::Process() {
  switch (reader_->Put(in_)) {
    case RequestReader::Progress::kMore:
      if (read_ended_) return Close();
      StartRead();
      break;
    case RequestReader::Progress::kHeader:
      OnHeader();
      break;
    case RequestReader::Progress::kDone:
      if (phase_ == Phase::kHeader) request_at_ = Steady::now();
      Dispatch();
      break;
    case RequestReader::Progress::kRefused:
      Refuse(reader_->refusal());
      break;
  }
}

void Connection::OnHeader() {
  phase_ = Phase::kBody;
  request_at_ = Steady::now();
  SetDeadline(host_.options.body_timeout);
  // A client that did not wait for it needs no permission.
  if (!reader_->expects_continue() || !in_.empty()) return Process();
  continuing_ = true;
  Write("HTTP/1.1 100 Continue\r\n\r\n", [self = shared_from_this()](const error_code& error) {
    self->continuing_ = false;
    if (self->phase_ != Phase::kBody) return;
    if (error) return self->Close();
    self->Process();
  });
}

void Connection::Write(absl::string_view text, std::function<void(const error_code&)> done) {
  const asio::const_buffer buffer(text.data(), text.size());
  auto after = [done = std::move(done)](const error_code& error, size_t) { done(error); };
  if (tls_ != nullptr) {
    asio::async_write(*tls_, buffer, std::move(after));
  } else {
    asio::async_write(socket_, buffer, std::move(after));
  }
}

void Connection::Dispatch() {
  absl::StatusOr<Target> target = ParseTarget(reader_->target());
  if (!target.ok()) return Refuse({.message = std::string(target.status().message())});
  HttpRequest request = std::move(reader_->request());
  keep_alive_ = reader_->keep_alive();
  is_http_1_0_ = reader_->is_http_1_0();
  memory_taken_ = reader_->memory_taken();
  method_ = request.method;
  request.path = std::move(target->path);
  request.query = std::move(target->query);
  if (host_.gate->router().AnswersAtOnce(request)) {
    reader_.reset();
    Respond(host_.gate->router().Handle(request), keep_alive_);
    return;
  }
  auto exchange = std::make_shared<Exchange>();
  request.call.deadline = absl::Now() + host_.options.handler_timeout;
  request.call.cancel = exchange->cancel.token();
  request.call.peer = peer_;
  request.call.subject = subject_;
  request.call.trace = ParseTrace(request.Header("traceparent"), request.Header("tracestate"));
  exchange->request = std::move(request);
  exchange_ = exchange;
  reader_.reset();
  phase_ = Phase::kHandler;
  SetDeadline(host_.options.handler_timeout);
  // `host` and the loop exist while the gate is entered; the connection is touched on the loop
  // only.
  auto job = [gate = host_.gate, &loop = host_.loop, exchange,
              connection = weak_from_this()]() mutable {
    if (!gate->Enter()) return;
    if (!exchange->abandoned.load()) {
      HttpResponse response = gate->router().Handle(exchange->request);
      asio::post(loop, [connection = std::move(connection), exchange = std::move(exchange),
                        response = std::move(response)]() mutable {
        const std::shared_ptr<Connection> self = connection.lock();
        if (self != nullptr) self->OnHandled(exchange, std::move(response));
      });
    }
    gate->Leave();
  };
  if (!host_.pool.Submit(std::move(job)).ok()) {
    exchange_.reset();
    host_.metrics.Refuse(Refused::kBusy);
    HttpResponse busy = HttpErrorAs(503, "UNAVAILABLE", "too many requests at once; try again");
    busy.headers.emplace_back("Retry-After", "1");
    Respond(std::move(busy), keep_alive_);
    return;
  }
  StartRead();  // to see the client go away; what it sends ahead waits in in_
}

void Connection::OnHandled(const std::shared_ptr<Exchange>& exchange, HttpResponse response) {
  if (exchange_ != exchange) return;  // too late: answered, or closed
  exchange_.reset();
  Respond(std::move(response), keep_alive_);
}

void Connection::Refuse(const Refusal& refusal) {
  host_.metrics.Refuse(refusal.why);
  method_ = reader_.has_value() ? reader_->request().method : "";
  memory_taken_ = reader_.has_value() ? reader_->memory_taken() : 0;
  if (phase_ == Phase::kHeader || phase_ == Phase::kIdle) request_at_ = Steady::now();
  HttpResponse response = HttpErrorAs(refusal.status, refusal.code, refusal.message);
  if (refusal.status == 503) response.headers.emplace_back("Retry-After", "1");
  reader_.reset();
  Respond(std::move(response), /*keep_alive=*/false);
}

void Connection::Respond(HttpResponse response, bool keep_alive) {
  if (!IsWellFormed(response)) {
    SLIPWAY_LOG(kError, "HTTP handler gave a malformed response", {{"status", response.status}});
    response = HttpErrorAs(500, "INTERNAL", "malformed response");
  }
  if (response.body.size() > host_.memory_left) {
    host_.metrics.Refuse(Refused::kBusy);
    response = HttpErrorAs(503, "UNAVAILABLE", "too many bodies at once; try again");
    response.headers.emplace_back("Retry-After", "1");
  } else {
    host_.memory_left -= response.body.size();
    memory_taken_ += response.body.size();
  }
  phase_ = Phase::kWrite;
  SetDeadline(host_.options.write_timeout);
  keep_alive_ = keep_alive && !host_.draining && !read_ended_;
  status_ = response.status;
  const absl::Time now = absl::Now();
  if (absl::ToUnixSeconds(now) != host_.date_second) {
    host_.date_second = absl::ToUnixSeconds(now);
    host_.date = HttpDate(now);
  }
  head_ = FormatHead(
      response,
      {.date = host_.date, .close = !keep_alive_, .keep_alive = keep_alive_ && is_http_1_0_});
  body_ = std::move(response.body);
  if (method_ == "HEAD" || !HasBody(status_)) body_.clear();
  if (body_.size() <= kOnePieceBytesMax) {
    head_ += body_;
    body_.clear();
  }
  Write(head_, [self = shared_from_this()](const error_code& error) {
    if (self->phase_ != Phase::kWrite) return;
    if (error || self->body_.empty()) return self->OnWritten(error);
    self->Write(self->body_, [self](const error_code& body_error) {
      if (self->phase_ == Phase::kWrite) self->OnWritten(body_error);
    });
  });
}

void Connection::OnWritten(const error_code& error) {
  if (error) return Close();
  const auto took = absl::FromChrono(Steady::now() - request_at_);
  host_.metrics.Count(method_, status_, took);
  SLIPWAY_LOG(kDebug, "HTTP request", {{"peer", peer_}, {"method", method_}, {"status", status_}});
  if (keep_alive_) {
    NextRequest();
  } else {
    CloseGently();
  }
}

void Connection::NextRequest() {
  GiveBackMemory();
  std::string().swap(body_);
  if (in_.capacity() > kIdleBufferBytesMax) in_.shrink_to_fit();
  if (head_.capacity() > kIdleBufferBytesMax) std::string().swap(head_);
  reader_.emplace(ReaderLimits{host_.options.header_bytes_max, host_.options.body_bytes_max},
                  host_.memory_left);
  if (!in_.empty()) {
    phase_ = Phase::kHeader;
    SetDeadline(host_.options.header_timeout);
    return Process();
  }
  if (read_ended_ || host_.draining) return CloseGently();
  phase_ = Phase::kIdle;
  SetDeadline(host_.options.idle_timeout);
  StartRead();
}

void Connection::Abandon(CancelReason reason) {
  if (exchange_ == nullptr) return;
  const std::shared_ptr<Exchange> exchange = std::move(exchange_);
  exchange_ = nullptr;
  exchange->abandoned.store(true);
  if (!SLIPWAY_MUTANT("http-uncancelled")) exchange->cancel.Cancel(std::move(reason));
}

void Connection::GiveBackMemory() {
  // What a request took that was not dispatched is still with its reader.
  if (reader_.has_value()) memory_taken_ += reader_->memory_taken();
  reader_.reset();
  host_.memory_left += memory_taken_;
  memory_taken_ = 0;
}

void Connection::CloseGently() {
  phase_ = Phase::kClosing;
  GiveBackMemory();
  SetDeadline(kLinger);
  if (tls_ == nullptr) return Linger();
  tls_->async_shutdown([self = shared_from_this()](const error_code&) {
    if (self->phase_ == Phase::kClosing) self->Linger();
  });
}

// A socket closed with unread bytes is reset, and the client may lose the answer. So: say that
// nothing follows, and read until the client closes.
void Connection::Linger() {
  lingering_ = true;
  if (read_ended_ || SLIPWAY_MUTANT("http-no-linger")) return Close();
  error_code error;
  socket_.shutdown(Socket::shutdown_send, error);
  if (error) return Close();
  if (reading_ && tls_ != nullptr) socket_.cancel(error);
  StartRead();
}

}  // namespace slipway::base::net
