// The bytes that the writer makes, and what the reader takes and refuses (D7, D141, D191).
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/digest/sha256.h"
#include "base/testing/status_matchers.h"
#include "deploy/pack/memory_source.h"
#include "deploy/pack/names.h"
#include "deploy/pack/pax.h"
#include "deploy/pack/tar_reader.h"
#include "deploy/pack/tar_writer.h"

namespace slipway::deploy {
namespace {

using base::testing::IsOk;
using ::testing::HasSubstr;

TarMember File(std::string path, uint64_t size = 0) {
  TarMember member;
  member.path = std::move(path);
  member.mode = 0644;
  member.mtime_ns = 1'700'000'000'000'000'000;
  member.size_bytes = size;
  return member;
}

std::string Header(const TarMember& member) {
  const absl::StatusOr<std::string> header = FormatTarHeader(member);
  EXPECT_THAT(header, IsOk());
  return header.value_or("");
}

// One member with `fill` as its data, as a whole archive.
std::string Archive(const TarMember& member, char fill = 'x') {
  const uint64_t data = TarDataBytes(member);
  return absl::StrCat(Header(member), std::string(data, fill),
                      std::string(TarPaddingBytes(data), '\0'), TarEnd());
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

// A header block with any fields, its checksum right.
std::string RawHeader(absl::string_view name, char type, absl::string_view size_field,
                      absl::string_view link = "", absl::string_view magic = {"ustar\00000", 8}) {
  std::string block(512, '\0');
  const auto put = [&](size_t at, absl::string_view text) {
    block.replace(at, text.size(), text.data(), text.size());
  };
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, size_field);
  put(136, "00000000000");
  block[156] = type;
  put(157, link);
  put(257, magic);
  put(148, "        ");
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put(148, absl::StrFormat("%06o", sum));
  block[154] = '\0';
  return block;
}

std::string Pax(char type, absl::string_view records) {
  return absl::StrCat(RawHeader("PaxHeaders/x", type, absl::StrFormat("%011o", records.size())),
                      records, std::string(TarPaddingBytes(records.size()), '\0'));
}

std::string Record(absl::string_view key, absl::string_view value) {
  size_t total = key.size() + value.size() + 4;
  while (absl::StrCat(total).size() + key.size() + value.size() + 3 != total) ++total;
  return absl::StrCat(total, " ", key, "=", value, "\n");
}

TEST(TarWriter, WritesPlainUstarWhereThatHoldsEverything) {  // D141
  const std::string header = Header(File("dir/file.txt", 5));
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
  EXPECT_EQ(Sha(Header(File("dir/file.txt", 5))),
            "ecf0420e29e2f8bd161bb4eed3e3f47624298635ae7b32df3e379d74e56794ef");
  TarMember directory = File("a/directory");
  directory.type = TarMember::Type::kDirectory;
  directory.mode = 0755;
  EXPECT_EQ(Sha(Header(directory)),
            "eb470cdaf73624c9dea937a3b94583c4149cb9a3dc072b4321d89693b3bba27b");
  TarMember everything = File(std::string(300, 'p'), 10'000'000'000);
  everything.mtime_ns += 120;
  everything.xattrs = {{"user.a=b%", "value"}, {"user.c", std::string("\0\n", 2)}};
  EXPECT_EQ(Sha(Header(everything)),
            "4de468fd317feac325233d2ca1daee28452102569140225eb2b587f16856f1cd");
  TarMember sparse = File("s\xff", 1 << 20);
  sparse.sparse = true;
  sparse.ranges = {{4096, 4096}};
  EXPECT_EQ(Sha(Header(sparse)),
            "5c3f4411d81815899b0efcfaa910b2dd42d3a49fb5b3554ce206824ca3cbeffb");
  TarMember link = File("link");
  link.type = TarMember::Type::kSymlink;
  link.link = std::string(120, 't');
  link.mtime_ns = -1'500'000'000;
  EXPECT_EQ(Sha(Header(link)), "5f82de88158ae500a5f225b95f88789f7ef4a5f675670aa7ca6e316ed7df5966");
}

TEST(TarWriter, SplitsLongNamesAtASlashBeforeItNeedsAPaxRecord) {
  const std::string fits = absl::StrCat(std::string(150, 'd'), "/", std::string(100, 'n'));
  EXPECT_EQ(Header(File(fits)).size(), 512u);
  EXPECT_EQ(ReadAll(Archive(File(fits))).members.at(0).path, fits);
  EXPECT_EQ(Header(File(std::string(101, 'n'))).size(), 3u * 512);
  const std::string late = absl::StrCat(std::string(156, 'd'), "/", std::string(50, 'n'));
  EXPECT_EQ(Header(File(late)).size(), 3u * 512);
}

TEST(TarRoundTrip, KeepsEveryField) {  // D2
  std::vector<TarMember> members;
  for (const size_t length : {1u, 99u, 100u, 101u, 155u, 157u, 250u}) {
    members.push_back(File(std::string(length, 'n'), length));
    members.push_back(
        File(absl::StrCat(std::string(length, 'd'), "/", std::string(length, 'n')), 1));
  }
  members.push_back(File("odd \n\t\"\\ name \xff\xfe", 513));
  members.push_back(File("\xc3\xa4", 512));
  for (const int64_t ns : {int64_t{0}, int64_t{1}, int64_t{-1}, int64_t{-1'500'000'000},
                           int64_t{999'999'999}, int64_t{8'589'934'592'000'000'001}, INT64_MAX}) {
    members.push_back(File(absl::StrCat("time", members.size())));
    members.back().mtime_ns = ns;
  }
  members.push_back(File("xattrs"));
  members.back().xattrs = {{"user.%3D", "a"}, {"user.a=b", std::string("\0\xff\n=", 4)}};
  members.push_back(File("link"));
  members.back().type = TarMember::Type::kSymlink;
  members.back().link = absl::StrCat(std::string(180, 'x'), "\xff/y");
  members.push_back(File("hard"));
  members.back().type = TarMember::Type::kHardLink;
  members.back().link = "time20";
  members.push_back(File("folder"));
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
    TarMember member = File("holes", 100'000);
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

struct Refused {
  std::string name;
  std::string archive;
  std::string code;
  std::string reason;
};

std::vector<Refused> RefusedArchives() {
  const std::string plain = Archive(File("file", 3));
  std::string bad_sum = plain;
  bad_sum[0] = 'g';
  std::string three(TarEnd());
  const std::string file3 = RawHeader("f", '0', "00000000003");
  const std::string data3 = absl::StrCat("abc", std::string(509, '\0'));
  return {
      {"empty stream", "", "DT007", "without an end-of-archive"},
      {"checksum", bad_sum, "DT007", "checksum"},
      {"no tar", std::string(512, 'x') + TarEnd(), "DT007", "checksum"},
      {"cut in a header", plain.substr(0, 100), "DT007", "middle"},
      {"cut in data", plain.substr(0, 514), "DT007", "middle"},
      {"cut before the end", plain.substr(0, 1024), "DT007", "without an end"},
      {"half an end", plain.substr(0, 1536), "DT007", "half"},
      {"garbage after the end", plain + "x", "DT023", "after the end"},
      {"archive after the end", plain + plain, "DT023", "after the end"},
      {"endless zeros", plain + std::string(3 << 20, '\0'), "DT023", "zeros"},
      {"zero block in the middle", Header(File("a")) + std::string(512, '\0') + plain, "DT023",
       "after the end"},
      {"NUL in a name", RawHeader(absl::string_view("a\0b", 3), '0', "0") + TarEnd(), "DT007",
       "NUL"},
      {"NUL in a pax path",
       Pax('x', Record("path", absl::string_view("a\0b", 3))) + file3 + data3 + TarEnd(), "DT023",
       "NUL"},
      {"number", RawHeader("f", '0', "0000000008") + TarEnd(), "DT007", "number"},
      {"negative size", RawHeader("f", '0', std::string(12, '\xff')) + TarEnd(), "DT007", "number"},
      {"size of 2^64",
       RawHeader("f", '0', std::string("\x80\0\0\1\0\0\0\0\0\0\0\0", 12)) + TarEnd(), "DT007",
       "number"},
      {"size of 2^63",
       RawHeader("f", '0', std::string("\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12)), "DT007",
       "impossible"},
      {"character device", RawHeader("f", '3', "0") + TarEnd(), "DT023", "character device"},
      {"block device", RawHeader("f", '4', "0") + TarEnd(), "DT023", "block device"},
      {"FIFO", RawHeader("f", '6', "0") + TarEnd(), "DT023", "FIFO"},
      {"old sparse", RawHeader("f", 'S', "0") + TarEnd(), "DT023", "old GNU sparse"},
      {"multi-volume", RawHeader("f", 'M', "0") + TarEnd(), "DT023", "multi-volume"},
      {"volume label", RawHeader("f", 'V', "0") + TarEnd(), "DT023", "unknown type"},
      {"dump directory", RawHeader("f", 'D', "0") + TarEnd(), "DT023", "unknown type"},
      {"absolute", RawHeader("/etc/x", '0', "0") + TarEnd(), "DT023", "absolute"},
      {"dotdot", RawHeader("a/../../x", '0', "0") + TarEnd(), "DT023", "\"..\""},
      {"dotdot at the end", RawHeader("a/..", '5', "0") + TarEnd(), "DT023", "\"..\""},
      {"dotdot behind ./", RawHeader("./../x", '0', "0") + TarEnd(), "DT023", "\"..\""},
      {"dotdot in a pax path", Pax('x', Record("path", "../x")) + file3 + data3 + TarEnd(), "DT023",
       "\"..\""},
      {"dot inside", RawHeader("a/./b", '0', "0") + TarEnd(), "DT023", "\".\""},
      {"double slash", RawHeader("a//b", '0', "0") + TarEnd(), "DT023", "empty component"},
      {"empty name", RawHeader("", '0', "0") + TarEnd(), "DT023", "empty name"},
      {"file named .", RawHeader("./", '2', "0", "x") + TarEnd(), "DT023", ""},
      {"own folder", RawHeader(".deploy-tool/x", '0', "0") + TarEnd(), "DT023", "own folder"},
      {"long component", Pax('x', Record("path", std::string(256, 'n'))) + file3 + data3 + TarEnd(),
       "DT023", "component"},
      {"long path",
       [&] {
         std::string path = "p";
         while (path.size() <= 4096) path += "/" + std::string(200, 'p');
         return Pax('x', Record("path", path)) + file3 + data3 + TarEnd();
       }(),
       "DT023", "4096"},
      {"deep path",
       [&] {
         std::string path = "p";
         for (int i = 0; i < 256; ++i) path += "/p";
         return Pax('x', Record("path", path)) + file3 + data3 + TarEnd();
       }(),
       "DT023", "levels"},
      {"hard link up", RawHeader("f", '1', "0", "../x") + TarEnd(), "DT023", "\"..\""},
      {"hard link absolute", RawHeader("f", '1', "0", "/etc/passwd") + TarEnd(), "DT023",
       "absolute"},
      {"hard link to nothing", RawHeader("f", '1', "0") + TarEnd(), "DT023", "empty name"},
      {"link with data", RawHeader("f", '1', "00000000003", "x") + data3 + TarEnd(), "DT023",
       "data"},
      {"directory with data", RawHeader("f/", '5', "00000000003") + data3 + TarEnd(), "DT023",
       "data"},
      {"symlink with data", RawHeader("f", '2', "00000000003", "x") + data3 + TarEnd(), "DT023",
       "data"},
      {"file with a slash", RawHeader("f/", '0', "0") + TarEnd(), "DT023", "slash"},
      {"two sizes", Pax('x', Record("size", "512")) + file3 + data3 + TarEnd(), "DT023",
       "two sizes"},
      {"pax size over 0",
       Pax('x', Record("size", "512")) + RawHeader("f", '0', "0") + data3 + TarEnd(), "DT023",
       "two sizes"},
      {"two pax headers",
       Pax('x', Record("a", "b")) + Pax('x', Record("c", "d")) + file3 + data3 + TarEnd(), "DT023",
       "two pax"},
      {"path twice", Pax('x', Record("path", "a") + Record("path", "b")) + file3 + data3 + TarEnd(),
       "DT007", "twice"},
      {"pax without a member", Pax('x', Record("path", "a")) + TarEnd(), "DT007",
       "without its member"},
      {"pax length", Pax('x', "99 path=a\n") + file3 + data3 + TarEnd(), "DT007", "length"},
      {"pax newline", Pax('x', "8 path=a") + file3 + data3 + TarEnd(), "DT007", "newline"},
      {"pax key", Pax('x', "5 =a\n") + file3 + data3 + TarEnd(), "DT007", "key"},
      {"pax time", Pax('x', Record("mtime", "soon")) + file3 + data3 + TarEnd(), "DT007", "time"},
      {"pax size text", Pax('x', Record("size", "-3")) + file3 + data3 + TarEnd(), "DT007",
       "number"},
      {"large pax", RawHeader("p", 'x', "77777777777"), "DT023", "pax header of"},
      {"large long name", RawHeader("p", 'L', "00007777777"), "DT023", "long name of"},
      {"large attribute",
       Pax('x', Record("SCHILY.xattr.user.a", std::string(65537, 'v'))) + file3 + data3 + TarEnd(),
       "DT007", "65536"},
      {"global path", Pax('g', Record("path", "a")) + file3 + data3 + TarEnd(), "DT023", "global"},
      {"global size", Pax('g', Record("size", "9")) + file3 + data3 + TarEnd(), "DT023", "global"},
      {"two long names",
       RawHeader("l", 'L', "00000000001") + std::string(512, 'a') + Pax('x', Record("path", "b")) +
           file3 + data3 + TarEnd(),
       "DT023", "two long names"},
      {"sparse 0.1", Pax('x', Record("GNU.sparse.map", "0,3")) + file3 + data3 + TarEnd(), "DT023",
       "sparse format"},
      {"sparse overlap",
       Pax('x', Record("GNU.sparse.major", "1") + Record("GNU.sparse.minor", "0") +
                    Record("GNU.sparse.name", "s") + Record("GNU.sparse.realsize", "9")) +
           RawHeader("f", '0', "00000001003") + "2\n0\n2\n1\n1\n" + std::string(502, '\0') + data3 +
           TarEnd(),
       "DT023", "overlap"},
      {"sparse beyond its size",
       Pax('x', Record("GNU.sparse.major", "1") + Record("GNU.sparse.minor", "0") +
                    Record("GNU.sparse.name", "s") + Record("GNU.sparse.realsize", "2")) +
           RawHeader("f", '0', "00000001003") + "1\n0\n3\n" + std::string(506, '\0') + data3 +
           TarEnd(),
       "DT023", "leave it"},
      {"sparse sum",
       Pax('x', Record("GNU.sparse.major", "1") + Record("GNU.sparse.minor", "0") +
                    Record("GNU.sparse.name", "s") + Record("GNU.sparse.realsize", "9")) +
           RawHeader("f", '0', "00000001003") + "1\n0\n2\n" + std::string(506, '\0') + data3 +
           TarEnd(),
       "DT023", "tells of"},
      {"sparse map text",
       Pax('x', Record("GNU.sparse.major", "1") + Record("GNU.sparse.minor", "0") +
                    Record("GNU.sparse.name", "s") + Record("GNU.sparse.realsize", "9")) +
           RawHeader("f", '0', "00000001003") + "x\n" + std::string(510, '\0') + data3 + TarEnd(),
       "DT007", "map"},
  };
}

TEST(TarReader, RefusesWhatIsUnsafeOrDamagedAndSaysWhy) {  // D191
  for (const Refused& refused : RefusedArchives()) {
    SCOPED_TRACE(refused.name);
    const ReadBack back = ReadAll(refused.archive);
    EXPECT_FALSE(back.status.ok());
    EXPECT_EQ(base::GetErrorInfo(back.status).code, refused.code) << back.status;
    EXPECT_THAT(std::string(back.status.message()), HasSubstr(refused.reason));
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
