#include "checker.h"

#include <algorithm>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "raft/raft.h"

namespace slipway::eraft::simulation {
namespace {

using raft::MessageKind;

uint64_t Mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15;
  return hash ^ (hash >> 29);
}

// Two entries that differ have different prints, but for the chance that a CRC collides: damage is
// the CRC's business, other entries are this one's.
uint64_t PrintOf(const raft::Entry& entry) {
  return Mix(Mix(static_cast<uint64_t>(entry.kind), entry.payload_crc), entry.payload.size());
}

// As in MessageKind, for traces.
absl::string_view KindName(MessageKind kind) {
  switch (kind) {
    case MessageKind::kPreVote:
      return "pre-vote";
    case MessageKind::kPreVoteReply:
      return "pre-vote reply";
    case MessageKind::kVote:
      return "vote";
    case MessageKind::kVoteReply:
      return "vote reply";
    case MessageKind::kAppend:
      return "append";
    case MessageKind::kAppendReply:
      return "append reply";
    case MessageKind::kHeartbeat:
      return "heartbeat";
    case MessageKind::kHeartbeatReply:
      return "heartbeat reply";
    case MessageKind::kSnapshot:
      return "snapshot";
    case MessageKind::kSnapshotReply:
      return "snapshot reply";
    case MessageKind::kTimeoutNow:
      return "timeout-now";
    default:
      return "message";
  }
}

bool IsOfLeader(MessageKind kind) {
  return kind == MessageKind::kAppend || kind == MessageKind::kHeartbeat ||
         kind == MessageKind::kTimeoutNow || kind == MessageKind::kSnapshot;
}

}  // namespace

void Checker::Violate(std::string what) {
  trace_->Say([&] { return absl::StrCat("VIOLATION ", what); });
  if (violation_.empty()) violation_ = std::move(what);
}

void Checker::OnSend(raft::NodeId id, const raft::Message& message) {
  trace_->AddAll(message.kind, message.from, message.to, message.term, message.log_index,
                 message.log_term, message.commit, message.reject, message.entries.size(),
                 message.round);
  term_max_ = std::max(term_max_, nodes_[id].durable.term);
  CheckTerm(id, message);
  CheckVote(id, message);
  trace_->Say([&] {
    return absl::StrCat("node ", id, " to ", message.to, ": ", KindName(message.kind), " term ",
                        message.term, " log ", message.log_index, "@", message.log_term, " +",
                        message.entries.size(), " commit ", message.commit,
                        message.reject ? " refused" : "");
  });
  if (message.kind == MessageKind::kTimeoutNow) ++coverage_[Mark::kOfficesHanded];
  if (IsOfLeader(message.kind)) {
    const auto [found, fresh] = leaders_.try_emplace(message.term, id);
    if (fresh) ++coverage_[Mark::kLeaders];
    const raft::NodeId leader = found->second;
    if (leader != id) {
      Violate(absl::StrCat("nodes ", leader, " and ", id, " lead term ", message.term));
    }
  }
  if (message.kind == MessageKind::kAppend) CheckAppend(id, message);
  if (message.kind == MessageKind::kAppendReply && message.reject) {
    ++coverage_[Mark::kAppendsRefused];
  } else if (message.kind == MessageKind::kAppendReply) {
    Node& node = nodes_[id];
    if (message.term != node.acked_term) node.acked_index = 0;
    node.acked_term = message.term;
    node.acked_index = std::max(node.acked_index, message.log_index);
  }
}

// E101: no term that a crash could take back.
void Checker::CheckTerm(raft::NodeId id, const raft::Message& message) {
  const bool asks_ahead =
      message.kind == MessageKind::kPreVote || message.kind == MessageKind::kPreVoteReply;
  const raft::Term durable = nodes_[id].durable.term;
  if (!asks_ahead && message.term > durable) {
    Violate(absl::StrCat("node ", id, " shows term ", message.term, ", durable is ", durable));
  }
}

// One vote in a term, and none that a crash could take back; a candidate votes for itself.
void Checker::CheckVote(raft::NodeId id, const raft::Message& message) {
  raft::NodeId voted = raft::kNoNode;
  if (message.kind == MessageKind::kVoteReply && !message.reject) voted = message.to;
  if (message.kind == MessageKind::kVote) voted = id;
  if (voted == raft::kNoNode) return;
  const raft::NodeId known = votes_.try_emplace({id, message.term}, voted).first->second;
  if (known != voted) {
    Violate(
        absl::StrCat("node ", id, " votes for ", known, " and ", voted, " in term ", message.term));
  }
  const raft::HardState& durable = nodes_[id].durable;
  if (durable.term == message.term && durable.vote != voted) {
    Violate(absl::StrCat("node ", id, " shows a vote before it is durable"));
  }
}

