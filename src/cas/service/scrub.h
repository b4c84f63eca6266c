// Reads blobs again and sets damaged ones aside, at a bounded rate (Z139 as far as asked for by
// hand). gRPC-free. Thread-compatible: one job at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/limiter.h"
#include "base/loop.h"
#include "base/pool.h"
#include "base/sync/cancel.h"
#include "cas/store/stores.h"

namespace slipway::cas {

class Scrub : public std::enable_shared_from_this<Scrub> {
 public:
  struct Options {
    std::optional<Digest> digest;  // absent: all
    uint64_t rate_bytes = 0;       // a second; 0: as fast as the disk
    base::CancelToken cancel;
  };
  struct World {
    DiskStore& store;
    base::Pool& pool;
    base::Loop& loop;  // waits here, so that no thread of the pool does
    base::Clock& clock;
  };
  // For each blob read: itself, and whether it was damaged.
  using Progress = std::function<void(const Digest& digest, bool corrupt)>;
  using Done = std::function<void(const absl::Status&)>;

  Scrub(Options options, World world, Progress progress, Done done);
  // Reads a first blob in this call; the others follow as jobs of the pool. Calls `done` once.
  // NotFound: the one digest is not there.
  void Start();

 private:
  void Step();
  absl::Status CheckOne(const Digest& digest);
  absl::StatusOr<std::optional<Digest>> NextDigest();
  void Later(absl::Duration wait);

  const Options options_;
  const World world_;
  const Progress progress_;
  const Done done_;
  base::Limiter limiter_;
  std::vector<Digest> page_;  // to be read, last one first
  std::optional<Hash> from_;  // of the next page; absent: there is none
};

}  // namespace slipway::cas
