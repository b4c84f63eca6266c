// Both indexes by one suite; what only LMDB has; the disk store on real files over it.
#include "cas/store/lmdb_index.h"

#include <map>
#include <random>

#include "absl/strings/str_cat.h"
#include "base/metrics/metrics.h"
#include "base/os/clock.h"
#include "base/os/files.h"
#include "base/os/pool.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "cas/blob_store_contract.h"
#include "cas/store/format.h"
#include "cas/store/stores.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace slipway::cas {
namespace {

using absl::StatusCode;
using base::testing::IsOkAndHolds;
using base::testing::StatusIs;
using ::testing::Optional;

Hash HashOf(int number) { return DigestOf(base::AsBytes(absl::StrCat(number))).blake3; }

IndexRecord RecordFor(uint64_t number) {
  IndexRecord record;
  record.size_bytes = number * 10;
  record.stored_bytes = number * 7;
  record.created_s = 1;
  record.accessed_s = static_cast<uint32_t>(number);
  record.inode = number + 1;
  record.mtime_ns = ~number;
  return record;
}

class IndexContract : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) {
      auto opened = OpenLmdbIndex(files_, dir_.path());
      ASSERT_OK(opened);
      index_ = *std::move(opened);
    } else {
      index_ = MakeMemoryIndex();
    }
  }
  base::testing::TempDir dir_;
  base::os::LinuxFiles files_;
  std::unique_ptr<Index> index_;
};

INSTANTIATE_TEST_SUITE_P(Memory, IndexContract, ::testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Lmdb, IndexContract, ::testing::Values(true));

TEST_P(IndexContract, AgreesWithAMap) {
  std::mt19937 random(1);
  std::map<Hash, IndexRecord> model;
  for (int step = 0; step < 60; ++step) {
    std::map<Hash, IndexRecord> put;
    std::vector<Hash> erase;
    for (int i = 0; i < 30; ++i) {
      const Hash hash = HashOf(static_cast<int>(random() % 900));
      if (random() % 3 == 0) {
        if (!put.contains(hash)) erase.push_back(hash);
      } else if (std::find(erase.begin(), erase.end(), hash) == erase.end()) {
        put[hash] = RecordFor(random() % 1000);
      }
    }
    ASSERT_OK(
        index_->Apply(std::vector<Index::Entry>(put.begin(), put.end()), erase, step % 2 == 0));
    for (const auto& [hash, record] : put) model[hash] = record;
    for (const Hash& hash : erase) model.erase(hash);
  }
  IndexStats expected;
  for (const auto& [hash, record] : model) {
    ++expected.blobs;
    expected.logical_bytes += record.size_bytes;
    expected.stored_bytes += record.stored_bytes;
    ASSERT_THAT(index_->Find(hash), IsOkAndHolds(Optional(record)));
  }
  ASSERT_OK_AND_ASSIGN(const IndexStats stats, index_->Stats());
  EXPECT_EQ(stats.blobs, expected.blobs);
  EXPECT_EQ(stats.logical_bytes, expected.logical_bytes);
  EXPECT_EQ(stats.stored_bytes, expected.stored_bytes);
  for (const int start : {0, 3, 500}) {
    const Hash from = start == 0 ? Hash{} : HashOf(start);
    std::vector<Index::Entry> scanned;
    ASSERT_OK(index_->Scan(from, [&](const Hash& hash, const IndexRecord& record) {
      scanned.emplace_back(hash, record);
      return true;
    }));
    EXPECT_EQ(scanned, std::vector<Index::Entry>(model.lower_bound(from), model.end()));
  }
  ASSERT_OK(index_->Clear());
  EXPECT_EQ(index_->Stats()->blobs, 0u);
  EXPECT_EQ(index_->Stats()->logical_bytes, 0u);
  EXPECT_THAT(index_->Find(model.begin()->first), IsOkAndHolds(std::nullopt));
}

TEST_P(IndexContract, AScanMayChangeWhatItScansAndMayStop) {
  Hash last;
  last.fill(0xff);
  std::vector<Index::Entry> put = {{last, RecordFor(1)}};
  for (int i = 0; i < 600; ++i) put.emplace_back(HashOf(i), RecordFor(2));
  ASSERT_OK(index_->Apply(put, {}, true));
  size_t seen = 0;
  ASSERT_OK(index_->Scan({}, [&](const Hash& hash, const IndexRecord&) {
    const Hash erase[] = {hash};
    if (seen++ % 50 == 0) {
      EXPECT_OK(index_->Apply({}, erase, false));
    }
    return true;
  }));
  EXPECT_EQ(seen, 601u);
  EXPECT_EQ(index_->Stats()->blobs, 588u);
  ASSERT_OK(index_->Apply(put, {}, true));
  seen = 0;
  ASSERT_OK(index_->Scan({}, [&](const Hash&, const IndexRecord&) { return ++seen < 10; }));
  EXPECT_EQ(seen, 10u);
}

