#include "eraft/chaos/run.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "eraft/chaos/tools.h"

namespace slipway::eraft::chaos {
namespace {

constexpr absl::Duration kHealIn = absl::Seconds(120);
constexpr absl::Duration kReadIn = absl::Seconds(120);
// Of fewer seconds a share says nothing.
constexpr int64_t kSecondsToJudge = 60;
constexpr absl::Duration kAgreeIn = absl::Seconds(120);

}  // namespace

Run::Run(RunSettings settings, base::World& world, base::CancelToken cancel,
         std::function<void(const std::string&)> say)
    : settings_(std::move(settings)),
      world_(world),
      cancel_(std::move(cancel)),
      say_(std::move(say)),
      random_(settings_.seed),
      disks_(std::make_unique<Disks>(world, absl::StrCat(settings_.dir, "/images"))) {}

Run::~Run() {
  cluster_.reset();  // the load ends faster when nobody answers
  load_.reset();
  disks_.reset();
}

absl::Duration Run::Duration(absl::Duration fallback) const {
  return settings_.duration > absl::ZeroDuration() ? settings_.duration : fallback;
}

absl::Status Run::Make(int nodes, std::vector<std::string> arguments, bool shim) {
  ClusterOptions options;
  options.nodes = nodes;
  options.kvserver = absl::StrCat(settings_.programs, "/kvserver");
  options.dir = settings_.dir;
  options.arguments = std::move(arguments);
  if (shim) options.shim = settings_.shim;
  if (shim && options.shim.empty()) {
    return absl::FailedPreconditionError("the library that makes disks fail is not built");
  }
  SLIPWAY_ASSIGN_OR_RETURN(cluster_, Cluster::Make(std::move(options), world_, cancel_));
  Note("nodes", nodes);
  return absl::OkStatus();
}

absl::Status Run::StartLoad() {
  LoadOptions options;
  options.clients = settings_.clients;
  options.operations_per_second = settings_.rate;
  options.seed = settings_.seed;
  load_ = std::make_unique<Load>(options, cluster_->addresses(), world_);
  SLIPWAY_RETURN_IF_ERROR(load_->Start());
  // The faults begin when there is something to lose.
  return WaitFor("the first answers", kHealIn, world_.clock, cancel_,
                 [&] { return load_->answered() >= static_cast<uint64_t>(settings_.clients); });
}

absl::Status Run::Begin(int nodes, std::vector<std::string> arguments, bool shim) {
  SLIPWAY_RETURN_IF_ERROR(Make(nodes, std::move(arguments), shim));
  SLIPWAY_RETURN_IF_ERROR(StartCluster());
  return StartLoad();
}

absl::Status Run::Wait(absl::Duration time) { return chaos::Wait(time, cancel_); }

void Run::Count(const std::string& fault) { ++faults_[fault]; }

absl::Status Run::Broken(const std::string& what) { return absl::InternalError(what); }

absl::Status Run::Heal() {
  cluster_->proxy().HealAll();
  for (int i = 0; i < cluster_->size(); ++i) {
    if (cluster_->IsPaused(i)) SLIPWAY_RETURN_IF_ERROR(cluster_->Resume(i));
    SLIPWAY_RETURN_IF_ERROR(cluster_->CheckAlive(i));
  }
  return cluster_->AwaitLeader(kHealIn).status();
}

absl::Status Run::Finish(double available_min) {
  base::Json faults = base::Json::MakeObject();
  for (const auto& [fault, times] : faults_) faults.Set(fault, times);
  Note("faults", std::move(faults));
  SLIPWAY_RETURN_IF_ERROR(Heal());
  load_->Stop();
  SLIPWAY_RETURN_IF_ERROR(load_->ReadAll(kReadIn));
  SLIPWAY_RETURN_IF_ERROR(Judge(available_min));
  SLIPWAY_ASSIGN_OR_RETURN(const Agreement agreement,
                           CompareReplicas(*cluster_, world_, cancel_, kAgreeIn));
  Note("index", agreement.index);
  Note("equal_replicas", agreement.replicas);
  Note("digest", agreement.digest);
  return absl::OkStatus();
}

absl::Status Run::Judge(double available_min) {
  const History& history = load_->history();
  const absl::Duration end = now();
  const auto [available, seconds] = history.AvailableSeconds(load_->began(), end);
  const absl::Duration begin = load_->began();
  const auto ms = [&](double share) {
    return absl::ToDoubleMilliseconds(history.Latency(begin, end, share));
  };
  Note("seconds", seconds);
  Note("available_seconds", available);
  Note("longest_outage_ms", absl::ToInt64Milliseconds(history.LongestOutage(begin, end)));
  Note("answered", static_cast<uint64_t>(history.answered()));
  Note("unknown", static_cast<uint64_t>(history.open()));
  Note("refused", static_cast<uint64_t>(history.forgotten()));
  Note("p50_ms", ms(0.5));
  Note("p99_ms", ms(0.99));
  SLIPWAY_ASSIGN_OR_RETURN(const auto dir, world_.files.OpenRoot(settings_.dir));
  const History::Judgement judgement = history.Judge(*dir);
  Note("keys", judgement.keys);
  Note("operations", judgement.operations);
  Note("undecided_keys", judgement.undecided);
  Note("illegal_keys", static_cast<uint64_t>(judgement.illegal.size()));
  if (!judgement.illegal.empty()) {
    return Broken(absl::StrCat("not linearizable: keys ", absl::StrJoin(judgement.illegal, ", ")));
  }
  if (judgement.undecided * 1000 > judgement.keys) {
    return Broken(
        absl::StrCat(judgement.undecided, " of ", judgement.keys, " keys could not be judged"));
  }
  if (seconds >= kSecondsToJudge &&
      static_cast<double>(available) < available_min * static_cast<double>(seconds)) {
    return Broken(absl::StrCat("answers in only ", available, " of ", seconds, " seconds"));
  }
  return absl::OkStatus();
}

void Run::KeepDisks() {
  if (!InOwnMounts(world_) || cluster_ == nullptr) return;
  for (int i = 0; i < cluster_->size(); ++i) {
    cluster_->Kill(i).IgnoreError();
    RunTool(world_, {"cp", "-a", cluster_->DiskDir(i), absl::StrCat(cluster_->DiskDir(i), ".kept")})
        .IgnoreError();
  }
}

}  // namespace slipway::eraft::chaos
