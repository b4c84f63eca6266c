#include "eraft/client/pipeline_dialer.h"

#include <grpcpp/support/client_callback.h>

#include <functional>
#include <string>
#include <utility>

#include "base/net/grpc/grpc_client.h"
#include "base/sync/mutex.h"
#include "slipway/eraft/client/v1/client.grpc.pb.h"

namespace slipway::eraft::client {
namespace {

namespace v1 = slipway::eraft::client::v1;

constexpr absl::Duration kConnectTimeout = absl::Seconds(2);
constexpr absl::Duration kCloseTimeout = absl::Seconds(2);

v1::Op OpOf(Op op) {
  switch (op) {
    case Op::kGet:
      return v1::GET;
    case Op::kPut:
      return v1::PUT;
    case Op::kAppend:
      return v1::APPEND;
    case Op::kDelete:
      return v1::DELETE;
    case Op::kCompareAndSet:
      return v1::CAS;
    case Op::kScan:
      break;
  }
  return v1::SCAN;
}

v1::ReadMode ModeOf(ReadFrom from) {
  switch (from) {
    case ReadFrom::kQuorum:
      return v1::READ_INDEX;
    case ReadFrom::kLease:
      return v1::READ_LEASE;
    case ReadFrom::kSerializable:
      return v1::READ_SERIALIZABLE;
    case ReadFrom::kDefault:
      break;
  }
  return v1::READ_DEFAULT;
}

v1::Batch ToProto(const WireBatch& batch) {
  v1::Batch out;
  out.set_session(batch.session);
  out.set_acked_upto(batch.acknowledged);
  for (const WireCommand& command : batch.commands) {
    const Operation& operation = *command.operation;
    v1::Cmd& cmd = *out.add_cmds();
    cmd.set_id(command.id);
    cmd.set_op(OpOf(operation.op));
    cmd.set_key(operation.key);
    cmd.set_value(operation.value);
    cmd.set_expect(operation.expected);
    cmd.set_expect_absent(operation.expect_absent);
    cmd.set_end_key(operation.end);
    cmd.set_limit(operation.limit);
    cmd.set_read_mode(ModeOf(operation.read_from));
  }
  return out;
}

WireResults FromProto(v1::BatchResult& batch) {
  WireResults out;
  out.leader = batch.leader_hint();
  out.credit = batch.credit();
  out.results.reserve(static_cast<size_t>(batch.r_size()));
  for (v1::Result& result : *batch.mutable_r()) {
    WireResult& own = out.results.emplace_back();
    own.id = result.id();
    // What is no code stays none: the dispatcher says so.
    const int code = result.code();
    own.code = static_cast<Code>(code >= 0 && code < 255 ? code : 255);
    own.reply.index = result.index();
    own.reply.more = result.more();
    own.reply.value = std::move(*result.mutable_value());
    for (v1::KeyValue& row : *result.mutable_kvs()) {
      own.reply.rows.emplace_back(std::move(*row.mutable_key()), std::move(*row.mutable_value()));
    }
  }
  return out;
}

// What runs on the pool or in gRPC, and must be over before loop and pool go.
class Running {
 public:
  void Begin() {
    const base::MutexLock lock(mutex_);
    ++count_;
  }
  void End() {
    const base::MutexLock lock(mutex_);
    if (--count_ == 0) changed_.NotifyAll();
  }
  void Wait() {
    const base::MutexLock lock(mutex_);
    while (count_ > 0) changed_.Wait(mutex_);
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
};

// What all calls share.
struct Shared {
  std::shared_ptr<Channels> channels;
  base::Loop& loop;
  base::Pool& pool;
  Running running;
};

// Who hears of a link. Loop-only but for Tell.
struct Sink {
  Sink(base::Loop& l, LinkEvents& e) : loop(l), events(&e) {}
  void Tell(absl::AnyInvocable<void(LinkEvents&)> what) {
    loop.Post([self = self.lock(), what = std::move(what)]() mutable {
      if (self != nullptr && self->events != nullptr) what(*self->events);
    });
  }
  base::Loop& loop;
  LinkEvents* events;
  std::weak_ptr<Sink> self;
};

// The call. Begun by Start on any thread; owns itself from then until OnDone.
class Stream final : public grpc::ClientBidiReactor<v1::Batch, v1::BatchResult> {
 public:
  Stream(std::shared_ptr<Shared> shared, std::string address, std::shared_ptr<Sink> sink)
      : shared_(std::move(shared)), address_(std::move(address)), sink_(std::move(sink)) {}

