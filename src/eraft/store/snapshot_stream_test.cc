#include "eraft/store/snapshot_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/sim/files.h"
#include "base/testing/status_matchers.h"
#include "eraft/store/limits.h"
#include "eraft/store/snapshot.h"

namespace slipway::eraft {
namespace {

using base::testing::IsOkAndHolds;
using base::testing::StatusIs;
using ::testing::HasSubstr;

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

// Over files of known sizes.
class StreamTest : public ::testing::Test {
 protected:
  StreamTest()
      : files_(base::sim::Files(1)),
        root_(*files_.MakeRoot("/from")),
        to_(*files_.MakeRoot("/to")) {
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
  Manifest manifest_ = {.group = 7,
                        .index = 300,
                        .term = 2,
                        .membership = "m",
                        .engine = EngineKind::kLevelDb,
                        .logical_digest = std::string(32, 'd')};
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
