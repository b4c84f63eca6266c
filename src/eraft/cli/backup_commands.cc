// eraftctl backup, backup verify, restore, unsafe-recover.
#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/bytes.h"
#include "base/cli/command.h"
#include "base/json/json.h"
#include "base/net/address_range.h"
#include "base/net/endpoint.h"
#include "base/status.h"
#include "base/units.h"
#include "eraft/backup/backup_writer.h"
#include "eraft/backup/restore.h"
#include "eraft/backup/unsafe_recover.h"
#include "eraft/cli/commands.h"
#include "eraft/node/cluster.h"

namespace slipway::eraft::cli {
namespace {

using base::Json;
using base::cli::Invocation;
using Context = std::shared_ptr<AdminContext>;

std::string Hex(const wal::ClusterId& cluster) { return base::ToHex(base::BytesView(cluster)); }

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%SZ", time, absl::UTCTimeZone());
}

Json ToJson(const BackupManifest& manifest) {
  const BackupHeader& header = manifest.header;
  return Json::MakeObject({{"cluster", Hex(header.cluster)},
                           {"node", header.node},
                           {"group", static_cast<uint64_t>(header.group)},
                           {"term", header.term},
                           {"index", header.index},
                           {"engine", EngineKindName(header.engine)},
                           {"created", TimeText(manifest.created)},
                           {"files", static_cast<uint64_t>(manifest.files.size())},
                           {"bytes", manifest.bytes()}});
}

// ---- backup ----

struct BackupArguments {
  std::string out, from, cluster;
  uint64_t rate = 0;
};

// Puts what the server sends into a directory.
class DirectorySink : public client::BackupSink {
 public:
  explicit DirectorySink(BackupWriter& writer) : writer_(writer) {}

  absl::Status OnInfo(const client::BackupInfo& info) override {
    BackupHeader header;
    if (info.cluster.size() != header.cluster.size()) {
      return absl::DataLossError("the server names no cluster");
    }
    std::copy(info.cluster.begin(), info.cluster.end(), header.cluster.begin());
    header.node = info.node;
    header.group = static_cast<GroupId>(info.group);
    header.term = info.term;
    header.index = info.index;
    SLIPWAY_ASSIGN_OR_RETURN(header.engine, ParseEngineKind(info.engine));
    for (const client::MemberInfo& member : info.members) {
      header.members[member.node] = member.address;
    }
    return writer_.Begin(header);
  }

  absl::Status OnPiece(client::BackupPiece piece) override {
    BackupPart part;
    if (piece.last && piece.sha256.size() != part.sha256.size()) {
      return absl::DataLossError(absl::StrCat("file ", piece.file, " came without its hash"));
    }
    std::copy(piece.sha256.begin(), piece.sha256.end(), part.sha256.begin());
    part.file = std::move(piece.file);
    part.offset_bytes = piece.offset;
    part.data = std::move(piece.data);
    part.crc32c = piece.crc32c;
    part.last = piece.last;
    part.unchanged = piece.unchanged;
    return writer_.Add(part);
  }

