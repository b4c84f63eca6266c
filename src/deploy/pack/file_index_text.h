// The text inside a file index, before compression; for the packer, which streams it, and the fuzz
// target. Thread-safe: free functions.
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "deploy/pack/file_index.h"

namespace slipway::deploy {

using FileIndexSink = absl::FunctionRef<absl::Status(absl::string_view)>;

// The lines in pieces of about 1 MiB, header first. An error of the sink stops it.
absl::Status FormatFileIndex(const FileIndex& index, FileIndexSink sink);

// DT007 with the line, DT025.
absl::StatusOr<FileIndex> ParseFileIndex(absl::string_view text);

}  // namespace slipway::deploy
