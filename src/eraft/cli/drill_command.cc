// eraftctl drill: restores a backup into a cluster that lives for a moment on this machine, and
// measures how long that takes (E194).
#include <algorithm>
#include <csignal>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/bytes.h"
#include "base/cli/command.h"
#include "base/config/secret.h"
#include "base/digest/sha256.h"
#include "base/json/json.h"
#include "base/net/endpoint.h"
#include "base/net/speaks.h"
#include "base/status.h"
#include "base/units.h"
#include "eraft/backup/restore.h"
#include "eraft/cli/commands.h"
#include "eraft/node/cluster.h"

namespace slipway::eraft::cli {
namespace {

using base::Json;
using base::cli::Invocation;
using Context = std::shared_ptr<AdminContext>;

constexpr int64_t kNodesMax = 7;
constexpr int kExitPortTaken = 3;
constexpr int kPortsFrom = 20'000, kPortsTo = 30'000;  // below those that systems give out
constexpr int kAttempts = 5;
constexpr char kFolderPrefix[] = "eraft-drill-", kNewSuffix[] = ".new";
constexpr char kOwnerName[] = "OWNER";  // locked by the eraftctl that made the folder
constexpr char kConfigName[] = "kvserver.yaml", kTokenName[] = "token", kTokensName[] = "tokens";
constexpr size_t kTokenBytes = 32;
constexpr absl::Duration kPortLook = absl::Milliseconds(100), kLookAgain = absl::Milliseconds(50);
constexpr absl::Duration kHealthMax = absl::Seconds(1), kStopMax = absl::Seconds(20);

struct DrillArguments {
  std::string backup, program, work;
  int64_t nodes = 3;
  absl::Duration limit = absl::Minutes(5);
};

// Directories, processes and addresses of one attempt; all of it goes with this.
class Drill {
 public:
  Drill(const DrillArguments& arguments, const AdminContext& context, Invocation& in)
      : arguments_(arguments), context_(context), in_(in) {}
  ~Drill() {
    processes_.clear();  // kills whatever still runs
    owner_.reset();
    if (dir_ != nullptr) base::RemoveTree(*dir_, name_).IgnoreError();
  }

  absl::Status Run();

 private:
  void RemoveStale();
  absl::Status MakeFolder();
  absl::Status WriteConfig(base::Dir& folder);
  absl::StatusOr<std::string> FindProgram() const;
  std::string PickAddress(const std::vector<std::string>& taken);
  absl::Status Restore(base::Dir& backup);
  absl::Status Start(const std::string& program);
  absl::Status AwaitServing();
  absl::Status CheckKeys(client::AdminClient& admin);
  absl::Status Stop();
  absl::Status Compare();
  RestoreWorld world() const { return {in_.world.files, in_.world.clock, in_.world.random}; }

