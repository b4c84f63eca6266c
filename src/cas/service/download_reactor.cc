// Download (Z12): one chunk is on its way to the client while the next one is read. Where that is
// at hand in time, it follows without a detour over the pool.
#include <memory>
#include <optional>
#include <utility>

#include "base/status.h"
#include "base/sync/mutex.h"
#include "cas/service/session/download_session.h"
#include "cas/service/slices.h"
#include "cas/service/transfer_reactors.h"

namespace slipway::cas {
namespace {

constexpr Method kDownload = {"/zako.v1.transport.Transport/Download", "download", Role::kRead};

class DownloadReactor : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                        public std::enable_shared_from_this<DownloadReactor> {
 public:
  DownloadReactor(ServiceParts& parts, base::net::Service::Raw& raw,
                  grpc::CallbackServerContext& context, const grpc::ByteBuffer& request)
      : parts_(parts), raw_(raw), context_(context), request_(request), session_(parts.store) {}

  void Start() {
    self_ = shared_from_this();
    call_ = std::make_unique<StreamCall>(parts_, raw_, context_, kDownload);
    if (!call_->admitted().ok()) return End(call_->admitted());
    call_->OnStop([this] { Run(&DownloadReactor::Vanish); });
    if (!Run(&DownloadReactor::Begin)) End(BusyError());
  }

  // ---- gRPC threads ----
  void OnWriteDone(bool ok) override {
    if (ok && FollowAtOnce()) return;
    if (!Run(ok ? &DownloadReactor::Write : &DownloadReactor::Vanish)) End(BusyError());
  }
  void OnCancel() override {
    call_->Cancel();
    Run(&DownloadReactor::Vanish);  // if it is refused, the write that fails does the same
  }
  void OnDone() override {
    call_->Release();
    const auto self = std::move(self_);
  }

 private:
  struct Chunk {
    std::unique_ptr<Buffers::Buffer> buffer;
    size_t size = 0;
  };

  // On a gRPC thread: sends the chunk that was read ahead. False: there is none.
  bool FollowAtOnce() {
    bool plenty = false;
    {
      const base::MutexLock lock(mutex_);
      if (!ahead_.has_value() || !ahead_->ok() || (*ahead_)->size == 0) return false;
      if (call_->finished()) return false;
      plenty = Send(*std::exchange(ahead_, std::nullopt).value());
    }
    // If it is refused, the end of this write asks for the next chunk.
    if (plenty) Run(&DownloadReactor::ReadAhead);
    return true;
  }

  bool Run(void (DownloadReactor::*job)()) {
    return call_->Submit([self = shared_from_this(), job] {
      if (!self->call_->finished()) (self.get()->*job)();
    });
  }

  // ---- Jobs of the strand ----
  void Begin() {
    absl::Status status = call_->AuthorizeTransport();
    if (status.ok()) status = Open();
    if (!status.ok()) return End(status);
    Write();
  }

  absl::Status Open() {
    const SliceViews views(request_);
    SLIPWAY_RETURN_IF_ERROR(views.status());
    SLIPWAY_ASSIGN_OR_RETURN(const std::optional<WireResource> metadata,
                             ParseDownloadMessage(views.views()));
    const absl::Status status = session_.Open(metadata);
    if (session_.digest().has_value()) call_->SetTarget(*session_.digest());
    return status;
  }

  absl::StatusOr<Chunk> ReadChunk() {
    Chunk chunk;
    if (session_.left_bytes() == 0) return chunk;
    chunk.buffer = parts_.buffers.Take(session_.left_bytes());
    SLIPWAY_ASSIGN_OR_RETURN(
        chunk.size, session_.Next(absl::MakeSpan(chunk.buffer->data(), chunk.buffer->size())));
    return chunk;
  }

  void Write() {
    std::optional<absl::StatusOr<Chunk>> chunk;
    {
      const base::MutexLock lock(mutex_);
      chunk.swap(ahead_);
    }
    if (!chunk.has_value()) chunk.emplace(ReadChunk());
    if (!chunk->ok()) return End(chunk->status());
    if ((*chunk)->size == 0) return End(absl::OkStatus());
    bool plenty = false;
    {
      const base::MutexLock lock(mutex_);
      plenty = Send(**std::move(chunk));
    }
    if (plenty) ReadAhead();
  }

  void ReadAhead() {
    {
      const base::MutexLock lock(mutex_);
      if (ahead_.has_value()) return;  // a job between the send and this one did it
    }
    absl::StatusOr<Chunk> chunk = ReadChunk();
    const base::MutexLock lock(mutex_);
    ahead_.emplace(std::move(chunk));
  }

  // Whether to read ahead. Not when memory is short: what is read ahead of a slow client is taken
  // from the others.
  bool Send(Chunk chunk) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const bool plenty = !chunk.buffer->small() && parts_.buffers.plenty();
    call_->entry().AddBytes(chunk.size);
    parts_.transfer.sent_bytes.Increment(static_cast<double>(chunk.size));
    message_ = BufferOf(std::move(chunk.buffer), chunk.size);
    StartWrite(&message_);
    return plenty;
  }

  void Vanish() { End(absl::CancelledError("read blob: the client went away")); }

  // The last of this object, but for what OnDone does.
  void End(const absl::Status& status) {
    if (!call_->TakeFinish()) return;
    {
      const base::MutexLock lock(mutex_);  // from here on nothing is sent
      ahead_.reset();
    }
    session_.Close();
    Finish(call_->Finish(status));
  }

  ServiceParts& parts_;
  base::net::Service::Raw& raw_;
  grpc::CallbackServerContext& context_;
  const grpc::ByteBuffer& request_;  // gRPC's, until OnDone
  std::shared_ptr<DownloadReactor> self_;
  std::unique_ptr<StreamCall> call_;
  DownloadSession session_;
  base::Mutex mutex_;
  std::optional<absl::StatusOr<Chunk>> ahead_ ABSL_GUARDED_BY(mutex_);
  grpc::ByteBuffer message_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

grpc::ServerWriteReactor<grpc::ByteBuffer>* StartDownload(ServiceParts& parts,
                                                          base::net::Service::Raw& raw,
                                                          grpc::CallbackServerContext& context,
                                                          const grpc::ByteBuffer& request) {
  auto reactor = std::make_shared<DownloadReactor>(parts, raw, context, request);
  reactor->Start();
  return reactor.get();
}

}  // namespace slipway::cas