TEST_P(IndexContract, AMarkIsTakenOnce) {
  EXPECT_THAT(index_->TakeCleanMark(1), IsOkAndHolds(false));
}

// ---- LMDB ----

class LmdbTest : public ::testing::Test {
 protected:
  base::Owned<Index> Open() { return OpenLmdbIndex(files_, dir_.path()); }
  // 300 entries, closed cleanly.
  void Fill() {
    ASSERT_OK_AND_ASSIGN(const auto index, Open());
    std::vector<Index::Entry> put;
    for (int i = 0; i < 300; ++i) put.emplace_back(HashOf(i), RecordFor(5));
    ASSERT_OK(index->Apply(put, {}, true));
    ASSERT_OK(index->PutCleanMark(77));
  }
  std::unique_ptr<base::Dir> Root() { return *files_.OpenRoot(dir_.path()); }

  base::testing::TempDir dir_;
  base::os::LinuxFiles files_;
};

TEST_F(LmdbTest, WhatWasClosedCleanlyIsTrustedOnce) {
  Fill();
  {
    ASSERT_OK_AND_ASSIGN(const auto index, Open());
    EXPECT_THAT(index->TakeCleanMark(77), IsOkAndHolds(true));
    EXPECT_EQ(index->Stats()->blobs, 300u);
    EXPECT_EQ(index->Stats()->logical_bytes, 15'000u);
    EXPECT_THAT(index->Find(HashOf(7)), IsOkAndHolds(Optional(RecordFor(5))));
  }
  // That one was not closed cleanly.
  ASSERT_OK_AND_ASSIGN(const auto index, Open());
  EXPECT_THAT(index->TakeCleanMark(77), IsOkAndHolds(false));
  EXPECT_EQ(index->Stats()->blobs, 0u);
}

TEST_F(LmdbTest, AnotherStoresIndexIsNotTrusted) {
  Fill();
  ASSERT_OK_AND_ASSIGN(const auto index, Open());
  EXPECT_THAT(index->TakeCleanMark(78), IsOkAndHolds(false));
}

TEST_F(LmdbTest, EveryDamageIsSeenBeforeLmdbReadsIt) {  // ZR18
  Fill();
  const auto root = Root();
  ASSERT_OK_AND_ASSIGN(const std::string good, base::ReadFile(*root, kIndexFile, 1 << 24));
  ASSERT_GE(good.size(), 8u * 4096);
  std::vector<std::string> bad = {"",
                                  good.substr(0, 1),
                                  good.substr(0, 4096),
                                  good.substr(0, good.size() - 1),
                                  good + "x",
                                  good + std::string(4096, '\0'),
                                  std::string(good.size(), '\xff')};
  for (size_t page = 0; page < good.size() / 4096; ++page) {
    bad.push_back(good.substr(0, page * 4096));
    for (const size_t at : {0u, 12u, 17u, 40u, 2000u, 4095u}) {
      std::string flipped = good;
      flipped[page * 4096 + at] = static_cast<char>(flipped[page * 4096 + at] ^ 0x41);
      bad.push_back(flipped);
    }
    std::string zeros = good;
    if (zeros.compare(page * 4096, 4096, std::string(4096, '\0')) != 0) {
      zeros.replace(page * 4096, 4096, std::string(4096, '\0'));
      bad.push_back(zeros);
    }
  }
  for (const std::string& content : bad) {
    ASSERT_OK(base::WriteFileDurably(*root, kIndexFile, content));
    EXPECT_THAT(Open(), StatusIs(StatusCode::kDataLoss));
  }
  ASSERT_OK(base::WriteFileDurably(*root, kIndexFile, good));
  ASSERT_OK_AND_ASSIGN(const auto index, Open());
  EXPECT_THAT(index->TakeCleanMark(77), IsOkAndHolds(true));
}

TEST_F(LmdbTest, ADamagedMarkOrNoIndexIsAnEmptyIndex) {
  Fill();
  const auto root = Root();
  ASSERT_OK_AND_ASSIGN(const std::string mark, base::ReadFile(*root, kIndexMarkFile, 1000));
  for (size_t at = 0; at < mark.size(); at += 5) {
    std::string bad = mark;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    ASSERT_OK(base::WriteFileDurably(*root, kIndexMarkFile, bad));
    ASSERT_OK_AND_ASSIGN(const auto index, Open());
    EXPECT_THAT(index->TakeCleanMark(77), IsOkAndHolds(false)) << at;
    EXPECT_EQ(index->Stats()->blobs, 0u);
  }
  Fill();
  ASSERT_OK(root->Remove(kIndexFile));
  ASSERT_OK_AND_ASSIGN(const auto index, Open());
  EXPECT_EQ(index->Stats()->blobs, 0u);
}

TEST_F(LmdbTest, ALockFileOfAKilledHolderIsNoHindrance) {
  Fill();
  ASSERT_OK(base::WriteFileDurably(*Root(), kIndexLockFile, std::string(8192, 'x')));
  ASSERT_OK_AND_ASSIGN(const auto index, Open());
  EXPECT_THAT(index->TakeCleanMark(77), IsOkAndHolds(true));
  EXPECT_EQ(index->Stats()->blobs, 300u);
}

TEST(Lmdb, NetworkFilesystemsAreKnown) {
  EXPECT_TRUE(IsNetworkFilesystem(0x6969));
  EXPECT_TRUE(IsNetworkFilesystem(0xff534d42));
  EXPECT_TRUE(IsNetworkFilesystem(0xffffffffff534d42));
  EXPECT_FALSE(IsNetworkFilesystem(0xef53));      // ext4
  EXPECT_FALSE(IsNetworkFilesystem(0x01021994));  // tmpfs
}

// ---- The disk store over real files and LMDB ----

class RealStore : public BlobStoreWorld {
 public:
  explicit RealStore(base::os::FilesOptions how = {}) : files(how) {
    const absl::Status opened = Open();
    EXPECT_OK(opened);
  }
  absl::Status Open() {
    disk.reset();
    auto opened = OpenDiskStore(dir.Join("store"), options, files, clock, pool, metrics,
                                [this](const std::string& r) { return OpenLmdbIndex(files, r); });
    SLIPWAY_RETURN_IF_ERROR(opened.status());
    disk = *std::move(opened);
    return absl::OkStatus();
  }
  std::unique_ptr<base::Dir> Root() { return *files.OpenRoot(dir.Join("store")); }
  BlobStore& store() override { return *disk; }
  absl::StatusOr<std::string> ReadLocal(const std::string& path) override {
    return base::ReadUserFile(files, path, 1 << 24);
  }

  base::testing::TempDir dir;
  base::os::LinuxFiles files;
  base::os::SystemClock clock;
  base::os::ThreadPool pool{"test", 2, 100};
  base::Metrics metrics;
  DiskStoreOptions options;
  std::unique_ptr<DiskStore> disk;
};

BlobStoreFactory OnDisk(bool anonymous_temp) {
  return BlobStoreContractOf([anonymous_temp] {
    return std::make_unique<RealStore>(base::os::FilesOptions{.anonymous_temp = anonymous_temp});
  });
}
INSTANTIATE_TEST_SUITE_P(RealDisk, BlobStoreContract,
                         ::testing::Values(OnDisk(true), OnDisk(false)));

TEST(RealDiskStore, SurvivesRestartsAndDamageOfItsIndex) {  // ZR18
  RealStore scene;
  std::vector<Digest> digests;
  for (uint64_t i = 0; i < 80; ++i) {
    const std::string text = BlobText(i, i);
    digests.push_back(DigestOf(base::AsBytes(text)));
    ASSERT_OK(PutBytes(*scene.disk, digests.back(), base::AsBytes(text)));
  }
  enum { kNothing, kFlip, kCut, kNoMark, kNoIndex };
  for (const int damage : {kNothing, kFlip, kCut, kNoMark, kNoIndex}) {
    SCOPED_TRACE(damage);
    scene.disk.reset();
    const auto root = scene.Root();
    ASSERT_OK_AND_ASSIGN(std::string index, base::ReadFile(*root, kIndexFile, 1 << 24));
    if (damage == kFlip) index[index.size() / 2] = static_cast<char>(index[index.size() / 2] ^ 8);
    if (damage == kCut) index.resize(index.size() / 2);
    if (damage == kFlip || damage == kCut) {
      ASSERT_OK(base::WriteFileDurably(*root, kIndexFile, index));
    }
    if (damage == kNoMark || damage == kNoIndex) {
      ASSERT_OK(root->Remove(damage == kNoMark ? kIndexMarkFile : kIndexFile));
    }
    ASSERT_OK(scene.Open());
    EXPECT_EQ(scene.disk->Stats()->blobs, 80u);
    for (const Digest& digest : digests) {
      ASSERT_THAT(scene.disk->Contains(digest), IsOkAndHolds(true));
    }
    ASSERT_OK(GetBytes(*scene.disk, digests[17], 1000));
    EXPECT_EQ(root->Stat(absl::StrCat("quarantine/", kIndexFile)).ok(), damage >= kFlip);
  }
}

TEST(RealDiskStore, AStoreInUseNamesItsHolder) {
  RealStore scene;
  const auto second =
      OpenDiskStore(scene.dir.Join("store"), {}, scene.files, scene.clock, scene.pool,
                    scene.metrics, [](const std::string&) { return MakeMemoryIndex(); });
  EXPECT_THAT(second, StatusIs(StatusCode::kAborted, ::testing::HasSubstr("process")));
}

}  // namespace
}  // namespace slipway::cas