  // Connects on the pool, then begins.
  static void Dial(const std::shared_ptr<Stream>& stream) {
    stream->shared_->running.Begin();
    const absl::Status submitted =
        stream->shared_->pool.Submit([stream] { stream->Start(stream); });
    if (!submitted.ok()) stream->Fail(submitted);
  }

  void Send(v1::Batch batch) {
    const base::MutexLock lock(mutex_);
    if (over_) return;
    out_ = std::move(batch);
    waiting_ = true;
    if (started_) Write();
  }
  void Cancel() {
    const base::MutexLock lock(mutex_);
    over_ = true;
    if (started_) context_.TryCancel();
    Release();
  }

 private:
  void Start(const std::shared_ptr<Stream>& self) {
    auto channel = shared_->channels->Connected(address_, kConnectTimeout);
    if (!channel.ok()) return Fail(channel.status());
    const base::MutexLock lock(mutex_);
    if (over_) return shared_->running.End();
    self_ = self;
    channel_ = *std::move(channel);
    stub_ = v1::Pipeline::NewStub(channel_->raw().channel);
    shared_->channels->Prepare(context_, absl::InfiniteDuration());
    stub_->async()->Stream(&context_, this);
    AddHold();  // writes are begun from outside
    StartRead(&in_);
    started_ = true;
    if (waiting_) Write();
    StartCall();
  }
  void Fail(const absl::Status& status) {
    sink_->Tell([status](LinkEvents& events) { events.OnClosed(status, ""); });
    shared_->running.End();
  }
  void Write() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    waiting_ = false;
    StartWrite(&out_);
  }
  void Release() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    over_ = true;
    if (started_ && !std::exchange(released_, true)) RemoveHold();
  }

  void OnWriteDone(bool ok) override {
    if (ok) sink_->Tell([](LinkEvents& events) { events.OnSent(); });
  }
  void OnReadDone(bool ok) override {
    if (!ok) {
      const base::MutexLock lock(mutex_);
      return Release();
    }
    sink_->Tell([results = FromProto(in_)](LinkEvents& events) mutable {
      events.OnResults(std::move(results));
    });
    StartRead(&in_);
  }
  void OnDone(const grpc::Status& status) override {
    const absl::Status said = base::net::FromGrpcStatus(status, context_);
    sink_->Tell([said, leader = LeaderHint(context_)](LinkEvents& events) {
      events.OnClosed(said, leader);
    });
    if (!said.ok()) shared_->channels->Forget(address_);
    const std::shared_ptr<Shared> shared = shared_;
    std::shared_ptr<Stream> self;
    {
      const base::MutexLock lock(mutex_);
      self = std::move(self_);
    }
    self.reset();  // `this` may be gone
    shared->running.End();
  }

  const std::shared_ptr<Shared> shared_;
  const std::string address_;
  const std::shared_ptr<Sink> sink_;
  Channels::Ptr channel_;
  std::unique_ptr<v1::Pipeline::Stub> stub_;
  grpc::ClientContext context_;
  v1::BatchResult in_;
  v1::Batch out_;

  base::Mutex mutex_;
  std::shared_ptr<Stream> self_ ABSL_GUARDED_BY(mutex_);
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;  // `out_` is to be written
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  bool released_ ABSL_GUARDED_BY(mutex_) = false;
};

class PipelineLink final : public Link {
 public:
  PipelineLink(const std::shared_ptr<Shared>& shared, const std::string& address,
               LinkEvents& events)
      : sink_(std::make_shared<Sink>(shared->loop, events)),
        stream_(std::make_shared<Stream>(shared, address, sink_)) {
    sink_->self = sink_;
    Stream::Dial(stream_);
  }
  ~PipelineLink() override {
    sink_->events = nullptr;
    stream_->Cancel();
  }
  void Send(const WireBatch& batch) override { stream_->Send(ToProto(batch)); }

