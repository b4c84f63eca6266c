#include "machine.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "engine.h"
#include "eraft/store/memory_engine.h"

namespace slipway::eraft::simulation {
namespace {

namespace sim = base::sim;

constexpr absl::Duration kTick = absl::Milliseconds(10);

// Small limits, different in each run, so that segments roll over, snapshots are taken and sent,
// logs are read back and pages of entries end all the time.
NodeOptions OptionsOf(const Common& common, raft::NodeId id) {
  sim::Stream choices(sim::Mix(common.seed, 77));
  NodeOptions options;
  options.id = id;
  options.cluster.fill(7);
  options.tick = kTick;
  options.raft.election_ticks = 10;
  options.raft.heartbeat_ticks = 2;
  options.raft.commit_waits = common.seed % 2 == 0;
  options.raft.append_bytes_max = uint64_t{32} << choices.Below(11);
  if (common.small_messages) options.raft.append_bytes_max = 1 + id % 2 * 300;
  options.raft.committed_bytes_max = uint64_t{512} << choices.Below(8);
  options.raft.memory_bytes_max = uint64_t{2048} << choices.Below(8);
  options.raft.inflight_messages_max =
      choices.Chance(40) ? 1 : 2 + static_cast<int>(choices.Below(30));
  options.raft.uncommitted_bytes_max = 256 << 10;
  const uint64_t segment_bytes_min = common.small_entries ? 16 << 10 : 64 << 10;
  options.wal_segment_bytes = segment_bytes_min << choices.Below(3);
  if (common.small_segments) options.wal_segment_bytes = segment_bytes_min;
  options.snapshot_entries = 10 + (uint64_t{10} << choices.Below(5));
  options.log_keep_entries = choices.Below(40);
  options.snapshot_bytes_per_second = choices.Chance(50) ? 0 : 1 << 20;
  options.proposals_max = 200;
  options.apply_lag_max = uint64_t{8} << choices.Below(6);
  options.unapplied_entries_max = uint64_t{8} << choices.Below(6);
  return options;
}

}  // namespace

// Tells the checkers what the node shows while its process lives.
class Machine::Observer : public NodeObserver {
 public:
  explicit Observer(Machine& machine) : machine_(machine) {}
  void OnSend(GroupId group, const raft::Message& message) override {
    if (Checker* checker = Of(group)) checker->OnSend(machine_.id_, message);
  }
  void OnHardState(GroupId group, const raft::HardState& state) override {
    if (Checker* checker = Of(group)) checker->OnHardState(machine_.id_, state);
  }
  void OnApplied(GroupId group, absl::Span<const raft::Entry> entries) override {
    if (Checker* checker = Of(group)) checker->OnApplied(machine_.id_, entries);
  }
  void OnInstalled(GroupId group, const raft::SnapshotMark& mark) override {
    machine_.common_.trace.Say([&] {
      return absl::StrCat("node ", machine_.id_, " installed a snapshot of ", mark.index);
    });
    if (Checker* checker = Of(group)) checker->OnInstalled(machine_.id_, mark);
    ++machine_.installs_;
    if (machine_.after_install_ > 0) {
      machine_.disk_.PowerLossAt(std::exchange(machine_.after_install_, 0));
    }
  }

 private:
  // What a process does after its end is nothing to anybody.
  Checker* Of(GroupId group) const {
    if (machine_.dying_ || machine_.disk_.off()) return nullptr;
    return &machine_.common_.checkers[group - 1];
  }
  Machine& machine_;
};

Machine::Machine(Common& common, raft::NodeId id)
    : common_(common),
      id_(id),
      disk_(sim::Mix(common.seed, 10, id)),
      clock_(common.clock),
      loop_(common.loop, clock_),
      pool_(sim::Mix(common.seed, 11, id), loop_, {.threads = 2}),
      wal_pool_(sim::Mix(common.seed, 12, id), loop_, {}) {
  disk_.SetClock(&clock_);
  disk_.KeepTrace(false);
}

Machine::~Machine() {
  disk_.PowerOff();
  Drop();
}

absl::Status Machine::Open() {
  random_ = std::make_unique<sim::Random>(sim::Mix(common_.seed, 1000 + id_, life_));
  metrics_ = std::make_unique<base::Metrics>();
  NodeOptions options = OptionsOf(common_, id_);
  for (int group = 0; group < common_.groups; ++group) {
    const std::string path = group == 0 ? "/data" : absl::StrCat("/data/group", group + 1);
    SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<base::Dir> dir, disk_.MakeRoot(path));
    dirs_.push_back(std::move(dir));
    homes_.push_back(FlushingHome(MemoryHome(dirs_.back().get()),
                                  sim::Mix(common_.seed, 2000 + id_, life_), /*percent=*/3));
    GroupOptions& added = options.groups.emplace_back();
    added.id = static_cast<GroupId>(group + 1);
    if (std::count(common_.members.voters.begin(), common_.members.voters.end(), id_) > 0) {
      added.members = common_.members;
    }
    // Who has begun believes no other list, one that would make it a group of its own included.
    if (begun_ && sim::Mix(common_.seed, 3000 + id_, life_) % 4 == 0) {
      added.members = {};
      added.members.voters = {id_};
    }
    if (group > 0) added.place.emplace(GroupPlace{dirs_.back().get(), homes_.back().get()});
  }
  transport_ = common_.network.Attach(id_, loop_, [this] { return !dying_ && !disk_.off(); });
  observer_ = std::make_unique<Observer>(*this);
  const NodeWorld world = {loop_,     clock_,         pool_,           wal_pool_,
                           *random_,  *dirs_.front(), *homes_.front(), *transport_,
                           *metrics_, observer_.get()};
  SLIPWAY_ASSIGN_OR_RETURN(node_, Node::Open(world, std::move(options)));
  node_->OnFatal([this](const absl::Status& status) {
    common_.trace.Say([&] { return absl::StrCat("node ", id_, " ends: ", status.ToString()); });
    fatal_ = true;
  });
  return absl::OkStatus();
}

