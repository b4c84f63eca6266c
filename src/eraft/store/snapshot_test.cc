#include "eraft/store/snapshot.h"

#include <gtest/gtest.h>

#include <limits>
#include <optional>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/digest/crc32c.h"
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

Manifest ExampleManifest() {
  Manifest manifest = {.group = 7,
                       .index = 300,
                       .term = 2,
                       .membership = "m",
                       .engine = EngineKind::kLevelDb,
                       .logical_digest = std::string(32, 'd')};
  manifest.files.push_back({.name = "000005.ldb", .size_bytes = 5});
  manifest.files.push_back({.name = "CURRENT", .size_bytes = 0});
  return manifest;
}

// docs/formats/eraft-snapshot.md
TEST(Manifest, TheDocumentedExampleIsWhatIsWritten) {
  Manifest manifest = ExampleManifest();
  manifest.files.pop_back();
  const std::string digest(64, '0');
  EXPECT_EQ(absl::BytesToHexString(EncodeManifest(manifest)).substr(0, 40),
            "0801"
            "1007"
            "18ac02"
            "2002"
            "2a016d"
            "3003"
            "3a30"
            "0a0a3030");
}

// E406, E407
TEST(Manifest, EachFlippedBitAndEachCutIsFound) {
  const Manifest manifest = ExampleManifest();
  const std::string good = EncodeManifest(manifest);
  EXPECT_THAT(DecodeManifest(good), IsOkAndHolds(manifest));
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    EXPECT_THAT(DecodeManifest(bad), StatusIs(absl::StatusCode::kDataLoss)) << bit;
  }
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_THAT(DecodeManifest(good.substr(0, size)), StatusIs(absl::StatusCode::kDataLoss));
  }
}

TEST(Manifest, ANewerLevelIsRefusedByName) {
  std::string bytes = EncodeManifest(ExampleManifest());
  bytes.resize(bytes.size() - sizeof(uint32_t));
  bytes[1] = 2;  // as documented
  uint8_t crc[sizeof(uint32_t)];
  base::StoreLittle(crc, base::Crc32c(base::AsBytes(bytes)));
  absl::StrAppend(&bytes, base::AsText(crc));
  EXPECT_THAT(DecodeManifest(bytes), StatusIs(absl::StatusCode::kFailedPrecondition,
                                              HasSubstr("level 2 is newer than 1")));
}

TEST(Manifest, NamesThatLeadOutAreRefused) {
  for (const char* name : {"", ".", "..", "../x", "a/b", "/etc/passwd"}) {
    Manifest manifest = ExampleManifest();
    manifest.files = {{.name = name}};
    EXPECT_THAT(DecodeManifest(EncodeManifest(manifest)), StatusIs(absl::StatusCode::kDataLoss))
        << name;
  }
  Manifest twice = ExampleManifest();
  twice.files[1].name = twice.files[0].name;
  EXPECT_THAT(DecodeManifest(EncodeManifest(twice)), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(SnapshotChunk, EachFlippedBitAndEachCutIsFound) {
  const base::Sha256Digest manifest = base::Sha256Of(base::AsBytes("a manifest"));
  const SnapshotChunk chunk = {
      .file = 3, .offset_bytes = uint64_t{5} << 30, .data = {1, 2, 3, 4}};  // beyond 4 GiB
  const base::Bytes good = EncodeChunk(manifest, chunk);
  EXPECT_THAT(DecodeChunk(manifest, good), IsOkAndHolds(chunk));
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    base::Bytes bad = good;
    bad[bit / 8] = static_cast<uint8_t>(bad[bit / 8] ^ (1 << bit % 8));
    EXPECT_THAT(DecodeChunk(manifest, bad), StatusIs(absl::StatusCode::kDataLoss)) << bit;
  }
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_THAT(DecodeChunk(manifest, base::BytesView(good).subspan(0, size)),
                StatusIs(absl::StatusCode::kDataLoss));
  }
  EXPECT_THAT(DecodeChunk(base::Sha256Of({}), good),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("another snapshot")));
}

// ---- The stream, over files of known sizes ----

