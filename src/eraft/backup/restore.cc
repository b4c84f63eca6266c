#include "eraft/backup/restore.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/bytes.h"
#include "base/digest/crc32c.h"
#include "base/mutant.h"
#include "base/status.h"
#include "eraft/backup/limits.h"
#include "eraft/backup/offline_log.h"
#include "eraft/node/group_store.h"
#include "eraft/store/command.h"
#include "eraft/store/install.h"
#include "eraft/store/kv_machine.h"
#include "eraft/store/leveldb_engine.h"
#include "eraft/store/memory_engine.h"
#include "eraft/store/rocksdb_engine.h"
#include "eraft/wal/node_files.h"
#include "eraft/wal/two_copy.h"
#include "raft/raft.h"

namespace slipway::eraft {
namespace {

constexpr uint32_t kDirMode = 0700;
constexpr uint64_t kNamesBytesMax = 1 << 20;

// One directory in the making, under another name.
struct Target {
  std::string name;  // within the parent
  std::string partial;
  raft::NodeId node = raft::kNoNode;
};

absl::Status CopyChecked(base::Dir& backup, const SnapshotFile& file, base::Dir& to) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto source, backup.Open(BackupFilePath(file), {}));
  base::OpenOptions options;
  options.write = true;
  options.create = true;
  options.exclusive = true;
  options.mode = 0600;
  SLIPWAY_ASSIGN_OR_RETURN(const auto target, to.Open(file.name, options));
  SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, source->Stat());
  return target->CopyFrom(*source, 0, 0, meta.size_bytes);
}

// The backup becomes a snapshot of the new directory, and that its state: by the way that a
// snapshot of another node takes, with all its checks (E162, E163).
absl::Status Install(base::Dir& backup, const BackupManifest& manifest, base::Dir& root,
                     EngineHome& home) {
  const BackupHeader& header = manifest.header;
  const SnapshotName name = {header.group, header.term, header.index};
  const std::string path = SnapshotPath(name);
  const std::string files_path = base::JoinPath(path, kSnapshotFilesDir);
  SLIPWAY_RETURN_IF_ERROR(base::MakeDirs(root, files_path, kDirMode));
  SLIPWAY_ASSIGN_OR_RETURN(const auto top, root.OpenDir(path));
  SLIPWAY_ASSIGN_OR_RETURN(const auto files, root.OpenDir(files_path));
  for (const SnapshotFile& file : manifest.files) {
    SLIPWAY_RETURN_IF_ERROR(CopyChecked(backup, file, file.name == kManifestName ? *top : *files));
  }
  SLIPWAY_ASSIGN_OR_RETURN(const InstallIntent intent, PrepareInstall(root, home, name));
  NoJournal journal;
  SLIPWAY_RETURN_IF_ERROR(CommitInstall(root, intent, journal));
  // It knows the old members only, and nobody is to install it.
  return RemoveSnapshot(root, name);
}

raft::Entry EntryOf(raft::EntryKind kind, base::Bytes payload) {
  raft::Entry entry;
  entry.kind = kind;
  entry.payload_crc = base::Crc32c(payload);
  entry.payload = raft::Slice(std::move(payload));
  return entry;
}

raft::Membership VotersOf(size_t count) {
  raft::Membership members;
  for (raft::NodeId id = 1; id <= count; ++id) members.voters.push_back(id);
  return members;
}

// What makes the state that of the new members: entries, as a leader would have proposed them. The
// time stays where it was, so that every member makes the same of them.
absl::StatusOr<std::vector<raft::Entry>> EntriesFor(const std::vector<std::string>& members,
                                                    KvMachine& machine) {
  const KvStatus status = machine.GetStatus();
  std::vector<raft::Entry> entries = {
      EntryOf(raft::EntryKind::kMembership, raft::EncodeMembership(VotersOf(members.size())))};
  Command command;
  command.shard = kSystemShard;
  command.time_ms = status.time_ms;
  SLIPWAY_ASSIGN_OR_RETURN(
      const ScanResult old,
      machine.Scan(kSystemShard, kMemberPrefix, kMemberEnd, 2 * kMembersMax, kNamesBytesMax));
  for (const auto& [key, value] : old.rows) {
    command.op = CommandOp::kDelete;
    command.key = key;
    entries.push_back(EntryOf(raft::EntryKind::kCommand, EncodeCommand(command)));
  }
  for (size_t i = 0; i < members.size(); ++i) {
    command.op = CommandOp::kPut;
    command.key = MemberKey(i + 1);
    command.value = members[i];
    entries.push_back(EntryOf(raft::EntryKind::kCommand, EncodeCommand(command)));
  }
  for (raft::Entry& entry : entries) {
    entry.term = status.applied_term + 1;
    entry.index = status.applied + 1 + static_cast<raft::Index>(&entry - entries.data());
  }
  return entries;
}

