// What a kvserver looks at again and again, and what it shows (E28, E37, E167, E190).
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/bytes.h"
#include "base/failpoint.h"
#include "base/log/log.h"
#include "base/units.h"
#include "eraft/node/features.h"
#include "eraft/service/kvserver_impl.h"
#include "eraft/service/limits.h"
#include "eraft/service/membership_change.h"
#include "raft/membership.h"

namespace slipway::eraft {
namespace {

using base::Json;
using base::net::HttpRequest;
using base::net::HttpResponse;

constexpr absl::Duration kPromoteMax = absl::Seconds(10), kPromoteAgainAfter = absl::Seconds(10);
constexpr int kLostElections = 3;  // so many timeouts without a leader
constexpr size_t kProbeBytes = 512;
constexpr absl::Duration kHeartbeatMin = absl::Milliseconds(1), kHeartbeatMax = absl::Minutes(1);

HttpResponse JsonResponse(const Json& json, int status = 200) {
  HttpResponse response{.status = status, .content_type = "application/json"};
  response.body = json.Dump() + "\n";
  return response;
}

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
  readmitter_->Look(transport_->Status(), election);
  tell("data", !view->status.fenced,
       "the members know this node with other data; it waits to be taken in again");
  LookAtRoom();
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
  const std::string error(tokens_->Reload().message());
  if (!error.empty() && error != tokens_error_) {
    SLIPWAY_LOG(kWarn, "token file refused; the tokens from before stay in force",
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

// ---- Administration ----

absl::StatusOr<ServerControl::Info> KvServerImpl::GetInfo() {
  Info info;
  info.version = world_.version;
  info.commit = world_.commit;
  info.address = plan_.advertise;
  info.engine = std::string(EngineKindName(config_.engine));
  info.directory = data_.path;
  info.cluster = data_.cluster;
  info.node = plan_.id;
  info.incarnation = data_.incarnation;
  info.feature_level = kEntryLevel;
  info.uptime = clock_.Monotonic() - started_at_;
  info.wall = world_.world.clock.Wall();
  info.storage_bytes = housekeeping_->storage_bytes();
  if (tls_ != nullptr) info.cert_not_after = tls_->current()->not_after;
  info.disk_free_bytes = housekeeping_->free_bytes();
  info.peers = transport_->Status();
  info.options = OptionTexts();
  ProbeDisk();
  info.sync = absl::Microseconds(sync_us_.load());
  return info;
}

// One at a time, for a disk may hang; who comes meanwhile, or finds no room, has the last result.
void KvServerImpl::ProbeDisk() {
  if (!probe_mutex_.TryLock()) return;
  const absl::Status probed = [this]() -> absl::Status {
    SLIPWAY_ASSIGN_OR_RETURN(const auto probe, data_.dir->CreateTemp());
    SLIPWAY_RETURN_IF_ERROR(probe->WriteAt(0, base::Bytes(kProbeBytes)));
    const absl::Duration begun = clock_.Monotonic();
    SLIPWAY_RETURN_IF_ERROR(probe->SyncData());
    sync_us_ = absl::ToInt64Microseconds(clock_.Monotonic() - begun);
    return absl::OkStatus();
  }();
  probe_mutex_.Unlock();
  if (probed.ok()) return;
  SLIPWAY_LOG(kWarn, "the disk's latency cannot be told",
              {{"error", std::string(probed.message())}});
}

std::vector<std::string> KvServerImpl::OptionTexts() const {
  base::MutexLock lock(mutex_);
  return {absl::StrCat("election_timeout=", base::FormatGoDuration(election_)),
          absl::StrCat("heartbeat_interval=", base::FormatGoDuration(heartbeat_)),
          absl::StrCat("log_level=", log_level_)};
}

absl::StatusOr<std::string> KvServerImpl::SetOption(absl::string_view name,
                                                    absl::string_view value) {
  const std::string key = absl::StrReplaceAll(name, {{"-", "_"}});
#ifdef SLIPWAY_FAULTS
  // E197: failpoints of a build for tests, such as eraft.send=error or eraft.wal.after=crash:3.
  if (key == "faults") {
    SLIPWAY_RETURN_IF_ERROR(base::SetFailpoints(value));
    base::MutexLock lock(mutex_);
    return std::exchange(faults_, std::string(value));
  }
#endif
  if (key == "heartbeat_interval" || key == "election_timeout") return SetTimer(key, value);
  if (key != "log_level") {
    return absl::InvalidArgumentError(absl::StrCat(
        "set option ", name,
        ": no such option; it can be election_timeout, heartbeat_interval, log_level"));
  }
  KvServerConfig changed = config_;
  changed.log_level = std::string(value);
  SLIPWAY_RETURN_IF_ERROR(SetUpLog(changed, clock_));
  base::MutexLock lock(mutex_);
  return std::exchange(log_level_, std::string(value));
}

// Until the node starts again, which reads its configuration (E31).
absl::StatusOr<std::string> KvServerImpl::SetTimer(absl::string_view name,
                                                   absl::string_view value) {
  const auto what = [&] { return absl::StrCat("set option ", name); };
  if (config_.read_mode == ReadMode::kLease) {
    return absl::FailedPreconditionError(
        absl::StrCat(what(),
                     ": reads rest on leases, and these on times that are the same on all "
                     "nodes at every moment; set --read-mode readindex"));
  }
  const auto duration = base::ParseDuration(value);
  if (!duration.ok()) return base::Annotate(duration.status(), what());
  if (*duration < kHeartbeatMin || *duration > kElectionHeartbeatsMin * kHeartbeatMax) {
    return absl::InvalidArgumentError(absl::StrCat(what(), " ", value, ": out of bounds"));
  }
  const base::MutexLock one(timers_mutex_);
  absl::Duration heartbeat, election;
  {
    base::MutexLock lock(mutex_);
    heartbeat = heartbeat_;
    election = election_;
  }
  absl::Duration& changed = name == "election_timeout" ? election : heartbeat;
  const absl::Duration before = std::exchange(changed, *duration);
  const auto timers = TimersOf(heartbeat, election, config_.hibernate_after);
  if (!timers.ok()) return base::Annotate(timers.status(), what());
  absl::Status status = absl::UnavailableError(absl::StrCat(what(), ": this node stops"));
  OnLoop([&] {
    if (replica_->node() != nullptr) status = replica_->node()->SetTimers(*timers);
  });
  SLIPWAY_RETURN_IF_ERROR(status);
  parts_->tick_us = absl::ToInt64Microseconds(timers->tick);
  SLIPWAY_LOG(kInfo, "timers changed",
              {{"heartbeat_interval", base::FormatGoDuration(heartbeat)},
               {"election_timeout", base::FormatGoDuration(election)}});
  base::MutexLock lock(mutex_);
  heartbeat_ = heartbeat;
  election_ = election;
  return base::FormatGoDuration(before);
}

// ---- HTTP ----

base::net::HttpRouter KvServerImpl::MakeRouter() {
  base::net::HttpRouter router;
  // Before those that every server has: of equal routes the first counts.
  for (const char* path : {"/livez", "/healthz"}) {
    router.AddAtOnce("GET", path, [this](const HttpRequest&) {
      return Alive() ? HttpResponse{.body = "ok\n"}
                     : HttpResponse{.status = 503, .body = "the loop or the log does not go on\n"};
    });
  }
  router.AddAtOnce("GET", "/health", [this](const HttpRequest&) {
    const bool ready = health_.ready();
    Json json = Json::MakeObject({{"health", ready ? "true" : "false"}});
    for (const base::net::Health::Check& check : health_.checks()) {
      if (!check.ok) json.Set("reason", check.reason);
    }
    return JsonResponse(json, ready ? 200 : 503);
  });
  base::net::AddHealthRoutes(router, health_, world_.metrics);
  router.Add("GET", "/statusz", [this](const HttpRequest& request) {
    const bool json =
        request.Query("format") == "json" || request.Header("accept") == "application/json";
    if (json) return JsonResponse(StatusJson());
    return HttpResponse{.body = StatusText()};
  });
  return router;
}

Json KvServerImpl::StatusJson() {
  const auto view = replica_->view();
  const raft::Status& raft = view->status.raft;
  Json group = Json::MakeObject(
      {{"id", static_cast<uint64_t>(kKvGroup)},
       {"role", RoleName(raft.role)},
       {"leader", raft.leader},
       {"leader_address", view->leader_address()},
       {"term", raft.term},
       {"commit", raft.commit},
       {"applied", raft.applied},
       {"lag", view->lag()},
       {"last", raft.last},
       {"log_start", view->status.log_start.index + 1},
       {"snapshot", view->status.snapshot},
       {"snapshot_error", view->status.snapshot_error},
       {"hibernating", raft.hibernating},
       {"keys", view->status.kv.keys - std::min(view->status.kv.keys, view->system.keys)},
       {"sessions", view->status.kv.sessions}});
  Json members = Json::MakeArray();
  for (const auto& [id, address] : view->addresses) {
    members.Append(Json::MakeObject({{"node", id}, {"address", address}}));
  }
  group.Set("members", std::move(members));
  Json readmissions = Json::MakeArray();
  for (const auto& [id, readmission] : view->readmissions) {
    readmissions.Append(
        Json::MakeObject({{"node", id}, {"state", EncodeReadmission(readmission)}}));
  }
  group.Set("readmissions", std::move(readmissions));
  group.Set("waits_for_readmission", view->status.fenced);
  Json peers = Json::MakeArray();
  for (const PeerStatus& peer : transport_->Status()) {
    Json item = Json::MakeObject({{"node", peer.id},
                                  {"address", peer.address},
                                  {"connected", peer.connected},
                                  {"rtt_us", absl::ToInt64Microseconds(peer.rtt)},
                                  {"rtt_p99_us", absl::ToInt64Microseconds(peer.rtt_p99)},
                                  {"dropped_frames", peer.dropped_frames},
                                  {"feature_level", static_cast<uint64_t>(peer.feature_level)},
                                  {"leaving", peer.leaving}});
    if (!peer.error.empty()) item.Set("error", peer.error);
    peers.Append(std::move(item));
  }
  Json alarms = Json::MakeArray();
  for (const Alarm alarm : kAlarms) {
    if (replica_->alarm(alarm)) alarms.Append(AlarmName(alarm));
  }
  Json json =
      Json::MakeObject({{"version", world_.version},
                        {"commit", world_.commit},
                        {"id", static_cast<uint64_t>(plan_.index)},
                        {"node", plan_.id},
                        {"cluster_id", base::ToHex(base::BytesView(data_.cluster))},
                        {"uptime_s", absl::ToInt64Seconds(clock_.Monotonic() - started_at_)},
                        {"ready", health_.ready()},
                        {"data_dir", data_.path},
                        {"engine", EngineKindName(config_.engine)},
                        {"storage_bytes", housekeeping_->storage_bytes()},
                        {"disk_free_bytes", housekeeping_->free_bytes()},
                        {"feature_level", static_cast<uint64_t>(kEntryLevel)},
                        {"cluster_feature_level", static_cast<uint64_t>(replica_->level())},
                        {"inflight", replica_->inflight()}});
  // Who knows it can greet as this node; the page is open to all.
  if (tokens_ == nullptr) json.Set("incarnation", absl::StrCat(data_.incarnation));
  {
    base::MutexLock lock(mutex_);
    json.Set("last_error", std::string(fatal_.message()));
  }
  json.Set("alarms", std::move(alarms));
  json.Set("groups", Json::MakeArray({std::move(group)}));
  json.Set("peers", std::move(peers));
  Json values = Json::MakeObject();
  for (const base::ConfigField& field : world_.values) values.Set(field.Key(), field.value);
  json.Set("config", std::move(values));
  Json effective = Json::MakeObject();
  for (const auto& [name, value] : effective_) effective.Set(name, value);
  for (const std::string& option : OptionTexts()) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(option, absl::MaxSplits('=', 1));
    effective.Set(std::string(parts.first), std::string(parts.second));
  }
  json.Set("effective", std::move(effective));
  return json;
}

// The same as lines "name: value", for people.
std::string KvServerImpl::StatusText() {
  std::string text;
  const std::function<void(const std::string&, const Json&)> add = [&](const std::string& name,
                                                                       const Json& json) {
    if (const Json::Object* object = json.AsObject()) {
      for (const auto& [key, value] : *object)
        add(name.empty() ? key : absl::StrCat(name, ".", key), value);
    } else if (const Json::Array* array = json.AsArray()) {
      for (size_t i = 0; i < array->size(); ++i) add(absl::StrCat(name, "[", i, "]"), (*array)[i]);
    } else {
      absl::StrAppend(&text, name, ": ",
                      json.AsString() != nullptr ? *json.AsString() : json.Dump(), "\n");
    }
  };
  add("", StatusJson());
  return text;
}

}  // namespace slipway::eraft
