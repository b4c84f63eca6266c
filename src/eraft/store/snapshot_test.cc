#include "eraft/store/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/testing/forwarding_files.h"
#include "base/testing/status_matchers.h"
#include "eraft/store/install.h"
#include "eraft/store/limits.h"
#include "eraft/store/snapshot_stream.h"
#include "eraft/store/test_engines.h"
#include "eraft/store/test_machine.h"

namespace slipway::eraft {
namespace {

using base::testing::IsOkAndHolds;
using base::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class NoJournal : public InstallJournal {
 public:
  absl::Status Begin(const InstallIntent&) override { return absl::OkStatus(); }
  absl::Status End(const InstallIntent&) override { return absl::OkStatus(); }
};

// A node with a snapshot, and what is needed to carry it to another one.
class SnapshotTest : public ::testing::TestWithParam<EngineKind> {
 protected:
  SnapshotTest() : rig_(GetParam()) {
    rig_.Run(WithSession(Put("a", "1"), 5, 0));
    rig_.Run(Append("long", std::string(300'000, 'x')));
  }
  Manifest Create() {
    auto manifest = CreateSnapshot(rig_.world().root(), rig_.world().home(), rig_.engine(), kGroup);
    EXPECT_OK(manifest);
    return manifest.ok() ? *manifest : Manifest();
  }
  static SnapshotName NameOf(const Manifest& m) { return {m.group, m.term, m.index}; }
  // All of it, or what the reader says.
  static absl::Status Carry(base::Dir& from, const SnapshotName& name, base::Dir& to,
                            EngineKind kind) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto reader, SnapshotReader::Open(from, name));
    SLIPWAY_ASSIGN_OR_RETURN(const auto writer,
                             SnapshotWriter::Begin(to, kind, reader->manifest_bytes()));
    SLIPWAY_RETURN_IF_ERROR(reader->Seek(writer->next_file()));
    while (true) {
      SLIPWAY_ASSIGN_OR_RETURN(const auto chunk, reader->Next());
      if (!chunk.has_value()) break;
      SLIPWAY_RETURN_IF_ERROR(writer->Add(*chunk));
    }
    return writer->Finish().status();
  }
  MachineRig rig_;
};
INSTANTIATE_TEST_SUITE_P(Engines, SnapshotTest, AllEngines(), EngineName);

// E160
TEST_P(SnapshotTest, IsTheStateOfTheEntryThatItNames) {
  const Manifest manifest = Create();
  EXPECT_EQ(manifest.group, kGroup);
  EXPECT_EQ(manifest.index, 2u);
  EXPECT_EQ(manifest.term, 1u);
  EXPECT_EQ(manifest.membership, "first");
  EXPECT_EQ(manifest.engine, GetParam());
  EXPECT_EQ(absl::BytesToHexString(manifest.logical_digest), rig_.Digest());
  EXPECT_EQ(Create(), manifest) << "one snapshot for one entry";
  rig_.Run(Put("b", "1"));
  const Manifest later = Create();
  EXPECT_EQ(later.index, 3u);
  base::Dir& root = rig_.world().root();
  EXPECT_THAT(ListSnapshots(root, kGroup),
              IsOkAndHolds(ElementsAre(NameOf(manifest), NameOf(later))));
  EXPECT_THAT(ListSnapshots(root, kGroup + 1), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(ReadManifest(root, NameOf(later)), IsOkAndHolds(later));
  EXPECT_OK(VerifySnapshot(root, NameOf(manifest)));
  ASSERT_OK(RemoveSnapshot(root, NameOf(manifest)));
  EXPECT_OK(RemoveSnapshot(root, NameOf(manifest)));
  EXPECT_THAT(ListSnapshots(root, kGroup), IsOkAndHolds(ElementsAre(NameOf(later))));
}

TEST_P(SnapshotTest, IsTakenWhileEntriesAreApplied) {
  std::thread applier([&] {
    for (int i = 0; i < 300; ++i) rig_.Run(Append("k", std::string(500, 'y')));
  });
  std::vector<Manifest> manifests;
  manifests.reserve(3);
  for (int i = 0; i < 3; ++i) manifests.push_back(Create());
  applier.join();
  for (const Manifest& manifest : manifests) {
    EXPECT_OK(VerifySnapshot(rig_.world().root(), NameOf(manifest)));
    MachineRig node(GetParam());
    ASSERT_OK(Carry(rig_.world().root(), NameOf(manifest), node.world().root(), GetParam()));
    EXPECT_OK(PrepareInstall(node.world().root(), node.world().home(), NameOf(manifest)));
  }
}

TEST_P(SnapshotTest, IsNobodyElsesBusiness) {  // 6.5: modes 0700 and 0600
  MachineRig rig(GetParam());
  rig.Run(Put("k", "1"));
  ASSERT_OK_AND_ASSIGN(
      const Manifest manifest,
      CreateSnapshot(rig.world().root(), rig.world().home(), rig.engine(), kGroup));
  base::Dir& root = rig.world().root();
  const std::string path = SnapshotPath({manifest.group, manifest.term, manifest.index});
  const std::string files = base::JoinPath(path, kSnapshotFilesDir);
  EXPECT_EQ(root.Stat(path)->mode, 0700u);
  EXPECT_EQ(root.Stat(files)->mode, 0700u);
  EXPECT_EQ(root.Stat(base::JoinPath(path, kManifestName))->mode, 0600u);
  for (const SnapshotFile& file : manifest.files) {
    EXPECT_EQ(root.Stat(base::JoinPath(files, file.name))->mode, 0600u) << file.name;
  }
}

// A data directory where each checkpoint seems to have more files than a MANIFEST may list.
class CrowdedFiles : public base::testing::ForwardingDir {
 public:
  using ForwardingDir::ForwardingDir;
  base::Owned<base::DirCursor> List() override { return std::make_unique<Names>(); }
  absl::Status SetMeta(absl::string_view, const base::MetaChange&) override {
    return absl::OkStatus();
  }

 private:
  struct Names : base::DirCursor {
    absl::StatusOr<std::optional<base::DirEntry>> Next() override {
      if (count > kSnapshotFilesMax) return std::nullopt;
      return base::DirEntry{.name = absl::StrCat(count++)};
    }
    uint64_t count = 0;
  };
};
class CrowdedRoot : public base::testing::ForwardingDir {
 public:
  using ForwardingDir::ForwardingDir;
  base::Owned<base::Dir> OpenDir(absl::string_view path) override {
    SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<base::Dir> dir, inner().OpenDir(path));
    if (base::SplitPath(path).second != kSnapshotFilesDir) return dir;
    return std::make_unique<CrowdedFiles>(std::move(dir));
  }
};

// E414
TEST(SnapshotLimits, OfTooManyFilesIsRefused) {
  MachineRig rig(EngineKind::kMemory);
  rig.Run(Put("k", "1"));
  ASSERT_OK_AND_ASSIGN(auto dir, rig.world().root().OpenDir(""));
  CrowdedRoot crowded(std::move(dir));
  EXPECT_THAT(CreateSnapshot(crowded, rig.world().home(), rig.engine(), kGroup),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("100001 files")));
  EXPECT_OK(CreateSnapshot(rig.world().root(), rig.world().home(), rig.engine(), kGroup));
}

TEST_P(SnapshotTest, OfNothingIsRefused) {
  MachineRig empty(GetParam());
  EXPECT_THAT(CreateSnapshot(empty.world().root(), empty.world().home(), empty.engine(), kGroup),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

// E67, E57: keys that the snapshot lacks are gone, and what its sessions say holds.
TEST_P(SnapshotTest, InstallRemovesStale) {
  const Manifest manifest = Create();
  MachineRig node(GetParam());
  node.Run(Put("stale", "1"));
  node.Run(In(9, Put("stale too", "1")));
  base::Dir& root = node.world().root();
  ASSERT_OK(Carry(rig_.world().root(), NameOf(manifest), root, GetParam()));
  ASSERT_OK_AND_ASSIGN(const InstallIntent intent,
                       PrepareInstall(root, node.world().home(), NameOf(manifest)));
  EXPECT_EQ(node.Get("stale"), "1") << "the engine serves until the switch";
  NoJournal journal;
  node.CloseAnd([&] { EXPECT_OK(CommitInstall(root, intent, journal)); });
  EXPECT_EQ(node.Get("stale"), "-");
  EXPECT_EQ(node.Get("stale too", 9), "-");
  EXPECT_EQ(node.Get("a"), "1");
  EXPECT_EQ(node.Get("long").size(), 300'000);
  EXPECT_EQ(node.machine().GetStatus().applied, 2u);
  EXPECT_EQ(node.machine().GetStatus().sessions, 1u);
  EXPECT_EQ(node.machine().membership(), "first");
  EXPECT_EQ(node.Digest(), rig_.Digest());
  EXPECT_EQ(node.Run(WithSession(Append("a", "twice"), 5, 0)), AnswerCode::kOk);
  EXPECT_EQ(node.Get("a"), "1") << "a command of before the snapshot was executed again";
  EXPECT_FALSE(Exists(root, kOldEngineDir));
  EXPECT_FALSE(Exists(root, kNewEngineDir));
  EXPECT_OK(VerifySnapshot(root, NameOf(manifest))) << "the engine wrote into its snapshot";
  node.ExpectSound();
}

TEST_P(SnapshotTest, OfAnotherEngineIsRefused) {
  const Manifest manifest = Create();
  const EngineKind other =
      GetParam() == EngineKind::kMemory ? EngineKind::kRocksDb : EngineKind::kMemory;
  MachineRig node(other);
  EXPECT_THAT(Carry(rig_.world().root(), NameOf(manifest), node.world().root(), other),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr(std::string(EngineKindName(GetParam())))));
}

// E163, E406: nothing of a damaged file is installed.
TEST_P(SnapshotTest, ADamagedFileIsFoundByVerifyAndInstall) {
  const Manifest manifest = Create();
  base::Dir& root = rig_.world().root();
  std::mt19937 random(9);
  for (const SnapshotFile& file : manifest.files) {
    if (file.size_bytes == 0) continue;
    const std::string path =
        absl::StrCat(SnapshotPath(NameOf(manifest)), "/", kSnapshotFilesDir, "/", file.name);
    // A file of its own: the engine's may be linked to it.
    ASSERT_OK_AND_ASSIGN(const std::string good, base::ReadFile(root, path, 100 << 20));
    std::string bad = good;
    bad[random() % bad.size()] ^= 1;
    ASSERT_OK_AND_ASSIGN(const auto dir, root.OpenDir(absl::StrCat(SnapshotPath(NameOf(manifest)),
                                                                   "/", kSnapshotFilesDir)));
    ASSERT_OK(base::WriteFileDurably(*dir, file.name, bad));
    EXPECT_THAT(VerifySnapshot(root, NameOf(manifest)),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr(file.name)));
    EXPECT_THAT(PrepareInstall(root, rig_.world().home(), NameOf(manifest)),
                StatusIs(absl::StatusCode::kDataLoss));
    ASSERT_OK(base::WriteFileDurably(*dir, file.name, good.substr(0, good.size() / 2)));
    EXPECT_THAT(VerifySnapshot(root, NameOf(manifest)), StatusIs(absl::StatusCode::kDataLoss));
    ASSERT_OK(base::WriteFileDurably(*dir, file.name, good));
  }
  EXPECT_OK(VerifySnapshot(root, NameOf(manifest)));
}

// E162: state and manifest that do not belong together.
TEST_P(SnapshotTest, AStateThatIsNotTheManifestsIsRefused) {
  const Manifest manifest = Create();
  base::Dir& root = rig_.world().root();
  ASSERT_OK_AND_ASSIGN(const auto dir, root.OpenDir(SnapshotPath(NameOf(manifest))));
  Manifest other = manifest;
  other.logical_digest[0] = static_cast<char>(other.logical_digest[0] ^ 1);
  ASSERT_OK(base::WriteFileDurably(*dir, kManifestName, EncodeManifest(other)));
  EXPECT_THAT(PrepareInstall(root, rig_.world().home(), NameOf(manifest)),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("not what MANIFEST says")));
  other = manifest;
  other.membership = "second";
  ASSERT_OK(base::WriteFileDurably(*dir, kManifestName, EncodeManifest(other)));
  EXPECT_THAT(PrepareInstall(root, rig_.world().home(), NameOf(manifest)),
              StatusIs(absl::StatusCode::kDataLoss));
  other = manifest;
  ++other.index;
  ASSERT_OK(base::WriteFileDurably(*dir, kManifestName, EncodeManifest(other)));
  EXPECT_THAT(ReadManifest(root, NameOf(manifest)), StatusIs(absl::StatusCode::kDataLoss));
}

// E162, E163: digests that agree with each other and not with the rows.
TEST_P(SnapshotTest, RowsThatNoDigestCoversAreNotInstalled) {
  Batch batch;
  batch.Put(DataKey(kGroup, kShard, "stray"), std::string(1, '\0'));
  ASSERT_OK(rig_.engine().Write(batch));
  const Manifest manifest = Create();
  EXPECT_OK(VerifySnapshot(rig_.world().root(), NameOf(manifest)));
  EXPECT_THAT(PrepareInstall(rig_.world().root(), rig_.world().home(), NameOf(manifest)),
              StatusIs(absl::StatusCode::kDataLoss));
}

TEST(Snapshot, NamesAreReadStrictly) {
  const SnapshotName name = {7, 12, 3456};
  EXPECT_EQ(ToString(name), "7-12-3456");
  EXPECT_EQ(ParseSnapshotName("7-12-3456"), name);
  for (const char* text : {"", "7-12", "7-12-3456.tmp", "07-12-3456", "7-12-+3", "-1-1-1", "a-1-1",
                           "4294967296-1-1"}) {
    EXPECT_EQ(ParseSnapshotName(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace slipway::eraft
