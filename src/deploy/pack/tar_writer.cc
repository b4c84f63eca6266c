#include "deploy/pack/tar_writer.h"

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "deploy/model/errors.h"
#include "deploy/pack/names.h"

namespace slipway::deploy {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;

// `digits` octal digits and the NUL that follows them in the block already.
void PutOctal(std::string& block, size_t at, size_t field_bytes, uint64_t value) {
  for (size_t i = field_bytes - 1; i-- > 0;) {
    block[at + i] = static_cast<char>('0' + (value & 7));
    value >>= 3;
  }
  SLIPWAY_CHECK(value == 0);
}

void PutText(std::string& block, size_t at, absl::string_view text) {
  block.replace(at, text.size(), text.data(), text.size());
}

// A record of a pax header counts its own length digits.
void AppendPaxRecord(std::string& out, absl::string_view key, absl::string_view value) {
  const size_t rest = key.size() + value.size() + 3;  // space, '=', newline
  size_t total = rest + 1;
  while (absl::StrCat(total).size() + rest != total) {
    total = absl::StrCat(total).size() + rest;
  }
  absl::StrAppend(&out, total, " ", key, "=", value, "\n");
}

// Seconds with as many decimals as needed: "12.5", "-0.25".
std::string PaxTime(int64_t ns) {
  const uint64_t magnitude =
      ns < 0 ? uint64_t{0} - static_cast<uint64_t>(ns) : static_cast<uint64_t>(ns);
  std::string text = absl::StrCat(ns < 0 ? "-" : "", magnitude / kNsPerSecond);
  if (const uint64_t fraction = magnitude % kNsPerSecond; fraction != 0) {
    std::string digits = absl::StrCat(fraction);
    digits.insert(0, 9 - digits.size(), '0');
    digits.erase(digits.find_last_not_of('0') + 1);
    absl::StrAppend(&text, ".", digits);
  }
  return text;
}

// Where to cut `name` so that prefix and name fit their fields; npos if it cannot be cut.
size_t PrefixCut(absl::string_view name) {
  for (size_t cut = name.size() - ustar::kNameBytes - 1; cut < name.size() - 1; ++cut) {
    if (cut > ustar::kPrefixBytes) break;
    if (cut > 0 && name[cut] == '/') return cut;
  }
  return absl::string_view::npos;
}

// Puts `name` into the name and prefix fields, cut off where it is too long (a pax record then
// holds it). Returns whether it fitted.
bool PutName(std::string& block, absl::string_view name) {
  if (name.size() <= ustar::kNameBytes) {
    PutText(block, ustar::kName, name);
    return true;
  }
  const size_t cut = PrefixCut(name);
  if (cut == absl::string_view::npos) {
    PutText(block, ustar::kName, name.substr(0, ustar::kNameBytes));
    return false;
  }
  PutText(block, ustar::kPrefix, name.substr(0, cut));
  PutText(block, ustar::kName, name.substr(cut + 1));
  return true;
}

void Seal(std::string& block) {
  block.replace(ustar::kChecksum, ustar::kChecksumBytes, ustar::kChecksumBytes, ' ');
  uint64_t sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  PutOctal(block, ustar::kChecksum, ustar::kChecksumBytes - 1, sum);
  block[ustar::kChecksum + ustar::kChecksumBytes - 2] = '\0';
}

struct Fields {
  char type = '0';
  uint32_t mode = 0;
  uint64_t size_bytes = 0;  // above kSizeMax the field is 0 and a pax record holds the size
  int64_t mtime_s = 0;      // likewise outside the field's range
};

std::string EmptyBlock(const Fields& fields) {
  std::string block(kTarBlockBytes, '\0');
  PutOctal(block, ustar::kMode, ustar::kModeBytes, fields.mode);
  PutOctal(block, ustar::kUid, ustar::kIdBytes, 0);
  PutOctal(block, ustar::kGid, ustar::kIdBytes, 0);
  PutOctal(block, ustar::kSize, ustar::kSizeBytes,
           fields.size_bytes > ustar::kSizeMax ? 0 : fields.size_bytes);
  const bool fits = fields.mtime_s >= 0 && static_cast<uint64_t>(fields.mtime_s) <= ustar::kSizeMax;
  PutOctal(block, ustar::kMtime, ustar::kMtimeBytes,
           fits ? static_cast<uint64_t>(fields.mtime_s) : 0);
  block[ustar::kType] = fields.type;
  PutText(block, ustar::kMagic, absl::string_view("ustar\00000", 8));
  PutOctal(block, ustar::kDeviceMajor, ustar::kDeviceBytes, 0);
  PutOctal(block, ustar::kDeviceMinor, ustar::kDeviceBytes, 0);
  return block;
}

int64_t FloorSeconds(int64_t ns) { return ns / kNsPerSecond - (ns % kNsPerSecond < 0 ? 1 : 0); }

// A name for headers that a reader replaces: in the member's directory no reader may look.
std::string StandIn(absl::string_view folder, absl::string_view path) {
  const absl::string_view name = base::SplitPath(path).second;
  return absl::StrCat(folder, "/", name.substr(0, ustar::kNameBytes - folder.size() - 1));
}

std::string SparseMap(const TarMember& member) {
  // A hole at the end is told by an empty range there, as GNU tar does.
  const uint64_t end =
      member.ranges.empty() ? 0 : member.ranges.back().first + member.ranges.back().second;
  const bool hole_at_end = end < member.size_bytes;
  std::string map = absl::StrCat(member.ranges.size() + (hole_at_end ? 1 : 0), "\n");
  for (const auto& [offset, size] : member.ranges) absl::StrAppend(&map, offset, "\n", size, "\n");
  if (hole_at_end) absl::StrAppend(&map, member.size_bytes, "\n0\n");
  map.append(TarPaddingBytes(map.size()), '\0');
  return map;
}

// '%' and '=' cannot stand in the key of a record; GNU tar escapes them in the same way.
std::string XattrKey(absl::string_view name) {
  std::string key = "SCHILY.xattr.";
  for (const char c : name) {
    if (c == '%') {
      key += "%25";
    } else if (c == '=') {
      key += "%3D";
    } else {
      key += c;
    }
  }
  return key;
}

struct Needs {
  bool path = false, link = false, size = false, mtime = false;
};

std::string PaxRecords(const TarMember& member, const Needs& needs, absl::string_view name,
                       uint64_t stored_bytes) {
  std::string records;
  // Names that are not UTF-8 are declared, or readers try to convert them.
  const bool names_here = needs.path || needs.link || member.sparse;
  if (names_here && !(base::IsUtf8(name) && base::IsUtf8(member.link))) {
    AppendPaxRecord(records, "hdrcharset", "BINARY");
  }
  if (member.sparse) {
    AppendPaxRecord(records, "GNU.sparse.major", "1");
    AppendPaxRecord(records, "GNU.sparse.minor", "0");
    AppendPaxRecord(records, "GNU.sparse.name", name);
    AppendPaxRecord(records, "GNU.sparse.realsize", absl::StrCat(member.size_bytes));
  } else if (needs.path) {
    AppendPaxRecord(records, "path", name);
  }
  if (needs.link) AppendPaxRecord(records, "linkpath", member.link);
  if (needs.size) AppendPaxRecord(records, "size", absl::StrCat(stored_bytes));
  if (needs.mtime) AppendPaxRecord(records, "mtime", PaxTime(member.mtime_ns));
  for (const auto& [key, value] : member.xattrs) AppendPaxRecord(records, XattrKey(key), value);
  return records;
}

}  // namespace

