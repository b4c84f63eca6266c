#include "deploy/pack/file_index.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/codec/codec.h"
#include "base/json/json.h"
#include "deploy/model/errors.h"
#include "deploy/pack/file_index_text.h"
#include "deploy/pack/names.h"

namespace slipway::deploy {
namespace {

constexpr int kFormat = 1;
constexpr int kZstdLevel = 3;
constexpr size_t kPieceBytes = 1 << 20;

using Type = IndexEntry::Type;

// JSON text of a UTF-8 string. Written here, not by the JSON library: tree digests rest on these
// bytes, so they must not change with a library.
void AppendJsonString(std::string& out, absl::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  out += '"';
}

bool StaysInPercentForm(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
         c == '.' || c == '-' || c == '_' || c == '~';
}

// `,"key":"text"`, or `,"key8":"percent-encoded"` for text that is not UTF-8.
void AppendText(std::string& out, absl::string_view key, absl::string_view text) {
  if (base::IsUtf8(text)) {
    absl::StrAppend(&out, ",\"", key, "\":");
    AppendJsonString(out, text);
    return;
  }
  absl::StrAppend(&out, ",\"", key, "8\":\"");
  for (const char c : text) {
    if (StaysInPercentForm(c)) {
      out += c;
    } else {
      absl::StrAppendFormat(&out, "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
  out += '"';
}

// Upper-case hex digit, as AppendText writes them; -1 for anything else.
int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

absl::StatusOr<std::string> FromPercentForm(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (StaysInPercentForm(text[i])) {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
    if (text[i] != '%' || high < 0 || low < 0) {
      return absl::InvalidArgumentError("bad percent form");
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  if (base::IsUtf8(out)) return absl::InvalidArgumentError("percent form of a UTF-8 name");
  return out;
}

// One line without the newline. `tree`: only what the tree digest covers.
std::string Line(const IndexEntry& entry, bool tree, uint32_t mode_mask = 0777) {
  std::string out;
  AppendText(out, "p", entry.path);
  absl::StrAppend(&out, ",\"t\":\"",
                  absl::string_view(reinterpret_cast<const char*>(&entry.type), 1), "\"");
  if (entry.type == Type::kFile || entry.type == Type::kDirectory) {
    absl::StrAppendFormat(&out, ",\"m\":\"%04o\"", entry.mode & mode_mask);
  }
  if (entry.type == Type::kFile) absl::StrAppend(&out, ",\"s\":", entry.size_bytes);
  if (!tree && entry.type != Type::kHardLink) absl::StrAppend(&out, ",\"mt\":", entry.mtime_ns);
  if (entry.type == Type::kSymlink || entry.type == Type::kHardLink) {
    AppendText(out, "l", entry.link);
  }
  if (entry.type == Type::kFile) {
    absl::StrAppend(&out, ",\"b3\":\"", base::ToHex(entry.blake3), "\"");
    if (!tree) absl::StrAppend(&out, ",\"o\":", entry.tar_offset, ",\"fr\":", entry.frame_index);
  }
  out[0] = '{';  // the comma before the first member
  out += '}';
  return out;
}

std::string HeaderLine(const FileIndex& index) {
  std::string out =
      absl::StrCat("{\"format\":", kFormat, ",\"files\":", index.entries.size(), ",\"frames\":[");
  const char* comma = "";
  for (const auto& [compressed, tar] : index.frames) {
    absl::StrAppend(&out, comma, "[", compressed, ",", tar, "]");
    comma = ",";
  }
  return out + "]}";
}

absl::Status Damaged(size_t line, absl::string_view reason) {
  return Error(Dt::kChecksum, absl::StrCat("read file index: line ", line, ": ", reason),
               "fetch the package's side files again");
}

// The text member `key`, or `key`8.
absl::StatusOr<std::string> TextMember(const base::Json& line, absl::string_view key) {
  if (const base::Json* value = line.Find(key); value != nullptr && value->is_string()) {
    return *value->AsString();
  }
  const base::Json* coded = line.Find(absl::StrCat(key, "8"));
  if (coded == nullptr || !coded->is_string()) {
    return absl::InvalidArgumentError(absl::StrCat("no \"", key, "\""));
  }
  return FromPercentForm(*coded->AsString());
}

absl::StatusOr<uint64_t> NumberMember(const base::Json& line, absl::string_view key) {
  const base::Json* value = line.Find(key);
  const std::optional<uint64_t> number = value == nullptr ? std::nullopt : value->AsUint();
  if (!number.has_value())
    return absl::InvalidArgumentError(absl::StrCat("no number \"", key, "\""));
  return *number;
}

absl::StatusOr<uint32_t> ModeMember(const base::Json& line) {
  const base::Json* value = line.Find("m");
  const std::string* text = value == nullptr ? nullptr : value->AsString();
  if (text == nullptr || text->size() != 4 || (*text)[0] != '0') {
    return absl::InvalidArgumentError("no mode \"m\"");
  }
  uint32_t mode = 0;
  for (const char c : *text) {
    if (c < '0' || c > '7') return absl::InvalidArgumentError("no mode \"m\"");
    mode = mode * 8 + static_cast<uint32_t>(c - '0');
  }
  return mode;
}

absl::Status ReadFileMembers(const base::Json& line, IndexEntry& entry) {
  SLIPWAY_ASSIGN_OR_RETURN(entry.size_bytes, NumberMember(line, "s"));
  SLIPWAY_ASSIGN_OR_RETURN(entry.tar_offset, NumberMember(line, "o"));
  SLIPWAY_ASSIGN_OR_RETURN(entry.frame_index, NumberMember(line, "fr"));
  const base::Json* digest = line.Find("b3");
  const std::string* hex = digest == nullptr ? nullptr : digest->AsString();
  if (hex == nullptr) return absl::InvalidArgumentError("no digest \"b3\"");
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes bytes, base::FromHex(*hex));
  if (bytes.size() != entry.blake3.size()) return absl::InvalidArgumentError("short digest \"b3\"");
  std::copy(bytes.begin(), bytes.end(), entry.blake3.begin());
  return absl::OkStatus();
}

absl::StatusOr<IndexEntry> ParseEntry(const base::Json& line) {
  IndexEntry entry;
  SLIPWAY_ASSIGN_OR_RETURN(entry.path, TextMember(line, "p"));
  const absl::StatusOr<std::string> clean = CleanMemberName(entry.path);
  if (!clean.ok() || *clean != entry.path || clean->empty()) {
    return absl::InvalidArgumentError(absl::StrCat("bad path ", ShowName(entry.path)));
  }
  const base::Json* type = line.Find("t");
  const std::string* letter = type == nullptr ? nullptr : type->AsString();
  if (letter == nullptr || letter->size() != 1 ||
      absl::string_view("fdlh").find((*letter)[0]) == absl::string_view::npos) {
    return absl::InvalidArgumentError("no type \"t\"");
  }
  entry.type = static_cast<Type>((*letter)[0]);
  if (entry.type != Type::kHardLink) {
    const base::Json* mtime = line.Find("mt");
    const std::optional<int64_t> ns = mtime == nullptr ? std::nullopt : mtime->AsInt();
    if (!ns.has_value()) return absl::InvalidArgumentError("no time \"mt\"");
    entry.mtime_ns = *ns;
  }
  if (entry.type == Type::kFile || entry.type == Type::kDirectory) {
    SLIPWAY_ASSIGN_OR_RETURN(entry.mode, ModeMember(line));
  } else {
    SLIPWAY_ASSIGN_OR_RETURN(entry.link, TextMember(line, "l"));
  }
  if (entry.type == Type::kFile) SLIPWAY_RETURN_IF_ERROR(ReadFileMembers(line, entry));
  return entry;
}

// The line that is not an entry: {"format":1,"files":n,"frames":[[c,t],…]}.
absl::Status ParseHeader(const base::Json& line, FileIndex& index, uint64_t& files) {
  SLIPWAY_ASSIGN_OR_RETURN(files, NumberMember(line, "files"));
  const base::Json* frames = line.Find("frames");
  const base::Json::Array* list = frames == nullptr ? nullptr : frames->AsArray();
  if (list == nullptr) return absl::InvalidArgumentError("no list \"frames\"");
  for (const base::Json& frame : *list) {
    const base::Json::Array* pair = frame.AsArray();
    if (pair == nullptr || pair->size() != 2 || !(*pair)[0].AsUint() || !(*pair)[1].AsUint()) {
      return absl::InvalidArgumentError("a bad frame");
    }
    index.frames.emplace_back(*(*pair)[0].AsUint(), *(*pair)[1].AsUint());
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status FormatFileIndex(const FileIndex& index, FileIndexSink sink) {
  std::string piece = HeaderLine(index) + "\n";
  for (const IndexEntry& entry : index.entries) {
    absl::StrAppend(&piece, Line(entry, /*tree=*/false), "\n");
    if (piece.size() < kPieceBytes) continue;
    SLIPWAY_RETURN_IF_ERROR(sink(piece));
    piece.clear();
  }
  return sink(piece);
}

absl::StatusOr<base::Bytes> EncodeFileIndex(const FileIndex& index) {
  std::string text;
  SLIPWAY_RETURN_IF_ERROR(FormatFileIndex(index, [&text](absl::string_view piece) {
    absl::StrAppend(&text, piece);
    return absl::OkStatus();
  }));
  return base::CompressZstd(base::AsBytes(text), kZstdLevel);
}

absl::StatusOr<FileIndex> ParseFileIndex(absl::string_view text) {
  FileIndex index;
  std::optional<uint64_t> files;
  base::JsonLimits header_limits;  // a frame is two numbers and a list
  header_limits.values_max = 16'000'000;
  header_limits.bytes_max = 512 << 20;
  for (size_t line = 1; !text.empty(); ++line) {
    const size_t newline = text.find('\n');
    if (newline == absl::string_view::npos) return Damaged(line, "cut off");
    const absl::StatusOr<base::Json> json = base::ParseJson(text.substr(0, newline), header_limits);
    text.remove_prefix(newline + 1);
    if (!json.ok()) return Damaged(line, json.status().message());
    if (const base::Json* format = json->Find("format"); format != nullptr) {
      if (format->AsUint() > uint64_t{kFormat}) {
        return Error(Dt::kFormat, "read file index: its format is newer than 1",
                     "upgrade deploy-tool");
      }
      if (files.has_value()) return Damaged(line, "a second header");
      uint64_t count = 0;
      const absl::Status parsed = ParseHeader(*json, index, count);
      if (!parsed.ok()) return Damaged(line, parsed.message());
      files = count;
      continue;
    }
    absl::StatusOr<IndexEntry> entry = ParseEntry(*json);
    if (!entry.ok()) return Damaged(line, entry.status().message());
    index.entries.push_back(*std::move(entry));
  }
  if (files != index.entries.size()) {
    return Error(Dt::kChecksum, absl::StrCat("read file index: it tells of ", files.value_or(0),
                                             " entries and holds ", index.entries.size()));
  }
  return index;
}

uint64_t FileIndexTextBytesMax(const std::vector<IndexEntry>& entries, uint64_t content_bytes) {
  constexpr uint64_t kHeaderBytes = 1 << 20;
  constexpr uint64_t kPlaceBytes = 64;  // "o" and "fr", or the two offsets of a frame, with ease
  uint64_t bytes = kHeaderBytes + (content_bytes >> 20) * kPlaceBytes;
  for (const IndexEntry& entry : entries) bytes += Line(entry, /*tree=*/false).size() + kPlaceBytes;
  return bytes;
}

absl::StatusOr<FileIndex> DecodeFileIndex(base::BytesView bytes, uint64_t limit_bytes) {
  const absl::StatusOr<base::Bytes> text = base::DecompressZstd(bytes, limit_bytes);
  if (!text.ok()) return Wrap(text.status(), Dt::kChecksum, "read file index");
  return ParseFileIndex(base::AsText(*text));
}

namespace {

std::string TreeDigestMasked(const std::vector<IndexEntry>& entries, uint32_t mode_mask) {
  std::vector<const IndexEntry*> sorted;
  sorted.reserve(entries.size());
  for (const IndexEntry& entry : entries) sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(),
            [](const IndexEntry* a, const IndexEntry* b) { return a->path < b->path; });
  base::Blake3 hash;
  std::string piece;
  for (const IndexEntry* entry : sorted) {
    absl::StrAppend(&piece, Line(*entry, /*tree=*/true, mode_mask), "\n");
    if (piece.size() < kPieceBytes) continue;
    hash.Update(base::AsBytes(piece));
    piece.clear();
  }
  hash.Update(base::AsBytes(piece));
  return absl::StrCat("blake3:", base::ToHex(hash.Finish()));
}

}  // namespace

std::string TreeDigest(const std::vector<IndexEntry>& entries) {
  return TreeDigestMasked(entries, 0777 & ~kWorldWrite);
}

bool TreeDigestMatches(const std::vector<IndexEntry>& entries, absl::string_view digest) {
  if (TreeDigest(entries) == digest) return true;
  const bool world_write = std::any_of(entries.begin(), entries.end(), [](const IndexEntry& entry) {
    return (entry.mode & kWorldWrite) != 0;
  });
  return world_write && TreeDigestMasked(entries, 0777) == digest;
}

}  // namespace slipway::deploy
