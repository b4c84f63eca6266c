#include "eraft/client/unary_calls.h"

#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "base/net/grpc/grpc_client.h"
#include "compat/etcd/rpc.pb.h"
#include "compat/kvraftpb/kvraft.pb.h"
#include "eraft/client/channels.h"

namespace slipway::eraft::client {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(1);
constexpr char kLegacyCommand[] = "/kvraftpb.KVService/Command";
constexpr char kEtcdPut[] = "/etcdserverpb.KV/Put";
constexpr char kEtcdRange[] = "/etcdserverpb.KV/Range";

grpc::ByteBuffer BufferOf(const google::protobuf::MessageLite& message) {
  grpc::Slice slice(message.ByteSizeLong());
  message.SerializeWithCachedSizesToArray(const_cast<uint8_t*>(slice.begin()));
  return {&slice, 1};
}

bool Parse(const grpc::ByteBuffer& buffer, google::protobuf::MessageLite& message) {
  grpc::Slice slice;
  if (!buffer.DumpToSingleSlice(&slice).ok()) return false;
  return message.ParseFromArray(slice.begin(), static_cast<int>(slice.size()));
}

gpr_timespec In(absl::Duration wait) {
  // A deadline of now would be rounded up to a wait of a millisecond.
  if (wait <= absl::ZeroDuration()) return gpr_inf_past(GPR_CLOCK_MONOTONIC);
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(absl::ToInt64Nanoseconds(wait), GPR_TIMESPAN));
}

struct Call {
  uint64_t tag = 0;
  bool write = false;
  int connection = 0;
  std::string address;
  Channels::Ptr channel;
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> reader;
  grpc::ByteBuffer response;
  grpc::Status status;
};

class GrpcUnaryCalls final : public UnaryCalls {
 public:
  GrpcUnaryCalls(UnaryApi api, std::vector<std::unique_ptr<Channels>> connections)
      : api_(api), connections_(std::move(connections)) {}
  ~GrpcUnaryCalls() override {
    for (Call* call : under_way_) call->context.TryCancel();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) delete static_cast<Call*>(tag);
  }

  void Start(const std::string& address, int connection, uint64_t tag, const UnaryRequest& request,
             absl::Duration timeout) override {
    Channels& channels = *connections_[static_cast<size_t>(connection)];
    auto channel = channels.Unconnected(address);
    if (!channel.ok()) {
      refused_.push_back({.tag = tag, .status = channel.status(), .err = "", .leader = ""});
      return;
    }
    auto call = std::make_unique<Call>();
    call->tag = tag;
    call->write = request.write;
    call->connection = connection;
    call->address = address;
    call->channel = *std::move(channel);
    channels.Prepare(call->context, timeout);
    const auto [method, message] = Encode(request);
    grpc::GenericStub stub(call->channel->raw().channel);
    call->reader = stub.PrepareUnaryCall(&call->context, method, message, &queue_);
    call->reader->StartCall();
    Call* const raw = call.release();
    under_way_.insert(raw);
    raw->reader->Finish(&raw->response, &raw->status, raw);
  }

  std::optional<UnaryAnswer> Wait(absl::Duration wait) override {
    if (!refused_.empty()) {
      UnaryAnswer answer = std::move(refused_.front());
      refused_.pop_front();
      return answer;
    }
    void* tag = nullptr;
    bool ok = false;
    if (queue_.AsyncNext(&tag, &ok, In(wait)) != grpc::CompletionQueue::GOT_EVENT) {
      return std::nullopt;
    }
    const std::unique_ptr<Call> call(static_cast<Call*>(tag));
    under_way_.erase(call.get());
    return Decode(*call);
  }

 private:
  std::pair<const char*, grpc::ByteBuffer> Encode(const UnaryRequest& request) const {
    if (api_ == UnaryApi::kLegacy) {
      kvraftpb::CommandRequest message;
      message.set_key(request.key);
      message.set_value(request.value);
      message.set_op(request.write ? kvraftpb::PUT : kvraftpb::GET);
      message.set_client_id(request.client_id);
      message.set_command_id(request.command_id);
      return {kLegacyCommand, BufferOf(message)};
    }
    if (request.write) {
      etcdserverpb::PutRequest message;
      message.set_key(request.key);
      message.set_value(request.value);
      return {kEtcdPut, BufferOf(message)};
    }
    etcdserverpb::RangeRequest message;
    message.set_key(request.key);
    message.set_serializable(request.serializable);
    return {kEtcdRange, BufferOf(message)};
  }

  UnaryAnswer Decode(const Call& call) {
    UnaryAnswer answer;
    answer.tag = call.tag;
    answer.status = base::net::FromGrpcStatus(call.status, call.context);
    answer.leader = LeaderHint(call.context);
    Channels& channels = *connections_[static_cast<size_t>(call.connection)];
    if (!answer.status.ok()) {
      // Of many calls that one lost connection ends, the first makes room for a new one.
      const auto now = channels.Unconnected(call.address);
      if (absl::IsUnavailable(answer.status) && now.ok() && *now == call.channel) {
        channels.Forget(call.address);
      }
      return answer;
    }
    bool whole = true;
    if (api_ == UnaryApi::kLegacy) {
      kvraftpb::CommandResponse message;
      whole = Parse(call.response, message);
      answer.err = message.err();
    } else if (call.write) {
      etcdserverpb::PutResponse message;
      whole = Parse(call.response, message);
    } else {
      etcdserverpb::RangeResponse message;
      whole = Parse(call.response, message);
    }
    if (!whole) answer.status = absl::InternalError("the answer is no message of this API");
    return answer;
  }

  const UnaryApi api_;
  const std::vector<std::unique_ptr<Channels>> connections_;
  grpc::CompletionQueue queue_;
  std::set<Call*> under_way_;
  std::deque<UnaryAnswer> refused_;
};

}  // namespace

base::Owned<UnaryCalls> UnaryCalls::Open(const ConnectOptions& options, UnaryApi api,
                                         int connections, base::World& world) {
  std::vector<std::unique_ptr<Channels>> all;
  for (int i = 0; i < std::max(connections, 1); ++i) {
    SLIPWAY_ASSIGN_OR_RETURN(auto channels, Channels::Open(options, world.files, world.clock));
    all.push_back(std::move(channels));
  }
  absl::Status first;
  for (const std::string& address : options.addresses) {
    const auto channel = all.front()->Connected(address, kConnectTimeout);
    if (channel.ok()) return std::make_unique<GrpcUnaryCalls>(api, std::move(all));
    if (first.ok()) first = channel.status();
  }
  return first;
}

}  // namespace slipway::eraft::client
