// Reads the entries of a walk ahead of the writer, on the pool: attributes of all, contents of
// small files. Thread-compatible: one thread calls; jobs of the pool read.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "base/digest/blake3.h"
#include "base/files.h"
#include "base/pool.h"
#include "base/sync/wait.h"
#include "deploy/pack/walker.h"

namespace slipway::deploy {

// Files up to this size are read whole by jobs, ahead of their turn.
inline constexpr uint64_t kAheadBytesMax = 128 << 10;
// Files up to this size are read whole before their header is written, so that one that changes
// meanwhile can be read once more (D12). Of a larger one bytes are in the package by then.
inline constexpr uint64_t kWholeBytesMax = 8 << 20;

// One entry with what is known about it.
struct SourceItem {
  WalkEntry entry;
  absl::Status status;  // of reading it; NotFound: it vanished
  base::Meta meta;
  base::Xattrs xattrs;
  std::string link;  // of a symlink
  // Files: the whole contents and their digest when `read`, else for the caller to read.
  bool read = false;
  bool changed = false;  // twice while it was read; `data` is what the second reading found
  base::Bytes data;
  base::Blake3Digest digest{};
};

// Whether a file is still what it was.
inline bool SameState(const base::Meta& a, const base::Meta& b) {
  return a.size_bytes == b.size_bytes && a.mtime == b.mtime && a.ctime == b.ctime &&
         a.inode == b.inode;
}

// Reads the file whole into `item`, once more if it changes meanwhile. `item.meta` is that of the
// second reading then.
absl::Status ReadWhole(base::File& file, SourceItem& item);

class SourceReader {
 public:
  SourceReader(Walker& walker, base::Pool& pool);
  ~SourceReader();  // waits for its jobs

  // The next entries in order of the walk, all read; empty at the end. While the caller works on
  // them the following ones are read. Errors of the walk come in their place; those of an entry are
  // in the item.
  absl::StatusOr<std::vector<SourceItem>> Next();

 private:
  struct Window;
  void Start();

  Walker& walker_;
  base::Pool& pool_;
  std::shared_ptr<Window> ahead_;
};

}  // namespace slipway::deploy
