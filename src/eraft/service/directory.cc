#include "eraft/service/directory.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/bytes.h"
#include "base/log/log.h"
#include "base/status.h"
#include "eraft/service/limits.h"
#include "eraft/wal/node_files.h"
#include "eraft/wal/two_copy.h"

namespace slipway::eraft {
namespace {

constexpr uint32_t kDirMode = 0700;

std::string Hex(const wal::ClusterId& cluster) { return base::ToHex(base::BytesView(cluster)); }

std::string Listed(const Addresses& members) {
  std::vector<std::string> texts;
  for (const auto& [id, address] : members) texts.push_back(address);
  return absl::StrJoin(texts, ",");
}

Addresses AddressesOf(const KvServerPlan& plan) {
  Addresses members;
  for (size_t i = 0; i < plan.members.size(); ++i) members[i + 1] = plan.members[i];
  members[plan.id] = plan.advertise;
  return members;
}

std::string Absolute(base::World& world, const std::string& path) {
  if (absl::StartsWith(path, "/")) return path;
  return base::JoinPath(world.environment.WorkingDirectory(), path);
}

absl::Status Denied(const absl::Status& status, const std::string& path, base::World& world) {
  if (!absl::IsPermissionDenied(status)) {
    return base::Annotate(status, absl::StrCat("open data directory ", path));
  }
  base::Environment& me = world.environment;
  // Nobody may write there, whoever it belongs to.
  if (absl::StrContains(status.message(), "Read-only file system")) {
    return base::MakeError(
        status.code(),
        absl::StrCat("open data directory ", path, ": its file system is mounted read-only"),
        {"", "remount it for writing; after an error of the disk, look at the disk first"});
  }
  std::string owner;
  const auto [parent, name] = base::SplitPath(path);
  if (const auto above = world.files.OpenRoot(parent.empty() ? "/" : parent); above.ok()) {
    if (const auto meta = (*above)->Stat(name); meta.ok()) {
      owner = absl::StrFormat("; it has mode %04o and belongs to uid %d", meta->mode, meta->uid);
    }
  }
  return base::MakeError(status.code(),
                         absl::StrCat("open data directory ", path, ": user ", me.UserName(),
                                      " (uid ", me.UserId(), ") may not read and write it", owner),
                         {"", absl::StrCat("as root: install -d -o ", me.UserName(), " -m 0700 ",
                                           path, "; or set --data-dir")});
}

absl::StatusOr<std::unique_ptr<base::Dir>> MakeDirectory(const std::string& path,
                                                         base::World& world) {
  auto dir = world.files.OpenRoot(path);
  if (!absl::IsNotFound(dir.status())) return dir;
  const auto [parent, name] = base::SplitPath(path);
  SLIPWAY_ASSIGN_OR_RETURN(auto above, world.files.MakeRoot(parent.empty() ? "/" : parent));
  SLIPWAY_RETURN_IF_ERROR(above->MakeDir(name, kDirMode));
  SLIPWAY_RETURN_IF_ERROR(above->Sync());
  return world.files.OpenRoot(path);
}

// As root one would leave files in a user's directory that the user cannot read.
absl::Status CheckOwner(const std::string& path, base::World& world) {
  const auto [parent, name] = base::SplitPath(path);
  SLIPWAY_ASSIGN_OR_RETURN(const auto above, world.files.OpenRoot(parent.empty() ? "/" : parent));
  SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, above->Stat(name));
  const uint32_t own = world.environment.UserId();
  if (own != 0 || meta.uid == own || meta.kind != base::FileKind::kDirectory) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("open data directory ", path, ": it belongs to uid ", meta.uid,
                   ", this is root; run kvserver as its owner; nothing was changed"));
}

absl::Status CheckEmpty(base::Dir& dir, const std::string& path) {
  const std::set<std::string> harmless = {kLockName, kMembersName, "lost+found"};
  SLIPWAY_ASSIGN_OR_RETURN(const auto entries, dir.List());
  while (true) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto entry, entries->Next());
    if (!entry.has_value()) return absl::OkStatus();
    if (harmless.count(entry->name) != 0) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("open data directory ", path, ": it holds ", entry->name,
                     " and no IDENTITY, so it is no node's, or has lost whose it is; name an empty "
                     "or a new one by --data-dir; nothing was changed"));
  }
}

// Whether `list` may be one of the cluster whose members these were: that they share an address
// says little, for two clusters may stand on one machine one after the other (E123).
bool IsListOf(const Addresses& members, const std::vector<std::string>& list) {
  const auto common = std::count_if(list.begin(), list.end(), [&](const std::string& address) {
    return std::any_of(members.begin(), members.end(),
                       [&](const auto& member) { return member.second == address; });
  });
  const size_t larger = std::max(members.size(), list.size());
  return static_cast<size_t>(common) > larger / 2;
}

