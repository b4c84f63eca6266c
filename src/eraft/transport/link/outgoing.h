// One lane to one peer: connects, greets, sends, measures the round trip, and begins anew when the
// stream ends or is silent for too long (E122, E16, E413). Thread-safe; calls of the streams are
// made under its lock, which is a leaf but for those of streams, pool and incarnations.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/pool.h"
#include "base/random.h"
#include "base/sync/mutex.h"
#include "base/transport.h"
#include "eraft/transport/link/greeting.h"
#include "eraft/transport/link/incarnations.h"
#include "eraft/transport/link/metrics.h"
#include "eraft/transport/link/round_trips.h"
#include "eraft/transport/link/send_queue.h"
#include "eraft/transport/link/streams.h"
#include "eraft/transport/link/teller.h"

namespace slipway::eraft::link {

// What the links of a node share. What is borrowed outlives all that `running` counts.
struct LinkWorld {
  Identity own;
  QueueLimits limits;
  base::Clock& clock;
  base::Pool& pool;
  base::Random& random;
  Incarnations& incarnations;
  std::shared_ptr<Dialer> dialer;
  std::shared_ptr<Teller> teller;
  Running running;
  // This node is about to stop, which every message says from then on.
  std::shared_ptr<std::atomic<bool>> leaving = std::make_shared<std::atomic<bool>>(false);

  // Hands a job to the pool and counts it as running.
  absl::Status Submit(base::Task job) const;
};

struct LaneStatus {
  std::string address;
  bool open = false;
  absl::Duration rtt, rtt_p99, clock_difference;
  uint32_t feature_level = 0;
  std::string error;  // of the last attempt; empty while it is open
  uint64_t dropped = 0;
};

class Outgoing final : public std::enable_shared_from_this<Outgoing> {
 public:
  // `remembers`: the peer's incarnation, when it is met for the first time.
  Outgoing(std::shared_ptr<const LinkWorld> world, raft::NodeId peer, Lane lane,
           std::string address, PeerMetrics& metrics, bool remembers = true);

  // As base::Transport's, of this lane.
  absl::Status Send(base::FrameClass frame_class, base::Bytes frame);
  // Another one: connects to it at once.
  void SetAddress(const std::string& address);
  // Who the peer is has changed: ends the stream and connects at once.
  void Renew();
  // Says at once what LinkWorld::leaving says.
  void Announce();
  // Every kTick.
  void Tick();
  // Ends the stream; nothing is sent any more.
  void Stop();
  LaneStatus status() const;

 private:
  class Attempt;
  // kIdle: nothing to send, snapshots only; kWaiting: until next_try_; kDialing: a job of the pool;
  // kGreeting: until the peer's greeting; kOpen; kStopped.
  enum class State : uint8_t { kIdle, kWaiting, kDialing, kGreeting, kOpen, kStopped };

  // ---- Events of attempt `number`; those of an earlier one are passed over ----
  void OnDialed(uint64_t number, absl::StatusOr<std::shared_ptr<ClientStream>> stream);
  void OnMessage(uint64_t number, Slices slices);
  void OnRemembered(uint64_t number, const absl::Status& status);
  void OnWritten(uint64_t number);
  void OnBroken(uint64_t number);
  void OnClosed(uint64_t number, const absl::Status& status);

  void BeginAnew() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Dial() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Greet(const Message& message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Open() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeEcho(const Envelope& envelope) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CheckAlive(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Flush() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Write(Envelope envelope) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends the attempt; the next one after a while.
  void Fail(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndAttempt() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountDropped(size_t frames) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Duration Backoff() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t NowNs() const;

  const std::shared_ptr<const LinkWorld> world_;
  const raft::NodeId peer_;
  const Lane lane_;
  const bool remembers_;
  const absl::Duration echo_timeout_;
  PeerMetrics& metrics_;

  mutable base::Mutex mutex_;
  std::string address_ ABSL_GUARDED_BY(mutex_);
  State state_ ABSL_GUARDED_BY(mutex_);
  uint64_t attempt_ ABSL_GUARDED_BY(mutex_) = 0;
  std::shared_ptr<ClientStream> stream_ ABSL_GUARDED_BY(mutex_);  // null: none, or it is broken
  SendQueue queue_ ABSL_GUARDED_BY(mutex_);
  bool greeted_ ABSL_GUARDED_BY(mutex_) = false;  // of this attempt: its greeting came
  bool opened_ ABSL_GUARDED_BY(mutex_) = false;   // ever
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;  // of this attempt: nothing may be written any more
  bool announced_ ABSL_GUARDED_BY(mutex_) = false;  // of this attempt: that the node leaves
  int failures_ ABSL_GUARDED_BY(mutex_) = 0;        // since it was open
  uint64_t seq_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t probe_ns_ ABSL_GUARDED_BY(mutex_) = 0;       // whose echo is waited for; 0: none
  uint64_t probe_wall_ns_ ABSL_GUARDED_BY(mutex_) = 0;  // when it left
  absl::Duration probe_at_ ABSL_GUARDED_BY(mutex_);     // the last one
  absl::Duration write_at_ ABSL_GUARDED_BY(mutex_);     // the last one began
  absl::Duration sent_at_ ABSL_GUARDED_BY(mutex_);      // the last frame
  absl::Duration next_try_ ABSL_GUARDED_BY(mutex_);
  absl::Duration deadline_ ABSL_GUARDED_BY(mutex_);  // of the greeting
  RoundTrips round_trips_ ABSL_GUARDED_BY(mutex_);
  uint32_t feature_level_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string error_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::eraft::link
