// The streams of the links as unary calls of raftpb.RaftService (E124): each message of a stream is
// one call of AppendEntries, whose answer brings what the other side had to say meanwhile.
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/server_context.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/net/grpc/channel.h"
#include "base/net/grpc/grpc_client.h"
#include "base/net/grpc/grpc_service.h"
#include "base/protobuf_reader.h"
#include "base/status.h"
#include "compat/raftpb/raft.grpc.pb.h"
#include "eraft/transport/caller.h"
#include "eraft/transport/grpc_streams.h"
#include "eraft/transport/link/limits.h"
#include "eraft/transport/slices.h"

namespace slipway::eraft {
namespace {

constexpr char kMethod[] = "/raftpb.RaftService/AppendEntries";
constexpr absl::Duration kCallTimeout = absl::Seconds(10);
constexpr size_t kStreamsMax = 256;

// Own fields of raft.proto.
constexpr uint32_t kStreamField = 16, kFrameField = 17, kAnswerField = 16;

void PutVarint(base::Bytes& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<uint8_t>(value | 0x80));
  out.push_back(static_cast<uint8_t>(value));
}

uint32_t Tag(uint32_t field, base::ProtobufType type) {
  return field << 3 | static_cast<uint32_t>(type);
}

// `head` and then the message as field `field`.
link::OutMessage Wrap(base::Bytes head, uint32_t field, link::OutMessage message) {
  PutVarint(head, Tag(field, base::ProtobufType::kBytes));
  PutVarint(head, message.bytes);
  auto owner = std::make_shared<const base::Bytes>(std::move(head));
  const base::BytesView view(*owner);
  message.bytes += view.size();
  message.pieces.insert(message.pieces.begin(), link::Piece{std::move(owner), view});
  return message;
}

struct Request {
  uint64_t stream = 0;
  bool has_frame = false;
  std::vector<base::BytesView> frame;
};

bool Parse(link::Slices slices, Request* out) {
  base::ProtobufReader in(slices);
  return in.Fields(0, [&](uint32_t field, base::ProtobufType type) -> std::optional<bool> {
    if (field == kStreamField && type == base::ProtobufType::kVarint)
      return in.Varint(&out->stream);
    if (field != kFrameField || type != base::ProtobufType::kBytes) return std::nullopt;
    uint64_t length = 0;
    out->has_frame = true;
    out->frame.clear();
    return in.Length(&length) &&
           in.Pieces(length, [&](base::BytesView piece) { out->frame.push_back(piece); });
  });
}

// ---- The side that opens ----

class UnaryStream final : public link::ClientStream,
                          public std::enable_shared_from_this<UnaryStream> {
 public:
  UnaryStream(std::unique_ptr<base::net::Channel> channel, uint64_t id, std::string token,
              base::Clock& clock, std::shared_ptr<link::ClientEvents> events,
              std::shared_ptr<void> running)
      : running_(std::move(running)),
        channel_(std::move(channel)),
        stub_(channel_->raw().channel),
        id_(id),
        token_(std::move(token)),
        clock_(clock),
        events_(std::move(events)) {}

  void Write(link::OutMessage message) override {
    base::Bytes head;
    PutVarint(head, Tag(kStreamField, base::ProtobufType::kVarint));
    PutVarint(head, id_);
    auto call = std::make_shared<Call>();
    base::net::PrepareCall({.deadline = clock_.Wall() + kCallTimeout, .token = token_},
                           call->context);
    call->request = BufferOf(Wrap(std::move(head), kFrameField, std::move(message)));
    {
      const base::MutexLock lock(mutex_);
      call_ = call;
    }
    stub_.UnaryCall(&call->context, kMethod, grpc::StubOptions(), &call->request, &call->response,
                    [self = shared_from_this(), call](const grpc::Status& status) {
                      self->OnAnswer(*call, status);
                    });
  }
  void Cancel() override {
    std::shared_ptr<Call> call;
    {
      const base::MutexLock lock(mutex_);
      call = std::move(call_);
    }
    if (call != nullptr) call->context.TryCancel();
  }

 private:
  struct Call {
    grpc::ClientContext context;
    grpc::ByteBuffer request, response;
  };

  void OnAnswer(const Call& call, const grpc::Status& status) {
    {
      const base::MutexLock lock(mutex_);
      call_ = nullptr;
    }
    absl::Status answer = base::net::FromGrpcStatus(status, call.context);
    const SliceViews slices(call.response);
    base::ProtobufReader in(slices.views());
    const bool ok =
        answer.ok() &&
        in.Fields(0, [&](uint32_t field, base::ProtobufType type) -> std::optional<bool> {
          if (field != kAnswerField || type != base::ProtobufType::kBytes) return std::nullopt;
          uint64_t length = 0;
          std::vector<base::BytesView> pieces;
          if (!in.Length(&length) ||
              !in.Pieces(length, [&](base::BytesView piece) { pieces.push_back(piece); })) {
            return false;
          }
          return events_->OnMessage(pieces), true;
        });
    if (ok) return events_->OnWritten();
    if (answer.ok()) answer = absl::InternalError("send message: the answer is none of a node's");
    events_->OnBroken();
    events_->OnClosed(answer);
  }

  const std::shared_ptr<void> running_;  // first: its end is that of this object
  const std::unique_ptr<base::net::Channel> channel_;
  grpc::GenericStub stub_;
  const uint64_t id_;
  const std::string token_;
  base::Clock& clock_;
  const std::shared_ptr<link::ClientEvents> events_;
  base::Mutex mutex_;
  std::shared_ptr<Call> call_ ABSL_GUARDED_BY(mutex_);  // under way
};

class UnaryDialer final : public link::Dialer {
 public:
  explicit UnaryDialer(const UnaryDialerOptions& options) : options_(options) {}
  absl::StatusOr<std::shared_ptr<link::ClientStream>> Dial(
      const std::string& address, std::shared_ptr<link::ClientEvents> events) override {
    base::net::ChannelOptions channel_options;
    channel_options.address = address;
    channel_options.tls = options_.tls;
    channel_options.connect_timeout = link::kConnectTimeout;
    SLIPWAY_ASSIGN_OR_RETURN(auto channel, base::net::Channel::Open(channel_options, options_.files,
                                                                    options_.clock.Wall()));
    return std::make_shared<UnaryStream>(std::move(channel), options_.random.Next(),
                                         options_.token ? options_.token() : "", options_.clock,
                                         std::move(events), link::Running(options_.running).Hold());
  }

