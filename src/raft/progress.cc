#include "raft/progress.h"

#include <algorithm>
#include <utility>

namespace slipway::raft {

void Inflights::Add(Index last, uint64_t bytes) {
  if (count_ == ring_.size()) {
    std::vector<Sent> larger(std::max<size_t>(8, ring_.size() * 2));
    for (size_t i = 0; i < count_; ++i) larger[i] = ring_[(head_ + i) & (ring_.size() - 1)];
    ring_ = std::move(larger);
    head_ = 0;
  }
  ring_[(head_ + count_) & (ring_.size() - 1)] = {last, bytes};
  ++count_;
  bytes_ += bytes;
}

void Inflights::FreeTo(Index index) {
  while (count_ > 0 && ring_[head_].last <= index) {
    bytes_ -= ring_[head_].bytes;
    head_ = (head_ + 1) & (ring_.size() - 1);
    --count_;
  }
}

void Inflights::Clear() {
  head_ = 0;
  count_ = 0;
  bytes_ = 0;
}

void Progress::BecomeProbe(Index next_index) {
  state = PeerProgress::State::kProbe;
  next = next_index;
  reading = 0;
  probe_sent = false;
  snapshot_due = false;
  inflights.Clear();
}

void Progress::BecomeReplicate() {
  state = PeerProgress::State::kReplicate;
  next = match + 1;
  reading = 0;
  probe_sent = false;
  snapshot_due = false;
  inflights.Clear();
}

void Progress::BecomeSnapshot() {
  state = PeerProgress::State::kSnapshot;
  reading = 0;
  snapshot_due = true;
  inflights.Clear();
}

bool Progress::Paused(const Options& options) const {
  if (reading != 0) return true;
  switch (state) {
    case PeerProgress::State::kProbe:
      return probe_sent;
    case PeerProgress::State::kReplicate:
      return inflights.count() >= static_cast<size_t>(options.inflight_messages_max) ||
             inflights.bytes() >= options.inflight_bytes_max;
    case PeerProgress::State::kSnapshot:
      return true;
  }
  return true;
}

bool Progress::Acknowledge(Index index) {
  const bool rose = index > match;
  match = std::max(match, index);
  next = std::max(next, index + 1);
  inflights.FreeTo(index);
  if (state == PeerProgress::State::kProbe) {
    probe_sent = false;
    // Below `match` it is late, or of a peer that lost its tail and is filled again: probe on.
    if (index >= match) BecomeReplicate();
  }
  return rose;
}

bool Progress::Refuse(Index refused, Index resume) {
  switch (state) {
    case PeerProgress::State::kReplicate:
      if (refused <= match) return false;  // late: it holds that place by now
      BecomeProbe(std::max(resume, match + 1));
      return true;
    case PeerProgress::State::kProbe:
      if (refused != next - 1) return false;
      // A peer that refuses even what it acknowledged has lost it. It is sent again, so that each
      // refusal makes progress, while `match` stays: it counts for what was once durable (E69).
      BecomeProbe(refused <= match ? resume : std::max(resume, match + 1));
      return true;
    case PeerProgress::State::kSnapshot:
      return false;
  }
  return false;
}

}  // namespace slipway::raft
