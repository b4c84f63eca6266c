// From a tree to a package and back (D2, D6-D12, D140, D141, D150, D151).
#include <sys/stat.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/digest/sha256.h"
#include "base/os/pool.h"
#include "base/os/thread.h"
#include "base/os/world.h"
#include "base/sim/random.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "deploy/pack/extractor.h"
#include "deploy/pack/file_source.h"
#include "deploy/pack/memory_source.h"
#include "deploy/pack/packer.h"
#include "deploy/pack/test_tree.h"
#include "deploy/repository/codec.h"

namespace slipway::deploy {
namespace {

using base::testing::IsOk;
using base::testing::TempDir;
using ::testing::ElementsAre;

base::os::World& Os() {
  static base::os::World& world = *new base::os::World({.pool_threads = 3, .block_signals = false});
  return world;
}

PackOptions Options(base::Codec codec = base::Codec::kZstd) {
  PackOptions options;
  options.component = {.type = "model", .version = "1.0.0"};
  options.codec = codec;
  options.level = base::CodecLevelDefault(codec);
  options.tool_version = "1.2.3";
  options.source_path = "./models";
  options.created_at = absl::FromUnixSeconds(1'705'744'800);
  return options;
}

// A project with a source tree and where its packages go.
class PackTest : public ::testing::Test {
 protected:
  PackTest() : source(Make("source")), dist(Make("dist")), manifests(Make("manifests")) {}

  std::unique_ptr<base::Dir> Make(absl::string_view name) {
    return world.files.MakeRoot(temp.Join(name)).value();
  }
  absl::StatusOr<PackResult> Run(const PackOptions& options) {
    return Pack(world, *source, *dist, *manifests, options, {});
  }
  std::string Text(base::Dir& dir, absl::string_view name) {
    return base::ReadFile(dir, name, 1 << 30).value();
  }
  absl::StatusOr<Extracted> Unpack(absl::string_view package, base::Codec codec, base::Dir& into,
                                   ExtractOptions options = {}) {
    MemorySource bytes(package);
    options.codec = codec;
    options.package_bytes = package.size();
    return Extract(bytes, into, world.pool, options, {});
  }
  FileIndex Index(const Manifest& manifest) {
    return DecodeFileIndex(base::AsBytes(Text(*dist, manifest.package.index->file))).value();
  }
  // Runs a program with the tree or package as its business; its standard output.
  std::string Tool(std::vector<std::string> argv) {
    base::SpawnOptions options;
    options.argv = std::move(argv);
    auto process = world.spawner.Spawn(options);
    EXPECT_THAT(process, IsOk());
    if (!process.ok()) return "";
    const auto exit = (*process)->Wait(absl::Minutes(1));
    EXPECT_THAT(exit, IsOk());
    EXPECT_EQ(exit->code, 0) << exit->err;
    return exit->out;
  }
  bool root() { return world.environment.UserId() == 0; }

  base::World& world = Os().world();
  TempDir temp;
  std::unique_ptr<base::Dir> source, dist, manifests;
};

// The trees of the property tests: the file systems of a test machine differ in what they keep.
RandomTreeOptions TreeOptions(base::Dir& dir, bool root) {
  RandomTreeOptions options;
  options.unreadable = root;
  EXPECT_THAT(PutFile(dir, "probe", ""), IsOk());
  options.xattrs = dir.SetMeta("probe", {.xattrs = base::Xattrs{{"user.probe", "x"}}}).ok();
  EXPECT_THAT(dir.Remove("probe"), IsOk());
  return options;
}

TEST_F(PackTest, TreeComesBackAsItWas) {  // D2
  for (const base::Codec codec : {base::Codec::kNone, base::Codec::kGzip, base::Codec::kZstd}) {
    for (uint64_t seed = 1; seed <= 2; ++seed) {
      SCOPED_TRACE(absl::StrCat(base::CodecName(codec), " seed ", seed));
      const auto tree = Make(absl::StrCat("tree", seed, base::CodecName(codec)));
      base::sim::Random random(seed);
      ASSERT_THAT(MakeRandomTree(*tree, random, TreeOptions(*tree, root())), IsOk());
      const auto before = Snapshot(*tree);
      ASSERT_THAT(before, IsOk());
      PackOptions options = Options(codec);
      options.component.version = absl::StrCat(seed, base::CodecName(codec));
      const auto packed = Pack(world, *tree, *dist, *manifests, options, {});
      ASSERT_THAT(packed, IsOk());
      const auto into = Make(absl::StrCat("into", seed, base::CodecName(codec)));
      const std::string package = Text(*dist, packed->manifest.package.file);
      const auto extracted = Unpack(
          package, codec, *into,
          {.content_bytes = packed->manifest.package.content->bytes, .keep_world_write = true});
      ASSERT_THAT(extracted, IsOk());
      EXPECT_THAT(extracted->warnings, ElementsAre());
      const auto after = Snapshot(*into);
      ASSERT_THAT(after, IsOk());
      EXPECT_EQ(SnapshotDifference(*before, *after), "");
      EXPECT_EQ(TreeDigest(extracted->entries), packed->manifest.package.content->tree);
      const std::string index = Text(*dist, packed->manifest.package.index->file);
      MemorySource stored(index);
      EXPECT_THAT(CompareWithIndex(extracted->entries, ReadFileIndex(stored, 1 << 30).value()),
                  IsOk());
      EXPECT_EQ(extracted->bytes, packed->manifest.package.content->bytes);
      EXPECT_EQ(extracted->files, packed->manifest.package.content->files);
      const auto drift = VerifyTree(*into, Index(packed->manifest), world.pool, {}, {});
      ASSERT_THAT(drift, IsOk());
      EXPECT_EQ(drift->size(), 0u);
    }
  }
}

TEST_F(PackTest, FilesTakeTheirModesFromTheUmask) {  // D51
  ASSERT_THAT(PutFile(*source, "secret", "x", 0600), IsOk());
  const mode_t before = umask(0077);
  const auto packed = Run(Options());
  umask(before);
  ASSERT_THAT(packed, IsOk());
  for (const std::string& name :
       {packed->manifest.package.file, packed->manifest.package.index->file,
        packed->manifest.package.pieces->file}) {
    EXPECT_EQ(dist->Stat(name)->mode, 0600u) << name;
  }
  EXPECT_EQ(manifests->Stat("model-1.0.0.manifest.json")->mode, 0600u);
  EXPECT_EQ(Index(packed->manifest).entries.at(0).mode, 0600u);  // its own, whatever the umask
}

// The files of one packer and the manifest of another are no package.
TEST_F(PackTest, PackersOfOneVersionDoNotMix) {  // D12
  const auto pack = [&](const std::string& tree) {
    PackOptions options = Options(base::Codec::kNone);
    options.force = true;
    return Pack(world, *Make(tree), *dist, *manifests, options, {}).status();
  };
  for (const std::string tree : {"one", "two"}) {
    ASSERT_THAT(PutFile(*Make(tree), "f", std::string(tree == "one" ? 300'000 : 200'000, 'x')),
                IsOk());
  }
  for (int round = 0; round < 10; ++round) {
    absl::Status one, two;
    std::thread first = base::os::StartThread("one", [&] { one = pack("one"); });
    std::thread second = base::os::StartThread("two", [&] { two = pack("two"); });
    first.join();
    second.join();
    EXPECT_THAT(one, IsOk());
    EXPECT_THAT(two, IsOk());
    const auto manifest = ParseManifest(Text(*manifests, "model-1.0.0.manifest.json"));
    ASSERT_THAT(manifest, IsOk());
    const auto digest = [&](const std::string& name) {
      return base::ToHex(base::Sha256Of(base::AsBytes(Text(*dist, name))));
    };
    EXPECT_EQ(digest(manifest->package.file), manifest->package.sha256);
    EXPECT_EQ(digest(manifest->package.index->file), manifest->package.index->sha256);
    EXPECT_EQ(digest(manifest->package.pieces->file), manifest->package.pieces->sha256);
  }
}

TEST_F(PackTest, WaitsForAnotherPackerAndThenSaysSo) {  // D12, D177
  ASSERT_THAT(PutFile(*source, "f", "x"), IsOk());
  auto lock = dist->Open(".lock", {.write = true, .create = true});
  ASSERT_THAT(lock, IsOk());
  ASSERT_THAT((*lock)->TryLock(), IsOk());
  PackOptions options = Options();
  options.lock_wait = absl::Milliseconds(20);
  EXPECT_EQ(base::GetErrorInfo(Run(options).status()).code, "DT021");
  EXPECT_FALSE(manifests->Stat("model-1.0.0.manifest.json").ok());
  *lock = nullptr;
  EXPECT_THAT(Run(options), IsOk());
}

TEST_F(PackTest, WhatAKilledPackLeftGoesWithTheNext) {  // D12, D24
  ASSERT_THAT(PutFile(*source, "f", "x"), IsOk());
  ASSERT_THAT(PutFile(*dist, ".slipway-tmp-left", "a whole package"), IsOk());
  ASSERT_THAT(PutFile(*manifests, ".slipway-tmp-left", "a manifest"), IsOk());
  ASSERT_THAT(Run(Options()), IsOk());
  EXPECT_FALSE(dist->Stat(".slipway-tmp-left").ok());
  EXPECT_FALSE(manifests->Stat(".slipway-tmp-left").ok());
}

// What was read since the process began, as the kernel counts it.
uint64_t BytesRead(base::World& world) {
  const auto text = base::ReadUserFile(world.files, "/proc/self/io", 4096);
  EXPECT_THAT(text, IsOk());
  uint64_t bytes = 0;
  EXPECT_TRUE(absl::SimpleAtoi(text->substr(7, text->find('\n') - 7), &bytes));  // "rchar: n"
  return bytes;
}

TEST_F(PackTest, VerifyingReadsNoHoles) {  // D150
  const auto tree = Make("holes");
  {
    const auto file = tree->Open("f", {.write = true, .create = true});
    ASSERT_THAT(file, IsOk());
    ASSERT_THAT((*file)->Truncate(96 << 20), IsOk());
    ASSERT_THAT((*file)->WriteAt(16 << 20, base::AsBytes("in the middle")), IsOk());
    ASSERT_THAT((*file)->WriteAt(64 << 20, base::AsBytes("and there")), IsOk());
    const auto meta = (*file)->Stat();
    ASSERT_THAT(meta, IsOk());
    if (meta->allocated_bytes > 32 << 20) GTEST_SKIP() << "this file system keeps no holes";
  }
  const auto packed = Pack(world, *tree, *dist, *manifests, Options(base::Codec::kGzip), {});
  ASSERT_THAT(packed, IsOk());
  const FileIndex index = Index(packed->manifest);
  const uint64_t before = BytesRead(world);
  const auto drift = VerifyTree(*tree, index, world.pool, {}, {});
  const uint64_t read = BytesRead(world) - before;
  ASSERT_THAT(drift, IsOk());
  EXPECT_EQ(drift->size(), 0u);
  EXPECT_LT(read, uint64_t{16} << 20);
  const auto mtime = tree->Stat("f")->mtime;
  ASSERT_THAT((*tree->Open("f", {.write = true}))->WriteAt(80 << 20, base::AsBytes("x")), IsOk());
  ASSERT_THAT(tree->SetMeta("f", {.mtime = mtime}), IsOk());
  const auto changed = VerifyTree(*tree, index, world.pool, {}, {});
  ASSERT_THAT(changed, IsOk());
  ASSERT_EQ(changed->size(), 1u);
  EXPECT_EQ(changed->at(0).detail, "content");
}

// The package is a plain tar in a standard container: other programs take the same out of it. D7
TEST_F(PackTest, OtherReadersTakeTheSame) {
  for (const uint64_t seed : {uint64_t{4}, uint64_t{5}}) {
    for (const base::Codec codec : {base::Codec::kGzip, base::Codec::kNone}) {
      SCOPED_TRACE(seed);
      const auto tree = Make(absl::StrCat("tree", seed, base::CodecName(codec)));
      base::sim::Random random(seed);
      RandomTreeOptions tree_options = TreeOptions(*tree, root());
      tree_options.unreadable = false;
      tree_options.read_only = root();  // GNU tar cannot give attributes to its own read-only file
      tree_options.odd_xattrs = false;
      ASSERT_THAT(MakeRandomTree(*tree, random, tree_options), IsOk());
      PackOptions options = Options(codec);
      options.component.version = absl::StrCat(seed, base::CodecName(codec));
      const auto packed = Pack(world, *tree, *dist, *manifests, options, {});
      ASSERT_THAT(packed, IsOk());
      const std::string package = temp.Join("dist/" + packed->manifest.package.file);
      const auto before = Snapshot(*tree);
      ASSERT_THAT(before, IsOk());

      const auto gnu = Make(absl::StrCat("gnu", seed, base::CodecName(codec)));
      Tool({"tar", "--xattrs", "--same-permissions", "-x", "-f", package, "-C",
            temp.Join(absl::StrCat("gnu", seed, base::CodecName(codec)))});
      EXPECT_EQ(SnapshotDifference(*before, *Snapshot(*gnu)), "");
      const auto bsd = Make(absl::StrCat("bsd", seed, base::CodecName(codec)));
      Tool({"env", "LC_ALL=C.UTF-8", "bsdtar", "--xattrs", "-p", "-x", "-f", package, "-C",
            temp.Join(absl::StrCat("bsd", seed, base::CodecName(codec)))});
      EXPECT_EQ(SnapshotDifference(*before, *Snapshot(*bsd)), "");
      // Python knows no attributes: names, sizes and digests.
      const std::string listed =
          Tool({"python3", SLIPWAY_TEST_SOURCE_DIR "/testdata/list_tar.py", package});
      std::string own;
      for (const IndexEntry& entry : Index(packed->manifest).entries) {
        absl::StrAppend(&own, base::ToHex(base::AsBytes(entry.path)), " ",
                        std::string(1, static_cast<char>(entry.type)), " ", entry.size_bytes, " ",
                        base::ToHex(base::AsBytes(entry.link)), "\n");
      }
      EXPECT_EQ(listed, own);
    }
  }
}

}  // namespace
}  // namespace slipway::deploy
