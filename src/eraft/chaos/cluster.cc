#include "eraft/chaos/cluster.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json/json.h"
#include "eraft/chaos/tools.h"

namespace slipway::eraft::chaos {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr uint64_t kLogBytesMax = 64 << 20;

}  // namespace

base::Owned<Cluster> Cluster::Make(ClusterOptions options, base::World& world,
                                   base::CancelToken cancel) {
  std::unique_ptr<Cluster> cluster(new Cluster(std::move(options), world, std::move(cancel)));
  SLIPWAY_ASSIGN_OR_RETURN(cluster->proxy_, base::net::FaultProxy::Start());
  for (int i = 0; i < cluster->options_.nodes; ++i) SLIPWAY_RETURN_IF_ERROR(cluster->AddFront());
  cluster->first_nodes_ = cluster->nodes_.size();
  SLIPWAY_RETURN_IF_ERROR(cluster->OpenAdmin());
  return cluster;
}

Cluster::~Cluster() = default;  // each Process kills its group and reaps it

absl::Status Cluster::AddFront() {
  SLIPWAY_ASSIGN_OR_RETURN(const int number, proxy_->AddFront());
  nodes_.emplace_back();
  SLIPWAY_RETURN_IF_ERROR(world_.files.MakeRoot(DiskDir(number)).status());
  return absl::OkStatus();
}

absl::Status Cluster::OpenAdmin() {
  admin_.reset();
  SLIPWAY_ASSIGN_OR_RETURN(admin_,
                           client::AdminClient::Open({.addresses = addresses()}, world_, cancel_));
  return absl::OkStatus();
}

std::string Cluster::address(int node) const {
  return absl::StrCat("127.0.0.1:", proxy_->port(node));
}
std::vector<std::string> Cluster::addresses() const {
  std::vector<std::string> all;
  all.reserve(nodes_.size());
  for (int i = 0; i < size(); ++i) all.push_back(address(i));
  return all;
}
std::string Cluster::DiskDir(int node) const { return absl::StrCat(options_.dir, "/disk_", node); }
std::string Cluster::DataDir(int node) const { return absl::StrCat(DiskDir(node), "/data"); }
std::string Cluster::LogFile(int node) const {
  return absl::StrCat(options_.dir, "/node_", node, ".log");
}

int Cluster::pid(int node) const {
  const auto& process = nodes_[static_cast<size_t>(node)].process;
  return process == nullptr ? 0 : process->pid();
}

void Cluster::SetEnvironment(int node, std::map<std::string, std::string> environment) {
  at(node).environment = std::move(environment);
}

absl::Status Cluster::SetDiskFault(int node, const std::string& fault) {
  return WriteSmall(world_, absl::StrCat(options_.dir, "/fault_", node), fault);
}

std::vector<std::string> Cluster::CommandOf(int node) const {
  const Node& of = nodes_[static_cast<size_t>(node)];
  // The first members are told of each other, a later one of all before it.
  const size_t known = std::max(first_nodes_, static_cast<size_t>(node) + 1);
  std::vector<std::string> members = addresses();
  members.resize(known);
  // setpriv: the node ends with this program, however that ends. sh: its output goes to a file.
  std::vector<std::string> command;
  if (const std::string setpriv = FindTool(world_, "setpriv"); !setpriv.empty()) {
    command = {setpriv, "--pdeathsig", "KILL"};
  }
  const std::string script = absl::StrCat("log=$1; shift; exec \"$@\" >>\"$log\" 2>&1");
  for (const std::string& word : {std::string("/bin/sh"), std::string("-c"), script,
                                  std::string("sh"), LogFile(node), options_.kvserver}) {
    command.push_back(word);
  }
  for (const std::string& word :
       {std::string("-id"), absl::StrCat(node), std::string("-cluster"),
        absl::StrJoin(members, ","), std::string("--listen"), std::string("127.0.0.1:0"),
        std::string("--http-listen"), std::string("off"), std::string("--data-dir"), DataDir(node),
        std::string("--ports-file"), absl::StrCat(options_.dir, "/ports_", node, ".json")}) {
    command.push_back(word);
  }
  if (of.joins) {
    for (const std::string& word :
         {std::string("--join"), std::string("--cluster-token"), cluster_id_}) {
      command.push_back(word);
    }
  }
  command.insert(command.end(), options_.arguments.begin(), options_.arguments.end());
  return command;
}

