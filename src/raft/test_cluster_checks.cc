// What the little world holds against what nodes show (E203). It shares no rule with the core.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "raft/quorum.h"
#include "raft/test_cluster.h"

namespace slipway::raft::testing {
namespace {

uint64_t Mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15;
  return hash ^ (hash >> 29);
}

uint64_t HashOf(base::BytesView bytes) {
  uint64_t hash = bytes.size();
  for (const uint8_t byte : bytes) hash = Mix(hash, byte);
  return hash;
}

uint64_t HashOf(const Entry& entry) {
  uint64_t hash = Mix(Mix(entry.index, entry.term), static_cast<uint64_t>(entry.kind));
  return Mix(Mix(hash, entry.payload_crc), HashOf(entry.payload.view()));
}

uint64_t HashOf(const Message& message) {
  uint64_t hash = Mix(static_cast<uint64_t>(message.kind), message.from);
  for (const uint64_t value :
       {message.to, message.term, message.log_index, message.log_term, message.commit,
        uint64_t{message.reject}, uint64_t{message.forced}, message.conflict_term.value_or(0),
        message.round, message.context, message.snapshot.index}) {
    hash = Mix(hash, value);
  }
  for (const Entry& entry : message.entries) hash = Mix(hash, HashOf(entry));
  return hash;
}

}  // namespace

void TestCluster::Apply(NodeId id, const std::vector<Entry>& entries) {
  Node& node = nodes_.at(id);
  for (const Entry& entry : entries) {
    if (entry.index != node.applied + 1) {
      Violate(absl::StrCat("node ", id, " applies ", entry.index, " after ", node.applied));
      return;
    }
    ++node.applied;
    node.state.hash = Mix(node.state.hash, HashOf(entry));
    Committed& known = committed_[entry.index];
    if (known.hash != 0 && known.hash != node.state.hash) {
      Violate(absl::StrCat("node ", id, " applies another entry ", entry.index));
    }
    known.hash = node.state.hash;
    known.by.insert(id);
    if (entry.kind == EntryKind::kCommand) {
      known.command = std::string(base::AsText(entry.payload.view()));
    }
    if (!HasDurably(id, entry.index, entry.term)) {
      Violate(absl::StrCat("node ", id, " applies ", entry.index, ", which it could lose"));
    }
  }
  if (entries.empty()) return;
  node.raft->OnApplied(node.applied);
  MaybeSnapshot(id);
}

// E101: nothing is shown that a crash could take back.
void TestCluster::CheckSent(NodeId id, const Message& message) {
  const Disk& disk = nodes_.at(id).disk;
  const bool asks_ahead =
      message.kind == MessageKind::kPreVote || message.kind == MessageKind::kPreVoteReply;
  if (!asks_ahead && message.term > disk.hard_state.term) {
    Violate(absl::StrCat("node ", id, " shows term ", message.term, " before it is durable"));
  }
  if (message.kind == MessageKind::kVoteReply && !message.reject) {
    NodeId& vote = votes_[{id, message.term}];
    if (vote != kNoNode && vote != message.to) {
      Violate(absl::StrCat("node ", id, " votes twice in term ", message.term));
    }
    vote = message.to;
    if (disk.hard_state.term == message.term && disk.hard_state.vote != message.to) {
      Violate(absl::StrCat("node ", id, " shows a vote before it is durable"));
    }
  }
  if (message.kind == MessageKind::kAppendReply && !message.reject) {
    const bool held = message.log_index <= disk.log_start.index + disk.entries.size() ||
                      message.log_index <= disk.state.mark.index;
    if (!held) {
      Violate(
          absl::StrCat("node ", id, " acknowledges ", message.log_index, " before it is durable"));
    }
  }
}

// Log matching (paper, 5.3): an index and a term name one entry with one predecessor.
void TestCluster::CheckEntries(NodeId id, const std::vector<Entry>& entries) {
  for (const Entry& entry : entries) {
    const Term before = raft(id).TermAt(entry.index - 1).value_or(0);
    const auto value = std::make_pair(before, HashOf(entry));
    const auto [known, added] = matching_.try_emplace({entry.index, entry.term}, value);
    if (!added && known->second != value) {
      Violate(
          absl::StrCat("node ", id, " has another entry ", entry.index, " of term ", entry.term));
    }
  }
}

