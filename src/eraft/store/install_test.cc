// Installs a snapshot while the power goes at every operation (E162, E67): with the memory engine,
// whose files lie on the simulated disk.
#include "eraft/store/install.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/bytes.h"
#include "base/testing/status_matchers.h"
#include "eraft/store/snapshot_stream.h"
#include "eraft/store/test_engines.h"
#include "eraft/store/test_machine.h"

namespace slipway::eraft {
namespace {

using base::testing::IsOkAndHolds;
using base::testing::StatusIs;

constexpr char kJournalFile[] = "journal";

// A journal of its own on the same disk: one file, durable at each step.
class FileJournal : public InstallJournal {
 public:
  explicit FileJournal(base::Dir& root) : root_(root) {}
  absl::Status Begin(const InstallIntent& intent) override {
    const std::string text = absl::StrCat(ToString(intent.name), " ", base::ToHex(intent.manifest));
    return base::WriteFileDurably(root_, kJournalFile, text);
  }
  absl::Status End(const InstallIntent&) override {
    return base::WriteFileDurably(root_, kJournalFile, "");
  }
  std::optional<InstallIntent> Open() {
    const auto text = base::ReadFile(root_, kJournalFile, 1000);
    if (!text.ok() || text->empty()) return std::nullopt;
    InstallIntent intent;
    intent.name = *ParseSnapshotName(text->substr(0, text->find(' ')));
    const base::Bytes digest = *base::FromHex(text->substr(text->find(' ') + 1));
    std::copy(digest.begin(), digest.end(), intent.manifest.begin());
    return intent;
  }

 private:
  base::Dir& root_;
};

// A disk with the state "old" (key old, 5 entries) and a snapshot of the state "new" (9 entries).
base::sim::Files Before() {
  MachineRig source(EngineKind::kMemory);
  for (int i = 0; i < 9; ++i) source.Run(WithSession(Put("new", absl::StrCat(i)), 3, i));
  const Manifest manifest =
      CreateSnapshot(source.world().root(), source.world().home(), source.engine(), kGroup).value();
  MachineRig node(EngineKind::kMemory);
  for (int i = 0; i < 5; ++i) node.Run(Put("old", absl::StrCat(i)));
  const SnapshotName name = {manifest.group, manifest.term, manifest.index};
  const auto reader = SnapshotReader::Open(source.world().root(), name).value();
  const auto writer =
      SnapshotWriter::Begin(node.world().root(), EngineKind::kMemory, reader->manifest_bytes())
          .value();
  for (auto chunk = reader->Next(); chunk.ok() && chunk->has_value(); chunk = reader->Next()) {
    EXPECT_OK(writer->Add(**chunk));
  }
  EXPECT_OK(writer->Finish());
  EXPECT_OK(node.engine().Close());
  base::sim::Files files = dynamic_cast<MemoryWorld&>(node.world()).files();
  files.Settle();
  return files;
}

absl::Status Install(base::sim::Files& files) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto root, files.OpenRoot("/data"));
  const std::unique_ptr<EngineHome> home = MemoryHome(root.get());
  SLIPWAY_ASSIGN_OR_RETURN(const auto names, ListSnapshots(*root, kGroup));
  FileJournal journal(*root);
  SLIPWAY_ASSIGN_OR_RETURN(const InstallIntent intent, PrepareInstall(*root, *home, names.back()));
  return CommitInstall(*root, intent, journal);
}

absl::Status Recover(base::sim::Files& files) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto root, files.OpenRoot("/data"));
  FileJournal journal(*root);
  return RecoverInstall(*root, journal.Open(), journal);
}

