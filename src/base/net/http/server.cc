#include "base/net/http/server.h"

#include <pthread.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <optional>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/log/log.h"
#include "base/net/descriptors.h"
#include "base/net/endpoint.h"
#include "base/net/http/connection.h"
#include "base/net/listen_error.h"
#include "base/sync/mutex.h"

namespace slipway::base::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using error_code = boost::system::error_code;

constexpr int kPortTries = 20;
constexpr auto kFilesPause = std::chrono::milliseconds(100);

std::string PeerText(const tcp::endpoint& peer) {
  asio::ip::address address = peer.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  return address.is_v4() ? absl::StrCat("ipv4:", address.to_string(), ":", peer.port())
                         : absl::StrCat("ipv6:[", address.to_string(), "]:", peer.port());
}

struct Listener {
  explicit Listener(asio::io_context& loop) : acceptor(loop), pause(loop) {}
  tcp::acceptor acceptor;
  asio::steady_timer pause;
};
using Listeners = std::vector<std::unique_ptr<Listener>>;

error_code Open(const tcp::endpoint& at, bool only_v6, tcp::acceptor& acceptor) {
  error_code error;
  acceptor.open(at.protocol(), error);
  if (error) return error;
  acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (at.address().is_v6() && !error) acceptor.set_option(asio::ip::v6_only(only_v6), error);
  if (!error) acceptor.bind(at, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  return error;
}

bool LacksFamily(const error_code& error) {
  return error == asio::error::address_family_not_supported || error.value() == EADDRNOTAVAIL;
}

// The socket addresses of a host: of a name several, of "" all of this machine.
std::vector<asio::ip::address> Addresses(asio::io_context& loop, const std::string& host,
                                         error_code& error) {
  if (host.empty()) return {asio::ip::address_v6::any()};
  const asio::ip::address literal = asio::ip::make_address(host, error);
  if (!error) return {literal};
  std::vector<asio::ip::address> addresses;
  tcp::resolver resolver(loop);
  for (const auto& found : resolver.resolve(host, "", error)) {
    const asio::ip::address address = found.endpoint().address();
    const bool known = std::find(addresses.begin(), addresses.end(), address) != addresses.end();
    if (!known) addresses.push_back(address);
  }
  return addresses;
}

// Listens on every address of `endpoint`, all on one port.
error_code ListenOnce(asio::io_context& loop, const Endpoint& endpoint, bool only_v6,
                      Listeners& listeners) {
  error_code error;
  uint16_t port = endpoint.port;
  for (const asio::ip::address& address : Addresses(loop, endpoint.host, error)) {
    auto listener = std::make_unique<Listener>(loop);
    error = Open({address, port}, only_v6, listener->acceptor);
    if (LacksFamily(error) && endpoint.host.empty()) {
      listener = std::make_unique<Listener>(loop);
      error = Open({asio::ip::address_v4::any(), port}, only_v6, listener->acceptor);
    }
    if (LacksFamily(error)) continue;  // localhost is often ::1 too where there is no IPv6
    if (error) return error;
    port = listener->acceptor.local_endpoint(error).port();
    listeners.push_back(std::move(listener));
  }
  if (listeners.empty() && !error) error = asio::error::host_not_found;
  return listeners.empty() ? error : error_code();
}

absl::StatusOr<Listeners> Listen(asio::io_context& loop, const Endpoint& endpoint, bool only_v6) {
  error_code error;
  for (int attempt = 0; attempt < kPortTries; ++attempt) {
    Listeners listeners;
    error = ListenOnce(loop, endpoint, only_v6, listeners);
    if (!error) return listeners;
    // A port that was free in one family may be taken in the other: then another one.
    if (endpoint.port != 0 || error != asio::error::address_in_use) break;
  }
  const bool of_system = error.category() == boost::system::system_category();
  return of_system ? ListenError(endpoint, error.value()) : ListenError(endpoint, error.message());
}

class Server final : public HttpServer {
 public:
  Server(HttpServerOptions options, HttpRouter router, Pool& pool, Metrics& metrics)
      : host_{.options = options,
              .loop = loop_,
              .pool = pool,
              .metrics = ServerMetrics(metrics, options.metric_prefix),
              .gate = std::make_shared<HandlerGate>(std::move(router)),
              .memory_left = options.memory_bytes_max,
              .on_empty = [this] { OnEmpty(); }} {
    if (options.tls != nullptr) tls_.emplace(std::move(options.tls));
  }
  ~Server() override;

  absl::Status Listen();
  void Run();
  int port(size_t address_index) const override { return ports_.at(address_index); }
  void Drain(absl::Duration timeout) override;

 private:
  void Accept(Listener& listener);
  void OnAccepted(Listener& listener, const error_code& error, tcp::socket socket);
  void Serve(tcp::socket socket);
  void BeginDrain();
  void CloseAll();
  void OnEmpty();
  bool AwaitEmpty(absl::Duration timeout);

  // Before the loop, whose end destroys the connections.
  ConnectionHost host_;
  std::optional<ServerTls> tls_;
  std::vector<int> ports_;
  Mutex mutex_;
  CondVar changed_;
  bool empty_ ABSL_GUARDED_BY(mutex_) = false;  // draining, and the last connection is closed

  asio::io_context loop_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{loop_.get_executor()};
  Listeners listeners_;
  std::thread thread_;
};

Server::~Server() {
  if (thread_.joinable()) {
    Drain(absl::ZeroDuration());
    host_.gate->CloseAndWait();
    loop_.stop();
    thread_.join();
  }
}

absl::Status Server::Listen() {
  std::vector<Endpoint> endpoints;
  for (const std::string& address : host_.options.addresses) {
    SLIPWAY_ASSIGN_OR_RETURN(Endpoint endpoint, ParseEndpoint(address));
    endpoints.push_back(std::move(endpoint));
  }
  if (endpoints.empty()) return absl::InvalidArgumentError("no address to listen on");
  // "::" takes IPv4 too, unless somebody else of the list does.
  const bool only_v6 = std::any_of(endpoints.begin(), endpoints.end(), [](const Endpoint& e) {
    return e.host == "0.0.0.0" && e.port != 0;
  });
  for (const Endpoint& endpoint : endpoints) {
    SLIPWAY_ASSIGN_OR_RETURN(Listeners some, net::Listen(loop_, endpoint, only_v6));
    error_code ignored;
    ports_.push_back(some.front()->acceptor.local_endpoint(ignored).port());
    for (auto& listener : some) listeners_.push_back(std::move(listener));
  }
  return absl::OkStatus();
}

void Server::Run() {
  for (const auto& listener : listeners_) Accept(*listener);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "loop-http");
    loop_.run();
  });
}