  const DrillArguments& arguments_;
  const AdminContext& context_;
  Invocation& in_;
  std::unique_ptr<base::Dir> dir_;
  std::unique_ptr<base::File> owner_;
  std::string name_, path_;
  std::string token_;  // without it nobody on this machine reads the data
  std::vector<std::string> members_;
  RestoreReport report_;
  std::vector<std::unique_ptr<base::Process>> processes_;
  absl::Duration restored_, serving_;
};

// Whether no server runs on a folder that an ended eraftctl left. Aborted names the process.
absl::Status CheckUnused(base::Dir& folder) {
  for (int64_t node = 0; node < kNodesMax; ++node) {
    base::OpenOptions options;
    options.write = true;
    const auto lock = folder.Open(absl::StrCat("kv_", node, "/", kLockName), options);
    if (absl::IsNotFound(lock.status())) continue;
    SLIPWAY_RETURN_IF_ERROR(lock.status());
    SLIPWAY_RETURN_IF_ERROR((*lock)->TryLock());
  }
  return absl::OkStatus();
}

// Removes what drills of this user left that were killed: their folders hold data.
void Drill::RemoveStale() {
  std::vector<std::string> names;
  const auto entries = dir_->List();
  while (entries.ok()) {
    const auto entry = (*entries)->Next();
    if (!entry.ok() || !entry->has_value()) break;
    const std::string& name = (*entry)->name;
    if (absl::StartsWith(name, kFolderPrefix) && !absl::EndsWith(name, kNewSuffix)) {
      names.push_back(name);
    }
  }
  for (const std::string& name : names) {
    const auto meta = dir_->Stat(name);
    if (!meta.ok() || meta->kind != base::FileKind::kDirectory ||
        meta->uid != in_.world.environment.UserId()) {
      continue;
    }
    const auto folder = dir_->OpenDir(name);
    if (!folder.ok()) continue;
    base::OpenOptions options;
    options.write = true;
    const auto owner = (*folder)->Open(kOwnerName, options);
    if (!owner.ok() || !(*owner)->TryLock().ok()) continue;  // another's, or its drill runs
    absl::Status removed = CheckUnused(**folder);
    if (removed.ok()) removed = base::RemoveTree(*dir_, name);
    if (!removed.ok()) {
      in_.Warn("", absl::StrCat("a drill that was killed left ", name, ", which stays: ",
                                removed.message(), "; end what uses it, and drill again"));
    }
  }
}

absl::Status Drill::MakeFolder() {
  const std::string folder = arguments_.work.empty()
                                 ? in_.world.environment.Get("TMPDIR").value_or("/tmp")
                                 : arguments_.work;
  SLIPWAY_ASSIGN_OR_RETURN(dir_, in_.world.files.OpenRoot(folder));
  SLIPWAY_ASSIGN_OR_RETURN(const std::string path, in_.world.files.Canonical(folder));
  RemoveStale();
  token_ = in_.world.random.Hex(kTokenBytes);
  // Under its name only when it is locked: another drill would take it for one that was left.
  const std::string name = absl::StrCat(kFolderPrefix, in_.world.random.Hex(8));
  name_ = absl::StrCat(name, kNewSuffix);
  SLIPWAY_RETURN_IF_ERROR(dir_->MakeDir(name_, 0700));
  SLIPWAY_ASSIGN_OR_RETURN(const auto made, dir_->OpenDir(name_));
  base::OpenOptions options;
  options.write = true;
  options.create = true;
  options.mode = 0600;
  SLIPWAY_ASSIGN_OR_RETURN(owner_, made->Open(kOwnerName, options));
  SLIPWAY_RETURN_IF_ERROR(owner_->TryLock());
  SLIPWAY_RETURN_IF_ERROR(dir_->Rename(name_, *dir_, name, base::RenameMode::kNoReplace));
  name_ = name;
  path_ = base::JoinPath(path, name_);
  return absl::OkStatus();
}

absl::Status Drill::WriteConfig(base::Dir& folder) {
  const std::string hash = base::ToHex(base::Sha256Of(base::AsBytes(absl::string_view(token_))));
  SLIPWAY_RETURN_IF_ERROR(base::WriteFileDurably(folder, kTokenName, token_ + "\n", 0600));
  SLIPWAY_RETURN_IF_ERROR(
      base::WriteFileDurably(folder, kTokensName, absl::StrCat(hash, " drill admin,peer\n"), 0600));
  // The servers run in the folder.
  return base::WriteFileDurably(folder, kConfigName,
                                absl::StrCat("log_level: info\nauth_token_file: ", kTokensName,
                                             "\npeer_token_file: ", kTokenName, "\n"),
                                0600);
}

absl::StatusOr<std::string> Drill::FindProgram() const {
  if (!arguments_.program.empty()) return in_.world.files.Canonical(arguments_.program);
  SLIPWAY_ASSIGN_OR_RETURN(const std::string self, in_.world.files.Canonical("/proc/self/exe"));
  const std::string folder_path(base::SplitPath(self).first);
  SLIPWAY_ASSIGN_OR_RETURN(const auto folder, in_.world.files.OpenRoot(folder_path));
  if (folder->Stat("kvserver").ok()) return base::JoinPath(folder_path, "kvserver");
  return base::MakeError(absl::StatusCode::kNotFound,
                         absl::StrCat("drill: there is no kvserver beside ", self),
                         {"", "name it by --kvserver FILE"});
}

// One where nobody listens now; who takes it meanwhile costs another attempt.
std::string Drill::PickAddress(const std::vector<std::string>& taken) {
  for (int i = 0; i < 100; ++i) {
    base::net::Endpoint endpoint;
    endpoint.host = "127.0.0.1";
    endpoint.port =
        static_cast<uint16_t>(kPortsFrom + in_.world.random.Below(kPortsTo - kPortsFrom));
    const std::string address = endpoint.ToString();
    if (std::find(taken.begin(), taken.end(), address) != taken.end()) continue;
    if (base::net::FindOutWhatSpeaks(endpoint, kPortLook) == base::net::Speaks::kNothing) {
      return address;
    }
  }
  return "127.0.0.1:0";  // nobody can use it, which the servers say
}

absl::Status Drill::Restore(base::Dir& backup) {
  members_.clear();
  for (int64_t i = 0; i < arguments_.nodes; ++i) members_.push_back(PickAddress(members_));
  RestoreOptions options;
  options.out = base::JoinPath(path_, "kv");
  options.members = members_;
  SLIPWAY_ASSIGN_OR_RETURN(report_, eraft::Restore(backup, world(), options));
  return absl::OkStatus();
}

// Nothing of this machine's own servers is to be in force: neither their file nor their variables.
absl::Status Drill::Start(const std::string& program) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto folder, dir_->OpenDir(name_));
  SLIPWAY_RETURN_IF_ERROR(WriteConfig(*folder));
  std::map<std::string, std::string> environment;
  for (const std::string& name : in_.world.environment.Names()) {
    if (name.rfind("ERAFT", 0) == 0 || name == "NOTIFY_SOCKET") continue;
    environment[name] = in_.world.environment.Get(name).value_or("");
  }
  for (size_t i = 0; i < members_.size(); ++i) {
    base::SpawnOptions options;
    options.argv = {program,
                    "-id",
                    absl::StrCat(i),
                    "-cluster",
                    absl::StrJoin(members_, ","),
                    "--data-dir",
                    report_.nodes[i].directory,
                    "--engine",
                    std::string(EngineKindName(report_.backup.header.engine)),
                    "--http-listen",
                    "off",
                    "--config",
                    base::JoinPath(path_, kConfigName),
                    "--log-file",
                    base::JoinPath(path_, absl::StrCat("log_", i))};
    options.cwd = path_;
    options.env = environment;
    SLIPWAY_ASSIGN_OR_RETURN(auto process, in_.world.spawner.Spawn(std::move(options)));
    processes_.push_back(std::move(process));
  }
  return absl::OkStatus();
}

