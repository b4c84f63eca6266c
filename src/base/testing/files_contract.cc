#include "base/testing/files_contract.h"

#include <gmock/gmock.h>

#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/testing/status_matchers.h"

namespace slipway::base::testing {

using absl::StatusCode;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

void LinkFilesHelpersContract();  // files_contract_helpers.cc, which nothing else would link in

FilesContractFactory FilesContractOf(FilesContractFactory factory) {
  LinkFilesHelpersContract();
  return factory;
}

void FilesContract::SetUp() {
  world_ = GetParam()();
  Owned<Dir> opened = files().OpenRoot(root());
  ASSERT_TRUE(opened.ok()) << opened.status();
  dir_ = *std::move(opened);
}

void FilesContract::Put(absl::string_view path, absl::string_view text) {
  Owned<File> file =
      dir().Open(path, {.read = false, .write = true, .create = true, .truncate = true});
  ASSERT_TRUE(file.ok()) << file.status();
  const absl::Status written = (*file)->WriteAt(0, AsBytes(text));
  ASSERT_TRUE(written.ok()) << written;
}

std::string FilesContract::Read(absl::string_view path) {
  const absl::StatusOr<std::string> text = ReadFile(dir(), path, 1 << 20);
  return text.ok() ? *text : text.status().ToString();
}

std::string FilesContract::Names(Dir& dir) {
  Owned<DirCursor> cursor = dir.List();
  if (!cursor.ok()) return cursor.status().ToString();
  std::multiset<std::string> names;
  for (;;) {
    const absl::StatusOr<std::optional<DirEntry>> entry = (*cursor)->Next();
    if (!entry.ok()) return entry.status().ToString();
    if (!entry->has_value()) break;
    const FileKind kind = (*entry)->kind;
    names.insert((*entry)->name + (kind == FileKind::kDirectory ? "/"
                                   : kind == FileKind::kSymlink ? "@"
                                                                : ""));
  }
  return absl::StrJoin(names, " ");
}

// The linker may bring these tests into a binary that only uses something else of this library.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(FilesContract);

namespace {

// Each call that takes a path, on `path`; the name says which failed.
std::vector<std::pair<std::string, StatusCode>> CodesOfEveryCall(Dir& dir, absl::string_view path) {
  const MetaChange change{.mode = 0600, .mtime = {}, .xattrs = {}};
  return {
      {"OpenDir", dir.OpenDir(path).status().code()},
      {"Open", dir.Open(path, {}).status().code()},
      {"Create", dir.Open(path, {.write = true, .create = true}).status().code()},
      {"MakeDir", dir.MakeDir(path).code()},
      {"Symlink", dir.Symlink("target", path).code()},
      {"HardLink", dir.HardLink("file", path).code()},
      {"HardLinkFrom", dir.HardLink(path, "made").code()},
      {"ReadLink", dir.ReadLink(path).status().code()},
      {"Stat", dir.Stat(path).status().code()},
      {"GetXattrs", dir.GetXattrs(path).status().code()},
      {"SetMeta", dir.SetMeta(path, change).code()},
      {"Remove", dir.Remove(path).code()},
      {"Rename", dir.Rename(path, dir, "made", RenameMode::kReplace).code()},
      {"RenameTo", dir.Rename("file", dir, path, RenameMode::kReplace).code()},
  };
}

TEST_P(FilesContract, RefusesPathsThatLeaveTheDirectory) {
  Put("file", "x");
  for (const char* path : {"/etc", "..", "../x", "a/../b", "a//b", "a/", "./a", "a/."}) {
    EXPECT_THAT(CodesOfEveryCall(dir(), path),
                Each(Pair(::testing::_, StatusCode::kInvalidArgument)))
        << path;
  }
  EXPECT_THAT(CodesOfEveryCall(dir(), absl::string_view("a\0b", 3)),
              Each(Pair(::testing::_, StatusCode::kInvalidArgument)));
  EXPECT_EQ(Names(dir()), "file");
}

TEST_P(FilesContract, MissingIsNotFoundAndNamesThePath) {
  Put("file", "x");
  EXPECT_THAT(CodesOfEveryCall(dir(), "missing/x"),
              Each(Pair(::testing::_, StatusCode::kNotFound)));
  EXPECT_THAT(dir().Open("missing", {}), StatusIs(StatusCode::kNotFound, HasSubstr("missing")));
  EXPECT_THAT(dir().Remove("missing"), StatusIs(StatusCode::kNotFound, HasSubstr("missing")));
  EXPECT_THAT(dir().Stat("missing"), StatusIs(StatusCode::kNotFound, HasSubstr("missing")));
  EXPECT_THAT(dir().OpenDir("missing"), StatusIs(StatusCode::kNotFound, HasSubstr("missing")));
}

TEST_P(FilesContract, FollowsNoSymlinkOnTheWay) {
  Put("file", "x");
  ASSERT_OK(dir().MakeDir("real"));
  ASSERT_OK(dir().Symlink("real", "link"));
  ASSERT_OK(dir().Symlink(root(), "absolute"));
  for (const char* path : {"link/x", "absolute/file"}) {
    EXPECT_THAT(CodesOfEveryCall(dir(), path),
                Each(Pair(::testing::_, StatusCode::kFailedPrecondition)))
        << path;
  }
  EXPECT_THAT(dir().OpenDir("link"), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(dir().Open("link", {}), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(dir().Open("link", {.write = true, .create = true}),
              StatusIs(StatusCode::kFailedPrecondition));
}

TEST_P(FilesContract, AFileIsNoDirectoryAndViceVersa) {
  Put("file", "x");
  ASSERT_OK(dir().MakeDir("d"));
  EXPECT_THAT(CodesOfEveryCall(dir(), "file/x"),
              Each(Pair(::testing::_, StatusCode::kFailedPrecondition)));
  EXPECT_THAT(dir().OpenDir("file"), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(dir().Open("d", {.write = true}), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(dir().Open("d", {}), StatusIs(StatusCode::kFailedPrecondition));
}

TEST_P(FilesContract, ANameTooLongIsInvalid) {
  const std::string name(256, 'n');
  EXPECT_THAT(dir().Open(name, {.write = true, .create = true}),
              StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(dir().MakeDir(name), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_OK(dir().MakeDir(name.substr(1)));
}

TEST_P(FilesContract, OpenCreatesTruncatesAndExcludes) {
  EXPECT_THAT(dir().Open("f", {.write = true}), StatusIs(StatusCode::kNotFound));
  {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<File> file,
                         dir().Open("f", {.write = true, .create = true, .mode = 0666}));
    ASSERT_OK(file->WriteAt(0, AsBytes("hello")));
  }
  ASSERT_OK_AND_ASSIGN(const Meta meta, dir().Stat("f"));
  EXPECT_EQ(meta.mode, 0666u);  // whatever the umask
  EXPECT_THAT(dir().Open("f", {.write = true, .create = true, .exclusive = true}),
              StatusIs(StatusCode::kAlreadyExists));
  ASSERT_OK(dir().Open("f", {.write = true, .create = true}));
  EXPECT_EQ(Read("f"), "hello");
  ASSERT_OK(dir().Open("f", {.write = true, .truncate = true}));
  EXPECT_EQ(Read("f"), "");
}

TEST_P(FilesContract, ReadsAndWritesAnywhere) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<File> file,
                       dir().Open("f", {.write = true, .create = true}));
  ASSERT_OK(file->WriteAt(5, AsBytes("world")));
  ASSERT_OK(file->WriteAt(0, AsBytes("hello")));
  Bytes buffer(20, 'x');
  EXPECT_THAT(file->ReadAt(0, absl::MakeSpan(buffer)), IsOkAndHolds(10u));
  EXPECT_EQ(AsText(BytesView(buffer).subspan(0, 11)), "helloworldx");
  EXPECT_THAT(file->ReadAt(8, absl::MakeSpan(buffer)), IsOkAndHolds(2u));
  EXPECT_THAT(file->ReadAt(10, absl::MakeSpan(buffer)), IsOkAndHolds(0u));
  EXPECT_THAT(file->ReadAt(1000, absl::MakeSpan(buffer)), IsOkAndHolds(0u));
  ASSERT_OK(file->Truncate(3));
  EXPECT_EQ(Read("f"), "hel");
  ASSERT_OK(file->Truncate(5));
  EXPECT_EQ(Read("f"), std::string("hel\0\0", 5));
  ASSERT_OK(file->WriteAt(7, AsBytes("!")));
  EXPECT_EQ(Read("f"), std::string("hel\0\0\0\0!", 8));
  ASSERT_OK_AND_ASSIGN(const Meta meta, file->Stat());
  EXPECT_EQ(meta.size_bytes, 8u);
}

TEST_P(FilesContract, AFileOpenedForReadingIsNotWritten) {
  Put("f", "x");
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<File> file, dir().Open("f", {}));
  EXPECT_FALSE(file->WriteAt(0, AsBytes("y")).ok());
  EXPECT_FALSE(file->Truncate(0).ok());
  EXPECT_EQ(Read("f"), "x");
}

TEST_P(FilesContract, CopiesRangesBetweenFiles) {
  Put("from", "0123456789");
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<File> from, dir().Open("from", {}));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<File> to,
                       dir().Open("to", {.write = true, .create = true}));
  EXPECT_OK(to->CopyFrom(*from, 2, 0, 3));
  EXPECT_OK(to->CopyFrom(*from, 7, 4, 3));
  EXPECT_EQ(Read("to"), std::string("234\0"
                                    "789",
                                    7));
  EXPECT_OK(to->CopyFrom(*from, 10, 0, 0));
  EXPECT_THAT(to->CopyFrom(*from, 8, 0, 3), StatusIs(StatusCode::kOutOfRange));
  EXPECT_THAT(to->CopyFrom(*from, 11, 0, 1), StatusIs(StatusCode::kOutOfRange));
}

TEST_P(FilesContract, NextDataFindsEveryByteThatIsNotZero) {
  constexpr uint64_t kFar = 4 << 20, kSize = 6 << 20;
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<File> file,
                       dir().Open("f", {.write = true, .create = true}));
  EXPECT_THAT(file->NextData(0), IsOkAndHolds(Pair(0u, 0u)));
  ASSERT_OK(file->WriteAt(0, AsBytes("head")));
  ASSERT_OK(file->WriteAt(kFar, AsBytes("tail")));
  ASSERT_OK(file->Truncate(kSize));
  bool head = false, tail = false;
  uint64_t at = 0;
  for (int ranges = 0; at < kSize && ranges < 10; ++ranges) {
    ASSERT_OK_AND_ASSIGN(const auto range, file->NextData(at));
    ASSERT_LE(at, range.first);
    ASSERT_LE(range.first, range.second);
    ASSERT_LE(range.second, kSize);
    head = head || (range.first == 0 && range.second >= 4);
    tail = tail || (range.first <= kFar && range.second >= kFar + 4);
    at = range.second;
  }
  EXPECT_EQ(at, kSize);
  EXPECT_TRUE(head);
  EXPECT_TRUE(tail);
  EXPECT_THAT(file->NextData(kSize), IsOkAndHolds(Pair(kSize, kSize)));
}

TEST_P(FilesContract, StatTellsTheTruth) {
  Put("f", "12345");
  ASSERT_OK(dir().MakeDir("d", 0700));
  ASSERT_OK(dir().Symlink("nowhere", "l"));
  ASSERT_OK_AND_ASSIGN(const Meta file, dir().Stat("f"));
  ASSERT_OK_AND_ASSIGN(const Meta directory, dir().Stat("d"));
  ASSERT_OK_AND_ASSIGN(const Meta link, dir().Stat("l"));
  EXPECT_EQ(file.kind, FileKind::kFile);
  EXPECT_EQ(file.size_bytes, 5u);
  EXPECT_EQ(file.mode, 0644u);
  EXPECT_EQ(file.link_count, 1u);
  EXPECT_EQ(directory.kind, FileKind::kDirectory);
  EXPECT_EQ(directory.mode, 0700u);
  EXPECT_EQ(link.kind, FileKind::kSymlink);
  EXPECT_EQ(link.size_bytes, 7u);
  EXPECT_EQ(file.device, directory.device);
  EXPECT_NE(file.inode, directory.inode);
  ASSERT_OK_AND_ASSIGN(const Meta self, dir().Stat(""));
  EXPECT_EQ(self.kind, FileKind::kDirectory);
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Dir> opened, dir().OpenDir("d"));
  ASSERT_OK_AND_ASSIGN(const Meta inside, opened->Stat("."));
  EXPECT_EQ(inside.inode, directory.inode);
}