class StreamTest : public ::testing::Test {
 protected:
  StreamTest()
      : files_(base::sim::Files(1)),
        root_(*files_.MakeRoot("/from")),
        to_(*files_.MakeRoot("/to")) {
    manifest_ = ExampleManifest();
    manifest_.files.clear();
    EXPECT_OK(base::MakeDirs(*root_, FilesPath()));
    std::mt19937 random(1);
    for (const size_t size :
         {size_t{0}, size_t{5}, size_t{kSnapshotChunkBytes}, size_t{kSnapshotChunkBytes} * 2 + 7}) {
      const std::string name = absl::StrCat("file", manifest_.files.size());
      std::string text(size, '\0');
      for (char& c : text) c = static_cast<char>(random());
      const auto dir = root_->OpenDir(FilesPath());
      EXPECT_OK(base::WriteFileDurably(**dir, name, text));
      manifest_.files.push_back(*HashFile(**dir, name));
    }
    const auto dir = root_->OpenDir(SnapshotPath(Name()));
    EXPECT_OK(base::WriteFileDurably(**dir, kManifestName, EncodeManifest(manifest_)));
  }
  SnapshotName Name() const { return {manifest_.group, manifest_.term, manifest_.index}; }
  void UseFewChunks() {
    manifest_.files.pop_back();
    ASSERT_OK_AND_ASSIGN(const auto dir, root_->OpenDir(SnapshotPath(Name())));
    ASSERT_OK(base::WriteFileDurably(*dir, kManifestName, EncodeManifest(manifest_)));
  }
  absl::Status Transfer(base::sim::Files& files) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto to, files.MakeRoot("/to"));
    const auto reader = Reader();
    SLIPWAY_ASSIGN_OR_RETURN(const auto writer, Writer(*to));
    SLIPWAY_RETURN_IF_ERROR(reader->Seek(writer->next_file()));
    SLIPWAY_RETURN_IF_ERROR(Pass(*reader, *writer, 100));
    return writer->Finish().status();
  }
  std::string FilesPath() const {
    return absl::StrCat(SnapshotPath(Name()), "/", kSnapshotFilesDir);
  }
  std::unique_ptr<SnapshotReader> Reader() { return *SnapshotReader::Open(*root_, Name()); }
  base::Owned<SnapshotWriter> Writer(base::Dir& to) {
    return SnapshotWriter::Begin(to, EngineKind::kLevelDb, Reader()->manifest_bytes());
  }
  // Chunks of the reader into the writer, up to `count`.
  static absl::Status Pass(SnapshotReader& reader, SnapshotWriter& writer, int count) {
    for (int i = 0; i < count; ++i) {
      SLIPWAY_ASSIGN_OR_RETURN(const auto chunk, reader.Next());
      if (!chunk.has_value()) break;
      SLIPWAY_RETURN_IF_ERROR(writer.Add(*chunk));
    }
    return absl::OkStatus();
  }
  base::sim::Files files_;
  std::unique_ptr<base::Dir> root_, to_;
  Manifest manifest_;
};

TEST_F(StreamTest, CarriesEveryFile) {
  const auto reader = Reader();
  ASSERT_OK_AND_ASSIGN(const auto writer, Writer(*to_));
  ASSERT_OK(Pass(*reader, *writer, 100));
  EXPECT_THAT(writer->Finish(), IsOkAndHolds(manifest_));
  EXPECT_OK(VerifySnapshot(*to_, Name()));
  EXPECT_THAT(reader->Next(), IsOkAndHolds(std::nullopt));
}

// E161
TEST_F(StreamTest, ResumesAfterTheLastVerifiedFile) {
  {
    const auto reader = Reader();
    ASSERT_OK_AND_ASSIGN(const auto writer, Writer(*to_));
    ASSERT_OK(Pass(*reader, *writer, 4));  // the last file has begun
    EXPECT_THAT(writer->Finish(), StatusIs(absl::StatusCode::kFailedPrecondition));
  }
  ASSERT_OK_AND_ASSIGN(const auto writer, Writer(*to_));
  EXPECT_EQ(writer->next_file(), 3u);
  const auto reader = Reader();
  ASSERT_OK(reader->Seek(writer->next_file()));
  ASSERT_OK(Pass(*reader, *writer, 100));
  EXPECT_OK(writer->Finish());
  EXPECT_OK(VerifySnapshot(*to_, Name()));
}

