// A store that is cut off or refused at any operation (Z137, ZR1, ZR3, ZR4, S24): what was
// acknowledged is there and right, nothing unverified is visible, and all is well once the disk is.
#include <cerrno>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cas/store/test_store.h"

namespace slipway::cas {
namespace {

using base::testing::IsOkAndHolds;

constexpr int kStepsMax = 600;

// What a run knows afterwards.
struct Ledger {
  std::map<Digest, std::string> acknowledged;
  std::set<Digest> tried;    // perhaps there
  std::set<Digest> removed;  // perhaps gone
};

std::map<Digest, std::string> Universe() {
  std::map<Digest, std::string> all;
  for (uint64_t i = 0; i < 5; ++i) {
    const std::string text = BlobText(i, 100 + i * 3000);
    all[DigestOf(base::AsBytes(text))] = text;
  }
  return all;
}

// Stores, reads, removes, sets damage aside; goes on after errors, as clients do.
void Work(StoreScene& scene, Ledger& ledger) {
  const std::map<Digest, std::string> all = Universe();
  const auto put = [&](const Digest& digest) {
    ledger.tried.insert(digest);
    if (!PutBytes(*scene, digest, base::AsBytes(all.at(digest))).ok()) return;
    ledger.acknowledged[digest] = all.at(digest);
    ledger.removed.erase(digest);
  };
  for (const auto& [digest, text] : all) put(digest);
  const Digest first = all.begin()->first;
  const Digest last = all.rbegin()->first;
  (void)scene.Get(first);
  // Never acknowledged: other bytes than the digest says, and an upload that was given up.
  const std::string other = BlobText(99, 100);
  EXPECT_FALSE(PutBytes(*scene, {first.blake3, 100}, base::AsBytes(other)).ok() &&
               first.size_bytes != 100);
  if (auto writer = scene->Store(DigestOf(base::AsBytes(other))); writer.ok()) {
    (void)(*writer)->Append(base::AsBytes(other));
  }
  ledger.removed.insert(last);
  ledger.acknowledged.erase(last);
  (void)scene->Remove(last);
  put(last);
}

// Blobs are long, so a failure shows only whether it is the right one.
std::string Holds(StoreScene& scene, const Digest& digest, const std::string& text) {
  const auto read = scene.Get(digest);
  if (!read.ok()) return read.status().ToString();
  return *read == text ? "yes" : "other bytes";
}

// Of a store that was opened again.
void CheckStore(StoreScene& scene, const Ledger& ledger) {
  for (const auto& [digest, text] : ledger.acknowledged) {
    EXPECT_THAT(scene->Contains(digest), IsOkAndHolds(true)) << digest.ToString();
    EXPECT_EQ(Holds(scene, digest, text), "yes");
  }
  ASSERT_OK_AND_ASSIGN(const auto listed, scene->List({}, 1000));
  const std::map<Digest, std::string> all = Universe();
  for (const StoredBlob& blob : listed) {
    ASSERT_TRUE(all.contains(blob.digest)) << "never stored: " << blob.digest.ToString();
    EXPECT_EQ(Holds(scene, blob.digest, all.at(blob.digest)), "yes");
  }
  EXPECT_EQ(scene->Stats()->blobs, listed.size());
  EXPECT_EQ(scene.Metric("zako_cas_quarantined"), 0);
  EXPECT_FALSE(absl::StrContains(scene.files.Tree(), "store/tmp/"));
  // And it works.
  for (const auto& [digest, text] : all) {
    EXPECT_OK(PutBytes(*scene, digest, base::AsBytes(text)));
    EXPECT_EQ(Holds(scene, digest, text), "yes");
  }
}

base::sim::Files Created() {
  StoreScene scene(base::sim::Files(11));
  EXPECT_OK(scene.Open());
  EXPECT_OK(scene.Put("before"));  // not of the universe
  EXPECT_OK(scene->Remove(DigestOf(base::AsBytes("before"))));
  scene.store.reset();
  scene.files.Settle();
  return scene.files;
}

void CutOffEverywhere(const base::sim::Files& before, Durability durability, base::sim::Loss loss,
                      uint64_t attempts) {
  bool completed = false;
  int n = 1;
  for (; n <= kStepsMax && !completed; ++n) {
    StoreScene scene(before);
    scene.options.durability = durability;
    scene.files.PowerLossAt(n);
    Ledger ledger;
    if (scene.Open().ok()) Work(scene, ledger);
    scene.store.reset();
    completed = !scene.files.off();
    for (uint64_t attempt = 0; attempt < attempts; ++attempt) {
      SCOPED_TRACE(absl::StrCat("n ", n, " attempt ", attempt));
      StoreScene after(scene.files.AfterReboot(loss, attempt));
      ASSERT_OK(after.Open());
      CheckStore(after, ledger);
      // Nor is it lost by a second power loss: what the start found is durable.
      StoreScene again(after.files.AfterReboot(base::sim::Loss::kLoseAllUnsynced));
      ASSERT_OK(again.Open());
      for (const auto& [digest, text] : Universe()) {
        EXPECT_EQ(Holds(again, digest, text), "yes");
      }
      if (::testing::Test::HasFailure()) return;
    }
  }
  EXPECT_TRUE(completed) << "more steps than " << kStepsMax;
  EXPECT_GT(n, 40);
}

TEST(DiskStoreFaults, PowerLossAtEveryOperation) {
  CutOffEverywhere(Created(), Durability::kBatch, base::sim::Loss::kSeeded, 2);
}

TEST(DiskStoreFaults, PowerLossAtEveryOperationOfANewStore) {
  CutOffEverywhere(base::sim::Files(11), Durability::kStrict, base::sim::Loss::kSeeded, 2);
}

TEST(DiskStoreFaults, PowerLossThatKeepsOnlyWhatWasSynced) {
  CutOffEverywhere(Created(), Durability::kBatch, base::sim::Loss::kLoseAllUnsynced, 1);
}

TEST(DiskStoreFaults, PowerLossThatLosesTheLatest) {
  CutOffEverywhere(Created(), Durability::kBatch, base::sim::Loss::kOrdered, 1);
}

// ZR1: the process is killed and the machine lives, and only later the power goes.
TEST(DiskStoreFaults, KilledAtEveryOperation) {
  CutOffEverywhere(base::sim::Files(11), Durability::kBatch, base::sim::Loss::kKeepAll, 1);
}

// The operation fails, and later the disk is well again: everything can be stored, without a
// restart.
void FailEverywhere(int error, bool sticky, bool reads) {
  const base::sim::Files before = Created();
  bool completed = false;
  for (int n = 1; n <= 2 * kStepsMax && !completed; ++n) {
    StoreScene scene(before);
    EXPECT_OK(scene.Open());
    scene.files.CountReads(reads);
    scene.files.FailAt(n, base::ErrnoError(error, "fault at /store/secret"), sticky);
    const int start = scene.files.operations();
    Ledger ledger;
    Work(scene, ledger);
    completed = scene.files.operations() - start < n;
    SCOPED_TRACE(absl::StrCat("error ", error, " n ", n, sticky ? " sticky" : ""));
    scene.files.ClearFaults();
    scene.files.CountReads(false);
    if (error != EIO || !reads) {
      // By itself, without a restart (ZR3). What a read error hit may have been set aside (ZR4).
      for (const auto& [digest, text] : ledger.acknowledged) {
        EXPECT_EQ(Holds(scene, digest, text), "yes");
      }
      // Power goes: acknowledged is acknowledged, whatever failed before or after.
      StoreScene after(scene.files.AfterReboot(base::sim::Loss::kLoseAllUnsynced));
      EXPECT_OK(after.Open());
      for (const auto& [digest, text] : ledger.acknowledged) {
        EXPECT_EQ(Holds(after, digest, text), "yes");
      }
    }
    for (const auto& [digest, text] : Universe()) {
      EXPECT_OK(PutBytes(*scene, digest, base::AsBytes(text)));
      EXPECT_EQ(Holds(scene, digest, text), "yes");
    }
    StoreScene after(scene.files.AfterReboot(base::sim::Loss::kLoseAllUnsynced));
    EXPECT_OK(after.Open());
    for (const auto& [digest, text] : Universe()) EXPECT_EQ(Holds(after, digest, text), "yes");
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_TRUE(completed);
}

TEST(DiskStoreFaults, AFullDiskRefusesUploadsAndIsWellWhenItHasSpace) {  // ZR3
  StoreScene scene(Created());
  scene.files.SetCapacity(64 << 10);
  scene.options.free_bytes_min = 0;  // so that the file system refuses, not the store
  ASSERT_OK(scene.Open());
  std::map<Digest, std::string> stored;
  std::vector<std::string> refused;
  for (uint64_t i = 0; i < 20; ++i) {
    const std::string text = BlobText(i, 4000 + i);
    const absl::Status status = scene.Put(text);
    if (status.ok()) {
      stored[DigestOf(base::AsBytes(text))] = text;
    } else {
      EXPECT_THAT(status, base::testing::StatusIs(absl::StatusCode::kResourceExhausted));
      refused.push_back(text);
    }
  }
  EXPECT_GE(stored.size(), 3u);
  ASSERT_GE(refused.size(), 3u);
  for (const auto& [digest, text] : stored) EXPECT_EQ(Holds(scene, digest, text), "yes");
  scene.files.SetCapacity(0);
  for (const std::string& text : refused) {
    ASSERT_OK(scene.Put(text));
    stored[DigestOf(base::AsBytes(text))] = text;
  }
  StoreScene after(scene.files.AfterReboot(base::sim::Loss::kLoseAllUnsynced));
  ASSERT_OK(after.Open());
  for (const auto& [digest, text] : stored) EXPECT_EQ(Holds(after, digest, text), "yes");
}

TEST(DiskStoreFaults, NoSpaceFromEveryOperationOn) {
  FailEverywhere(ENOSPC, /*sticky=*/true, /*reads=*/false);
}
TEST(DiskStoreFaults, NoSpaceAtEveryOperation) {
  FailEverywhere(ENOSPC, /*sticky=*/false, /*reads=*/false);
}
TEST(DiskStoreFaults, InputOutputErrorAtEveryOperation) {
  FailEverywhere(EIO, /*sticky=*/false, /*reads=*/false);
}
TEST(DiskStoreFaults, InputOutputErrorFromEveryOperationOn) {
  FailEverywhere(EIO, /*sticky=*/true, /*reads=*/false);
}
TEST(DiskStoreFaults, InputOutputErrorAtEveryRead) {
  FailEverywhere(EIO, /*sticky=*/false, /*reads=*/true);
}

// Its own directory, or the one above it, cannot be synced: the blob is not there, the others are,
// and when it is sent again it is kept through a loss of power.
TEST(DiskStoreFaults, ANameWhoseSyncFailedIsWellWhenTheBlobIsSentAgain) {  // ZR3, ZR4
  const std::string text = BlobText(1, 5000), other = BlobText(2, 5000);
  const Digest digest = DigestOf(base::AsBytes(text));
  std::set<std::string> failed_syncs;
  for (const int error : {EIO, ENOSPC}) {
    for (int n = 1; n <= 10; ++n) {
      SCOPED_TRACE(absl::StrCat("error ", error, " n ", n));
      StoreScene scene(Created());
      scene.options.durability = Durability::kStrict;
      ASSERT_OK(scene.Open());
      ASSERT_OK(scene.Put(other));
      scene.files.FailAt(n, base::ErrnoError(error, "fault"));
      if (scene.Put(text).ok()) break;
      scene.files.ClearFaults();
      for (const std::string& line : scene.files.trace()) {
        if (absl::EndsWith(line, "(failed)")) failed_syncs.insert(line);
      }
      EXPECT_THAT(scene->Contains(digest), IsOkAndHolds(false));
      EXPECT_EQ(Holds(scene, DigestOf(base::AsBytes(other)), other), "yes");
      ASSERT_OK(scene.Put(text));
      StoreScene after(scene.files.AfterReboot(base::sim::Loss::kLoseAllUnsynced));
      ASSERT_OK(after.Open());
      EXPECT_EQ(Holds(after, digest, text), "yes");
    }
  }
  const std::string parent = absl::StrCat("fsync store/objects/", digest.Hex().substr(0, 2));
  EXPECT_TRUE(failed_syncs.contains(absl::StrCat(parent, " (failed)")));
  EXPECT_TRUE(failed_syncs.contains("fsync store/objects (failed)"));
}

TEST(DiskStoreFaults, AFailedUploadSaysWhyAndLeavesNothing) {  // ZR3, ZR4
  for (const auto& [error, code] : {std::pair{ENOSPC, absl::StatusCode::kResourceExhausted},
                                    std::pair{EIO, absl::StatusCode::kDataLoss}}) {
    const std::string text = BlobText(1, 5000);
    const Digest digest = DigestOf(base::AsBytes(text));
    bool completed = false;
    for (int n = 1; n < 50 && !completed; ++n) {
      SCOPED_TRACE(n);
      StoreScene scene(Created());
      ASSERT_OK(scene.Open());
      const int start = scene.files.operations();
      scene.files.FailAt(n, base::ErrnoError(error, "fault at /store/secret"));
      const absl::Status status = scene.Put(text);
      completed = scene.files.operations() - start < n;
      EXPECT_EQ(completed, status.ok()) << status;
      EXPECT_THAT(scene->Contains(digest), IsOkAndHolds(completed));
      EXPECT_EQ(scene->Stats()->blobs, completed ? 1u : 0u);
      if (completed) break;
      EXPECT_EQ(status.code(), code) << status;
      EXPECT_FALSE(absl::StrContains(status.message(), "/store")) << status;
      EXPECT_FALSE(scene.files.Exists(scene.ObjectFile(digest)));
      // Reads go on.
      EXPECT_THAT(scene->Fetch(digest, {}), base::testing::StatusIs(absl::StatusCode::kNotFound));
    }
    EXPECT_TRUE(completed);
  }
}

TEST(DiskStoreFaults, AnErrorOfAReadSetsTheBlobAside) {  // ZR4
  StoreScene scene;
  ASSERT_OK(scene.Open());
  const std::string text = BlobText(1, 5000);
  const Digest digest = DigestOf(base::AsBytes(text));
  ASSERT_OK(scene.Put(text));
  ASSERT_OK_AND_ASSIGN(const auto reader, scene->Fetch(digest, {}));
  scene.files.CountReads(true);
  scene.files.FailAt(1, base::ErrnoError(EIO, "read /store/objects"));
  base::Bytes bytes(5000);
  const auto got = reader->Read(absl::MakeSpan(bytes));
  EXPECT_THAT(got, base::testing::StatusIs(absl::StatusCode::kDataLoss,
                                           ::testing::Not(::testing::HasSubstr("/store"))));
  scene.files.ClearFaults();
  EXPECT_THAT(scene->Check(digest), IsOkAndHolds(std::nullopt));
  EXPECT_TRUE(scene.files.Exists(absl::StrCat("/store/quarantine/", digest.Hex())));
}

// The proof of the proof: where syncs lie, the checks above see a loss.
TEST(DiskStoreFaults, ALyingDiskIsSeen) {
  for (const base::sim::Lie lie : {base::sim::Lie::kFileSync, base::sim::Lie::kDirSync}) {
    StoreScene scene(Created());
    scene.files.SetLie(lie);
    ASSERT_OK(scene.Open());
    for (const auto& [digest, text] : Universe()) ASSERT_OK(scene.Put(text));
    StoreScene after(scene.files.AfterReboot(base::sim::Loss::kLoseAllUnsynced));
    ASSERT_OK(after.Open());
    int there = 0;
    for (const auto& [digest, text] : Universe()) there += after.Get(digest).ok() ? 1 : 0;
    EXPECT_LT(there, 5);
  }
}

}  // namespace
}  // namespace slipway::cas
