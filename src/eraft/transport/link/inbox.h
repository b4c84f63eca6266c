// The streams that came from peers, and their frames on the way to the loop. Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "base/loop.h"
#include "base/sync/mutex.h"
#include "eraft/transport/link/assembler.h"
#include "eraft/transport/link/outgoing.h"
#include "eraft/transport/link/streams.h"

namespace slipway::eraft::link {

class Inbox;

// One stream: its greeting first, then frames, with an echo for whoever asks for it.
class Incoming final : public std::enable_shared_from_this<Incoming> {
 public:
  // `from`: the caller's address, for the log; `names`: of its certificate, which was checked;
  // empty: it has none. `stream` lives until Finish.
  Incoming(std::shared_ptr<Inbox> inbox, ServerStream& stream, std::string from,
           std::vector<std::string> names);

  // ---- From the stream; OnMessage, OnReadEnd one at a time ----
  void Start();
  void OnMessage(Slices slices);
  void OnReadEnd();
  void OnWritten(bool ok);
  void OnCancel();

  // ---- From the inbox ----
  // The caller's address without its port.
  std::string host() const;
  void Tick(absl::Duration now);
  // Ends the stream, once; the first status counts.
  void End(const absl::Status& status);
  // The loop has taken a message of so many bytes.
  void OnHandled(size_t bytes);

 private:
  enum class State : uint8_t { kGreeting, kChecking, kOpen, kEnded };

  void Greet(const Message& message);
  void Admit(const Hello& hello);
  void Take(const Message& message, size_t bytes);
  void Echo() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Read() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What is wrong with a greeting is told to both sides.
  void Refuse(const Hello& hello, const absl::Status& status);

  const std::shared_ptr<Inbox> inbox_;
  ServerStream& stream_;
  const std::string from_;
  const std::vector<std::string> names_;
  Assembler assembler_;  // of the reader

  base::Mutex mutex_;
  State state_ ABSL_GUARDED_BY(mutex_) = State::kGreeting;
  raft::NodeId peer_ ABSL_GUARDED_BY(mutex_) = raft::kNoNode;  // from kOpen on
  PeerMetrics* metrics_ ABSL_GUARDED_BY(mutex_) = nullptr;     // likewise
  absl::Duration heard_at_ ABSL_GUARDED_BY(mutex_);
  // From the call of Read until the message has been dealt with: messages are, one at a time.
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t echo_ns_ ABSL_GUARDED_BY(mutex_) = 0;  // to be sent; 0: none
  uint64_t seq_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t unhandled_messages_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t unhandled_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

class Inbox final : public std::enable_shared_from_this<Inbox> {
 public:
  using Receiver = absl::AnyInvocable<void(uint64_t peer, base::Bytes frame)>;

  Inbox(std::shared_ptr<const LinkWorld> world, base::Loop& loop)
      : world_(std::move(world)), loop_(loop) {}

  const LinkWorld& world() const { return *world_; }
  void Receive(Receiver receiver);
  // Whose streams are taken, with what counts theirs; those of others end. `addresses`: theirs and
  // this node's.
  void SetPeers(const std::map<raft::NodeId, PeerMetrics*>& peers,
                std::map<raft::NodeId, std::string> addresses);
  // Whether a stranger is taken as a guest, by AddGuest, whose frames are handed over but whose
  // data are not remembered; null: none is.
  using StrangerHandler = std::function<bool(const Hello&)>;
  void OnStranger(StrangerHandler handler);
  void AddGuest(raft::NodeId id, PeerMetrics& metrics);
  void DropGuest(raft::NodeId id);
  void Tick();
  // Ends all streams; none is taken and no frame is handed over any more. Not within the receiver.
  void Stop();

  // What the greetings of a peer said last.
  struct Seen {
    uint32_t feature_level = 0;  // of one that was taken
    std::string refusal;         // of one that was not, since then
    bool leaving = false;        // said since then: it is about to stop
    // Refused since then for its data, which it shows to this day: whose, since when, and when
    // last, by the monotonic clock. 0: it is not.
    uint64_t other_incarnation = 0;
    absl::Duration other_since, other_last;
  };
  Seen SeenOf(raft::NodeId peer) const;
  // When NoteKnownOtherwise was called last, by the monotonic clock; never: long ago.
  absl::Duration known_otherwise_at() const;

  // ---- From streams ----
  // Where too many have not greeted yet the oldest of the address with most of them gives way: who
  // is a peer greets at once. Unavailable: stopped.
  absl::Status AddStranger(const std::shared_ptr<Incoming>& stream);
  // FailedPrecondition: nobody expects this peer. Ends the stream that it had for this lane.
  absl::StatusOr<PeerMetrics*> AddPeer(const std::shared_ptr<Incoming>& stream, const Hello& hello);
  void Remove(const std::shared_ptr<Incoming>& stream);
  void NoteLeaving(raft::NodeId peer);
  void NoteRefusal(raft::NodeId peer, const absl::Status& status);
  // It showed other data than are known of it, and is who it says as far as that is checked.
  void NoteOtherData(raft::NodeId peer, uint64_t incarnation);
  // Ends the streams of a peer: what it may say has changed.
  void EndStreamsOf(raft::NodeId peer);
  // A node of the cluster, a peer or not, knows this one with other data than it has.
  void NoteKnownOtherwise();
  void Deliver(raft::NodeId peer, std::vector<base::Bytes> frames, size_t bytes,
               std::shared_ptr<Incoming> from);
  bool Expects(raft::NodeId peer) const;
  bool IsGuest(raft::NodeId peer) const;
  bool TakeStranger(const Hello& hello);
  std::map<raft::NodeId, std::string> Addresses() const;

 private:
  using Key = std::pair<raft::NodeId, Lane>;
  std::vector<std::shared_ptr<Incoming>> All() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<std::shared_ptr<Incoming>> TakeStreamsOf(raft::NodeId peer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<Incoming> TakeOldestStranger() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::shared_ptr<const LinkWorld> world_;
  base::Loop& loop_;

  mutable base::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  StrangerHandler on_stranger_ ABSL_GUARDED_BY(mutex_);
  std::map<raft::NodeId, PeerMetrics*> peers_ ABSL_GUARDED_BY(mutex_);
  std::map<raft::NodeId, std::string> addresses_ ABSL_GUARDED_BY(mutex_);  // none of guests
  std::map<raft::NodeId, Seen> seen_ ABSL_GUARDED_BY(mutex_);
  std::list<std::shared_ptr<Incoming>> strangers_ ABSL_GUARDED_BY(mutex_);  // as they came
  absl::Duration known_otherwise_at_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  std::map<Key, std::shared_ptr<Incoming>> streams_ ABSL_GUARDED_BY(mutex_);

  base::Mutex delivery_mutex_;  // held while the receiver runs; before any other
  Receiver receiver_ ABSL_GUARDED_BY(delivery_mutex_);
};

}  // namespace slipway::eraft::link
