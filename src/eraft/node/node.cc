#include "eraft/node/node.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "eraft/node/group.h"
#include "eraft/node/quarantine.h"
#include "eraft/wal/node_files.h"
#include "eraft/wal/two_copy.h"
#include "raft/membership.h"

namespace slipway::eraft {
namespace {

constexpr char kLockName[] = "LOCK";
constexpr absl::Duration kLogTickEvery = absl::Seconds(1);

absl::Status CheckOptions(const NodeOptions& options) {
  const auto refuse = [](auto... why) {
    return absl::InvalidArgumentError(absl::StrCat("open node: ", why...));
  };
  if (options.id == raft::kNoNode) return refuse("the node has no id");
  if (options.tick <= absl::ZeroDuration()) return refuse("a tick must take some time");
  if (options.clock_drift_max < 0 || options.clock_drift_max >= 0.5) {
    return refuse("clock_drift_max ", options.clock_drift_max, " is not in [0, 0.5)");
  }
  for (const GroupOptions& group : options.groups) {
    if (raft::MembersOf(group.members).empty()) continue;
    SLIPWAY_RETURN_IF_ERROR(raft::CheckMembership(group.members, "open node"));
  }
  std::set<GroupId> ids;
  size_t at_node = 0;
  for (const GroupOptions& group : options.groups) {
    if (!ids.insert(group.id).second) return refuse("group ", group.id, " is there twice");
    at_node += group.place.has_value() ? 0 : 1;
  }
  if (at_node > 1) return refuse("several groups share one engine; give each a place");
  return absl::OkStatus();
}

// Whose directory this is; made when it is empty (E11, E123). The answer is its incarnation.
absl::StatusOr<uint64_t> CheckIdentity(const NodeWorld& world, const NodeOptions& options) {
  wal::Identity own;
  own.cluster = options.cluster;
  own.node = options.id;
  own.engine = std::string(EngineKindName(world.engine.kind()));
  // Another's directory is only looked at.
  SLIPWAY_ASSIGN_OR_RETURN(const wal::TwoCopyState state,
                           wal::ReadTwoCopy(world.dir, wal::kIdentityName));
  if (!state.newest.has_value() && state.damaged == 0) {
    while (own.incarnation == 0) own.incarnation = world.random.Next();
    own.created = absl::FromUnixSeconds(absl::ToUnixSeconds(world.clock.Wall()));
    SLIPWAY_RETURN_IF_ERROR(
        wal::TwoCopyFile::Create(world.dir, wal::kIdentityName, wal::EncodeIdentity(own)).status());
    return own.incarnation;
  }
  if (!state.newest.has_value()) {
    return absl::DataLossError("open node: no copy of IDENTITY can be read; nothing was changed");
  }
  SLIPWAY_ASSIGN_OR_RETURN(const wal::Identity found, wal::DecodeIdentity(state.newest->payload));
  if (found.cluster == own.cluster && found.node == own.node && found.engine == own.engine) {
    // Mends a copy that is damaged.
    QuarantineCopies(world.dir, world.clock.Wall(), wal::kIdentityName);
    SLIPWAY_RETURN_IF_ERROR(wal::TwoCopyFile::Open(world.dir, wal::kIdentityName).status());
    return found.incarnation;
  }
  const auto text = [](const wal::Identity& identity) {
    return absl::StrCat("node ", identity.node, " of cluster ",
                        base::ToHex(base::BytesView(identity.cluster)), " with engine ",
                        identity.engine);
  };
  return absl::FailedPreconditionError(absl::StrCat("open node: the data directory is of ",
                                                    text(found), ", this is ", text(own),
                                                    "; nothing was changed"));
}

}  // namespace

class Node::Impl {
 public:
  Impl(const NodeWorld& world, NodeOptions options) : context_(world, std::move(options)) {}
  ~Impl();