std::map<std::string, std::string> Cluster::EnvironmentOf(int node) const {
  std::map<std::string, std::string> environment;
  for (const std::string& name : world_.environment.Names()) {
    if (absl::StartsWith(name, "ERAFT__") || name == "SLIPWAY_FAILPOINTS") continue;
    environment[name] = world_.environment.Get(name).value_or("");
  }
  for (const auto& [name, value] : nodes_[static_cast<size_t>(node)].environment) {
    environment[name] = value;
  }
  if (options_.shim.empty()) return environment;
  environment["LD_PRELOAD"] = options_.shim;
  environment["SLIPWAY_DISK_FAULT"] = absl::StrCat(options_.dir, "/fault_", node);
  environment["SLIPWAY_DISK_FAULT_UNDER"] = DataDir(node);
  // Else the sanitizer refuses to be loaded behind another library.
  environment["ASAN_OPTIONS"] =
      absl::StrCat(environment["ASAN_OPTIONS"], ":verify_asan_link_order=0");
  return environment;
}

absl::Status Cluster::Launch(int node) {
  proxy_->SetBackend(node, 0);
  SLIPWAY_ASSIGN_OR_RETURN(const auto root, world_.files.OpenRoot(options_.dir));
  SLIPWAY_RETURN_IF_ERROR(base::RemoveTree(*root, absl::StrCat("ports_", node, ".json")));
  base::SpawnOptions options;
  options.argv = CommandOf(node);
  options.env = EnvironmentOf(node);
  options.capture = false;
  SLIPWAY_ASSIGN_OR_RETURN(at(node).process, world_.spawner.Spawn(std::move(options)));
  at(node).paused = false;
  proxy_->SetProcess(node, at(node).process->pid());
  return absl::OkStatus();
}

absl::Status Cluster::AwaitServing(int node) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto root, world_.files.OpenRoot(options_.dir));
  const std::string ports = absl::StrCat("ports_", node, ".json");
  absl::StatusOr<std::string> text = absl::NotFoundError("");
  bool ended = false;
  SLIPWAY_RETURN_IF_ERROR(
      WaitFor(absl::StrCat("node ", node, " serves"), kPatience, world_.clock, cancel_, [&] {
        ended = !IsUp(node);
        text = base::ReadFile(*root, ports, 4096);
        return ended || text.ok();
      }));
  if (ended) {
    return absl::FailedPreconditionError(
        absl::StrCat("node ", node, " ended instead of serving: ", EndOf(node)));
  }
  SLIPWAY_ASSIGN_OR_RETURN(const base::Json json, base::ParseJson(*text));
  const base::Json* const port = json.Find("grpc");
  if (port == nullptr) return absl::InternalError("no port in " + *text);
  proxy_->SetBackend(node, static_cast<uint16_t>(port->AsInt().value_or(0)));
  return absl::OkStatus();
}

absl::Status Cluster::StartNode(int node) {
  SLIPWAY_RETURN_IF_ERROR(Launch(node));
  return AwaitServing(node);
}

absl::Status Cluster::StartAll() {
  for (int i = 0; i < size(); ++i) SLIPWAY_RETURN_IF_ERROR(Launch(i));
  for (int i = 0; i < size(); ++i) SLIPWAY_RETURN_IF_ERROR(AwaitServing(i));
  return AwaitLeader().status();
}

absl::Status Cluster::Kill(int node) {
  if (at(node).process == nullptr) return absl::OkStatus();
  if (!IsUp(node)) return EndedByItself(node);
  const absl::Status killed = at(node).process->Kill(SIGKILL);
  if (!killed.ok() && !absl::IsNotFound(killed)) return killed;
  return AwaitExit(node, kPatience).status();
}
absl::Status Cluster::Pause(int node) {
  SLIPWAY_RETURN_IF_ERROR(at(node).process->Kill(SIGSTOP));
  at(node).paused = true;
  const int process = pid(node);
  bool ended = false;
  SLIPWAY_RETURN_IF_ERROR(
      WaitFor(absl::StrCat("node ", node, " stands still"), kPatience, world_.clock, cancel_, [&] {
        ended = !IsUp(node);
        return ended || StandsStill(process);
      }));
  return ended ? EndedByItself(node) : absl::OkStatus();
}

absl::Status Cluster::EndedByItself(int node) {
  SLIPWAY_ASSIGN_OR_RETURN(const base::ExitStatus status, AwaitExit(node, kPatience));
  return absl::InternalError(absl::StrCat(
      "node ", node, " ended by itself, with ", status.signal != 0 ? "signal " : "exit code ",
      status.signal != 0 ? status.signal : status.code, ": ", EndOf(node)));
}

