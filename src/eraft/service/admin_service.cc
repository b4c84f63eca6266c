// slipway.eraft.admin.v1.Admin (spec 6.2): operation of a node and its group.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/status.h"
#include "eraft/service/backup_stream.h"
#include "eraft/service/calls.h"
#include "eraft/service/limits.h"
#include "eraft/service/membership_change.h"
#include "raft/membership.h"
#include "slipway/eraft/admin/v1/admin.grpc.pb.h"

namespace slipway::eraft {
namespace {

namespace pb = slipway::eraft::admin::v1;

#define ADMIN_PATH(name) "/slipway.eraft.admin.v1.Admin/" name
constexpr Method kInfo = {ADMIN_PATH("Info"), Role::kAdmin};
constexpr Method kListGroups = {ADMIN_PATH("ListGroups"), Role::kRead};
constexpr Method kTransfer = {ADMIN_PATH("TransferLeader"), Role::kAdmin, "transfer_leader"};
constexpr Method kChange = {ADMIN_PATH("ChangeMembership"), Role::kAdmin, "change_membership"};
constexpr Method kDrain = {ADMIN_PATH("Drain"), Role::kAdmin, "drain"};
constexpr Method kSnapshot = {ADMIN_PATH("Snapshot"), Role::kAdmin, "snapshot"};
constexpr Method kSetOption = {ADMIN_PATH("SetOption"), Role::kAdmin, "set_option"};
constexpr Method kAlarmList = {ADMIN_PATH("Alarms"), Role::kRead};
#undef ADMIN_PATH

constexpr absl::Duration kAdminAnswerMax = absl::Seconds(60);
constexpr absl::Duration kTransferLook = absl::Milliseconds(10);
// Of a change of members, whose newcomers may have much to fetch.
constexpr absl::Duration kChangeMax = absl::Hours(24);
constexpr absl::Duration kAnswerMargin = absl::Milliseconds(500);

absl::Status CheckGroup(uint64_t group) {
  if (group == 0 || group == kKvGroup) return absl::OkStatus();
  return absl::NotFoundError(
      absl::StrCat("administer: no group ", group, " here; kvserver has group ", kKvGroup));
}

// A moment before the caller gives up: it is to be told what is missing.
absl::Duration AnswerBy(const UnaryCall& call, absl::Duration most) {
  const absl::Duration left = std::min(call.deadline() - call.begun(), most);
  return call.begun() + left - std::min(kAnswerMargin, left / 4);
}

uint64_t Micros(absl::Duration duration) {
  return static_cast<uint64_t>(std::max<int64_t>(0, absl::ToInt64Microseconds(duration)));
}

void ToProto(const ReplicaView& view, google::protobuf::RepeatedPtrField<pb::Member>* out) {
  const raft::Status& status = view.status.raft;
  const raft::Membership& members = status.membership;
  for (const raft::NodeId id : raft::MembersOf(members)) {
    pb::Member* member = out->Add();
    member->set_node_id(id);
    member->set_address(view.AddressOf(id));
    const auto in = [id](const std::vector<raft::NodeId>& list) {
      return std::find(list.begin(), list.end(), id) != list.end();
    };
    member->set_role(in(members.voters)     ? pb::Member::VOTER
                     : in(members.learners) ? pb::Member::LEARNER
                                            : pb::Member::LEAVING);
    for (const raft::PeerProgress& peer : status.peers) {
      if (peer.id != id) continue;
      member->set_match_index(peer.match);
      // Asleep nobody is heard from; who cannot be reached has woken the group (E108).
      member->set_active(peer.active || status.hibernating);
    }
    if (id == view.self) {
      member->set_match_index(status.persisted);
      member->set_active(true);
    }
  }
}

void ToProto(const ServerControl::Info& info, pb::InfoResponse* out) {
  out->set_version(info.version);
  out->set_commit(info.commit);
  out->set_cluster_id(info.cluster.data(), info.cluster.size());
  out->set_node_id(info.node);
  out->set_incarnation(info.incarnation);
  out->set_feature_level(info.feature_level);
  out->set_address(info.address);
  out->set_engine(info.engine);
  out->set_directory(info.directory);
  out->set_uptime_ms(static_cast<uint64_t>(absl::ToInt64Milliseconds(info.uptime)));
  out->set_wall_ms(static_cast<uint64_t>(absl::ToUnixMillis(info.wall)));
  out->set_disk_free_bytes(info.disk_free_bytes);
  out->set_fdatasync_us(Micros(info.sync));
  if (info.cert_not_after != absl::InfiniteFuture()) {
    out->set_cert_not_after_unix(absl::ToUnixSeconds(info.cert_not_after));
  }
  for (const PeerStatus& status : info.peers) {
    pb::Peer* peer = out->add_peers();
    peer->set_node_id(status.id);
    peer->set_address(status.address);
    peer->set_reachable(status.connected);
    peer->set_rtt_us(Micros(status.rtt));
    peer->set_clock_difference_ms(absl::ToInt64Milliseconds(status.clock_difference));
    peer->set_feature_level(status.feature_level);
    peer->set_error(status.error);
  }
  for (const std::string& option : info.options) out->add_options(option);
  out->set_phase(info.phase);
  for (const std::string& reason : info.not_ready) out->add_not_ready(reason);
}

absl::StatusOr<MembershipRequest> FromProto(const pb::ChangeMembershipRequest& request) {
  MembershipRequest out;
  out.expected_term = request.expected_term();
  out.force = request.force();
  for (const pb::Member& member : request.add()) {
    MembershipRequest::Member added{.id = member.node_id(), .address = member.address()};
    if (member.role() == pb::Member::LEARNER) {
      added.role = MembershipRequest::Role::kLearner;
    } else if (member.role() != pb::Member::VOTER) {
      return absl::InvalidArgumentError("change members: a member is added as voter or learner");
    }
    out.add.push_back(std::move(added));
  }
  out.remove.assign(request.remove().begin(), request.remove().end());
  return out;
}

class AdminService final : public pb::Admin::CallbackService, public base::net::Service {
 public:
  explicit AdminService(ServiceParts& parts) : parts_(parts) { raw_.service = this; }
  Raw& raw() override { return raw_; }

