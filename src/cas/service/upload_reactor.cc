// Upload (Z13): one message arrives while the one before is hashed and written, and no third is
// asked for, so that a fast client waits for the disk in its own flow control (Z15).
#include <atomic>
#include <memory>
#include <utility>

#include "base/status.h"
#include "cas/service/session/upload_session.h"
#include "cas/service/slices.h"
#include "cas/service/transfer_reactors.h"

namespace slipway::cas {
namespace {

constexpr Method kUpload = {"/zako.v1.transport.Transport/Upload", "upload", Role::kWrite};

class UploadReactor : public grpc::ServerReadReactor<grpc::ByteBuffer>,
                      public std::enable_shared_from_this<UploadReactor> {
 public:
  UploadReactor(ServiceParts& parts, base::net::Service::Raw& raw,
                grpc::CallbackServerContext& context, grpc::ByteBuffer* response)
      : parts_(parts), raw_(raw), context_(context), response_(response), session_(parts.store) {}

  void Start() {
    self_ = shared_from_this();
    call_ =
        std::make_unique<StreamCall>(parts_, raw_, context_, kUpload, [weak = weak_from_this()] {
          const auto self = weak.lock();
          if (self != nullptr && !self->expiring_.exchange(true)) {
            self->expiring_ = self->Run(&UploadReactor::Expire);
          }
        });
    if (!call_->admitted().ok()) return End(call_->admitted());
    call_->OnStop([this] { Run(&UploadReactor::Vanish); });
    if (!Run(&UploadReactor::Begin)) End(BusyError());
  }

  // ---- gRPC threads ----
  void OnReadDone(bool ok) override {
    arrived_ = true;
    if (!Run(ok ? &UploadReactor::TakeMessage : &UploadReactor::TakeEnd)) End(BusyError());
  }
  void OnCancel() override {
    call_->Cancel();
    Run(&UploadReactor::Vanish);  // if it is refused, the read that fails does the same
  }
  void OnDone() override {
    call_->Release();
    const auto self = std::move(self_);
  }

 private:
  bool Run(void (UploadReactor::*job)()) {
    return call_->Submit([self = shared_from_this(), job] {
      if (!self->call_->finished()) (self.get()->*job)();
    });
  }

  // ---- Jobs of the strand ----
  void Begin() {
    if (absl::Status status = call_->AuthorizeTransport(); !status.ok()) return End(status);
    call_->entry().SetWaiting(true);
    StartRead(&message_);
  }

  void TakeMessage() {
    call_->entry().SetWaiting(false);
    arrived_ = false;
    grpc::ByteBuffer message;
    message.Swap(&message_);
    StartRead(&message_);
    if (absl::Status status = Handle(message); !status.ok()) return End(status);
    call_->entry().SetWaiting(true);  // only now: the time that the disk takes is not the client's
  }

  absl::Status Handle(const grpc::ByteBuffer& message_bytes) {
    const SliceViews views(message_bytes);
    SLIPWAY_RETURN_IF_ERROR(views.status());
    SLIPWAY_ASSIGN_OR_RETURN(const UploadMessage message, ParseUploadMessage(views.views()));
    const bool first = !session_.digest().has_value();
    const absl::Status status = session_.OnMessage(message);
    if (first && session_.digest().has_value()) call_->SetTarget(*session_.digest());
    if (status.ok()) {
      call_->entry().AddBytes(message.chunk_bytes);
      parts_.transfer.received_bytes.Increment(static_cast<double>(message.chunk_bytes));
    }
    return status;
  }

  void TakeEnd() {
    call_->entry().SetWaiting(false);
    if (context_.IsCancelled()) return Vanish();
    const absl::StatusOr<uint64_t> committed = session_.OnEnd();
    if (!committed.ok()) return End(committed.status());
    *response_ = BufferOf(UploadAnswer(*committed));
    End(absl::OkStatus());
  }

  void Vanish() { End(absl::CancelledError("store blob: the client went away")); }
  void Expire() {
    // A message may have come while this waited for a thread: then the server was slow, not the
    // client.
    expiring_ = false;
    if (arrived_ || !call_->entry().IsSilent()) return;
    End(absl::DeadlineExceededError(
        "store blob: no message came for upload.idle_timeout; nothing was stored"));
  }

  // The last of this object, but for what OnDone does.
  void End(const absl::Status& status) {
    if (!call_->TakeFinish()) return;
    session_.Abort();
    Finish(call_->Finish(status));
  }

  ServiceParts& parts_;
  base::net::Service::Raw& raw_;
  grpc::CallbackServerContext& context_;
  grpc::ByteBuffer* const response_;
  std::shared_ptr<UploadReactor> self_;
  std::unique_ptr<StreamCall> call_;
  UploadSession session_;
  grpc::ByteBuffer message_;
  std::atomic<bool> expiring_{false};  // the strand has a job for that already
  std::atomic<bool> arrived_{false};   // a message, or their end, that no job has taken yet
};

}  // namespace

grpc::ServerReadReactor<grpc::ByteBuffer>* StartUpload(ServiceParts& parts,
                                                       base::net::Service::Raw& raw,
                                                       grpc::CallbackServerContext& context,
                                                       grpc::ByteBuffer* response) {
  auto reactor = std::make_shared<UploadReactor>(parts, raw, context, response);
  reactor->Start();
  return reactor.get();
}

}  // namespace slipway::cas
