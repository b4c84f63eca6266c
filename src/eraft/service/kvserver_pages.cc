// The pages that a kvserver shows over HTTP (E28, E37).
#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/bytes.h"
#include "eraft/node/features.h"
#include "eraft/service/kvserver_impl.h"

namespace slipway::eraft {
namespace {

using base::Json;
using base::net::HttpRequest;
using base::net::HttpResponse;

HttpResponse JsonResponse(const Json& json, int status = 200) {
  HttpResponse response{.status = status, .content_type = "application/json"};
  response.body = json.Dump() + "\n";
  return response;
}

Json GroupJson(const ReplicaView& view) {
  const raft::Status& raft = view.status.raft;
  Json group = Json::MakeObject(
      {{"id", static_cast<uint64_t>(kKvGroup)},
       {"role", RoleName(raft.role)},
       {"leader", raft.leader},
       {"leader_address", view.leader_address()},
       {"term", raft.term},
       {"commit", raft.commit},
       {"applied", raft.applied},
       {"lag", view.lag()},
       {"last", raft.last},
       {"log_start", view.status.log_start.index + 1},
       {"snapshot", view.status.snapshot},
       {"snapshot_error", view.status.snapshot_error},
       {"hibernating", raft.hibernating},
       {"keys", view.status.kv.keys - std::min(view.status.kv.keys, view.system.keys)},
       {"sessions", view.status.kv.sessions}});
  Json members = Json::MakeArray();
  for (const auto& [id, address] : view.addresses) {
    members.Append(Json::MakeObject({{"node", id}, {"address", address}}));
  }
  group.Set("members", std::move(members));
  Json readmissions = Json::MakeArray();
  for (const auto& [id, readmission] : view.readmissions) {
    readmissions.Append(
        Json::MakeObject({{"node", id}, {"state", EncodeReadmission(readmission)}}));
  }
  group.Set("readmissions", std::move(readmissions));
  group.Set("waits_for_readmission", view.status.fenced);
  return group;
}

Json PeersJson(const std::vector<PeerStatus>& statuses) {
  Json peers = Json::MakeArray();
  for (const PeerStatus& peer : statuses) {
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
  return peers;
}

}  // namespace

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
                        {"phase", base::net::PhaseName(health_.phase())},
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
  json.Set("groups", Json::MakeArray({GroupJson(*replica_->view())}));
  json.Set("peers", PeersJson(transport_->Status()));
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