  absl::Status Open(wal::WalRecovery* recovery);
  Group* Find(GroupId group) const {
    const auto found = groups_.find(group);
    return found == groups_.end() ? nullptr : found->second.get();
  }
  // Why a call to `group` cannot be; OK: it can.
  absl::Status Check(GroupId group) const;
  absl::Status Stop();
  void OnPeerSilent(raft::NodeId peer);
  void SetFenced(bool fenced) {
    for (const auto& [id, group] : groups_) group->SetFenced(fenced);
  }
  absl::Status SetTimers(const Timers& timers);

  NodeContext context_;
  std::function<void(absl::Status)> on_fatal_;
  uint64_t incarnation_ = 0;

 private:
  void Fail(const absl::Status& status);
  void StopWaiting() {
    for (const auto& [id, group] : groups_) {
      if (group != nullptr) group->StopWaiting();
    }
  }
  void ScheduleTick();
  void Tick();
  void OnFrame(raft::NodeId peer, base::Bytes bytes);

  std::unique_ptr<base::File> lock_;
  std::map<GroupId, std::unique_ptr<Group>> groups_;
  uint64_t timer_ = 0;
  absl::Duration log_ticked_ = -absl::InfiniteDuration();
  bool stopped_ = false;
};

absl::Status Node::Impl::Open(wal::WalRecovery* recovery) {
  const NodeWorld& world = context_.world;
  const NodeOptions& options = context_.options;
  SLIPWAY_RETURN_IF_ERROR(CheckOptions(options));
  base::OpenOptions create;
  create.write = true;
  create.create = true;
  create.mode = 0600;
  SLIPWAY_ASSIGN_OR_RETURN(lock_, world.dir.Open(kLockName, create));
  SLIPWAY_RETURN_IF_ERROR(lock_->TryLock());
  SLIPWAY_ASSIGN_OR_RETURN(incarnation_, CheckIdentity(world, options));
  wal::WalOptions log;
  log.cluster = options.cluster;
  log.segment_bytes = options.wal_segment_bytes;
  log.linger = options.wal_linger;
  QuarantineCopies(world.dir, world.clock.Wall(), wal::kHardName);
  wal::WalRecovery found;
  auto opened = wal::Wal::Open(
      log, {world.dir, world.wal_pool, world.pool, world.clock, world.metrics}, &found);
  if (recovery != nullptr) *recovery = found;
  if (!opened.ok()) {
    return QuarantineLog(world.dir, world.clock.Wall(), opened.status(), found.report);
  }
  context_.wal = *std::move(opened);
  context_.fail = [this](const absl::Status& status) { Fail(status); };
  context_.wal->OnFailure([this, jobs = context_.jobs](const absl::Status& status) {
    jobs->Post([this, status] { Fail(status); });
  });
  for (const GroupOptions& group : options.groups) {
    const GroupPlace place = group.place.value_or(GroupPlace{&world.dir, &world.engine});
    SLIPWAY_ASSIGN_OR_RETURN(groups_[group.id], Group::Open(context_, group, place));
  }
  world.transport.Receive([this, jobs = context_.jobs](uint64_t peer, base::Bytes bytes) {
    if (!jobs->stopped()) OnFrame(peer, std::move(bytes));
  });
  ScheduleTick();
  return absl::OkStatus();
}

Node::Impl::~Impl() {
  StopWaiting();
  context_.jobs->Stop();
  if (timer_ != 0) context_.world.loop.Cancel(timer_);
  const absl::Status ended = absl::UnavailableError("the node has stopped");
  for (const auto& [id, group] : groups_) {
    if (group != nullptr) group->Fail(ended);
  }
  context_.wal.reset();  // waits for its writer
  groups_.clear();
}

absl::Status Node::Impl::Check(GroupId group) const {
  if (!context_.failed.ok()) return context_.failed;
  if (stopped_) return absl::UnavailableError("the node has stopped");
  if (Find(group) == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("group ", group, " is not on node ", context_.options.id));
  }
  return absl::OkStatus();
}

