// What a kvserver looks at again and again, and what it shows (E28, E37, E167, E190).
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/bytes.h"
#include "base/log/log.h"
#include "base/units.h"
#include "eraft/service/kvserver_impl.h"
#include "eraft/service/limits.h"

namespace slipway::eraft {
namespace {

using base::Json;
using base::net::HttpRequest;
using base::net::HttpResponse;

constexpr absl::Duration kGiveUpEvery = absl::Minutes(1);
constexpr size_t kProbeBytes = 512;

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
  tell("applied", near, "many entries wait to be applied");
  const bool full = replica_->alarm(Alarm::kNoSpace) || replica_->alarm(Alarm::kQuota);
  tell("space", !full, "there is too little room on the disk");
  health_.LookAtServices();
  // A node without room leads only where nobody else can; asked once, for all may be full (E167).
  if (!full || !view->leads() || gave_up_term_ == raft.term) return;
  if (clock_.Monotonic() - gave_up_at_ < kGiveUpEvery) return;
  const raft::NodeId to = BestSuccessor(raft, plan_.id);
  if (to == raft::kNoNode) return;
  gave_up_term_ = raft.term;
  gave_up_at_ = clock_.Monotonic();
  const absl::Status begun = replica_->node()->TransferLeader(kKvGroup, to);
  SLIPWAY_LOG(kWarn, "hands leadership over for want of room",
              {{"to", to}, {"result", begun.ToString()}});
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
    housekeeping_->Run(transport_->Status());
    Addresses members;
    bool write = false;
    {
      base::MutexLock lock(mutex_);
      write = !std::exchange(members_written_, true);
      members = members_;
    }
    if (write) {
      const absl::Status written = WriteMembers(*data_.dir, members);
      if (!written.ok()) {
        SLIPWAY_LOG(kWarn, "members not noted for the next start",
                    {{"error", std::string(written.message())}});
      }
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
  info.feature_level = TransportOptions().feature_level;
  info.uptime = clock_.Monotonic() - started_at_;
  info.wall = world_.world.clock.Wall();
  info.storage_bytes = housekeeping_->storage_bytes();
  if (tls_ != nullptr) info.cert_not_after = tls_->current()->not_after;
  if (const auto space = data_.dir->FreeSpace(); space.ok()) {
    info.disk_free_bytes = space->free_bytes;
  }
  info.peers = transport_->Status();
  info.options = OptionTexts();
  SLIPWAY_ASSIGN_OR_RETURN(const auto probe, data_.dir->CreateTemp());
  const base::Bytes bytes(kProbeBytes);
  SLIPWAY_RETURN_IF_ERROR(probe->WriteAt(0, bytes));
  const absl::Duration begun = clock_.Monotonic();
  SLIPWAY_RETURN_IF_ERROR(probe->SyncData());
  info.sync = clock_.Monotonic() - begun;
  return info;
}

std::vector<std::string> KvServerImpl::OptionTexts() const {
  base::MutexLock lock(mutex_);
  return {absl::StrCat("log_level=", log_level_)};
}

absl::StatusOr<std::string> KvServerImpl::SetOption(absl::string_view name,
                                                    absl::string_view value) {
  if (name != "log_level") {
    return absl::InvalidArgumentError(
        absl::StrCat("set option ", name, ": no such option; it can be log_level"));
  }
  KvServerConfig changed = config_;
  changed.log_level = std::string(value);
  SLIPWAY_RETURN_IF_ERROR(SetUpLog(changed, clock_));
  base::MutexLock lock(mutex_);
  return std::exchange(log_level_, std::string(value));
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
       {"hibernating", raft.hibernating},
       {"keys", view->status.kv.keys - std::min(view->status.kv.keys, view->system.keys)},
       {"sessions", view->status.kv.sessions}});
  Json members = Json::MakeArray();
  for (const auto& [id, address] : view->addresses) {
    members.Append(Json::MakeObject({{"node", id}, {"address", address}}));
  }
  group.Set("members", std::move(members));
  Json peers = Json::MakeArray();
  for (const PeerStatus& peer : transport_->Status()) {
    Json item = Json::MakeObject({{"node", peer.id},
                                  {"address", peer.address},
                                  {"connected", peer.connected},
                                  {"rtt_us", absl::ToInt64Microseconds(peer.rtt)},
                                  {"rtt_p99_us", absl::ToInt64Microseconds(peer.rtt_p99)},
                                  {"dropped_frames", peer.dropped_frames}});
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
                        {"incarnation", absl::StrCat(data_.incarnation)},
                        {"uptime_s", absl::ToInt64Seconds(clock_.Monotonic() - started_at_)},
                        {"ready", health_.ready()},
                        {"data_dir", data_.path},
                        {"engine", EngineKindName(config_.engine)},
                        {"storage_bytes", housekeeping_->storage_bytes()},
                        {"disk_free_bytes", housekeeping_->free_bytes()},
                        {"inflight", replica_->inflight()}});
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
