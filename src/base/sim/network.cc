#include "base/sim/network.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace slipway::base::sim {

class Network::Endpoint : public Transport {
 public:
  Endpoint(std::shared_ptr<Network*> network, uint64_t id, base::Loop& loop,
           std::function<bool()> is_up)
      : network_(std::move(network)),
        id_(id),
        loop_(loop),
        is_up_(std::move(is_up)),
        receiver_(std::make_shared<Receiver>()) {}
  ~Endpoint() override {
    *receiver_ = nullptr;
    if (*network_ != nullptr) (*network_)->endpoints_[id_] = nullptr;
  }

  absl::Status Send(uint64_t peer, FrameClass frame_class, Bytes frame) override {
    if (*network_ == nullptr) return absl::OkStatus();
    if ((*network_)->endpoints_.count(peer) == 0) {
      return absl::NotFoundError(absl::StrCat("send to node ", peer, ": there is none"));
    }
    if (is_up_ && !is_up_()) return absl::OkStatus();
    return (*network_)->Send(id_, peer, frame_class, std::move(frame));
  }

  void Receive(absl::AnyInvocable<void(uint64_t, Bytes)> receiver) override {
    *receiver_ = std::move(receiver);
  }

  void Deliver(uint64_t from, std::shared_ptr<const Bytes> frame) {
    loop_.Post([receiver = receiver_, from, frame = std::move(frame)] {
      if (*receiver) (*receiver)(from, *frame);
    });
  }

 private:
  using Receiver = absl::AnyInvocable<void(uint64_t, Bytes)>;
  const std::shared_ptr<Network*> network_;
  const uint64_t id_;
  base::Loop& loop_;
  const std::function<bool()> is_up_;
  const std::shared_ptr<Receiver> receiver_;
};

Network::Network(uint64_t seed, base::Loop& loop, base::Clock& clock)
    : loop_(loop), clock_(clock), choices_(seed), self_(std::make_shared<Network*>(this)) {}

Network::~Network() { *self_ = nullptr; }

std::unique_ptr<Transport> Network::Attach(uint64_t id, base::Loop& loop,
                                           std::function<bool()> is_up) {
  Endpoint*& place = endpoints_[id];
  SLIPWAY_CHECK(place == nullptr);
  auto endpoint = std::make_unique<Endpoint>(self_, id, loop, std::move(is_up));
  place = endpoint.get();
  return endpoint;
}

Network::Flow& Network::FlowOf(uint64_t from, uint64_t to) {
  const auto [found, added] = flows_.try_emplace(Pair(from, to));
  if (added) found->second.link = default_;
  return found->second;
}

void Network::SetDefault(Link link) {
  default_ = link;
  for (auto& [pair, flow] : flows_) {
    if (!flow.own) flow.link = default_;
  }
}

Link& Network::At(uint64_t from, uint64_t to) {
  Flow& flow = FlowOf(from, to);
  flow.own = true;
  return flow.link;
}

void Network::Cut(uint64_t a, uint64_t b, bool cut) {
  At(a, b).cut = cut;
  At(b, a).cut = cut;
}

void Network::Heal() {
  for (auto& [pair, flow] : flows_) {
    flow.own = false;
    flow.link = default_;
  }
}

absl::Status Network::Send(uint64_t from, uint64_t to, FrameClass frame_class, Bytes frame) {
  Flow& flow = FlowOf(from, to);
  const Link& link = flow.link;
  const bool full = flow.bulk_frames >= link.bulk_frames_max ||
                    (flow.bulk_frames > 0 && flow.bulk_bytes + frame.size() > link.bulk_bytes_max);
  if (frame_class != FrameClass::kControl && full) {
    ++counts_.refused;
    return absl::ResourceExhaustedError(
        absl::StrCat("send to node ", to, ": ", flow.bulk_frames, " frames wait; send less"));
  }
  ++counts_.sent;
  if (link.cut || choices_.Chance(link.drop_percent)) {
    ++counts_.dropped;
    if (link.cut) ++counts_.cut;
    return absl::OkStatus();
  }
  const auto shared = std::make_shared<const Bytes>(std::move(frame));
  const bool twice = choices_.Chance(link.duplicate_percent);
  ++flow.sent;
  Carry(Pair(from, to), frame_class, shared);
  if (twice) {
    ++counts_.duplicated;
    Carry(Pair(from, to), frame_class, shared);
  }
  return absl::OkStatus();
}

absl::Duration Network::DelayOf(Flow& flow, size_t bytes) {
  const Link& link = flow.link;
  const auto between = [this](absl::Duration min, absl::Duration max) {
    const int64_t spread = std::max<int64_t>(1, absl::ToInt64Nanoseconds(max - min));
    return min +
           absl::Nanoseconds(static_cast<int64_t>(choices_.Next() % static_cast<uint64_t>(spread)));
  };
  const absl::Duration now = clock_.Monotonic();
  if (choices_.Chance(link.late_percent)) return between(link.delay_min, link.late_max);
  absl::Duration at = now + between(link.delay_min, link.delay_max);
  if (link.bytes_per_second > 0) {
    flow.free_at =
        std::max(flow.free_at, now) +
        absl::Seconds(static_cast<double>(bytes) / static_cast<double>(link.bytes_per_second));
    at += flow.free_at - now;
  }
  if (link.ordered) {
    at = std::max(at, flow.last_delivery + absl::Nanoseconds(1));
    flow.last_delivery = at;
  }
  return at - now;
}

void Network::Carry(const Pair& pair, FrameClass frame_class, std::shared_ptr<const Bytes> frame) {
  Flow& flow = FlowOf(pair.first, pair.second);
  if (frame_class != FrameClass::kControl) {
    ++flow.bulk_frames;
    flow.bulk_bytes += frame->size();
  } else {
    counts_.control_frames_most = std::max(counts_.control_frames_most, ++flow.control_frames);
  }
  const absl::Duration delay = DelayOf(flow, frame->size());
  loop_.After(delay,
              [self = self_, pair, frame_class, number = flow.sent, frame = std::move(frame)] {
                if (*self != nullptr) (*self)->Arrive(pair, frame_class, number, frame);
              });
}

void Network::Arrive(const Pair& pair, FrameClass frame_class, uint64_t number,
                     const std::shared_ptr<const Bytes>& frame) {
  Flow& flow = FlowOf(pair.first, pair.second);
  if (frame_class != FrameClass::kControl) {
    --flow.bulk_frames;
    flow.bulk_bytes -= frame->size();
  } else {
    --flow.control_frames;
  }
  Endpoint* const endpoint = endpoints_[pair.second];
  if (flow.link.cut || endpoint == nullptr) {
    ++counts_.dropped;
    if (flow.link.cut) ++counts_.cut;
    return;
  }
  ++counts_.delivered;
  if (number < flow.newest_arrived) ++counts_.overtaken;
  flow.newest_arrived = std::max(flow.newest_arrived, number);
  if (tap_) tap_(pair.first, pair.second, *frame);
  endpoint->Deliver(pair.first, frame);
}

}  // namespace slipway::base::sim