void Server::Accept(Listener& listener) {
  listener.acceptor.async_accept([this, &listener](const error_code& error, tcp::socket socket) {
    OnAccepted(listener, error, std::move(socket));
  });
}

void Server::OnAccepted(Listener& listener, const error_code& error, tcp::socket socket) {
  if (!listener.acceptor.is_open()) return;
  if (!error) Serve(std::move(socket));
  const bool exhausted = error == asio::error::no_descriptors || error.value() == ENFILE ||
                         error == asio::error::no_buffer_space || error == asio::error::no_memory;
  if (!exhausted) return Accept(listener);
  // The connection stays in the queue and would be offered again at once, without end.
  host_.metrics.Refuse(Refused::kFiles);
  listener.pause.expires_after(kFilesPause);
  listener.pause.async_wait([this, &listener](const error_code& pause_error) {
    if (!pause_error && listener.acceptor.is_open()) Accept(listener);
  });
}

void Server::Serve(tcp::socket socket) {
  if (host_.connections.size() >= static_cast<size_t>(host_.options.connections_max)) {
    host_.metrics.Refuse(Refused::kConnections);
    return;  // closes it
  }
  // Half of what gRPC leaves is for those who ask how the server is, half for the server itself.
  if (socket.native_handle() >= (ConnectionDescriptorsEnd() + DescriptorLimit()) / 2) {
    host_.metrics.Refuse(Refused::kFiles);
    return;
  }
  error_code error;
  const tcp::endpoint peer = socket.remote_endpoint(error);
  if (error) return;  // gone already
  socket.set_option(tcp::no_delay(true), error);
  SslSession session;
  if (tls_.has_value()) {
    absl::StatusOr<SslSession> made = tls_->NewSession();
    if (!made.ok()) {
      host_.metrics.Refuse(Refused::kTls);
      return;
    }
    session = *std::move(made);
  }
  std::make_shared<Connection>(host_, std::move(socket), std::move(session), PeerText(peer))
      ->Start();
}

void Server::BeginDrain() {
  if (host_.draining) return;
  host_.draining = true;
  for (const auto& listener : listeners_) {
    error_code ignored;
    listener->acceptor.close(ignored);
    listener->pause.cancel();
  }
  // Of a copy: closing takes a connection out of the set.
  const std::vector<Connection*> connections(host_.connections.begin(), host_.connections.end());
  for (Connection* const connection : connections) connection->Drain();
  OnEmpty();
}

void Server::CloseAll() {
  const std::vector<Connection*> connections(host_.connections.begin(), host_.connections.end());
  for (Connection* const connection : connections) connection->Close();
}

void Server::OnEmpty() {
  if (!host_.draining || !host_.connections.empty()) return;
  MutexLock lock(mutex_);
  empty_ = true;
  changed_.NotifyAll();
}

bool Server::AwaitEmpty(absl::Duration timeout) {
  // Not of the time of day, which may be set meanwhile.
  const auto now = [] {
    return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
  };
  const absl::Duration end = now() + timeout;
  MutexLock lock(mutex_);
  while (!empty_) {
    const absl::Duration left = end - now();
    if (left <= absl::ZeroDuration()) return false;
    changed_.WaitFor(mutex_, std::min(left, absl::Hours(1)));
  }
  return true;
}

void Server::Drain(absl::Duration timeout) {
  asio::post(loop_, [this] { BeginDrain(); });
  if (AwaitEmpty(timeout)) return;
  asio::post(loop_, [this] { CloseAll(); });
  AwaitEmpty(absl::InfiniteDuration());
}

}  // namespace

Owned<HttpServer> HttpServer::Start(HttpServerOptions options, HttpRouter router, Pool& pool,
                                    Metrics& metrics) {
  auto server = std::make_unique<Server>(std::move(options), std::move(router), pool, metrics);
  SLIPWAY_RETURN_IF_ERROR(server->Listen());
  server->Run();
  return server;
}

}  // namespace slipway::base::net
