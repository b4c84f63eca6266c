#include "eraft/node/readmission.h"

#include <algorithm>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/mutant.h"
#include "eraft/node/cluster.h"
#include "raft/membership.h"

namespace slipway::eraft {
namespace {

constexpr absl::string_view kKeyEnd = "/data";
constexpr absl::string_view kStages[] = {"remove", "admit", "done"};
// Refused for so many election timeouts, and at least for so long: no mistake that passes.
constexpr int kRefusedElections = 3;
constexpr absl::Duration kRefusedMin = absl::Seconds(1);
// A peer that is refused asks again within a second or two; one that does not is gone.
constexpr absl::Duration kRefusedLately = absl::Seconds(5);
constexpr int kLedElections = 2;
// A member that loses its data again and again: each time twice as long, until it kept them for an
// hour.
constexpr uint64_t kAgainAfterMs = 5'000;
constexpr uint64_t kAgainAfterMaxMs = 3'600'000;
// A learner that is no further behind than this is one round trip from the rest.
constexpr raft::Index kNearEntries = 100;

using Stage = Readmission::Stage;
using Kind = ReadmissionStep::Kind;

const raft::PeerProgress* Find(const raft::Status& status, raft::NodeId id) {
  const auto found = std::find_if(status.peers.begin(), status.peers.end(),
                                  [id](const raft::PeerProgress& peer) { return peer.id == id; });
  return found == status.peers.end() ? nullptr : &*found;
}

bool Heard(const ReadmissionView& view, raft::NodeId id) {
  const raft::PeerProgress* const peer = Find(view.raft, id);
  return id == view.self || (peer != nullptr && peer->active);
}

// A new leader takes everybody for active until an election timeout has passed.
bool KnowsWhoIsThere(const ReadmissionView& view) {
  return view.led_for >= kLedElections * view.election_timeout;
}

bool MajorityHeard(const ReadmissionView& view, const std::vector<raft::NodeId>& voters) {
  if (SLIPWAY_MUTANT("node-readmit-without-majority")) return true;
  const auto heard =
      std::count_if(voters.begin(), voters.end(), [&](raft::NodeId id) { return Heard(view, id); });
  return static_cast<size_t>(heard) > voters.size() / 2;
}

raft::Membership Without(raft::Membership members, raft::NodeId id) {
  const auto drop = [id](std::vector<raft::NodeId>& ids) {
    ids.erase(std::remove(ids.begin(), ids.end(), id), ids.end());
  };
  drop(members.voters);
  drop(members.learners);
  return members;
}

raft::Membership With(const raft::Membership& members, raft::NodeId id, bool voter) {
  raft::Membership target = Without(members, id);
  std::vector<raft::NodeId>& ids = voter ? target.voters : target.learners;
  ids.insert(std::upper_bound(ids.begin(), ids.end(), id), id);
  return target;
}

ReadmissionStep Wait(raft::NodeId id, absl::string_view what) {
  return {.kind = Kind::kNone, .id = id, .waits_for = std::string(what)};
}
ReadmissionStep Write(raft::NodeId id, Readmission readmission, Stage stage) {
  readmission.stage = stage;
  return {.kind = Kind::kWrite, .id = id, .readmission = readmission};
}
ReadmissionStep Propose(raft::NodeId id, raft::Membership target) {
  return {.kind = Kind::kPropose, .id = id, .target = std::move(target)};
}

// Whether `other` is refused for so long that it is so, and still is.
bool Persists(const ReadmissionView& view, const OtherData& other) {
  const absl::Duration enough = std::max(kRefusedMin, kRefusedElections * view.election_timeout);
  return other.last - other.since >= enough && view.now - other.last <= kRefusedLately;
}

uint64_t Elapsed(const ReadmissionView& view, const Readmission& last) {
  return view.wall_ms - std::min(view.wall_ms, last.began_ms);
}

uint64_t AgainAfter(uint32_t times) {
  return std::min(kAgainAfterMaxMs, kAgainAfterMs << std::min<uint32_t>(times, 20));
}

// `other` is a member that lost its data: the first step, if it may be taken.
ReadmissionStep Begin(const ReadmissionView& view, const OtherData& other) {
  const raft::Membership& members = view.raft.membership;
  Readmission begun{.incarnation = other.incarnation,
                    .voter = raft::IsVoter(members, other.id),
                    .began_ms = view.wall_ms};
  if (const auto last = view.readmissions.find(other.id); last != view.readmissions.end()) {
    // The transport does not know yet what was decided.
    if (last->second.stage != Stage::kRemove && last->second.incarnation == other.incarnation) {
      return {};
    }
    const bool forgotten = Elapsed(view, last->second) >= kAgainAfterMaxMs;
    if (!forgotten && Elapsed(view, last->second) < AgainAfter(last->second.times)) {
      return Wait(other.id, "it lost its data again, and waits longer each time");
    }
    begun.times = forgotten ? 1 : last->second.times + 1;
    if (last->second.stage == Stage::kAdmit) begun.voter = last->second.voter;
  }
  if (Heard(view, other.id)) {
    return Wait(other.id, "the member is here; another node says that it is it");
  }
  if (!MajorityHeard(view, Without(members, other.id).voters)) {
    return Wait(other.id, "a majority of the other voters is not heard from");
  }
  return Write(other.id, begun, Stage::kRemove);
}

ReadmissionStep Remove(const ReadmissionView& view, raft::NodeId id, const Readmission& decided) {
  const raft::Membership& members = view.raft.membership;
  // Its entry is before this one in the log: who sees kAdmit has the change, too.
  if (!raft::IsMember(members, id)) return Write(id, decided, Stage::kAdmit);
  if (!KnowsWhoIsThere(view)) return Wait(id, "the leader is new");
  // The data were found again, and nothing has changed yet.
  if (Heard(view, id)) return {.kind = Kind::kErase, .id = id};
  const raft::Membership rest = Without(members, id);
  if (!MajorityHeard(view, rest.voters)) {
    return Wait(id, "a majority of the other voters is not heard from");
  }
  return Propose(id, rest);
}

ReadmissionStep Admit(const ReadmissionView& view, raft::NodeId id, const Readmission& decided) {
  const raft::Membership& members = view.raft.membership;
  if (!raft::IsMember(members, id)) return Propose(id, With(members, id, /*voter=*/false));
  if (raft::IsVoter(members, id)) return Write(id, decided, Stage::kDone);
  const raft::PeerProgress* const peer = Find(view.raft, id);
  const bool near = peer != nullptr && peer->active && peer->match > 0 &&
                    peer->match + kNearEntries >= view.raft.commit;
  if (!near) return Wait(id, "it has not caught up yet");
  if (!decided.voter) return Write(id, decided, Stage::kDone);
  const raft::Membership target = With(members, id, /*voter=*/true);
  if (!MajorityHeard(view, target.voters)) return Wait(id, "a majority is not heard from");
  return Propose(id, target);
}

}  // namespace

std::string ReadmissionKey(raft::NodeId id) { return absl::StrCat(MemberKey(id), kKeyEnd); }

raft::NodeId ReadmissionOfKey(absl::string_view key) {
  return absl::ConsumeSuffix(&key, kKeyEnd) ? MemberOfKey(key) : raft::kNoNode;
}

std::string EncodeReadmission(const Readmission& readmission) {
  return absl::StrFormat("%s %016x %s %d %d", kStages[static_cast<size_t>(readmission.stage)],
                         readmission.incarnation, readmission.voter ? "voter" : "learner",
                         readmission.times, readmission.began_ms);
}

std::optional<Readmission> DecodeReadmission(absl::string_view text) {
  const std::vector<absl::string_view> words = absl::StrSplit(text, ' ');
  if (words.size() != 5) return std::nullopt;
  const auto* const stage = std::find(std::begin(kStages), std::end(kStages), words[0]);
  Readmission readmission;
  if (stage == std::end(kStages) || !absl::SimpleHexAtoi(words[1], &readmission.incarnation) ||
      !absl::SimpleAtoi(words[3], &readmission.times) ||
      !absl::SimpleAtoi(words[4], &readmission.began_ms)) {
    return std::nullopt;
  }
  readmission.stage = static_cast<Stage>(stage - std::begin(kStages));
  readmission.voter = words[2] == "voter";
  if (EncodeReadmission(readmission) != text) return std::nullopt;
  return readmission;
}

std::map<raft::NodeId, uint64_t> AdmittedData(const Readmissions& readmissions) {
  std::map<raft::NodeId, uint64_t> admitted;
  for (const auto& [id, readmission] : readmissions) {
    if (readmission.stage != Stage::kRemove) admitted[id] = readmission.incarnation;
  }
  return admitted;
}

ReadmissionStep NextReadmission(const ReadmissionView& view) {
  const raft::Status& raft = view.raft;
  if (raft.role != raft::Role::kLeader || raft.membership.joint() || !view.current) return {};
  const auto refused = [&](raft::NodeId id) -> const OtherData* {
    for (const OtherData& other : view.others) {
      if (other.id == id && Persists(view, other)) return &other;
    }
    return nullptr;
  };
  ReadmissionStep waiting;
  const auto note = [&](ReadmissionStep step) {
    if (waiting.id == raft::kNoNode) waiting = std::move(step);
  };
  bool busy = false;  // one at a time
  for (const auto& [id, decided] : view.readmissions) {
    if (decided.stage == Stage::kDone) continue;
    ReadmissionStep step;
    const OtherData* const other = refused(id);
    if (decided.stage == Stage::kRemove) {
      step = Remove(view, id, decided);
    } else if (other != nullptr && other->incarnation != decided.incarnation) {
      step = Begin(view, *other);  // lost once more, before it had caught up
    } else {
      step = Admit(view, id, decided);
    }
    if (step.kind != Kind::kNone) return step;
    // A learner that is gone keeps nobody waiting.
    busy |= decided.stage == Stage::kRemove || Heard(view, id);
    note(std::move(step));
  }
  if (busy || !KnowsWhoIsThere(view)) return waiting;
  for (const raft::NodeId id : raft::MembersOf(raft.membership)) {
    const OtherData* const other = refused(id);
    if (other == nullptr) continue;
    ReadmissionStep step = Begin(view, *other);
    if (step.kind != Kind::kNone) return step;
    note(std::move(step));
  }
  return waiting;
}

}  // namespace slipway::eraft