// The signal stops each thread when it is back from the call that it is in.
bool Cluster::StandsStill(int pid) {
  const auto tasks = world_.files.OpenRoot(absl::StrCat("/proc/", pid, "/task"));
  if (!tasks.ok()) return true;  // it has ended
  const auto cursor = (*tasks)->List();
  if (!cursor.ok()) return true;
  while (true) {
    const auto entry = (*cursor)->Next();
    if (!entry.ok() || !entry->has_value()) return true;
    const auto stat = base::ReadFile(**tasks, absl::StrCat((*entry)->name, "/stat"), 4096);
    if (stat.ok() && !absl::StrContains(*stat, ") T ")) return false;
  }
}
absl::Status Cluster::Resume(int node) {
  SLIPWAY_RETURN_IF_ERROR(at(node).process->Kill(SIGCONT));
  at(node).paused = false;
  return absl::OkStatus();
}

absl::StatusOr<base::ExitStatus> Cluster::AwaitExit(int node, absl::Duration timeout) {
  if (at(node).process == nullptr) return absl::FailedPreconditionError("the node is not up");
  SLIPWAY_ASSIGN_OR_RETURN(const base::ExitStatus status, at(node).process->Wait(timeout));
  at(node).process.reset();
  at(node).paused = false;
  proxy_->SetProcess(node, 0);
  proxy_->SetBackend(node, 0);
  return status;
}

absl::Status Cluster::CheckAlive(int node) {
  const bool fine = at(node).process == nullptr || IsUp(node);
  return fine ? absl::OkStatus() : EndedByItself(node);
}

bool Cluster::IsUp(int node) {
  if (at(node).process == nullptr) return false;
  return !at(node).process->Wait(absl::ZeroDuration()).ok();
}

std::string Cluster::EndOf(int node) {
  const auto root = world_.files.OpenRoot(options_.dir);
  if (!root.ok()) return "";
  const auto log = base::ReadFile(**root, absl::StrCat("node_", node, ".log"), kLogBytesMax);
  if (!log.ok()) return "";
  constexpr size_t kShown = 600;
  return log->size() > kShown ? log->substr(log->size() - kShown) : *log;
}

absl::Status Cluster::LearnClusterId() {
  if (!cluster_id_.empty()) return absl::OkStatus();
  for (const auto& from : admin_->Infos(absl::Seconds(5))) {
    if (from.answer.ok()) cluster_id_ = from.answer->cluster;
  }
  return cluster_id_.empty() ? absl::UnavailableError("nobody tells the cluster's id")
                             : absl::OkStatus();
}

absl::Status Cluster::Join(int node) {
  SLIPWAY_RETURN_IF_ERROR(LearnClusterId());
  at(node).joins = true;
  return absl::OkStatus();
}

absl::StatusOr<int> Cluster::AddNode() {
  SLIPWAY_RETURN_IF_ERROR(LearnClusterId());
  SLIPWAY_RETURN_IF_ERROR(AddFront());
  SLIPWAY_RETURN_IF_ERROR(OpenAdmin());
  nodes_.back().joins = true;
  return size() - 1;
}

std::vector<std::optional<client::GroupInfo>> Cluster::Groups(absl::Duration each) {
  std::vector<std::optional<client::GroupInfo>> groups(nodes_.size());
  const auto answers = admin_->Groups(each);
  for (size_t i = 0; i < answers.size() && i < groups.size(); ++i) {
    if (answers[i].answer.ok() && !answers[i].answer->empty())
      groups[i] = answers[i].answer->front();
  }
  return groups;
}

std::optional<int> Cluster::Leader() {
  const auto groups = Groups();
  std::optional<int> leader;
  for (size_t i = 0; i < groups.size(); ++i) {
    if (!groups[i].has_value() || groups[i]->role != "Leader") continue;
    if (leader.has_value() && groups[static_cast<size_t>(*leader)]->term > groups[i]->term)
      continue;
    leader = static_cast<int>(i);
  }
  if (!leader.has_value()) return std::nullopt;
  const client::GroupInfo& of = *groups[static_cast<size_t>(*leader)];
  size_t voters = 0;
  size_t with_it = 0;
  for (const client::MemberInfo& member : of.members) {
    if (member.role == client::MemberRole::kLearner) continue;
    ++voters;
    const size_t at = static_cast<size_t>(member.node) - 1;
    if (at < groups.size() && groups[at].has_value() && groups[at]->term == of.term) ++with_it;
  }
  return with_it * 2 > voters ? leader : std::nullopt;
}

absl::StatusOr<int> Cluster::AwaitLeader(absl::Duration timeout) {
  std::optional<int> leader;
  SLIPWAY_RETURN_IF_ERROR(WaitFor("a leader", timeout, world_.clock, cancel_, [&] {
    leader = Leader();
    return leader.has_value();
  }));
  return *leader;
}

uint64_t Cluster::Term() {
  uint64_t term = 0;
  for (const auto& group : Groups()) {
    if (group.has_value()) term = std::max(term, group->term);
  }
  return term;
}

}  // namespace slipway::eraft::chaos
