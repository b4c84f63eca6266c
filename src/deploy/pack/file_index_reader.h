// Reads a file index member by member, so that a large one need not be held (D150, D262;
// docs/formats/file-index.md). Thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/codec/codec.h"
#include "deploy/pack/file_index.h"

namespace slipway::deploy {

class FileIndexReader {
 public:
  // `text`: the lines, not compressed.
  explicit FileIndexReader(std::unique_ptr<base::ByteSource> text) : text_(std::move(text)) {}
  // The next member; nullopt at the end, when the header has been held against what came. DT007
  // with the line, DT025; errors of the source as they are.
  absl::StatusOr<std::optional<IndexEntry>> Next();

  // Of the header, as far as it has been read; it may be the last line.
  std::optional<uint64_t> files() const { return files_; }
  std::vector<std::pair<uint64_t, uint64_t>>& frames() { return frames_; }

 private:
  absl::StatusOr<std::optional<absl::string_view>> NextLine();
  absl::Status Fill();

  std::unique_ptr<base::ByteSource> text_;
  std::string buffer_;
  size_t begin_ = 0;    // of the line to come
  size_t scanned_ = 0;  // no newline from begin_ to here
  size_t line_ = 0;
  std::optional<uint64_t> files_;
  std::vector<std::pair<uint64_t, uint64_t>> frames_;
  uint64_t entries_ = 0;
};

// Over the bytes of an index as it is stored. DT007 for more than `limit_bytes` of text, and for
// what no index needs: a window above 8 MiB.
absl::StatusOr<FileIndexReader> ReadFileIndex(base::ByteSource& compressed, uint64_t limit_bytes);

}  // namespace slipway::deploy
