#include "eraft/client/admin_client.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/net/grpc/grpc_client.h"
#include "base/net/grpc/probe.h"
#include "base/sync/mutex.h"
#include "base/sync/wait.h"
#include "eraft/client/channels.h"
#include "slipway/eraft/admin/v1/admin.grpc.pb.h"

namespace slipway::eraft::client {
namespace {

namespace pb = slipway::eraft::admin::v1;

constexpr absl::Duration kConnectTimeout = absl::Seconds(1);
constexpr absl::Duration kExplainTimeout = absl::Milliseconds(200);
constexpr int kRedirectsMax = 4;

NodeInfo FromProto(const pb::InfoResponse& in) {
  NodeInfo out;
  out.version = in.version();
  out.commit = in.commit();
  out.cluster = absl::BytesToHexString(in.cluster_id());
  out.node = in.node_id();
  out.incarnation = in.incarnation();
  out.feature_level = in.feature_level();
  out.address = in.address();
  out.engine = in.engine();
  out.directory = in.directory();
  out.uptime = absl::Milliseconds(in.uptime_ms());
  out.wall = absl::FromUnixMillis(static_cast<int64_t>(in.wall_ms()));
  out.disk_free_bytes = in.disk_free_bytes();
  out.sync = absl::Microseconds(in.fdatasync_us());
  if (in.cert_not_after_unix() != 0) {
    out.cert_not_after = absl::FromUnixSeconds(in.cert_not_after_unix());
  }
  for (const pb::Peer& peer : in.peers()) {
    out.peers.push_back(
        {peer.node_id(), peer.address(), peer.reachable(), absl::Microseconds(peer.rtt_us()),
         absl::Milliseconds(peer.clock_difference_ms()), peer.feature_level(), peer.error()});
  }
  out.options.assign(in.options().begin(), in.options().end());
  out.phase = in.phase();
  out.not_ready.assign(in.not_ready().begin(), in.not_ready().end());
  return out;
}

MemberInfo FromProto(const pb::Member& in) {
  return {in.node_id(), in.address(),
          in.role() == pb::Member::LEARNER   ? MemberRole::kLearner
          : in.role() == pb::Member::LEAVING ? MemberRole::kLeaving
                                             : MemberRole::kVoter,
          in.match_index(), in.active()};
}

GroupInfo FromProto(const pb::Group& in) {
  GroupInfo out;
  out.id = in.id();
  out.role = in.role();
  out.leader = in.leader();
  out.term = in.term();
  out.commit = in.commit_index();
  out.applied = in.applied_index();
  out.first = in.first_index();
  out.last = in.last_index();
  out.snapshot = in.snapshot_index();
  out.keys = in.keys();
  out.bytes = in.bytes();
  out.sessions = in.sessions();
  out.storage_bytes = in.storage_bytes();
  for (const pb::Member& member : in.members()) out.members.push_back(FromProto(member));
  out.installing = in.installing();
  return out;
}

absl::Status Take(pb::BackupChunk chunk, BackupSink& sink) {
  if (chunk.has_header()) {
    const pb::BackupHeader& header = chunk.header();
    BackupInfo info = {header.cluster_id(),
                       header.node_id(),
                       header.group(),
                       header.term(),
                       header.index(),
                       header.engine(),
                       {}};
    for (const pb::Member& member : header.members()) info.members.push_back(FromProto(member));
    return sink.OnInfo(info);
  }
  return sink.OnPiece({std::move(*chunk.mutable_file()), chunk.offset(),
                       std::move(*chunk.mutable_data()), chunk.crc32c(), chunk.last(),
                       std::move(*chunk.mutable_sha256()), chunk.unchanged()});
}

// Why nobody was heard, where the reason is that one end has TLS and the other has not (E26).
absl::Status Explained(const Channels& channels, const std::string& address,
                       const absl::Status& status) {
  if (!absl::IsUnavailable(status)) return status;
  const absl::Status why = channels.Explain(address, kExplainTimeout);
  return absl::IsFailedPrecondition(why) ? why : status;
}

struct Heard {
  absl::Duration took;
  absl::Time at;  // by the clock of this machine
};

// Asks all addresses at once and waits for the answers, which come by their deadline.
template <class Request, class Response>
class Round {
 public:
  using Method = std::function<void(pb::Admin::Stub::async_interface&, grpc::ClientContext*,
                                    const Request*, Response*, std::function<void(grpc::Status)>)>;
  template <class T>
  static std::vector<FromNode<T>> Ask(Channels& channels, base::Clock& clock, absl::Duration each,
                                      const Method& method,
                                      const std::function<T(const Response&, const Heard&)>& take) {
    Round round;
    std::vector<FromNode<T>> out;
    for (const std::string& address : channels.options().addresses) {
      out.emplace_back().address = address;
      round.Begin(channels, clock, address, each, method);
    }
    const base::MutexLock lock(round.mutex_);
    while (round.open_ > 0) round.changed_.Wait(round.mutex_);
    for (size_t i = 0; i < out.size(); ++i) {
      Node& node = *round.nodes_[i];
      const absl::Status status =
          node.opened.ok() ? base::net::FromGrpcStatus(node.status, node.context) : node.opened;
      out[i].answer = status.ok() ? absl::StatusOr<T>(take(node.response, node.heard))
                                  : Explained(channels, out[i].address, status);
    }
    return out;
  }

