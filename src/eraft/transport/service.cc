// Streams that peers open.
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/net/grpc/grpc_service.h"
#include "eraft/transport/caller.h"
#include "eraft/transport/grpc_streams.h"
#include "eraft/transport/slices.h"
#include "slipway/eraft/transport/v1/transport.grpc.pb.h"

namespace slipway::eraft {
namespace {

using Generated = slipway::eraft::transport::v1::RaftTransport;
using Reactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;

// Ends itself.
class Call final : public Reactor, public link::ServerStream {
 public:
  // `admit`: may be null.
  Call(grpc::CallbackServerContext& context, const std::shared_ptr<link::Inbox>& inbox,
       std::shared_ptr<void> running, Admit admit)
      : running_(std::move(running)),
        context_(context),
        caller_(base::net::ReadCall(context)),
        admit_(std::move(admit)),
        clock_(inbox->world().clock),
        logic_(std::make_shared<link::Incoming>(inbox, *this, caller_.peer, NamesOf(context))) {}
  void Begin() {
    if (IsAdmitted()) logic_->Start();
  }

  // ---- ServerStream ----
  void Write(link::OutMessage message) override {
    outgoing_ = BufferOf(std::move(message));
    StartWrite(&outgoing_);
  }
  void Read() override { StartRead(&incoming_); }
  void Finish(const absl::Status& status) override {
    Reactor::Finish(base::net::ToGrpcStatus(status, context_));
  }

  // ---- gRPC threads ----
  void OnReadDone(bool ok) override {
    if (!ok) return logic_->OnReadEnd();
    if (clock_.Monotonic() - admitted_at_ >= link::kAdmittedFor && !IsAdmitted()) return;
    logic_->OnMessage(SliceViews(incoming_).views());
  }
  void OnWriteDone(bool ok) override { logic_->OnWritten(ok); }
  void OnCancel() override { logic_->OnCancel(); }
  void OnDone() override { delete this; }

 private:
  // Else the stream ends.
  bool IsAdmitted() {
    admitted_at_ = clock_.Monotonic();
    const absl::Status admitted = admit_ ? admit_(caller_) : absl::OkStatus();
    if (!admitted.ok()) logic_->End(admitted);
    return admitted.ok();
  }

  const std::shared_ptr<void> running_;  // first: its end is that of this object
  grpc::CallbackServerContext& context_;
  const base::net::Call caller_;
  const Admit admit_;
  base::Clock& clock_;
  absl::Duration admitted_at_;  // of the reader
  grpc::ByteBuffer incoming_, outgoing_;
  const std::shared_ptr<link::Incoming> logic_;
};

class TransportService final : public Generated::WithRawCallbackMethod_Stream<Generated::Service>,
                               public base::net::Service {
 public:
  TransportService(std::shared_ptr<link::Inbox> inbox, link::Running running, Admit admit)
      : inbox_(std::move(inbox)), running_(std::move(running)), admit_(std::move(admit)) {
    raw_.service = this;
  }
  Raw& raw() override { return raw_; }

  Reactor* Stream(grpc::CallbackServerContext* context) override {
    auto* const call = new Call(*context, inbox_, running_.Hold(), admit_);
    call->Begin();
    return call;
  }

 private:
  const std::shared_ptr<link::Inbox> inbox_;
  link::Running running_;
  const Admit admit_;
  Raw raw_;
};

}  // namespace

std::unique_ptr<base::net::Service> MakeTransportService(std::shared_ptr<link::Inbox> inbox,
                                                         link::Running running, Admit admit) {
  return std::make_unique<TransportService>(std::move(inbox), std::move(running), std::move(admit));
}

}  // namespace slipway::eraft