// Aborted: a port was taken meanwhile.
absl::Status Drill::AwaitServing() {
  client::ConnectOptions options;
  options.addresses = members_;
  options.token = base::Secret(token_);
  SLIPWAY_ASSIGN_OR_RETURN(const auto admin, context_.open(options, in_.world, in_.cancel));
  const absl::Duration until = in_.world.clock.Monotonic() + arguments_.limit;
  while (true) {
    const auto nodes = admin->Health(kHealthMax);
    const bool all =
        std::all_of(nodes.begin(), nodes.end(), [](const auto& node) { return node.answer.ok(); });
    if (all) return CheckKeys(*admin);
    for (const auto& process : processes_) {
      const auto ended = process->Wait(absl::ZeroDuration());
      if (!ended.ok()) continue;
      if (ended->code == kExitPortTaken) return absl::AbortedError(ended->err);
      return absl::InternalError(
          absl::StrCat("drill: kvserver ended with ", ended->code, ": ", ended->err));
    }
    if (in_.world.clock.Monotonic() > until) {
      return absl::DeadlineExceededError("drill: the restored cluster does not serve in time");
    }
    SLIPWAY_RETURN_IF_ERROR(context_.pause(kLookAgain, in_.cancel));
  }
}

// What the servers themselves say.
absl::Status Drill::CheckKeys(client::AdminClient& admin) {
  for (const auto& node : admin.Groups(kHealthMax)) {
    SLIPWAY_RETURN_IF_ERROR(node.answer.status());
    if (!node.answer->empty() && node.answer->front().keys == report_.keys) continue;
    return absl::DataLossError(absl::StrCat("drill: ", node.address, " does not have the ",
                                            report_.keys, " keys of the backup"));
  }
  return absl::OkStatus();
}

absl::Status Drill::Stop() {
  for (const auto& process : processes_) process->Kill(SIGTERM).IgnoreError();
  for (const auto& process : processes_) {
    SLIPWAY_ASSIGN_OR_RETURN(const base::ExitStatus ended, process->Wait(kStopMax));
    if (ended.code != 0) {
      return absl::InternalError(absl::StrCat("drill: kvserver ended with ", ended.code));
    }
  }
  processes_.clear();
  return absl::OkStatus();
}