TEST_F(StreamTest, WhatDamagedOnDiskMeanwhileIsFetchedAgain) {
  {
    const auto reader = Reader();
    ASSERT_OK_AND_ASSIGN(const auto writer, Writer(*to_));
    ASSERT_OK(Pass(*reader, *writer, 4));
  }
  ASSERT_OK_AND_ASSIGN(const auto dir,
                       to_->OpenDir(absl::StrCat(SnapshotPath(Name()), ".part/files")));
  ASSERT_OK(base::WriteFileDurably(*dir, "file1", "other"));
  ASSERT_OK_AND_ASSIGN(const auto writer, Writer(*to_));
  EXPECT_EQ(writer->next_file(), 1u);
}

TEST_F(StreamTest, ChunksOutOfOrderAndDamagedOnesAreRefused) {
  const auto reader = Reader();
  ASSERT_OK_AND_ASSIGN(const auto writer, Writer(*to_));
  ASSERT_OK_AND_ASSIGN(const auto first, reader->Next());
  ASSERT_OK_AND_ASSIGN(auto second, reader->Next());
  EXPECT_THAT(writer->Add(*second), StatusIs(absl::StatusCode::kFailedPrecondition));
  ASSERT_OK(writer->Add(*first));
  EXPECT_THAT(writer->Add(*first), StatusIs(absl::StatusCode::kFailedPrecondition));
  base::Bytes bad = *second;
  bad.back() ^= 1;
  EXPECT_THAT(writer->Add(bad), StatusIs(absl::StatusCode::kDataLoss));
  // A sender whose disk is damaged: each chunk is as sent, the file is not as listed.
  const base::Sha256Digest digest = base::Sha256Of(base::AsBytes(reader->manifest_bytes()));
  EXPECT_THAT(writer->Add(EncodeChunk(digest, {.file = 1, .data = {1, 2, 3, 4, 5}})),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("file1")));
  EXPECT_THAT(writer->Add(EncodeChunk(digest, {.file = 1, .data = {1, 2, 3, 4, 5, 6}})),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("does not fit")));
  EXPECT_EQ(writer->next_file(), 1u);
  ASSERT_OK(writer->Add(*second));
  EXPECT_EQ(writer->next_file(), 2u);
}

TEST_F(StreamTest, AShortFileOfTheSenderIsSaid) {
  ASSERT_OK_AND_ASSIGN(const auto dir, root_->OpenDir(FilesPath()));
  ASSERT_OK(base::WriteFileDurably(*dir, "file3", "short"));
  const auto reader = Reader();
  ASSERT_OK(reader->Seek(3));
  EXPECT_THAT(reader->Next(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("file3")));
}

// E414: what the disk has no room for is not begun, and said with both numbers; nor does a list of
// sizes that no disk has overflow.
TEST_F(StreamTest, WhatHasNoRoomIsNotBegun) {
  for (const uint64_t size : {uint64_t{1} << 30, std::numeric_limits<uint64_t>::max()}) {
    base::sim::Files small(1);
    small.SetCapacity(uint64_t{1} << 29);
    ASSERT_OK_AND_ASSIGN(const auto to, small.MakeRoot("/to"));
    Manifest large = manifest_;
    for (SnapshotFile& file : large.files) file.size_bytes = size;
    const std::string bytes = EncodeManifest(large);
    EXPECT_THAT(SnapshotWriter::Begin(*to, EngineKind::kLevelDb, bytes),
                StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("make room")));
    small.SetCapacity(0);
    const auto writer = SnapshotWriter::Begin(*to, EngineKind::kLevelDb, bytes);
    EXPECT_EQ(writer.ok(), size < std::numeric_limits<uint64_t>::max());
  }
}

// What was received already needs no room again.
TEST_F(StreamTest, RoomIsNeededForTheRestOnly) {
  constexpr uint64_t kFile = kSnapshotRoomAskedBytes;
  manifest_.files = {{.name = "a", .size_bytes = kFile}, {.name = "b", .size_bytes = kFile}};
  const std::string bytes = EncodeManifest(manifest_);
  base::sim::Files disk(1);
  ASSERT_OK_AND_ASSIGN(const auto to, disk.MakeRoot("/to"));
  ASSERT_OK(SnapshotWriter::Begin(*to, EngineKind::kLevelDb, bytes).status());
  ASSERT_OK_AND_ASSIGN(const auto half,
                       to->Open(absl::StrCat(SnapshotPath(Name()), ".part/files/a"),
                                {.write = true, .create = true}));
  ASSERT_OK(half->Truncate(kFile));  // a hole
  disk.SetCapacity(kFile + kFile / 2);
  EXPECT_OK(SnapshotWriter::Begin(*to, EngineKind::kLevelDb, bytes).status());
  ASSERT_OK(half->Truncate(kFile / 4));
  EXPECT_THAT(SnapshotWriter::Begin(*to, EngineKind::kLevelDb, bytes),
              StatusIs(absl::StatusCode::kResourceExhausted));
}

