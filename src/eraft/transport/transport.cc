#include "eraft/transport/transport.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "eraft/transport/grpc_streams.h"
#include "eraft/transport/link/greeting.h"
#include "eraft/transport/link/hub.h"
#include "eraft/transport/link/limits.h"

namespace slipway::eraft {
namespace {

// Who is refused greets again within a second or two.
constexpr absl::Duration kKnownLately = absl::Seconds(5);

absl::Status Check(const TransportOptions& options) {
  const auto refuse = [](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("open transport: ", why));
  };
  if (options.self == raft::kNoNode) return refuse("the node has no id");
  if (options.incarnation == 0) return refuse("the node's data have no incarnation");
  if (options.feature_level < options.feature_level_min || options.feature_level == 0) {
    return refuse("the node understands less than it asks of its peers");
  }
  if (options.address.size() > link::kAddressBytesMax) {
    return refuse(absl::StrCat("an address has at most ", link::kAddressBytesMax, " bytes"));
  }
  if (options.control_frames_max == 0 || options.bulk_bytes_max == 0) {
    return refuse("a queue without room");
  }
  return absl::OkStatus();
}

// Both of its greetings say it; after a change of its version one of them is old. The lower one is
// the careful answer.
uint32_t LevelOf(const link::Hub::Peer& peer) {
  const uint32_t ours = peer.messages.feature_level, theirs = peer.seen.feature_level;
  return ours == 0 || theirs == 0 ? std::max(ours, theirs) : std::min(ours, theirs);
}

class GrpcTransport final : public PeerTransport {
 public:
  GrpcTransport(const std::shared_ptr<const link::LinkWorld>& links, const TransportWorld& world,
                Admit admit)
      : self_(links->own.self),
        clock_(world.clock),
        hub_(std::make_shared<link::Hub>(links, world.loop, world.metrics)),
        service_(MakeTransportService(hub_->inbox(), links->running, admit)),
        unary_service_(
            MakeUnaryService({hub_->inbox(), world.loop, links->running, std::move(admit)})) {
    hub_->Start();
  }
  ~GrpcTransport() override { hub_->Stop(); }

  absl::Status Send(uint64_t peer, base::FrameClass frame_class, base::Bytes frame) override {
    return hub_->Send(peer, frame_class, std::move(frame));
  }
  void Receive(absl::AnyInvocable<void(uint64_t peer, base::Bytes frame)> receiver) override {
    hub_->inbox()->Receive(std::move(receiver));
  }
  base::net::Service& service() override { return *service_; }
  base::net::Service& unary_service() override { return *unary_service_; }

  void SetPeers(std::vector<PeerAddress> peers) override {
    std::map<raft::NodeId, std::string> addresses;
    for (PeerAddress& peer : peers) addresses[peer.id] = std::move(peer.address);
    hub_->SetPeers(std::move(addresses));
  }

  void SetData(const std::map<raft::NodeId, uint64_t>& incarnations) override {
    hub_->SetData(incarnations);
  }

  std::vector<PeerStatus> Status() const override {
    std::vector<link::Hub::Peer> peers = hub_->Status();
    std::vector<PeerStatus> result;
    result.reserve(peers.size());
    for (link::Hub::Peer& peer : peers) {
      const bool told = !peer.messages.error.empty();
      const bool refuses = link::IsRefusalOfData(peer.messages.error, self_);
      const bool disowns = link::IsNoMember(peer.messages.error, self_);
      result.push_back({.id = peer.id,
                        .address = std::move(peer.messages.address),
                        .connected = peer.messages.open,
                        .rtt = peer.messages.rtt,
                        .rtt_p99 = peer.messages.rtt_p99,
                        .clock_difference = peer.messages.clock_difference,
                        .feature_level = LevelOf(peer),
                        .error = std::move(told ? peer.messages.error : peer.seen.refusal),
                        .dropped_frames = peer.messages.dropped + peer.snapshots.dropped,
                        .leaving = peer.seen.leaving,
                        .other_incarnation = peer.seen.other_incarnation,
                        .other_since = peer.seen.other_since,
                        .other_last = peer.seen.other_last,
                        .refuses_data = refuses,
                        .disowns = disowns});
      if (result.back().error.empty()) result.back().error = std::move(peer.snapshots.error);
    }
    return result;
  }

  bool KnownWithOtherData() const override {
    return clock_.Monotonic() - hub_->inbox()->known_otherwise_at() <= kKnownLately;
  }
  void AnnounceLeaving() override { hub_->AnnounceLeaving(); }
  void SetGuests(bool welcome, raft::NodeId keep) override { hub_->SetGuests(welcome, keep); }
  void Stop() override { hub_->Stop(); }

 private:
  const raft::NodeId self_;
  base::Clock& clock_;
  const std::shared_ptr<link::Hub> hub_;
  const std::unique_ptr<base::net::Service> service_, unary_service_;
};

std::unique_ptr<link::Dialer> MakeDialer(const TransportOptions& options,
                                         const TransportWorld& world,
                                         const link::Running& running) {
  if (!options.unary) {
    return MakeGrpcDialer(options.tls, options.token, world.files, world.clock, running);
  }
  return MakeUnaryDialer(
      {options.tls, options.token, world.files, world.clock, world.random, running});
}

}  // namespace

base::Owned<PeerTransport> PeerTransport::Open(const TransportOptions& options,
                                               const TransportWorld& world) {
  SLIPWAY_RETURN_IF_ERROR(Check(options));
  const link::Running running;
  auto links = std::make_shared<const link::LinkWorld>(
      link::LinkWorld{.own = {.cluster = options.cluster,
                              .self = options.self,
                              .incarnation = options.incarnation,
                              .feature_level = options.feature_level,
                              .feature_level_min = options.feature_level_min,
                              .address = options.address},
                      .limits = {.control_frames_max = options.control_frames_max,
                                 .bulk_bytes_max = options.bulk_bytes_max},
                      .clock = world.clock,
                      .pool = world.pool,
                      .random = world.random,
                      .incarnations = world.incarnations,
                      .dialer = MakeDialer(options, world, running),
                      .teller = std::make_shared<link::Teller>(world.clock),
                      .running = running});
  Admit admit = [required = options.certificate_required,
                 admit = options.admit](const base::net::Call& caller) -> absl::Status {
    if (required && caller.subject.empty()) {
      return absl::UnauthenticatedError(
          "take stream: a node shows a certificate; set its peer TLS, or TLS, certificate and key");
    }
    return admit ? admit(caller) : absl::OkStatus();
  };
  return std::make_unique<GrpcTransport>(links, world, std::move(admit));
}

}  // namespace slipway::eraft
