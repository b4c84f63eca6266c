// Carries operations to the leader and their answers back, each executed once however often the
// network, the leader or the session changes (E144, E145): the protocol of a client over the
// pipeline without its network. Loop-only, the destructor too.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/random.h"
#include "eraft/client/session/link.h"
#include "eraft/client/session/operation.h"
#include "eraft/client/session/route.h"
#include "eraft/client/session/window.h"

namespace slipway::eraft::client {

struct DispatcherOptions {
  std::vector<std::string> addresses;  // at least one
  RouteOptions route;
  size_t pending_max = 100'000;                  // operations without an answer
  uint64_t pending_bytes_max = 64 << 20;         // of theirs
  size_t batch_commands_max = 512;               // sent at once
  uint64_t batch_bytes_max = 1 << 20;            // one larger operation goes alone
  uint64_t credit_first = 64;                    // under way before a server has said how many
  absl::Duration stall = absl::Seconds(2);       // a node that says nothing for so long is left …
  absl::Duration stall_max = absl::Seconds(30);  // … the next one given twice as long
};

class Dispatcher : private LinkEvents {
 public:
  // Everything outlives this.
  Dispatcher(DispatcherOptions options, base::Loop& loop, base::Clock& clock, base::Random& random,
             Dialer& dialer);
  ~Dispatcher() override;  // as Stop

  // `deadline` is of Clock::Monotonic. `done` comes once, never from within this call; its errors
  // (WasExecuted tells what they mean): DeadlineExceeded; InvalidArgument (too large);
  // ResourceExhausted (too much pending here, or the servers' disks are full); Cancelled (Stop);
  // what the server says of the token or the address (Unauthenticated, PermissionDenied,
  // Unimplemented); FailedPrecondition (the session expired while the outcome was open).
  void Submit(Operation operation, absl::Duration deadline, Done done);
  // Answers everything with Cancelled and ends the session.
  void Stop();

  size_t pending() const { return pending_.size(); }
  uint64_t session() const { return session_; }  // 0: none
  const std::string& address() const { return route_.address(); }

 private:
  using Number = uint64_t;  // of an operation, in the order of Submit
  struct Pending {
    Operation operation;
    absl::Duration deadline;
    Done done;
    std::optional<uint64_t> id;  // of a write: in its session
    bool under_way = false;
    bool maybe = false;  // a copy was sent whose fate is unknown
  };

  void OnSent() override;
  void OnResults(WireResults results) override;
  void OnClosed(absl::Status status, std::string leader) override;

  void SchedulePump(absl::Duration wait = absl::ZeroDuration());
  void Pump();
  // The next batch of writes or of reads; no commands: there is nothing that may go.
  WireBatch NextBatch(bool writes);
  bool MaySend(bool writes);
  void RegisterSession();
  void OnSession(SessionGrant grant);
  void DropSession();

  // What a batch of results means for the link.
  struct Verdict {
    bool worked = false, not_leader = false, pause = false;
  };
  void OnResult(WireResult result, Verdict& verdict);
  void Requeue(Number number);
  std::set<Number>& QueueOf(const Pending& pending);
  // The link is no good: what is under way on it may have been executed.
  void Unlink();
  // `leader` as a server gave it with an error: whom to ask next, and when.
  void MoveOn(const absl::Status& why, const std::string& leader);
  void FailAll(const absl::Status& status);
  void Finish(Number number, absl::StatusOr<Reply> reply);
  void FinishError(Number number, const absl::Status& status, Executed executed);
  static Executed FateOf(const Pending& pending);
  void Expire();
  void ArmDeadline();
  void ArmStall();
  void CheckStall();

  const DispatcherOptions options_;
  base::Loop& loop_;
  base::Clock& clock_;
  Dialer& dialer_;
  Route route_;
  const std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // timers look whether this lives

  std::map<Number, Pending> pending_;
  std::set<std::pair<absl::Duration, Number>> deadlines_;
  std::set<Number> writes_, reads_;  // to be sent, older ones first
  uint64_t pending_bytes_ = 0;
  Number next_number_ = 1;
  uint64_t next_read_ = 0;

  std::unique_ptr<Link> link_;
  bool sending_ = false;
  bool writes_next_ = true;
  std::unordered_map<uint64_t, Number> under_way_;  // by id on the stream
  uint64_t credit_;
  absl::Duration not_before_ = -absl::InfiniteDuration();
  absl::Duration heard_ = absl::ZeroDuration();  // when the link said something last
  int stalls_ = 0;                               // one after the other
  absl::Status trouble_;                         // the last, for those who run out of time

  uint64_t session_ = 0;
  bool session_dead_ = false;  // ends when nothing of it is under way
  bool registering_ = false;
  Window window_;

  bool pump_scheduled_ = false;
  uint64_t deadline_timer_ = 0;
  absl::Duration deadline_armed_ = absl::InfiniteDuration();
  uint64_t stall_timer_ = 0;
  bool stopped_ = false;
};

}  // namespace slipway::eraft::client
