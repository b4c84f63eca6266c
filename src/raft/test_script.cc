#include "raft/test_script.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/bytes.h"

namespace slipway::raft::testing {
namespace {

const char* NameOf(MessageKind kind) {
  static constexpr const char* kNames[] = {"?",
                                           "pre-vote",
                                           "pre-vote reply",
                                           "vote",
                                           "vote reply",
                                           "append",
                                           "append reply",
                                           "heartbeat",
                                           "heartbeat reply",
                                           "snapshot",
                                           "snapshot reply",
                                           "read-index",
                                           "read-index reply",
                                           "timeout-now"};
  return kNames[static_cast<size_t>(kind)];
}

const char* NameOf(Role role) {
  static constexpr const char* kNames[] = {"follower", "pre-candidate", "candidate", "leader"};
  return kNames[static_cast<size_t>(role)];
}

const char* NameOf(StepDownReason reason) {
  static constexpr const char* kNames[] = {"",         "higher term", "quorum lost", "stalled log",
                                           "transfer", "removed"};
  return kNames[static_cast<size_t>(reason)];
}

std::string TextOf(const Membership& membership) {
  std::string text = absl::StrCat("voters ", absl::StrJoin(membership.voters, ","));
  const auto add = [&text](const char* name, const std::vector<NodeId>& nodes) {
    if (!nodes.empty()) absl::StrAppend(&text, " ", name, " ", absl::StrJoin(nodes, ","));
  };
  add("outgoing", membership.outgoing);
  add("learners", membership.learners);
  add("learners-next", membership.learners_next);
  return text;
}

std::string TextOf(const Entry& entry) {
  std::string text = absl::StrCat(entry.index, "/", entry.term, " ");
  switch (entry.kind) {
    case EntryKind::kNoop:
      return text + "no-op";
    case EntryKind::kMembership:
      return text + TextOf(*DecodeMembership(entry.payload.view()));
    case EntryKind::kCommand:
      break;
  }
  if (entry.payload.size() > 16) return absl::StrCat(text, entry.payload.size(), " bytes");
  return absl::StrCat(text, base::AsText(entry.payload.view()));
}

std::string TextOf(const std::vector<Entry>& entries) {
  return absl::StrCat("[",
                      absl::StrJoin(entries, ", ",
                                    [](std::string* out, const Entry& entry) {
                                      absl::StrAppend(out, TextOf(entry));
                                    }),
                      "]");
}

std::string TextOf(const Message& message) {
  std::string text =
      absl::StrCat(message.from, "->", message.to, " ", NameOf(message.kind), " t", message.term);
  const auto place = [&](const char* what) {
    absl::StrAppend(&text, " ", what, " ", message.log_index);
  };
  switch (message.kind) {
    case MessageKind::kPreVote:
    case MessageKind::kVote:
      place("last");
      absl::StrAppend(&text, "/", message.log_term, message.forced ? " forced" : "");
      break;
    case MessageKind::kAppend:
      place("after");
      absl::StrAppend(&text, "/", message.log_term, " commit ", message.commit, " ",
                      TextOf(message.entries));
      break;
    case MessageKind::kAppendReply:
      if (message.reject && message.context == 0) break;
      place(message.reject ? "conflict at" : "holds");
      if (message.reject) absl::StrAppend(&text, " for ", message.context);
      if (message.conflict_term) absl::StrAppend(&text, " of term ", *message.conflict_term);
      break;
    case MessageKind::kHeartbeat:
      absl::StrAppend(&text, " commit ", message.commit, message.forced ? " sleep" : "");
      break;
    case MessageKind::kHeartbeatReply:
      absl::StrAppend(&text, message.forced ? " asleep" : "");
      break;
    case MessageKind::kSnapshot:
      absl::StrAppend(&text, " ", message.snapshot.index, "/", message.snapshot.term);
      break;
    case MessageKind::kSnapshotReply:
    case MessageKind::kReadIndexReply:
      place("at");
      break;
    default:
      break;
  }
  return message.reject ? text + " rejects" : text;
}

std::vector<NodeId> NodesOf(const std::string& list) {
  std::vector<NodeId> nodes;
  for (const auto& part : absl::StrSplit(list, ',', absl::SkipEmpty())) {
    NodeId node = kNoNode;
    if (absl::SimpleAtoi(part, &node)) nodes.push_back(node);
  }
  return nodes;
}

uint64_t Amount(const base::testing::DataCase& command, const char* name, uint64_t otherwise) {
  uint64_t value = otherwise;
  return absl::SimpleAtoi(command.Get(name), &value) ? value : otherwise;
}

}  // namespace

NodeId Script::Number(const std::string& word) {
  NodeId number = kNoNode;
  return absl::SimpleAtoi(word, &number) ? number : kNoNode;
}

void Script::Say(const std::string& line) { absl::StrAppend(&out_, line, "\n"); }

void Script::Note(const absl::Status& status) {
  if (status.ok()) return;
  Say(absl::StrCat("error: ", absl::StatusCodeToString(status.code()), ": ",
                   std::string(status.message())));
}

Script::Node& Script::Of(const Case& command, size_t word) {
  return nodes_.at(Number(command.words.at(word)));
}

std::string Script::Run(const Case& given) {
  out_.clear();
  quiet_ = given.command == "quietly";
  Case command = given;
  if (quiet_) {
    command.command = given.words.at(0);
    command.words.erase(command.words.begin());
  }
  if (!Change(command) && !World(command) && !Show(command)) Say("error: unknown command");
  ShowChanges();
  return out_.empty() ? "ok\n" : out_;
}

void Script::NewGroup(const Case& command) {
  nodes_.clear();
  network_.clear();
  apart_.clear();
  initial_ = {};
  const NodeId voters = Number(command.words.at(0));
  for (NodeId id = 1; id <= voters; ++id) initial_.voters.push_back(id);
  for (NodeId id = 1; id <= voters + Amount(command, "spare", 0); ++id) {
    Options& options = nodes_[id].options;
    options.id = id;
    options.seed = id;
    options.election_ticks = static_cast<int>(Amount(command, "election", 10));
    options.hibernate_ticks = static_cast<int>(Amount(command, "hibernate", 0));
    options.inflight_messages_max = static_cast<int>(Amount(command, "window", 256));
    options.inflight_bytes_max = Amount(command, "window-bytes", 8 << 20);
    options.append_bytes_max = Amount(command, "append-bytes", 1 << 20);
    options.committed_bytes_max = Amount(command, "committed-bytes", 1 << 20);
    options.memory_bytes_max = Amount(command, "memory", 1 << 20);
    options.uncommitted_bytes_max = Amount(command, "uncommitted", 1 << 20);
    const std::string priority = absl::StrCat("priority-", id);
    options.priority = static_cast<int>(Amount(command, priority.c_str(), 1));
    Start(id, id <= voters ? initial_ : Membership{});
  }
}

void Script::Start(NodeId id, const Membership& initial) {
  Node& node = nodes_.at(id);
  node.writes.clear();
  node.applied = node.disk.snapshot.index;
  node.disk.applied = node.applied;
  absl::StatusOr<std::unique_ptr<Raft>> raft = Raft::Create(node.options, initial, node.disk);
  Note(raft.status());
  if (raft.ok()) node.raft = *std::move(raft);
}

// What the group is told to do.
bool Script::Change(const Case& command) {
  const std::string& verb = command.command;
  if (verb == "new-group") {
    NewGroup(command);
  } else if (verb == "campaign") {
    Note(Of(command).raft->Campaign());
  } else if (verb == "tick") {
    Tick(command);
  } else if (verb == "propose") {
    ProposeAll(Number(command.words.at(0)), command);
  } else if (verb == "change") {
    Membership target;
    target.voters = NodesOf(command.Get("voters"));
    target.learners = NodesOf(command.Get("learners"));
    Note(Of(command).raft->ProposeMembership(target).status());
  } else if (verb == "read") {
    Of(command).raft->ReadIndex(Number(command.words.at(1)));
  } else if (verb == "transfer") {
    Note(Of(command).raft->TransferLeader(Number(command.words.at(1))));
  } else if (verb == "unreachable") {
    Of(command).raft->OnUnreachable(Number(command.words.at(1)));
  } else {
    return false;
  }
  return true;
}

void Script::Tick(const Case& command) {
  for (uint64_t i = Amount(command, "times", 1); i > 0; --i) {
    for (auto& [id, node] : nodes_) {
      const bool meant = command.Has("all") || command.Has(absl::StrCat(id));
      if (meant && node.raft != nullptr) node.raft->Tick(command.Has("stalled"));
    }
    if (command.Has("stabilize")) Stabilize({});
  }
}

void Script::ProposeAll(NodeId id, const Case& command) {
  std::vector<Slice> commands;
  for (size_t i = 1; i < command.words.size(); ++i) {
    const base::BytesView bytes = base::AsBytes(command.words[i]);
    commands.emplace_back(base::Bytes(bytes.begin(), bytes.end()));
  }
  if (command.named.contains("bytes")) {
    commands.emplace_back(base::Bytes(Amount(command, "bytes", 0), 'x'));
  }
  Note(nodes_.at(id).raft->Propose(commands).status());
}

// What happens around it.
bool Script::World(const Case& command) {
  const std::string& verb = command.command;
  if (verb == "ready") {
    TakeReady(Number(command.words.at(0)));
  } else if (verb == "persist") {
    Persist(Number(command.words.at(0)));
  } else if (verb == "deliver") {
    const bool all = command.words.empty();
    Deliver(all ? kNoNode : Number(command.words[0]), all ? kNoNode : Number(command.words[1]));
  } else if (verb == "stabilize" || verb == "round") {
    std::set<NodeId> only;
    for (const std::string& word : command.words) only.insert(Number(word));
    if (verb == "stabilize") Stabilize(only);
    for (uint64_t i = Amount(command, "times", 1); verb == "round" && i > 0; --i) Round(only);
  } else if (verb == "drop") {
    const size_t dropped = std::erase_if(network_, [&](const Message& message) {
      return message.from == Number(command.words.at(0)) &&
             message.to == Number(command.words.at(1));
    });
    Say(absl::StrCat("dropped ", dropped));
  } else if (verb == "partition") {
    apart_.insert(Number(command.words.at(0)));
  } else if (verb == "heal") {
    apart_.clear();
  } else if (verb == "crash") {
    Of(command).raft.reset();
  } else if (verb == "restart") {
    Start(Number(command.words.at(0)), initial_);
  } else if (verb == "compact") {
    Compact(Of(command), Number(command.words.at(1)));
  } else {
    return false;
  }
  return true;
}

void Script::Compact(Node& node, Index index) {
  const std::optional<SnapshotMark> mark = node.raft->MarkAt(index);
  if (!mark.has_value() || index > node.applied) {
    Say("error: not applied");
    return;
  }
  auto& entries = node.disk.entries;
  const auto gone = static_cast<ptrdiff_t>(index - node.disk.snapshot.index);
  entries.erase(entries.begin(), entries.begin() + gone);
  node.disk.snapshot = *mark;
  node.raft->OnCompacted(*mark);
}

void Script::Send(std::vector<Message>&& messages) {
  for (Message& message : messages) network_.push_back(std::move(message));
}

void Script::ShowReady(const Ready& ready) {
  if (ready.hard_state.has_value()) {
    Say(absl::StrCat("  hard state: term ", ready.hard_state->term, " vote ",
                     ready.hard_state->vote, " commit ", ready.hard_state->commit,
                     ready.must_sync ? "" : " (no sync)"));
  }
  if (!ready.entries.empty()) Say("  write " + TextOf(ready.entries));
  for (const Message& message : ready.messages) Say("  now: " + TextOf(message));
  for (const Message& message : ready.messages_after_persist) Say("  then: " + TextOf(message));
  if (!ready.committed.empty()) Say("  apply " + TextOf(ready.committed));
}

void Script::TakeReady(NodeId id) {
  Node& node = nodes_.at(id);
  Ready ready = node.raft->TakeReady();
  if (!quiet_) ShowReady(ready);
  for (const ReadState& read : ready.read_states) {
    Say(absl::StrCat(id, ": read ", read.context,
                     read.failed ? " failed" : absl::StrCat(" at ", read.index)));
  }
  Send(std::move(ready.messages));
  for (const Entry& entry : ready.committed) node.applied = entry.index;
  if (!ready.committed.empty()) node.raft->OnApplied(node.applied);
  if (ready.install.has_value()) Say(absl::StrCat(id, ": installs ", ready.install->index));
  node.writes.push_back({ready.hard_state, std::move(ready.entries),
                         std::move(ready.messages_after_persist), ready.install});
  ServeReads(id, ready.reads);
  for (const NodeId peer : ready.send_snapshot) {
    Message message;
    message.kind = MessageKind::kSnapshot;
    message.from = id;
    message.to = peer;
    message.term = node.raft->term();
    message.snapshot = *node.raft->MarkAt(node.applied);
    network_.push_back(message);
  }
}

void Script::ServeReads(NodeId id, const std::vector<LogRead>& reads) {
  Node& node = nodes_.at(id);
  for (const LogRead& read : reads) {
    Say(absl::StrCat(id, ": reads ", read.first, "-", read.last, " from the log for ", read.peer));
    std::vector<Entry> found;
    uint64_t bytes = 0;
    for (const Entry& entry : node.disk.entries) {
      if (entry.index < read.first || entry.index > read.last) continue;
      if (!found.empty() && bytes + entry.payload.size() > read.bytes_max) break;
      bytes += entry.payload.size();
      found.push_back(entry);
    }
    node.raft->OnEntriesRead(read.peer, read.first, std::move(found));
  }
}

void Script::Persist(NodeId id) {
  Node& node = nodes_.at(id);
  if (node.writes.empty()) {
    Say("nothing to persist");
    return;
  }
  Write write = std::move(node.writes.front());
  node.writes.pop_front();
  if (write.hard_state.has_value()) {
    node.disk.hard_state = *write.hard_state;
    node.raft->OnHardStatePersisted(*write.hard_state);
  }
  for (const Entry& entry : write.entries) {
    node.disk.entries.resize(static_cast<size_t>(entry.index - node.disk.snapshot.index - 1));
    node.disk.entries.push_back(entry);
  }
  if (!write.entries.empty()) {
    node.raft->OnPersisted(write.entries.back().term, write.entries.back().index);
  }
  if (write.install.has_value()) {
    node.disk.entries.clear();
    node.disk.snapshot = *write.install;
    node.applied = write.install->index;
    node.raft->OnInstalled(*write.install, true);
  }
  Send(std::move(write.then));
}

bool Script::Deliver(NodeId from, NodeId to) {
  std::deque<Message> due;
  for (Message& message : std::exchange(network_, {})) {
    const bool meant = from == kNoNode || (message.from == from && message.to == to);
    (meant ? due : network_).push_back(std::move(message));
  }
  for (Message& message : due) {
    const bool lost = apart_.contains(message.from) || apart_.contains(message.to) ||
                      nodes_.at(message.to).raft == nullptr;
    Node& sender = nodes_.at(message.from);
    if (message.kind == MessageKind::kSnapshot && sender.raft != nullptr) {
      sender.raft->OnSnapshotSent(message.to, message.snapshot.index, !lost);
    }
    if (lost) continue;
    if (!quiet_) Say("  " + TextOf(message));
    const NodeId receiver = message.to;
    Note(nodes_.at(receiver).raft->Step(std::move(message)));
  }
  return !due.empty();
}

// One round of all that can be done; whether there was anything.
bool Script::Round(const std::set<NodeId>& only) {
  const auto meant = [&only](NodeId id) { return only.empty() || only.contains(id); };
  bool busy = false;
  const bool quiet = std::exchange(quiet_, true);
  for (auto& [id, node] : nodes_) {
    while (meant(id) && node.raft != nullptr && (node.raft->HasReady() || !node.writes.empty())) {
      busy = true;
      if (node.raft->HasReady()) TakeReady(id);
      while (!node.writes.empty()) Persist(id);
    }
  }
  quiet_ = quiet;
  for (const auto& [from, sender] : nodes_) {
    for (const auto& [to, receiver] : nodes_) {
      if (meant(from) && meant(to)) busy |= Deliver(from, to);
    }
  }
  return busy;
}

void Script::Stabilize(const std::set<NodeId>& only) {
  constexpr int kRoundsMax = 200;
  for (int round = 0; round < kRoundsMax; ++round) {
    if (!Round(only)) return;
  }
  Say("error: it does not become stable");
}

bool Script::Show(const Case& command) {
  if (command.command == "status") {
    for (auto& [id, node] : nodes_) {
      if (node.raft == nullptr) continue;
      const Status status = node.raft->GetStatus();
      Say(absl::StrCat(id, ": ", NameOf(status.role), " term ", status.term, " vote ", status.vote,
                       " leader ", status.leader, " commit ", status.commit, " applied ",
                       status.applied, " persisted ", status.persisted, " last ", status.last,
                       " memory from ", status.first_in_memory, ", ", TextOf(status.membership)));
    }
  } else if (command.command == "peers") {
    static constexpr const char* kStates[] = {"probe", "replicate", "snapshot"};
    const Status status = Of(command).raft->GetStatus();
    for (const PeerProgress& peer : status.peers) {
      Say(absl::StrCat(peer.id, ": ", kStates[static_cast<size_t>(peer.state)], " match ",
                       peer.match, " next ", peer.next, peer.learner ? " learner" : "",
                       peer.active ? "" : " silent"));
    }
    Say(absl::StrCat("rounds: ", status.round_confirmed, " of ", status.round_sent,
                     " confirmed; uncommitted ", status.uncommitted_bytes, " bytes"));
  } else if (command.command == "log") {
    Say(TextOf(Of(command).disk.entries));
  } else {
    return false;
  }
  return true;
}

void Script::ShowChanges() {
  for (auto& [id, node] : nodes_) {
    if (node.raft == nullptr) {
      node.shown.clear();
      continue;
    }
    const Status status = node.raft->GetStatus();
    std::string now = absl::StrCat(NameOf(status.role), " term ", status.term, " commit ",
                                   status.commit, status.hibernating ? " asleep" : "");
    if (status.stepped_down != StepDownReason::kNone && status.role == Role::kFollower) {
      absl::StrAppend(&now, " (stepped down: ", NameOf(status.stepped_down), ")");
    }
    if (status.transfer_to != kNoNode) absl::StrAppend(&now, " handing to ", status.transfer_to);
    if (now != node.shown) Say(absl::StrCat(id, ": ", now));
    node.shown = now;
  }
}

}  // namespace slipway::raft::testing
