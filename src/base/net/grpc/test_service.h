// A service without a proto, its callers, and a server around it. For the tests of this folder.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/sync_stream.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/metrics/metrics.h"
#include "base/net/grpc/channel.h"
#include "base/net/grpc/grpc_client.h"
#include "base/net/grpc/grpc_service.h"
#include "base/net/grpc/server.h"
#include "base/net/health.h"
#include "base/os/files.h"
#include "base/sync/mutex.h"

namespace slipway::base::net {

inline constexpr char kEchoService[] = "slipway.test.Echo";
inline constexpr char kEchoUnary[] = "/slipway.test.Echo/Unary";
inline constexpr char kEchoStream[] = "/slipway.test.Echo/Stream";

grpc::ByteBuffer ToBuffer(absl::string_view text);
std::string FromBuffer(const grpc::ByteBuffer& buffer);

// Unary answers with its request, but "fail": an error with id and retry hint, "wait": as soon as
// the call is cancelled, "who": subject, authorization and trace id. Stream sends back what it
// reads.
class EchoService : public Service {
 public:
  EchoService();
  ~EchoService() override;
  Raw& raw() override { return raw_; }

  // Blocks until `count` calls of "wait" and streams run.
  void AwaitRunning(int count);
  int cancelled();  // of them, those that saw call().cancel
  Call last_call();

 private:
  class Methods;
  void Began(const Call& call);
  void Ended(bool cancelled);
  void Note(const Call& call);

  std::unique_ptr<Methods> methods_;
  Raw raw_;
  Mutex mutex_;
  CondVar changed_;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  int cancelled_ ABSL_GUARDED_BY(mutex_) = 0;
  Call last_ ABSL_GUARDED_BY(mutex_);
};

// In 20 seconds.
ClientCall InTime();

// One unary call; the answer or the error as clients see it.
absl::StatusOr<std::string> Echo(Channel& channel, absl::string_view text,
                                 const ClientCall& call = InTime(), const char* method = kEchoUnary,
                                 const CancelToken& cancel = {});

// A running stream, one message back for each sent.
class EchoStream {
 public:
  explicit EchoStream(Channel& channel, const char* method = kEchoStream);
  ~EchoStream();  // cancels it if it has not ended
  bool Send(absl::string_view text);
  bool Receive(std::string* text);
  absl::Status Finish(bool half_close = true);

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>> stream_;
  bool finished_ = false;
};

// SERVING, NOT_SERVING, or the error.
absl::StatusOr<std::string> CheckHealth(Channel& channel, absl::string_view service);

// A channel to this machine.
std::unique_ptr<Channel> OpenChannel(int port, TlsOptions tls = {},
                                     absl::string_view host = "127.0.0.1");

// A server with one echo service, which serves at once.
struct TestServer {
  explicit TestServer(ServerOptions options = {},
                      std::vector<std::string> addresses = {"127.0.0.1:0"},
                      std::shared_ptr<TlsWatcher> tls = nullptr);
  int port() const { return server->port(0); }

  Health health;
  Metrics metrics;
  EchoService echo;
  std::unique_ptr<Server> server;  // last: ends first
};

}  // namespace slipway::base::net
