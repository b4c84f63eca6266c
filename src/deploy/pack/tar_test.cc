// The bytes that the writer makes, and what the reader takes and refuses (D7, D141, D191).
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/digest/sha256.h"
#include "base/os/files.h"
#include "base/testing/status_matchers.h"
#include "deploy/pack/hostile_archives.h"
#include "deploy/pack/memory_source.h"
#include "deploy/pack/names.h"
#include "deploy/pack/pax.h"
#include "deploy/pack/tar_reader.h"
#include "deploy/pack/tar_writer.h"

namespace slipway::deploy {
namespace {

using base::testing::IsOk;
using ::testing::HasSubstr;

// One member with `fill` as its data, as a whole archive.
std::string Archive(const TarMember& member, char fill = 'x') {
  return WholeMember(member, fill) + TarEnd();
}

struct ReadBack {
  std::vector<TarMember> members;
  std::vector<std::string> contents;  // logical
  absl::Status status;
};

ReadBack ReadAll(absl::string_view archive, size_t step = SIZE_MAX) {
  MemorySource source(archive, step);
  TarReader reader(source);
  ReadBack result;
  while (true) {
    absl::StatusOr<std::optional<TarMember>> member = reader.Next();
    if (!member.ok()) {
      result.status = member.status();
      return result;
    }
    if (!member->has_value()) return result;
    std::string content((*member)->size_bytes, '\0');
    base::Bytes buffer(700);
    while (true) {
      const absl::StatusOr<TarPiece> piece = reader.Read(absl::MakeSpan(buffer));
      if (!piece.ok()) {
        result.status = piece.status();
        return result;
      }
      if (piece->size == 0) break;
      content.replace(piece->offset, piece->size, reinterpret_cast<char*>(buffer.data()),
                      piece->size);
    }
    result.members.push_back(**std::move(member));
    result.contents.push_back(content);
  }
}

std::string Sha(absl::string_view bytes) {
  return base::ToHex(base::Sha256Of(base::AsBytes(bytes)));
}

TEST(TarWriter, WritesPlainUstarWhereThatHoldsEverything) {  // D141
  const std::string header = Header(FileMember("dir/file.txt", 5));
  ASSERT_EQ(header.size(), 512u);
  EXPECT_EQ(header.substr(0, 13), std::string("dir/file.txt\0", 13));
  EXPECT_EQ(header.substr(100, 24), std::string("0000644\0"
                                                "0000000\0"
                                                "0000000\0",
                                                24));
  EXPECT_EQ(header.substr(124, 12), std::string("00000000005\0", 12));
  EXPECT_EQ(header.substr(257, 8), std::string("ustar\00000", 8));
  EXPECT_EQ(header.substr(265, 64), std::string(64, '\0'));  // no names of owner and group
}

// Bytes of packages must never change: these digests stand for every form of header. D141
TEST(TarWriter, BytesAreThoseOfTheFirstVersion) {
  EXPECT_EQ(Sha(Header(FileMember("dir/file.txt", 5))),
            "ecf0420e29e2f8bd161bb4eed3e3f47624298635ae7b32df3e379d74e56794ef");
  TarMember directory = FileMember("a/directory");
  directory.type = TarMember::Type::kDirectory;
  directory.mode = 0755;
  EXPECT_EQ(Sha(Header(directory)),
            "eb470cdaf73624c9dea937a3b94583c4149cb9a3dc072b4321d89693b3bba27b");
  TarMember everything = FileMember(std::string(300, 'p'), 10'000'000'000);
  everything.mtime_ns += 120;
  everything.xattrs = {{"user.a=b%", "value"}, {"user.c", std::string("\0\n", 2)}};
  EXPECT_EQ(Sha(Header(everything)),
            "4de468fd317feac325233d2ca1daee28452102569140225eb2b587f16856f1cd");
  TarMember sparse = FileMember("s\xff", 1 << 20);
  sparse.sparse = true;
  sparse.ranges = {{4096, 4096}};
  EXPECT_EQ(Sha(Header(sparse)),
            "5c3f4411d81815899b0efcfaa910b2dd42d3a49fb5b3554ce206824ca3cbeffb");
  TarMember link = FileMember("link");
  link.type = TarMember::Type::kSymlink;
  link.link = std::string(120, 't');
  link.mtime_ns = -1'500'000'000;
  EXPECT_EQ(Sha(Header(link)), "5f82de88158ae500a5f225b95f88789f7ef4a5f675670aa7ca6e316ed7df5966");
}

TEST(TarWriter, ExampleOfTheFormatPageIsAPackage) {
  base::os::LinuxFiles files;
  const auto page = base::ReadUserFile(
      files, SLIPWAY_TEST_SOURCE_DIR "/../../../docs/formats/package.md", 1 << 20);
  ASSERT_THAT(page, IsOk());
  const std::vector<std::string> parts = absl::StrSplit(*page, "```");
  ASSERT_EQ(parts.size(), 3u);
  std::string bytes;
  for (const absl::string_view line : absl::StrSplit(parts[1], '\n', absl::SkipEmpty())) {
    if (line == "*") continue;
    unsigned offset = 0;
    ASSERT_TRUE(absl::SimpleHexAtoi(line.substr(0, 8), &offset));
    bytes.resize(offset, '\0');  // only zeros are left out
    const std::string hex = absl::StrReplaceAll(line.substr(8), {{" ", ""}});
    const auto decoded = base::FromHex(hex);
    ASSERT_THAT(decoded, IsOk());
    bytes.append(decoded->begin(), decoded->end());
  }
  TarMember member = FileMember("a", 4);
  member.mtime_ns += 500'000'000;
  EXPECT_EQ(bytes, absl::StrCat(Header(member), "abc\n", std::string(508, '\0'), TarEnd()));
}

TEST(TarWriter, SplitsLongNamesAtASlashBeforeItNeedsAPaxRecord) {
  const std::string fits = absl::StrCat(std::string(150, 'd'), "/", std::string(100, 'n'));
  EXPECT_EQ(Header(FileMember(fits)).size(), 512u);
  EXPECT_EQ(ReadAll(Archive(FileMember(fits))).members.at(0).path, fits);
  EXPECT_EQ(Header(FileMember(std::string(101, 'n'))).size(), 3u * 512);
  const std::string late = absl::StrCat(std::string(156, 'd'), "/", std::string(50, 'n'));
  EXPECT_EQ(Header(FileMember(late)).size(), 3u * 512);
}

TEST(TarRoundTrip, KeepsEveryField) {  // D2
  std::vector<TarMember> members;
  for (const size_t length : {1u, 99u, 100u, 101u, 155u, 157u, 250u}) {
    members.push_back(FileMember(std::string(length, 'n'), length));
    members.push_back(
        FileMember(absl::StrCat(std::string(length, 'd'), "/", std::string(length, 'n')), 1));
  }
  members.push_back(FileMember("odd \n\t\"\\ name \xff\xfe", 513));
  members.push_back(FileMember("\xc3\xa4", 512));
  for (const int64_t ns : {int64_t{0}, int64_t{1}, int64_t{-1}, int64_t{-1'500'000'000},
                           int64_t{999'999'999}, int64_t{8'589'934'592'000'000'001}, INT64_MAX}) {
    members.push_back(FileMember(absl::StrCat("time", members.size())));
    members.back().mtime_ns = ns;
  }
  members.push_back(FileMember("xattrs"));
  members.back().xattrs = {{"user.%3D", "a"}, {"user.a=b", std::string("\0\xff\n=", 4)}};
  members.push_back(FileMember("link"));
  members.back().type = TarMember::Type::kSymlink;
  members.back().link = absl::StrCat(std::string(180, 'x'), "\xff/y");
  members.push_back(FileMember("hard"));
  members.back().type = TarMember::Type::kHardLink;
  members.back().link = "time20";
  members.push_back(FileMember("folder"));
  members.back().type = TarMember::Type::kDirectory;

  std::string archive;
  for (const TarMember& member : members) {
    const uint64_t data = TarDataBytes(member);
    absl::StrAppend(&archive, Header(member), std::string(data, 'q'),
                    std::string(TarPaddingBytes(data), '\0'));
  }
  archive += TarEnd();
  for (const size_t step : {size_t{1}, size_t{511}, SIZE_MAX}) {
    const ReadBack back = ReadAll(archive, step);
    ASSERT_THAT(back.status, IsOk());
    ASSERT_EQ(back.members.size(), members.size());
    for (size_t i = 0; i < members.size(); ++i) {
      EXPECT_EQ(back.members[i].path, members[i].path);
      EXPECT_EQ(back.members[i].type, members[i].type);
      EXPECT_EQ(back.members[i].mode, members[i].mode);
      EXPECT_EQ(back.members[i].mtime_ns, members[i].mtime_ns);
      EXPECT_EQ(back.members[i].link, members[i].link);
      EXPECT_EQ(back.members[i].xattrs, members[i].xattrs);
      EXPECT_EQ(back.contents[i], std::string(members[i].size_bytes, 'q'));
    }
  }
}

TEST(TarRoundTrip, KeepsHoles) {  // D2
  for (const TarRanges& ranges : std::vector<TarRanges>{
           {}, {{0, 1}}, {{4096, 10}}, {{0, 4096}, {8192, 4096}}, {{99'990, 10}}}) {
    TarMember member = FileMember("holes", 100'000);
    member.sparse = true;
    member.ranges = ranges;
    const ReadBack back = ReadAll(Archive(member));
    ASSERT_THAT(back.status, IsOk());
    EXPECT_TRUE(back.members.at(0).sparse);
    EXPECT_EQ(back.members[0].ranges, ranges);
    std::string content(100'000, '\0');
    for (const auto& [offset, size] : ranges) content.replace(offset, size, size, 'x');
    EXPECT_EQ(back.contents[0], content);
  }
}

TEST(TarReader, TakesBinaryNumbersAndGnuLongNames) {
  std::string size("\x80\0\0\0\0\0\0\0\0\0\0\3", 12);
  const std::string long_name = absl::StrCat(std::string(150, 'L'), "/", std::string(149, 'L'));
  const std::string archive = absl::StrCat(
      RawHeader("././@LongLink", 'L', "00000000455", "", "ustar  "), long_name,
      std::string(212, '\0'), RawHeader("cut", '0', size, "", absl::string_view("ustar  \0", 8)),
      "abc", std::string(509, '\0'), TarEnd());
  const ReadBack back = ReadAll(archive);
  ASSERT_THAT(back.status, IsOk());
  EXPECT_EQ(back.members.at(0).path, long_name);
  EXPECT_EQ(back.contents[0], "abc");
}

TEST(TarReader, TakesWhatOldAndCommonWritersMake) {
  const std::string data = absl::StrCat("abc", std::string(509, '\0'));
  // A directory of the form before POSIX, "./" before names, a global header of `git archive`.
  const std::string archive =
      absl::StrCat(Pax('g', Record("comment", "0123")), RawHeader("./", '5', "0"),
                   RawHeader("./old/", '\0', "0", "", ""), RawHeader("./old/file", '7', "3 "), data,
                   TarEnd(), std::string(9216, '\0'));
  const ReadBack back = ReadAll(archive);
  ASSERT_THAT(back.status, IsOk());
  ASSERT_EQ(back.members.size(), 2u);
  EXPECT_EQ(back.members[0].type, TarMember::Type::kDirectory);
  EXPECT_EQ(back.members[1].path, "old/file");
}

TEST(TarReader, RefusesWhatIsUnsafeOrDamagedAndSaysWhy) {  // D191
  for (const HostileArchive& refused : HostileSyntax()) {
    SCOPED_TRACE(refused.name);
    const ReadBack back = ReadAll(refused.bytes);
    EXPECT_FALSE(back.status.ok());
    EXPECT_EQ(base::GetErrorInfo(back.status).code, refused.code) << back.status;
    EXPECT_THAT(std::string(back.status.message()), HasSubstr(refused.reason));
  }
}

TEST(TarReader, TakesEveryTimeThatNanosecondsCanSay) {
  for (const int64_t seconds : {int64_t{-9'223'372'036}, int64_t{-1}, int64_t{9'223'372'036}}) {
    const ReadBack back = ReadAll(WithTime(seconds) + TarEnd());
    ASSERT_THAT(back.status, IsOk());
    EXPECT_EQ(back.members.at(0).mtime_ns, seconds * 1'000'000'000);
  }
}

TEST(TarReader, TakesTimesBehindThePrefix) {  // D288: npm's archives
  std::string header = RawHeader("f", '0', "0");
  header.replace(476, 12, absl::string_view("14524770400\0", 12).data(), 12);
  const ReadBack back = ReadAll(Sealed(header) + TarEnd());
  ASSERT_THAT(back.status, IsOk());
  EXPECT_EQ(back.members.at(0).path, "f");
}

TEST(Names, AreTakenWithoutWhatMeansNothing) {
  for (const auto& [raw, clean] : std::initializer_list<std::pair<const char*, const char*>>{
           {"a", "a"},
           {"./a", "a"},
           {"././/a", "a"},
           {"a/", "a"},
           {"a//b/./c/", "a/b/c"},
           {".", ""},
           {"./", ""},
           {"...", "..."},
           {"..a", "..a"},
           {"a/.deploy-tool", "a/.deploy-tool"}}) {
    const auto path = CleanMemberName(raw);
    ASSERT_THAT(path, IsOk()) << raw;
    EXPECT_EQ(*path, clean) << raw;
  }
}

TEST(TarReader, EscapesControlCharactersInMessages) {  // D193
  const ReadBack back = ReadAll(RawHeader("\x1b[31m/../x", '0', "0") + TarEnd());
  EXPECT_FALSE(absl::StrContains(std::string(back.status.message()), '\x1b'));
  EXPECT_THAT(std::string(back.status.message()), HasSubstr("\\x1b"));
}

TEST(PaxTime, IsExactToTheNanosecond) {
  EXPECT_EQ(ParsePaxTime("12"), 12'000'000'000);
  EXPECT_EQ(ParsePaxTime("0.000000001"), 1);
  EXPECT_EQ(ParsePaxTime("-0.5"), -500'000'000);
  EXPECT_EQ(ParsePaxTime("1.1234567899"), 1'123'456'789);
  for (const char* bad : {"", "-", "1.", ".5", "1e3", " 1", "+1", "9999999999999999999", "1.5x"}) {
    EXPECT_EQ(ParsePaxTime(bad), std::nullopt) << bad;
  }
}

TEST(Names, SymlinksStayInTheTree) {  // D191
  struct Case {
    const char* path;
    const char* target;
    bool ok;
  };
  for (const Case& c : std::initializer_list<Case>{{"a", "b", true},
                                                   {"a", "..", false},
                                                   {"d/a", "..", true},
                                                   {"d/a", "../b", true},
                                                   {"d/a", "../../b", false},
                                                   {"d/a", "x/../../..", false},
                                                   {"d/a", "./x//../y/", true},
                                                   {"a", "/etc", false},
                                                   {"a", "", false},
                                                   {"d/e/a", "../../..", false}}) {
    EXPECT_EQ(CheckSymlink(c.path, c.target, false).ok(), c.ok) << c.path << " " << c.target;
  }
  EXPECT_THAT(CheckSymlink("a", "/etc", true), IsOk());
}

TEST(Names, FoldsCaseAndForm) {  // D193
  EXPECT_EQ(FoldName("README"), FoldName("readme"));
  EXPECT_EQ(FoldName("\xc3\x84"), FoldName("a\xcc\x88"));  // Ä precomposed, ä decomposed
  EXPECT_EQ(FoldName("\xd0\x99"), FoldName("\xd0\xb9"));   // Й й
  EXPECT_EQ(FoldName("\xea\xb0\x81"), "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8");  // Hangul gag
  EXPECT_NE(FoldName("a"), FoldName("b"));
  EXPECT_EQ(FoldName("\xff"
                     "A"),
            "\xff"
            "a");
}

}  // namespace
}  // namespace slipway::deploy