 private:
  const std::shared_ptr<Sink> sink_;
  const std::shared_ptr<Stream> stream_;
};

// One unary call; lives until its answer.
struct Unary {
  Channels::Ptr channel;
  std::unique_ptr<v1::Pipeline::Stub> stub;
  grpc::ClientContext context;
  v1::RegisterSessionRequest register_request;
  v1::Session session;
  v1::CloseSessionResponse close_response;
};

class PipelineDialer final : public Dialer {
 public:
  PipelineDialer(std::shared_ptr<Channels> channels, base::Loop& loop, base::Pool& pool)
      : shared_(new Shared{std::move(channels), loop, pool, {}}) {}
  ~PipelineDialer() override { shared_->running.Wait(); }

  std::unique_ptr<Link> Dial(const std::string& address, LinkEvents& events) override {
    return std::make_unique<PipelineLink>(shared_, address, events);
  }

  void Register(const std::string& address, absl::Duration timeout,
                absl::AnyInvocable<void(SessionGrant)> done) override {
    auto end = std::make_shared<absl::AnyInvocable<void(SessionGrant)>>(std::move(done));
    const auto tell = [shared = shared_, end](SessionGrant grant) {
      shared->loop.Post([end, grant = std::move(grant)]() mutable { (*end)(std::move(grant)); });
    };
    Begin(address, timeout, [tell, shared = shared_](absl::StatusOr<std::shared_ptr<Unary>> call) {
      if (!call.ok()) {
        tell({call.status(), ""});
        return shared->running.End();
      }
      Unary& unary = **call;
      unary.stub->async()->RegisterSession(
          &unary.context, &unary.register_request, &unary.session,
          [call = *call, tell, shared](const grpc::Status& status) {
            const absl::Status said = base::net::FromGrpcStatus(status, call->context);
            tell({said.ok() ? absl::StatusOr<uint64_t>(call->session.id()) : said,
                  LeaderHint(call->context)});
            shared->running.End();
          });
    });
  }

  void CloseSession(const std::string& address, uint64_t session) override {
    Begin(address, kCloseTimeout,
          [session, shared = shared_](absl::StatusOr<std::shared_ptr<Unary>> call) {
            if (!call.ok()) return shared->running.End();
            Unary& unary = **call;
            unary.session.set_id(session);
            unary.stub->async()->CloseSession(
                &unary.context, &unary.session, &unary.close_response,
                [call = *call, shared](const grpc::Status&) { shared->running.End(); });
          });
  }

 private:
  // `run` comes on the pool, or here; it ends what is running.
  void Begin(const std::string& address, absl::Duration timeout,
             const std::function<void(absl::StatusOr<std::shared_ptr<Unary>>)>& run) {
    shared_->running.Begin();
    const absl::Status submitted = shared_->pool.Submit([shared = shared_, address, timeout, run] {
      auto channel = shared->channels->Connected(address, timeout);
      if (!channel.ok()) return run(channel.status());
      auto call = std::make_shared<Unary>();
      call->channel = *std::move(channel);
      call->stub = v1::Pipeline::NewStub(call->channel->raw().channel);
      shared->channels->Prepare(call->context, timeout);
      run(std::move(call));
    });
    if (!submitted.ok()) run(submitted);
  }

  const std::shared_ptr<Shared> shared_;
};

}  // namespace

std::unique_ptr<Dialer> MakePipelineDialer(std::shared_ptr<Channels> channels, base::Loop& loop,
                                           base::Pool& pool) {
  return std::make_unique<PipelineDialer>(std::move(channels), loop, pool);
}

}  // namespace slipway::eraft::client
