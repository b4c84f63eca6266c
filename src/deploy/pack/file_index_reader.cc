#include "deploy/pack/file_index_reader.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/json/json.h"
#include "base/status.h"
#include "base/units.h"
#include "deploy/model/errors.h"
#include "deploy/pack/file_index_text.h"
#include "deploy/pack/names.h"

namespace slipway::deploy {
namespace {

constexpr size_t kReadBytes = 64 * base::kKiB;
constexpr uint64_t kWindowBytesMax = 8 * base::kMiB;
constexpr size_t kLineBytesMax = 512 * base::kMiB;  // the header: 16 million frames
// Room made at once on the word of a header; more has to come first.
constexpr uint64_t kReserveEntriesMax = 1'000'000;

using Type = IndexEntry::Type;

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
absl::Status ParseHeader(const base::Json& line, std::vector<std::pair<uint64_t, uint64_t>>& all,
                         std::optional<uint64_t>& count) {
  SLIPWAY_ASSIGN_OR_RETURN(const uint64_t files, NumberMember(line, "files"));
  const base::Json* frames = line.Find("frames");
  const base::Json::Array* list = frames == nullptr ? nullptr : frames->AsArray();
  if (list == nullptr) return absl::InvalidArgumentError("no list \"frames\"");
  for (const base::Json& frame : *list) {
    const base::Json::Array* pair = frame.AsArray();
    if (pair == nullptr || pair->size() != 2 || !(*pair)[0].AsUint() || !(*pair)[1].AsUint()) {
      return absl::InvalidArgumentError("a bad frame");
    }
    all.emplace_back(*(*pair)[0].AsUint(), *(*pair)[1].AsUint());
  }
  count = files;
  return absl::OkStatus();
}

class TextSource : public base::ByteSource {
 public:
  explicit TextSource(absl::string_view text) : left_(text) {}
  absl::StatusOr<size_t> Read(absl::Span<uint8_t> out) override {
    const size_t size = std::min(out.size(), left_.size());
    std::copy_n(left_.begin(), size, out.begin());
    left_.remove_prefix(size);
    return size;
  }

 private:
  absl::string_view left_;
};

// Says of damage that it is the index's.
class DecodedSource : public base::ByteSource {
 public:
  explicit DecodedSource(std::unique_ptr<base::ByteSource> decoder)
      : decoder_(std::move(decoder)) {}
  absl::StatusOr<size_t> Read(absl::Span<uint8_t> out) override {
    absl::StatusOr<size_t> got = decoder_->Read(out);
    if (!absl::IsDataLoss(got.status()) && !absl::IsResourceExhausted(got.status())) return got;
    return Wrap(got.status(), Dt::kChecksum, "read file index");
  }

 private:
  std::unique_ptr<base::ByteSource> decoder_;
};

absl::StatusOr<FileIndex> Collect(FileIndexReader reader) {
  FileIndex index;
  while (true) {
    SLIPWAY_ASSIGN_OR_RETURN(std::optional<IndexEntry> entry, reader.Next());
    if (!entry.has_value()) break;
    if (index.entries.empty()) {
      index.entries.reserve(std::min(reader.files().value_or(0), kReserveEntriesMax));
    }
    index.entries.push_back(*std::move(entry));
  }
  index.frames = std::move(reader.frames());
  return index;
}

}  // namespace

absl::Status FileIndexReader::Fill() {
  // What has been given out goes, when that costs no more than it frees.
  if (begin_ >= buffer_.size() - begin_) {
    buffer_.erase(0, begin_);
    scanned_ -= begin_;
    begin_ = 0;
  }
  const size_t held = buffer_.size();
  if (held - begin_ > kLineBytesMax) return Damaged(line_ + 1, "too long");
  buffer_.resize(held + kReadBytes);
  const absl::StatusOr<size_t> got =
      text_->Read(absl::MakeSpan(reinterpret_cast<uint8_t*>(&buffer_[held]), kReadBytes));
  buffer_.resize(held + (got.ok() ? *got : 0));
  SLIPWAY_RETURN_IF_ERROR(got.status());
  if (*got == 0 && begin_ < buffer_.size()) return Damaged(line_ + 1, "cut off");
  return absl::OkStatus();
}

absl::StatusOr<std::optional<absl::string_view>> FileIndexReader::NextLine() {
  while (true) {
    const size_t newline = buffer_.find('\n', scanned_);
    if (newline != std::string::npos) {
      const absl::string_view line = absl::string_view(buffer_).substr(begin_, newline - begin_);
      begin_ = scanned_ = newline + 1;
      ++line_;
      return std::optional<absl::string_view>(line);
    }
    scanned_ = buffer_.size();
    SLIPWAY_RETURN_IF_ERROR(Fill());
    if (begin_ == buffer_.size()) return std::optional<absl::string_view>();
  }
}

absl::StatusOr<std::optional<IndexEntry>> FileIndexReader::Next() {
  base::JsonLimits limits;  // of a header: a frame is two numbers and a list
  limits.values_max = 16'000'000;
  limits.bytes_max = kLineBytesMax;
  while (true) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::optional<absl::string_view> line, NextLine());
    if (!line.has_value()) break;
    const absl::StatusOr<base::Json> json = base::ParseJson(*line, limits);
    if (!json.ok()) return Damaged(line_, json.status().message());
    if (const base::Json* format = json->Find("format"); format != nullptr) {
      if (format->AsUint() > uint64_t{kFileIndexFormat}) {
        return Error(Dt::kFormat, "read file index: its format is newer than 1",
                     "upgrade deploy-tool");
      }
      if (files_.has_value()) return Damaged(line_, "a second header");
      const absl::Status parsed = ParseHeader(*json, frames_, files_);
      if (!parsed.ok()) return Damaged(line_, parsed.message());
      continue;
    }
    absl::StatusOr<IndexEntry> entry = ParseEntry(*json);
    if (!entry.ok()) return Damaged(line_, entry.status().message());
    ++entries_;
    return std::optional<IndexEntry>(*std::move(entry));
  }
  if (files_ != entries_) {
    return Error(Dt::kChecksum, absl::StrCat("read file index: it tells of ", files_.value_or(0),
                                             " entries and holds ", entries_));
  }
  return std::optional<IndexEntry>();
}

absl::StatusOr<FileIndexReader> ReadFileIndex(base::ByteSource& compressed, uint64_t limit_bytes) {
  SLIPWAY_ASSIGN_OR_RETURN(auto decoder,
                           base::MakeZstdReader(compressed, limit_bytes, kWindowBytesMax));
  return FileIndexReader(std::make_unique<DecodedSource>(std::move(decoder)));
}

absl::StatusOr<FileIndex> ParseFileIndex(absl::string_view text) {
  return Collect(FileIndexReader(std::make_unique<TextSource>(text)));
}

absl::StatusOr<FileIndex> DecodeFileIndex(base::ByteSource& compressed, uint64_t limit_bytes) {
  SLIPWAY_ASSIGN_OR_RETURN(FileIndexReader reader, ReadFileIndex(compressed, limit_bytes));
  return Collect(std::move(reader));
}

absl::StatusOr<FileIndex> DecodeFileIndex(base::BytesView bytes, uint64_t limit_bytes) {
  TextSource source(base::AsText(bytes));
  return DecodeFileIndex(source, limit_bytes);
}

}  // namespace slipway::deploy
