#include "deploy/pack/tar_reader.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "deploy/model/errors.h"
#include "deploy/pack/names.h"
#include "deploy/pack/pax.h"

namespace slipway::deploy {
namespace {

constexpr size_t kBufferBytes = 256 << 10;
constexpr int64_t kNsPerSecond = 1'000'000'000;
// Zeros that may follow the end mark: the largest blocking factor in use is 1 MiB.
constexpr uint64_t kTrailingZerosMax = 2ull << 20;
constexpr uint64_t kForeignRangesMax = 1ull << 20;

using Block = std::array<uint8_t, kTarBlockBytes>;

bool IsZero(absl::Span<const uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t b) { return b == 0; });
}

// A field of text up to its NUL; nullopt when something follows that NUL.
std::optional<std::string> TextField(const Block& block, size_t at, size_t bytes) {
  const char* begin = reinterpret_cast<const char*>(block.data()) + at;
  const char* nul = std::find(begin, begin + bytes, '\0');
  if (std::any_of(nul, begin + bytes, [](char c) { return c != '\0'; })) return std::nullopt;
  return std::string(begin, nul);
}

// An octal field, or a binary one of GNU (top bit set, big endian, two's complement).
std::optional<int64_t> NumberField(const Block& block, size_t at, size_t bytes) {
  const uint8_t* field = block.data() + at;
  if ((field[0] & 0x80) != 0) {
    const bool negative = (field[0] & 0x40) != 0;
    const uint8_t fill = negative ? 0xff : 0x00;
    uint64_t value = negative ? ~uint64_t{0} : 0;
    for (size_t i = 0; i < bytes; ++i) {
      const uint8_t byte =
          i == 0 ? (negative ? field[0] : static_cast<uint8_t>(field[0] & 0x7f)) : field[i];
      if (i + 8 < bytes && byte != fill) return std::nullopt;  // more than 64 bits
      value = value << 8 | byte;
    }
    const auto result = static_cast<int64_t>(value);
    if ((result < 0) != negative) return std::nullopt;
    return result;
  }
  size_t i = 0;
  while (i < bytes && field[i] == ' ') ++i;
  int64_t value = 0;
  for (; i < bytes && field[i] >= '0' && field[i] <= '7'; ++i) value = value * 8 + (field[i] - '0');
  for (; i < bytes; ++i) {
    if (field[i] != ' ' && field[i] != '\0') return std::nullopt;
  }
  return value;
}

bool ChecksumMatches(const Block& block) {
  const std::optional<int64_t> want = NumberField(block, ustar::kChecksum, ustar::kChecksumBytes);
  int64_t sum = 0;
  for (size_t i = 0; i < block.size(); ++i) {
    const bool own = i >= ustar::kChecksum && i < ustar::kChecksum + ustar::kChecksumBytes;
    sum += own ? ' ' : block[i];
  }
  return want == sum;
}

absl::Status Unsafe(absl::string_view name, absl::string_view reason) {
  return Error(Dt::kUnsafe, absl::StrCat("read package: member ", ShowName(name), ": ", reason),
               "the package is refused as a whole; take it from a source you trust");
}

std::string KindName(char type) {
  switch (type) {
    case '3':
      return "a character device";
    case '4':
      return "a block device";
    case '6':
      return "a FIFO";
    case 'S':
      return "a file in the old GNU sparse format";
    case 'M':
      return "a part of a multi-volume archive";
    default:
      return absl::StrCat("of the unknown type \"",
                          base::EscapeForTerminal(absl::string_view(&type, 1)), "\"");
  }
}

}  // namespace

struct TarReader::Header {
  char type = '0';
  std::string name, link;
  uint32_t mode = 0;
  uint64_t size_bytes = 0;
  int64_t mtime_s = 0;
  bool old_form = false;  // before POSIX: a trailing slash means a directory

  // The reason why it is none; OK else.
  static absl::Status Parse(const Block& block, Header& out);
};

