#include "eraft/service/housekeeping.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/log/log.h"
#include "base/status.h"
#include "base/units.h"
#include "eraft/store/install.h"

namespace slipway::eraft {
namespace {

constexpr absl::Duration kMeasureEvery = absl::Seconds(5);  // walks directories
// A quota is overshot by what is written meanwhile.
constexpr absl::Duration kMeasureBoundedEvery = absl::Milliseconds(500);
constexpr absl::Duration kWarnEvery = absl::Minutes(10);
constexpr uint64_t kPageBytes = 4096;

}  // namespace

bool IsShortOfSpace(const base::Space& space, bool was_short) {
  const uint64_t enough = EnoughBytesOf(space);
  return space.free_bytes < (was_short ? enough : enough / 2);
}

absl::StatusOr<uint64_t> BytesBeneath(base::Dir& dir) {
  uint64_t bytes = 0;
  SLIPWAY_ASSIGN_OR_RETURN(const auto entries, dir.List());
  while (true) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto entry, entries->Next());
    if (!entry.has_value()) return bytes;
    if (entry->kind == base::FileKind::kDirectory) {
      const auto below = dir.OpenDir(entry->name);
      if (!below.ok()) continue;  // it went away
      const auto more = BytesBeneath(**below);
      if (more.ok()) bytes += *more;
    } else if (const auto meta = dir.Stat(entry->name); meta.ok()) {
      bytes += meta->allocated_bytes;
    }
  }
}

uint64_t ResidentBytes(base::Files& files) {
  const auto text = base::ReadUserFile(files, "/proc/self/statm", 4096);
  if (!text.ok()) return 0;
  const std::vector<absl::string_view> fields = absl::StrSplit(*text, ' ');
  uint64_t pages = 0;
  return fields.size() > 1 && absl::SimpleAtoi(fields[1], &pages) ? pages * kPageBytes : 0;
}

void Housekeeping::Run(const std::vector<PeerStatus>& peers, absl::Duration heartbeat) {
  std::vector<absl::Duration> clocks;
  for (const PeerStatus& peer : peers) {
    if (peer.connected && peer.rtt > absl::ZeroDuration()) clocks.push_back(peer.clock_difference);
  }
  replica_.NoteClocks(std::move(clocks), !peers.empty());
  LookAtDisk();
  LookAtMemory();
  LookAtPeers(peers, heartbeat);
  TellMetrics();
}

void Housekeeping::MakeRoom() {
  const auto space = dir_.FreeSpace();
  if (space.ok()) free_bytes_ = space->free_bytes;
  // Not made here, which takes a while, only given up.
  if (space.ok() && space->free_bytes < EnoughBytesOf(*space)) LookAtReserve(*space, false);
}

void Housekeeping::LookAtReserve(const base::Space& space, bool log_waits) {
  const uint64_t before = reserve_.held_bytes();
  const absl::Status status = reserve_.Look(space, log_waits);
  const uint64_t now = reserve_.held_bytes();
  replica_.metrics().reserve_bytes.Set(static_cast<double>(now));
  if (!status.ok() && status.message() != reserve_error_) {
    SLIPWAY_LOG(kWarn, "the reserve on the disk is not as it should be",
                {{"error", std::string(status.message())}});
  }
  reserve_error_ = std::string(status.message());
  if (now < before) {
    SLIPWAY_LOG(kWarn, "the disk is full; the reserve is given up",
                {{"bytes", before}, {"free", space.free_bytes}});
  } else if (now > before) {
    SLIPWAY_LOG(kInfo, "bytes are held in reserve for a full disk", {{"bytes", now}});
  }
}

void Housekeeping::LookAtDisk() {
  if (const auto space = dir_.FreeSpace(); space.ok()) {
    free_bytes_ = space->free_bytes;
    replica_.metrics().disk_free_bytes.Set(static_cast<double>(space->free_bytes));
    const bool log_waits = replica_.view()->log_full;
    LookAtReserve(*space, log_waits);
    // What is owed to the reserve is not for clients: else giving it up would end the alarm.
    base::Space own = *space;
    own.free_bytes -= std::min(own.free_bytes, reserve_.owed_bytes());
    replica_.SetAlarm(Alarm::kNoSpace,
                      log_waits || IsShortOfSpace(own, replica_.alarm(Alarm::kNoSpace)));
  }
  const absl::Duration now = replica_.now();
  const bool bounded = options_.quota_bytes > 0;
  if (now - measured_at_ < (bounded ? kMeasureBoundedEvery : kMeasureEvery)) return;
  measured_at_ = now;
  auto bytes = BytesBeneath(dir_);
  if (!bytes.ok()) return;
  *bytes -= std::min(*bytes, reserve_.held_bytes());  // is no data
  storage_bytes_ = *bytes;
  if (const auto engine = dir_.OpenDir(kEngineDir); engine.ok()) {
    const auto engine_bytes = BytesBeneath(**engine);
    if (engine_bytes.ok()) replica_.metrics().engine_bytes.Set(static_cast<double>(*engine_bytes));
  }
  replica_.SetAlarm(Alarm::kQuota, options_.quota_bytes > 0 && *bytes > options_.quota_bytes);
}

void Housekeeping::LookAtMemory() {
  if (options_.memory_soft_limit == 0) return;
  replica_.SetAlarm(Alarm::kMemory, ResidentBytes(files_) > options_.memory_soft_limit);
}

// E31.
void Housekeeping::LookAtPeers(const std::vector<PeerStatus>& peers, absl::Duration heartbeat) {
  const absl::Duration now = replica_.now();
  for (const PeerStatus& peer : peers) {
    if (!peer.connected || peer.rtt_p99 <= heartbeat / 2) continue;
    const auto [warned, first] = warned_at_.emplace(peer.id, now);
    if (!first && now - warned->second < kWarnEvery) continue;
    warned->second = now;
    SLIPWAY_LOG(
        kWarn, "round trips to a peer are long for the heartbeat interval; raise it",
        {{"peer", peer.id},
         {"address", peer.address},
         {"rtt_p99", base::FormatGoDuration(absl::Trunc(peer.rtt_p99, absl::Microseconds(1)))},
         {"heartbeat_interval", base::FormatGoDuration(heartbeat)}});
  }
}

void Housekeeping::TellMetrics() {
  const auto view = replica_.view();
  ServiceMetrics& metrics = replica_.metrics();
  const KvStatus& kv = view->status.kv;
  metrics.sessions.Set(static_cast<double>(kv.sessions));
  // An install begins a new state machine, which counts from 0.
  const auto count = [](base::Counter& counter, uint64_t now, uint64_t& before) {
    counter.Increment(static_cast<double>(now >= before ? now - before : now));
    before = now;
  };
  count(metrics.sessions_evicted, kv.sessions_evicted, evicted_);
  count(metrics.dedup_hits, kv.commands_repeated, repeated_);
  metrics.keys.Set(static_cast<double>(kv.keys - std::min(kv.keys, view->system.keys)));
  metrics.bytes.Set(static_cast<double>(kv.bytes - std::min(kv.bytes, view->system.bytes)));
  const raft::Status& raft = view->status.raft;
  // Those of members that are gone, or of an office that is, would look like lag for ever.
  for (const raft::NodeId id : std::exchange(lag_told_, {})) {
    metrics.match_lag(id).Set(std::numeric_limits<double>::quiet_NaN());
  }
  for (const raft::PeerProgress& peer : raft.peers) {
    lag_told_.insert(peer.id);
    metrics.match_lag(peer.id).Set(
        static_cast<double>(raft.last - std::min(raft.last, peer.match)));
  }
}

}  // namespace slipway::eraft