void Machine::Start() {
  SLIPWAY_CHECK(node_ == nullptr);
  if (fenced_) return;
  ++life_;
  disk_faulted_ = disk_fault_;
  common_.trace.AddAll(id_, life_);
  const absl::Status opened = Open();
  common_.trace.Say([&] { return absl::StrCat("node ", id_, " starts: ", opened.ToString()); });
  if (opened.ok() && !disk_.off()) {
    begun_ = true;
    CheckRecovered();
    return;
  }
  OnFailedStart(opened);
}

void Machine::OnFailedStart(const absl::Status& status) {
  ++failed_starts_;
  const bool power = disk_.off();
  if (!power && !disk_faulted_ && damaged_ && absl::IsDataLoss(status)) fenced_ = true;
  if (!power && !disk_faulted_ && !damaged_) {
    common_.checkers.front().Violate(
        absl::StrCat("node ", id_, " does not start: ", status.ToString()));
  }
  Kill(LossOfEnd());
}

void Machine::CheckRecovered() {
  for (int group = 1; group <= common_.groups; ++group) {
    const absl::StatusOr<GroupStatus> status = node_->GetStatus(static_cast<GroupId>(group));
    SLIPWAY_CHECK(status.ok());
    common_.checkers[static_cast<size_t>(group - 1)].OnRestart(id_,
                                                               {.term = status->raft.term,
                                                                .vote = status->raft.vote,
                                                                .last = status->raft.last,
                                                                .applied = status->kv.applied});
  }
}

// A process that ends by itself leaves the machine alone. But after an error of the disk the
// machine reboots: a failed sync of a directory leaves names that are seen and not durable, which
// no later process can know; Linux makes such a file system read-only.
sim::Loss Machine::LossOfEnd() const {
  if (disk_.off()) return loss_;
  return disk_faulted_ ? sim::Loss::kSeeded : sim::Loss::kKeepAll;
}

// Nothing of the process is left, nor does anything of it reach the disk.
void Machine::Drop() {
  CountLife(earlier_lives_);
  dying_ = true;
  node_ = nullptr;
  pool_.Forget();
  wal_pool_.Forget();
  loop_.Forget();
  transport_ = nullptr;
  observer_ = nullptr;
  homes_.clear();
  dirs_.clear();
  metrics_ = nullptr;
  dying_ = false;
  fatal_ = false;
}

void Machine::Kill(sim::Loss loss) {
  common_.trace.AddAll(id_, loss);
  common_.trace.Say(
      [&] { return absl::StrCat("node ", id_, " is killed, loss ", static_cast<int>(loss)); });
  disk_.PowerOff();
  Drop();
  after_install_ = 0;
  disk_.Reboot(loss, life_);
}

bool Machine::Reap() {
  if (node_ == nullptr) return false;
  if (disk_.off()) {
    Kill(loss_);
    return true;
  }
  if (!fatal_) return false;
  ++ended_itself_;
  if (!disk_faulted_ && !damaged_) {
    common_.checkers.front().Violate(
        absl::StrCat("node ", id_, " gave up though nothing was wrong with its disk"));
  }
  Kill(LossOfEnd());
  return true;
}

void Machine::CountLife(Coverage& coverage) const {
  for (GroupId group = 1; node_ != nullptr && group <= static_cast<GroupId>(common_.groups);
       ++group) {
    const absl::StatusOr<GroupStatus> status = node_->GetStatus(group);
    if (!status.ok()) continue;
    coverage[Mark::kCommandsRepeated] += status->kv.commands_repeated;
    coverage[Mark::kSessionsEvicted] += status->kv.sessions_evicted;
    if (status->log_start.index > 0) ++coverage[Mark::kLogsCut];
  }
}

Coverage Machine::GetCoverage() const {
  Coverage coverage = earlier_lives_;
  CountLife(coverage);
  const sim::Files::Counts disk = disk_.counts();
  coverage[Mark::kPowerLostInOperation] = disk.faults.power_lost;
  coverage[Mark::kWritesCutShort] = disk.faults.cut_short;
  coverage[Mark::kWritesLost] = disk.losses.writes_lost;
  coverage[Mark::kWritesTorn] = disk.losses.writes_torn;
  coverage[Mark::kNamesLost] = disk.losses.names_lost;
  coverage[Mark::kOperationsFailed] = disk.faults.failed;
  coverage[Mark::kSyncsFailed] = disk.faults.syncs_failed;
  coverage[Mark::kDiskFull] = disk.faults.full;
  coverage[Mark::kWritesMisdirected] = disk.faults.misdirected;
  coverage[Mark::kBitsFlipped] = bits_flipped_;
  coverage[Mark::kRestarts] = life_ > 0 ? life_ - 1 : 0;
  coverage[Mark::kStartsFailed] = failed_starts_;
  coverage[Mark::kEndedItself] = ended_itself_;
  coverage[Mark::kFenced] = fenced_ ? 1 : 0;
  coverage[Mark::kSnapshotsInstalled] = installs_;
  return coverage;
}

void Machine::ClearDiskFaults() {
  disk_.ClearFaults();
  disk_.SetCapacity(0);
  after_install_ = 0;
  disk_fault_ = false;
}

}  // namespace slipway::eraft::simulation
