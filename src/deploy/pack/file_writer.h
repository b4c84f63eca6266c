// Writes the contents of extracted files: large ones as they come, small ones in batches on the
// pool. Thread-compatible: one thread calls; jobs of the pool write.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "base/digest/blake3.h"
#include "base/files.h"
#include "base/pool.h"
#include "base/sync/cancel.h"
#include "base/sync/wait.h"
#include "deploy/pack/folders.h"
#include "deploy/pack/tar_reader.h"

namespace slipway::deploy {

class FileWriter {
 public:
  FileWriter(FolderCache& folders, base::Pool& pool);
  ~FileWriter();  // waits for its jobs

  // Takes the data of `member` from `reader` and makes the file with `meta`; exclusively and with
  // mode 0600 until its contents are there. `index` names it in the results. `progress` hears of
  // each piece. Errors of earlier files may come back from here. DT023, DT007, DT005, DT006, DT026.
  absl::Status Write(const TarMember& member, size_t index, const base::MetaChange& meta,
                     TarReader& reader, const base::CancelToken& cancel,
                     absl::FunctionRef<void(uint64_t bytes)> progress);

  // Waits for everything and hands out the digest of each file's logical content.
  absl::Status Finish(absl::FunctionRef<void(size_t index, const base::Blake3Digest&)> result);

  uint64_t xattrs_lost() const { return xattrs_lost_; }  // after Finish

 private:
  struct Small;
  struct Batch;

  absl::Status WriteLarge(const TarMember& member, size_t index, const base::MetaChange& meta,
                          const Place& place, TarReader& reader, const base::CancelToken& cancel,
                          absl::FunctionRef<void(uint64_t bytes)> progress);
  void SendBatch();
  absl::Status CollectFinished();

  FolderCache& folders_;
  base::Pool& pool_;
  std::shared_ptr<Batch> filling_;
  std::deque<std::shared_ptr<Batch>> sent_;
  std::vector<std::pair<size_t, base::Blake3Digest>> digests_;
  base::Bytes buffer_;
  uint64_t xattrs_lost_ = 0;
  base::JobGroup jobs_;  // last: waits before anything above goes
};

}  // namespace slipway::deploy
