// Metrics of the stores (spec 7.10). Thread-safe.
#pragma once

#include "base/metrics/metrics.h"

namespace slipway::cas {

struct DiskStoreMetrics {
  explicit DiskStoreMetrics(base::Metrics& m)
      : blobs(m.AddGauge("zako_cas_blobs", "Blobs in the store.")),
        stored_bytes(m.AddGauge("zako_cas_bytes", "Bytes of the blobs, as stored and as asked for.",
                                {{"kind", "stored"}})),
        logical_bytes(m.AddGauge("zako_cas_bytes",
                                 "Bytes of the blobs, as stored and as asked for.",
                                 {{"kind", "logical"}})),
        hits(m.AddCounter("zako_cas_hits_total", "Reads of blobs that were there.",
                          {{"tier", "disk"}})),
        misses(m.AddCounter("zako_cas_misses_total", "Reads of blobs that were not there.",
                            {{"tier", "disk"}})),
        corrupt_read(Corrupt(m, "read")),
        corrupt_scrub(Corrupt(m, "scrub")),
        corrupt_size(Corrupt(m, "size")),
        quarantined(m.AddGauge("zako_cas_quarantined",
                               "Files that were set aside in quarantine/ and are still there.")),
        dedup(m.AddCounter("zako_cas_dedup_total", "Uploads of blobs that were there already.")),
        evicted(m.AddCounter("zako_cas_evicted_total", "Blobs removed, by reason.",
                             {{"reason", "gc"}})),
        evicted_bytes(
            m.AddCounter("zako_cas_evicted_bytes_total", "Bytes of blobs that were removed.")),
        read_errors(Errors(m, "read")),
        write_errors(Errors(m, "write")),
        commit_errors(Errors(m, "commit")) {}

  base::Gauge& blobs;
  base::Gauge& stored_bytes;
  base::Gauge& logical_bytes;
  base::Counter& hits;
  base::Counter& misses;
  base::Counter& corrupt_read;
  base::Counter& corrupt_scrub;
  base::Counter& corrupt_size;
  base::Gauge& quarantined;
  base::Counter& dedup;
  base::Counter& evicted;
  base::Counter& evicted_bytes;
  base::Counter& read_errors;
  base::Counter& write_errors;
  base::Counter& commit_errors;

 private:
  static base::Counter& Corrupt(base::Metrics& m, const char* where) {
    return m.AddCounter("zako_cas_corrupt_total",
                        "Blobs whose stored bytes were found wrong, by what found them.",
                        {{"where", where}});
  }
  static base::Counter& Errors(base::Metrics& m, const char* op) {
    return m.AddCounter("zako_backend_errors_total",
                        "Operations of a store that the file system refused.",
                        {{"backend", "disk"}, {"op", op}});
  }
};

}  // namespace slipway::cas