// After they have served: what lies on their disks, read anew.
absl::Status Drill::Compare() {
  for (const Restored& node : report_.nodes) {
    SLIPWAY_ASSIGN_OR_RETURN(const DataSummary data,
                             SummarizeData(world(), node.directory, report_.backup.header.engine));
    if (data.digest == report_.digest && data.keys == report_.keys) continue;
    return absl::DataLossError(
        absl::StrCat("drill: the data of node ", node.node, " is not that of the backup"));
  }
  return absl::OkStatus();
}

absl::Status Drill::Run() {
  SLIPWAY_ASSIGN_OR_RETURN(const auto backup, in_.world.files.OpenRoot(arguments_.backup));
  SLIPWAY_ASSIGN_OR_RETURN(const std::string program, FindProgram());
  SLIPWAY_RETURN_IF_ERROR(MakeFolder());
  absl::Status status = absl::AbortedError("");
  absl::Duration begun;
  for (int i = 0; i < kAttempts && absl::IsAborted(status); ++i) {
    processes_.clear();
    SLIPWAY_ASSIGN_OR_RETURN(const auto folder, dir_->OpenDir(name_));
    for (int64_t node = 0; node < arguments_.nodes; ++node) {
      SLIPWAY_RETURN_IF_ERROR(base::RemoveTree(*folder, absl::StrCat("kv_", node)));
    }
    begun = in_.world.clock.Monotonic();
    SLIPWAY_RETURN_IF_ERROR(Restore(*backup));
    restored_ = in_.world.clock.Monotonic() - begun;
    SLIPWAY_RETURN_IF_ERROR(Start(program));
    status = AwaitServing();
  }
  SLIPWAY_RETURN_IF_ERROR(status);
  serving_ = in_.world.clock.Monotonic() - begun;
  SLIPWAY_RETURN_IF_ERROR(Stop());
  SLIPWAY_RETURN_IF_ERROR(Compare());
  const BackupHeader& header = report_.backup.header;
  in_.result = Json::MakeObject({{"index", header.index},
                                 {"keys", report_.keys},
                                 {"bytes", report_.backup.bytes()},
                                 {"nodes", arguments_.nodes},
                                 {"restore_seconds", absl::ToDoubleSeconds(restored_)},
                                 {"recovery_seconds", absl::ToDoubleSeconds(serving_)}});
  if (!in_.json) {
    const auto text = [](absl::Duration time) {
      return base::FormatGoDuration(absl::Trunc(time, absl::Milliseconds(1)));
    };
    in_.streams.out << "restored " << report_.keys << " keys, "
                    << base::FormatSize(report_.backup.bytes()) << ", to " << arguments_.nodes
                    << " nodes: all serve after " << text(serving_) << " (" << text(restored_)
                    << " of it to write the data); their data is that of the backup\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddDrillCommand(base::cli::Program& program, const Context& context) {
  auto arguments = std::make_shared<DrillArguments>();
  base::cli::Command& drill =
      program.Add("drill", "Try whether a backup can be restored, and how long it takes");
  drill.Description(
      "Restores it into a cluster on this machine that ends with the command, waits until all "
      "nodes "
      "serve, stops them, and compares what they hold with the backup.");
  drill.Example("eraftctl drill --backup /backup/kv");
  drill.Text("--backup", "DIR", &arguments->backup, "The backup")
      .Completes(base::cli::ValueKind::kDirectory);
  drill.Int("--nodes", "N", &arguments->nodes, 1, kNodesMax,
            "Members of the cluster; 3 if not given");
  drill
      .Text("--work", "DIR", &arguments->work, "Where there is room for it (without: TMPDIR, /tmp)")
      .Completes(base::cli::ValueKind::kDirectory);
  drill
      .Text("--kvserver", "FILE", &arguments->program, "The server (without: that beside eraftctl)")
      .Completes(base::cli::ValueKind::kFile);
  drill.Duration("--limit", "TIME", &arguments->limit, "Until all must serve; 5m if not given");
  drill.Run([context, arguments](Invocation& in) -> absl::Status {
    if (arguments->backup.empty()) {
      in.exit_code = base::kExitUsage;
      return absl::InvalidArgumentError("--backup: name the directory of the backup");
    }
    // The servers end with this command, whatever comes.
    Drill run(*arguments, *context, in);
    const absl::Status status = run.Run();
    if (!status.ok() && !absl::IsDataLoss(status)) in.exit_code = base::kExitFailure;
    return status;
  });
}

}  // namespace slipway::eraft::cli