absl::Status CheckIdentity(const wal::Identity& found, const KvServerConfig& config,
                           const KvServerPlan& plan, DataDirectory& data) {
  const std::string engine(EngineKindName(config.engine));
  const auto text = [](raft::NodeId node, const wal::ClusterId& cluster,
                       absl::string_view engine_name) {
    return absl::StrCat("node ", node, " (--id ", node - 1, ") of cluster ", Hex(cluster),
                        " with engine ", engine_name);
  };
  const auto refuse = [&](absl::string_view hint) {
    return base::MakeError(
        absl::StatusCode::kFailedPrecondition,
        absl::StrCat("open data directory ", data.path, ": it is of ",
                     text(found.node, found.cluster, found.engine), ", this is ",
                     text(plan.id, plan.cluster, engine), "; nothing was changed"),
        {"", std::string(hint)});
  };
  if (found.node != plan.id) return refuse("each node has its own --id and directory");
  if (found.engine != engine) {
    return refuse(absl::StrCat("start with --engine ", found.engine, ", or another directory"));
  }
  data.cluster = found.cluster;
  if (found.cluster == plan.cluster) return absl::OkStatus();
  const bool same = data.members == AddressesOf(plan);
  // The list of members may change in the life of a cluster; then the stored one wins (E170).
  if (plan.token_given || !IsListOf(data.members, plan.members)) {
    return refuse(absl::StrCat("its members are ", Listed(data.members),
                               "; the directory of another cluster is named by --data-dir; "
                               "if the members have all moved, give --cluster-token ",
                               Hex(found.cluster)));
  }
  if (same) return absl::OkStatus();  // restored from a backup: the same members, another id
  SLIPWAY_LOG(kWarn, "the stored members are not those of --cluster; the stored ones are in force",
              {{"stored", Listed(data.members)}, {"given", absl::StrJoin(plan.members, ",")}});
  return absl::OkStatus();
}

absl::Status MakeIdentity(base::World& world, const KvServerConfig& config,
                          const KvServerPlan& plan, DataDirectory& data) {
  SLIPWAY_RETURN_IF_ERROR(CheckEmpty(*data.dir, data.path));
  SLIPWAY_RETURN_IF_ERROR(WriteMembers(*data.dir, data.members));
  wal::Identity own;
  own.cluster = plan.cluster;
  own.node = plan.id;
  own.engine = std::string(EngineKindName(config.engine));
  while (own.incarnation == 0) own.incarnation = world.random.Next();
  own.created = absl::FromUnixSeconds(absl::ToUnixSeconds(world.clock.Wall()));
  SLIPWAY_RETURN_IF_ERROR(
      wal::TwoCopyFile::Create(*data.dir, wal::kIdentityName, wal::EncodeIdentity(own)).status());
  data.incarnation = own.incarnation;
  data.fresh = true;
  return absl::OkStatus();
}

absl::Status Identify(base::World& world, const KvServerConfig& config, const KvServerPlan& plan,
                      DataDirectory& data) {
  SLIPWAY_ASSIGN_OR_RETURN(const wal::TwoCopyState state,
                           wal::ReadTwoCopy(*data.dir, wal::kIdentityName));
  if (!state.newest.has_value() && state.damaged == 0) {
    return MakeIdentity(world, config, plan, data);
  }
  if (!state.newest.has_value()) {
    return WithWayOut(absl::DataLossError("no copy of IDENTITY can be read; nothing was changed"),
                      data.path);
  }
  SLIPWAY_ASSIGN_OR_RETURN(const wal::Identity found, wal::DecodeIdentity(state.newest->payload));
  data.incarnation = found.incarnation;
  const auto text = base::ReadFile(*data.dir, kMembersName, kMembersBytesMax);
  if (text.ok()) {
    SLIPWAY_ASSIGN_OR_RETURN(data.members, DecodeMembers(*text));
  } else if (!absl::IsNotFound(text.status())) {
    return text.status();
  }
  return CheckIdentity(found, config, plan, data);
}

}  // namespace

absl::Status WithWayOut(absl::Status status, absl::string_view path) {
  if (!absl::IsDataLoss(status)) return status;
  const std::string hint = absl::StrCat(
      "the other members have what it had: move ", path,
      " away and start this node with the same line, and it is taken in again; the only member of "
      "a cluster is restored from a backup (eraftctl restore)");
  return base::WithInfo(std::move(status), {"", hint});
}

bool IsFirstStart(base::World& world, const KvServerPlan& plan) {
  const auto dir = world.files.OpenRoot(Absolute(world, plan.data_dir));
  if (!dir.ok()) return absl::IsNotFound(dir.status());
  const auto identity = wal::ReadTwoCopy(**dir, wal::kIdentityName);
  return identity.ok() && !identity->newest.has_value() && identity->damaged == 0;
}

absl::StatusOr<DataDirectory> OpenDataDirectory(base::World& world, const KvServerConfig& config,
                                                const KvServerPlan& plan) {
  DataDirectory data;
  data.path = Absolute(world, plan.data_dir);
  data.cluster = plan.cluster;
  data.members = AddressesOf(plan);
  auto dir = MakeDirectory(data.path, world);
  if (!dir.ok()) return Denied(dir.status(), data.path, world);
  data.dir = *std::move(dir);
  SLIPWAY_RETURN_IF_ERROR(CheckOwner(data.path, world));
  // Only looks first: what is another's stays as it is.
  const auto there = data.dir->Stat(kLockName);
  if (absl::IsNotFound(there.status())) {
    const auto identity = wal::ReadTwoCopy(*data.dir, wal::kIdentityName);
    if (identity.ok() && !identity->newest.has_value() && identity->damaged == 0) {
      SLIPWAY_RETURN_IF_ERROR(CheckEmpty(*data.dir, data.path));
    }
  }
  base::OpenOptions create;
  create.write = true;
  create.create = true;
  create.mode = 0600;
  auto lock = data.dir->Open(kLockName, create);
  if (!lock.ok()) return Denied(lock.status(), data.path, world);
  if (const absl::Status locked = (*lock)->TryLock(); !locked.ok()) {
    return base::MakeError(
        locked.code(), absl::StrCat("open data directory ", data.path, ": ", locked.message()),
        {"", "one node has one directory: stop the other process, or set --data-dir"});
  }
  // Let go of at the end: the node takes it again, and then for good.
  const absl::Status identified = Identify(world, config, plan, data);
  if (identified.ok()) return data;
  if (absl::IsFailedPrecondition(identified)) return identified;
  return Denied(identified, data.path, world);
}

}  // namespace slipway::eraft