TEST_P(FilesContract, SetMetaChangesWhatIsNamedAndNothingElse) {
  Put("f", "x");
  ASSERT_OK(dir().MakeDir("d"));
  ASSERT_OK(dir().Symlink("f", "l"));
  const absl::Time time = absl::FromUnixSeconds(1'600'000'000) + absl::Nanoseconds(123'456'789);
  for (const char* path : {"f", "d", "l"}) {
    ASSERT_OK_AND_ASSIGN(const Meta before, dir().Stat(path));
    ASSERT_OK(dir().SetMeta(path, {.mode = {}, .mtime = time, .xattrs = {}})) << path;
    ASSERT_OK_AND_ASSIGN(const Meta after, dir().Stat(path));
    EXPECT_EQ(after.mtime, time) << path;
    EXPECT_EQ(after.mode, before.mode) << path;
  }
  ASSERT_OK(dir().SetMeta("f", {.mode = 04751, .mtime = {}, .xattrs = {}}));
  ASSERT_OK_AND_ASSIGN(const Meta file, dir().Stat("f"));
  EXPECT_EQ(file.mode, 04751u);
  EXPECT_EQ(file.mtime, time);
  EXPECT_THAT(dir().SetMeta("l", {.mode = 0600, .mtime = {}, .xattrs = {}}),
              StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(dir().SetMeta("l", {.mode = {}, .mtime = {}, .xattrs = Xattrs{{"user.a", "1"}}}),
              StatusIs(StatusCode::kInvalidArgument));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<File> opened, dir().Open("f", {.write = true}));
  ASSERT_OK(opened->SetMeta({.mode = 0600, .mtime = time + absl::Seconds(1), .xattrs = {}}));
  ASSERT_OK_AND_ASSIGN(const Meta changed, opened->Stat());
  EXPECT_EQ(changed.mode, 0600u);
  EXPECT_EQ(changed.mtime, time + absl::Seconds(1));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Dir> directory, dir().OpenDir("d"));
  ASSERT_OK(directory->SetMeta("", {.mode = 0750, .mtime = {}, .xattrs = {}}));
  ASSERT_OK_AND_ASSIGN(const Meta self, dir().Stat("d"));
  EXPECT_EQ(self.mode, 0750u);
}

