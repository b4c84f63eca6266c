#include "eraft/service/replica.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/log/log.h"
#include "base/mutant.h"
#include "base/status.h"
#include "eraft/node/features.h"
#include "eraft/service/limits.h"
#include "raft/membership.h"

namespace slipway::eraft {
namespace {

constexpr absl::Duration kSystemAnswerMax = absl::Seconds(10);
constexpr absl::Duration kForgetAgainAfter = absl::Seconds(1);

absl::string_view ReasonName(raft::StepDownReason reason) {
  switch (reason) {
    case raft::StepDownReason::kNone:
      return "none";
    case raft::StepDownReason::kHigherTerm:
      return "a higher term";
    case raft::StepDownReason::kQuorumLost:
      return "too few members were heard from";
    case raft::StepDownReason::kStalledLog:
      return "the disk of the log does not answer";
    case raft::StepDownReason::kTransfer:
      return "the office was handed over";
    case raft::StepDownReason::kRemoved:
      return "it is no voter any more";
  }
  return "unknown";
}

absl::Status NotExecuted(const absl::Status& status) {
  return WithFate(status, Fate::kNotExecuted);
}

}  // namespace

absl::string_view RoleName(raft::Role role) {
  switch (role) {
    case raft::Role::kFollower:
      return "Follower";
    case raft::Role::kPreCandidate:
    case raft::Role::kCandidate:
      return "Candidate";
    case raft::Role::kLeader:
      return "Leader";
  }
  return "Follower";
}

std::string ReplicaView::AddressOf(raft::NodeId id) const {
  const auto found = addresses.find(id);
  return found == addresses.end() ? "" : found->second;
}

Replica::Replica(base::Loop& loop, base::Clock& clock, ServiceMetrics& metrics, Options options)
    : loop_(loop),
      clock_(clock),
      metrics_(metrics),
      options_(std::move(options)),
      addresses_(options_.addresses) {
  for (const Alarm alarm : kAlarms) metrics_.alarm(alarm).Set(0);
  auto first = std::make_shared<ReplicaView>();
  first->self = options_.self;
  first->addresses = addresses_;
  base::MutexLock lock(mutex_);
  view_ = std::move(first);
}

void Replica::Attach(Node& node) {
  node_ = &node;
  Look();
  const auto now = view();
  if (const uint64_t last = now->status.kv.time_ms; last > 0) {
    fair_clock_.Begin(absl::FromUnixMillis(static_cast<int64_t>(last)), clock_.Monotonic());
  }
  if (!now->status.members_overruled) return;
  SLIPWAY_LOG(kWarn,
              "the members of --cluster are not those in force; these stay, and are changed by "
              "eraftctl member; give --cluster as they are",
              {{"given", options_.given},
               {"voters", absl::StrJoin(now->status.raft.membership.voters, ",")},
               {"learners", absl::StrJoin(now->status.raft.membership.learners, ",")}});
}

std::shared_ptr<const ReplicaView> Replica::view() const {
  base::MutexLock lock(mutex_);
  return view_;
}

void Replica::Post(absl::AnyInvocable<void(Node*)> work) {
  loop_.Post([this, work = std::move(work)]() mutable { work(node_); });
}

// ---- Looking ----

void Replica::Look() {
  if (node_ == nullptr) return;
  auto status = node_->GetStatus(kKvGroup);
  if (!status.ok()) return;
  auto now = std::make_shared<ReplicaView>();
  now->self = options_.self;
  now->status = *std::move(status);
  now->addresses = addresses_;
  now->readmissions = readmissions_;
  now->taken = clock_.Monotonic();
  now->log_wait = node_->LogWait();
  now->log_full = node_->LogIsFull();
  const std::shared_ptr<const ReplicaView> before = view();
  const std::shared_ptr<KvMachine> machine = node_->machine(kKvGroup);
  now->system = machine == nullptr ? before->system : machine->GetShard(kSystemShard);
  now->rows_read = machine != nullptr && now->system.digest == read_digest_;
  {
    base::MutexLock lock(mutex_);
    view_ = now;
  }
  NoteChanges(*before, *now);
  if (machine == nullptr) return;
  if (now->system.digest != read_digest_ && !reading_) ReadRows(now->system.digest);
  if (now->leads() && now->status.raft.lease_allowed) LeadOnce(*now);
}

// E37: each once.
void Replica::NoteChanges(const ReplicaView& before, const ReplicaView& now) {
  const raft::Status& was = before.status.raft;
  const raft::Status& is = now.status.raft;
  if (now.leads() && (!before.leads() || was.term != is.term)) {
    SLIPWAY_LOG(kInfo, "elected", {{"term", is.term}, {"commit", is.commit}});
  } else if (before.leads() && !now.leads()) {
    SLIPWAY_LOG(
        kWarn, "leads no more",
        {{"term", was.term}, {"new_term", is.term}, {"reason", ReasonName(is.stepped_down)}});
  } else if (was.leader != is.leader && !now.leads()) {
    if (is.leader == raft::kNoNode) {
      SLIPWAY_LOG(kWarn, "no leader is known", {{"term", is.term}});
    } else {
      SLIPWAY_LOG(kInfo, "follows",
                  {{"leader", is.leader}, {"address", now.leader_address()}, {"term", is.term}});
    }
  }
  if (was.membership != is.membership && !before.status.raft.membership.voters.empty()) {
    SLIPWAY_LOG(kInfo, "members changed",
                {{"voters", absl::StrJoin(is.membership.voters, ",")},
                 {"learners", absl::StrJoin(is.membership.learners, ",")},
                 {"joint", is.membership.joint()}});
  }
  if (before.status.snapshot != now.status.snapshot && before.status.snapshot != 0) {
    SLIPWAY_LOG(kInfo, "snapshot taken", {{"index", now.status.snapshot}});
  }
  if (before.status.installing != now.status.installing) {
    SLIPWAY_LOG(kInfo, "snapshot is installed", {{"under_way", now.status.installing}});
  }
  if (before.status.snapshot_error != now.status.snapshot_error &&
      !now.status.snapshot_error.empty()) {
    SLIPWAY_LOG(kError, "the leader's snapshot cannot be taken; this node falls behind",
                {{"leader", is.leader}, {"error", now.status.snapshot_error}});
  }
}

void Replica::LeadOnce(const ReplicaView& view) {
  const raft::Term term = view.status.raft.term;
  if (limits_told_in_ != term) {
    limits_told_in_ = term;
    Command command;
    command.op = CommandOp::kSetSessionLimits;
    command.value = EncodeSessionLimits(options_.sessions);
    const auto bytes = Prepare(std::move(command));
    if (bytes.ok()) {
      node_->Propose(kKvGroup, *bytes, clock_.Monotonic() + kSystemAnswerMax,
                     [](const absl::StatusOr<Outcome>&) {});
    }
  }
  if (unseeded_ && !reading_ && seeding_ == 0) SeedAddresses();
  ForgetStrangers(view);
}

void Replica::SeedAddresses() {
  const auto view = this->view();
  for (const auto& [id, address] : options_.addresses) {
    if (!raft::IsMember(view->status.raft.membership, id)) continue;
    Command command;
    command.op = CommandOp::kCompareAndSet;
    command.shard = kSystemShard;
    command.expect_absent = true;
    command.key = MemberKey(id);
    command.value = address;
    const auto bytes = Prepare(std::move(command));
    if (!bytes.ok()) continue;
    ++seeding_;
    node_->Propose(kKvGroup, *bytes, clock_.Monotonic() + kSystemAnswerMax,
                   [this](const absl::StatusOr<Outcome>&) { --seeding_; });
  }
}

// A change of the members that lost its leader before its end leaves the address of one that was
// removed, or not yet taken in: nobody is to dial it for ever. Not of one that is being taken in
// again (E416). What is read here is all that is applied, and nobody else changes the members: the
// log has it in the same order.
void Replica::ForgetStrangers(const ReplicaView& view) {
  const raft::Status& raft = view.status.raft;
  const bool settled = addresses_read_ && !reading_ && view.system.digest == read_digest_ &&
                       raft.applied == raft.commit && !raft.membership.joint();
  if (!settled || changes > 0 || forgetting_ > 0 || clock_.Monotonic() < forget_after_) return;
  for (const auto& [id, address] : addresses_) {
    if (raft::IsMember(raft.membership, id) || readmissions_.contains(id)) continue;
    forget_after_ = clock_.Monotonic() + kForgetAgainAfter;
    Command command;
    command.op = CommandOp::kDelete;
    command.shard = kSystemShard;
    command.key = MemberKey(id);
    const auto bytes = Prepare(std::move(command));
    if (!bytes.ok()) continue;
    SLIPWAY_LOG(kInfo, "forgets the address of a node that is no member",
                {{"node", id}, {"address", address}});
    ++forgetting_;
    node_->Propose(kKvGroup, *bytes, clock_.Monotonic() + kSystemAnswerMax,
                   [this](const absl::StatusOr<Outcome>&) { --forgetting_; });
  }
}

void Replica::ReadRows(const StateDigest& digest) {
  reading_ = true;
  auto found = std::make_shared<Rows>();
  ReadOptions options;
  options.mode = ReadMode::kSerializable;
  node_->Query(
      kKvGroup, options,
      [found](KvMachine& machine) -> absl::Status {
        SLIPWAY_ASSIGN_OR_RETURN(
            const ScanResult rows,
            machine.Scan(kSystemShard, kMemberPrefix, kMemberEnd, kMembersMax * 4, 1 << 20));
        for (const auto& [key, value] : rows.rows) {
          const raft::NodeId member = MemberOfKey(key), readmitted = ReadmissionOfKey(key);
          if (member != raft::kNoNode) found->addresses[member] = value;
          const auto decided = DecodeReadmission(value);
          if (readmitted == raft::kNoNode || !decided.has_value()) continue;
          found->readmissions[readmitted] = *decided;
        }
        return absl::OkStatus();
      },
      [this, found, digest](const absl::Status& status) {
        reading_ = false;
        if (!status.ok()) return;  // asked again at the next look
        read_digest_ = digest;
        TakeRows(*found);
      });
}

void Replica::TakeRows(const Rows& found) {
  // The rows of a new group come one after the other: until its own is there a member stays where
  // it was known to be, or the majority that is to commit it is lost.
  const raft::Membership members = view()->status.raft.membership;
  Addresses addresses = found.addresses;
  unseeded_ = addresses.empty();
  for (const auto& [id, address] : addresses_) {
    if (!raft::IsMember(members, id) || !addresses.emplace(id, address).second) continue;
    unseeded_ = unseeded_ || options_.addresses.contains(id);
  }
  addresses_read_ = addresses_read_ || !found.addresses.empty();
  if (!found.addresses.empty() && addresses != addresses_) {
    std::vector<std::string> texts;
    for (const auto& [id, address] : addresses) texts.push_back(absl::StrCat(id, "=", address));
    SLIPWAY_LOG(kInfo, "addresses of the members", {{"members", absl::StrJoin(texts, " ")}});
    addresses_ = std::move(addresses);
    if (on_addresses_) on_addresses_(addresses_);
  }
  if (found.readmissions == readmissions_) return;
  readmissions_ = found.readmissions;
  if (on_readmissions_) on_readmissions_(readmissions_);
}

// ---- Commands ----

bool Replica::Enter(uint64_t count) {
  const uint64_t before = inflight_.fetch_add(count);
  if (before + count > static_cast<uint64_t>(options_.inflight_max)) {
    inflight_.fetch_sub(count);
    metrics_.rejected_inflight.Increment();
    return false;
  }
  metrics_.inflight.Add(static_cast<double>(count));
  return true;
}

void Replica::Leave(uint64_t count) {
  inflight_.fetch_sub(count);
  metrics_.inflight.Add(-static_cast<double>(count));
}

absl::Status Replica::AdmitWrite(bool frees) const {
  if (draining() && !SLIPWAY_MUTANT("kv-drain-serves-on")) {
    return NotExecuted(
        absl::UnavailableError("write: this node is about to stop; ask another one"));
  }
  if (frees ? alarm(Alarm::kNoSpace) : alarmed()) {
    metrics_.rejected_alarm.Increment();
    std::vector<absl::string_view> names;
    for (const Alarm alarm : kAlarms) {
      if (this->alarm(alarm)) names.push_back(AlarmName(alarm));
    }
    return NotExecuted(absl::ResourceExhaustedError(
        absl::StrCat("write: refused while there is an alarm: ", absl::StrJoin(names, ", "))));
  }
  const uint64_t lag = view()->lag();
  if (lag <= kApplyLagMax) return absl::OkStatus();
  metrics_.rejected_lag.Increment();
  return NotExecuted(absl::ResourceExhaustedError(
      absl::StrCat("write: ", lag, " entries wait to be applied; try again later")));
}

// Else a server that ends would have something under way as long as clients ask.
absl::Status Replica::AdmitRead() const {
  if (!stopping_.load() || SLIPWAY_MUTANT("kv-stop-reads-on")) return absl::OkStatus();
  return NotExecuted(absl::UnavailableError("read: this node is about to stop; ask another one"));
}

absl::StatusOr<base::Bytes> Replica::Prepare(Command command) const {
  command.time_ms =
      static_cast<uint64_t>(absl::ToUnixMillis(fair_clock_.Now(clock_.Wall(), clock_.Monotonic())));
  if (command.shard == kUserShard && command.value.size() > options_.value_bytes_max) {
    return NotExecuted(absl::InvalidArgumentError(absl::StrCat(
        "write: a value of ", command.value.size(), " bytes, at most ", options_.value_bytes_max)));
  }
  absl::Status status = CheckCommand(command);
  if (status.ok()) status = CheckLevel(LevelOf(command.op), level());
  if (!status.ok()) return NotExecuted(status);
  return EncodeCommand(command);
}

void Replica::Propose(base::Bytes command, absl::Duration deadline, Node::ProposeDone done) {
  Post([command = std::move(command), deadline, done = std::move(done)](Node* node) mutable {
    if (node != nullptr) {
      return node->Propose(kKvGroup, std::move(command), deadline, std::move(done));
    }
    done(NotExecuted(absl::UnavailableError("write: this node has stopped")));
  });
}

void Replica::Query(const ReadOptions& options, Node::QueryWork work, Node::QueryDone done) {
  Post([options, work = std::move(work), done = std::move(done)](Node* node) mutable {
    if (node != nullptr) return node->Query(kKvGroup, options, std::move(work), std::move(done));
    done(absl::UnavailableError("read: this node has stopped"));
  });
}

void Replica::NoteClocks(std::vector<absl::Duration> peers, bool has_peers) {
  const bool ahead =
      fair_clock_.Look(clock_.Wall(), clock_.Monotonic(), std::move(peers), has_peers);
  if (clock_ahead_.exchange(ahead) == ahead) return;
  if (ahead) {
    SLIPWAY_LOG(kWarn,
                "the clock of this node is far ahead of the others', or was set forward; "
                "sessions expire by theirs; set it right");
  } else {
    SLIPWAY_LOG(kInfo, "the clock of this node agrees with the others' again");
  }
}

void Replica::SetAlarm(Alarm alarm, bool on) {
  const uint32_t bit = uint32_t{1} << static_cast<uint32_t>(alarm);
  const uint32_t before = on ? alarms_.fetch_or(bit) : alarms_.fetch_and(~bit);
  if (((before & bit) != 0) == on) return;
  metrics_.alarm(alarm).Set(on ? 1 : 0);
  if (on) {
    SLIPWAY_LOG(kError, "alarm: writes are refused", {{"alarm", AlarmName(alarm)}});
  } else {
    SLIPWAY_LOG(kInfo, "alarm is over", {{"alarm", AlarmName(alarm)}});
  }
}

bool Replica::alarm(Alarm alarm) const {
  return (alarms_.load(std::memory_order_relaxed) >> static_cast<uint32_t>(alarm) & 1) != 0;
}

}  // namespace slipway::eraft
