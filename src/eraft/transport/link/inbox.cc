#include "eraft/transport/link/inbox.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutant.h"
#include "base/status.h"
#include "eraft/transport/link/greeting.h"
#include "eraft/transport/link/limits.h"

namespace slipway::eraft::link {
namespace {

absl::Status StoppedError() {
  return absl::UnavailableError("take stream: the node stops; try again");
}

}  // namespace

void Inbox::Receive(Receiver receiver) {
  const base::MutexLock lock(delivery_mutex_);
  receiver_ = std::move(receiver);
}

void Inbox::SetPeers(const std::map<raft::NodeId, PeerMetrics*>& peers,
                     std::map<raft::NodeId, std::string> addresses) {
  std::vector<std::shared_ptr<Incoming>> gone;
  {
    const base::MutexLock lock(mutex_);
    peers_ = peers;
    addresses_ = std::move(addresses);
    for (auto it = streams_.begin(); it != streams_.end();) {
      if (peers_.count(it->first.first) != 0) {
        ++it;
        continue;
      }
      gone.push_back(std::move(it->second));
      it = streams_.erase(it);
    }
    for (auto it = seen_.begin(); it != seen_.end();) {
      it = peers_.count(it->first) != 0 ? std::next(it) : seen_.erase(it);
    }
  }
  for (const auto& stream : gone) {
    stream->End(absl::FailedPreconditionError("take frames: the peer is no member any more"));
  }
}

void Inbox::OnStranger(StrangerHandler handler) {
  const base::MutexLock lock(mutex_);
  on_stranger_ = std::move(handler);
}

void Inbox::AddGuest(raft::NodeId id, PeerMetrics& metrics) {
  const base::MutexLock lock(mutex_);
  peers_.emplace(id, &metrics);
}

void Inbox::DropGuest(raft::NodeId id) {
  std::vector<std::shared_ptr<Incoming>> gone;
  {
    const base::MutexLock lock(mutex_);
    if (addresses_.count(id) != 0) return;  // a member meanwhile
    peers_.erase(id);
    seen_.erase(id);
    gone = TakeStreamsOf(id);
  }
  for (const auto& stream : gone) {
    stream->End(absl::FailedPreconditionError("take frames: the peer is no known member"));
  }
}

std::vector<std::shared_ptr<Incoming>> Inbox::TakeStreamsOf(raft::NodeId peer) {
  std::vector<std::shared_ptr<Incoming>> taken;
  for (const Lane lane : {Lane::kMessages, Lane::kSnapshots}) {
    const auto found = streams_.find(Key(peer, lane));
    if (found == streams_.end()) continue;
    taken.push_back(std::move(found->second));
    streams_.erase(found);
  }
  return taken;
}

std::vector<std::shared_ptr<Incoming>> Inbox::All() const {
  std::vector<std::shared_ptr<Incoming>> all(strangers_.begin(), strangers_.end());
  for (const auto& [key, stream] : streams_) all.push_back(stream);
  return all;
}

void Inbox::Tick() {
  std::vector<std::shared_ptr<Incoming>> all;
  {
    const base::MutexLock lock(mutex_);
    all = All();
  }
  const absl::Duration now = world_->clock.Monotonic();
  for (const auto& stream : all) stream->Tick(now);
}

void Inbox::Stop() {
  std::vector<std::shared_ptr<Incoming>> all;
  {
    const base::MutexLock lock(mutex_);
    stopped_ = true;
    all = All();
  }
  for (const auto& stream : all) stream->End(StoppedError());
  const base::MutexLock lock(delivery_mutex_);
  receiver_ = nullptr;
}

Inbox::Seen Inbox::SeenOf(raft::NodeId peer) const {
  const base::MutexLock lock(mutex_);
  const auto found = seen_.find(peer);
  return found == seen_.end() ? Seen() : found->second;
}

absl::Status Inbox::AddStranger(const std::shared_ptr<Incoming>& stream) {
  std::shared_ptr<Incoming> gone;
  {
    const base::MutexLock lock(mutex_);
    if (stopped_) return StoppedError();
    if (strangers_.size() >= kStrangersMax && !SLIPWAY_MUTANT("transport-strangers-unlimited")) {
      gone = TakeOldestStranger();
    }
    strangers_.push_back(stream);
  }
  if (gone != nullptr) {
    gone->End(absl::ResourceExhaustedError(
        absl::StrCat("take stream: ", kStrangersMax, " others have not greeted yet")));
  }
  return absl::OkStatus();
}

std::shared_ptr<Incoming> Inbox::TakeOldestStranger() {
  std::map<std::string, size_t> places;
  for (const auto& stranger : strangers_) ++places[stranger->host()];
  size_t most = 0;
  for (const auto& [host, count] : places) most = std::max(most, count);
  const auto oldest = std::find_if(strangers_.begin(), strangers_.end(), [&](const auto& stranger) {
    return places[stranger->host()] == most;
  });
  std::shared_ptr<Incoming> taken = std::move(*oldest);
  strangers_.erase(oldest);
  return taken;
}

absl::StatusOr<PeerMetrics*> Inbox::AddPeer(const std::shared_ptr<Incoming>& stream,
                                            const Hello& hello) {
  std::shared_ptr<Incoming> older;
  PeerMetrics* metrics = nullptr;
  {
    const base::MutexLock lock(mutex_);
    if (stopped_) return StoppedError();
    const auto peer = peers_.find(hello.node);
    if (peer == peers_.end()) {
      return NoMember(world_->own, hello);
    }
    metrics = peer->second;
    strangers_.remove(stream);
    older = std::exchange(streams_[Key(hello.node, hello.lane)], stream);
    Seen& seen = seen_[hello.node];
    // Messages come from the beginning of a process, snapshots whenever there are some.
    const bool leaving = seen.leaving && hello.lane != Lane::kMessages;
    seen = {.feature_level = hello.feature_level, .leaving = leaving};
  }
  if (older != nullptr) {
    older->End(absl::AbortedError("take frames: the peer has opened a newer stream"));
  }
  return metrics;
}

void Inbox::Remove(const std::shared_ptr<Incoming>& stream) {
  const base::MutexLock lock(mutex_);
  strangers_.remove(stream);
  for (auto it = streams_.begin(); it != streams_.end();) {
    it = it->second == stream ? streams_.erase(it) : std::next(it);
  }
}

bool Inbox::Expects(raft::NodeId peer) const {
  const base::MutexLock lock(mutex_);
  return peers_.count(peer) != 0;
}

bool Inbox::IsGuest(raft::NodeId peer) const {
  const base::MutexLock lock(mutex_);
  return peers_.count(peer) != 0 && addresses_.count(peer) == 0;
}

bool Inbox::TakeStranger(const Hello& hello) {
  StrangerHandler handler;
  {
    const base::MutexLock lock(mutex_);
    handler = on_stranger_;
  }
  return handler && handler(hello);
}

std::map<raft::NodeId, std::string> Inbox::Addresses() const {
  const base::MutexLock lock(mutex_);
  return addresses_;
}

void Inbox::NoteLeaving(raft::NodeId peer) {
  const base::MutexLock lock(mutex_);
  if (peers_.count(peer) != 0) seen_[peer].leaving = true;
}

void Inbox::NoteRefusal(raft::NodeId peer, const absl::Status& status) {
  const base::MutexLock lock(mutex_);
  if (peers_.count(peer) != 0) seen_[peer].refusal = std::string(status.message());
}

void Inbox::NoteOtherData(raft::NodeId peer, uint64_t incarnation) {
  const absl::Duration now = world_->clock.Monotonic();
  const base::MutexLock lock(mutex_);
  if (peers_.count(peer) == 0) return;
  Seen& seen = seen_[peer];
  if (seen.other_incarnation != incarnation) seen.other_since = now;
  seen.other_incarnation = incarnation;
  seen.other_last = now;
}

void Inbox::NoteKnownOtherwise() {
  const base::MutexLock lock(mutex_);
  known_otherwise_at_ = world_->clock.Monotonic();
}

absl::Duration Inbox::known_otherwise_at() const {
  const base::MutexLock lock(mutex_);
  return known_otherwise_at_;
}

void Inbox::EndStreamsOf(raft::NodeId peer) {
  std::vector<std::shared_ptr<Incoming>> gone;
  {
    const base::MutexLock lock(mutex_);
    seen_.erase(peer);
    gone = TakeStreamsOf(peer);
  }
  for (const auto& stream : gone) {
    stream->End(absl::FailedPreconditionError("take frames: the group knows the peer anew"));
  }
}

void Inbox::Deliver(raft::NodeId peer, std::vector<base::Bytes> frames, size_t bytes,
                    std::shared_ptr<Incoming> from) {
  loop_.Post([self = shared_from_this(), peer, frames = std::move(frames), bytes,
              from = std::move(from)]() mutable {
    {
      const base::MutexLock lock(self->delivery_mutex_);
      for (base::Bytes& frame : frames) {
        if (self->receiver_ != nullptr) self->receiver_(peer, std::move(frame));
      }
    }
    from->OnHandled(bytes);
  });
}

}  // namespace slipway::eraft::link
