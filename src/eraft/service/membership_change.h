// A change of the members as an operator asks for it (E169): addresses first, then new members as
// learners, and when these have caught up the change itself, jointly where several voters come or
// go. On the loop only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "eraft/node/handover.h"
#include "eraft/service/replica.h"
#include "raft/types.h"

namespace slipway::eraft {

struct MembershipRequest {
  enum class Role : uint8_t { kVoter, kLearner };
  struct Member {
    raft::NodeId id = raft::kNoNode;
    std::string address;  // empty: as it is known
    Role role = Role::kVoter;
  };
  raft::Term expected_term = 0;  // 0: any
  std::vector<Member> add;
  std::vector<raft::NodeId> remove;
  bool force = false;
  absl::Duration deadline;  // monotonic
  // Whether whoever asked wants it no more: it ends, unless the change itself is in the log
  // already. Null: never.
  std::function<bool()> cancelled;
  // Why a member is not reached; empty: nothing is known. Null: of none.
  std::function<std::string(raft::NodeId)> trouble;
};

// What the members shall be. InvalidArgument: no change, or one that makes no sense;
// FailedPrecondition: it takes the office from the leader `self`, who has to hand it over first.
absl::StatusOr<raft::Membership> TargetOf(const raft::Membership& now, raft::NodeId self,
                                          const MembershipRequest& request);

// InvalidArgument: a member would be where another one is that stays. `addresses`: of `now`.
absl::Status CheckAddresses(const raft::Membership& now, const Addresses& addresses,
                            const MembershipRequest& request);

// Whether a majority of `target` is heard from, learners that become voters included: by the group,
// where it does not sleep, and by the transport, which knows who went since. FailedPrecondition
// names who is not.
absl::Status CheckLiveQuorum(const raft::Status& status, const raft::Membership& target,
                             absl::Span<const PeerSight> sights);

// Whether a learner is so near that what is left is one round trip.
bool HasCaughtUp(const raft::PeerProgress& peer, raft::Index commit);
// A learner that has; kNoNode: none.
raft::NodeId CaughtUpLearner(const raft::Status& status);

class MembershipChange : public std::enable_shared_from_this<MembershipChange> {
 public:
  using Done = std::function<void(absl::Status)>;
  // `done` once, on the loop. Aborted: another term than expected, or the members became others
  // than this was decided on; FailedPrecondition: another change is under way; Unavailable: not the
  // leader, or no longer; DeadlineExceeded: what is missing, in the text; Cancelled; and the errors
  // above.
  static void Start(Replica& replica, MembershipRequest request, Done done);
  MembershipChange(Replica& replica, MembershipRequest request, Done done)
      : replica_(replica), request_(std::move(request)), done_(std::move(done)) {
    ++replica_.changes;
  }

 private:
  enum class Phase : uint8_t { kAddresses, kLearners, kCatchUp, kChange, kForget };
  void Begin();
  absl::Status Plan(const raft::Status& now);
  absl::Status CheckGoesOn(const raft::Status& now) const;
  void Look();
  void Step(const raft::Status& now);
  void Later();
  void Enter(Phase phase);
  void WriteAddresses();
  void WriteData();
  void ProposeSoon(const raft::Membership& target);
  void ForgetRemoved();
  void PutAddress(raft::NodeId id, const std::string& address);
  void Put(std::string key, const std::string& value);
  bool Settled(const raft::Status& status, const raft::Membership& wanted);
  std::vector<raft::NodeId> Behind(const raft::Status& status) const;
  std::string TroubleOf(const raft::Status& status, raft::NodeId id) const;
  std::string Missing(const raft::Status& status) const;
  void Finish(absl::Status status);

  Replica& replica_;
  const MembershipRequest request_;
  Done done_;
  Phase phase_ = Phase::kAddresses;
  raft::Term term_ = 0;
  raft::Membership before_, with_learners_, target_;
  std::vector<raft::NodeId> newcomers_;         // that are to catch up before they vote
  bool proposed_ = false;                       // the membership of this phase
  std::optional<raft::Index> seen_at_;          // the last entry when it was first in force
  std::optional<absl::Duration> caught_up_at_;  // monotonic
  int writes_ = 0;                              // of addresses, under way
  absl::Status write_error_;
};

}  // namespace slipway::eraft
