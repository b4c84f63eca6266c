// What administration asks a kvserver about itself and changes while it runs (E31, E37).
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/bytes.h"
#include "base/failpoint.h"
#include "base/log/log.h"
#include "base/units.h"
#include "eraft/node/features.h"
#include "eraft/service/kvserver_impl.h"
#include "eraft/service/limits.h"

namespace slipway::eraft {
namespace {

constexpr size_t kProbeBytes = 512;
constexpr absl::Duration kHeartbeatMin = absl::Milliseconds(1), kHeartbeatMax = absl::Minutes(1);

}  // namespace

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
  info.phase = std::string(base::net::PhaseName(health_.phase()));
  for (const base::net::Health::Check& check : health_.checks()) {
    if (!check.ok) info.not_ready.push_back(absl::StrCat(check.name, ": ", check.reason));
  }
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

}  // namespace slipway::eraft