absl::Status TarReader::Header::Parse(const Block& block, Header& out) {
  if (!ChecksumMatches(block)) return absl::InvalidArgumentError("wrong header checksum");
  const absl::string_view magic(reinterpret_cast<const char*>(block.data()) + ustar::kMagic,
                                ustar::kMagicBytes);
  const bool posix = absl::StartsWith(magic, absl::string_view("ustar\0", 6));
  const bool gnu = magic == absl::string_view("ustar  \0", 8);
  out.old_form = !posix && !gnu;
  if (out.old_form && !IsZero(base::AsBytes(magic))) {
    return absl::InvalidArgumentError("not a tar header");
  }
  out.type = static_cast<char>(block[ustar::kType]);
  const auto name = TextField(block, ustar::kName, ustar::kNameBytes);
  const auto link = TextField(block, ustar::kLink, ustar::kLinkBytes);
  if (!name.has_value() || !link.has_value()) {
    return absl::InvalidArgumentError("NUL inside a name");
  }
  // Behind the prefix and its NUL some writers (star, npm's) put times: no reader minds.
  const char* prefix = reinterpret_cast<const char*>(block.data()) + ustar::kPrefix;
  const std::string folder(prefix, posix ? strnlen(prefix, ustar::kPrefixBytes) : 0);
  out.name = folder.empty() ? *name : absl::StrCat(folder, "/", *name);
  out.link = *link;
  const auto mode = NumberField(block, ustar::kMode, ustar::kModeBytes);
  const auto size = NumberField(block, ustar::kSize, ustar::kSizeBytes);
  const auto mtime = NumberField(block, ustar::kMtime, ustar::kMtimeBytes);
  if (!mode.has_value() || !size.has_value() || *size < 0 || !mtime.has_value()) {
    return absl::InvalidArgumentError("a number that is none");
  }
  out.mode = static_cast<uint32_t>(*mode & 07777);
  out.size_bytes = static_cast<uint64_t>(*size);
  out.mtime_s = *mtime;
  return absl::OkStatus();
}

// What stands before a member and speaks of it.
struct TarReader::Pax {
  PaxRecords records;
  bool seen = false;
  std::optional<std::string> gnu_name, gnu_link;
  bool any() const { return seen || gnu_name.has_value() || gnu_link.has_value(); }
};

TarReader::TarReader(base::ByteSource& source) : source_(source), buffer_(kBufferBytes) {}
TarReader::~TarReader() = default;

absl::Status TarReader::Damaged(absl::string_view reason) const {
  return Error(Dt::kChecksum, absl::StrCat("read package: damaged at byte ", offset_,
                                           " of the tar stream: ", reason));
}

absl::StatusOr<size_t> TarReader::Take(absl::Span<uint8_t> out) {
  if (begin_ == end_) {
    const bool direct = out.size() >= buffer_.size();  // large reads need no copy
    absl::StatusOr<size_t> got = source_.Read(direct ? out : absl::MakeSpan(buffer_));
    if (!got.ok()) {
      const Dt code = absl::IsResourceExhausted(got.status()) ? Dt::kUnsafe : Dt::kChecksum;
      const bool ours = absl::IsResourceExhausted(got.status()) || absl::IsDataLoss(got.status());
      return ours ? Wrap(got.status(), code, "read package") : got.status();
    }
    if (direct) {
      offset_ += *got;
      return *got;
    }
    begin_ = 0;
    end_ = *got;
  }
  const size_t size = std::min(out.size(), end_ - begin_);
  std::copy_n(buffer_.begin() + static_cast<ptrdiff_t>(begin_), size, out.begin());
  begin_ += size;
  offset_ += size;
  return size;
}

