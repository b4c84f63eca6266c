// The language of testdata/*.txt: a group whose every step is asked for by name, and what it shows.
// Nothing happens by itself: no time, no message, no write. Only for tests. Not thread-safe.
//
//   new-group 3 [spare=N] [election=T] [hibernate=T] [window=N] [append-bytes=B] [memory=B]
//             [uncommitted=B] [priority-ID=P]
//   campaign ID · tick ID|all [times=N] [stalled] · propose ID TEXT… [bytes=N]
//   change ID voters=1,2 [learners=3] · read ID NAME · transfer ID TO · unreachable ID PEER
//   ready ID          what the node wants; its messages go to the network, its write is under way
//   persist ID        the oldest write is done, and what waited for it leaves
//   deliver [FROM TO] what is in the network arrives
//   drop FROM TO · partition ID · heal · crash ID · restart ID · compact ID INDEX
//   stabilize [ID…]   ready, persist and deliver until nothing is left (for these nodes only)
//   round [ID…] [times=N]   one round of that
//   quietly COMMAND   without what is sent and written
//   status · peers ID · log ID
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/testing/data_driven.h"
#include "raft/raft.h"

namespace slipway::raft::testing {

class Script {
 public:
  // The output of one command; "error: …" where it was refused.
  std::string Run(const base::testing::DataCase& given);

 private:
  struct Write {
    std::optional<HardState> hard_state;
    std::vector<Entry> entries;
    std::vector<Message> then;
    std::optional<SnapshotMark> install;
  };
  struct Node {
    std::unique_ptr<Raft> raft;
    Options options;
    Restored disk;
    std::deque<Write> writes;
    std::string shown;  // of its last state
    Index applied = 0;
  };
  using Case = base::testing::DataCase;

  void NewGroup(const Case& command);
  void Start(NodeId id, const Membership& initial);
  bool Change(const Case& command);
  bool World(const Case& command);
  bool Show(const Case& command);
  void Tick(const Case& command);
  void ProposeAll(NodeId id, const Case& command);
  void TakeReady(NodeId id);
  void ShowReady(const Ready& ready);
  void Persist(NodeId id);
  bool Deliver(NodeId from, NodeId to);  // whether there was a message
  bool Round(const std::set<NodeId>& only);
  void Stabilize(const std::set<NodeId>& only);
  void ServeReads(NodeId id, const std::vector<LogRead>& reads);
  void Compact(Node& node, Index index);
  void Send(std::vector<Message>&& messages);
  void ShowChanges();
  void Say(const std::string& line);
  void Note(const absl::Status& status);
  Node& Of(const Case& command, size_t word = 0);
  static NodeId Number(const std::string& word);

  std::map<NodeId, Node> nodes_;
  Membership initial_;
  std::deque<Message> network_;
  std::set<NodeId> apart_;
  std::string out_;
  bool quiet_ = false;
};

}  // namespace slipway::raft::testing