 private:
  BackupWriter& writer_;
};

// Whom to ask: a follower that is up to date, for the leader has enough to do; the leader last.
absl::StatusOr<std::string> SourceOf(const Context& context, client::AdminClient& admin) {
  const Groups groups = admin.Groups(context->each());
  SLIPWAY_RETURN_IF_ERROR(GroupOf(groups).status());
  const std::string* best = nullptr;
  std::pair<bool, uint64_t> best_rank;
  for (const auto& node : groups) {
    if (!node.answer.ok() || node.answer->empty()) continue;
    const client::GroupInfo& group = node.answer->front();
    if (group.installing || group.leader == 0) continue;
    const std::pair<bool, uint64_t> rank = {group.role == "Follower", group.applied};
    if (best != nullptr && rank <= best_rank) continue;
    best = &node.address;
    best_rank = rank;
  }
  if (best != nullptr) return *best;
  return absl::UnavailableError("backup: no node that answers knows a leader");
}

absl::Status Backup(const Context& context, const BackupArguments& arguments,
                    const std::string& version, Invocation& in) {
  AdminContext own = *context;
  if (!arguments.cluster.empty()) own.connection.addrs = arguments.cluster;
  if (!arguments.from.empty()) own.connection.addrs = arguments.from;
  SLIPWAY_ASSIGN_OR_RETURN(const auto admin, own.Connect(in));
  std::string address = arguments.from;
  if (address.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(address, SourceOf(context, *admin));
  }
  SLIPWAY_ASSIGN_OR_RETURN(const auto dir, in.world.files.MakeRoot(arguments.out));
  const std::string what = absl::StrCat("back up to ", arguments.out);
  auto writer = BackupWriter::Open(*dir);
  if (!writer.ok()) return base::Annotate(writer.status(), what);
  std::vector<std::string> known;
  for (const base::Sha256Digest& hash : (*writer)->known()) {
    known.emplace_back(hash.begin(), hash.end());
  }
  DirectorySink sink(**writer);
  const absl::Duration begun = in.world.clock.Monotonic();
  SLIPWAY_RETURN_IF_ERROR(
      base::Annotate(admin->Backup(address, arguments.rate, known, sink), what));
  auto report = (*writer)->Finish(in.world.clock.Wall(), version);
  if (!report.ok()) return base::Annotate(report.status(), what);
  in.result = ToJson(report->manifest);
  in.result.Set("from", address);
  in.result.Set("bytes_received", report->bytes_received);
  in.result.Set("bytes_reused", report->bytes_reused);
  in.result.Set("seconds", absl::ToDoubleSeconds(in.world.clock.Monotonic() - begun));
  if (!in.json) {
    in.streams.out << "backup of cluster " << Hex(report->manifest.header.cluster) << " at index "
                   << report->manifest.header.index << " in " << arguments.out << ": "
                   << report->manifest.files.size() << " files, "
                   << base::FormatSize(report->manifest.bytes()) << ", of which "
                   << base::FormatSize(report->bytes_received) << " came from " << address << "\n";
  }
  return absl::OkStatus();
}

absl::Status VerifyCommand(const std::string& directory, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto dir, in.world.files.OpenRoot(directory));
  const auto manifest = VerifyBackup(*dir);
  if (!manifest.ok()) return base::Annotate(manifest.status(), absl::StrCat("verify ", directory));
  in.result = ToJson(*manifest);
  if (!in.json) {
    in.streams.out << "whole: cluster " << Hex(manifest->header.cluster) << " at index "
                   << manifest->header.index << ", made " << TimeText(manifest->created) << ", "
                   << manifest->files.size() << " files, " << base::FormatSize(manifest->bytes())
                   << "\n";
  }
  return absl::OkStatus();
}

// ---- restore ----

struct RestoreArguments {
  std::string directory, out, cluster, id = "all", token;
};

absl::StatusOr<std::vector<std::string>> MembersOf(const std::string& text) {
  std::vector<std::string> members;
  std::set<std::string> seen;
  for (const absl::string_view part : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    const auto some = base::net::ExpandRange(absl::StripAsciiWhitespace(part), kMembersMax);
    if (!some.ok()) return base::Annotate(some.status(), "--cluster");
    for (const std::string& member : *some) {
      const auto endpoint = base::net::ParseEndpoint(member);
      if (!endpoint.ok() || endpoint->host.empty() || endpoint->port == 0) {
        return absl::InvalidArgumentError(
            absl::StrCat("--cluster: \"", member, "\" is no address; write host:port"));
      }
      members.push_back(endpoint->ToString());
      if (!seen.insert(members.back()).second) {
        return absl::InvalidArgumentError(absl::StrCat("--cluster: ", member, " is there twice"));
      }
    }
  }
  if (!members.empty()) return members;
  return absl::InvalidArgumentError("--cluster: name the members of the new cluster, host:port");
}

absl::StatusOr<RestoreOptions> OptionsOf(const RestoreArguments& arguments) {
  RestoreOptions options;
  options.out = arguments.out;
  options.token = arguments.token;
  SLIPWAY_ASSIGN_OR_RETURN(options.members, MembersOf(arguments.cluster));
  if (arguments.id != "all") {
    const auto id = base::cli::internal::ParseInt(arguments.id, 0,
                                                  static_cast<int64_t>(options.members.size()) - 1);
    if (!id.ok()) return base::Annotate(id.status(), absl::StrCat("--id ", arguments.id));
    options.only = static_cast<size_t>(*id);
  }
  if (!options.out.empty()) return options;
  return absl::InvalidArgumentError("--out: name the beginning of the data directories' names");
}

