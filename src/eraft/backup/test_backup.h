// A node's data on a simulated disk, and what is made of it, for the tests of backups.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/digest/crc32c.h"
#include "base/sim/clock.h"
#include "base/sim/files.h"
#include "base/sim/random.h"
#include "base/testing/status_matchers.h"
#include "eraft/backup/backup_source.h"
#include "eraft/backup/backup_writer.h"
#include "eraft/backup/restore.h"
#include "eraft/node/readmission.h"
#include "eraft/store/kv_machine.h"
#include "eraft/store/memory_engine.h"
#include "raft/raft.h"

namespace slipway::eraft {

inline constexpr char kBackupPath[] = "/backup";
inline constexpr wal::ClusterId kOldCluster = {7, 7, 7};

// The state machine of a member of a cluster of three, with its snapshots.
class TestSource {
 public:
  TestSource() : root_(*files_.MakeRoot("/node")), home_(MemoryHome(root_.get())) {
    engine_ = home_->Open("kv").value();
    machine_ = KvMachine::Open(*engine_, kKvGroup, "").value();
    raft::Membership members;
    members.voters = {1, 2, 3};
    Apply(raft::EntryKind::kMembership, raft::EncodeMembership(members));
    for (raft::NodeId id = 1; id <= 3; ++id) {
      Put(MemberKey(id), absl::StrCat("old:", id), kSystemShard);
      Put(ReadmissionKey(id), EncodeReadmission({.incarnation = 7}), kSystemShard);
    }
    header_.cluster = kOldCluster;
    header_.node = 1;
    header_.group = kKvGroup;
    header_.engine = EngineKind::kMemory;
    header_.members = {{1, "old:1"}, {2, "old:2"}, {3, "old:3"}};
  }
  ~TestSource() { EXPECT_OK(engine_->Close()); }

  void Put(absl::string_view key, absl::string_view value, ShardId shard = kUserShard) {
    Command command;
    command.shard = shard;
    command.key = std::string(key);
    command.value = std::string(value);
    Apply(raft::EntryKind::kCommand, EncodeCommand(command));
  }
  SnapshotName Snapshot() {
    const auto made = CreateSnapshot(*root_, *home_, *engine_, kKvGroup);
    EXPECT_OK(made);
    return {made->group, made->term, made->index};
  }
  StateDigest digest() {
    const auto view = engine_->NewView().value();
    return DigestOfData(*view, kKvGroup).value();
  }
  // Of a snapshot of now.
  BackupHeader header() {
    const SnapshotName name = Snapshot();
    header_.term = name.term;
    header_.index = name.index;
    return header_;
  }
  base::Dir& root() { return *root_; }
  base::sim::Files& files() { return files_; }

  // As a server and `eraftctl backup` do it together.
  absl::StatusOr<BackupReport> BackUp(base::Files& to) {
    const SnapshotName name = Snapshot();
    SLIPWAY_ASSIGN_OR_RETURN(const auto dir, to.MakeRoot(kBackupPath));
    SLIPWAY_ASSIGN_OR_RETURN(const auto writer, BackupWriter::Open(*dir));
    const std::vector<base::Sha256Digest> known = writer->known();
    SLIPWAY_ASSIGN_OR_RETURN(const auto source,
                             BackupSource::Open(*root_, name, {known.begin(), known.end()}, 1));
    SLIPWAY_RETURN_IF_ERROR(writer->Begin(header()));
    while (true) {
      SLIPWAY_ASSIGN_OR_RETURN(const auto part, source->Next());
      if (!part.has_value()) break;
      SLIPWAY_RETURN_IF_ERROR(writer->Add(*part));
    }
    return writer->Finish(clock_.Wall(), "1.2.3");
  }

 private:
  void Apply(raft::EntryKind kind, base::Bytes payload) {
    raft::Entry entry;
    entry.index = machine_->GetStatus().applied + 1;
    entry.term = 4;
    entry.kind = kind;
    entry.payload_crc = base::Crc32c(payload);
    entry.payload = raft::Slice(std::move(payload));
    EXPECT_OK(machine_->Apply({entry}));
  }

  base::sim::Files files_{1};
  base::sim::Clock clock_;
  std::unique_ptr<base::Dir> root_;
  std::unique_ptr<EngineHome> home_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<KvMachine> machine_;
  BackupHeader header_;
};

inline absl::StatusOr<BackupManifest> Verify(base::Files& files) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto dir, files.OpenRoot(kBackupPath));
  return VerifyBackup(*dir);
}

// A disk with a backup of some keys, all durable.
inline base::sim::Files BackedUp(TestSource& source) {
  base::sim::Files files(5);
  for (int i = 0; i < 5; ++i) source.Put(absl::StrCat("k", i), std::string(1000, 'v'));
  EXPECT_OK(source.BackUp(files));
  files.Settle();
  return files;
}

}  // namespace slipway::eraft
