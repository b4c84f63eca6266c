#include "eraft/service/readmitter.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log/log.h"
#include "raft/membership.h"

namespace slipway::eraft {
namespace {

constexpr absl::Duration kWriteMax = absl::Seconds(10);
constexpr absl::Duration kAgainAfter = absl::Seconds(1);
// A node that nobody refuses any more, and that hears a leader, is one of them: an operator has
// told the others to believe it.
constexpr absl::Duration kBelievedAfter = absl::Minutes(1);

using Kind = ReadmissionStep::Kind;
using Stage = Readmission::Stage;

std::optional<Readmission> Find(const Readmissions& readmissions, raft::NodeId id) {
  const auto found = readmissions.find(id);
  if (found == readmissions.end()) return std::nullopt;
  return found->second;
}

std::vector<OtherData> OthersOf(const std::vector<PeerStatus>& peers) {
  std::vector<OtherData> others;
  for (const PeerStatus& peer : peers) {
    if (peer.other_incarnation == 0) continue;
    others.push_back({.id = peer.id,
                      .incarnation = peer.other_incarnation,
                      .since = peer.other_since,
                      .last = peer.other_last});
  }
  return others;
}

bool AllDone(const Readmissions& readmissions) {
  return std::all_of(readmissions.begin(), readmissions.end(),
                     [](const auto& row) { return row.second.stage == Stage::kDone; });
}

}  // namespace

void Readmitter::Look(const std::vector<PeerStatus>& peers, bool known_otherwise,
                      absl::Duration election_timeout) {
  if (replica_.node() == nullptr) return;
  const auto view = replica_.view();
  const bool refused =
      std::any_of(peers.begin(), peers.end(), [](const PeerStatus& p) { return p.refuses_data; });
  LookAtSelf(*view, refused || known_otherwise);
  const raft::Status& raft = view->status.raft;
  if (view->leads() && led_term_ != raft.term) {
    led_term_ = raft.term;
    led_since_ = replica_.now();
    known_at_.reset();
    written_.reset();
  }
  // Of a leader that knows what is committed.
  if (raft.lease_allowed && !known_at_.has_value()) known_at_ = raft.commit;
  if (!MayAct(*view)) return;
  const std::vector<OtherData> others = OthersOf(peers);
  ReadmissionStep step;
  if (!others.empty() || !AllDone(view->readmissions)) {
    step = NextReadmission(
        {.raft = raft,
         .self = view->self,
         .readmissions = view->readmissions,
         .current = view->rows_read && known_at_.has_value() && raft.applied >= *known_at_,
         .others = others,
         .now = replica_.now(),
         .led_for = replica_.now() - led_since_,
         .election_timeout = election_timeout,
         .wall_ms = static_cast<uint64_t>(absl::ToUnixMillis(replica_.wall()))});
  }
  Tell(step);
  if (step.kind == Kind::kPropose) return Propose(step);
  if (step.kind != Kind::kNone) Write(step);
}

// Nobody else changes the members, and what was written is read.
bool Readmitter::MayAct(const ReplicaView& view) {
  if (!view.leads() || !enabled_) {
    waits_for_.clear();
    return false;
  }
  if (writing_ || replica_.changes > 0 || replica_.draining()) return false;
  if (replica_.now() < pause_until_) return false;
  if (!written_.has_value()) return true;
  if (Find(view.readmissions, written_->first) != written_->second &&
      replica_.now() - written_at_ < kWriteMax) {
    return false;
  }
  written_.reset();
  return true;
}

void Readmitter::LookAtSelf(const ReplicaView& view, bool refused) {
  const raft::Status& raft = view.status.raft;
  if (refused) refused_at_ = replica_.now();
  const bool fenced = view.status.fenced;
  if (refused && !fenced && raft.last == 0) {
    replica_.node()->SetFenced(true);
    SLIPWAY_LOG(kWarn,
                "the members know this node with other data, so its own were lost; it neither "
                "votes nor leads, and waits until they take it in again: a leader with "
                "--auto-repair does, or eraftctl member remove and add",
                {{"node", view.self}});
  } else if (fenced && !refused && raft.leader != raft::kNoNode &&
             replica_.now() - refused_at_ >= kBelievedAfter) {
    replica_.node()->SetFenced(false);
  } else if (waited_ && !fenced) {
    SLIPWAY_LOG(kInfo, "this node is taken in again", {{"node", view.self}, {"last", raft.last}});
  }
  waited_ = fenced;
  replica_.metrics().waits_for_readmission.Set(fenced ? 1 : 0);
}

void Readmitter::Tell(const ReadmissionStep& step) {
  const std::string text =
      step.waits_for.empty() ? "" : absl::StrCat("node ", step.id, ": ", step.waits_for);
  if (!text.empty() && text != waits_for_) {
    SLIPWAY_LOG(kWarn, "a member that lost its data waits",
                {{"node", step.id}, {"reason", step.waits_for}});
  }
  waits_for_ = text;
}

void Readmitter::Propose(const ReadmissionStep& step) {
  const bool removal = !raft::IsMember(step.target, step.id);
  const bool vote = raft::IsVoter(step.target, step.id);
  const absl::Status status = replica_.node()->ProposeMembership(kKvGroup, step.target);
  // The last change is not committed yet, or this leader is new: asked again at the next look.
  if (absl::IsFailedPrecondition(status)) return;
  if (!status.ok()) pause_until_ = replica_.now() + kAgainAfter;
  Done(removal ? "the vote of a member's lost data goes"
       : vote  ? "a member that lost its data has caught up and votes again"
               : "a member that lost its data is taken in as a learner",
       step, status);
}

void Readmitter::Write(const ReadmissionStep& step) {
  Command command;
  command.op = step.kind == Kind::kErase ? CommandOp::kDelete : CommandOp::kPut;
  command.shard = kSystemShard;
  command.key = ReadmissionKey(step.id);
  if (step.kind == Kind::kWrite) command.value = EncodeReadmission(step.readmission);
  const auto bytes = replica_.Prepare(std::move(command));
  if (!bytes.ok()) return OnWritten(step, bytes.status());
  writing_ = true;
  replica_.node()->Propose(kKvGroup, *bytes, replica_.now() + kWriteMax,
                           [this, step](const absl::StatusOr<Outcome>& outcome) {
                             writing_ = false;
                             OnWritten(step, outcome.status());
                           });
}

void Readmitter::OnWritten(const ReadmissionStep& step, const absl::Status& status) {
  written_at_ = replica_.now();
  if (!status.ok()) {
    // Executed or not: what the log says decides, when it can be written again.
    pause_until_ = replica_.now() + kAgainAfter;
    return Done("what is to become of a member that lost its data is not written", step, status);
  }
  written_ = {step.id, std::nullopt};
  if (step.kind == Kind::kErase) {
    return Done("a member has its data again and stays", step, status);
  }
  written_->second = step.readmission;
  switch (step.readmission.stage) {
    case Stage::kRemove:
      replica_.metrics().readmissions_begun.Increment();
      return Done("a member lost its data; it is removed and taken in again", step, status);
    case Stage::kAdmit:
      return;
    case Stage::kDone:
      replica_.metrics().readmissions_done.Increment();
      return Done("a member that lost its data is whole again", step, status);
  }
}

void Readmitter::Done(absl::string_view sentence, const ReadmissionStep& step,
                      const absl::Status& status) {
  if (status.ok()) {
    SLIPWAY_LOG(kWarn, sentence,
                {{"node", step.id}, {"times", static_cast<uint64_t>(step.readmission.times)}});
  } else {
    SLIPWAY_LOG(kWarn, sentence, {{"node", step.id}, {"error", std::string(status.message())}});
  }
  if (audit_) audit_(sentence, step.id, status);
}

}  // namespace slipway::eraft
