// The text inside a file index, before compression; for the packer, which streams it, and the fuzz
// target. Thread-safe: free functions.
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "deploy/pack/file_index.h"

namespace slipway::deploy {

inline constexpr int kFileIndexFormat = 1;

using FileIndexSink = absl::FunctionRef<absl::Status(absl::string_view)>;

// Whether the percent form of a name that is not UTF-8 keeps `c` as it is.
inline bool StaysInPercentForm(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
         c == '.' || c == '-' || c == '_' || c == '~';
}

// The lines in pieces of about 1 MiB, header first. An error of the sink stops it.
absl::Status FormatFileIndex(const FileIndex& index, FileIndexSink sink);

// DT007 with the line, DT025.
absl::StatusOr<FileIndex> ParseFileIndex(absl::string_view text);

}  // namespace slipway::deploy
