// The disk store on a simulated disk, with the index in memory.
#include <algorithm>
#include <random>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cas/errors.h"
#include "cas/store/test_store.h"

namespace slipway::cas {
namespace {

using absl::StatusCode;
using base::testing::HasErrorCode;
using base::testing::IsOkAndHolds;
using base::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class SimDiskWorld : public BlobStoreWorld {
 public:
  explicit SimDiskWorld(Durability durability) {
    scene_.options.durability = durability;
    const absl::Status opened = scene_.Open();
    EXPECT_OK(opened);
  }
  BlobStore& store() override { return *scene_; }
  absl::StatusOr<std::string> ReadLocal(const std::string& path) override {
    return scene_.files.Read(path);
  }

 private:
  StoreScene scene_;
};

BlobStoreFactory OnSim(Durability durability) {
  return BlobStoreContractOf([durability] { return std::make_unique<SimDiskWorld>(durability); });
}
INSTANTIATE_TEST_SUITE_P(SimDisk, BlobStoreContract,
                         ::testing::Values(OnSim(Durability::kStrict), OnSim(Durability::kBatch),
                                           OnSim(Durability::kNone)));

Digest DigestOfText(absl::string_view text) { return DigestOf(base::AsBytes(text)); }

TEST(DiskStore, FilesStandWhereTheFormatSays) {  // spec 7.11, Z71, Z137
  StoreScene scene;
  ASSERT_OK(scene.Open());
  ASSERT_OK(scene.Put("hello"));
  const std::string hex = DigestOfText("hello").Hex();
  const std::string tree = scene.files.Tree();
  EXPECT_THAT(tree,
              HasSubstr(absl::StrCat("0444 store/objects/", hex.substr(0, 2), "/", hex.substr(2))))
      << tree;
  for (const char* name : {"format", "lock", "tmp", "quarantine"}) {
    EXPECT_TRUE(scene.files.Exists(absl::StrCat("/store/", name))) << name;
  }
  EXPECT_THAT(scene.files.Read("/store/format"), IsOkAndHolds(std::string("zako-cas 1\n")));
  EXPECT_EQ(scene->GetLocalPath(DigestOfText("hello")),
            absl::StrCat("/store/objects/", hex.substr(0, 2), "/", hex.substr(2)));
}

TEST(DiskStore, BlobsOutliveTheStore) {
  StoreScene scene;
  ASSERT_OK(scene.Open());
  ASSERT_OK(scene.Put("hello"));
  ASSERT_OK(scene.Open());
  EXPECT_THAT(scene.Get(DigestOfText("hello")), IsOkAndHolds(std::string("hello")));
  ASSERT_OK_AND_ASSIGN(const IndexStats stats, scene->Stats());
  EXPECT_EQ(stats.blobs, 1u);
  EXPECT_EQ(stats.logical_bytes, 5u);
}

TEST(DiskStore, AStoreHasOneProcess) {
  StoreScene scene;
  ASSERT_OK(scene.Open());
  const auto second = OpenDiskStore(kTestRoot, {}, scene.files, scene.clock, scene.pool,
                                    scene.metrics, FreshIndex());
  EXPECT_THAT(second, StatusIs(StatusCode::kAborted, HasSubstr("/store")));
  EXPECT_THAT(second, StatusIs(StatusCode::kAborted, HasSubstr("1")));  // the pid
  EXPECT_THAT(second, HasErrorCode("ZK4006"));
}

TEST(DiskStore, ANewerFormatIsRefusedAndADamagedOneToo) {
  for (const auto& [text, code] :
       {std::pair{"zako-cas 2\n", StatusCode::kFailedPrecondition},
        std::pair{"zako-cas 1", StatusCode::kDataLoss}, std::pair{"", StatusCode::kDataLoss},
        std::pair{"zako-cas 0\n", StatusCode::kDataLoss},
        std::pair{"zako-cas -1\n", StatusCode::kDataLoss}}) {
    StoreScene scene;
    ASSERT_OK(scene.Open());
    scene.store.reset();
    ASSERT_OK_AND_ASSIGN(auto root, scene.files.OpenRoot(kTestRoot));
    ASSERT_OK(base::WriteFileDurably(*root, "format", text));
    EXPECT_THAT(scene.Open(), StatusIs(code, HasSubstr("/store"))) << text;
  }
}

TEST(DiskStore, TempIsSweptAtStart) {  // Z70
  StoreScene scene;
  ASSERT_OK(scene.Open());
  scene.store.reset();
  ASSERT_OK_AND_ASSIGN(auto root, scene.files.OpenRoot(kTestRoot));
  ASSERT_OK(base::WriteFileDurably(*root, "tmp-file", "x"));
  ASSERT_OK(root->Rename("tmp-file", *root, "tmp/left", base::RenameMode::kNoReplace));
  ASSERT_OK(base::MakeDirs(*root, "tmp/d/e"));
  ASSERT_OK(scene.Open());
  EXPECT_FALSE(scene.files.Exists("/store/tmp/left"));
  EXPECT_FALSE(scene.files.Exists("/store/tmp/d"));
  EXPECT_TRUE(scene.files.Exists("/store/tmp"));
}

TEST(DiskStore, UploadsThatWouldFillTheDiskAreRefused) {  // ZR3
  StoreScene scene;
  scene.files.SetCapacity(1 << 20);
  scene.options.free_bytes_min = 512 << 10;
  scene.options.blob_bytes_max = 700 << 10;
  ASSERT_OK(scene.Open());
  EXPECT_OK(scene.Put(BlobText(1, 200 << 10)));
  const absl::Status status = scene.Put(BlobText(2, 400 << 10));
  EXPECT_THAT(status, StatusIs(StatusCode::kResourceExhausted, Not(HasSubstr("/store"))));
  EXPECT_THAT(status, HasErrorCode("ZK4002"));
  EXPECT_THAT(scene.Put(BlobText(3, 800 << 10)),
              StatusIs(StatusCode::kResourceExhausted, HasSubstr("may have 716800 bytes at most")));
  ASSERT_THAT(scene->Remove(DigestOfText(BlobText(1, 200 << 10))), IsOkAndHolds(true));
  EXPECT_OK(scene.Put(BlobText(2, 400 << 10)));
}

TEST(DiskStore, RemoveTakesTheBlobAndNotItsReaders) {
  StoreScene scene;
  ASSERT_OK(scene.Open());
  const std::string text = BlobText(1, 9000);
  const Digest digest = DigestOfText(text);
  ASSERT_OK(scene.Put(text));
  ASSERT_OK_AND_ASSIGN(auto reader, scene->Fetch(digest, {}));
  EXPECT_THAT(scene->Remove({digest.blake3, 8999}), IsOkAndHolds(false));
  EXPECT_THAT(scene->Remove(digest), IsOkAndHolds(true));
  EXPECT_THAT(scene->Remove(digest), IsOkAndHolds(false));
  EXPECT_THAT(scene->Check(digest), IsOkAndHolds(std::nullopt));
  EXPECT_THAT(scene->Contains(digest), IsOkAndHolds(false));
  base::Bytes bytes(9000);
  EXPECT_THAT(reader->Read(absl::MakeSpan(bytes)), IsOkAndHolds(9000u));
  EXPECT_EQ(base::AsText(bytes), text);
  ASSERT_OK_AND_ASSIGN(const IndexStats stats, scene->Stats());
  EXPECT_EQ(stats.blobs, 0u);
  EXPECT_EQ(stats.stored_bytes, 0u);
}

TEST(DiskStore, ListGoesByHashInPages) {
  StoreScene scene;
  ASSERT_OK(scene.Open());
  std::vector<Digest> expected;
  for (int i = 0; i < 30; ++i) {
    ASSERT_OK(scene.Put(absl::StrCat("blob ", i)));
    expected.push_back(DigestOfText(absl::StrCat("blob ", i)));
  }
  std::sort(expected.begin(), expected.end());
  std::vector<Digest> listed;
  Hash from{};
  for (;;) {
    ASSERT_OK_AND_ASSIGN(const auto page, scene->List(from, 7));
    for (const StoredBlob& blob : page) listed.push_back(blob.digest);
    if (page.size() < 7) break;
    from = page.back().digest.blake3;
    for (size_t i = from.size(); i-- > 0 && ++from[i] == 0;) {
    }
  }
  EXPECT_EQ(listed, expected);
  EXPECT_THAT(scene->List({}, 0), IsOkAndHolds(SizeIs(0)));
}

TEST(DiskStore, TheFirstReadFindsDamageAndSetsItAside) {  // ZR5
  StoreScene scene;
  ASSERT_OK(scene.Open());
  const std::string text = BlobText(1, 20'000);
  const Digest digest = DigestOfText(text);
  ASSERT_OK(scene.Put(text));
  ASSERT_OK(scene.Open());
  scene.Damage(digest, 15'000, "damage");
  const auto read = scene.Get(digest);
  EXPECT_THAT(read, StatusIs(StatusCode::kDataLoss, HasSubstr(digest.ToString())));
  EXPECT_THAT(read, StatusIs(StatusCode::kDataLoss, Not(HasSubstr("/store"))));
  CasError kind = CasError::kInternal;
  EXPECT_TRUE(IsCasError(read.status(), &kind));
  EXPECT_EQ(kind, CasError::kCorrupt);
  EXPECT_THAT(scene->Check(digest), IsOkAndHolds(std::nullopt));
  EXPECT_THAT(scene->Contains(digest), IsOkAndHolds(false));
  EXPECT_THAT(scene.Get(digest), StatusIs(StatusCode::kNotFound));
  EXPECT_TRUE(scene.files.Exists(absl::StrCat("/store/quarantine/", digest.Hex())));
  EXPECT_THAT(scene.files.Read(absl::StrCat("/store/quarantine/", digest.Hex(), ".reason")),
              IsOkAndHolds(HasSubstr("another hash")));
  EXPECT_EQ(scene.Metric("zako_cas_corrupt_total{where=\"read\"}"), 1);
  EXPECT_EQ(scene.Metric("zako_cas_quarantined"), 1);
  EXPECT_EQ(scene.Metric("zako_cas_blobs"), 0);
  // It can be stored again, and the file set aside stays for whoever looks.
  ASSERT_OK(scene.Put(text));
  EXPECT_THAT(scene.Get(digest), IsOkAndHolds(text));
  EXPECT_TRUE(scene.files.Exists(absl::StrCat("/store/quarantine/", digest.Hex())));
  ASSERT_OK(scene.Open());
  EXPECT_EQ(scene.Metric("zako_cas_quarantined"), 1);
}

TEST(DiskStore, OfADamagedBlobNotAllBytesAreHandedOut) {
  StoreScene scene;
  ASSERT_OK(scene.Open());
  const std::string text = BlobText(1, 20'000);
  const Digest digest = DigestOfText(text);
  ASSERT_OK(scene.Put(text));
  ASSERT_OK(scene.Open());
  scene.Damage(digest, 0, "damage");
  ASSERT_OK_AND_ASSIGN(const auto reader, scene->Fetch(digest, {}));
  base::Bytes piece(15'000);
  EXPECT_THAT(reader->Read(absl::MakeSpan(piece)), IsOkAndHolds(15'000u));
  EXPECT_THAT(reader->Read(absl::MakeSpan(piece)), StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(reader->Read(absl::MakeSpan(piece)), StatusIs(StatusCode::kDataLoss));
}

TEST(DiskStore, ReadsCountAsHitsOrMisses) {  // spec 7.10
  StoreScene scene;
  ASSERT_OK(scene.Open());
  const std::string text = BlobText(1, 1000);
  const Digest digest = DigestOf(base::AsBytes(text));
  EXPECT_THAT(scene->Contains(digest), IsOkAndHolds(false));
  EXPECT_FALSE(scene->Fetch(digest, {}).ok());
  ASSERT_OK(scene.Put(text));
  ASSERT_OK(scene->Fetch(digest, {}));
  ASSERT_OK(scene->Fetch(digest, {}));
  EXPECT_FALSE(scene->Fetch(digest, {.start = 5000}).ok());
  EXPECT_EQ(scene.Metric("zako_cas_hits_total{tier=\"disk\"}"), 2);
  EXPECT_EQ(scene.Metric("zako_cas_misses_total{tier=\"disk\"}"), 1);
}

TEST(DiskStore, OnlyTheFirstReadIsHashed) {
  StoreScene scene;
  ASSERT_OK(scene.Open());
  const Digest digest = DigestOfText("hello");
  ASSERT_OK(scene.Put("hello"));
  ASSERT_OK(scene.Open());
  ASSERT_OK(scene.Get(digest));
  scene.Damage(digest, 0, "j");
  EXPECT_THAT(scene.Get(digest), IsOkAndHolds(std::string("jello")));
  // A scrub looks always.
  EXPECT_THAT(scene->Verify(digest), StatusIs(StatusCode::kDataLoss));
  EXPECT_EQ(scene.Metric("zako_cas_corrupt_total{where=\"scrub\"}"), 1);
  EXPECT_THAT(scene->Verify(digest), StatusIs(StatusCode::kNotFound));
}

TEST(DiskStore, VerifyReadsWithoutAnOption) {
  StoreScene scene;
  scene.options.verify_first_read = false;
  ASSERT_OK(scene.Open());
  const Digest digest = DigestOfText("hello");
  ASSERT_OK(scene.Put("hello"));
  EXPECT_OK(scene->Verify(digest));
  ASSERT_OK(scene.Open());
  scene.Damage(digest, 0, "j");
  EXPECT_THAT(scene.Get(digest), IsOkAndHolds(std::string("jello")));
  EXPECT_THAT(scene->Verify(digest), StatusIs(StatusCode::kDataLoss));
}

TEST(DiskStore, AFileOfAnotherLengthIsDamage) {
  StoreScene scene;
  ASSERT_OK(scene.Open());
  const std::string text = BlobText(1, 5000);
  const Digest digest = DigestOfText(text);
  for (const bool by_fetch : {false, true}) {
    ASSERT_OK(scene.Put(text));
    scene.Damage(digest, 5000, "x");
    if (by_fetch) {
      EXPECT_THAT(scene.Get(digest), StatusIs(StatusCode::kDataLoss));
    } else {
      EXPECT_THAT(scene->Check(digest), IsOkAndHolds(std::nullopt));
    }
    EXPECT_TRUE(scene.files.Exists(absl::StrCat("/store/quarantine/", digest.Hex())));
    EXPECT_FALSE(scene.files.Exists(scene.ObjectFile(digest)));
  }
  EXPECT_EQ(scene.Metric("zako_cas_corrupt_total{where=\"size\"}"), 2);
  ASSERT_OK(scene.Put(text));
  EXPECT_THAT(scene.Get(digest), IsOkAndHolds(text));
}

TEST(DiskStore, AskingForAnotherSizeHarmsNothing) {  // Z5
  StoreScene scene;
  ASSERT_OK(scene.Open());
  const Digest digest = DigestOfText("hello");
  ASSERT_OK(scene.Put("hello"));
  const Digest wrong{digest.blake3, 4};
  EXPECT_THAT(scene->Check(wrong), IsOkAndHolds(std::nullopt));
  EXPECT_THAT(scene->Fetch(wrong, {}), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(scene->Verify(wrong), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(scene->Remove(wrong), IsOkAndHolds(false));
  EXPECT_THAT(scene.Get(digest), IsOkAndHolds(std::string("hello")));
  EXPECT_EQ(scene.Metric("zako_cas_quarantined"), 0);
}

TEST(DiskStore, AnEntryWithoutItsFileIsRepaired) {
  StoreScene scene;
  ASSERT_OK(scene.Open());
  ASSERT_OK_AND_ASSIGN(auto root, scene.files.OpenRoot(kTestRoot));
  for (const bool by_fetch : {false, true}) {
    ASSERT_OK(scene.Put("hello"));
    const Digest digest = DigestOfText("hello");
    ASSERT_OK(root->Remove(absl::StrCat("objects/", ObjectPath(digest.blake3))));
    if (by_fetch) {
      EXPECT_THAT(scene->Fetch(digest, {}), StatusIs(StatusCode::kNotFound));
    } else {
      EXPECT_THAT(scene->Check(digest), IsOkAndHolds(std::nullopt));
    }
    EXPECT_THAT(scene->Contains(digest), IsOkAndHolds(false));
    EXPECT_EQ(scene->Stats()->blobs, 0u);
  }
}

TEST(DiskStore, AFileWithoutEntryIsFoundAndIndexed) {
  const auto index = std::shared_ptr<Index>(MakeMemoryIndex());
  StoreScene scene;
  scene.make_index = KeepIndex(index);
  ASSERT_OK(scene.Open());
  ASSERT_OK(scene.Put("hello"));
  const Digest digest = DigestOfText("hello");
  ASSERT_OK(index->Clear());
  EXPECT_THAT(scene->Contains(digest), IsOkAndHolds(false));  // asks the index alone
  EXPECT_THAT(scene->Store(digest).status(), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(scene->Contains(digest), IsOkAndHolds(true));
  EXPECT_EQ(scene->Stats()->blobs, 1u);
  ASSERT_OK(index->Clear());
  EXPECT_THAT(scene.Get(digest), IsOkAndHolds(std::string("hello")));
  ASSERT_OK_AND_ASSIGN(const auto blob, scene->Stat(digest));
  EXPECT_EQ(blob->record.size_bytes, 5u);
  EXPECT_EQ(scene->Stats()->blobs, 1u);
}

TEST(DiskStore, ACleanIndexIsTrustedAndAnotherIsBuiltAgain) {
  const auto index = std::shared_ptr<Index>(MakeMemoryIndex());
  StoreScene scene;
  scene.make_index = KeepIndex(index);
  ASSERT_OK(scene.Open());
  ASSERT_OK(scene.Put("hello"));
  ASSERT_OK(scene.Put("world"));
  scene.store.reset();
  // Trusted: an entry that only it has is still there.
  IndexRecord odd;
  odd.size_bytes = 3;
  ASSERT_OK(index->Apply(std::vector<Index::Entry>{{Hash{}, odd}}, {}, true));
  ASSERT_OK(scene.Open());
  EXPECT_EQ(scene->Stats()->blobs, 3u);
  // A killed process leaves no mark.
  {
    StoreScene killed(scene.files.AfterReboot(base::sim::Loss::kKeepAll));
    killed.make_index = KeepIndex(index);
    ASSERT_OK(killed.Open());
    EXPECT_EQ(killed->Stats()->blobs, 2u);
    EXPECT_EQ(killed->Stats()->logical_bytes, 10u);
  }
}

TEST(DiskStore, TheIndexOfAnotherStoreIsBuiltAgain) {
  const auto index = std::shared_ptr<Index>(MakeMemoryIndex());
  StoreScene other;
  other.make_index = KeepIndex(index);
  ASSERT_OK(other.Open());
  ASSERT_OK(other.Put("hello"));
  other.store.reset();
  ASSERT_OK(index->TakeCleanMark(0));
  ASSERT_OK(index->PutCleanMark(4711));
  StoreScene scene;
  scene.make_index = KeepIndex(index);
  ASSERT_OK(scene.Open());
  EXPECT_EQ(scene->Stats()->blobs, 0u);
}

TEST(DiskStore, RebuildSetsAsideWhatIsNoObject) {
  StoreScene scene;
  ASSERT_OK(scene.Open());
  ASSERT_OK(scene.Put("hello"));
  scene.store.reset();
  ASSERT_OK_AND_ASSIGN(auto root, scene.files.OpenRoot(kTestRoot));
  const std::string hex = DigestOfText("hello").Hex();
  const std::string dir = absl::StrCat("objects/", hex.substr(0, 2));
  std::string upper = hex.substr(2);
  upper[10] = 'A';
  const std::vector<std::string> strays = {"objects/zz",
                                           "objects/README",
                                           absl::StrCat(dir, "/short"),
                                           absl::StrCat(dir, "/", upper),
                                           absl::StrCat(dir, "/", hex.substr(2), ".zst"),
                                           absl::StrCat(dir, "/", std::string(255, 'n'))};
  for (const std::string& stray : strays) {
    ASSERT_OK(root->Open(stray, {.write = true, .create = true}));
  }
  ASSERT_OK(root->MakeDir(absl::StrCat(dir, "/", std::string(62, '0'))));
  ASSERT_OK(scene.Open());
  for (const std::string& stray : strays) {
    EXPECT_FALSE(scene.files.Exists(absl::StrCat("/store/", stray))) << stray;
  }
  EXPECT_EQ(scene.Metric("zako_cas_quarantined"), 7);
  EXPECT_EQ(scene->Stats()->blobs, 1u);
  EXPECT_THAT(scene.files.Tree(), HasSubstr("quarantine/stray-"));
  EXPECT_THAT(scene.Get(DigestOfText("hello")), IsOkAndHolds(std::string("hello")));
}

TEST(DiskStore, CollectRemovesTheLeastRecentlyUsed) {
  StoreScene scene;
  ASSERT_OK(scene.Open());
  std::vector<Digest> digests;
  for (int i = 0; i < 10; ++i) {
    const std::string text = BlobText(static_cast<uint64_t>(i), 100);
    ASSERT_OK(scene.Put(text));
    digests.push_back(DigestOfText(text));
    scene.clock.Advance(absl::Seconds(60));
  }
  // 2 and 4 are used again; 2 last.
  ASSERT_OK(scene.Get(digests[4]));
  scene.clock.Advance(absl::Seconds(60));
  ASSERT_OK(scene.Get(digests[2]));
  std::vector<Digest> removed;
  const auto remember = [&](const StoredBlob& blob) {
    removed.push_back(blob.digest);
    return true;
  };
  ASSERT_OK(scene->Collect(600, /*dry_run=*/true, remember));
  EXPECT_THAT(removed, ElementsAre(digests[0], digests[1], digests[3], digests[5]));
  EXPECT_EQ(scene->Stats()->blobs, 10u);
  removed.clear();
  ASSERT_OK(scene->Collect(600, /*dry_run=*/false, remember));
  EXPECT_THAT(removed, ElementsAre(digests[0], digests[1], digests[3], digests[5]));
  EXPECT_EQ(scene->Stats()->stored_bytes, 600u);
  EXPECT_THAT(scene->Contains(digests[0]), IsOkAndHolds(false));
  EXPECT_THAT(scene->Contains(digests[2]), IsOkAndHolds(true));
  EXPECT_EQ(scene.Metric("zako_cas_evicted_total{reason=\"gc\"}"), 4);
  EXPECT_EQ(scene.Metric("zako_cas_evicted_bytes_total"), 400);
  removed.clear();
  ASSERT_OK(scene->Collect(0, /*dry_run=*/false, remember));
  EXPECT_EQ(removed.back(), digests[2]);
  EXPECT_EQ(scene->Stats()->blobs, 0u);
}

TEST(DiskStore, CollectStopsWhenTold) {
  StoreScene scene;
  ASSERT_OK(scene.Open());
  for (int i = 0; i < 200; ++i) ASSERT_OK(scene.Put(absl::StrCat("blob ", i)));
  int removed = 0;
  ASSERT_OK(scene->Collect(0, /*dry_run=*/false, [&](const StoredBlob&) {
    ++removed;
    return false;
  }));
  EXPECT_LT(removed, 200);
  EXPECT_EQ(scene->Stats()->blobs, static_cast<uint64_t>(200 - removed));
}

TEST(DiskStore, AccessTimesAreCoarseAndOutliveTheStore) {
  const auto index = std::shared_ptr<Index>(MakeMemoryIndex());
  StoreScene scene;
  scene.make_index = KeepIndex(index);
  ASSERT_OK(scene.Open());
  ASSERT_OK(scene.Put("hello"));
  const Digest digest = DigestOfText("hello");
  const uint32_t stored_s = scene->Stat(digest)->value().record.accessed_s;
  scene.clock.Advance(absl::Seconds(5));
  ASSERT_OK(scene.Get(digest));
  EXPECT_EQ(scene->Stat(digest)->value().record.accessed_s, stored_s);  // not yet written
  scene.clock.Advance(absl::Seconds(6));
  ASSERT_OK(scene.Get(digest));
  EXPECT_EQ(scene->Stat(digest)->value().record.accessed_s, stored_s + 11);
  scene.clock.Advance(absl::Seconds(5));
  ASSERT_OK(scene.Get(digest));
  ASSERT_OK(scene.Open());
  EXPECT_EQ(scene->Stat(digest)->value().record.accessed_s, stored_s + 16);
}

TEST(DiskStore, ACommitSyncsBytesThenNames) {  // Z137
  StoreScene scene;
  scene.options.durability = Durability::kStrict;
  ASSERT_OK(scene.Open());
  ASSERT_OK(scene.Put("hello"));
  const size_t before = scene.files.trace().size();
  const std::string name = ObjectName(DigestOfText("world").blake3);
  ASSERT_OK(scene.Put("world"));
  std::string order;
  const std::vector<std::string> trace = scene.files.trace();
  for (size_t i = before; i < trace.size(); ++i) {
    const std::string& line = trace[i];
    if (absl::StartsWith(line, "write")) order += "w";
    if (absl::StartsWith(line, "fsync")) order += absl::StrContains(line, "objects/") ? "D" : "s";
    if (absl::StrContains(line, name)) order += "n";
  }
  EXPECT_THAT(order, HasSubstr("ws")) << absl::StrJoin(trace, "\n");
  EXPECT_THAT(order, HasSubstr("nD")) << absl::StrJoin(trace, "\n");
}

// S25: a map is the oracle. Damage and restarts come in between.
TEST(DiskStore, RandomOperationsAgreeWithAMap) {
  for (uint32_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    StoreScene scene;
    scene.make_index = KeepIndex(std::shared_ptr<Index>(MakeMemoryIndex()));
    scene.options.durability = static_cast<Durability>(seed % 3);
    ASSERT_OK(scene.Open());
    std::vector<std::string> texts;
    for (uint64_t i = 0; i < 24; ++i) texts.push_back(BlobText(i, i * i * 37 % 9000));
    std::map<Digest, std::string> model;
    for (int step = 0; step < 600; ++step) {
      const std::string& text = texts[random() % texts.size()];
      const Digest digest = DigestOfText(text);
      switch (random() % 8) {
        case 0:
        case 1:
        case 2:
          ASSERT_OK(scene.Put(text));
          model[digest] = text;
          break;
        case 3:
          ASSERT_THAT(scene->Remove(digest), IsOkAndHolds(model.erase(digest) > 0));
          break;
        case 4:
          if (step % 10 == 0) {
            ASSERT_OK(scene.Open());
          }
          break;
        case 5: {
          const std::string wrong = text + "x";
          EXPECT_FALSE(PutBytes(*scene, {digest.blake3, wrong.size()}, base::AsBytes(wrong)).ok());
          break;
        }
        case 6: {
          scene.clock.Advance(absl::Seconds(random() % 20));
          const auto read = scene.Get(digest);
          if (model.contains(digest)) {
            ASSERT_THAT(read, IsOkAndHolds(text));
          } else {
            ASSERT_THAT(read, StatusIs(StatusCode::kNotFound));
          }
          break;
        }
        default:
          ASSERT_THAT(scene->Contains(digest), IsOkAndHolds(model.contains(digest)));
          ASSERT_THAT(scene->Check(digest),
                      IsOkAndHolds(model.contains(digest) ? std::optional(digest.size_bytes)
                                                          : std::nullopt));
      }
    }
    ASSERT_OK_AND_ASSIGN(const auto listed, scene->List({}, 1000));
    std::vector<Digest> digests;
    uint64_t bytes = 0;
    for (const StoredBlob& blob : listed) digests.push_back(blob.digest);
    std::vector<Digest> expected;
    for (const auto& [digest, text] : model) {
      expected.push_back(digest);
      bytes += text.size();
    }
    EXPECT_EQ(digests, expected);
    EXPECT_EQ(scene->Stats()->logical_bytes, bytes);
  }
}

}  // namespace
}  // namespace slipway::cas