// From now on nothing is acknowledged, sent or written (E114).
void Node::Impl::Fail(const absl::Status& status) {
  if (!context_.failed.ok()) return;
  context_.failed = status;
  if (timer_ != 0) context_.world.loop.Cancel(std::exchange(timer_, 0));
  for (const auto& [id, group] : groups_) {
    if (group != nullptr) group->Fail(status);
  }
  if (on_fatal_) on_fatal_(status);
}

void Node::Impl::ScheduleTick() {
  timer_ = context_.world.loop.After(context_.options.tick, [this] {
    timer_ = 0;
    Tick();
    if (context_.failed.ok()) ScheduleTick();
  });
}

void Node::Impl::Tick() {
  const absl::Duration now = context_.now();
  if (now - log_ticked_ >= kLogTickEvery) {
    log_ticked_ = now;
    context_.wal->Tick();
  }
  context_.jobs->Retry();
  const bool stalled = context_.wal->OldestWait() > context_.election_timeout();
  for (const auto& [id, group] : groups_) {
    if (context_.failed.ok()) group->Tick(stalled);
  }
}

void Node::Impl::OnPeerSilent(raft::NodeId peer) {
  if (!context_.failed.ok() || stopped_) return;
  for (const auto& [id, group] : groups_) group->OnPeerSilent(peer);
}

absl::Status Node::Impl::SetTimers(const Timers& timers) {
  SLIPWAY_RETURN_IF_ERROR(context_.failed);
  if (timers.tick <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("set timers: a tick must take some time");
  }
  for (const auto& [id, group] : groups_) {
    SLIPWAY_RETURN_IF_ERROR(group->SetTimers(timers));
  }
  context_.options.tick = timers.tick;
  context_.options.raft.election_ticks = timers.election_ticks;
  context_.options.raft.heartbeat_ticks = timers.heartbeat_ticks;
  context_.options.raft.hibernate_ticks = timers.hibernate_ticks;
  if (timer_ == 0) return absl::OkStatus();
  context_.world.loop.Cancel(std::exchange(timer_, 0));
  ScheduleTick();
  return absl::OkStatus();
}

void Node::Impl::OnFrame(raft::NodeId peer, base::Bytes bytes) {
  if (!context_.failed.ok()) return;
  absl::StatusOr<Frame> frame = DecodeFrame(std::move(bytes));
  Group* group = frame.ok() ? Find(frame->group) : nullptr;
  // Damaged, of another version, or of a group that is not here: as if it had been lost.
  if (group == nullptr) return context_.frames_refused.Increment();
  group->OnFrame(peer, std::move(frame->body));
}

absl::Status Node::Impl::Stop() {
  if (stopped_) return absl::OkStatus();
  stopped_ = true;
  StopWaiting();
  context_.jobs->Stop();
  if (timer_ != 0) context_.world.loop.Cancel(std::exchange(timer_, 0));
  const absl::Status ended = absl::UnavailableError("the node has stopped");
  for (const auto& [id, group] : groups_) group->Fail(ended);
  SLIPWAY_RETURN_IF_ERROR(context_.failed);
  // The log first: what it has taken is durable before the engines say so.
  absl::Status status = context_.wal->Close();
  for (const auto& [id, group] : groups_) {
    const absl::Status closed = group->Close();
    if (status.ok()) status = closed;
  }
  return status;
}

// ---- Node ----