absl::Status RestoreCommand(const RestoreArguments& arguments, Invocation& in) {
  const auto options = OptionsOf(arguments);
  if (!options.ok()) {
    in.exit_code = base::kExitUsage;
    return options.status();
  }
  SLIPWAY_ASSIGN_OR_RETURN(const auto backup, in.world.files.OpenRoot(arguments.directory));
  const RestoreWorld world = {in.world.files, in.world.clock, in.world.random};
  const auto report = Restore(*backup, world, *options);
  if (!report.ok()) {
    return base::Annotate(report.status(), absl::StrCat("restore ", arguments.directory));
  }
  in.result = Json::MakeObject({{"cluster", Hex(report->cluster)},
                                {"index", report->backup.header.index},
                                {"keys", report->keys}});
  Json nodes = Json::MakeArray();
  for (const Restored& node : report->nodes) {
    nodes.Append(Json::MakeObject({{"node", node.node}, {"directory", node.directory}}));
    if (in.json) continue;
    in.streams.out << node.directory << " is node " << node.node << ": start it with kvserver -id "
                   << node.node - 1 << " -cluster " << absl::StrJoin(options->members, ",")
                   << " --data-dir " << node.directory << " --engine "
                   << EngineKindName(report->backup.header.engine)
                   << (options->token.empty() ? "" : " --cluster-token …") << "\n";
  }
  in.result.Set("nodes", std::move(nodes));
  if (!in.json && !in.quiet) {
    in.streams.out << "new cluster " << Hex(report->cluster) << " with " << report->keys
                   << " keys, as of " << TimeText(report->backup.created) << "\n";
  }
  return absl::OkStatus();
}

// ---- unsafe-recover ----

struct RecoverArguments {
  std::string directory, survivor;
  bool yes = false;
};

void Explain(const UnsafeRecovery& recovery, Invocation& in) {
  const UnsafeRecovery::Found& found = recovery.found();
  in.result = Json::MakeObject({{"node", found.identity.node},
                                {"cluster", Hex(found.identity.cluster)},
                                {"lost", absl::StrJoin(recovery.lost(), ",")},
                                {"term", found.term},
                                {"last_term", found.last_term},
                                {"last", found.last},
                                {"commit", found.commit}});
  if (in.json) return;
  std::ostream& out = in.streams.err;
  out << "DATA MAY BE LOST. Node " << found.identity.node << " of cluster "
      << Hex(found.identity.cluster) << " will be its only member, without node"
      << (recovery.lost().size() == 1 ? " " : "s ") << absl::StrJoin(recovery.lost(), ", ")
      << ".\n  Its log ends with entry " << found.last << " of term " << found.last_term
      << ". Whatever was acknowledged behind that is lost.\n";
  if (found.last > found.commit) {
    out << "  Entries " << found.commit + 1 << " to " << found.last
        << " may not have been acknowledged to anybody; they become valid.\n";
  }
  out << "  Of several survivors take the one with the latest term and then the longest log, and "
         "wipe the others.\n"
         "  The lost nodes must never be started again with their old data.\n";
}

absl::Status ConfirmLoss(const UnsafeRecovery& recovery, bool yes, Invocation& in) {
  if (yes) return absl::OkStatus();
  const std::string words = absl::StrCat("lose data of node ", recovery.found().identity.node);
  if (!in.streams.in_is_terminal || in.json) {
    return base::MakeError(absl::StatusCode::kFailedPrecondition,
                           "unsafe-recover: nobody has confirmed it; nothing was changed",
                           {"", "on a terminal it asks; a script gives --yes-i-accept-data-loss"});
  }
  if (in.Ask(absl::StrCat("Type \"", words, "\" to go on"), "") == words) return absl::OkStatus();
  return absl::CancelledError("unsafe-recover: not confirmed; nothing was changed");
}

absl::Status Recover(const RecoverArguments& arguments, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(
      const auto recovery,
      UnsafeRecovery::Open(arguments.directory, {in.world.files, in.world.clock, in.world.random}));
  const raft::NodeId node = recovery->found().identity.node;
  if (arguments.survivor != absl::StrCat(node)) {
    in.exit_code = base::kExitUsage;
    return absl::InvalidArgumentError(absl::StrCat("--survivor ", arguments.survivor, ": ",
                                                   arguments.directory, " is of node ", node,
                                                   "; nothing was changed"));
  }
  Explain(*recovery, in);
  SLIPWAY_RETURN_IF_ERROR(ConfirmLoss(*recovery, arguments.yes, in));
  SLIPWAY_RETURN_IF_ERROR(recovery->Run(in.world.environment.UserName()));
  if (!in.json) {
    in.streams.out << "node " << node << " is the only member now; start it, take a backup, and "
                   << "add members with empty directories (eraftctl member add)\n";
  }
  return absl::OkStatus();
}

