// The writing side of the log as a step: gather what waits, write it with one call, sync once, and
// say so (E110). Deterministic and single-threaded: wal.h gives it a thread. Calls block.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "base/clock.h"
#include "base/files.h"
#include "eraft/wal/durable_log.h"
#include "eraft/wal/metrics.h"
#include "eraft/wal/node_files.h"
#include "eraft/wal/recovery.h"
#include "eraft/wal/segment_files.h"
#include "eraft/wal/two_copy.h"

namespace slipway::eraft::wal {

// One request, or a part of one that was too long for one batch.
struct Pending {
  raft::GroupId group = 0;
  Batch batch;
  uint64_t bytes = 0;  // encoded
  absl::Duration queued_at;
  absl::AnyInvocable<void(absl::Status)> done;  // of the last part; may be null
};

class WalWriter {
 public:
  struct Parts {
    DurableLog& log;
    SegmentFiles& files;
    TwoCopyFile& hard;
    base::Clock& clock;
    WalMetrics& metrics;
  };
  WalWriter(Parts parts, ClusterId cluster, uint64_t segment_bytes);

  // Goes on behind what recovery found: removes what a crash cut off, writes again what no sync is
  // known of, and begins the first segment of an empty log.
  absl::Status Start(base::Dir& dir, const LogImage& image);

  // Takes requests from the front of `queue` into `written` and makes them durable. After OK they
  // are; ResourceExhausted: there is no room for a new segment, nothing was taken and the call may
  // be repeated; any other error is final (E114): what was taken may be durable or not, and nothing
  // after it will be.
  absl::Status Step(std::deque<Pending>& queue, std::vector<Pending>& written);
  // Writes the end of an orderly stop: a batch header, which vouches for all before it.
  absl::Status Seal();
  // HARD with what is durable now.
  absl::Status WriteHard();
  bool hard_is_old() const { return hard_is_old_; }

  // Of one request; larger ones are split or refused.
  uint64_t batch_bytes_max() const { return batch_bytes_max_; }

 private:
  absl::Status BeginSegment(uint64_t room);  // for a request of `room` bytes at least
  absl::Status Write(BatchBuilder builder);
  absl::Status WriteAndSync(base::BytesView bytes, uint64_t offset);
  void AddCopies(BatchBuilder& builder);
  bool Fits(const BatchBuilder& builder, uint64_t more) const;

  const Parts parts_;
  const ClusterId cluster_;
  const uint64_t segment_bytes_;
  const uint64_t batch_bytes_max_;

  std::shared_ptr<Segment> segment_;  // being written
  base::Bytes header_;                // not yet written: goes with the first batch
  base::Bytes buffer_;                // of the batch before, for the next one
  uint64_t size_ = 0;                 // of `segment_`
  uint64_t offset_ = 0;               // of the next batch
  uint64_t epoch_ = 0;
  uint64_t number_ = 0;
  uint64_t next_sequence_ = 1;
  uint64_t durable_sequence_ = 0;
  uint32_t crc_ = 0;
  std::deque<DurableLog::Pinned> to_copy_;
  bool hard_is_old_ = false;
  HardCopies hard_found_;  // at the start; less the groups that have left since
};

}  // namespace slipway::eraft::wal
