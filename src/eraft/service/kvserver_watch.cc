// What a kvserver looks at again and again (E28, E167, E190).
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log/log.h"
#include "eraft/node/features.h"
#include "eraft/service/kvserver_impl.h"
#include "eraft/service/limits.h"
#include "eraft/service/membership_change.h"
#include "raft/membership.h"

namespace slipway::eraft {
namespace {

using base::Json;

constexpr absl::Duration kPromoteMax = absl::Seconds(10), kPromoteAgainAfter = absl::Seconds(10);
constexpr int kLostElections = 3;  // so many timeouts without a leader

}  // namespace

// Fifty milliseconds apart, on the loop.
void KvServerImpl::Look() {
  replica_->Look();
  const auto view = replica_->view();
  const raft::Status& raft = view->status.raft;
  const auto tell = [this](absl::string_view name, bool ok, absl::string_view reason) {
    health_.Set(name, ok, ok ? "" : reason);
  };
  tell("leader", raft.leader != raft::kNoNode, "no leader is known");
  LookAtMembership();
  const bool near = view->lag() <= static_cast<uint64_t>(config_.ready_max_lag);
  // Whose log is empty has not heard yet what is committed: every leader begins with an entry.
  tell("applied", near && raft.commit > 0,
       near ? "nothing of the log is here yet" : "many entries wait to be applied");
  tell("snapshot", view->status.snapshot_error.empty(),
       "the leader's snapshot cannot be taken; see the log");
  tell("space", !replica_->alarm(Alarm::kNoSpace) && !replica_->alarm(Alarm::kQuota),
       "there is too little room on the disk");
  tell("memory", !replica_->alarm(Alarm::kMemory),
       "more memory than --memory-soft-limit is used; writes are refused");
  health_.LookAtServices();
  replica_->SetLevel(ClusterLevel(raft.membership, plan_.id, kEntryLevel, Sights()));
  WakeFromDead();
  LookForLeader();
  PromoteWhoCaughtUp();
  absl::Duration election;
  {
    base::MutexLock lock(mutex_);
    election = election_;
  }
  const bool known_otherwise = transport_->KnownWithOtherData();
  readmitter_->Look(transport_->Status(), known_otherwise, election);
  if (known_otherwise) EndIfAlone();
  tell("data", !view->status.fenced,
       "the members know this node with other data; it waits to be taken in again");
  LookAtRoom();
}

// Whether the group has this node. Who is removed seldom hears of it through the log; that the
// others take it for a stranger is all it learns (E169).
void KvServerImpl::LookAtMembership() {
  const auto view = replica_->view();
  const raft::Status& raft = view->status.raft;
  const std::vector<raft::NodeId>& voters = raft.membership.voters;
  if (raft.leader != raft::kNoNode) {
    disowned_by_.clear();
  } else {
    for (const PeerStatus& peer : transport_->Status()) {
      if (peer.disowns) disowned_by_.insert(peer.id);
    }
  }
  const auto others = std::count_if(voters.begin(), voters.end(),
                                    [this](raft::NodeId id) { return id != plan_.id; });
  const auto by = std::count_if(voters.begin(), voters.end(),
                                [this](raft::NodeId id) { return disowned_by_.count(id) > 0; });
  const bool added = !voters.empty();
  const bool removed = added && (by * 2 > others || !raft::IsMember(raft.membership, plan_.id));
  if (removed && !std::exchange(removed_, removed)) {
    SLIPWAY_LOG(kWarn,
                "this node was removed from its cluster; stop it, and move its data directory "
                "away; eraftctl member add takes it in again, with an empty one and --join",
                {{"node", plan_.id}, {"data_dir", data_.path}});
  }
  removed_ = removed;
  health_.Set("member", added && !removed,
              removed  ? "this node was removed from its cluster; stop it, and move its data away"
              : !added ? "this node is no member yet: eraftctl member add takes it in"
                       : "");
}

// A node without room leads only where nobody else can; asked once until it has room again, for all
// may be full, and the office would go round (E167).
void KvServerImpl::LookAtRoom() {
  const auto view = replica_->view();
  const raft::Status& raft = view->status.raft;
  const bool full = replica_->alarm(Alarm::kNoSpace) || replica_->alarm(Alarm::kQuota);
  if (!full) gave_up_ = false;
  if (!full || gave_up_ || !view->leads()) return;
  const raft::NodeId to = BestSuccessor(raft, plan_.id, Sights());
  if (to == raft::kNoNode) return;
  gave_up_ = true;
  const absl::Status begun = replica_->node()->TransferLeader(kKvGroup, to);
  SLIPWAY_LOG(kWarn, "hands leadership over for want of room",
              {{"to", to}, {"result", begun.ToString()}});
}

std::vector<PeerSight> KvServerImpl::Sights() {
  std::vector<PeerSight> sights;
  for (const PeerStatus& peer : transport_->Status()) {
    sights.push_back({peer.id, peer.connected, peer.leaving, peer.feature_level});
  }
  return sights;
}

// Asleep the group hears no heartbeats and misses none; that its leader's node is there is what the
// transport's own probes tell, one for all groups (E108). A leader wakes for each of its members:
// awake it either keeps its quorum or steps down, and says what is so. The group sleeps no more
// until all are back, so this is not done again and again.
void KvServerImpl::WakeFromDead() {
  const auto view = replica_->view();
  const raft::Status& raft = view->status.raft;
  if (!raft.hibernating || replica_->node() == nullptr) return;
  for (const PeerSight& peer : Sights()) {
    const bool counts =
        view->leads() ? raft::IsMember(raft.membership, peer.id) : peer.id == raft.leader;
    if (!counts || peer.reachable) continue;
    SLIPWAY_LOG(kWarn,
                view->leads() ? "a member cannot be reached; the group wakes"
                              : "the leader cannot be reached; the group wakes",
                {{"node", peer.id}});
    replica_->node()->OnPeerSilent(peer.id);
  }
}

// A node that was away may know none of those who lead now (E170).
void KvServerImpl::LookForLeader() {
  const raft::NodeId leader = replica_->view()->status.raft.leader;
  const absl::Duration now = clock_.Monotonic();
  if (leader != raft::kNoNode) led_at_ = now;
  absl::Duration election;
  {
    base::MutexLock lock(mutex_);
    election = election_;
  }
  transport_->SetGuests(now - led_at_ >= kLostElections * election, leader);
}

// One after the other, and not into a change that somebody asked for (E169).
void KvServerImpl::PromoteWhoCaughtUp() {
  if (!config_.auto_promote || replica_->changes > 0 || replica_->draining()) return;
  if (clock_.Monotonic() < promote_after_) return;
  const auto view = replica_->view();
  const raft::Status& raft = view->status.raft;
  if (!view->leads() || raft.membership.joint()) return;
  const raft::NodeId learner = CaughtUpLearner(raft);
  if (learner == raft::kNoNode) return;
  MembershipRequest request;
  request.expected_term = raft.term;
  request.add = {{.id = learner}};
  request.deadline = clock_.Monotonic() + kPromoteMax;
  SLIPWAY_LOG(kInfo, "a learner has caught up and becomes a voter", {{"node", learner}});
  MembershipChange::Start(*replica_, std::move(request), [this, learner](const absl::Status& done) {
    if (done.ok()) return;
    promote_after_ = clock_.Monotonic() + kPromoteAgainAfter;
    SLIPWAY_LOG(kWarn, "the learner is no voter yet",
                {{"node", learner}, {"reason", std::string(done.message())}});
  });
}

// Whose data the log says are a member's: for the transport at once (E416).
void KvServerImpl::TakeReadmissions(const Readmissions& readmissions) {
  transport_->SetData(AdmittedData(readmissions));
}

void KvServerImpl::AuditRepair(absl::string_view what, raft::NodeId id,
                               const absl::Status& outcome) {
  if (audit_ == nullptr) return;
  const base::AuditRecord record{.actor = absl::StrCat("node ", plan_.id),
                                 .peer = plan_.advertise,
                                 .op = "auto_repair",
                                 .target = absl::StrCat("node ", id),
                                 .outcome = outcome,
                                 .fields = Json::MakeObject({{"what", std::string(what)}})};
  {
    base::MutexLock lock(mutex_);
    if (stopping_) return;
    ++aux_jobs_;
  }
  const auto write = [this, record] {
    audit_->Write(record);
    base::MutexLock lock(mutex_);
    --aux_jobs_;
    changed_.NotifyAll();
  };
  if (!world_.aux_pool.Submit(write).ok()) write();
}

bool KvServerImpl::Alive() const {
  const auto view = replica_->view();
  return clock_.Monotonic() - view->taken < kProgressMax && view->log_wait < kProgressMax;
}

void KvServerImpl::ReloadTokens() {
  if (tokens_ == nullptr) return;
  absl::Status read = tokens_->Reload();
  read.Update(ReadPeerToken());
  const std::string error(read.message());
  if (!error.empty() && error != tokens_error_) {
    SLIPWAY_LOG(kWarn, "token file refused; what it said before stays in force",
                {{"error", error}});
  }
  tokens_error_ = error;
}

// What could not be written is tried again with the next housekeeping; told once.
void KvServerImpl::NoteWritten(const absl::Status& status) {
  const std::string error(status.message());
  if (!error.empty() && error != members_error_) {
    SLIPWAY_LOG(kWarn, "members not noted for the next start", {{"error", error}});
  }
  members_error_ = error;
  if (status.ok()) return;
  base::MutexLock lock(mutex_);
  members_written_ = false;
}

// Once a second, on the pool; where the disk hangs the next one waits for it.
void KvServerImpl::StartHousekeeping() {
  {
    base::MutexLock lock(mutex_);
    if (stopping_ || housekeeping_runs_) return;
    housekeeping_runs_ = true;
    ++aux_jobs_;
  }
  const auto over = [this] {
    base::MutexLock lock(mutex_);
    housekeeping_runs_ = false;
    --aux_jobs_;
    changed_.NotifyAll();
  };
  const absl::Status submitted = world_.aux_pool.Submit([this, over] {
    ReloadTokens();
    absl::Duration heartbeat;
    Addresses members;
    bool write = false;
    {
      base::MutexLock lock(mutex_);
      heartbeat = heartbeat_;
      write = !std::exchange(members_written_, true);
      members = members_;
    }
    housekeeping_->Run(transport_->Status(), heartbeat);
    // Again: the peer may have been none yet, or the disk full.
    transport_->SetData(AdmittedData(replica_->view()->readmissions));
    if (write) {
      NoteWritten(WriteMembers(*data_.dir, members));
    }
    over();
  });
  if (!submitted.ok()) over();
}

}  // namespace slipway::eraft