Node::Node(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Node::~Node() = default;

absl::StatusOr<std::unique_ptr<Node>> Node::Open(const NodeWorld& world, NodeOptions options,
                                                 wal::WalRecovery* recovery) {
  auto impl = std::make_unique<Impl>(world, std::move(options));
  SLIPWAY_RETURN_IF_ERROR(impl->Open(recovery));
  return std::unique_ptr<Node>(new Node(std::move(impl)));
}

void Node::OnFatal(std::function<void(absl::Status)> handler) {
  impl_->on_fatal_ = std::move(handler);
}

void Node::Propose(GroupId group, base::Bytes command, absl::Duration deadline, ProposeDone done) {
  const absl::Status possible = impl_->Check(group);
  if (possible.ok()) {
    return impl_->Find(group)->Propose(std::move(command), deadline, std::move(done));
  }
  impl_->context_.world.loop.Post(
      [done = std::move(done), error = WithFate(possible, Fate::kNotExecuted)]() mutable {
        done(std::move(error));
      });
}

void Node::Read(GroupId group, const ReadOptions& options, ReadDone done) {
  base::Loop& loop = impl_->context_.world.loop;
  Group::ReadDone posted = [&loop,
                            done = std::move(done)](absl::StatusOr<raft::Index> index) mutable {
    loop.Post(
        [done = std::move(done), index = std::move(index)]() mutable { done(std::move(index)); });
  };
  const absl::Status possible = impl_->Check(group);
  if (!possible.ok()) return posted(possible);
  impl_->Find(group)->Read(options, std::move(posted));
}

void Node::Get(GroupId group, ShardId shard, std::string key, const ReadOptions& options,
               GetDone done) {
  const absl::Status possible = impl_->Check(group);
  if (possible.ok()) {
    return impl_->Find(group)->Get(shard, std::move(key), options, std::move(done));
  }
  impl_->context_.world.loop.Post([done = std::move(done), possible]() mutable { done(possible); });
}

void Node::Query(GroupId group, const ReadOptions& options, QueryWork work, QueryDone done) {
  const absl::Status possible = impl_->Check(group);
  if (possible.ok()) {
    return impl_->Find(group)->Query(options, std::move(work), std::move(done));
  }
  impl_->context_.world.loop.Post([done = std::move(done), possible]() mutable { done(possible); });
}

absl::Status Node::ProposeMembership(GroupId group, const raft::Membership& target) {
  SLIPWAY_RETURN_IF_ERROR(impl_->Check(group));
  return impl_->Find(group)->ProposeMembership(target);
}

absl::Status Node::TransferLeader(GroupId group, raft::NodeId peer) {
  SLIPWAY_RETURN_IF_ERROR(impl_->Check(group));
  return impl_->Find(group)->TransferLeader(peer);
}

void Node::SetFenced(bool fenced) { impl_->SetFenced(fenced); }

absl::Status Node::Campaign(GroupId group) {
  SLIPWAY_RETURN_IF_ERROR(impl_->Check(group));
  return impl_->Find(group)->Campaign();
}

absl::Status Node::TakeSnapshot(GroupId group) {
  SLIPWAY_RETURN_IF_ERROR(impl_->Check(group));
  return impl_->Find(group)->TakeSnapshot();
}

void Node::OnPeerSilent(raft::NodeId peer) { impl_->OnPeerSilent(peer); }

absl::Status Node::SetTimers(const Timers& timers) { return impl_->SetTimers(timers); }

absl::StatusOr<GroupStatus> Node::GetStatus(GroupId group) const {
  SLIPWAY_RETURN_IF_ERROR(impl_->Check(group));
  return impl_->Find(group)->GetStatus();
}

std::shared_ptr<KvMachine> Node::machine(GroupId group) const {
  const Group* found = impl_->Find(group);
  return found == nullptr ? nullptr : found->machine();
}

bool Node::failed() const { return !impl_->context_.failed.ok(); }

uint64_t Node::incarnation() const { return impl_->incarnation_; }

absl::Duration Node::LogWait() const { return impl_->context_.wal->OldestWait(); }

bool Node::LogIsFull() const { return absl::IsResourceExhausted(impl_->context_.wal->status()); }

absl::Status Node::Stop() { return impl_->Stop(); }

}  // namespace slipway::eraft
