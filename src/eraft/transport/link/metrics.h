// Metrics of the links of one node, for each peer (spec 6.7). Thread-safe.
#pragma once

#include <vector>

#include "absl/strings/str_cat.h"
#include "base/metrics/metrics.h"
#include "raft/types.h"

namespace slipway::eraft::link {

struct PeerMetrics {
  PeerMetrics(base::Metrics& m, raft::NodeId node, raft::NodeId peer)
      : PeerMetrics(
            m, base::MetricLabels{{"node", absl::StrCat(node)}, {"peer", absl::StrCat(peer)}}) {}

  base::Histogram& rtt_seconds;
  base::Gauge& connected;
  base::Counter& sent_bytes;
  base::Counter& sent_frames;
  base::Counter& received_bytes;
  base::Counter& received_frames;
  base::Counter& dropped_frames;
  base::Counter& reconnects;

 private:
  PeerMetrics(base::Metrics& m, const base::MetricLabels& own)
      : rtt_seconds(m.AddHistogram("eraft_raft_peer_rtt_seconds",
                                   "Round trips to the peer, with what waits in front of them.",
                                   own, Buckets())),
        connected(m.AddGauge("eraft_transport_connected",
                             "1 while messages can be sent to the peer.", own)),
        sent_bytes(m.AddCounter("eraft_transport_sent_bytes_total",
                                "Bytes of messages that were sent.", own)),
        sent_frames(
            m.AddCounter("eraft_transport_sent_frames_total", "Frames that were sent.", own)),
        received_bytes(m.AddCounter("eraft_transport_received_bytes_total",
                                    "Bytes of messages that came.", own)),
        received_frames(
            m.AddCounter("eraft_transport_received_frames_total", "Frames that came.", own)),
        dropped_frames(m.AddCounter("eraft_transport_dropped_frames_total",
                                    "Frames that were refused, or given up without a connection.",
                                    own)),
        reconnects(m.AddCounter("eraft_transport_reconnects_total",
                                "Streams that were opened again after one had ended.", own)) {}

  static std::vector<double> Buckets() {
    return {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
            0.05,   0.1,     0.25,   0.5,   1,      2.5,   5};
  }
};

}  // namespace slipway::eraft::link
