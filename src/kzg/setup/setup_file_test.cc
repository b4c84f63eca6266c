// The binary form and the cache of tables, whatever happens to the file (K65, K75; KR1, KR2).
#include "kzg/setup/setup_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/digest/sha256.h"
#include "base/sim/files.h"
#include "base/testing/status_matchers.h"
#include "kzg/scheme/generate.h"
#include "kzg/scheme/kzg.h"
#include "kzg/setup/format.h"
#include "kzg/setup/load.h"

namespace slipway::kzg {
namespace {

using base::testing::IsOk;
using base::testing::IsOkAndHolds;
using base::testing::StatusIs;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Tables as small as they get, so that a disk in memory is quick.
constexpr TablePlan kTiny{.blob_bits = 15, .cell_bits = 15, .lane_bits = 15};

const base::Bytes& Bytes() {
  static const base::Bytes bytes = GenerateInsecureSetup(11);
  return bytes;
}
// Without tables, and with them.
const kzg::Setup& Plain() {
  static const std::shared_ptr<const kzg::Setup> setup =
      kzg::Setup::Make(*DecodeSetup(Bytes()), SetupIdOf(Bytes()));
  return *setup;
}
const kzg::Setup& Tabled() {
  static const std::shared_ptr<const kzg::Setup> setup =
      Plain().WithTables(ProvingTables::Build(Plain(), kTiny, nullptr));
  return *setup;
}
std::string TextOf(const base::Bytes& bytes) {
  std::string text = "4096\n65\n";
  size_t at = 0;
  for (const auto& [count, size] :
       {std::pair(kSetupG1Points, kBytesPerG1), std::pair(kSetupG2Points, kBytesPerG2),
        std::pair(kSetupG1Points, kBytesPerG1)}) {
    for (size_t i = 0; i < count; ++i, at += size) {
      absl::StrAppend(&text, base::ToHex(BytesView(bytes).subspan(at, size)), "\n");
    }
  }
  return text;
}

// The file of `setup` as it lies on a disk, aligned in memory.
FileImage ImageOf(const kzg::Setup& setup) {
  base::sim::Files files(1);
  const auto dir = *files.MakeRoot("/d");
  EXPECT_THAT(WriteSetupFile(*dir, "f", setup), IsOk());
  return *ReadImage(files, "/d/f");
}
// A copy with one byte changed, or cut to `size`.
FileImage Changed(const FileImage& image, size_t at, size_t size) {
  auto words = std::make_shared<std::vector<std::array<uint8_t, 64>>>(image.bytes.size() / 64 + 1);
  auto* bytes = reinterpret_cast<uint8_t*>(words->data());
  std::copy(image.bytes.begin(), image.bytes.end(), bytes);
  if (at < size) bytes[at] ^= 0x10;
  return {BytesView(bytes, size), words};
}

// A copy whose section `section` begins with `entry`, with digests as a forger would make them.
template <class Entry>
FileImage Forged(const FileImage& image, size_t section, const Entry& entry) {
  FileImage copy = Changed(image, image.bytes.size(), image.bytes.size());
  auto* at = const_cast<uint8_t*>(copy.bytes.data());
  const auto offset = base::LoadLittle<uint64_t>(at + format::kSectionsAt + 16 * section);
  std::memcpy(at + offset, &entry, sizeof(entry));
  const auto payload = base::Sha256Of(copy.bytes.subspan(format::kHeaderBytes));
  std::copy(payload.begin(), payload.end(), at + format::kPayloadDigestAt);
  const auto header = base::Sha256Of(copy.bytes.subspan(0, format::kHeaderDigestAt));
  std::copy(header.begin(), header.end(), at + format::kHeaderDigestAt);
  return copy;
}

TEST(SetupFile, HoldsPointsAndTables) {  // K75
  for (const kzg::Setup* setup : {&Plain(), &Tabled()}) {
    ASSERT_OK_AND_ASSIGN(const auto read, ParseSetupFile(ImageOf(*setup), "f", DigestCheck::kFull));
    EXPECT_EQ(read->id(), setup->id());
    EXPECT_EQ(EncodeSetup(read->points()), Bytes());
    EXPECT_EQ(read->tables() == nullptr, setup->tables() == nullptr);
    const base::Bytes blob(kBytesPerBlob, 0x11);
    EXPECT_EQ(*CommitAndProve(blob, *read)->proof.begin(),
              *CommitAndProve(blob, Plain())->proof.begin());
    EXPECT_EQ(BlobToCommitment(blob, *read).value(), BlobToCommitment(blob, Plain()).value());
  }
}

TEST(SetupFile, EveryRegionThatIsChangedIsNoticed) {  // KR2
  const FileImage good = ImageOf(Tabled());
  std::vector<size_t> places = {0,  7,  8,   12,  16,  47,   48,   60,  64,
                                71, 72, 103, 104, 200, 4000, 4064, 4095};
  for (size_t at = 4096; at < good.bytes.size(); at += 500'009) places.push_back(at);
  places.push_back(good.bytes.size() - 1);
  for (const size_t at : places) {
    const absl::Status status =
        ParseSetupFile(Changed(good, at, good.bytes.size()), "f", DigestCheck::kFull).status();
    EXPECT_THAT(status.code(),
                AnyOf(absl::StatusCode::kDataLoss, absl::StatusCode::kFailedPrecondition))
        << at << ": " << status;
  }
}

TEST(SetupFile, ACutFileIsNoticed) {  // KR2
  const FileImage good = ImageOf(Plain());
  for (const size_t size : {size_t{0}, size_t{7}, size_t{8}, size_t{4095}, size_t{4096},
                            size_t{4097}, good.bytes.size() - 1}) {
    EXPECT_THAT(ParseSetupFile(Changed(good, size, size), "f", DigestCheck::kHeader),
                StatusIs(absl::StatusCode::kDataLoss))
        << size;
  }
}

TEST(SetupFile, PointsOfAnotherSetupUnderItsIdAreRefused) {  // K65
  const FileImage good = ImageOf(Plain());
  const bls12_381::G1Affine other = Plain().points().g1_monomial[5];
  const bls12_381::G2Affine g2 = Plain().points().g2_monomial[5];
  const std::array<bls12_381::Fp2, 2> g2_entry = {g2.x, g2.y};
  for (const FileImage& forged :
       {Forged(good, format::kLagrange, bls12_381::G1Entry::FromAffine(other)),
        Forged(good, format::kMonomial, bls12_381::G1Entry::FromAffine(other)),
        Forged(good, format::kG2, g2_entry)}) {
    for (const DigestCheck check : {DigestCheck::kFull, DigestCheck::kHeader}) {
      EXPECT_THAT(ParseSetupFile(forged, "f", check),
                  StatusIs(absl::StatusCode::kDataLoss, HasSubstr("not those of the setup")));
    }
  }
}

TEST(SetupFile, PointsOffTheirCurveAreRefused) {  // K65
  const FileImage good = ImageOf(Plain());
  // Compressed, these are the point that belongs there: y has its sign, x its value.
  bls12_381::G1Affine first = Plain().points().g1_lagrange[0];
  const bls12_381::Fp y = first.y;
  first.y = first.y.Double().IsLexicographicallyLargest() == y.IsLexicographicallyLargest()
                ? y.Double()
                : y + y.Double();
  bls12_381::G1Affine unreduced = Plain().points().g1_lagrange[0];
  bool carry = false;
  for (int i = 0; i < 6; ++i) {
    uint64_t& limb = unreduced.x.limb[i];
    const bool over = __builtin_add_overflow(limb, bls12_381::kFpModulus[i], &limb);
    carry = __builtin_add_overflow(limb, uint64_t{carry}, &limb) || over;
  }
  for (const bls12_381::G1Affine& wrong : {first, unreduced}) {
    EXPECT_THAT(
        ParseSetupFile(Forged(good, format::kLagrange, bls12_381::G1Entry::FromAffine(wrong)), "f",
                       DigestCheck::kFull),
        StatusIs(absl::StatusCode::kDataLoss, HasSubstr("not on their curve")));
  }
}

TEST(SetupFile, HoldsInfinityWhereASetupHasIt) {  // K75
  base::Bytes bytes = Bytes();
  const size_t at = kSetupG1Points * kBytesPerG1 + 3 * kBytesPerG2;
  std::fill_n(bytes.begin() + at, kBytesPerG2, uint8_t{0});
  bytes[at] = 0xc0;
  const auto setup = kzg::Setup::Make(*DecodeSetup(bytes), SetupIdOf(bytes));
  ASSERT_OK_AND_ASSIGN(const auto read, ParseSetupFile(ImageOf(*setup), "f", DigestCheck::kFull));
  EXPECT_EQ(EncodeSetup(read->points()), bytes);
}

// A header with version `version` and a right digest.
TEST(SetupFile, NewerAndForeignFilesAreRefusedByName) {
  const FileImage good = ImageOf(Plain());
  const FileImage newer = Changed(good, good.bytes.size(), good.bytes.size());
  const_cast<uint8_t*>(newer.bytes.data())[format::kVersionAt] = 2;
  EXPECT_THAT(ParseSetupFile(newer, "f", DigestCheck::kFull),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("format 2 is newer")));
  EXPECT_NE(SetupFileName(Plain().id(), &kTiny), SetupFileName(kEthereumSetupId, &kTiny));
  EXPECT_EQ(SetupFileName(kEthereumSetupId, nullptr), "kzg-608ac720ba55fc77-1-none.tbl");
}

TEST(SetupFile, PowerLossAtEveryOperationLeavesTheOldFileOrTheNewOne) {  // K65, KR1
  base::sim::Files before(5);
  before.KeepTrace(false);
  ASSERT_THAT(WriteSetupFile(**before.MakeRoot("/cache"), "f", Plain()), IsOk());
  before.Settle();
  for (int n = 1; n < 200; ++n) {
    base::sim::Files files = before;
    files.PowerLossAt(n);
    const absl::Status status = [&]() -> absl::Status {
      SLIPWAY_ASSIGN_OR_RETURN(const auto dir, files.MakeRoot("/cache"));
      return WriteSetupFile(*dir, "f", Tabled());
    }();
    base::sim::Files after = files.AfterReboot();
    const auto image = ReadImage(after, "/cache/f");
    ASSERT_THAT(image, IsOk()) << n;
    const auto read = ParseSetupFile(*image, "f", DigestCheck::kFull);
    ASSERT_THAT(read, IsOk()) << n;
    if (status.ok()) {
      EXPECT_NE((*read)->tables(), nullptr) << n;
    }
    if (!files.off()) return;
  }
  FAIL() << "more operations than 200";
}

// ---- Loading ----

class LoadTest : public ::testing::Test {
 protected:
  LoadTest() {
    files_.KeepTrace(false);
    const auto dir = *files_.MakeRoot("/s");
    EXPECT_THAT(base::WriteFileDurably(*dir, "setup.txt", TextOf(Bytes())), IsOk());
    options_.path = "/s/setup.txt";
    options_.cache_dir = "/cache/kzg";
    options_.plan = kTiny;
    options_.precompute = Precompute::kBuild;
    options_.build = [this](const kzg::Setup&, const TablePlan& plan, Executor*) {
      EXPECT_EQ(plan, kTiny);
      ++builds_;
      return ProvingTables::FromEntries(kTiny, Tabled().tables()->entries());
    };
  }
  std::string CachePath() const {
    return absl::StrCat("/cache/kzg/", SetupFileName(Plain().id(), &kTiny));
  }
  base::sim::Files files_{3};
  LoadOptions options_;
  int builds_ = 0;
};

TEST_F(LoadTest, BuildsTablesOnceAndFindsThemAgain) {  // K64, K75
  ASSERT_OK_AND_ASSIGN(const LoadedSetup first, LoadSetup(files_, options_, nullptr));
  EXPECT_TRUE(first.tables_built);
  EXPECT_EQ(first.tables_file, CachePath());
  EXPECT_THAT(first.notes, IsEmpty());
  options_.precompute = Precompute::kAuto;
  ASSERT_OK_AND_ASSIGN(const LoadedSetup second, LoadSetup(files_, options_, nullptr));
  EXPECT_TRUE(second.tables_from_cache);
  EXPECT_FALSE(second.tables_built);
  EXPECT_NE(second.setup->tables(), nullptr);
  EXPECT_EQ(builds_, 1);
}

TEST_F(LoadTest, AutoBuildsNothingThatNobodyAskedFor) {
  options_.precompute = Precompute::kAuto;
  ASSERT_OK_AND_ASSIGN(const LoadedSetup loaded, LoadSetup(files_, options_, nullptr));
  EXPECT_EQ(loaded.setup->tables(), nullptr);
  EXPECT_THAT(loaded.notes, IsEmpty());
}

TEST_F(LoadTest, ADamagedCacheIsNamedBuiltAgainAndReplaced) {  // K65, K75
  ASSERT_OK(LoadSetup(files_, options_, nullptr));
  ASSERT_THAT(files_.FlipBit(CachePath(), 8 * 5'000'000), IsOk());
  options_.precompute = Precompute::kAuto;
  ASSERT_OK_AND_ASSIGN(const LoadedSetup mended, LoadSetup(files_, options_, nullptr));
  EXPECT_TRUE(mended.tables_built);
  EXPECT_THAT(mended.notes, ElementsAre(HasSubstr("wrong digest); the tables are built again")));
  ASSERT_OK_AND_ASSIGN(const LoadedSetup again, LoadSetup(files_, options_, nullptr));
  EXPECT_TRUE(again.tables_from_cache);
}

TEST_F(LoadTest, TablesOfAnotherSetupAreNotTaken) {  // K65
  const base::Bytes other = GenerateInsecureSetup(12);
  const auto foreign = kzg::Setup::Make(*DecodeSetup(other), SetupIdOf(other));
  ASSERT_THAT(WriteSetupFile(**files_.MakeRoot("/cache/kzg"), SetupFileName(Plain().id(), &kTiny),
                             *foreign->WithTables(
                                 ProvingTables::FromEntries(kTiny, Tabled().tables()->entries()))),
              IsOk());
  ASSERT_OK_AND_ASSIGN(const LoadedSetup loaded, LoadSetup(files_, options_, nullptr));
  EXPECT_THAT(loaded.notes, ElementsAre(HasSubstr("it is of another setup")));
  EXPECT_EQ(BlobToCommitment(base::Bytes(kBytesPerBlob, 1), *loaded.setup).value(),
            BlobToCommitment(base::Bytes(kBytesPerBlob, 1), Plain()).value());
}

TEST_F(LoadTest, TablesThatSomebodyElseCouldHaveWrittenAreNotTaken) {  // K65
  ASSERT_OK(LoadSetup(files_, options_, nullptr));
  const auto with = [this](uint32_t owner, uint32_t mode) {
    options_.uid = 1000;
    options_.map = [=](base::Files& files, const std::string& path) -> absl::StatusOr<FileImage> {
      SLIPWAY_ASSIGN_OR_RETURN(FileImage image, ReadImage(files, path));
      image.uid = owner;
      image.mode = mode;
      return image;
    };
    return *LoadSetup(files_, options_, nullptr);
  };
  EXPECT_TRUE(with(1000, 0644).tables_from_cache);
  EXPECT_TRUE(with(0, 0600).tables_from_cache);
  EXPECT_THAT(with(1001, 0644).notes,
              ElementsAre(HasSubstr("another user (uid 1001); the tables are built again")));
  EXPECT_THAT(with(1000, 0664).notes, ElementsAre(HasSubstr("others may write it")));
  EXPECT_THAT(with(0, 0602).notes, ElementsAre(HasSubstr("others may write it")));
}

TEST_F(LoadTest, ACacheThatCannotBeWrittenIsNoFailure) {  // K75
  files_.FailAt(files_.operations() + 1, absl::PermissionDeniedError("mkdir"), /*sticky=*/true);
  ASSERT_OK_AND_ASSIGN(const LoadedSetup loaded, LoadSetup(files_, options_, nullptr));
  EXPECT_NE(loaded.setup->tables(), nullptr);
  EXPECT_THAT(loaded.notes, ElementsAre(HasSubstr("the tables are not kept in /cache/kzg")));
}

TEST_F(LoadTest, WhoMeetsAnotherWriterDoesNotWait) {  // KR1
  const auto dir = *files_.MakeRoot("/cache/kzg");
  const auto lock = *dir->Open("kzg.lock", {.write = true, .create = true});
  ASSERT_THAT(lock->TryLock(), IsOk());
  ASSERT_OK_AND_ASSIGN(const LoadedSetup loaded, LoadSetup(files_, options_, nullptr));
  EXPECT_NE(loaded.setup->tables(), nullptr);
  EXPECT_THAT(loaded.notes, ElementsAre(HasSubstr("the tables are not kept")));
}

TEST_F(LoadTest, ABinarySetupNeedsNoText) {
  ASSERT_THAT(WriteSetupFile(**files_.MakeRoot("/b"), "e.tbl", Tabled()), IsOk());
  options_.path = "/b/e.tbl";
  options_.cache_dir.clear();
  ASSERT_OK_AND_ASSIGN(const LoadedSetup loaded, LoadSetup(files_, options_, nullptr));
  EXPECT_TRUE(loaded.tables_from_cache);
  options_.precompute = Precompute::kNone;
  ASSERT_OK_AND_ASSIGN(const LoadedSetup bare, LoadSetup(files_, options_, nullptr));
  EXPECT_EQ(bare.setup->tables(), nullptr);
}

TEST(PrecomputeLevels, AreNamedOrGivenAsBits) {  // K70, K76
  EXPECT_EQ(ParsePrecompute("none")->first, Precompute::kNone);
  EXPECT_EQ(ParsePrecompute("auto")->first, Precompute::kAuto);
  EXPECT_EQ(ParsePrecompute("small")->second, TablePlan());
  EXPECT_EQ(ParsePrecompute("12,8")->second, (TablePlan{.blob_bits = 12, .cell_bits = 8}));
  for (const char* bad : {"", "huge", "12", "3,9", "12,16", "12,8,9", "-1,9"}) {
    EXPECT_THAT(ParsePrecompute(bad),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("auto, none, small")))
        << bad;
  }
}

}  // namespace
}  // namespace slipway::kzg