  grpc::ServerUnaryReactor* Info(grpc::CallbackServerContext* context, const pb::InfoRequest*,
                                 pb::InfoResponse* response) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    if (const auto call = UnaryCall::Begin(parts_, raw_, *context, *reactor, kInfo)) {
      OnPool(call, [this, response]() -> absl::Status {
        SLIPWAY_ASSIGN_OR_RETURN(const ServerControl::Info info, parts_.control.GetInfo());
        ToProto(info, response);
        return absl::OkStatus();
      });
    }
    return reactor;
  }

  grpc::ServerUnaryReactor* ListGroups(grpc::CallbackServerContext* context,
                                       const pb::ListGroupsRequest*,
                                       pb::ListGroupsResponse* response) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    if (const auto call = UnaryCall::Begin(parts_, raw_, *context, *reactor, kListGroups)) {
      OnLoop(call, [this, response](Node&) {
        parts_.replica.Look();
        Describe(*parts_.replica.view(), response->add_groups());
        return absl::OkStatus();
      });
    }
    return reactor;
  }

  grpc::ServerUnaryReactor* TransferLeader(grpc::CallbackServerContext* context,
                                           const pb::TransferLeaderRequest* request,
                                           pb::TransferLeaderResponse* response) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    if (const auto call = UnaryCall::Begin(parts_, raw_, *context, *reactor, kTransfer)) {
      call->SetTarget(absl::StrCat("group ", kKvGroup));
      call->AddField("to", request->node_id());
      parts_.replica.Post([this, call, request, response](Node* node) {
        const absl::Status begun = BeginTransfer(node, *request);
        if (!begun.ok()) return Refuse(call, begun);
        AwaitLeader(call, response, std::min(call->deadline(), call->begun() + kAdminAnswerMax));
      });
    }
    return reactor;
  }

  grpc::ServerUnaryReactor* ChangeMembership(grpc::CallbackServerContext* context,
                                             const pb::ChangeMembershipRequest* request,
                                             pb::ChangeMembershipResponse* response) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    const auto call = UnaryCall::Begin(parts_, raw_, *context, *reactor, kChange);
    if (call == nullptr) return reactor;
    call->SetTarget(absl::StrCat("group ", kKvGroup));
    call->AddField("request", request->ShortDebugString());
    absl::Status status = CheckGroup(request->group());
    auto change = FromProto(*request);
    if (status.ok()) status = change.status();
    if (!status.ok()) {
      Refuse(call, status);
      return reactor;
    }
    change->deadline = AnswerBy(*call, kChangeMax);
    change->cancelled = [call] { return call->cancelled(); };
    change->trouble = [this](raft::NodeId id) { return TroubleOf(id); };
    parts_.replica.Post([this, call, response, change = *std::move(change)](Node*) mutable {
      MembershipChange::Start(parts_.replica, std::move(change),
                              [this, call, response](const absl::Status& done) {
                                if (!done.ok()) return Refuse(call, done);
                                ToProto(*parts_.replica.view(), response->mutable_members());
                                call->Finish(done);
                              });
    });
    return reactor;
  }

  grpc::ServerUnaryReactor* Drain(grpc::CallbackServerContext* context, const pb::DrainRequest*,
                                  pb::DrainResponse*) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    if (const auto call = UnaryCall::Begin(parts_, raw_, *context, *reactor, kDrain)) {
      parts_.control.BeginDrain([call](const absl::Status& status) { call->Finish(status); });
    }
    return reactor;
  }

  grpc::ServerUnaryReactor* Snapshot(grpc::CallbackServerContext* context,
                                     const pb::SnapshotRequest* request,
                                     pb::SnapshotResponse* response) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    if (const auto call = UnaryCall::Begin(parts_, raw_, *context, *reactor, kSnapshot)) {
      parts_.replica.Post([this, call, request, response](Node* node) {
        absl::Status status = CheckGroup(request->group());
        if (node == nullptr) status = absl::UnavailableError("snapshot: this node stops");
        if (status.ok()) status = node->TakeSnapshot(kKvGroup);
        if (!status.ok()) return Refuse(call, status);
        AwaitSnapshot(call, response, std::min(call->deadline(), call->begun() + kAdminAnswerMax),
                      parts_.replica.view()->status.raft.applied);
      });
    }
    return reactor;
  }

  grpc::ServerWriteReactor<pb::BackupChunk>* Backup(grpc::CallbackServerContext* context,
                                                    const pb::BackupRequest* request) override {
    return BackupStream::Start(parts_, raw_, *context, *request);
  }

  grpc::ServerUnaryReactor* SetOption(grpc::CallbackServerContext* context,
                                      const pb::SetOptionRequest* request,
                                      pb::SetOptionResponse* response) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    if (const auto call = UnaryCall::Begin(parts_, raw_, *context, *reactor, kSetOption)) {
      call->SetTarget(request->name());
      call->AddField("value", request->value());
      OnPool(call, [this, request, response]() -> absl::Status {
        SLIPWAY_ASSIGN_OR_RETURN(std::string before,
                                 parts_.control.SetOption(request->name(), request->value()));
        response->set_before(std::move(before));
        return absl::OkStatus();
      });
    }
    return reactor;
  }

  grpc::ServerUnaryReactor* Alarms(grpc::CallbackServerContext* context, const pb::AlarmsRequest*,
                                   pb::AlarmsResponse* response) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    if (const auto call = UnaryCall::Begin(parts_, raw_, *context, *reactor, kAlarmList)) {
      for (const Alarm alarm : kAlarms) {
        if (parts_.replica.alarm(alarm)) response->add_alarms(std::string(AlarmName(alarm)));
      }
      call->Finish(absl::OkStatus());
    }
    return reactor;
  }

 private:
  // A refusal, with the leader's address for those who asked the wrong node.
  static void Refuse(const UnaryCall::Ptr& call, const absl::Status& status) {
    call->AddLeaderHint();
    call->Finish(status);
  }

  void OnPool(const UnaryCall::Ptr& call, std::function<absl::Status()> work) {
    const absl::Status submitted =
        parts_.pool.Submit([call, work = std::move(work)] { call->Finish(work()); });
    if (!submitted.ok()) call->Finish(submitted);
  }

  void OnLoop(const UnaryCall::Ptr& call, std::function<absl::Status(Node&)> work) {
    parts_.replica.Post([call, work = std::move(work)](Node* node) {
      call->Finish(node == nullptr ? absl::UnavailableError("administer: this node stops")
                                   : work(*node));
    });
  }

  // Why a peer is not reached; empty: it is.
  std::string TroubleOf(raft::NodeId id) {
    for (const PeerStatus& peer : parts_.control.Peers()) {
      if (peer.id == id) return peer.error;
    }
    return "";
  }

  absl::Status BeginTransfer(Node* node, const pb::TransferLeaderRequest& request) {
    if (node == nullptr) return absl::UnavailableError("transfer: this node stops");
    SLIPWAY_RETURN_IF_ERROR(CheckGroup(request.group()));
    SLIPWAY_ASSIGN_OR_RETURN(const GroupStatus status, node->GetStatus(kKvGroup));
    if (status.raft.role != raft::Role::kLeader) {
      return absl::UnavailableError("transfer: this node does not lead; ask the leader");
    }
    if (request.expected_term() != 0 && request.expected_term() != status.raft.term) {
      return absl::AbortedError(absl::StrCat("transfer: decided in term ", request.expected_term(),
                                             ", this is term ", status.raft.term, "; look again"));
    }
    const raft::NodeId to =
        request.node_id() != 0
            ? request.node_id()
            : BestSuccessor(status.raft, parts_.replica.options().self, parts_.control.Sights());
    if (to == raft::kNoNode) {
      return absl::FailedPreconditionError("transfer: no other voter is heard from");
    }
    if (to == parts_.replica.options().self) return absl::OkStatus();
    return node->TransferLeader(kKvGroup, to);
  }

  void AwaitLeader(const UnaryCall::Ptr& call, pb::TransferLeaderResponse* response,
                   absl::Duration deadline) {
    Replica& replica = parts_.replica;
    replica.Look();
    const auto view = replica.view();
    const raft::Status& status = view->status.raft;
    const bool over = status.transfer_to == raft::kNoNode;
    if (over && status.leader != raft::kNoNode) {
      response->set_leader(status.leader);
      const bool kept = view->leads() && call->begun() + kTransferLook < replica.now();
      return call->Finish(kept ? absl::AbortedError("transfer: given up; the other one did not "
                                                    "take the office in time")
                               : absl::OkStatus());
    }
    if (replica.node() == nullptr || replica.now() > deadline) {
      return Refuse(call, absl::DeadlineExceededError("transfer: nobody leads yet; look again"));
    }
    replica.loop().After(
        kTransferLook, [this, call, response, deadline] { AwaitLeader(call, response, deadline); });
  }

  void AwaitSnapshot(const UnaryCall::Ptr& call, pb::SnapshotResponse* response,
                     absl::Duration deadline, raft::Index at_least) {
    Replica& replica = parts_.replica;
    replica.Look();
    const raft::Index snapshot = replica.view()->status.snapshot;
    if (snapshot >= at_least) {
      response->set_index(snapshot);
      return call->Finish(absl::OkStatus());
    }
    if (replica.node() == nullptr || replica.now() > deadline) {
      return Refuse(call, absl::DeadlineExceededError("snapshot: not done yet; it goes on"));
    }
    replica.loop().After(kTransferLook, [this, call, response, deadline, at_least] {
      AwaitSnapshot(call, response, deadline, at_least);
    });
  }

  void Describe(const ReplicaView& view, pb::Group* out) {
    const raft::Status& status = view.status.raft;
    out->set_id(kKvGroup);
    out->set_role(status.role == raft::Role::kPreCandidate ? "PreCandidate"
                                                           : std::string(RoleName(status.role)));
    out->set_leader(status.leader);
    out->set_term(status.term);
    out->set_commit_index(status.commit);
    out->set_applied_index(status.applied);
    out->set_first_index(view.status.log_start.index + 1);
    out->set_last_index(status.last);
    out->set_snapshot_index(view.status.snapshot);
    const KvStatus& kv = view.status.kv;
    out->set_keys(kv.keys - std::min(kv.keys, view.system.keys));
    out->set_bytes(kv.bytes - std::min(kv.bytes, view.system.bytes));
    out->set_sessions(kv.sessions);
    out->set_storage_bytes(parts_.control.storage_bytes());
    out->set_installing(view.status.installing);
    ToProto(view, out->mutable_members());
  }

  ServiceParts& parts_;
  Raw raw_;
};

}  // namespace

std::unique_ptr<base::net::Service> MakeAdminService(ServiceParts& parts) {
  return std::make_unique<AdminService>(parts);
}

}  // namespace slipway::eraft
