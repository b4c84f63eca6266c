// Metrics of one group of a node (spec 6.7). Thread-safe.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "base/metrics/metrics.h"
#include "raft/types.h"

namespace slipway::eraft {

struct GroupMetrics {
  GroupMetrics(base::Metrics& m, raft::NodeId node, raft::GroupId group)
      : GroupMetrics(
            m, base::MetricLabels{{"node", absl::StrCat(node)}, {"group", absl::StrCat(group)}}) {}

  base::Gauge& term;
  base::Gauge& has_leader;
  base::Gauge& is_leader;
  base::Gauge& commit_index;
  base::Gauge& applied_index;
  base::Gauge& proposals_pending;
  base::Counter& leader_changes;
  base::Counter& proposals_ok;
  base::Counter& proposals_not_executed;
  base::Counter& proposals_unknown;
  base::Histogram& proposal_seconds;
  base::Histogram& readindex_seconds;
  base::Counter& lease_reads;
  base::Counter& snapshots_taken;
  base::Counter& snapshots_take_failed;
  base::Counter& snapshots_sent;
  base::Counter& snapshots_send_failed;
  base::Counter& snapshots_received;
  base::Counter& snapshots_receive_failed;
  base::Counter& snapshot_bytes;
  base::Counter& messages_refused;
  base::Counter& appends_dropped;
  base::Counter& apply_held;

 private:
  using Labels = base::MetricLabels;
  GroupMetrics(base::Metrics& m, const Labels& own)
      : term(m.AddGauge("eraft_raft_term", "Current term of the group.", own)),
        has_leader(m.AddGauge("eraft_raft_has_leader", "1 while a leader is known.", own)),
        is_leader(m.AddGauge("eraft_raft_is_leader", "1 while this node leads.", own)),
        commit_index(m.AddGauge("eraft_raft_commit_index", "Newest committed entry.", own)),
        applied_index(m.AddGauge("eraft_raft_applied_index", "Newest applied entry.", own)),
        proposals_pending(
            m.AddGauge("eraft_raft_proposals_pending", "Commands without an outcome.", own)),
        leader_changes(m.AddCounter("eraft_raft_leader_changes_total",
                                    "Times that another leader was seen.", own)),
        proposals_ok(Proposals(m, own, "ok")),
        proposals_not_executed(Proposals(m, own, "not_executed")),
        proposals_unknown(Proposals(m, own, "unknown")),
        proposal_seconds(m.AddHistogram("eraft_raft_proposal_seconds",
                                        "From a command's arrival to its outcome.", own)),
        readindex_seconds(m.AddHistogram("eraft_raft_readindex_seconds",
                                         "From a linearizable read's arrival to its answer.", own)),
        lease_reads(m.AddCounter("eraft_raft_lease_reads_total",
                                 "Reads that a leader's lease answered.", own)),
        snapshots_taken(Snapshots(m, own, "take", "ok")),
        snapshots_take_failed(Snapshots(m, own, "take", "error")),
        snapshots_sent(Snapshots(m, own, "send", "ok")),
        snapshots_send_failed(Snapshots(m, own, "send", "error")),
        snapshots_received(Snapshots(m, own, "receive", "ok")),
        snapshots_receive_failed(Snapshots(m, own, "receive", "error")),
        snapshot_bytes(m.AddCounter("eraft_raft_snapshot_bytes_total",
                                    "Bytes of snapshots that were sent.", own)),
        messages_refused(m.AddCounter("eraft_raft_messages_refused_total",
                                      "Messages that made no sense for the group.", own)),
        appends_dropped(m.AddCounter("eraft_raft_appends_dropped_total",
                                     "Appends not taken because too much was not yet applied.",
                                     own)),
        apply_held(m.AddCounter("eraft_raft_apply_held_total",
                                "Times that entries waited for room on the engine's disk.", own)) {}

  static Labels With(Labels labels, const char* name, const char* value) {
    labels.emplace_back(name, value);
    return labels;
  }
  static base::Counter& Proposals(base::Metrics& m, const Labels& own, const char* result) {
    return m.AddCounter("eraft_raft_proposals_total", "Commands, by what became of them.",
                        With(own, "result", result));
  }
  static base::Counter& Snapshots(base::Metrics& m, const Labels& own, const char* dir,
                                  const char* result) {
    return m.AddCounter("eraft_raft_snapshots_total", "Snapshots taken, sent and received.",
                        With(With(own, "dir", dir), "result", result));
  }
};

}  // namespace slipway::eraft