void AddRecover(base::cli::Program& program) {
  auto recover = std::make_shared<RecoverArguments>();
  base::cli::Command& command =
      program.Add("unsafe-recover", "Make one node go on alone when the majority is gone for good");
  command.Description(
      "The last resort: what the lost nodes had and this one has not is lost, though it was "
      "acknowledged. The node must not run. The directory gets a record of it in "
      "unsafe-recover.log.");
  command.Example("eraftctl unsafe-recover /var/lib/eraft/kv_0 --survivor 1");
  command.Argument("DIR", &recover->directory, "Data directory of the node")
      .Required()
      .Completes(base::cli::ValueKind::kDirectory);
  command.Text("--survivor", "NODE", &recover->survivor, "Its id, to be sure that it is the one");
  command.Flag("--yes-i-accept-data-loss", &recover->yes, "Do not ask");
  command.Run([recover](Invocation& in) { return Recover(*recover, in); });
}

}  // namespace

void AddBackupCommands(base::cli::Program& program, const Context& context,
                       const std::string& version) {
  auto backup_arguments = std::make_shared<BackupArguments>();
  base::cli::Command& backup = program.Add("backup", "Back the group up, while it serves");
  backup.Description(
      "Everything that was acknowledged before is in it. What DIR holds of an older backup is not "
      "sent again, and that one stays whole until the new one is.");
  backup.Example("eraftctl backup -addrs kv-0:5001,kv-1:5001,kv-2:5001 --out /backup/kv");
  backup.Text("--out", "DIR", &backup_arguments->out, "Where to")
      .Completes(base::cli::ValueKind::kDirectory);
  backup.Text("--from", "ADDRESS", &backup_arguments->from,
              "Of which node (without: a follower's, if there is one)");
  backup.Text("--cluster", "LIST", &backup_arguments->cluster, "The same as --addrs");
  backup.Size("--rate", "SIZE", &backup_arguments->rate, "At most so much a second; 0: no limit");
  backup.Run([context, backup_arguments, version](Invocation& in) -> absl::Status {
    if (!backup_arguments->out.empty()) return Backup(context, *backup_arguments, version, in);
    in.exit_code = base::kExitUsage;
    return absl::InvalidArgumentError("--out: name the directory of the backup");
  });
  context->connection.Declare(backup);

  auto directory = std::make_shared<std::string>();
  base::cli::Command& verify = program.Add("backup verify", "Read a backup, every byte");
  verify.Argument("DIR", directory.get(), "The backup")
      .Required()
      .Completes(base::cli::ValueKind::kDirectory);
  verify.Run([directory](Invocation& in) { return VerifyCommand(*directory, in); });

  auto restore_arguments = std::make_shared<RestoreArguments>();
  base::cli::Command& restore =
      program.Add("restore", "Make the data directories of a new cluster out of a backup");
  restore.Example(
      "eraftctl restore /backup/kv --out /var/lib/eraft/kv -cluster kv-0:5001,kv-1:5001,kv-2:5001",
      "makes /var/lib/eraft/kv_0, kv_1 and kv_2");
  restore.Argument("DIR", &restore_arguments->directory, "The backup")
      .Required()
      .Completes(base::cli::ValueKind::kDirectory);
  restore.Text("--out", "PREFIX", &restore_arguments->out, "Directories are PREFIX_0, PREFIX_1, …");
  restore.Text("--cluster", "LIST", &restore_arguments->cluster,
               "Members of the new cluster in order, host:port");
  restore.Text("--id", "N", &restore_arguments->id,
               "Only that of one member, from 0 (without: all)");
  restore.Text("--cluster-token", "TEXT", &restore_arguments->token,
               "Names the new cluster (without: a name is made)");
  restore.Run(
      [restore_arguments](Invocation& in) { return RestoreCommand(*restore_arguments, in); });
  AddRecover(program);
}

}  // namespace slipway::eraft::cli