void Checker::CheckAppend(raft::NodeId id, const raft::Message& message) {
  // Term 0: the leader has compacted the entry before, and nobody will find it equal to theirs.
  if (message.log_term != 0) {
    CheckComplete(id, message.term, message.log_index, message.log_term);
  }
  raft::Term before = message.log_term;
  for (const raft::Entry& entry : message.entries) {
    CheckMatching(id, before, entry);
    before = entry.term;
    CheckComplete(id, message.term, entry.index, entry.term);
    if (entry.kind != raft::EntryKind::kNoop || entry.term != message.term) continue;
    // The first entry of a leader is behind all that was committed before its term.
    for (raft::Index index = entry.index; index <= entries_.size(); ++index) {
      const Applied& applied = entries_[index - 1];
      if (applied.print != 0 && applied.term_seen < message.term) {
        Violate(absl::StrCat("node ", id, " begins term ", message.term, " at ", entry.index,
                             ", but ", index, " was applied before"));
        return;
      }
    }
  }
}

// Log matching (Raft paper, 5.3): index and term name one entry with one predecessor.
void Checker::CheckMatching(raft::NodeId id, raft::Term before, const raft::Entry& entry) {
  if (sent_.size() <= entry.index) sent_.resize(entry.index + 64);
  for (const Sent& sent : sent_[entry.index]) {
    if (sent.term != entry.term) continue;
    if (sent.before != before || sent.print != PrintOf(entry)) {
      Violate(
          absl::StrCat("node ", id, " has another entry ", entry.index, " of term ", entry.term));
    }
    return;
  }
  if (!sent_[entry.index].empty()) ++coverage_[Mark::kConflicts];
  sent_[entry.index].push_back({entry.term, before, PrintOf(entry)});
}

// Leader completeness (paper, 5.4): who leads a term above all that there were when an entry was
// applied has that entry.
void Checker::CheckComplete(raft::NodeId id, raft::Term leader_term, raft::Index index,
                            raft::Term term) {
  if (index == 0 || index > entries_.size()) return;
  const Applied& applied = entries_[index - 1];
  if (applied.print == 0) return;
  if (applied.term_seen < leader_term && applied.term != term) {
    Violate(absl::StrCat("node ", id, " leads term ", leader_term, " with entry ", index,
                         " of term ", term, ", but that of term ", applied.term, " was applied"));
  }
}

void Checker::OnHardState(raft::NodeId id, const raft::HardState& state) {
  trace_->AddAll(id, state.term, state.vote, state.commit);
  raft::HardState& durable = nodes_[id].durable;
  if (state.term < durable.term) {
    Violate(absl::StrCat("node ", id, " falls from term ", durable.term, " to ", state.term));
  }
  if (state.term == durable.term && durable.vote != raft::kNoNode && state.vote != durable.vote) {
    Violate(absl::StrCat("node ", id, " takes its vote in term ", state.term, " back"));
  }
  if (state.commit < durable.commit) {
    Violate(absl::StrCat("node ", id, " uncommits ", durable.commit));
  }
  durable = state;
  term_max_ = std::max(term_max_, state.term);
}

void Checker::OnApplied(raft::NodeId id, absl::Span<const raft::Entry> entries) {
  Node& node = nodes_[id];
  for (const raft::Entry& entry : entries) {
    if (entry.index != node.applied + 1) {
      Violate(absl::StrCat("node ", id, " applies ", entry.index, " after ", node.applied));
    }
    node.applied = entry.index;
    const uint64_t print = Mix(entry.term, PrintOf(entry));
    trace_->AddAll(id, entry.index, print);
    // A hole: somebody's engine held entries whose application a crash left unsaid.
    if (entries_.size() < entry.index) entries_.resize(entry.index);
    Applied& applied = entries_[entry.index - 1];
    if (applied.print == print) continue;
    if (applied.print != 0) {
      Violate(absl::StrCat("node ", id, " applies another entry ", entry.index, " (term ",
                           entry.term, ", not ", applied.term, ")"));
      continue;
    }
    applied.term = entry.term;
    applied.print = print;
    applied.term_seen = std::max(term_max_, entry.term);
    if (entry.kind == raft::EntryKind::kMembership) CountMembership(entry);
    if (entry.kind != raft::EntryKind::kCommand) continue;
    const absl::StatusOr<Command> command = DecodeCommand(entry.payload.view());
    if (!command.ok()) continue;
    applied.client = command->client;
    applied.command = command->command;
  }
}