absl::StatusOr<raft::SnapshotMark> TakeOver(EngineHome& home, const BackupHeader& header,
                                            const std::vector<std::string>& members,
                                            RestoreReport& report) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine, home.Open(kEngineDir));
  raft::SnapshotMark mark;
  {
    SLIPWAY_ASSIGN_OR_RETURN(const auto machine,
                             KvMachine::Open(*engine, header.group, /*membership=*/""));
    SLIPWAY_ASSIGN_OR_RETURN(const std::vector<raft::Entry> entries, EntriesFor(members, *machine));
    SLIPWAY_RETURN_IF_ERROR(machine->Apply(entries).status());
    mark.index = entries.back().index;
    mark.term = entries.back().term;
    mark.membership = VotersOf(members.size());
    report.keys = machine->GetShard(kUserShard).keys;
    SLIPWAY_ASSIGN_OR_RETURN(const auto view, engine->NewView());
    SLIPWAY_ASSIGN_OR_RETURN(report.digest, DigestOfData(*view, header.group));
  }
  SLIPWAY_RETURN_IF_ERROR(engine->Flush());
  SLIPWAY_RETURN_IF_ERROR(engine->Close());
  return mark;
}

absl::Status BeginLog(base::Dir& root, const wal::ClusterId& cluster, GroupId group,
                      const raft::SnapshotMark& mark, base::Clock& clock) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto log,
                           OfflineLog::Open(root, cluster, kOfflineSegmentBytes, clock));
  wal::Batch batch;
  batch.hard_state =
      raft::HardState{.term = mark.term, .vote = raft::kNoNode, .commit = mark.index};
  batch.truncate_prefix = mark;
  SLIPWAY_RETURN_IF_ERROR(log->Append(group, std::move(batch)));
  return log->Close();
}

absl::Status Build(base::Dir& backup, const Target& target, base::Dir& parent,
                   const std::string& parent_path, const RestoreWorld& world,
                   const RestoreOptions& options, RestoreReport& report) {
  const BackupHeader& header = report.backup.header;
  SLIPWAY_RETURN_IF_ERROR(base::RemoveTree(parent, target.partial));
  SLIPWAY_RETURN_IF_ERROR(parent.MakeDir(target.partial, kDirMode));
  SLIPWAY_ASSIGN_OR_RETURN(const auto root, parent.OpenDir(target.partial));
  const auto home = world.home(header.engine, *root, base::JoinPath(parent_path, target.partial));
  SLIPWAY_RETURN_IF_ERROR(Install(backup, report.backup, *root, *home));
  SLIPWAY_ASSIGN_OR_RETURN(const raft::SnapshotMark mark,
                           TakeOver(*home, header, options.members, report));
  SLIPWAY_RETURN_IF_ERROR(BeginLog(*root, report.cluster, header.group, mark, world.clock));
  Addresses members;
  for (size_t i = 0; i < options.members.size(); ++i) members[i + 1] = options.members[i];
  SLIPWAY_RETURN_IF_ERROR(WriteMembers(*root, members));
  wal::Identity own;
  own.cluster = report.cluster;
  own.node = target.node;
  own.engine = std::string(EngineKindName(header.engine));
  while (own.incarnation == 0) own.incarnation = world.random.Next();
  own.created = absl::FromUnixSeconds(absl::ToUnixSeconds(world.clock.Wall()));
  SLIPWAY_RETURN_IF_ERROR(
      wal::TwoCopyFile::Create(*root, wal::kIdentityName, wal::EncodeIdentity(own)).status());
  return root->Sync();
}

// There is nothing at the target, but perhaps an empty directory.
absl::Status CheckFree(base::Dir& parent, const Target& target, const std::string& path) {
  const auto meta = parent.Stat(target.name);
  if (absl::IsNotFound(meta.status())) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(meta.status());
  bool empty = false;
  if (meta->kind == base::FileKind::kDirectory) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto dir, parent.OpenDir(target.name));
    SLIPWAY_ASSIGN_OR_RETURN(const auto cursor, dir->List());
    SLIPWAY_ASSIGN_OR_RETURN(const auto entry, cursor->Next());
    empty = !entry.has_value();
  }
  if (empty) return absl::OkStatus();
  return absl::AlreadyExistsError(
      absl::StrCat("restore to ", base::JoinPath(path, target.name),
                   ": it is there and not empty; nothing was changed; name another --out, or move "
                   "what is there away"));
}

absl::Status PutInPlace(base::Dir& parent, const Target& target) {
  const absl::Status removed = parent.Remove(target.name);
  if (!removed.ok() && !absl::IsNotFound(removed)) return removed;
  return parent.Rename(target.partial, parent, target.name, base::RenameMode::kNoReplace);
}

}  // namespace