 private:
  struct Node {
    absl::Status opened;
    Channels::Ptr channel;
    std::unique_ptr<pb::Admin::Stub> stub;
    grpc::ClientContext context;
    Request request;
    Response response;
    grpc::Status status;
    Heard heard;
  };
  void Begin(Channels& channels, base::Clock& clock, const std::string& address,
             absl::Duration each, const Method& method) {
    nodes_.push_back(std::make_unique<Node>());
    Node& node = *nodes_.back();
    const auto channel = channels.Unconnected(address);
    node.opened = channel.status();
    if (!channel.ok()) return;
    node.channel = *channel;
    node.stub = pb::Admin::NewStub(node.channel->raw().channel);
    channels.Prepare(node.context, each);
    {
      const base::MutexLock lock(mutex_);
      ++open_;
    }
    const absl::Duration begun = clock.Monotonic();
    method(*node.stub->async(), &node.context, &node.request, &node.response,
           [this, &node, &clock, begun](const grpc::Status& status) {
             const base::MutexLock lock(mutex_);
             node.status = status;
             node.heard = {clock.Monotonic() - begun, clock.Wall()};
             --open_;
             changed_.NotifyAll();
           });
  }

  base::Mutex mutex_;
  base::CondVar changed_;
  std::vector<std::unique_ptr<Node>> nodes_;
  size_t open_ ABSL_GUARDED_BY(mutex_) = 0;
};

class GrpcAdminClient final : public AdminClient {
 public:
  GrpcAdminClient(std::unique_ptr<Channels> channels, base::World& world, base::CancelToken cancel)
      : channels_(std::move(channels)), world_(world), cancel_(std::move(cancel)) {}

  std::vector<FromNode<NodeInfo>> Infos(absl::Duration each) override {
    return Round<pb::InfoRequest, pb::InfoResponse>::Ask<NodeInfo>(
        *channels_, world_.clock, each,
        [](auto& stub, auto... arguments) { stub.Info(arguments...); },
        [](const pb::InfoResponse& response, const Heard& heard) {
          NodeInfo info = FromProto(response);
          info.asked_for = heard.took;
          info.heard = heard.at;
          return info;
        });
  }
  std::vector<FromNode<std::vector<GroupInfo>>> Groups(absl::Duration each) override {
    return Round<pb::ListGroupsRequest, pb::ListGroupsResponse>::Ask<std::vector<GroupInfo>>(
        *channels_, world_.clock, each,
        [](auto& stub, auto... arguments) { stub.ListGroups(arguments...); },
        [](const pb::ListGroupsResponse& response, const Heard&) {
          std::vector<GroupInfo> groups;
          for (const pb::Group& group : response.groups()) groups.push_back(FromProto(group));
          return groups;
        });
  }
  std::vector<FromNode<std::vector<std::string>>> Alarms(absl::Duration each) override {
    return Round<pb::AlarmsRequest, pb::AlarmsResponse>::Ask<std::vector<std::string>>(
        *channels_, world_.clock, each,
        [](auto& stub, auto... arguments) { stub.Alarms(arguments...); },
        [](const pb::AlarmsResponse& response, const Heard&) {
          return std::vector<std::string>(response.alarms().begin(), response.alarms().end());
        });
  }
  std::vector<FromNode<bool>> Health(absl::Duration each) override {
    const auto& addresses = channels_->options().addresses;
    std::vector<FromNode<bool>> out(addresses.size());
    const auto probe = [&](size_t i) {
      out[i].address = addresses[i];
      base::net::ChannelOptions options;
      options.address = addresses[i];
      options.tls = channels_->options().tls;
      options.use_tls = channels_->options().use_tls;
      const absl::Status status =
          base::net::Probe(options, world_.files, world_.clock.Wall(), each);
      out[i].answer =
          status.ok() ? absl::StatusOr<bool>(true) : Explained(*channels_, addresses[i], status);
      return absl::OkStatus();
    };
    base::ParallelFor(world_.pool, addresses.size(), probe).IgnoreError();
    return out;
  }

  absl::StatusOr<uint64_t> TransferLeader(uint64_t to, uint64_t expected_term,
                                          absl::Duration timeout) override {
    pb::TransferLeaderRequest request;
    request.set_node_id(to);
    request.set_expected_term(expected_term);
    pb::TransferLeaderResponse response;
    SLIPWAY_RETURN_IF_ERROR(
        AtLeader(timeout, [&](pb::Admin::Stub& stub, grpc::ClientContext& context) {
          return stub.TransferLeader(&context, request, &response);
        }));
    return response.leader();
  }

