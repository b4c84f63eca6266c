#include "eraft/client/kv_client.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/net/grpc/grpc_client.h"
#include "base/sync/mutex.h"
#include "compat/kvraftpb/kvraft.grpc.pb.h"
#include "eraft/client/channels.h"
#include "eraft/client/session/legacy.h"

namespace slipway::eraft::client {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(1);
constexpr absl::Duration kExplainTimeout = absl::Milliseconds(200);

// The answers of all nodes, as they come.
struct Asked {
  struct Node {
    Channels::Ptr channel;
    std::unique_ptr<kvraftpb::KVService::Stub> stub;
    grpc::ClientContext context;
    kvraftpb::GetStatusRequest request;
    kvraftpb::GetStatusResponse response;
    grpc::Status status;
  };
  base::Mutex mutex;
  base::CondVar changed;
  std::vector<std::unique_ptr<Node>> nodes;
  size_t open ABSL_GUARDED_BY(mutex) = 0;
};

class GrpcCaller : public LegacyCaller {
 public:
  GrpcCaller(Channels& channels, base::CancelToken cancel)
      : channels_(channels), cancel_(std::move(cancel)) {}

  LegacyAnswer Command(const std::string& address, const LegacyRequest& request,
                       absl::Duration timeout) override {
    LegacyAnswer answer;
    answer.status = cancel_.status();
    if (!answer.status.ok()) return answer;
    const auto channel = channels_.Connected(address, std::min(timeout, kConnectTimeout));
    if (!channel.ok()) {
      answer.status = channel.status();
      return answer;
    }
    const auto stub = kvraftpb::KVService::NewStub((*channel)->raw().channel);
    grpc::ClientContext context;
    channels_.Prepare(context, timeout);
    const auto registered = base::net::CancelWith(cancel_, context);
    kvraftpb::CommandRequest wire;
    wire.set_key(request.key);
    wire.set_value(request.value);
    wire.set_op(static_cast<kvraftpb::Op>(request.op));
    wire.set_client_id(request.client_id);
    wire.set_command_id(request.command_id);
    kvraftpb::CommandResponse response;
    answer.sent = true;
    answer.status = base::net::FromGrpcStatus(stub->Command(&context, wire, &response), context);
    answer.leader = LeaderHint(context);
    answer.not_executed = NotExecutedHint(context);
    if (!answer.status.ok()) channels_.Forget(address);
    answer.err = response.err();
    answer.value = std::move(*response.mutable_value());
    return answer;
  }

  bool Wait(absl::Duration duration) override {
    base::Mutex mutex;
    base::CondVar wake;
    const std::shared_ptr<void> registered = cancel_.OnCancel([&] {
      const base::MutexLock lock(mutex);
      wake.NotifyAll();
    });
    const base::MutexLock lock(mutex);
    if (!cancel_.cancelled() && duration > absl::ZeroDuration()) wake.WaitFor(mutex, duration);
    return !cancel_.cancelled();
  }

 private:
  Channels& channels_;
  const base::CancelToken cancel_;
};

class GrpcKvClient final : public KvClient {
 public:
  GrpcKvClient(std::unique_ptr<Channels> channels, base::World& world, base::CancelToken cancel)
      : channels_(std::move(channels)),
        clock_(world.clock),
        caller_(*channels_, std::move(cancel)),
        session_({.addresses = channels_->options().addresses}, world.clock, world.random,
                 caller_) {}

  absl::StatusOr<std::optional<std::string>> Get(const std::string& key,
                                                 absl::Duration timeout) override {
    return Run(LegacyOp::kGet, key, "", timeout);
  }
  absl::Status Put(const std::string& key, const std::string& value,
                   absl::Duration timeout) override {
    return Run(LegacyOp::kPut, key, value, timeout).status();
  }
  absl::Status Append(const std::string& key, const std::string& value,
                      absl::Duration timeout) override {
    return Run(LegacyOp::kAppend, key, value, timeout).status();
  }
  std::vector<NodeStatus> Status(absl::Duration each) override;

 private:
  absl::StatusOr<std::optional<std::string>> Run(LegacyOp op, const std::string& key,
                                                 const std::string& value, absl::Duration timeout) {
    const absl::Duration deadline = clock_.Monotonic() + timeout;
    // The servers keep the last answer of a client, no more.
    const base::MutexLock lock(mutex_);
    return session_.Run(op, key, value, deadline);
  }

  const std::unique_ptr<Channels> channels_;
  base::Clock& clock_;
  GrpcCaller caller_;
  base::Mutex mutex_;
  LegacySession session_ ABSL_GUARDED_BY(mutex_);
};

std::vector<NodeStatus> GrpcKvClient::Status(absl::Duration each) {
  std::vector<NodeStatus> out;
  Asked asked;
  const auto& addresses = channels_->options().addresses;
  {
    const base::MutexLock lock(asked.mutex);
    asked.open = addresses.size();
  }
  for (const std::string& address : addresses) {
    asked.nodes.push_back(std::make_unique<Asked::Node>());
    Asked::Node& node = *asked.nodes.back();
    out.emplace_back().address = address;
    const auto channel = channels_->Unconnected(address);
    if (!channel.ok()) {
      out.back().status = channel.status();
      const base::MutexLock lock(asked.mutex);
      --asked.open;
      continue;
    }
    node.channel = *channel;
    node.stub = kvraftpb::KVService::NewStub(node.channel->raw().channel);
    channels_->Prepare(node.context, each);
    node.stub->async()->GetStatus(&node.context, &node.request, &node.response,
                                  [&asked, &node](const grpc::Status& status) {
                                    const base::MutexLock lock(asked.mutex);
                                    node.status = status;
                                    --asked.open;
                                    asked.changed.NotifyAll();
                                  });
  }
  const base::MutexLock lock(asked.mutex);
  while (asked.open > 0) asked.changed.Wait(asked.mutex);  // each has its deadline
  for (size_t i = 0; i < out.size(); ++i) {
    const Asked::Node& node = *asked.nodes[i];
    NodeStatus& status = out[i];
    if (!status.status.ok()) continue;
    status.status = base::net::FromGrpcStatus(node.status, node.context);
    status.id = node.response.id();
    status.role = node.response.state();
    status.term = node.response.term();
    status.applied = node.response.last_applied();
    status.commit = node.response.commit_index();
    status.storage_bytes = node.response.storage_size();
  }
  const bool silence = std::all_of(out.begin(), out.end(), [](const NodeStatus& node) {
    return absl::IsUnavailable(node.status) || absl::IsDeadlineExceeded(node.status);
  });
  if (silence) out.front().status = channels_->Explain(out.front().address, kExplainTimeout);
  return out;
}

}  // namespace

base::Owned<KvClient> KvClient::Open(ConnectOptions options, base::World& world,
                                     base::CancelToken cancel) {
  SLIPWAY_ASSIGN_OR_RETURN(auto channels,
                           Channels::Open(std::move(options), world.files, world.clock));
  return std::make_unique<GrpcKvClient>(std::move(channels), world, std::move(cancel));
}

}  // namespace slipway::eraft::client