// Of the state that is there: its applied index, when it is whole and sound.
absl::StatusOr<raft::Index> AppliedIn(base::sim::Files& files) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto root, files.OpenRoot("/data"));
  if (Exists(*root, kNewEngineDir) || Exists(*root, kOldEngineDir)) {
    return absl::InternalError("left-overs");
  }
  const std::unique_ptr<EngineHome> home = MemoryHome(root.get());
  SLIPWAY_ASSIGN_OR_RETURN(const auto engine, home->Open(kEngineDir));
  SLIPWAY_ASSIGN_OR_RETURN(const auto machine, KvMachine::Open(*engine, kGroup, ""));
  SLIPWAY_ASSIGN_OR_RETURN(const auto view, engine->NewView());
  SLIPWAY_ASSIGN_OR_RETURN(const MetaRows rows, ReadMetaRows(*view, kGroup));
  SLIPWAY_RETURN_IF_ERROR(VerifyRows(*view, kGroup, rows));
  SLIPWAY_ASSIGN_OR_RETURN(const auto old_value, machine->Get(kShard, "old"));
  SLIPWAY_ASSIGN_OR_RETURN(const auto new_value, machine->Get(kShard, "new"));
  const raft::Index applied = machine->GetStatus().applied;
  const bool is_old = applied == 5 && old_value == "4" && !new_value.has_value();
  const bool is_new = applied == 9 && !old_value.has_value() && new_value == "8";
  if (is_old || is_new) return applied;
  return absl::InternalError(absl::StrCat("a mixture at ", applied));
}

TEST(Install, PowerLossAtEveryOperationLeavesTheOldOrTheNewState) {
  const base::sim::Files before = Before();
  bool saw_old = false;
  bool saw_new_after_loss = false;
  for (const base::sim::Loss loss :
       {base::sim::Loss::kSeeded, base::sim::Loss::kOrdered, base::sim::Loss::kLoseAllUnsynced}) {
    for (uint64_t attempt = 0; attempt < 4; ++attempt) {
      for (int n = 1;; ++n) {
        base::sim::Files files = before;
        files.PowerLossAt(n);
        const absl::Status status = Install(files);
        base::sim::Files after = files.AfterReboot(loss, attempt);
        ASSERT_OK(Recover(after)) << n;
        ASSERT_OK_AND_ASSIGN(const raft::Index applied, AppliedIn(after));
        ASSERT_EQ(applied, status.ok() ? 9u : applied) << "an answered install is gone, " << n;
        saw_old = saw_old || applied == 5;
        saw_new_after_loss = saw_new_after_loss || (applied == 9 && !status.ok());
        if (!files.off()) break;
      }
    }
  }
  EXPECT_TRUE(saw_old);
  EXPECT_TRUE(saw_new_after_loss) << "an intent was never completed by recovery";
}

// The power goes again while recovery completes what was begun.
TEST(Install, PowerLossAtEveryOperationOfRecoveryIsRecoveredToo) {
  const base::sim::Files before = Before();
  int installs = 0;
  for (int n = 1;; ++n) {
    base::sim::Files files = before;
    files.PowerLossAt(n);
    const absl::Status status = Install(files);
    base::sim::Files after = files.AfterReboot(base::sim::Loss::kSeeded);
    for (int m = 1;; ++m) {
      base::sim::Files again = after;
      again.PowerLossAt(m);
      const absl::Status recovered = Recover(again);
      base::sim::Files last = again.AfterReboot(base::sim::Loss::kSeeded);
      ASSERT_OK(Recover(last)) << n << " " << m;
      ASSERT_OK_AND_ASSIGN(const raft::Index applied, AppliedIn(last));
      installs += applied == 9 ? 1 : 0;
      if (!again.off()) break;
    }
    if (!files.off()) break;
  }
  EXPECT_GT(installs, 0);
}

TEST(Install, AFailureAtAnyOperationLeavesWhatRecoveryMends) {
  const base::sim::Files before = Before();
  for (int n = 1;; ++n) {
    base::sim::Files files = before;
    files.FailAt(n, absl::DataLossError("EIO"));
    const absl::Status status = Install(files);
    files.ClearFaults();
    ASSERT_OK(Recover(files)) << n;
    ASSERT_OK(AppliedIn(files)) << n;
    if (status.ok() && n > 10) break;
    ASSERT_LT(n, 200);
  }
}