  absl::StatusOr<std::vector<MemberInfo>> ChangeMembership(const MembershipChange& change,
                                                           absl::Duration timeout) override {
    pb::ChangeMembershipRequest request;
    request.set_expected_term(change.expected_term);
    request.set_force(change.force);
    for (const MemberInfo& member : change.add) {
      pb::Member& added = *request.add_add();
      added.set_node_id(member.node);
      added.set_address(member.address);
      added.set_role(member.role == MemberRole::kLearner ? pb::Member::LEARNER : pb::Member::VOTER);
    }
    for (const uint64_t node : change.remove) request.add_remove(node);
    pb::ChangeMembershipResponse response;
    SLIPWAY_RETURN_IF_ERROR(
        AtLeader(timeout, [&](pb::Admin::Stub& stub, grpc::ClientContext& context) {
          return stub.ChangeMembership(&context, request, &response);
        }));
    std::vector<MemberInfo> members;
    for (const pb::Member& member : response.members()) members.push_back(FromProto(member));
    return members;
  }

  absl::Status Drain(const std::string& address, absl::Duration timeout) override {
    return At(address, timeout, nullptr, [](pb::Admin::Stub& stub, grpc::ClientContext& context) {
      pb::DrainResponse response;
      return stub.Drain(&context, {}, &response);
    });
  }
  absl::StatusOr<uint64_t> Snapshot(const std::string& address, absl::Duration timeout) override {
    pb::SnapshotResponse response;
    SLIPWAY_RETURN_IF_ERROR(
        At(address, timeout, nullptr, [&](pb::Admin::Stub& stub, grpc::ClientContext& context) {
          return stub.Snapshot(&context, {}, &response);
        }));
    return response.index();
  }
  absl::StatusOr<std::string> SetOption(const std::string& address, const std::string& name,
                                        const std::string& value, absl::Duration timeout) override {
    pb::SetOptionRequest request;
    request.set_name(name);
    request.set_value(value);
    pb::SetOptionResponse response;
    SLIPWAY_RETURN_IF_ERROR(
        At(address, timeout, nullptr, [&](pb::Admin::Stub& stub, grpc::ClientContext& context) {
          return stub.SetOption(&context, request, &response);
        }));
    return response.before();
  }
  absl::Status Backup(const std::string& address, uint64_t rate,
                      const std::vector<std::string>& known, BackupSink& sink) override {
    pb::BackupRequest request;
    request.set_bytes_per_second(rate);
    for (const std::string& hash : known) request.add_have_sha256(hash);
    absl::Status taken;
    const absl::Status status = At(address, absl::InfiniteDuration(), nullptr,
                                   [&](pb::Admin::Stub& stub, grpc::ClientContext& context) {
                                     const auto reader = stub.Backup(&context, request);
                                     pb::BackupChunk chunk;
                                     while (taken.ok() && reader->Read(&chunk))
                                       taken = Take(std::move(chunk), sink);
                                     if (!taken.ok()) context.TryCancel();
                                     return reader->Finish();
                                   });
    return taken.ok() ? status : taken;
  }

 private:
  using Call = std::function<grpc::Status(pb::Admin::Stub&, grpc::ClientContext&)>;

  absl::Status At(const std::string& address, absl::Duration timeout, std::string* leader,
                  const Call& call, bool* reached = nullptr) {
    SLIPWAY_RETURN_IF_ERROR(cancel_.status());
    SLIPWAY_ASSIGN_OR_RETURN(const Channels::Ptr channel,
                             channels_->Connected(address, std::min(timeout, kConnectTimeout)));
    if (reached != nullptr) *reached = true;
    const auto stub = pb::Admin::NewStub(channel->raw().channel);
    grpc::ClientContext context;
    channels_->Prepare(context, timeout);
    const auto registered = base::net::CancelWith(cancel_, context);
    const absl::Status status = base::net::FromGrpcStatus(call(*stub, context), context);
    if (leader != nullptr) *leader = LeaderHint(context);
    return base::Annotate(status, address);
  }

  // A node that does not lead says who does; one that is down is passed over.
  absl::Status AtLeader(absl::Duration timeout, const Call& call) {
    const auto& addresses = channels_->options().addresses;
    // What a node says that was reached tells more than that another one was not.
    absl::Status said, silence = absl::UnavailableError("no address");
    for (std::string address : addresses) {
      for (int i = 0; i < kRedirectsMax; ++i) {
        std::string leader;
        bool reached = false;
        const absl::Status status = At(address, timeout, &leader, call, &reached);
        if (!absl::IsUnavailable(status)) return status;
        (reached ? said : silence) = status;
        if (leader.empty() || leader == address) break;
        address = leader;
      }
    }
    return said.ok() ? silence : said;
  }

  const std::unique_ptr<Channels> channels_;
  base::World& world_;
  const base::CancelToken cancel_;
};

}  // namespace

base::Owned<AdminClient> AdminClient::Open(ConnectOptions options, base::World& world,
                                           base::CancelToken cancel) {
  SLIPWAY_ASSIGN_OR_RETURN(auto channels,
                           Channels::Open(std::move(options), world.files, world.clock));
  return std::make_unique<GrpcAdminClient>(std::move(channels), world, std::move(cancel));
}

}  // namespace slipway::eraft::client