TEST_P(FilesContract, XattrsAreAddedReplacedAndSorted) {
  Put("f", "x");
  const MetaChange first{
      .mode = {}, .mtime = {}, .xattrs = Xattrs{{"user.b", "2"}, {"user.a", ""}}};
  const absl::Status set = dir().SetMeta("f", first);
  if (absl::IsUnimplemented(set)) return;  // a file system without them is allowed
  ASSERT_OK(set);
  ASSERT_OK(dir().SetMeta(
      "f", {.mode = {}, .mtime = {}, .xattrs = Xattrs{{"user.b", std::string("\0!", 2)}}}));
  const auto expected = ElementsAre(Pair("user.a", ""), Pair("user.b", std::string("\0!", 2)));
  EXPECT_THAT(dir().GetXattrs("f"), IsOkAndHolds(expected));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<File> file, dir().Open("f", {}));
  EXPECT_THAT(file->GetXattrs(), IsOkAndHolds(expected));
}

TEST_P(FilesContract, MetaBeyondWhatThereIsIsInvalid) {
  Put("f", "x");
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<File> file, dir().Open("f", {.write = true}));
  const MetaChange large_mode{.mode = 010000, .mtime = {}, .xattrs = {}};
  EXPECT_THAT(dir().SetMeta("f", large_mode), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(file->SetMeta(large_mode), StatusIs(StatusCode::kInvalidArgument));
  for (const char* name : {"user.", "user", "", "security.x", "a"}) {
    const MetaChange change{.mode = {}, .mtime = {}, .xattrs = Xattrs{{name, "1"}}};
    EXPECT_THAT(dir().SetMeta("f", change), StatusIs(StatusCode::kInvalidArgument)) << name;
    EXPECT_THAT(file->SetMeta(change), StatusIs(StatusCode::kInvalidArgument)) << name;
  }
  const MetaChange large{
      .mode = {}, .mtime = {}, .xattrs = Xattrs{{"user.a", std::string(64 * 1024 + 1, 'x')}}};
  EXPECT_THAT(dir().SetMeta("f", large), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(file->SetMeta(large), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(dir().GetXattrs("f"), IsOkAndHolds(ElementsAre()));
  ASSERT_OK_AND_ASSIGN(const Meta meta, dir().Stat("f"));
  EXPECT_EQ(meta.mode, 0644u);
}

TEST_P(FilesContract, OffsetsBeyondAllFilesAreRefused) {
  Put("f", "x");
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<File> file, dir().Open("f", {.write = true}));
  constexpr uint64_t kTooFar = uint64_t{1} << 63;
  uint8_t byte = 'y';
  EXPECT_THAT(file->WriteAt(kTooFar, BytesView(&byte, 1)), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_FALSE(file->WriteAt(kTooFar - 1, BytesView(&byte, 1)).ok());
  EXPECT_THAT(file->ReadAt(kTooFar, absl::MakeSpan(&byte, 1)),
              StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(file->Truncate(kTooFar), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_EQ(Read("f"), "x");
}

TEST_P(FilesContract, ListTellsEachEntryOnce) {
  EXPECT_EQ(Names(dir()), "");
  Put("f", "");
  ASSERT_OK(dir().MakeDir("d"));
  ASSERT_OK(dir().MakeDir("d/below"));
  ASSERT_OK(dir().Symlink("f", "l"));
  EXPECT_EQ(Names(dir()), "d/ f l@");
  EXPECT_EQ(Names(dir()), "d/ f l@");  // a second time, from the start
  std::vector<std::string> many;
  for (int i = 0; i < 300; ++i) {
    many.push_back(absl::StrCat("name", 1000 + i));
    Put(absl::StrCat("d/below/", many.back()), "");
  }
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Dir> below, dir().OpenDir("d/below"));
  EXPECT_EQ(Names(*below), absl::StrJoin(many, " "));
}

TEST_P(FilesContract, RenameReplacesOrRefuses) {
  Put("a", "A");
  Put("b", "B");
  EXPECT_THAT(dir().Rename("a", dir(), "b", RenameMode::kNoReplace),
              StatusIs(StatusCode::kAlreadyExists));
  EXPECT_EQ(Names(dir()), "a b");
  EXPECT_OK(dir().Rename("a", dir(), "c", RenameMode::kNoReplace));
  EXPECT_OK(dir().Rename("c", dir(), "b", RenameMode::kReplace));
  EXPECT_EQ(Names(dir()), "b");
  EXPECT_EQ(Read("b"), "A");
  EXPECT_THAT(dir().Rename("a", dir(), "b", RenameMode::kReplace), StatusIs(StatusCode::kNotFound));
}

TEST_P(FilesContract, RenameOfDirectoriesFollowsPosix) {
  Put("f", "x");
  for (const char* path : {"d", "d/sub", "empty", "full"}) ASSERT_OK(dir().MakeDir(path));
  Put("full/f", "x");
  const auto rename = [&](absl::string_view from, absl::string_view to) {
    return dir().Rename(from, dir(), to, RenameMode::kReplace);
  };
  EXPECT_THAT(rename("f", "d"), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(rename("d", "f"), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_FALSE(rename("d", "full").ok());
  EXPECT_THAT(rename("d", "d/sub/x"), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_OK(rename("d", "empty"));
  EXPECT_EQ(Names(dir()), "empty/ f full/");
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Dir> full, dir().OpenDir("full"));
  EXPECT_OK(dir().Rename("empty", *full, "moved", RenameMode::kNoReplace));
  EXPECT_EQ(Names(*full), "f moved/");
  EXPECT_OK(dir().Stat("full/moved/sub"));
}

TEST_P(FilesContract, RenameExchanges) {
  ASSERT_OK(dir().MakeDir("d"));
  ASSERT_OK(dir().Symlink("1", "a"));
  Put("d/b", "B");
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Dir> other, dir().OpenDir("d"));
  const absl::Status swapped = dir().Rename("a", *other, "b", RenameMode::kExchange);
  if (absl::IsUnimplemented(swapped)) return;  // a file system without it is allowed
  ASSERT_OK(swapped);
  EXPECT_EQ(Read("a"), "B");
  EXPECT_THAT(dir().ReadLink("d/b"), IsOkAndHolds("1"));
  EXPECT_THAT(dir().Rename("a", dir(), "missing", RenameMode::kExchange),
              StatusIs(StatusCode::kNotFound));
  EXPECT_EQ(Names(dir()), "a d/");
}

TEST_P(FilesContract, MakeDirAndRemove) {
  Put("f", "x");
  ASSERT_OK(dir().MakeDir("d"));
  EXPECT_THAT(dir().MakeDir("d"), StatusIs(StatusCode::kAlreadyExists));
  EXPECT_THAT(dir().MakeDir("f"), StatusIs(StatusCode::kAlreadyExists));
  Put("d/f", "x");
  EXPECT_THAT(dir().Remove("d"), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_OK(dir().Remove("d/f"));
  EXPECT_OK(dir().Remove("d"));
  EXPECT_OK(dir().Remove("f"));
  EXPECT_EQ(Names(dir()), "");
}

TEST_P(FilesContract, LinksOfBothKinds) {
  Put("f", "x");
  ASSERT_OK(dir().MakeDir("d"));
  ASSERT_OK(dir().Symlink("../any where", "s"));
  EXPECT_THAT(dir().ReadLink("s"), IsOkAndHolds("../any where"));
  EXPECT_THAT(dir().Symlink("x", "s"), StatusIs(StatusCode::kAlreadyExists));
  EXPECT_THAT(dir().ReadLink("f"), StatusIs(StatusCode::kInvalidArgument));
  ASSERT_OK(dir().HardLink("f", "d/h"));
  EXPECT_THAT(dir().HardLink("f", "d/h"), StatusIs(StatusCode::kAlreadyExists));
  EXPECT_THAT(dir().HardLink("d", "x"), StatusIs(StatusCode::kPermissionDenied));
  ASSERT_OK_AND_ASSIGN(const Meta one, dir().Stat("f"));
  ASSERT_OK_AND_ASSIGN(const Meta other, dir().Stat("d/h"));
  EXPECT_EQ(one.inode, other.inode);
  EXPECT_EQ(one.link_count, 2u);
  ASSERT_OK(dir().Remove("f"));
  EXPECT_EQ(Read("d/h"), "x");
  ASSERT_OK(dir().Symlink("d/h", "to_h"));
  ASSERT_OK(dir().Remove("to_h"));  // the link, not what it names
  EXPECT_EQ(Read("d/h"), "x");
}

TEST_P(FilesContract, ATemporaryFileHasNoNameUntilPublished) {
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<File> temp, dir().CreateTemp());
  ASSERT_OK(temp->WriteAt(0, AsBytes("new")));
  EXPECT_EQ(Names(dir()), "");
  Put("f", "old");
  EXPECT_THAT(dir().Publish(*temp, "f", RenameMode::kNoReplace),
              StatusIs(StatusCode::kAlreadyExists));
  EXPECT_EQ(Read("f"), "old");
  EXPECT_OK(dir().Publish(*temp, "f", RenameMode::kReplace));
  temp.reset();
  EXPECT_EQ(Read("f"), "new");
  EXPECT_EQ(Names(dir()), "f");
  ASSERT_OK_AND_ASSIGN(const Meta meta, dir().Stat("f"));
  EXPECT_EQ(meta.mode, 0600u);
  EXPECT_EQ(meta.link_count, 1u);
}

TEST_P(FilesContract, PublishReplacesALinkAndDoesNotFollowIt) {
  Put("target", "old");
  ASSERT_OK(dir().Symlink("target", "l"));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<File> temp, dir().CreateTemp());
  ASSERT_OK(temp->WriteAt(0, AsBytes("new")));
  ASSERT_OK(dir().Publish(*temp, "l", RenameMode::kReplace));
  EXPECT_EQ(Read("l"), "new");
  EXPECT_EQ(Read("target"), "old");
}

TEST_P(FilesContract, ATemporaryFileIsPublishedIntoAnotherDirectory) {
  ASSERT_OK(dir().MakeDir("made"));
  ASSERT_OK(dir().MakeDir("named"));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Dir> made, dir().OpenDir("made"));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Dir> named, dir().OpenDir("named"));
  for (const RenameMode mode : {RenameMode::kNoReplace, RenameMode::kReplace}) {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<File> temp, made->CreateTemp());
    ASSERT_OK(temp->WriteAt(0, AsBytes(mode == RenameMode::kReplace ? "new" : "old")));
    ASSERT_OK(named->Publish(*temp, "f", mode));
  }
  EXPECT_EQ(Read("named/f"), "new");
  EXPECT_EQ(Names(*made), "");
  EXPECT_EQ(Names(*named), "f");
}

