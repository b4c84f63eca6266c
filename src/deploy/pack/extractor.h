// Extracts a package beneath a directory, trusting nothing in it (D190-D193).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/codec/codec.h"
#include "base/files.h"
#include "base/sync/cancel.h"
#include "deploy/pack/file_index.h"
#include "deploy/pack/file_index_reader.h"

namespace slipway::deploy {

struct ExtractOptions {
  base::Codec codec = base::Codec::kGzip;
  // From the manifest's content.bytes; absent: max(1 GiB, 200 x package) (D192).
  std::optional<uint64_t> content_bytes;
  uint64_t package_bytes = 0;
  uint64_t entries_max = 10'000'000;
  bool allow_absolute_symlinks = false;
  bool keep_world_write = false;
  std::function<void(uint64_t bytes, uint64_t files)> progress;  // may be null
};

struct Extracted {
  // The members, with digests of the written bytes and modes as packed: on disk without world-write
  // unless that is kept. Directories that only their contents imply are none.
  std::vector<IndexEntry> entries;
  uint64_t bytes = 0;  // logical
  uint64_t files = 0;
  std::vector<std::string> warnings;
};

// Extracts the compressed tar stream `package` into the empty directory `into`. Nothing is synced.
// DT023 with the member's name for anything unsafe, DT007 for a damaged stream, DT006, DT005,
// DT026. After an error `into` holds a part; the caller removes it.
absl::StatusOr<Extracted> Extract(base::ByteSource& package, base::Dir& into, base::Pool& pool,
                                  const ExtractOptions& options, const base::CancelToken& cancel);

// Holds what was extracted against its published index, member by member: that one need not be in
// memory. DT007 naming up to five that differ, and for a damaged index; DT025.
absl::Status CompareWithIndex(const std::vector<IndexEntry>& extracted, FileIndexReader index);

// How an installed tree differs from its index.
struct Drift {
  enum class Kind : uint8_t { kChanged, kMissing, kExtra };
  Kind kind;
  std::string path;
  std::string detail;  // "content", "size 5 instead of 7", "mode 0600 instead of 0644", "type …"
};
struct VerifyOptions {
  bool deep = true;  // false: sizes, kinds, modes, links and mtimes, no content
  std::function<void(uint64_t bytes, uint64_t files)> progress;
};
absl::StatusOr<std::vector<Drift>> VerifyTree(base::Dir& tree, const FileIndex& index,
                                              base::Pool& pool, const VerifyOptions& options,
                                              const base::CancelToken& cancel);

}  // namespace slipway::deploy