 private:
  const UnaryDialerOptions options_;
};

// ---- The side that takes ----

// One stream that came in calls.
class Session final : public link::ServerStream, public std::enable_shared_from_this<Session> {
 public:
  // `on_end`: once, when the stream has ended; it may let go of this.
  Session(base::Loop& loop, std::shared_ptr<void> running, std::function<void()> on_end)
      : running_(std::move(running)), loop_(loop), on_end_(std::move(on_end)) {}
  void Begin(const std::shared_ptr<link::Inbox>& inbox, const base::net::Call& caller,
             std::vector<std::string> names) {
    logic_ = std::make_shared<link::Incoming>(inbox, *this, caller.peer, std::move(names));
    logic_->Start();
  }

  // `answer` once, with what there is to say.
  using Answer = absl::AnyInvocable<void(const absl::Status&, base::Bytes)>;
  void Take(link::Slices message, Answer answer) {
    {
      const base::MutexLock lock(mutex_);
      if (ended_.has_value() || answer_ != nullptr || !reads_) {
        absl::Status why = ended_.value_or(
            absl::FailedPreconditionError("take message: the one before is not answered yet"));
        return answer(why.ok() ? absl::UnavailableError("take message: the stream has ended") : why,
                      base::Bytes());
      }
      answer_ = std::move(answer);
      reads_ = false;
    }
    logic_->OnMessage(message);
  }

  // ---- ServerStream: under the lock of Incoming ----
  void Write(link::OutMessage message) override {
    const link::OutMessage wrapped = Wrap(base::Bytes(), kAnswerField, std::move(message));
    {
      const base::MutexLock lock(mutex_);
      for (const link::Piece& piece : wrapped.pieces) {
        out_.insert(out_.end(), piece.view.begin(), piece.view.end());
      }
    }
    loop_.Post([self = shared_from_this()] { self->logic_->OnWritten(true); });
  }
  // The message from before has been dealt with.
  void Read() override {
    Answer answer;
    base::Bytes out;
    {
      const base::MutexLock lock(mutex_);
      reads_ = true;
      answer = std::move(answer_);
      answer_ = nullptr;
      if (answer != nullptr) out.swap(out_);
    }
    if (answer != nullptr) answer(absl::OkStatus(), std::move(out));
  }
  void Finish(const absl::Status& status) override {
    const auto self = shared_from_this();
    Answer answer;
    {
      const base::MutexLock lock(mutex_);
      ended_ = status;
      answer = std::move(answer_);
      answer_ = nullptr;
    }
    if (answer != nullptr) {
      answer(status.ok() ? absl::UnavailableError("take message: the stream has ended") : status,
             base::Bytes());
    }
    on_end_();
  }

