// Streams that this node opens.
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/client_callback.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/net/grpc/channel.h"
#include "base/net/grpc/grpc_client.h"
#include "base/status.h"
#include "eraft/transport/grpc_streams.h"
#include "eraft/transport/link/limits.h"
#include "eraft/transport/slices.h"

namespace slipway::eraft {
namespace {

constexpr char kMethod[] = "/slipway.eraft.transport.v1.RaftTransport/Stream";

// Keeps itself until OnDone.
class Call final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                   public link::ClientStream,
                   public std::enable_shared_from_this<Call> {
 public:
  Call(std::unique_ptr<base::net::Channel> channel, std::shared_ptr<link::ClientEvents> events,
       std::shared_ptr<void> running)
      : running_(std::move(running)),
        channel_(std::move(channel)),
        stub_(channel_->raw().channel),
        events_(std::move(events)) {}

  void Begin(const std::string& token) {
    self_ = shared_from_this();
    if (!token.empty()) context_.AddMetadata("authorization", absl::StrCat("Bearer ", token));
    stub_.PrepareBidiStreamingCall(&context_, kMethod, grpc::StubOptions(), this);
    AddHold();  // Write comes from anywhere; let go when the reads end
    StartRead(&incoming_);
    StartCall();
  }

  // ---- ClientStream ----
  void Write(link::OutMessage message) override {
    outgoing_ = BufferOf(std::move(message));
    StartWrite(&outgoing_);
  }
  void Cancel() override { context_.TryCancel(); }

  // ---- gRPC threads ----
  void OnReadDone(bool ok) override {
    if (!ok) {
      events_->OnBroken();
      return RemoveHold();
    }
    events_->OnMessage(SliceViews(incoming_).views());
    StartRead(&incoming_);
  }
  // A write that failed: the end is near, and OnDone tells why.
  void OnWriteDone(bool ok) override {
    if (ok) events_->OnWritten();
  }
  void OnDone(const grpc::Status& status) override {
    events_->OnClosed(base::net::FromGrpcStatus(status, context_));
    const auto self = std::move(self_);
  }

 private:
  const std::shared_ptr<void> running_;  // first: its end is that of this object
  const std::unique_ptr<base::net::Channel> channel_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  const std::shared_ptr<link::ClientEvents> events_;
  grpc::ByteBuffer incoming_, outgoing_;
  std::shared_ptr<Call> self_;
};

class GrpcDialer final : public link::Dialer {
 public:
  GrpcDialer(base::net::TlsOptions tls, std::function<std::string()> token, base::Files& files,
             base::Clock& clock, link::Running running)
      : tls_(std::move(tls)),
        token_(std::move(token)),
        files_(files),
        clock_(clock),
        running_(std::move(running)) {}

  absl::StatusOr<std::shared_ptr<link::ClientStream>> Dial(
      const std::string& address, std::shared_ptr<link::ClientEvents> events) override {
    base::net::ChannelOptions options;
    options.address = address;
    options.tls = tls_;
    options.connect_timeout = link::kConnectTimeout;
    SLIPWAY_ASSIGN_OR_RETURN(auto channel,
                             base::net::Channel::Open(options, files_, clock_.Wall()));
    auto call = std::make_shared<Call>(std::move(channel), std::move(events), running_.Hold());
    call->Begin(token_ ? token_() : "");
    return std::shared_ptr<link::ClientStream>(std::move(call));
  }

 private:
  const base::net::TlsOptions tls_;
  const std::function<std::string()> token_;
  base::Files& files_;
  base::Clock& clock_;
  link::Running running_;
};

}  // namespace

std::unique_ptr<link::Dialer> MakeGrpcDialer(base::net::TlsOptions tls,
                                             std::function<std::string()> token, base::Files& files,
                                             base::Clock& clock, link::Running running) {
  return std::make_unique<GrpcDialer>(std::move(tls), std::move(token), files, clock,
                                      std::move(running));
}

}  // namespace slipway::eraft