std::unique_ptr<EngineHome> DefaultHome(EngineKind kind, base::Dir& dir, const std::string& path) {
  switch (kind) {
    case EngineKind::kRocksDb:
      return RocksDbHome(path, {});
    case EngineKind::kLevelDb:
      return LevelDbHome(path, dir, {});
    case EngineKind::kMemory:
      break;
  }
  return MemoryHome(&dir);
}

absl::StatusOr<wal::ClusterId> RestoredCluster(const BackupManifest& backup,
                                               const RestoreOptions& options) {
  const BackupHeader& header = backup.header;
  if (SLIPWAY_MUTANT("restore-keeps-cluster")) return header.cluster;
  const std::string derived =
      absl::StrCat("restored ", base::ToHex(base::BytesView(header.cluster)), " ", header.term, "-",
                   header.index, " ", absl::StrJoin(options.members, ","));
  const wal::ClusterId cluster = ClusterIdOf(options.token.empty() ? derived : options.token);
  if (cluster != header.cluster) return cluster;
  return absl::FailedPreconditionError(
      absl::StrCat("restore: --cluster-token names the cluster that the backup is of, ",
                   base::ToHex(base::BytesView(cluster)),
                   "; its nodes would take the new ones for their own; choose another token"));
}

absl::StatusOr<RestoreReport> Restore(base::Dir& backup, const RestoreWorld& world,
                                      const RestoreOptions& options) {
  const size_t count = options.members.size();
  if (count == 0 || count > kMembersMax || options.only.value_or(0) >= count) {
    return absl::InvalidArgumentError(
        absl::StrCat("restore: ", count, " members, and an id is below their number"));
  }
  const auto [parent_name, name] = base::SplitPath(options.out);
  if (name.empty() || name == "." || name == "..") {
    return absl::InvalidArgumentError("restore: --out is the beginning of the directories' names");
  }
  RestoreReport report;
  SLIPWAY_ASSIGN_OR_RETURN(report.backup, VerifyBackup(backup));
  SLIPWAY_ASSIGN_OR_RETURN(report.cluster, RestoredCluster(report.backup, options));
  const std::string given =
      parent_name.empty() ? (options.out.rfind('/', 0) == 0 ? "/" : ".") : std::string(parent_name);
  SLIPWAY_ASSIGN_OR_RETURN(const auto parent, world.files.MakeRoot(given));
  SLIPWAY_ASSIGN_OR_RETURN(const std::string path, world.files.Canonical(given));
  std::vector<Target> targets;
  for (size_t i = 0; i < count; ++i) {
    if (options.only.value_or(i) != i) continue;
    const std::string own = absl::StrCat(name, "_", i);
    targets.push_back({own, absl::StrCat(own, ".partial"), i + 1});
    SLIPWAY_RETURN_IF_ERROR(CheckFree(*parent, targets.back(), path));
  }
  for (const Target& target : targets) {
    SLIPWAY_RETURN_IF_ERROR(Build(backup, target, *parent, path, world, options, report));
  }
  // What is moved has its place durably before it gets its name.
  SLIPWAY_RETURN_IF_ERROR(parent->Sync());
  for (const Target& target : targets) {
    SLIPWAY_RETURN_IF_ERROR(PutInPlace(*parent, target));
    report.nodes.push_back({base::JoinPath(path, target.name), target.node});
  }
  SLIPWAY_RETURN_IF_ERROR(parent->Sync());
  return report;
}

absl::StatusOr<StateDigest> DigestOfData(const View& view, GroupId group) {
  StateDigest digest;
  for (const KeyKind kind : {KeyKind::kShardData, KeyKind::kChunk}) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto rows, view.Scan(ShardRange(group, kind, kUserShard)));
    for (; rows->valid(); rows->Next()) digest += DigestOfRow(rows->key(), rows->value());
    SLIPWAY_RETURN_IF_ERROR(rows->status());
  }
  return digest;
}

absl::StatusOr<DataSummary> SummarizeData(const RestoreWorld& world, const std::string& directory,
                                          EngineKind kind) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto dir, world.files.OpenRoot(directory));
  const auto home = world.home(kind, *dir, directory);
  SLIPWAY_ASSIGN_OR_RETURN(const auto engine, home->Open(kEngineDir));
  DataSummary summary;
  {
    SLIPWAY_ASSIGN_OR_RETURN(const auto view, engine->NewView());
    SLIPWAY_ASSIGN_OR_RETURN(const MetaRows rows, ReadMetaRows(*view, kKvGroup));
    SLIPWAY_RETURN_IF_ERROR(VerifyRows(*view, kKvGroup, rows));
    const auto shard = rows.shards.find(kUserShard);
    summary.keys = shard == rows.shards.end() ? 0 : shard->second.keys;
    SLIPWAY_ASSIGN_OR_RETURN(summary.digest, DigestOfData(*view, kKvGroup));
  }
  SLIPWAY_RETURN_IF_ERROR(engine->Close());
  return summary;
}

}  // namespace slipway::eraft