void Checker::CountMembership(const raft::Entry& entry) {
  const absl::StatusOr<raft::Membership> membership = raft::DecodeMembership(entry.payload.view());
  if (!membership.ok()) return Violate("an applied membership cannot be read");
  ++coverage_[membership->joint() ? Mark::kJointMemberships : Mark::kMemberships];
}

Checker::Leader Checker::newest_leader() const {
  if (leaders_.empty()) return {};
  return {leaders_.rbegin()->first, leaders_.rbegin()->second};
}

// Replicas that applied the same are the same.
void Checker::OnState(raft::NodeId id, raft::Index index, uint64_t hash) {
  if (index == 0) return;
  if (entries_.size() < index) entries_.resize(index);
  Applied& applied = entries_[index - 1];
  if (applied.state == 0) {
    applied.state = hash;
    applied.state_of = id;
    return;
  }
  if (applied.state_of != id) ++coverage_[Mark::kDigestsCompared];
  if (applied.state != hash) {
    Violate(absl::StrCat("nodes ", applied.state_of, " and ", id, " have applied ", index,
                         " and differ"));
  }
}

void Checker::OnInstalled(raft::NodeId id, const raft::SnapshotMark& mark) {
  trace_->AddAll(id, mark.index, mark.term);
  Node& node = nodes_[id];
  const bool applied = mark.index <= entries_.size() && entries_[mark.index - 1].print != 0;
  if (mark.index > ahead_ && (!applied || entries_[mark.index - 1].term != mark.term)) {
    Violate(absl::StrCat("node ", id, " installs a snapshot of ", mark.index, " of term ",
                         mark.term, ", which nobody applied"));
  }
  if (mark.index < node.applied) {
    Violate(absl::StrCat("node ", id, " goes back from ", node.applied, " to ", mark.index));
  }
  node.applied = mark.index;
}

// No acknowledgement, vote or term is forgotten.
void Checker::OnRestart(raft::NodeId id, const Recovered& recovered) {
  trace_->AddAll(id, recovered.term, recovered.vote, recovered.last, recovered.applied);
  Node& node = nodes_[id];
  if (recovered.term < node.durable.term) {
    Violate(absl::StrCat("node ", id, " forgot term ", node.durable.term, ", restarts in ",
                         recovered.term));
  }
  if (recovered.term == node.durable.term && node.durable.vote != raft::kNoNode &&
      recovered.vote != node.durable.vote) {
    Violate(absl::StrCat("node ", id, " forgot its vote in term ", recovered.term));
  }
  // A later term may have replaced what was acknowledged in an earlier one.
  if (recovered.term == node.acked_term && recovered.last < node.acked_index) {
    Violate(absl::StrCat("node ", id, " acknowledged ", node.acked_index, ", restarts with ",
                         recovered.last));
  }
  if (recovered.applied > recovered.last) {
    Violate(absl::StrCat("node ", id, " restarts with ", recovered.applied, " applied of ",
                         recovered.last));
  }
  ahead_ = std::max(ahead_, recovered.applied > entries_.size() ? recovered.applied : 0);
  node.applied = recovered.applied;
  // What was written last may be durable though nobody was told. The commit index is a hint.
  if (recovered.term > node.durable.term || node.durable.vote == raft::kNoNode) {
    node.durable = {.term = recovered.term, .vote = recovered.vote};
  }
  node.durable.commit = 0;
}

void Checker::OnAcknowledged(ClientId client, CommandId command, raft::Index index) {
  trace_->AddAll(client, command, index);
  const bool known = index > 0 && index <= entries_.size();
  if (!known || entries_[index - 1].client != client || entries_[index - 1].command != command) {
    Violate(absl::StrCat("client ", client, " was told that its command ", command, " is entry ",
                         index, ", which it is not"));
  }
}

}  // namespace slipway::eraft::simulation
