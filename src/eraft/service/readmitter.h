// Carries out what NextReadmission says (E165, E416), and keeps a node whose own data were lost
// from voting until it is taken in (E123). On the loop only.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "eraft/node/readmission.h"
#include "eraft/service/replica.h"
#include "eraft/transport/transport.h"

namespace slipway::eraft {

class Readmitter {
 public:
  // For the audit log: what was done with a member, and what came of it.
  using Audit = std::function<void(absl::string_view what, raft::NodeId id, absl::Status)>;

  // `enabled`: as a leader it takes members in again (--auto-repair). All outlive it.
  Readmitter(Replica& replica, bool enabled, Audit audit)
      : replica_(replica), enabled_(enabled), audit_(std::move(audit)) {}

  // To be called again and again, after Replica::Look. `known_otherwise`: as the transport has it.
  void Look(const std::vector<PeerStatus>& peers, bool known_otherwise,
            absl::Duration election_timeout);
  // What a member waits for, for people; empty: none does.
  const std::string& waits_for() const { return waits_for_; }

 private:
  void LookAtSelf(const ReplicaView& view, bool refused);
  bool MayAct(const ReplicaView& view);
  void Tell(const ReadmissionStep& step);
  void Propose(const ReadmissionStep& step);
  void Write(const ReadmissionStep& step);
  void OnWritten(const ReadmissionStep& step, const absl::Status& status);
  void Done(absl::string_view sentence, const ReadmissionStep& step, const absl::Status& status);

  Replica& replica_;
  const bool enabled_;
  const Audit audit_;
  raft::Term led_term_ = 0;
  absl::Duration led_since_;
  std::optional<raft::Index> known_at_;  // once it is applied, all that earlier leaders wrote is
  bool writing_ = false;
  absl::Duration pause_until_ = -absl::InfiniteDuration();  // something failed
  // What the log says since it was written, for as long as the replica has not read it.
  std::optional<std::pair<raft::NodeId, std::optional<Readmission>>> written_;
  absl::Duration written_at_;
  std::string waits_for_;
  bool waited_ = false;        // this node, at the last look
  absl::Duration refused_at_;  // this node, last
};

}  // namespace slipway::eraft
