// What packing does in each case, and what it leaves behind when anything fails (D6-D12, D283,
// D284).
#include "deploy/pack/test_machine.h"

#include <vector>

#include "absl/algorithm/container.h"
#include "base/check.h"
#include "base/digest/sha256.h"
#include "base/sim/pool.h"
#include "base/testing/status_matchers.h"
#include "deploy/pack/hostile_archives.h"
#include "deploy/pack/source_reader.h"
#include "deploy/pack/tar_writer.h"
#include "deploy/repository/codec.h"

namespace slipway::deploy {
namespace {

using base::testing::IsOk;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

std::string Code(const absl::Status& status) { return base::GetErrorInfo(status).code; }

TEST(PackSimTest, RandomTreesComeBackAsTheyWere) {  // D2
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    PackSim sim(seed);
    sim.options.codec = static_cast<base::Codec>(seed % 3);
    sim.options.level = base::CodecLevelDefault(sim.options.codec);
    RandomTreeOptions tree;
    tree.file_bytes_max = seed % 10 == 0 ? 300'000 : 3'000;
    ASSERT_THAT(MakeRandomTree(*sim.source, sim.world.random, tree), IsOk());
    const auto packed = sim.Run();
    ASSERT_THAT(packed, IsOk());
    const bool keep = seed % 2 == 0;  // else as deployments do it (D193)
    const auto extracted = sim.Unpack(
        sim.Package(), "/p/into",
        {.content_bytes = packed->manifest.package.content->bytes, .keep_world_write = keep});
    ASSERT_THAT(extracted, IsOk());
    const auto into = sim.world.files.OpenRoot("/p/into");
    const uint32_t kept_bits = keep ? 0777 : 0775;
    EXPECT_EQ(SnapshotDifference(*Snapshot(*sim.source, kept_bits),
                                 *Snapshot(**into, keep ? 0777 : 07777)),
              "");
    EXPECT_EQ(TreeDigest(extracted->entries), packed->manifest.package.content->tree);
    const std::string stored = *sim.world.files.Read("/p/dist/model-1.0.0.files.zst");
    const FileIndex index = DecodeFileIndex(base::AsBytes(stored)).value();
    MemorySource source(stored);
    EXPECT_THAT(CompareWithIndex(extracted->entries, ReadFileIndex(source, 1 << 30).value()),
                IsOk());
    const auto drift = VerifyTree(**into, index, sim.world.pool, {}, {});
    ASSERT_THAT(drift, IsOk());
    EXPECT_THAT(*drift, IsEmpty());
  }
}

// What is inside gets its mode and time while its parents can still be gone through.
TEST(PackSimTest, DirectoriesThatTheirOwnerMayNotEnterAreExtractedByAUser) {  // D2, D193
  PackSim sim(5);
  std::string archive;
  for (const auto& [path, mode] : std::vector<std::pair<std::string, uint32_t>>{
           {"a", 0}, {"a/b", 0500}, {"a/b/c", 0400}, {"a/b/c/d", 0750}, {"e/f", 0600}}) {
    TarMember member = FileMember(path);
    member.type = TarMember::Type::kDirectory;
    member.mode = mode;
    archive += Header(member);
  }
  absl::StrAppend(&archive, WholeMember(FileMember("a/b/c/d/file", 3)), TarEnd());
  sim.options.codec = base::Codec::kNone;
  ASSERT_THAT(sim.world.files.MakeRoot("/home").value()->SetMeta("", {.mode = 0777}), IsOk());
  sim.world.SetUser("ann", 1000);
  ASSERT_THAT(sim.Unpack(archive, "/home/into"), IsOk());
  sim.world.SetUser("root", 0);
  const auto into = sim.world.files.OpenRoot("/home/into").value();
  const auto mode = [&](absl::string_view path) { return into->Stat(path).value().mode; };
  EXPECT_EQ(mode("a"), 0u);
  EXPECT_EQ(mode("a/b"), 0500u);
  EXPECT_EQ(mode("a/b/c"), 0400u);
  EXPECT_EQ(mode("a/b/c/d"), 0750u);
  EXPECT_EQ(mode("e/f"), 0600u);
}

TEST(PackSimTest, ATreeWithMoreNamesThanAPackageMayHoldIsRefused) {  // D192, D262
  PackSim sim(3);
  std::string folder;
  for (int i = 0; i < 19; ++i) absl::StrAppend(&folder, std::string(200, 'd'), "/");
  for (int i = 0; i < 4'700; ++i) sim.Put(absl::StrCat(folder, i), "");
  const absl::Status refused = sim.Run().status();
  EXPECT_EQ(Code(refused), "DT018");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("names"));
  EXPECT_EQ(sim.Package(), "");
}

TEST(PackSimTest, SameInputSameBytesWhateverThePool) {  // D140, D141
  std::vector<std::string> packages;
  for (const int threads : {1, 2, 16}) {
    PackSim sim(7);
    ASSERT_THAT(MakeRandomTree(*sim.source, sim.world.random, {}), IsOk());
    base::sim::Pool pool(static_cast<uint64_t>(threads), threads == 1 ? 1 : 1024, threads);
    base::World world{
        sim.world.clock,      sim.world.random, sim.world.files, sim.world.spawner, pool,
        sim.world.environment};
    ASSERT_THAT(Pack(world, *sim.source, *sim.dist, *sim.manifests, sim.options, {}), IsOk());
    packages.push_back(sim.Package());
  }
  EXPECT_EQ(packages[0], packages[1]);
  EXPECT_EQ(packages[0], packages[2]);
}

// The bytes of a package must never change: one tree, one digest for each container. D141
TEST(PackSimTest, PackageBytesAreThoseOfTheFirstVersion) {
  PackSim sim(1);
  sim.Put("config.json", "{\"size\": 3}\n");
  sim.Put("weights/layer.bin", absl::StrCat(std::string(3'000'000, 'w'), "end"));
  ASSERT_THAT(sim.source->Symlink("weights/layer.bin", "latest"), IsOk());
  sim.options.mtime_epoch_s = 1'700'000'000;
  sim.options.mtime_fixed = true;
  sim.options.codec = base::Codec::kNone;
  ASSERT_THAT(sim.Run(), IsOk());
  EXPECT_EQ(base::ToHex(base::Sha256Of(base::AsBytes(sim.Package()))),
            "391bd675de154d62ee0d50dd7f7d4bf459d44baa3314aa93a5e88c7c09d66d6b");
}

TEST(PackSimTest, ManifestTellsWhatWasPacked) {  // D9, D11
  PackSim sim(1);
  sim.Put("a", "12345");
  sim.Put("d/b", "678");
  sim.Put("x.pyc", "left out");
  sim.options.rules = {{.origin = "defaults", .lines = {"*.pyc"}}};
  sim.options.rules_before_ignore_files = 1;
  const auto packed = sim.Run();
  ASSERT_THAT(packed, IsOk());
  const auto manifest = ParseManifest(sim.ManifestText());
  ASSERT_THAT(manifest, IsOk());
  EXPECT_EQ(manifest->package.file, "model-1.0.0.tar.gz");
  EXPECT_EQ(manifest->package.algorithm, "gzip");
  EXPECT_EQ(manifest->package.level, 6);
  EXPECT_EQ(manifest->package.size_bytes, sim.Package().size());
  EXPECT_EQ(manifest->package.sha256, base::ToHex(base::Sha256Of(base::AsBytes(sim.Package()))));
  EXPECT_EQ(manifest->package.content->files, 2u);
  EXPECT_EQ(manifest->package.content->bytes, 8u);
  EXPECT_THAT(manifest->excluded, ElementsAre(Pair("*.pyc", 1)));
  EXPECT_EQ(manifest->source_path, "./source");
  EXPECT_EQ(packed->source_files, 2u);
  const std::string index = *sim.world.files.Read("/p/dist/model-1.0.0.files.zst");
  EXPECT_EQ(base::ToHex(base::Sha256Of(base::AsBytes(index))), manifest->package.index->sha256);
  const std::string pieces = *sim.world.files.Read("/p/dist/model-1.0.0.pieces");
  EXPECT_EQ(base::ToHex(base::Sha256Of(base::AsBytes(pieces))), manifest->package.pieces->sha256);
}

TEST(PackSimTest, PiecesAreTheDigestsOfEach8MiB) {  // D151
  PackSim sim(1);
  base::Bytes data(20'000'000);
  sim.world.random.Fill(absl::MakeSpan(data));
  sim.Put("big", base::AsText(data));
  sim.options.codec = base::Codec::kNone;
  ASSERT_THAT(sim.Run(), IsOk());
  std::string want;
  const std::string package = sim.Package();
  for (size_t at = 0; at < package.size(); at += 8 << 20) {
    const base::Sha256Digest digest =
        base::Sha256Of(base::AsBytes(absl::string_view(package).substr(at, 8 << 20)));
    want.append(digest.begin(), digest.end());
  }
  EXPECT_EQ(*sim.world.files.Read("/p/dist/model-1.0.0.pieces"), want);
  EXPECT_EQ(want.size(), 3u * 32);
}

TEST(PackSimTest, IndexPointsAtTheData) {  // D150
  PackSim sim(1);
  sim.Put("a", "first");
  sim.Put("b/c", "second");
  sim.options.codec = base::Codec::kNone;
  const auto packed = sim.Run();
  ASSERT_THAT(packed, IsOk());
  const auto index =
      DecodeFileIndex(base::AsBytes(*sim.world.files.Read("/p/dist/model-1.0.0.files.zst")));
  ASSERT_THAT(index, IsOk());
  for (const IndexEntry& entry : index->entries) {
    if (entry.type != IndexEntry::Type::kFile) continue;
    EXPECT_EQ(sim.Package().substr(entry.tar_offset, entry.size_bytes),
              entry.path == "a" ? "first" : "second");
  }
  EXPECT_THAT(index->frames, ElementsAre(Pair(0, 0)));
}

TEST(PackSimTest, MtimesAreKeptClampedOrFixed) {  // D141
  PackSim sim(1);
  sim.Put("old", "");
  sim.Put("new", "");
  ASSERT_THAT(sim.source->SetMeta("old", {.mtime = absl::FromUnixSeconds(100)}), IsOk());
  ASSERT_THAT(sim.source->SetMeta("new", {.mtime = absl::FromUnixSeconds(300)}), IsOk());
  sim.options.mtime_epoch_s = 200;
  const auto mtimes = [&] {
    EXPECT_THAT(sim.Run(), IsOk());
    const auto extracted =
        sim.Unpack(sim.Package(), absl::StrCat("/x", sim.options.component.version));
    EXPECT_THAT(extracted, IsOk());
    return std::make_pair(extracted->entries[1].mtime_ns, extracted->entries[0].mtime_ns);
  };
  EXPECT_EQ(mtimes(), std::make_pair(int64_t{100'000'000'000}, int64_t{200'000'000'000}));
  sim.options.mtime_fixed = true;
  sim.options.component.version = "2";
  EXPECT_EQ(mtimes(), std::make_pair(int64_t{200'000'000'000}, int64_t{200'000'000'000}));
}

TEST(PackSimTest, TheSameAgainIsUnchanged) {  // D12
  PackSim sim(1);
  sim.Put("a", "1");
  ASSERT_THAT(sim.Run(), IsOk());
  const std::string before = sim.world.files.Tree();
  sim.options.created_at += absl::Hours(1);
  sim.options.tool_version = "1.2.4";
  const auto again = sim.Run();
  ASSERT_THAT(again, IsOk());
  EXPECT_TRUE(again->unchanged);
  EXPECT_EQ(again->manifest.created_at, absl::FromUnixSeconds(1'705'744'800));
  EXPECT_EQ(sim.world.files.Tree(), before);
}

TEST(PackSimTest, SomethingElseUnderTheNameIsKept) {  // D12
  PackSim sim(1);
  sim.Put("a", "1");
  ASSERT_THAT(sim.Run(), IsOk());
  sim.Put("a", "2");
  const std::string before = sim.world.files.Tree();
  const auto again = sim.Run();
  EXPECT_EQ(Code(again.status()), "DT012");
  EXPECT_EQ(sim.world.files.Tree(), before);
  sim.options.force = true;
  const auto forced = sim.Run();
  ASSERT_THAT(forced, IsOk());
  EXPECT_FALSE(forced->unchanged);
  EXPECT_EQ(ParseManifest(sim.ManifestText())->package.sha256,
            base::ToHex(base::Sha256Of(base::AsBytes(sim.Package()))));
}

TEST(PackSimTest, ADifferentStatementAboutTheSamePackageNeedsForce) {
  PackSim sim(1);
  sim.Put("a", "1");
  ASSERT_THAT(sim.Run(), IsOk());
  sim.options.labels = {{"stage", "beta"}};
  EXPECT_EQ(Code(sim.Run().status()), "DT012");
  sim.options.force = true;
  ASSERT_THAT(sim.Run(), IsOk());
  EXPECT_THAT(sim.ManifestText(), HasSubstr("beta"));
}

TEST(PackSimTest, MissingOrDamagedSideFilesAreMadeAgain) {
  PackSim sim(1);
  sim.Put("a", "1");
  ASSERT_THAT(sim.Run(), IsOk());
  const std::string whole = sim.world.files.Tree();
  ASSERT_THAT(sim.dist->Remove("model-1.0.0.tar.gz"), IsOk());
  ASSERT_THAT(PutFile(*sim.dist, "model-1.0.0.pieces", "damaged"), IsOk());
  const auto again = sim.Run();
  ASSERT_THAT(again, IsOk());
  EXPECT_FALSE(again->unchanged);
  EXPECT_EQ(sim.world.files.Tree(), whole);
}

TEST(PackSimTest, SpecialFilesAreRefusedOrLeftOut) {  // D12: here what the walk makes of them
  PackSim sim(1);
  sim.Put("a", "1");
  ASSERT_THAT(sim.source->Symlink("/etc/passwd", "outside"), IsOk());
  const auto packed = sim.Run();
  ASSERT_THAT(packed, IsOk());
  EXPECT_THAT(packed->warnings, ElementsAre(HasSubstr("outside: symlink out of the tree")));
}

TEST(PackSimTest, AnUnreadableFileIsNamed) {  // D12
  PackSim sim(1);
  sim.Put("d/secret", "1");
  ASSERT_THAT(sim.source->SetMeta("d/secret", {.mode = 0}), IsOk());
  ASSERT_THAT(sim.world.files.OpenRoot("/p").value()->SetMeta("dist", {.mode = 0777}), IsOk());
  sim.world.files.SetCaller({.uid = 1000, .gid = 1000});
  const auto packed = sim.Run();
  EXPECT_EQ(Code(packed.status()), "DT005");
  EXPECT_THAT(std::string(packed.status().message()), HasSubstr("d/secret"));
}

TEST(PackSimTest, DryRunCountsAndWritesNothing) {
  PackSim sim(1);
  sim.Put("a", "12345");
  sim.Put("x.pyc", "1");
  ASSERT_THAT(sim.source->HardLink("a", "b"), IsOk());
  sim.options.rules = {{.origin = "defaults", .lines = {"*.pyc"}}};
  sim.options.dry_run = true;
  const std::string before = sim.world.files.Tree();
  const auto packed = sim.Run();
  ASSERT_THAT(packed, IsOk());
  EXPECT_EQ(packed->source_files, 2u);
  EXPECT_EQ(packed->source_bytes, 5u);
  EXPECT_THAT(packed->manifest.excluded, ElementsAre(Pair("*.pyc", 1)));
  EXPECT_EQ(sim.world.files.Tree(), before);
}

TEST(PackSimTest, CancelledLeavesNothing) {
  PackSim sim(1);
  sim.Put("a", "12345");
  base::CancelSource cancel;
  cancel.Cancel({.kind = base::CancelReason::Kind::kInterrupt, .text = "SIGINT"});
  const std::string before = sim.world.files.Tree();
  EXPECT_EQ(Code(sim.Run(cancel.token()).status()), "DT026");
  EXPECT_EQ(sim.world.files.Tree(), before);
}

TEST(PackSimTest, BadNamesAndLevelsAreRefused) {  // D10, D12
  PackSim sim(1);
  sim.Put("a", "");
  sim.options.level = 12;
  EXPECT_EQ(Code(sim.Run().status()), "DT001");
  sim.options.level = 6;
  sim.options.component.type = "1model";
  EXPECT_EQ(Code(sim.Run().status()), "DT013");
  sim.options.component = {.type = "model", .version = "current"};
  EXPECT_EQ(Code(sim.Run().status()), "DT003");
}

// A file that changes with each of the first `changes` looks at it.
class Restless : public base::File {
 public:
  Restless(std::string text, int changes) : text_(std::move(text)), changes_(changes) {}
  absl::StatusOr<size_t> ReadAt(uint64_t offset, absl::Span<uint8_t> out) override {
    if (offset >= text_.size()) return size_t{0};
    const size_t size = std::min<size_t>(out.size(), text_.size() - offset);
    std::copy_n(text_.begin() + static_cast<ptrdiff_t>(offset), size, out.begin());
    return size;
  }
  absl::StatusOr<base::Meta> Stat() override {
    if (changes_-- > 0) text_ += "+";
    base::Meta meta;
    meta.size_bytes = meta.allocated_bytes = text_.size();
    return meta;
  }
  absl::StatusOr<base::Xattrs> GetXattrs() override { return base::Xattrs(); }
  absl::Status WriteAt(uint64_t, base::BytesView) override { return Never(); }
  absl::Status Truncate(uint64_t) override { return Never(); }
  absl::Status CopyFrom(base::File&, uint64_t, uint64_t, uint64_t) override { return Never(); }
  absl::StatusOr<std::pair<uint64_t, uint64_t>> NextData(uint64_t) override { return Never(); }
  absl::Status SetMeta(const base::MetaChange&) override { return Never(); }
  absl::Status Sync() override { return Never(); }
  absl::Status TryLock() override { return Never(); }
  void DropCache(uint64_t, uint64_t) override {}

 private:
  static absl::Status Never() { return absl::InternalError("not called"); }
  std::string text_;
  int changes_;
};

TEST(ReadWhole, ReadsAChangedFileOnceMore) {  // D12
  for (const int changes : {0, 1, 2, 3}) {
    Restless file("text", changes);
    SourceItem item;
    item.meta = *file.Stat();
    ASSERT_THAT(ReadWhole(file, item), IsOk());
    EXPECT_EQ(item.changed, changes > 2) << changes;
    EXPECT_EQ(item.data.size(), 4u + static_cast<size_t>(std::min(changes, 2)));
    EXPECT_EQ(item.digest, base::Blake3Of(item.data));
    EXPECT_EQ(item.meta.size_bytes, item.data.size());
  }
}

TEST(PackSimTest, ALargeFileThatChangesFailsThePackOrWarns) {  // D12
  for (const bool shrink : {false, true}) {
    for (const bool allow : {false, true}) {
      PackSim sim(1);
      sim.options.codec = base::Codec::kNone;
      sim.options.allow_changing = allow;
      sim.Put("big", std::string(12 << 20, 'x'));
      bool done = false;
      sim.options.progress = [&](const PackProgress& progress) {
        if (done || progress.bytes == 0) return;
        done = true;
        const auto file = sim.source->Open("big", {.write = true});
        ASSERT_THAT(
            shrink ? (*file)->Truncate(5 << 20) : (*file)->WriteAt(12 << 20, base::AsBytes("more")),
            IsOk());
      };
      const auto packed = sim.Run();
      if (!allow) {
        EXPECT_EQ(Code(packed.status()), "DT016");
        EXPECT_EQ(sim.Package(), "");
        continue;
      }
      ASSERT_THAT(packed, IsOk());
      EXPECT_THAT(packed->warnings, ElementsAre(HasSubstr("big: it changed")));
      // What was announced stays true of what is in the package.
      const auto extracted = sim.Unpack(sim.Package(), "/p/into");
      ASSERT_THAT(extracted, IsOk());
      EXPECT_EQ(extracted->entries[0].size_bytes, uint64_t{12} << 20);
      EXPECT_EQ(TreeDigest(extracted->entries), packed->manifest.package.content->tree);
    }
  }
}

// What a later reader finds: nothing, or a whole version. D12, D18
void CheckWhole(const base::sim::Files& files, absl::Span<const std::string> packages,
                absl::string_view trace) {
  SCOPED_TRACE(trace);
  const auto package = files.Read("/p/dist/model-1.0.0.tar.gz");
  EXPECT_TRUE(!package.ok() || absl::c_linear_search(packages, *package));
  const auto manifest = files.Read("/p/manifests/model-1.0.0.manifest.json");
  if (!manifest.ok()) return;
  const auto parsed = ParseManifest(*manifest);
  ASSERT_THAT(parsed, IsOk());
  ASSERT_THAT(package, IsOk());
  const auto sha = [&](const absl::StatusOr<std::string>& bytes) {
    return base::ToHex(base::Sha256Of(base::AsBytes(bytes.value_or(""))));
  };
  EXPECT_EQ(parsed->package.sha256, sha(package));
  EXPECT_EQ(parsed->package.index->sha256, sha(files.Read("/p/dist/model-1.0.0.files.zst")));
  EXPECT_EQ(parsed->package.pieces->sha256, sha(files.Read("/p/dist/model-1.0.0.pieces")));
}

// Packs with and without a version that stands there already.
struct FaultCase {
  bool replace = false;
  std::unique_ptr<PackSim> Make(std::vector<std::string>& packages) const {
    auto sim = std::make_unique<PackSim>(3);
    sim->Put("a", "the first");
    sim->Put("d/b", std::string(2000, 'b'));
    if (replace) {
      SLIPWAY_CHECK(sim->Run().ok());
      packages.push_back(sim->Package());
      sim->Put("a", "the second");
      sim->options.force = true;
    }
    PackSim copy(3);
    copy.world.files = sim->world.files;
    copy.options = sim->options;
    copy.source = copy.world.files.OpenRoot("/p/source").value();
    copy.dist = copy.world.files.OpenRoot("/p/dist").value();
    copy.manifests = copy.world.files.OpenRoot("/p/manifests").value();
    SLIPWAY_CHECK(copy.Run().ok());
    packages.push_back(copy.Package());
    sim->world.files.Settle();
    return sim;
  }
};

TEST(PackFaults, PowerLossAtAnyOperationLeavesNothingHalf) {  // D283
  for (const bool replace : {false, true}) {
    for (int n = 1;; ++n) {
      std::vector<std::string> packages;
      const auto sim = FaultCase{replace}.Make(packages);
      sim->world.files.PowerLossAt(n);
      const auto packed = sim->Run();
      const bool off = sim->world.files.off();
      for (uint64_t attempt = 0; attempt < 3; ++attempt) {
        for (const auto loss : {base::sim::Loss::kSeeded, base::sim::Loss::kLoseAllUnsynced,
                                base::sim::Loss::kOrdered}) {
          const base::sim::Files after = sim->world.files.AfterReboot(loss, attempt);
          CheckWhole(after, packages, absl::StrCat(replace ? "replace" : "new", " ", n));
          if (packed.ok()) {
            // What was said to be there is there.
            EXPECT_EQ(after.Read("/p/dist/model-1.0.0.tar.gz").value_or(""), packages.back());
            EXPECT_TRUE(after.Exists("/p/manifests/model-1.0.0.manifest.json"));
          }
        }
      }
      if (!off) break;
      ASSERT_LT(n, 200);
      EXPECT_FALSE(packed.ok());
    }
  }
}

TEST(PackFaults, ErrorsOfTheDiskAreReportedAndLeaveNothingHalf) {  // D284
  for (const int error : {ENOSPC, EIO}) {
    for (const bool replace : {false, true}) {
      for (int n = 1;; ++n) {
        SCOPED_TRACE(absl::StrCat("error ", error, " at ", n));
        std::vector<std::string> packages;
        const auto sim = FaultCase{replace}.Make(packages);
        sim->world.files.CountReads(true);
        const int before = sim->world.files.operations();
        sim->world.files.FailAt(n, base::ErrnoError(error, "injected"), error == ENOSPC);
        const auto packed = sim->Run();
        const int made = sim->world.files.operations() - before;
        sim->world.files.ClearFaults();
        CheckWhole(sim->world.files, packages, "");
        if (packed.ok()) {
          EXPECT_EQ(sim->Package(), packages.back());
          if (made < n) break;
          ADD_FAILURE() << "the error was swallowed";
        } else {
          EXPECT_THAT(Code(packed.status()), ::testing::StartsWith("DT0")) << packed.status();
          EXPECT_EQ(Code(packed.status()) == "DT006", error == ENOSPC) << packed.status();
        }
        // The same command again ends well.
        sim->options.force = true;
        EXPECT_THAT(sim->Run(), IsOk());
        EXPECT_EQ(sim->Package(), packages.back());
        ASSERT_LT(n, 400);
      }
    }
  }
}

TEST(ExtractFaults, ErrorsOfTheDiskAreReported) {  // D284
  PackSim made(3);
  ASSERT_THAT(
      MakeRandomTree(*made.source, made.world.random, {.entries = 12, .file_bytes_max = 2000}),
      IsOk());
  ASSERT_THAT(made.Run(), IsOk());
  for (const int error : {ENOSPC, EIO}) {
    for (int n = 1;; ++n) {
      SCOPED_TRACE(absl::StrCat("error ", error, " at ", n));
      PackSim sim(3);
      const auto into = sim.world.files.MakeRoot("/p/into").value();
      const int before = sim.world.files.operations();
      sim.world.files.FailAt(n, base::ErrnoError(error, "injected"), error == ENOSPC);
      const auto extracted = sim.Unpack(made.Package(), "/p/into");
      if (extracted.ok()) {
        EXPECT_LT(sim.world.files.operations() - before, n) << "the error was swallowed";
        break;
      }
      EXPECT_THAT(Code(extracted.status()), error == ENOSPC ? "DT006" : "DT004")
          << extracted.status();
      ASSERT_LT(n, 1000);
    }
  }
}

}  // namespace
}  // namespace slipway::deploy
