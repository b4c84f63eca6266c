// base::Transport of a node in the real world: one gRPC stream for each lane to each peer, which
// sends; what comes back on it is the greeting and the echoes (E122, E123).
//
//   SLIPWAY_ASSIGN_OR_RETURN(auto transport, PeerTransport::Open(options, world));
//   listener.services.push_back(&transport->service());
//   transport->SetPeers({{2, "10.0.0.2:5001"}, {3, "10.0.0.3:5001"}});
//
// Order of the end: Stop, then the node, then the server, then this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/loop.h"
#include "base/metrics/metrics.h"
#include "base/net/call.h"
#include "base/net/grpc/server.h"
#include "base/net/tls.h"
#include "base/pool.h"
#include "base/random.h"
#include "base/status.h"
#include "base/transport.h"
#include "eraft/transport/link/incarnations.h"
#include "eraft/wal/format.h"
#include "raft/types.h"

namespace slipway::eraft {

struct PeerAddress {
  raft::NodeId id = raft::kNoNode;
  std::string address;  // "host:port"; a name is looked up again for each attempt to connect (E16)
};

struct TransportOptions {
  wal::ClusterId cluster{};
  raft::NodeId self = raft::kNoNode;
  uint64_t incarnation = 0;        // of this node's data, from IDENTITY; never 0
  uint32_t feature_level = 1;      // what this node understands
  uint32_t feature_level_min = 1;  // peers that understand less are refused
  std::string address;             // where peers reach this node; they are told it
  // Of the streams that this node opens: its own certificate, and who signs the peers'. Read again
  // for each attempt to connect. The other side is the Listener's, with its allowed_sans.
  base::net::TlsOptions tls;
  // A stream that comes without a certificate which the Listener has checked is refused. For a
  // Listener that peers share with clients who need none (client_auth `request`).
  bool certificate_required = false;
  // What this node shows of itself with each stream, as a bearer token, asked for when it is
  // opened, from any thread; and what it asks of others' streams. Null, or an empty token: nothing.
  // Never logged.
  std::function<std::string()> token;
  std::function<absl::Status(const base::net::Call&)> admit;
  // Messages go as unary calls of raftpb.RaftService, for tests and whoever looks on (E124). Both
  // ways are taken, whatever is sent.
  bool unary = false;
  // Of each queue, that is of each peer and lane.
  size_t control_frames_max = 4096;
  size_t bulk_bytes_max = 32 << 20;
};

// Borrowed; outlives the transport.
struct TransportWorld {
  base::Loop& loop;  // the node's: frames come on it, and the timer of the transport
  base::Clock& clock;
  base::Pool& pool;      // few short jobs: reads certificates, writes PEERS
  base::Random& random;  // back-off
  base::Files& files;
  base::Metrics& metrics;
  Incarnations& incarnations;
};

struct PeerStatus {
  raft::NodeId id = raft::kNoNode;
  std::string address;
  bool connected = false;  // messages can be sent; the other direction is the peer's to tell
  absl::Duration rtt;      // the last round trip; zero: none was measured
  absl::Duration rtt_p99;  // of the last 512 (E31)
  absl::Duration
      clock_difference;        // the peer's time of day less ours, as well as rtt lets it be seen
  uint32_t feature_level = 0;  // of the peer; 0: it never greeted
  std::string error;           // why there is no connection, or why the peer's greeting was refused
  uint64_t dropped_frames = 0;  // refused, or given up while there was no connection
  bool leaving = false;         // it said that it is about to stop
  // It is refused for its data, which are not those that are known of it: their incarnation, since
  // when and when last it showed them, by the monotonic clock. 0: it is not (E123).
  uint64_t other_incarnation = 0;
  absl::Duration other_since, other_last;
  bool refuses_data = false;  // it refuses this node for the same reason
  bool disowns = false;       // it says that this node is no member
};

class PeerTransport : public base::Transport {
 public:
  // InvalidArgument: options that do not make sense.
  static base::Owned<PeerTransport> Open(const TransportOptions& options,
                                         const TransportWorld& world);

  // For one Listener of a base::net::Server. Its streams do not count among `calls_max`, so that a
  // flood of other calls cannot keep a peer out (E174); they have limits of their own. The server
  // takes messages of 2 MiB at least.
  virtual base::net::Service& service() = 0;
  // Likewise: raftpb.RaftService, for peers that send by unary calls.
  virtual base::net::Service& unary_service() = 0;
  // The members but for this node, whose entry is passed over. Streams to those that are new are
  // opened; of those that are gone ended, and their incarnation is forgotten; another address is
  // connected to at once. Thread-safe.
  virtual void SetPeers(std::vector<PeerAddress> peers) = 0;
  // What the group has decided of members' data: they are those with these incarnations, whatever
  // was known of them (E416). Who is not named stays as it is; who is no peer is passed over, so it
  // is to be said again. Thread-safe.
  virtual void SetData(const std::map<raft::NodeId, uint64_t>& incarnations) = 0;
  // By id. Thread-safe.
  virtual std::vector<PeerStatus> Status() const = 0;
  // Whether a node of this cluster, which need not be a peer, has greeted within the last seconds
  // as one that knows this node with other data: those were lost (E123). Thread-safe.
  virtual bool KnownWithOtherData() const = 0;
  // Tells all peers that this node is about to stop (E195), once for all. Thread-safe.
  virtual void AnnounceLeaving() = 0;
  // Whether nodes of this cluster that are no known members are heard and answered, where they say
  // they are: a node that was away while the members changed learns from them who these are now
  // (E170). They show what members have to show: the cluster, certificate and token. Not welcome,
  // those that came go, but for `keep`; who is named by SetPeers becomes a peer. Thread-safe.
  virtual void SetGuests(bool welcome, raft::NodeId keep) = 0;
  // Ends all streams and waits for their ends. From then on nothing is sent and no frame comes, and
  // whoever calls is told UNAVAILABLE. Not from within the receiver. Idempotent.
  virtual void Stop() = 0;
};

}  // namespace slipway::eraft