absl::Status TarReader::TakeAll(absl::Span<uint8_t> out) {
  while (!out.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(const size_t got, Take(out));
    if (got == 0) return Damaged("it ends here, in the middle of a member");
    out.remove_prefix(got);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> TarReader::ReadBlock() {
  SLIPWAY_ASSIGN_OR_RETURN(const size_t got, Take(absl::MakeSpan(block_)));
  if (got == 0) return false;
  SLIPWAY_RETURN_IF_ERROR(TakeAll(absl::MakeSpan(block_).subspan(got)));
  return true;
}

absl::Status TarReader::Skip(uint64_t bytes) {
  base::Bytes scratch(std::min<uint64_t>(bytes, 64 << 10));
  while (bytes > 0) {
    const size_t step = std::min<uint64_t>(bytes, scratch.size());
    SLIPWAY_RETURN_IF_ERROR(TakeAll(absl::MakeSpan(scratch).subspan(0, step)));
    bytes -= step;
  }
  return absl::OkStatus();
}

// `bytes` of an extension and their padding.
absl::StatusOr<std::string> TarReader::ReadText(uint64_t bytes, uint64_t bytes_max,
                                                absl::string_view what) {
  if (bytes > bytes_max) {
    return Error(Dt::kUnsafe, absl::StrCat("read package: ", what, " of ", bytes,
                                           " bytes, more than ", bytes_max));
  }
  std::string text;
  while (text.size() < bytes) {  // grows with what is really there, not with what is claimed
    const size_t at = text.size();
    text.resize(std::min<uint64_t>(bytes, at + (64 << 10)));
    SLIPWAY_RETURN_IF_ERROR(
        TakeAll(absl::MakeSpan(reinterpret_cast<uint8_t*>(text.data()) + at, text.size() - at)));
  }
  SLIPWAY_RETURN_IF_ERROR(Skip(TarPaddingBytes(bytes)));
  return text;
}

absl::Status TarReader::CheckEnd() {
  SLIPWAY_ASSIGN_OR_RETURN(const bool second, ReadBlock());
  if (!second) return Damaged("it ends with half an end-of-archive mark");
  uint64_t zeros = 0;
  absl::Span<const uint8_t> bytes(block_);
  base::Bytes scratch(16 << 10);
  while (!bytes.empty()) {
    if (!IsZero(bytes)) {
      return Error(Dt::kUnsafe, absl::StrCat("read package: data after the end of the archive, "
                                             "before byte ",
                                             offset_, " of the tar stream"));
    }
    zeros += bytes.size();
    if (zeros > kTrailingZerosMax) {
      return Error(Dt::kUnsafe, "read package: more than 2 MiB of zeros after the archive");
    }
    SLIPWAY_ASSIGN_OR_RETURN(const size_t got, Take(absl::MakeSpan(scratch)));
    bytes = absl::MakeSpan(scratch).subspan(0, got);
  }
  finished_ = true;
  return absl::OkStatus();
}

absl::Status TarReader::ReadExtension(const Header& header, Pax& pax) {
  if (header.type == 'L' || header.type == 'K') {
    SLIPWAY_ASSIGN_OR_RETURN(std::string text,
                             ReadText(header.size_bytes, 4 * kPathBytesMax, "a GNU long name"));
    if (!text.empty() && text.back() == '\0') text.pop_back();
    std::optional<std::string>& to = header.type == 'L' ? pax.gnu_name : pax.gnu_link;
    if (to.has_value()) return Unsafe(text, "two long names for one member");
    to = std::move(text);
    return absl::OkStatus();
  }
  SLIPWAY_ASSIGN_OR_RETURN(const std::string text,
                           ReadText(header.size_bytes, kPaxBytesMax, "a pax header"));
  PaxRecords global;
  PaxRecords& records = header.type == 'g' ? global : pax.records;
  if (header.type == 'x') {
    if (pax.seen) return Unsafe(header.name, "two pax headers for one member");
    pax.seen = true;
  }
  if (const absl::Status parsed = ParsePaxRecords(text, records); !parsed.ok()) {
    return Damaged(parsed.message());
  }
  if (header.type == 'x') return absl::OkStatus();
  if (global.path || global.link || global.size_bytes || global.sparse_major ||
      global.sparse_minor || global.sparse_name || global.sparse_realsize || global.sparse_other ||
      !global.xattrs.empty()) {
    return Unsafe(header.name,
                  "a global pax header that gives every member one name, size or "
                  "attribute");
  }
  if (global.mtime_ns.has_value()) global_mtime_ns_ = global.mtime_ns;
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> TarReader::ReadMapNumber(std::string& text) {
  while (text.find('\n') == std::string::npos) {
    if (text.size() > 32 || stored_left_ < kTarBlockBytes)
      return Damaged("bad map of a sparse file");
    SLIPWAY_RETURN_IF_ERROR(TakeAll(absl::MakeSpan(block_)));
    stored_left_ -= kTarBlockBytes;
    text.append(reinterpret_cast<const char*>(block_.data()), block_.size());
  }
  const size_t newline = text.find('\n');
  uint64_t value = 0;
  if (newline == 0 || newline > 19) return Damaged("bad map of a sparse file");
  for (size_t i = 0; i < newline; ++i) {
    if (text[i] < '0' || text[i] > '9') return Damaged("bad map of a sparse file");
    value = value * 10 + static_cast<uint64_t>(text[i] - '0');
  }
  text.erase(0, newline + 1);
  return value;
}

absl::Status TarReader::ReadSparseMap(TarMember& member, uint64_t realsize) {
  std::string text;
  SLIPWAY_ASSIGN_OR_RETURN(const uint64_t count, ReadMapNumber(text));
  if (count > kForeignRangesMax) {
    return Unsafe(member.path,
                  absl::StrCat("a map of ", count, " ranges, more than ", kForeignRangesMax));
  }
  uint64_t end = 0, sum = 0;
  for (uint64_t i = 0; i < count; ++i) {
    SLIPWAY_ASSIGN_OR_RETURN(const uint64_t offset, ReadMapNumber(text));
    SLIPWAY_ASSIGN_OR_RETURN(const uint64_t size, ReadMapNumber(text));
    if (offset < end || offset > realsize || size > realsize - offset) {
      return Unsafe(member.path, "ranges of a sparse file that overlap or leave it");
    }
    end = offset + size;
    sum += size;
    if (size > 0) member.ranges.emplace_back(offset, size);
  }
  if (!IsZero(base::AsBytes(text))) return Damaged("bad map of a sparse file");
  if (sum != stored_left_) {
    return Unsafe(member.path, absl::StrCat("its map tells of ", sum,
                                            " bytes of data, the archive of ", stored_left_));
  }
  member.sparse = true;
  member.size_bytes = realsize;
  return absl::OkStatus();
}

namespace {

// The kind of a member; DT023 for what no package may hold.
absl::StatusOr<TarMember::Type> TypeOf(char type, bool old_form, absl::string_view name) {
  const bool slash = absl::EndsWith(name, "/") || absl::EndsWith(name, "/.");
  switch (type) {
    case '\0':
    case '0':
    case '7':
      if (!slash) return TarMember::Type::kFile;
      if (old_form || type == '\0') return TarMember::Type::kDirectory;
      return Unsafe(name, "a file whose name ends with a slash");
    case '1':
    case '2':
      if (slash) return Unsafe(name, "a link whose name ends with a slash");
      return type == '1' ? TarMember::Type::kHardLink : TarMember::Type::kSymlink;
    case '5':
      return TarMember::Type::kDirectory;
    default:
      return Unsafe(name, absl::StrCat("it is ", KindName(type)));
  }
}

}  // namespace

absl::StatusOr<TarMember> TarReader::BuildMember(const Header& header, Pax& pax) {
  PaxRecords& records = pax.records;
  const bool sparse = records.sparse_major.has_value() || records.sparse_minor.has_value();
  const std::string name = sparse && records.sparse_name ? *records.sparse_name
                           : records.path                ? *records.path
                           : pax.gnu_name                ? *pax.gnu_name
                                                         : header.name;
  if ((records.path && pax.gnu_name) || (records.link && pax.gnu_link)) {
    return Unsafe(name, "two long names for one member");
  }
  TarMember member;
  SLIPWAY_ASSIGN_OR_RETURN(member.type, TypeOf(header.type, header.old_form, name));
  SLIPWAY_ASSIGN_OR_RETURN(member.path, CleanMemberName(name));
  if (member.path.empty() && member.type != TarMember::Type::kDirectory) {
    return Unsafe(name, "empty name");
  }
  if (records.size_bytes && *records.size_bytes != header.size_bytes &&
      *records.size_bytes <= ustar::kSizeMax) {
    return Unsafe(name,
                  absl::StrCat("two sizes: ", *records.size_bytes, " and ", header.size_bytes));
  }
  stored_left_ = records.size_bytes.value_or(header.size_bytes);
  if (stored_left_ > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) - kTarBlockBytes) {
    return Damaged("an impossible size");
  }
  padding_ = TarPaddingBytes(stored_left_);
  member.mode = header.mode;
  if (header.mtime_s > std::numeric_limits<int64_t>::max() / kNsPerSecond ||
      header.mtime_s < std::numeric_limits<int64_t>::min() / kNsPerSecond) {
    return Damaged("an impossible time");
  }
  member.mtime_ns = records.mtime_ns   ? *records.mtime_ns
                    : global_mtime_ns_ ? *global_mtime_ns_
                                       : header.mtime_s * kNsPerSecond;
  member.data_offset = offset_;
  const std::string link = records.link   ? *records.link
                           : pax.gnu_link ? *pax.gnu_link
                                          : header.link;
  if (member.type == TarMember::Type::kFile || member.type == TarMember::Type::kDirectory) {
    member.xattrs = std::move(records.xattrs);
    std::sort(member.xattrs.begin(), member.xattrs.end());
  }
  if (member.type != TarMember::Type::kFile && stored_left_ != 0) {
    return Unsafe(name, absl::StrCat("it claims ", stored_left_, " bytes of data but is no file"));
  }
  if (member.type == TarMember::Type::kHardLink) {
    SLIPWAY_ASSIGN_OR_RETURN(member.link, CleanMemberName(link));
  } else if (member.type == TarMember::Type::kSymlink) {
    member.link = link;
  }
  member.size_bytes = stored_left_;
  if (!sparse && !records.sparse_other && !records.sparse_name && !records.sparse_realsize) {
    if (stored_left_ > 0) member.ranges = {{0, stored_left_}};
    return member;
  }
  if (member.type != TarMember::Type::kFile || records.sparse_other ||
      records.sparse_major != uint64_t{1} || records.sparse_minor != uint64_t{0} ||
      !records.sparse_realsize) {
    return Unsafe(name, "a sparse format other than GNU 1.0");
  }
  SLIPWAY_RETURN_IF_ERROR(ReadSparseMap(member, *records.sparse_realsize));
  return member;
}

absl::StatusOr<std::optional<TarMember>> TarReader::Next() {
  if (finished_) return std::optional<TarMember>();
  SLIPWAY_RETURN_IF_ERROR(Skip(stored_left_ + padding_));
  stored_left_ = 0;
  padding_ = 0;
  Pax pax;
  while (true) {
    SLIPWAY_ASSIGN_OR_RETURN(const bool more, ReadBlock());
    if (!more) return Damaged("it ends without an end-of-archive mark");
    if (IsZero(block_)) {
      if (pax.any()) return Damaged("a header without its member");
      SLIPWAY_RETURN_IF_ERROR(CheckEnd());
      return std::optional<TarMember>();
    }
    Header header;
    if (const absl::Status parsed = Header::Parse(block_, header); !parsed.ok()) {
      return Damaged(parsed.message());
    }
    if (absl::string_view("xgLK").find(header.type) != absl::string_view::npos) {
      SLIPWAY_RETURN_IF_ERROR(ReadExtension(header, pax));
      continue;
    }
    SLIPWAY_ASSIGN_OR_RETURN(TarMember member, BuildMember(header, pax));
    pax = Pax();
    if (member.path.empty()) continue;  // the root: it has no data
    ranges_ = std::move(member.ranges);
    if (member.sparse) member.ranges = ranges_;
    range_index_ = 0;
    range_done_ = 0;
    return std::optional<TarMember>(std::move(member));
  }
}

absl::StatusOr<TarPiece> TarReader::Read(absl::Span<uint8_t> out) {
  SLIPWAY_CHECK(!out.empty());
  if (stored_left_ == 0) return TarPiece();
  SLIPWAY_CHECK(range_index_ < ranges_.size());
  const auto& [begin, size] = ranges_[range_index_];
  const uint64_t wanted = std::min<uint64_t>(out.size(), size - range_done_);
  SLIPWAY_ASSIGN_OR_RETURN(const size_t got, Take(out.subspan(0, wanted)));
  if (got == 0) return Damaged("it ends here, in the middle of a member");
  const TarPiece piece{.offset = begin + range_done_, .size = got};
  stored_left_ -= got;
  range_done_ += got;
  if (range_done_ == size) {
    ++range_index_;
    range_done_ = 0;
  }
  return piece;
}

}  // namespace slipway::deploy
