#include "base/net/grpc/test_service.h"

#include <grpcpp/impl/client_unary_call.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/impl/codegen/server_callback_handlers.h>
#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/check.h"
#include "compat/grpc/health/v1/health.pb.h"

// c-ares 1.18 forgets ten bytes each time it looks "localhost" up.
extern "C" const char* __lsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __lsan_default_suppressions() { return "leak:libcares"; }  // NOLINT

namespace slipway::base::net {

using grpc::ByteBuffer;

grpc::ByteBuffer ToBuffer(absl::string_view text) {
  const grpc::Slice slice(text.data(), text.size());
  return ByteBuffer(&slice, 1);
}

std::string FromBuffer(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string text;
  if (!buffer.Dump(&slices).ok()) return text;
  for (const grpc::Slice& slice : slices) {
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return text;
}

class EchoService::Methods final : public grpc::Service {
 public:
  explicit Methods(EchoService& echo) : echo_(echo) {
    using grpc::internal::RpcMethod;
    using grpc::internal::RpcServiceMethod;
    AddMethod(new RpcServiceMethod(kEchoUnary, RpcMethod::NORMAL_RPC, nullptr));
    MarkMethodRawCallback(0, new grpc::internal::CallbackUnaryHandler<ByteBuffer, ByteBuffer>(
                                 [this](grpc::CallbackServerContext* context,
                                        const ByteBuffer* request, ByteBuffer* response) {
                                   return new Unary(echo_, *context, *request, *response);
                                 }));
    AddMethod(new RpcServiceMethod(kEchoStream, RpcMethod::BIDI_STREAMING, nullptr));
    MarkMethodRawCallback(1, new grpc::internal::CallbackBidiHandler<ByteBuffer, ByteBuffer>(
                                 [this](grpc::CallbackServerContext* context) {
                                   return new Stream(echo_, *context);
                                 }));
  }

 private:
  class Unary final : public grpc::ServerUnaryReactor {
   public:
    Unary(EchoService& echo, grpc::CallbackServerContext& context, const ByteBuffer& request,
          ByteBuffer& response)
        : echo_(echo), call_(std::make_unique<ServerCall>(echo.raw(), context, kEchoUnary)) {
      if (call_->admitted().ok()) {
        Answer(FromBuffer(request), response);
      } else {
        End(call_->admitted());
      }
    }
    void OnCancel() override { call_->Cancel(); }
    void OnDone() override {
      const bool cancelled = call_->call().cancel.cancelled();
      registration_.reset();
      call_.reset();
      if (waits_) echo_.Ended(cancelled);
      delete this;
    }

   private:
    void Answer(const std::string& text, ByteBuffer& response) {
      if (text == "wait") {
        waits_ = true;
        call_->OnStop([this] { call_->Cancel(); });
        echo_.Began(call_->call());
        registration_ =
            call_->call().cancel.OnCancel([this] { End(call_->call().cancel.status()); });
        return;
      }
      echo_.Note(call_->call());
      if (text == "fail") {
        return End(
            WithRetryAfter(MakeError(absl::StatusCode::kAborted, "echo: as asked", {"ZK0042", ""}),
                           absl::Milliseconds(1234)));
      }
      response = ToBuffer(text == "who" ? absl::StrCat(call_->call().subject, "|",
                                                       call_->call().authorization, "|",
                                                       call_->call().trace.trace_id())
                                        : text);
      End(absl::OkStatus());
    }
    void End(const absl::Status& status) {
      if (!ended_.exchange(true)) Finish(call_->Finish(status));
    }
    EchoService& echo_;
    std::unique_ptr<ServerCall> call_;
    std::shared_ptr<void> registration_;
    std::atomic<bool> ended_{false};
    bool waits_ = false;
  };

  class Stream final : public grpc::ServerBidiReactor<ByteBuffer, ByteBuffer> {
   public:
    Stream(EchoService& echo, grpc::CallbackServerContext& context)
        : echo_(echo), call_(std::make_unique<ServerCall>(echo.raw(), context, kEchoStream)) {
      echo_.Began(call_->call());
      if (call_->admitted().ok()) {
        call_->OnStop([this] { OnCancel(); });
        StartRead(&message_);
      } else {
        End(call_->admitted());
      }
    }
    void OnReadDone(bool ok) override {
      if (!ok) return End(absl::OkStatus());
      StartWrite(&message_);
    }
    void OnWriteDone(bool ok) override {
      if (!ok) return End(absl::CancelledError("the stream is gone"));
      StartRead(&message_);
    }
    void OnCancel() override {
      call_->Cancel();
      End(call_->call().cancel.status());
    }
    void OnDone() override {
      const bool cancelled = call_->call().cancel.cancelled();
      call_.reset();
      echo_.Ended(cancelled);
      delete this;
    }

   private:
    void End(const absl::Status& status) {
      if (!ended_.exchange(true)) Finish(call_->Finish(status));
    }
    EchoService& echo_;
    std::unique_ptr<ServerCall> call_;
    ByteBuffer message_;
    std::atomic<bool> ended_{false};
  };

  EchoService& echo_;
};

EchoService::EchoService() : methods_(std::make_unique<Methods>(*this)) {
  raw_.service = methods_.get();
  raw_.methods = {kEchoUnary, kEchoStream};
}
EchoService::~EchoService() = default;

void EchoService::Began(const Call& call) {
  MutexLock lock(mutex_);
  last_ = call;
  ++running_;
  changed_.NotifyAll();
}
void EchoService::Ended(bool cancelled) {
  MutexLock lock(mutex_);
  --running_;
  if (cancelled) ++cancelled_;
  changed_.NotifyAll();
}
void EchoService::Note(const Call& call) {
  MutexLock lock(mutex_);
  last_ = call;
}
void EchoService::AwaitRunning(int count) {
  MutexLock lock(mutex_);
  while (running_ != count) changed_.Wait(mutex_);
}
int EchoService::cancelled() {
  MutexLock lock(mutex_);
  return cancelled_;
}
Call EchoService::last_call() {
  MutexLock lock(mutex_);
  return last_;
}

ClientCall InTime() {
  ClientCall call;
  call.deadline = absl::Now() + absl::Seconds(20);
  return call;
}

absl::StatusOr<std::string> Echo(Channel& channel, absl::string_view text, const ClientCall& call,
                                 const char* method, const CancelToken& cancel) {
  grpc::ClientContext context;
  PrepareCall(call, context);
  const auto cancelling = CancelWith(cancel, context);
  const grpc::internal::RpcMethod rpc(method, grpc::internal::RpcMethod::NORMAL_RPC);
  const ByteBuffer request = ToBuffer(text);
  ByteBuffer response;
  const grpc::Status status = grpc::internal::BlockingUnaryCall<ByteBuffer, ByteBuffer>(
      channel.raw().channel.get(), rpc, &context, request, &response);
  if (!status.ok()) return FromGrpcStatus(status, context);
  return FromBuffer(response);
}

EchoStream::EchoStream(Channel& channel, const char* method) {
  PrepareCall(InTime(), context_);
  const grpc::internal::RpcMethod rpc(method, grpc::internal::RpcMethod::BIDI_STREAMING);
  stream_.reset(grpc::internal::ClientReaderWriterFactory<ByteBuffer, ByteBuffer>::Create(
      channel.raw().channel.get(), rpc, &context_));
}
EchoStream::~EchoStream() {
  if (finished_) return;
  context_.TryCancel();
  Finish(/*half_close=*/false).IgnoreError();
}
bool EchoStream::Send(absl::string_view text) { return stream_->Write(ToBuffer(text)); }
bool EchoStream::Receive(std::string* text) {
  ByteBuffer message;
  if (!stream_->Read(&message)) return false;
  *text = FromBuffer(message);
  return true;
}
absl::Status EchoStream::Finish(bool half_close) {
  if (half_close) stream_->WritesDone();
  ByteBuffer rest;
  while (stream_->Read(&rest)) {
  }
  finished_ = true;
  return FromGrpcStatus(stream_->Finish(), context_);
}

absl::StatusOr<std::string> CheckHealth(Channel& channel, absl::string_view service) {
  grpc::ClientContext context;
  PrepareCall(InTime(), context);
  const grpc::internal::RpcMethod rpc("/grpc.health.v1.Health/Check",
                                      grpc::internal::RpcMethod::NORMAL_RPC);
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(std::string(service));
  grpc::health::v1::HealthCheckResponse response;
  const grpc::Status status = grpc::internal::BlockingUnaryCall(channel.raw().channel.get(), rpc,
                                                                &context, request, &response);
  if (!status.ok()) return FromGrpcStatus(status, context);
  return grpc::health::v1::HealthCheckResponse::ServingStatus_Name(response.status());
}

std::unique_ptr<Channel> OpenChannel(int port, TlsOptions tls, absl::string_view host) {
  os::LinuxFiles files;
  ChannelOptions options;
  options.address = absl::StrCat(host, ":", port);
  options.tls = std::move(tls);
  Owned<Channel> channel = Channel::Open(options, files, absl::Now());
  SLIPWAY_CHECK(channel.ok());
  return *std::move(channel);
}

TestServer::TestServer(ServerOptions options, std::vector<std::string> addresses,
                       std::shared_ptr<TlsWatcher> tls) {
  health.SetPhase(Health::Phase::kServing);
  options.metric_prefix = "test";
  Owned<Server> started =
      Server::Start({{std::move(addresses), std::move(tls), {&echo}}}, options, health, metrics);
  SLIPWAY_CHECK(started.ok());
  server = *std::move(started);
}

}  // namespace slipway::base::net