// E167: what was copied until the disk was full is not what the room is wanting for, and the
// snapshot is there for the next try.
TEST(Install, AFullDiskAtAnyOperationLeavesNoPartOfItAndIsTriedAgain) {
  const base::sim::Files before = Before();
  bool ended = false;
  for (int n = 1; !ended; ++n) {
    ASSERT_LT(n, 200);
    base::sim::Files files = before;
    ASSERT_OK_AND_ASSIGN(const auto root, files.OpenRoot("/data"));
    ASSERT_OK_AND_ASSIGN(const auto names, ListSnapshots(*root, kGroup));
    files.FailAt(n, absl::ResourceExhaustedError("No space left on device"), /*sticky=*/true);
    const absl::Status status =
        PrepareInstall(*root, *MemoryHome(root.get()), names.back()).status();
    ended = status.ok();
    if (!ended) {
      EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted)) << n;
      EXPECT_FALSE(files.Exists("/data/kv.new")) << n;
    }
    files.ClearFaults();
    ASSERT_OK(Install(files)) << n;
    EXPECT_THAT(AppliedIn(files), IsOkAndHolds(9u)) << n;
  }
}

// What cannot be looked up is not taken for absent: no install ends with the old state in its
// place.
TEST(Install, AnErrorOfReadingIsNotAnAnswer) {
  const base::sim::Files before = Before();
  bool ended = false;
  for (int n = 1; !ended; ++n) {
    ASSERT_LT(n, 1000);
    base::sim::Files files = before;
    files.CountReads(true);
    files.FailAt(n, absl::DataLossError("EIO"));
    const absl::Status status = Install(files);
    ended = files.operations() < n;
    files.ClearFaults();
    files.CountReads(false);
    if (status.ok()) {
      EXPECT_THAT(AppliedIn(files), IsOkAndHolds(9u)) << n;
    }
    ASSERT_OK(Recover(files)) << n;
    ASSERT_OK(AppliedIn(files)) << n;
  }
  // The same of the recovery of an install that had begun and not more.
  ended = false;
  for (int n = 1; !ended; ++n) {
    ASSERT_LT(n, 1000);
    base::sim::Files files = before;
    ASSERT_OK_AND_ASSIGN(const auto root, files.OpenRoot("/data"));
    FileJournal journal(*root);
    ASSERT_OK_AND_ASSIGN(const auto names, ListSnapshots(*root, kGroup));
    ASSERT_OK_AND_ASSIGN(const InstallIntent intent,
                         PrepareInstall(*root, *MemoryHome(root.get()), names.back()));
    ASSERT_OK(journal.Begin(intent));
    files.Settle();
    files.CountReads(true);
    files.FailAt(n, absl::DataLossError("EIO"));
    const absl::Status status = RecoverInstall(*root, intent, journal);
    ended = files.operations() < n;
    files.ClearFaults();
    files.CountReads(false);
    EXPECT_EQ(status.ok(), ended) << n << " " << status;
    ASSERT_OK(Recover(files)) << n;
    EXPECT_THAT(AppliedIn(files), IsOkAndHolds(9u)) << n;
  }
}

// The engine in memory writes and syncs its file when it is closed, others do not: what was copied
// is synced by the install itself, after the engine and before the journal speaks of it.
TEST(Install, SyncsEachFileBehindTheEngine) {
  base::sim::Files files = Before();
  ASSERT_OK(Install(files));
  std::vector<std::string> kept;
  for (const std::string& operation : files.trace()) {
    const bool of_new = absl::StrContains(operation, kNewEngineDir);
    if (of_new || absl::StrContains(operation, kJournalFile)) kept.push_back(operation);
  }
  const auto journal = std::find_if(kept.begin(), kept.end(), [](const std::string& operation) {
    return absl::StrContains(operation, kJournalFile);
  });
  ASSERT_NE(journal, kept.end());
  const auto is_synced = [](const std::string& operation) {
    return absl::StartsWith(operation, "fsync") && absl::EndsWith(operation, "kv.new/state");
  };
  EXPECT_TRUE(std::any_of(kept.begin(), journal, is_synced)) << absl::StrJoin(kept, "\n");
}

