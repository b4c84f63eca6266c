// What others do to the folder of a store, and what fails where nobody looks.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cas/store/test_store.h"

namespace slipway::cas {
namespace {

using ::absl::StatusCode;
using ::slipway::base::testing::IsOkAndHolds;
using ::slipway::base::testing::StatusIs;
using ::testing::HasSubstr;

Digest DigestOfText(absl::string_view text) { return DigestOf(base::AsBytes(text)); }

// The bytes of a file that stands in the place of the object of `digest`.
void Plant(StoreScene& scene, const Digest& digest, absl::string_view bytes) {
  ASSERT_OK_AND_ASSIGN(auto objects, scene.files.OpenRoot(absl::StrCat(kTestRoot, "/objects")));
  ASSERT_OK(base::MakeDirs(*objects, digest.Hex().substr(0, 2)));
  ASSERT_OK_AND_ASSIGN(auto dir, objects->OpenDir(digest.Hex().substr(0, 2)));
  ASSERT_OK(base::WriteFileDurably(*dir, ObjectName(digest.blake3), bytes, kObjectMode));
}

void TakeAway(StoreScene& scene, const Digest& digest) {
  ASSERT_OK_AND_ASSIGN(auto root, scene.files.OpenRoot(kTestRoot));
  ASSERT_OK(root->Remove(absl::StrCat("objects/", ObjectPath(digest.blake3))));
}

TEST(StrangeFolder, WhatAStoreWouldSweepMakesItNoPlaceForOne) {  // spec 7.11
  for (const char* file : {"tmp/thesis", "objects/photo", "quarantine/note", "index.mdb"}) {
    SCOPED_TRACE(file);
    StoreScene scene;
    ASSERT_OK_AND_ASSIGN(auto root, scene.files.MakeRoot(kTestRoot));
    const std::string folder(base::SplitPath(file).first);
    if (!folder.empty()) {
      ASSERT_OK(root->MakeDir(folder));
    }
    ASSERT_OK(root->Open(file, {.write = true, .create = true}));
    EXPECT_THAT(scene.Open(),
                StatusIs(StatusCode::kFailedPrecondition, HasSubstr("this folder is no store")));
    EXPECT_TRUE(scene.files.Exists(absl::StrCat(kTestRoot, "/", file)));
  }
}

TEST(StrangeFolder, EmptyDirectoriesAndOtherFilesAreNoHindrance) {
  StoreScene scene;
  ASSERT_OK_AND_ASSIGN(auto root, scene.files.MakeRoot(kTestRoot));
  for (const char* dir : {"tmp", "objects", "lost+found"}) ASSERT_OK(root->MakeDir(dir));
  ASSERT_OK(root->Open("keys.yaml", {.write = true, .create = true}));
  ASSERT_OK(scene.Open());
  EXPECT_TRUE(scene.files.Exists(absl::StrCat(kTestRoot, "/keys.yaml")));
}

TEST(StrangeFolder, ObjectsThatCameOrWentWhileTheStoreWasClosedAreSeen) {
  const auto index = std::shared_ptr<Index>(MakeMemoryIndex());
  StoreScene scene;
  scene.make_index = KeepIndex(index);
  ASSERT_OK(scene.Open());
  ASSERT_OK(scene.Put("one"));
  ASSERT_OK(scene.Put("two"));
  scene.store.reset();
  scene.clock.Advance(absl::Seconds(1));
  TakeAway(scene, DigestOfText("one"));
  ASSERT_OK(scene.Open());
  EXPECT_THAT(scene->Contains(DigestOfText("one")), IsOkAndHolds(false));
  EXPECT_EQ(scene->Stats()->blobs, 1u);
  scene.store.reset();
  scene.clock.Advance(absl::Seconds(1));
  Plant(scene, DigestOfText("three"), "three");
  ASSERT_OK(scene.Open());
  EXPECT_THAT(scene->Contains(DigestOfText("three")), IsOkAndHolds(true));
  EXPECT_EQ(scene->Stats()->blobs, 2u);
}

TEST(StrangeFolder, AnotherFileOfTheSameLengthIsReadAnewWhenItIsSeen) {
  StoreScene scene;
  ASSERT_OK(scene.Open());
  ASSERT_OK(scene.Put("hello"));
  EXPECT_THAT(scene.Get(DigestOfText("hello")), IsOkAndHolds("hello"));
  TakeAway(scene, DigestOfText("hello"));
  Plant(scene, DigestOfText("hello"), "hellO");
  EXPECT_THAT(scene->Check(DigestOfText("hello")), IsOkAndHolds(std::optional<uint64_t>(5)));
  EXPECT_THAT(scene.Get(DigestOfText("hello")), StatusIs(StatusCode::kDataLoss));
}

TEST(StrangeFolder, WhatWasRemovedIsNotKnownAsRightAnyMore) {
  StoreScene scene;
  ASSERT_OK(scene.Open());
  ASSERT_OK(scene.Put("hello"));
  EXPECT_THAT(scene->Remove(DigestOfText("hello")), IsOkAndHolds(true));
  Plant(scene, DigestOfText("hello"), "hellO");
  EXPECT_THAT(scene.Get(DigestOfText("hello")), StatusIs(StatusCode::kDataLoss));
}

TEST(StrangeFolder, AFileOfAnotherLengthYieldsToAnUpload) {
  StoreScene scene;
  ASSERT_OK(scene.Open());
  const Digest digest = DigestOfText("hello");
  ASSERT_OK_AND_ASSIGN(auto writer, scene->Store(digest));
  ASSERT_OK(writer->Append(base::AsBytes("hello")));
  Plant(scene, digest, "hell");
  ASSERT_OK(writer->Commit());
  EXPECT_THAT(scene.Get(digest), IsOkAndHolds("hello"));
}

TEST(StrangeFolder, DamageOfAnOldFileDoesNotTakeTheNewOneAway) {  // ZR5
  StoreScene scene;
  ASSERT_OK(scene.Open());
  const std::string text(1000, 'x');
  const Digest digest = DigestOfText(text);
  ASSERT_OK(scene.Put(text));
  scene.store.reset();
  ASSERT_OK(scene.Open());  // so that the first read is verified
  scene.Damage(digest, 500, "y");
  ASSERT_OK_AND_ASSIGN(auto reader, scene->Fetch(digest, {}));
  EXPECT_THAT(scene->Remove(digest), IsOkAndHolds(true));
  ASSERT_OK(scene.Put(text));
  // Known to be right since it was stored; the reader does not change that.
  base::Bytes out(1000);
  EXPECT_THAT(reader->Read(absl::MakeSpan(out)), StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(scene->Contains(digest), IsOkAndHolds(true));
  EXPECT_THAT(scene.Get(digest), IsOkAndHolds(text));
}

TEST(StrangeFolder, AListOfOneMoreThanTheLargestPageIsWhole) {  // Z143
  const auto index = std::shared_ptr<Index>(MakeMemoryIndex());
  StoreScene scene;
  scene.make_index = KeepIndex(index);
  ASSERT_OK(scene.Open());
  std::vector<Index::Entry> entries(10'005);
  for (size_t i = 0; i < entries.size(); ++i) base::StoreLittle(entries[i].first.data(), i);
  ASSERT_OK(index->Apply(entries, {}, false));
  EXPECT_EQ(scene->List({}, 10'001)->size(), 10'001u);
}

TEST(StrangeFolder, CollectSparesWhatIsReadMeanwhile) {
  StoreScene scene;
  ASSERT_OK(scene.Open());
  for (int i = 0; i < 100; ++i) ASSERT_OK(scene.Put(absl::StrCat("blob ", i)));
  ASSERT_OK_AND_ASSIGN(const std::vector<StoredBlob> all, scene->List({}, 1000));
  const Digest last = all.back().digest;  // of equal age those with the lower hash go first
  bool read = false;
  ASSERT_OK(scene->Collect(0, /*dry_run=*/false, [&](const StoredBlob&) {
    if (!std::exchange(read, true)) {
      EXPECT_OK(scene->Fetch(last, {}));
    }
    return true;
  }));
  EXPECT_THAT(scene->Contains(last), IsOkAndHolds(true));
  EXPECT_EQ(scene->Stats()->blobs, 1u);
}

// ---- An index that refuses ----

class RefusingIndex : public KeptIndex {
 public:
  RefusingIndex(std::shared_ptr<Index> kept, const bool& refuse)
      : KeptIndex(std::move(kept)), refuse_(refuse) {}
  absl::Status Apply(absl::Span<const Entry> put, absl::Span<const Hash> erase,
                     bool durable) override {
    if (refuse_) return absl::ResourceExhaustedError("index: commit: no space");
    return KeptIndex::Apply(put, erase, durable);
  }

 private:
  const bool& refuse_;
};

TEST(StrangeFolder, WhatWentWithoutTheIndexIsNotSaidToBeThere) {  // ZR3
  const auto index = std::shared_ptr<Index>(MakeMemoryIndex());
  bool refuse = false;
  StoreScene scene;
  scene.make_index = [&](const std::string&) -> base::Owned<Index> {
    return std::make_unique<RefusingIndex>(index, refuse);
  };
  const Digest digest = DigestOfText("hello");
  ASSERT_OK(scene.Open());
  ASSERT_OK(scene.Put("hello"));
  refuse = true;
  EXPECT_THAT(scene->Remove(digest), StatusIs(StatusCode::kResourceExhausted));
  EXPECT_FALSE(scene.files.Exists(scene.ObjectFile(digest)));
  EXPECT_THAT(scene->Contains(digest), IsOkAndHolds(false));
  refuse = false;
  EXPECT_THAT(scene->Contains(digest), IsOkAndHolds(false));
  scene.store.reset();
  ASSERT_OK(scene.Open());
  EXPECT_THAT(scene->Contains(digest), IsOkAndHolds(false));
  ASSERT_OK(scene.Put("hello"));
  EXPECT_THAT(scene->Contains(digest), IsOkAndHolds(true));
}

}  // namespace
}  // namespace slipway::cas