// A newer snapshot of the group replaces what was received of an older one; others stay.
TEST_F(StreamTest, AnotherSnapshotOfTheGroupBeginsAnew) {
  ASSERT_OK(Writer(*to_).status());
  Manifest newer = manifest_;
  newer.index = 999;
  ASSERT_OK(SnapshotWriter::Begin(*to_, EngineKind::kLevelDb, EncodeManifest(newer)).status());
  EXPECT_FALSE(Exists(*to_, absl::StrCat(SnapshotPath(Name()), ".part")));
  Manifest other_group = manifest_;
  other_group.group = 8;
  ASSERT_OK(
      SnapshotWriter::Begin(*to_, EngineKind::kLevelDb, EncodeManifest(other_group)).status());
  EXPECT_TRUE(Exists(*to_, "snap/7-2-999.part"));
}

// A power loss kept a name that was made later, and not that one: the transfer must not fail for
// ever.
TEST_F(StreamTest, APartWithoutItsFolderOfFilesBeginsAnew) {
  ASSERT_OK(Writer(*to_).status());
  const std::string part = absl::StrCat(SnapshotPath(Name()), ".part");
  ASSERT_OK(base::RemoveTree(*to_, absl::StrCat(part, "/", kSnapshotFilesDir)));
  ASSERT_TRUE(Exists(*to_, absl::StrCat(part, "/", kManifestName)));
  const auto reader = Reader();
  ASSERT_OK_AND_ASSIGN(const auto writer, Writer(*to_));
  EXPECT_OK(Pass(*reader, *writer, 100));
  EXPECT_OK(writer->Finish().status());
}

// E407, E161: the power goes at every operation of a transfer; afterwards it is resumed, and
// nothing under the snapshot's name is ever less than whole.
TEST_F(StreamTest, PowerLossAtEveryOperationOfATransfer) {
  UseFewChunks();
  for (uint64_t seed = 0; seed < 3; ++seed) {
    for (int n = 1;; ++n) {
      base::sim::Files files(seed);
      ASSERT_OK(files.MakeRoot("/to"));
      files.Settle();
      files.PowerLossAt(n);
      const absl::Status status = Transfer(files);
      base::sim::Files after = files.AfterReboot();
      ASSERT_OK_AND_ASSIGN(const auto to, after.OpenRoot("/to"));
      ASSERT_OK_AND_ASSIGN(const auto there, ListSnapshots(*to, manifest_.group));
      EXPECT_GE(there.size(), status.ok() ? 1u : 0u) << "an answered snapshot is gone";
      for (const SnapshotName& name : there) EXPECT_OK(VerifySnapshot(*to, name)) << n;
      ASSERT_OK(Transfer(after)) << n;
      EXPECT_OK(VerifySnapshot(*to, Name()));
      if (!files.off()) break;
    }
  }
}

// What a failed sync was about is not taken for durable by the attempts after it.
TEST_F(StreamTest, AfterAFailedOperationTheNextTransferIsDurable) {
  UseFewChunks();
  for (int n = 1;; ++n) {
    base::sim::Files files(1);
    ASSERT_OK_AND_ASSIGN(const auto root, files.MakeRoot("/to"));
    ASSERT_OK(root->MakeDir(kSnapshotsDir));  // it came with an earlier one
    files.Settle();
    files.FailAt(n, base::ErrnoError(EIO, "disk"));
    Transfer(files).IgnoreError();
    const bool failed = files.counts().faults.failed > 0;
    files.ClearFaults();
    ASSERT_OK(Transfer(files)) << n;
    base::sim::Files after = files.AfterReboot(base::sim::Loss::kLoseAllUnsynced);
    ASSERT_OK_AND_ASSIGN(const auto to, after.OpenRoot("/to"));
    EXPECT_OK(VerifySnapshot(*to, Name())) << n;
    if (!failed) break;
  }
}

}  // namespace
}  // namespace slipway::eraft
