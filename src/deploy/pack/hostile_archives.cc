#include "deploy/pack/hostile_archives.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/check.h"
#include "deploy/pack/tar_writer.h"

namespace slipway::deploy {

std::string Sealed(std::string block) {
  block.replace(ustar::kChecksum, 8, "        ");
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  block.replace(ustar::kChecksum, 7, absl::StrFormat("%06o", sum) + std::string(1, '\0'));
  return block;
}

std::string RawHeader(absl::string_view name, char type, absl::string_view size_field,
                      absl::string_view link, absl::string_view magic) {
  std::string block(512, '\0');
  const auto put = [&](size_t at, absl::string_view text) {
    block.replace(at, text.size(), text.data(), text.size());
  };
  put(0, name);
  put(100, type == '5' ? "0000755" : "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, size_field);
  put(136, "00000000000");
  block[156] = type;
  put(157, link);
  put(257, magic);
  return Sealed(std::move(block));
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

TarMember FileMember(std::string path, uint64_t size) {
  TarMember member;
  member.path = std::move(path);
  member.mode = 0644;
  member.mtime_ns = 1'700'000'000'000'000'000;
  member.size_bytes = size;
  return member;
}

std::string Header(const TarMember& member) {
  absl::StatusOr<std::string> header = FormatTarHeader(member);
  SLIPWAY_CHECK(header.ok());
  return *std::move(header);
}

std::string WholeMember(const TarMember& member, char fill) {
  const uint64_t data = TarDataBytes(member);
  return absl::StrCat(Header(member), std::string(data, fill),
                      std::string(TarPaddingBytes(data), '\0'));
}

std::string WithTime(int64_t seconds) {
  std::string block = RawHeader("f", '0', "0");
  std::string field(ustar::kMtimeBytes, seconds < 0 ? '\xff' : '\0');
  if (seconds >= 0) field[0] = '\x80';
  for (size_t i = 0; i < 8; ++i) {
    field[ustar::kMtimeBytes - 1 - i] =
        static_cast<char>(static_cast<uint64_t>(seconds) >> (8 * i) & 0xff);
  }
  return Sealed(block.replace(ustar::kMtime, ustar::kMtimeBytes, field));
}

std::vector<HostileArchive> HostileSyntax() {
  const std::string plain = WholeMember(FileMember("file", 3)) + TarEnd();
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
      {"zero block in the middle", Header(FileMember("a")) + std::string(512, '\0') + plain,
       "DT023", "after the end"},
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
      {"global attribute", Pax('g', Record("SCHILY.xattr.user.a", "b")) + file3 + data3 + TarEnd(),
       "DT023", "global"},
      {"a time after all time", WithTime(9'223'372'037) + TarEnd(), "DT007", "time"},
      {"a time before all time", WithTime(-9'223'372'037) + TarEnd(), "DT007", "time"},
      {"the first time of 64 bits", WithTime(INT64_MIN) + TarEnd(), "DT007", "time"},
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

std::vector<HostileArchive> HostileTrees() {
  const auto link = [](absl::string_view path, absl::string_view target) {
    return RawHeader(path, '2', "0", target);
  };
  const auto hard = [](absl::string_view path, absl::string_view target) {
    return RawHeader(path, '1', "0", target);
  };
  const auto folder = [](absl::string_view path) { return RawHeader(path, '5', "0"); };
  const auto file = [](absl::string_view path) {
    return WholeMember(FileMember(std::string(path), 3));
  };
  const std::string end = TarEnd();
  TarMember sparse = FileMember("sparse", 2ull << 30);
  sparse.sparse = true;
  std::string many;  // 72 MB of headers
  for (int i = 0; i < 9; ++i) {
    absl::StrAppend(&many, Pax('x', Record("comment", std::string(8'000'000, 'c'))),
                    file(absl::StrCat("f", i)));
  }
  return {
      {"file twice", file("a") + file("a") + end, "DT023", "second member"},
      {"file twice by ./", file("a") + RawHeader("./a", '0', "0") + end, "DT023", "second member"},
      {"file twice by /./", file("a/b") + RawHeader("a/./b", '0', "0") + end, "DT023",
       "second member"},
      {"file twice by //", file("a/b") + RawHeader("a//b", '0', "0") + end, "DT023",
       "second member"},
      {"dotdot behind //", RawHeader("a//..//../b", '0', "0") + end, "DT023", "\"..\""},
      {"own folder behind .//", RawHeader(".//.deploy-tool", '0', "0") + end, "DT023",
       "own folder"},
      {"file named as a directory", RawHeader("a/.", '0', "0") + end, "DT023", "slash"},
      {"directory twice", folder("a/") + folder("a/") + end, "DT023", "second member"},
      {"file over directory", folder("a/") + file("a") + end, "DT023", "second member"},
      {"directory over file", file("a") + folder("a/") + end, "DT023", "second member"},
      {"file over implied directory", file("a/b") + file("a") + end, "DT023", "second member"},
      {"symlink over implied directory", file("a/b") + link("a", "x") + end, "DT023",
       "second member"},
      {"symlink over directory", folder("a/") + link("a", "x") + end, "DT023", "second member"},
      {"file over symlink", link("a", "b") + file("a") + end, "DT023", "second member"},
      {"directory over symlink", link("a", "b") + folder("a/") + end, "DT023", "second member"},
      {"hard link over file", file("a") + file("b") + hard("b", "a") + end, "DT023",
       "second member"},
      {"below a file", file("a") + file("a/b") + end, "DT023", "no directory"},
      {"below a symlink", folder("d/") + link("a", "d") + file("a/b") + end, "DT023",
       "no directory"},
      {"below a symlink, deeper", link("a", ".") + file("a/b/c/d") + end, "DT023", "no directory"},
      {"directory below a symlink", link("a", ".") + folder("a/b/") + end, "DT023", "no directory"},
      {"symlink below a symlink", link("a", ".") + link("a/b", "c") + end, "DT023", "no directory"},
      {"hard link below a symlink", file("f") + link("a", ".") + hard("a/b", "f") + end, "DT023",
       "no directory"},
      {"below a hard link", file("f") + hard("a", "f") + file("a/b") + end, "DT023",
       "no directory"},
      {"symlink to the root", link("a", "/") + end, "DT023", "absolute symlink"},
      {"absolute symlink", link("a", "/etc/passwd") + end, "DT023", "absolute symlink"},
      {"symlink up", link("a", "../x") + end, "DT023", "out of the tree"},
      {"symlink up from below", folder("d/") + link("d/a", "../../x") + end, "DT023",
       "out of the tree"},
      {"symlink down and up", link("a", "d/../../x") + end, "DT023", "out of the tree"},
      {"symlink to ..", link("a", "..") + end, "DT023", "out of the tree"},
      {"symlink without target", link("a", "") + end, "DT023", "without a target"},
      {"long symlink up",
       Pax('x', Record("linkpath", absl::StrCat(std::string(150, 'd'), "/../../x"))) +
           link("a", "b") + end,
       "DT023", "out of the tree"},
      {"up through another symlink",
       folder("a/") + folder("a/b/") + link("a/b/up", "../..") + link("out", "a/b/up/../x") + end,
       "DT023", "through other symlinks"},
      {"up through a symlink that comes later",
       folder("a/") + folder("a/b/") + link("out", "a/b/up/../x") + link("a/b/up", "../..") + end,
       "DT023", "through other symlinks"},
      {"up through a chain",
       folder("a/") + link("a/b", "..") + link("c", "a/b") + link("d", "c/a/b/a/../..") + end,
       "DT023", "tree"},
      {"hard link to nothing", hard("a", "b") + end, "DT023", "no regular member"},
      {"hard link to a later file", hard("a", "b") + file("b") + end, "DT023", "no regular member"},
      {"hard link to itself", hard("a", "a") + end, "DT023", "no regular member"},
      {"hard link to a directory", folder("d/") + hard("a", "d") + end, "DT023",
       "no regular member"},
      {"hard link to a symlink", file("f") + link("s", "f") + hard("a", "s") + end, "DT023",
       "no regular member"},
      {"hard link through a symlink",
       folder("d/") + file("d/f") + link("s", "d") + hard("a", "s/f") + end, "DT023",
       "no regular member"},
      {"hard link relative to its own directory",
       folder("d/") + file("d/f") + hard("d/a", "f") + end, "DT023", "no regular member"},
      {"more than announced", WholeMember(FileMember("a", 4000)) + end, "DT023", "announced", 3999},
      {"more than announced in all", file("a") + file("b") + end, "DT023", "announced", 5},
      {"hole larger than announced", Header(sparse) + end, "DT023", "announced", 1 << 20},
      {"hole larger than any unannounced package", Header(sparse) + end, "DT023",
       "package of this size"},
      {"file of 2^62 bytes", Header(FileMember("a", 1ull << 62)), "DT023", "package of this size"},
      {"headers without contents", many + end, "DT023", "too much on headers"},
  };
}

}  // namespace slipway::deploy
