// Metrics of the write-ahead log (spec 6.7). Thread-safe.
#pragma once

#include "base/metrics/metrics.h"

namespace slipway::eraft::wal {

struct WalMetrics {
  explicit WalMetrics(base::Metrics& m)
      : fsync_seconds(m.AddHistogram(
            "eraft_wal_fsync_seconds", "Syncs of the write-ahead log, one for each batch.", {},
            {.00005, .0001, .0002, .0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5})),
        batch_records(m.AddHistogram("eraft_wal_batch_records", "Records that one sync carried.",
                                     {}, {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096})),
        batch_bytes(m.AddHistogram("eraft_wal_batch_bytes", "Bytes that one sync carried.", {},
                                   {256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304})),
        bytes(m.AddGauge("eraft_wal_bytes", "Bytes of all segment files.")),
        segments(m.AddGauge("eraft_wal_segments", "Segment files in use.")),
        write_errors(Errors(m, "write")),
        sync_errors(Errors(m, "sync")),
        space_errors(Errors(m, "space")),
        read_errors(Errors(m, "read")) {}

  base::Histogram& fsync_seconds;
  base::Histogram& batch_records;
  base::Histogram& batch_bytes;
  base::Gauge& bytes;
  base::Gauge& segments;
  base::Counter& write_errors;
  base::Counter& sync_errors;
  base::Counter& space_errors;
  base::Counter& read_errors;

 private:
  static base::Counter& Errors(base::Metrics& m, const char* kind) {
    return m.AddCounter("eraft_wal_errors_total",
                        "What the log could not do. A write or a sync stops the node.",
                        {{"kind", kind}});
  }
};

}  // namespace slipway::eraft::wal
