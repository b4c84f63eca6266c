// Hostile archives are refused whole, and nothing outside the staging directory changes (D190-D193,
// D124, D288). The archives are made by code: hostile_archives.cc and testdata/make_hostile.py.
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/os/world.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "deploy/pack/extracted_tree.h"
#include "deploy/pack/extractor.h"
#include "deploy/pack/hostile_archives.h"
#include "deploy/pack/memory_source.h"
#include "deploy/pack/tar_writer.h"
#include "deploy/pack/test_tree.h"

namespace slipway::deploy {
namespace {

using base::testing::IsOk;
using base::testing::TempDir;
using ::testing::HasSubstr;

base::World& World() {
  static base::os::World& world = *new base::os::World({.pool_threads = 2, .block_signals = false});
  return world.world();
}

// A directory with a tree beside the staging directory that no extraction may touch.
class HostileTest : public ::testing::Test {
 protected:
  HostileTest() {
    base_dir = World().files.OpenRoot(temp.path()).value();
    root = MakeDir("root");
    EXPECT_THAT(PutFile(*root, "outside/passwd", "root:x:0:0"), IsOk());
    EXPECT_THAT(PutFile(*root, "x", "neighbour"), IsOk());
  }
  // Without the syncs of MakeRoot, which are most of the time here.
  std::unique_ptr<base::Dir> MakeDir(absl::string_view name) {
    EXPECT_THAT(base_dir->MakeDir(name), IsOk());
    return base_dir->OpenDir(name).value();
  }
  // Extracts into an empty staging directory and removes it; the rest must stay as it was.
  absl::StatusOr<Extracted> Unpack(absl::string_view package, ExtractOptions options = {}) {
    const auto before = Snapshot(*root);
    auto staging = MakeDir("staging");
    MemorySource source(package, 100'000);
    options.package_bytes = package.size();
    auto extracted = Extract(source, *staging, World().pool, options, {});
    EXPECT_THAT(CheckModes(*staging), IsOk());
    staged = Snapshot(*staging).value_or(std::map<std::string, std::string>());
    EXPECT_THAT(base::RemoveTree(*base_dir, "staging"), IsOk());
    EXPECT_EQ(SnapshotDifference(*before, *Snapshot(*root)), "");
    return extracted;
  }
  // Nothing extracted is ever setuid, setgid or sticky.
  absl::Status CheckModes(base::Dir& dir) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto snapshot, Snapshot(dir, 07000));
    for (const auto& [path, line] : snapshot)
      EXPECT_TRUE(absl::StrContains(line, " 0000 ")) << path;
    return absl::OkStatus();
  }