TEST_P(FilesContract, AnUnpublishedTemporaryFileLeavesNothing) {
  { ASSERT_OK(dir().CreateTemp()); }
  EXPECT_EQ(Names(dir()), "");
}

TEST_P(FilesContract, OneLockAFileUntilItIsClosed) {
  Put("f", "");
  Put("g", "");
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<File> first, dir().Open("f", {.write = true}));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<File> second, dir().Open("f", {.write = true}));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<File> other, dir().Open("g", {.write = true}));
  EXPECT_OK(first->TryLock());
  EXPECT_THAT(second->TryLock(), StatusIs(StatusCode::kAborted));
  EXPECT_OK(other->TryLock());
  first.reset();
  EXPECT_OK(second->TryLock());
}

TEST_P(FilesContract, ADirectoryHandleStaysWithTheDirectory) {
  ASSERT_OK(dir().MakeDir("d"));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Dir> handle, dir().OpenDir("d"));
  ASSERT_OK(dir().Rename("d", dir(), "e", RenameMode::kReplace));
  ASSERT_OK(handle->MakeDir("sub"));
  EXPECT_OK(dir().Stat("e/sub"));
  ASSERT_OK(dir().Remove("e/sub"));
  ASSERT_OK(dir().Remove("e"));
  EXPECT_THAT(handle->MakeDir("sub"), StatusIs(StatusCode::kNotFound));
}

TEST_P(FilesContract, SyncsSucceed) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<File> file,
                       dir().Open("f", {.write = true, .create = true}));
  ASSERT_OK(file->WriteAt(0, AsBytes("x")));
  file->StartWriting(0, 1);
  file->DropCache(0, 1);
  EXPECT_OK(file->Sync());
  EXPECT_OK(file->SyncData());
  EXPECT_OK(dir().Sync());
  EXPECT_OK(dir().SyncFilesystem());
  ASSERT_OK_AND_ASSIGN(const Space space, dir().FreeSpace());
  EXPECT_GT(space.total_bytes, 0u);
  EXPECT_LE(space.free_bytes, space.total_bytes);
}

}  // namespace
}  // namespace slipway::base::testing