 private:
  const std::shared_ptr<void> running_;  // first: its end is that of this object
  base::Loop& loop_;
  const std::function<void()> on_end_;
  std::shared_ptr<link::Incoming> logic_;
  base::Mutex mutex_;
  bool reads_ ABSL_GUARDED_BY(mutex_) = false;
  Answer answer_ ABSL_GUARDED_BY(mutex_);  // of the message that is being dealt with
  base::Bytes out_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> ended_ ABSL_GUARDED_BY(mutex_);
};

using Generated = raftpb::RaftService;
using Base =
    Generated::WithRawCallbackMethod_RequestVote<Generated::WithRawCallbackMethod_AppendEntries<
        Generated::WithRawCallbackMethod_InstallSnapshot<Generated::Service>>>;

class UnaryService final : public Base, public base::net::Service {
 public:
  explicit UnaryService(UnaryServiceOptions options) : options_(std::move(options)) {
    raw_.service = this;
  }
  Raw& raw() override { return raw_; }

  grpc::ServerUnaryReactor* RequestVote(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer*, grpc::ByteBuffer*) override {
    return Refuse(*context, Foreign());
  }
  grpc::ServerUnaryReactor* InstallSnapshot(grpc::CallbackServerContext* context,
                                            const grpc::ByteBuffer*, grpc::ByteBuffer*) override {
    return Refuse(*context, Foreign());
  }
  grpc::ServerUnaryReactor* AppendEntries(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* buffer,
                                          grpc::ByteBuffer* response) override {
    const base::net::Call caller = base::net::ReadCall(*context);
    const absl::Status admitted = options_.admit ? options_.admit(caller) : absl::OkStatus();
    if (!admitted.ok()) return Refuse(*context, admitted);
    const SliceViews slices(*buffer);
    Request request;
    if (!Parse(slices.views(), &request)) {
      return Refuse(*context, absl::InvalidArgumentError("take message: it is none"));
    }
    if (!request.has_frame) return Refuse(*context, Foreign());
    const absl::StatusOr<std::shared_ptr<Session>> session =
        Find(request.stream, caller, NamesOf(*context));
    if (!session.ok()) return Refuse(*context, session.status());
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    (*session)->Take(request.frame,
                     [context, reactor, response](const absl::Status& status, base::Bytes out) {
                       // Also of no bytes: gRPC ends the process over a buffer that was never set.
                       const grpc::Slice slice(out.data(), out.size());
                       *response = grpc::ByteBuffer(&slice, 1);
                       reactor->Finish(base::net::ToGrpcStatus(status, *context));
                     });
    return reactor;
  }

 private:
  static grpc::ServerUnaryReactor* Refuse(grpc::CallbackServerContext& context,
                                          const absl::Status& status) {
    grpc::ServerUnaryReactor* const reactor = context.DefaultReactor();
    reactor->Finish(base::net::ToGrpcStatus(status, context));
    return reactor;
  }
  // The commands of other programs' logs mean nothing here, nor ours there.
  static absl::Status Foreign() {
    return absl::FailedPreconditionError(
        "take message: it is not of a node of this program; groups are not mixed with nodes of "
        "other implementations, whose log entries differ");
  }

  absl::StatusOr<std::shared_ptr<Session>> Find(uint64_t id, const base::net::Call& caller,
                                                std::vector<std::string> names) {
    std::shared_ptr<Session> session;
    {
      const base::MutexLock lock(mutex_);
      const auto found = sessions_.find(id);
      if (found != sessions_.end()) return found->second;
      if (sessions_.size() >= kStreamsMax) {
        return absl::ResourceExhaustedError("take message: too many streams");
      }
      session = std::make_shared<Session>(options_.loop, options_.running.Hold(),
                                          [this, id] { Forget(id); });
      sessions_[id] = session;
    }
    session->Begin(options_.inbox, caller, std::move(names));
    return session;
  }

  void Forget(uint64_t id) {
    std::shared_ptr<Session> gone;  // after the lock
    const base::MutexLock lock(mutex_);
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return;
    gone = std::move(found->second);
    sessions_.erase(found);
  }

  UnaryServiceOptions options_;
  Raw raw_;
  base::Mutex mutex_;
  std::map<uint64_t, std::shared_ptr<Session>> sessions_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<link::Dialer> MakeUnaryDialer(const UnaryDialerOptions& options) {
  return std::make_unique<UnaryDialer>(options);
}

std::unique_ptr<base::net::Service> MakeUnaryService(UnaryServiceOptions options) {
  return std::make_unique<UnaryService>(std::move(options));
}

}  // namespace slipway::eraft
