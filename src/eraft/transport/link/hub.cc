#include "eraft/transport/link/hub.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log/log.h"
#include "eraft/transport/link/limits.h"

namespace slipway::eraft::link {

Hub::Hub(std::shared_ptr<const LinkWorld> world, base::Loop& loop, base::Metrics& metrics)
    : world_(std::move(world)),
      inbox_(std::make_shared<Inbox>(world_, loop)),
      loop_(loop),
      registry_(metrics) {}

void Hub::Start() {
  inbox_->OnStranger([weak = weak_from_this()](const Hello& hello) {
    const std::shared_ptr<Hub> self = weak.lock();
    return self != nullptr && self->TakeGuest(hello);
  });
  loop_.Post([self = shared_from_this()] { self->ArmTimer(); });
}

// Once the hub is stopped the timer runs out; until then it keeps the hub.
void Hub::ArmTimer() {
  {
    const base::MutexLock lock(mutex_);
    if (stopped_) return;
  }
  loop_.After(kTick, [self = shared_from_this()] {
    self->Tick();
    self->ArmTimer();
  });
}

void Hub::Tick() {
  std::vector<std::shared_ptr<Outgoing>> lanes;
  {
    const base::MutexLock lock(mutex_);
    if (stopped_) return;
    for (const auto& [id, links] : peers_) {
      lanes.insert(lanes.end(), links.lanes.begin(), links.lanes.end());
    }
  }
  for (const auto& lane : lanes) lane->Tick();
  inbox_->Tick();
}

absl::Status Hub::Send(raft::NodeId peer, base::FrameClass frame_class, base::Bytes frame) {
  const Lane lane = frame_class == base::FrameClass::kSnapshot ? Lane::kSnapshots : Lane::kMessages;
  std::shared_ptr<Outgoing> link;
  {
    const base::MutexLock lock(mutex_);
    const auto found = peers_.find(peer);
    if (found == peers_.end()) {
      return absl::NotFoundError(absl::StrCat("send frame to node ", peer, ": no such peer"));
    }
    link = found->second.lanes[static_cast<size_t>(lane)];
  }
  return link->Send(frame_class, std::move(frame));
}

PeerMetrics& Hub::MetricsOf(raft::NodeId peer) {
  std::unique_ptr<PeerMetrics>& metrics = metrics_[peer];
  if (metrics == nullptr) {
    metrics = std::make_unique<PeerMetrics>(registry_, world_->own.self, peer);
  }
  return *metrics;
}

Hub::Links Hub::MakeLinks(raft::NodeId id, const std::string& address, PeerMetrics& metrics,
                          bool guest) {
  Links links{.metrics = &metrics, .guest = guest};
  for (const Lane lane : {Lane::kMessages, Lane::kSnapshots}) {
    links.lanes[static_cast<size_t>(lane)] =
        std::make_shared<Outgoing>(world_, id, lane, address, metrics, !guest);
  }
  return links;
}

void Hub::SetPeers(std::map<raft::NodeId, std::string> peers) {
  peers.erase(world_->own.self);
  const base::MutexLock change_lock(change_mutex_);
  std::map<raft::NodeId, Links> gone;
  std::vector<Links> guests;  // who are members now
  std::vector<std::pair<std::shared_ptr<Outgoing>, std::string>> kept;
  std::map<raft::NodeId, PeerMetrics*> expected;
  {
    const base::MutexLock lock(mutex_);
    if (stopped_) return;
    for (auto it = peers_.begin(); it != peers_.end();) {
      const bool member = peers.count(it->first) != 0;
      if (member != it->second.guest) {
        expected[it->first] = it->second.metrics;
        ++it;
        continue;
      }
      member ? guests.push_back(it->second) : void(gone.insert(*it));
      it = peers_.erase(it);
    }
    for (const auto& [id, address] : peers) {
      const auto found = peers_.find(id);
      if (found != peers_.end()) {
        for (const auto& link : found->second.lanes) kept.emplace_back(link, address);
        continue;
      }
      PeerMetrics& metrics = MetricsOf(id);
      expected[id] = &metrics;
      peers_[id] = MakeLinks(id, address, metrics, /*guest=*/false);
    }
  }
  peers[world_->own.self] = world_->own.address;
  inbox_->SetPeers(expected, std::move(peers));
  for (const auto& [link, address] : kept) link->SetAddress(address);
  for (const Links& links : guests) {
    for (const auto& link : links.lanes) link->Stop();
  }
  for (const auto& [id, links] : gone) {
    for (const auto& link : links.lanes) link->Stop();
    Forget(id);
  }
  Tick();
}

// From a stream. All guests count together: their ids are their own word.
bool Hub::TakeGuest(const Hello& hello) {
  const base::MutexLock lock(mutex_);
  if (stopped_ || !welcome_ || hello.address.empty()) return false;
  const auto guests = std::count_if(peers_.begin(), peers_.end(),
                                    [](const auto& peer) { return peer.second.guest; });
  if (peers_.count(hello.node) == 0) {
    if (static_cast<size_t>(guests) >= kGuestsMax) return false;
    peers_[hello.node] =
        MakeLinks(hello.node, hello.address, MetricsOf(raft::kNoNode), /*guest=*/true);
    SLIPWAY_LOG(kWarn, "a node that is no known member is heard while no leader is known",
                {{"node", hello.node}, {"address", hello.address}});
  }
  inbox_->AddGuest(hello.node, *peers_[hello.node].metrics);
  return true;
}

void Hub::SetGuests(bool welcome, raft::NodeId keep) {
  std::map<raft::NodeId, Links> gone;
  {
    const base::MutexLock lock(mutex_);
    welcome_ = welcome;
    if (welcome) return;
    for (auto it = peers_.begin(); it != peers_.end();) {
      const bool goes = it->second.guest && it->first != keep;
      if (goes) gone.insert(*it);
      it = goes ? peers_.erase(it) : std::next(it);
    }
  }
  for (const auto& [id, links] : gone) {
    for (const auto& link : links.lanes) link->Stop();
    inbox_->DropGuest(id);
  }
}

void Hub::Forget(raft::NodeId peer) {
  const auto forget = [](Incarnations& incarnations, raft::NodeId id) {
    const absl::Status status = incarnations.Forget(id);
    if (status.ok()) return;
    SLIPWAY_LOG(kError, "a removed member's data are still remembered",
                {{"peer", id}, {"reason", std::string(status.message())}});
  };
  const absl::Status submitted = world_->Submit(
      [forget, &incarnations = world_->incarnations, peer] { forget(incarnations, peer); });
  if (!submitted.ok()) forget(world_->incarnations, peer);  // rare, and it must not be lost
}

void Hub::SetData(const std::map<raft::NodeId, uint64_t>& incarnations) {
  for (const auto& [id, incarnation] : incarnations) {
    if (!IsPeer(id) || world_->incarnations.Get(id) == incarnation) continue;
    const absl::Status submitted =
        world_->Submit([self = shared_from_this(), id = id, incarnation = incarnation] {
          self->TakeData(id, incarnation);
        });
    if (!submitted.ok()) TakeData(id, incarnation);
  }
}

bool Hub::IsPeer(raft::NodeId peer) const {
  const base::MutexLock lock(mutex_);
  const auto found = peers_.find(peer);
  return !stopped_ && found != peers_.end() && !found->second.guest;
}

// On the pool. Durable before its first frame is taken, as with a peer that is met.
void Hub::TakeData(raft::NodeId peer, uint64_t incarnation) {
  if (world_->incarnations.Get(peer) == incarnation) return;  // said twice
  const absl::Status replaced = world_->incarnations.Replace(peer, incarnation);
  if (!replaced.ok()) {
    SLIPWAY_LOG(kError, "a member's new data are not remembered; it stays refused here",
                {{"peer", peer}, {"reason", std::string(replaced.message())}});
    return;
  }
  // It was removed meanwhile: what was forgotten stays so.
  if (!IsPeer(peer)) return world_->incarnations.Forget(peer).IgnoreError();
  SLIPWAY_LOG(kInfo, "a member is known with new data from now on", {{"peer", peer}});
  // What speaks, or is spoken to, with the data from before.
  inbox_->EndStreamsOf(peer);
  Links links;
  {
    const base::MutexLock lock(mutex_);
    const auto found = peers_.find(peer);
    if (found == peers_.end()) return;
    links = found->second;
  }
  for (const auto& link : links.lanes) link->Renew();
}

std::vector<Hub::Peer> Hub::Status() const {
  std::map<raft::NodeId, Links> peers;
  {
    const base::MutexLock lock(mutex_);
    peers = peers_;
  }
  std::vector<Peer> result;
  result.reserve(peers.size());
  for (const auto& [id, links] : peers) {
    result.push_back({.id = id,
                      .messages = links.lanes[0]->status(),
                      .snapshots = links.lanes[1]->status(),
                      .seen = inbox_->SeenOf(id)});
  }
  return result;
}

void Hub::AnnounceLeaving() {
  world_->leaving->store(true);
  std::vector<std::shared_ptr<Outgoing>> lanes;
  {
    const base::MutexLock lock(mutex_);
    for (const auto& [id, links] : peers_) {
      lanes.push_back(links.lanes[static_cast<size_t>(Lane::kMessages)]);
    }
  }
  for (const auto& lane : lanes) lane->Announce();
}

void Hub::Stop() {
  const base::MutexLock change_lock(change_mutex_);
  std::map<raft::NodeId, Links> peers;
  {
    const base::MutexLock lock(mutex_);
    stopped_ = true;
    peers.swap(peers_);
  }
  for (const auto& [id, links] : peers) {
    for (const auto& link : links.lanes) link->Stop();
  }
  inbox_->Stop();
  Running(world_->running).WaitNone(world_->pool);
}

}  // namespace slipway::eraft::link
