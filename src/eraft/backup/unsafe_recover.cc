#include "eraft/backup/unsafe_recover.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/audit/audit.h"
#include "base/bytes.h"
#include "base/digest/crc32c.h"
#include "base/mutant.h"
#include "base/status.h"
#include "eraft/node/readmission.h"
#include "eraft/store/command.h"
#include "eraft/wal/limits.h"
#include "eraft/wal/two_copy.h"
#include "raft/membership.h"
#include "raft/raft.h"

namespace slipway::eraft {
namespace {

raft::Entry MakeEntry(raft::Index index, raft::Term term, raft::EntryKind kind,
                      base::Bytes payload) {
  raft::Entry entry;
  entry.index = index;
  entry.term = term;
  entry.kind = kind;
  entry.payload_crc = base::Crc32c(payload);
  entry.payload = raft::Slice(std::move(payload));
  return entry;
}

absl::StatusOr<wal::Identity> ReadIdentity(base::Dir& dir) {
  SLIPWAY_ASSIGN_OR_RETURN(const wal::TwoCopyState state,
                           wal::ReadTwoCopy(dir, wal::kIdentityName));
  if (state.newest.has_value()) return wal::DecodeIdentity(state.newest->payload);
  return state.damaged > 0 ? absl::DataLossError("no copy of IDENTITY can be read")
                           : absl::NotFoundError("there is no IDENTITY: it is no node's directory");
}

}  // namespace

base::Owned<UnsafeRecovery> UnsafeRecovery::Open(const std::string& directory, const World& world) {
  SLIPWAY_ASSIGN_OR_RETURN(std::string path, world.files.Canonical(directory));
  std::unique_ptr<UnsafeRecovery> recovery(new UnsafeRecovery(std::move(path), world));
  SLIPWAY_RETURN_IF_ERROR(base::Annotate(recovery->Look(), absl::StrCat("recover ", directory)));
  return recovery;
}

absl::Status UnsafeRecovery::Look() {
  SLIPWAY_ASSIGN_OR_RETURN(dir_, world_.files.OpenRoot(path_));
  SLIPWAY_ASSIGN_OR_RETURN(found_.identity, ReadIdentity(*dir_));
  base::OpenOptions create;
  create.write = true;
  create.create = true;
  create.mode = 0600;
  SLIPWAY_ASSIGN_OR_RETURN(lock_, dir_->Open(kLockName, create));
  SLIPWAY_RETURN_IF_ERROR(base::WithInfo(lock_->TryLock(), {"", "stop that process first"}));
  const auto members = base::ReadFile(*dir_, kMembersName, kMembersBytesMax);
  if (members.ok()) {
    SLIPWAY_ASSIGN_OR_RETURN(found_.addresses, DecodeMembers(*members));
  } else if (!absl::IsNotFound(members.status())) {
    return members.status();
  }
  SLIPWAY_ASSIGN_OR_RETURN(
      log_, OfflineLog::Open(*dir_, found_.identity.cluster, world_.segment_bytes, world_.clock));
  const auto view = log_->Find(kKvGroup);
  if (view.has_value() && view->intent.has_value()) {
    return absl::FailedPreconditionError(
        "a snapshot is being installed; start the node once, which finishes that");
  }
  SLIPWAY_ASSIGN_OR_RETURN(const raft::Restored state, log_->Restore(kKvGroup));
  found_.term = state.hard_state.term;
  found_.commit = state.hard_state.commit;
  found_.last = state.entries.empty() ? state.snapshot.index : state.entries.back().index;
  found_.last_term = state.entries.empty() ? state.snapshot.term : state.entries.back().term;
  found_.members = state.snapshot.membership;
  if (state.snapshot.index == 0 && view.has_value() && view->membership.has_value()) {
    found_.members = view->membership->membership;
  }
  for (const raft::Entry& entry : state.entries) {
    if (entry.kind != raft::EntryKind::kMembership) continue;
    SLIPWAY_ASSIGN_OR_RETURN(found_.members, raft::DecodeMembership(entry.payload.view()));
  }
  if (raft::IsVoter(found_.members, found_.identity.node)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("node ", found_.identity.node,
                   " has no vote in its group, so it may know little; recover a voter"));
}

std::vector<raft::NodeId> UnsafeRecovery::lost() const {
  std::vector<raft::NodeId> lost;
  for (const raft::NodeId id : raft::MembersOf(found_.members)) {
    if (id != found_.identity.node) lost.push_back(id);
  }
  return lost;
}

// As a leader would have written it. A later term than any that the node knows of, so that no entry
// of the lost nodes is taken for one of these.
absl::Status UnsafeRecovery::WriteLog() {
  const raft::Term term = std::max(found_.term, found_.last_term) + 1;
  raft::Membership alone;
  alone.voters = {found_.identity.node};
  raft::Index index = found_.last + 1;
  wal::Batch batch;
  batch.hard_state = raft::HardState{.term = term, .vote = raft::kNoNode, .commit = found_.commit};
  batch.entries.push_back(
      MakeEntry(index, term, raft::EntryKind::kMembership, raft::EncodeMembership(alone)));
  batch.membership = wal::MembershipCopy{.index = index, .membership = alone};
  const auto remove = [&](std::string key) {
    Command command;
    command.op = CommandOp::kDelete;
    command.shard = kSystemShard;
    command.key = std::move(key);
    batch.entries.push_back(
        MakeEntry(++index, term, raft::EntryKind::kCommand, EncodeCommand(command)));
  };
  for (const auto& [id, address] : found_.addresses) {
    if (id != found_.identity.node) remove(MemberKey(id));
    remove(ReadmissionKey(id));  // its own, too: its incarnation is another from now on
  }
  SLIPWAY_RETURN_IF_ERROR(log_->Append(kKvGroup, std::move(batch)));
  return log_->Close();
}

// Before the log is changed: a node that leads alone as if nothing had been must not be, wherever
// this ends.
absl::Status UnsafeRecovery::BecomeAnother() {
  // The lost ones, should they come back, do not talk to this node as if nothing had been (E123).
  wal::Identity own = found_.identity;
  while (own.incarnation == found_.identity.incarnation || own.incarnation == 0) {
    own.incarnation = world_.random.Next();
  }
  if (!SLIPWAY_MUTANT("recover-keeps-incarnation")) {
    SLIPWAY_ASSIGN_OR_RETURN(wal::TwoCopyFile identity,
                             wal::TwoCopyFile::Open(*dir_, wal::kIdentityName));
    SLIPWAY_RETURN_IF_ERROR(identity.Write(wal::EncodeIdentity(own)));
  }
  // Whoever comes under their ids is new.
  const absl::Status forgotten = dir_->Remove(kPeersName);
  if (!forgotten.ok() && !absl::IsNotFound(forgotten)) return forgotten;
  return dir_->Sync();
}

// After the log, which takes what is to be forgotten from the addresses.
absl::Status UnsafeRecovery::WriteOwnAddress() {
  Addresses members;
  const auto address = found_.addresses.find(found_.identity.node);
  if (address != found_.addresses.end()) members.insert(*address);
  return members.empty() ? absl::OkStatus() : WriteMembers(*dir_, members);
}

absl::Status UnsafeRecovery::Run(const std::string& actor) {
  const std::vector<raft::NodeId> others = lost();
  if (others.empty()) {
    // An end after the log was written left the addresses of others.
    if (found_.addresses.size() > 1) SLIPWAY_RETURN_IF_ERROR(WriteOwnAddress());
    return absl::FailedPreconditionError("recover: the node is the only member; start it");
  }
  SLIPWAY_ASSIGN_OR_RETURN(
      const auto audit,
      base::AuditLog::Open(world_.files, base::JoinPath(path_, kRecoveryAuditName), world_.clock));
  base::AuditRecord record;
  record.actor = actor;
  record.op = "unsafe_recover_begin";
  record.target = absl::StrCat("group ", kKvGroup);
  record.fields = base::Json::MakeObject({{"survivor", found_.identity.node},
                                          {"lost", absl::StrJoin(others, ",")},
                                          {"term", found_.term},
                                          {"last", found_.last},
                                          {"last_term", found_.last_term},
                                          {"commit", found_.commit}});
  const auto size = [this] {
    const auto meta = dir_->Stat(kRecoveryAuditName);
    return meta.ok() ? meta->size_bytes : 0;
  };
  const uint64_t before = size();
  audit->Write(record);
  SLIPWAY_RETURN_IF_ERROR(dir_->Sync());
  if (size() == before) {
    return absl::DataLossError(
        absl::StrCat("recover: ", kRecoveryAuditName, " cannot be written; nothing was changed"));
  }
  absl::Status status = BecomeAnother();
  if (status.ok()) status = WriteLog();
  if (status.ok()) status = WriteOwnAddress();
  record.op = "unsafe_recover";
  record.outcome = status;
  audit->Write(record);
  return status;
}

}  // namespace slipway::eraft