TEST(Install, IsRefusedWhereOtherGroupsWouldGo) {
  MachineRig rig(EngineKind::kMemory);
  rig.Run(Put("k", "1"));
  Batch batch;
  batch.Put(DataKey(kGroup + 1, kShard, "theirs"), "x");
  ASSERT_OK(rig.engine().Write(batch));
  ASSERT_OK_AND_ASSIGN(
      const Manifest manifest,
      CreateSnapshot(rig.world().root(), rig.world().home(), rig.engine(), kGroup));
  EXPECT_THAT(PrepareInstall(rig.world().root(), rig.world().home(),
                             {manifest.group, manifest.term, manifest.index}),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(Install, WithoutAnyStateRecoverySaysSo) {
  base::sim::Files files(1);
  ASSERT_OK_AND_ASSIGN(const auto root, files.MakeRoot("/data"));
  FileJournal journal(*root);
  EXPECT_OK(RecoverInstall(*root, std::nullopt, journal));
  EXPECT_THAT(RecoverInstall(*root, InstallIntent(), journal),
              StatusIs(absl::StatusCode::kDataLoss));
}

// E160: the power goes at every operation of taking a snapshot.
TEST(Snapshot, PowerLossWhileItIsTakenLeavesAWholeOneOrNone) {
  for (int n = 1;; ++n) {
    MachineRig rig(EngineKind::kMemory);
    rig.Run(Put("k", "1"));
    ASSERT_OK(rig.engine().Flush());
    base::sim::Files& files = dynamic_cast<MemoryWorld&>(rig.world()).files();
    files.Settle();
    files.PowerLossAt(n);
    const absl::Status status =
        CreateSnapshot(rig.world().root(), rig.world().home(), rig.engine(), kGroup).status();
    base::sim::Files after = files.AfterReboot();
    ASSERT_OK_AND_ASSIGN(const auto root, after.OpenRoot("/data"));
    ASSERT_OK(RemoveUnfinished(*root));
    ASSERT_OK_AND_ASSIGN(const auto names, ListSnapshots(*root, kGroup));
    EXPECT_GE(names.size(), status.ok() ? 1u : 0u);
    for (const SnapshotName& name : names) EXPECT_OK(VerifySnapshot(*root, name)) << n;
    if (!files.off()) break;
  }
}

// E161, E163: a snapshot is received that is there already; the power goes at every operation.
TEST(Snapshot, PowerLossWhileItTakesThePlaceOfItsEqualLeavesNoHalf) {
  MachineRig rig(EngineKind::kMemory);
  rig.Run(Put("k", "1"));
  ASSERT_OK_AND_ASSIGN(
      const Manifest manifest,
      CreateSnapshot(rig.world().root(), rig.world().home(), rig.engine(), kGroup));
  const SnapshotName name = {manifest.group, manifest.term, manifest.index};
  ASSERT_OK_AND_ASSIGN(const auto reader, SnapshotReader::Open(rig.world().root(), name));
  base::sim::Files before = dynamic_cast<MemoryWorld&>(rig.world()).files();
  {
    ASSERT_OK_AND_ASSIGN(const auto root, before.OpenRoot("/data"));
    ASSERT_OK_AND_ASSIGN(const auto writer, SnapshotWriter::Begin(*root, EngineKind::kMemory,
                                                                  reader->manifest_bytes()));
    for (auto chunk = reader->Next(); chunk.ok() && chunk->has_value(); chunk = reader->Next()) {
      ASSERT_OK(writer->Add(**chunk));
    }
  }
  before.Settle();
  bool cut = true;
  for (int n = 1; cut; ++n) {
    ASSERT_LT(n, 200);
    for (uint64_t attempt = 0; attempt < 5; ++attempt) {
      base::sim::Files files = before;
      files.PowerLossAt(n);
      const auto root = files.OpenRoot("/data");
      ASSERT_OK(root);
      const auto writer =
          SnapshotWriter::Begin(**root, EngineKind::kMemory, reader->manifest_bytes());
      if (writer.ok()) (*writer)->Finish().status().IgnoreError();
      cut = files.off();
      base::sim::Files after = files.AfterReboot(base::sim::Loss::kSeeded, attempt);
      ASSERT_OK_AND_ASSIGN(const auto root_after, after.OpenRoot("/data"));
      ASSERT_OK(RemoveUnfinished(*root_after));
      ASSERT_OK_AND_ASSIGN(const auto names, ListSnapshots(*root_after, kGroup));
      for (const SnapshotName& found : names) EXPECT_OK(VerifySnapshot(*root_after, found)) << n;
    }
  }
}

}  // namespace
}  // namespace slipway::eraft