void TestCluster::CheckNode(NodeId id) {
  Node& node = nodes_.at(id);
  const Raft& raft = *node.raft;
  if (raft.term() < node.term_seen && node.disk.hard_state.term < node.term_seen) {
    Violate(absl::StrCat("node ", id, " falls back from term ", node.term_seen));
  }
  node.term_seen = std::min(raft.term(), node.disk.hard_state.term);
  if (raft.role() == Role::kLeader) CheckLeader(id);
  if (raft.commit() < node.commit_seen) Violate(absl::StrCat("node ", id, " uncommits"));
  for (Index index = node.commit_seen + 1; index <= raft.commit(); ++index) {
    const std::optional<Term> term = raft.TermAt(index);
    if (!term.has_value()) continue;  // in a snapshot
    Committed& known = committed_[index];
    if (known.term != 0 && known.term != *term) {
      Violate(absl::StrCat("node ", id, " commits ", index, " of term ", *term, ", not of ",
                           known.term));
    }
    known.term = *term;
  }
  node.commit_seen = raft.commit();
  if (raft.commit() > commit_max_) {
    commit_max_ = raft.commit();
    CheckDurableOnQuorum(id, commit_max_);
  }
}

void TestCluster::CheckLeader(NodeId id) {
  const Raft& raft = *nodes_.at(id).raft;
  const auto [known, added] = leaders_.try_emplace(raft.term(), id);
  if (known->second != id) {
    Violate(absl::StrCat("nodes ", known->second, " and ", id, " lead term ", raft.term()));
  }
  if (!added) return;
  for (const auto& [index, entry] : committed_) {  // leader completeness (paper, 5.4)
    const std::optional<Term> term = raft.TermAt(index);
    const bool compacted = !term.has_value() && index <= raft.commit();
    if (compacted || entry.term == 0) continue;
    if (term != entry.term) {
      Violate(absl::StrCat("node ", id, " leads term ", raft.term(), " without committed entry ",
                           index));
      return;
    }
  }
}

// E104.
void TestCluster::CheckDurableOnQuorum(NodeId id, Index index) {
  const Raft& raft = *nodes_.at(id).raft;
  const std::optional<Term> term = raft.TermAt(index);
  if (!term.has_value()) return;
  const uint64_t held = QuorumValue(raft.GetStatus().membership, [&](NodeId voter) -> uint64_t {
    return nodes_.contains(voter) && HasDurably(voter, index, *term) ? 1 : 0;
  });
  if (held == 0) Violate(absl::StrCat("node ", id, " commits ", index, ", which a crash can lose"));
}

void TestCluster::Trace(const Ready& ready) {
  if (ready.hard_state.has_value()) {
    trace_ = Mix(Mix(Mix(trace_, ready.hard_state->term), ready.hard_state->vote),
                 ready.hard_state->commit);
  }
  for (const Entry& entry : ready.entries) trace_ = Mix(trace_, HashOf(entry));
  for (const Message& message : ready.messages) trace_ = Mix(trace_, HashOf(message));
  for (const Message& message : ready.messages_after_persist) {
    trace_ = Mix(trace_, ~HashOf(message));
  }
  for (const Entry& entry : ready.committed) trace_ = Mix(trace_, ~HashOf(entry));
  for (const ReadState& read : ready.read_states) {
    trace_ = Mix(Mix(trace_, read.context), read.failed ? ~read.index : read.index);
  }
  for (const NodeId peer : ready.send_snapshot) trace_ = Mix(trace_, ~peer);
  for (const LogRead& read : ready.reads) trace_ = Mix(Mix(trace_, read.peer), read.first);
  if (ready.install.has_value()) trace_ = Mix(trace_, ~ready.install->index);
}

}  // namespace slipway::raft::testing
