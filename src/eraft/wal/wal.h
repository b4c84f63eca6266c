// The write-ahead log of a process, shared by all its Raft groups (E110-E116): requests of any
// thread are gathered, written with one call and synced once; the next batch forms while the sync
// runs. There is never more than one write that no sync has followed.
//
//   SLIPWAY_ASSIGN_OR_RETURN(auto wal, Wal::Open(dir, options, world_parts, &recovery));
//   wal->Append(7, {.hard_state = state, .entries = entries}, [](absl::Status status) { … });
//
// Thread-safe. An error of the disk is final (E114): every call after it fails alike, and what was
// not answered with OK is not acknowledged. The owner then stops the process.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/metrics/metrics.h"
#include "base/pool.h"
#include "eraft/wal/durable_log.h"
#include "eraft/wal/limits.h"
#include "eraft/wal/recovery.h"

namespace slipway::eraft::wal {

struct WalOptions {
  ClusterId cluster{};
  uint64_t segment_bytes = kSegmentBytesDefault;  // multiple of 4 KiB, kSegmentBytesMin to …Max
  uint64_t queue_bytes_max = kQueueBytesDefault;
  // A write waits so long for more that may go with it (E110): fewer syncs, each answer later. The
  // writer's thread sleeps meanwhile. Zero: not at all.
  absl::Duration linger;
};

// Everything borrowed; outlives the log.
struct WalParts {
  base::Dir& dir;          // of the node: holds wal/, HARD, HARD.2
  base::Pool& writer;      // one thread of its own; in simulation any
  base::Pool& background;  // makes spares, retires segments
  base::Clock& clock;
  base::Metrics& metrics;
};

// What Open found. After DataLoss the report says what is damaged (E166).
struct WalRecovery {
  uint64_t records = 0;
  uint64_t torn_bytes = 0;  // that a crash had left and Open cut
  int hard_copies_damaged = 0;
  DamageReport report;
};

class Wal {
 public:
  // Opens the log of `parts.dir`, or makes one. DataLoss: it is damaged where it had been durable;
  // nothing was changed, `recovery` (may be null) says what. FailedPrecondition: of another cluster
  // or version. InvalidArgument: the options.
  static absl::StatusOr<std::unique_ptr<Wal>> Open(const WalOptions& options, const WalParts& parts,
                                                   WalRecovery* recovery);
  // Without Close before it, as a crash: what waits is not written, and answered with Cancelled.
  ~Wal();

  // Makes `batch` of `group` durable and then calls `done` once, on the writer's thread, in the
  // order of the calls. Batches of one group take effect in order. An error is returned at once and
  // `done` is destroyed: ResourceExhausted (more than queue_bytes_max waits; try again later),
  // InvalidArgument (empty, indexes with gaps, an entry larger than a batch, a membership or detail
  // beyond limits.h), DataLoss (a payload whose CRC is not that of the entry, E163),
  // FailedPrecondition (closed), or the final error.
  absl::Status Append(raft::GroupId group, Batch batch,
                      absl::AnyInvocable<void(absl::Status)> done);

  // See DurableLog. Entries that Append was not yet answered for are not there.
  absl::StatusOr<std::vector<raft::Entry>> Read(raft::GroupId group, raft::Index first,
                                                raft::Index last, uint64_t bytes_max) const;
  std::optional<GroupView> Find(raft::GroupId group) const;
  std::vector<raft::GroupId> Groups() const;
  // All that a Raft of the group starts with, but for `applied`. NotFound, DataLoss.
  absl::StatusOr<raft::Restored> Restore(raft::GroupId group) const;

  // To be called about once a second: copies hard states to HARD when they are older than that, and
  // tries again where there was no room for a segment.
  void Tick();

  // OK; ResourceExhausted while requests wait for room on the disk (E167); or the final error.
  absl::Status status() const;
  // How long the oldest unanswered request has waited; zero: none does (E109).
  absl::Duration OldestWait() const;
  uint64_t queued_bytes() const;
  size_t segment_count() const;
  // Called once with the final error, on the thread that met it, when it happens.
  void OnFailure(std::function<void(absl::Status)> handler);

  // Takes no more, writes what waits, and seals the log. Waits for the writer's thread; in
  // simulation for the pool to be run dry first. Idempotent.
  absl::Status Close();

 private:
  struct State;
  explicit Wal(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace slipway::eraft::wal