uint64_t TarDataBytes(const TarMember& member) {
  if (member.type != TarMember::Type::kFile) return 0;
  if (!member.sparse) return member.size_bytes;
  uint64_t sum = 0;
  for (const auto& range : member.ranges) sum += range.second;
  return sum;
}

absl::StatusOr<std::string> FormatTarHeader(const TarMember& member) {
  SLIPWAY_CHECK(!member.path.empty() && member.path.front() != '/' && member.path.back() != '/');
  SLIPWAY_CHECK(!member.sparse || member.type == TarMember::Type::kFile);
  const bool directory = member.type == TarMember::Type::kDirectory;
  const std::string name = directory ? member.path + "/" : member.path;
  const std::string map = member.sparse ? SparseMap(member) : "";
  const uint64_t stored_bytes = map.size() + TarDataBytes(member);

  Fields fields{.type = static_cast<char>(member.type),
                .mode = member.mode & 0777,
                .size_bytes = stored_bytes,
                .mtime_s = FloorSeconds(member.mtime_ns)};
  std::string block = EmptyBlock(fields);
  Needs needs;
  needs.path = !PutName(block, member.sparse ? StandIn("GNUSparseFile.0", member.path) : name);
  needs.link = member.link.size() > ustar::kLinkBytes;
  PutText(block, ustar::kLink, absl::string_view(member.link).substr(0, ustar::kLinkBytes));
  needs.size = stored_bytes > ustar::kSizeMax;
  needs.mtime = member.mtime_ns % kNsPerSecond != 0 || fields.mtime_s < 0 ||
                static_cast<uint64_t>(fields.mtime_s) > ustar::kSizeMax;
  Seal(block);

  const std::string records = PaxRecords(member, needs, name, stored_bytes);
  if (records.size() > kPaxBytesMax) {
    return Error(Dt::kFileKind,
                 absl::StrCat("pack ", ShowName(member.path), ": its extended attributes take ",
                              records.size(), " bytes, more than ", kPaxBytesMax));
  }
  std::string out;
  if (!records.empty()) {
    fields.type = 'x';
    fields.mode = 0644;
    fields.size_bytes = records.size();
    std::string pax = EmptyBlock(fields);
    PutText(pax, ustar::kName, StandIn("PaxHeaders.0", member.path));
    Seal(pax);
    absl::StrAppend(&out, pax, records, std::string(TarPaddingBytes(records.size()), '\0'));
  }
  absl::StrAppend(&out, block, map);
  return out;
}

uint64_t SparseMapBytes(const TarMember& member) { return SparseMap(member).size(); }

std::string TarEnd() { return std::string(kTarEndBytes, '\0'); }

}  // namespace slipway::deploy
