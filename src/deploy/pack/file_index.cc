#include "deploy/pack/file_index.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/codec/codec.h"
#include "base/json/json.h"
#include "base/status.h"
#include "deploy/pack/file_index_text.h"

namespace slipway::deploy {
namespace {

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
  std::string out = absl::StrCat("{\"format\":", kFileIndexFormat,
                                 ",\"files\":", index.entries.size(), ",\"frames\":[");
  const char* comma = "";
  for (const auto& [compressed, tar] : index.frames) {
    absl::StrAppend(&out, comma, "[", compressed, ",", tar, "]");
    comma = ",";
  }
  return out + "]}";
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

absl::Status WriteFileIndex(const FileIndex& index, base::ByteSink sink) {
  base::EncoderOptions options;
  options.codec = base::Codec::kZstd;
  options.level = kZstdLevel;
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<base::Encoder> encoder,
                           base::MakeSerialEncoder(options, std::move(sink)));
  SLIPWAY_RETURN_IF_ERROR(FormatFileIndex(
      index, [&](absl::string_view text) { return encoder->Append(base::AsBytes(text)); }));
  return encoder->Finish();
}

uint64_t FileIndexTextBytesMax(const std::vector<IndexEntry>& entries, uint64_t content_bytes) {
  constexpr uint64_t kHeaderBytes = 1 << 20;
  constexpr uint64_t kPlaceBytes = 64;  // "o" and "fr", or the two offsets of a frame, with ease
  uint64_t bytes = kHeaderBytes + (content_bytes >> 20) * kPlaceBytes;
  for (const IndexEntry& entry : entries) bytes += Line(entry, /*tree=*/false).size() + kPlaceBytes;
  return bytes;
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