  TempDir temp;
  std::unique_ptr<base::Dir> base_dir, root;
  std::map<std::string, std::string> staged;
};

TEST_F(HostileTest, ArchivesMadeByHandAreRefused) {  // D191, D192
  std::vector<HostileArchive> archives = HostileSyntax();
  for (HostileArchive& archive : HostileTrees()) archives.push_back(std::move(archive));
  EXPECT_GE(archives.size(), 100u);
  for (const HostileArchive& archive : archives) {
    SCOPED_TRACE(archive.name);
    const auto extracted = Unpack(
        archive.bytes, {.codec = base::Codec::kNone, .content_bytes = archive.content_bytes});
    EXPECT_EQ(base::GetErrorInfo(extracted.status()).code, archive.code) << extracted.status();
    EXPECT_THAT(std::string(extracted.status().message()), HasSubstr(archive.reason));
    for (const char c : extracted.status().message()) {
      EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    }
  }
}

TEST_F(HostileTest, ArchivesMadeByPythonAreRefused) {  // D190
  const auto made = MakeDir("made");
  base::SpawnOptions spawn;
  spawn.argv = {"python3", SLIPWAY_TEST_SOURCE_DIR "/testdata/make_hostile.py", temp.Join("made")};
  auto process = World().spawner.Spawn(spawn);
  ASSERT_THAT(process, IsOk());
  const auto exit = (*process)->Wait(absl::Minutes(1));
  ASSERT_THAT(exit, IsOk());
  ASSERT_EQ(exit->code, 0) << exit->err;
  const auto cursor = made->List().value();
  int count = 0;
  while (true) {
    const auto entry = cursor->Next();
    ASSERT_THAT(entry, IsOk());
    if (!entry->has_value()) break;
    SCOPED_TRACE((*entry)->name);
    const auto bytes = base::ReadFile(*made, (*entry)->name, 1 << 20);
    ASSERT_THAT(bytes, IsOk());
    const auto extracted = Unpack(*bytes, {.codec = base::Codec::kNone});
    EXPECT_EQ(base::GetErrorInfo(extracted.status()).code, "DT023") << extracted.status();
    ++count;
  }
  EXPECT_GE(count, 60);
}

TEST_F(HostileTest, DamagedCompressionIsRefused) {
  for (const base::Codec codec : {base::Codec::kGzip, base::Codec::kZstd}) {
    const auto extracted = Unpack("this is no stream of that kind", {.codec = codec});
    EXPECT_EQ(base::GetErrorInfo(extracted.status()).code, "DT007") << extracted.status();
  }
}

TEST_F(HostileTest, TooManyMembersAreRefused) {  // D192
  std::string archive;
  for (int i = 0; i < 11; ++i) absl::StrAppend(&archive, Header(FileMember(absl::StrCat("f", i))));
  archive += TarEnd();
  const auto extracted = Unpack(archive, {.codec = base::Codec::kNone, .entries_max = 10});
  EXPECT_EQ(base::GetErrorInfo(extracted.status()).code, "DT023");
  EXPECT_THAT(Unpack(archive, {.codec = base::Codec::kNone, .entries_max = 11}), IsOk());
}

TEST_F(HostileTest, DirectoriesThatMembersImplyCountAsMembers) {  // D192
  std::string deep = "a";
  for (int i = 0; i < 9; ++i) absl::StrAppend(&deep, "/d");
  const std::string archive = WholeMember(FileMember(deep)) + TarEnd();
  EXPECT_THAT(Unpack(archive, {.codec = base::Codec::kNone, .entries_max = 10}), IsOk());
  const auto refused = Unpack(archive, {.codec = base::Codec::kNone, .entries_max = 9});
  EXPECT_EQ(base::GetErrorInfo(refused.status()).code, "DT023");
}

// Long names compress to nothing and are all held in memory.
TEST_F(HostileTest, NamesMayNotTakeMoreThanTheirShare) {  // D192, D262
  const std::string folder = absl::StrCat(std::string(4'000, 'x'), "/");
  const auto taken = [&](absl::FunctionRef<std::string(int)> name) {
    ExtractedTree tree;
    for (int i = 0; i < 100'000; ++i) {
      const auto admitted = tree.Admit(FileMember(name(i)));
      if (admitted.ok()) continue;
      EXPECT_EQ(base::GetErrorInfo(admitted.status()).code, "DT023");
      EXPECT_THAT(std::string(admitted.status().message()), HasSubstr("names"));
      return i;
    }
    return 100'000;
  };
  EXPECT_LT(taken([&](int i) { return absl::StrCat(folder, i); }), 5'000);
  EXPECT_LT(taken([](int i) {
              std::string deep = absl::StrCat(i);
              for (int level = 0; level < 250; ++level) deep += "/d";
              return deep;
            }),
            400);  // of which each implies 250 directories
  EXPECT_EQ(taken([](int i) { return absl::StrCat("a/usual/name/of/a/file/", i); }), 100'000);
}

TEST_F(HostileTest, SpecialBitsAndForeignAttributesAreDropped) {  // D193
  std::string setuid = RawHeader("tool", '0', "0");
  setuid.replace(100, 7, "0006777");
  setuid = Sealed(std::move(setuid));
  const std::string archive =
      absl::StrCat(Pax('x', Record("SCHILY.xattr.security.capability", "x") +
                                Record("SCHILY.acl.access", "user::rwx")),
                   setuid, TarEnd());
  const auto extracted = Unpack(archive, {.codec = base::Codec::kNone});
  ASSERT_THAT(extracted, IsOk());
  EXPECT_EQ(extracted->entries.at(0).mode, 0777u);   // as packed
  EXPECT_THAT(staged["tool"], HasSubstr(" 0775 "));  // world-write dropped too
  EXPECT_THAT(Unpack(archive, {.codec = base::Codec::kNone, .keep_world_write = true}), IsOk());
  EXPECT_THAT(staged["tool"], HasSubstr(" 0777 "));
}

TEST_F(HostileTest, AbsoluteSymlinksAreTheUsersChoice) {  // D191
  const std::string archive = RawHeader("a", '2', "0", "/etc/hostname") + TarEnd();
  EXPECT_FALSE(Unpack(archive, {.codec = base::Codec::kNone}).ok());
  EXPECT_THAT(Unpack(archive, {.codec = base::Codec::kNone, .allow_absolute_symlinks = true}),
              IsOk());
  EXPECT_THAT(staged["a"], HasSubstr("-> /etc/hostname"));
  const std::string up = RawHeader("a", '2', "0", "../x") + TarEnd();
  EXPECT_FALSE(Unpack(up, {.codec = base::Codec::kNone, .allow_absolute_symlinks = true}).ok());
}

TEST_F(HostileTest, ANameThatTheFileSystemFoldsOntoAnotherIsRefused) {  // D193
  // What such a file system answers: the name is taken, though no member of that name came before.
  auto staging = MakeDir("staging");
  ASSERT_THAT(PutFile(*staging, "Readme", ""), IsOk());
  const std::string archive = WholeMember(FileMember("Readme", 3)) + TarEnd();
  MemorySource source(archive);
  const auto extracted = Extract(source, *staging, World().pool, {.codec = base::Codec::kNone}, {});
  EXPECT_EQ(base::GetErrorInfo(extracted.status()).code, "DT023");
  EXPECT_THAT(std::string(extracted.status().message()), HasSubstr("letter case"));
}

TEST_F(HostileTest, WhatForeignToolsMakeIsTaken) {  // D288
  // Directories after what is in them or without an entry; hard links to hard links.
  const std::string archive = absl::StrCat(
      RawHeader("./", '5', "0"), WholeMember(FileMember("a/b/c", 3)), RawHeader("a/b/", '5', "0"),
      RawHeader("a/", '5', "0"), WholeMember(FileMember("implied/x/f", 3)),
      RawHeader("hard", '1', "0", "a/b/c"), RawHeader("hard2", '1', "0", "./hard"),
      RawHeader("a/link", '2', "0", "b/../b/c"), TarEnd(), std::string(8192, '\0'));
  const auto extracted = Unpack(archive, {.codec = base::Codec::kNone});
  ASSERT_THAT(extracted, IsOk());
  EXPECT_THAT(staged["implied/x"], HasSubstr("1 0755"));
  EXPECT_THAT(staged["a"], HasSubstr("1 0755 0 "));
  EXPECT_THAT(staged["hard2"], HasSubstr("same file as a/b/c"));
}

TEST_F(HostileTest, CancellingStopsTheExtraction) {
  base::CancelSource cancel;
  cancel.Cancel({.kind = base::CancelReason::Kind::kInterrupt, .text = "SIGINT"});
  auto staging = MakeDir("staging");
  MemorySource source(TarEnd());
  const auto extracted =
      Extract(source, *staging, World().pool, {.codec = base::Codec::kNone}, cancel.token());
  EXPECT_EQ(base::GetErrorInfo(extracted.status()).code, "DT026");
}

}  // namespace
}  // namespace slipway::deploy
