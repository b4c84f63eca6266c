// What settings come to that leave something to the program (E33, E34).
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/units.h"
#include "eraft/service/config.h"

namespace slipway::eraft {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

absl::string_view NameOf(Compression compression) {
  switch (compression) {
    case Compression::kNone:
      return "none";
    case Compression::kSnappy:
      return "snappy";
    case Compression::kLz4:
      return "lz4";
    case Compression::kZstd:
      return "zstd";
  }
  return "none";
}

std::string RateOf(uint64_t bytes) { return bytes == 0 ? "unlimited" : base::FormatSize(bytes); }

void AddEngine(const KvServerConfig& config, Settings& settings,
               std::vector<std::string>* warnings) {
  const RocksDbOptions& storage = config.storage;
  settings.emplace_back("engine", EngineKindName(config.engine));
  if (config.engine == EngineKind::kMemory) return;
  const bool level = config.engine == EngineKind::kLevelDb;
  const bool plain = storage.compression == Compression::kNone;
  settings.emplace_back("block_cache", base::FormatSize(storage.block_cache_bytes));
  settings.emplace_back("write_buffer", base::FormatSize(storage.write_buffer_bytes));
  settings.emplace_back("bloom_bits", absl::StrCat(storage.bloom_bits));
  settings.emplace_back("compression",
                        level && !plain ? "snappy" : std::string(NameOf(storage.compression)));
  settings.emplace_back("engine_threads", absl::StrCat(level ? 1 : storage.threads));
  settings.emplace_back("engine_rate_limit",
                        level ? "unlimited" : RateOf(storage.rate_limit_bytes));
  const RocksDbOptions defaults;
  if (level && (storage.rate_limit_bytes != 0 || storage.threads != defaults.threads)) {
    warnings->push_back(
        "leveldb has one thread of its own and no limit of its writes: --engine-threads and "
        "--engine-rate-limit are for rocksdb");
  }
}

}  // namespace

int ApplyWorkersOf(const KvServerConfig& config, int cores) {
  return config.apply_workers > 0 ? config.apply_workers : std::max(2, cores);
}

Settings EffectiveSettings(const KvServerConfig& config, int cores,
                           std::vector<std::string>* warnings) {
  Settings settings;
  AddEngine(config, settings, warnings);
  settings.emplace_back("apply_workers", absl::StrCat(ApplyWorkersOf(config, cores)));
  // The protocol of one group is one thread's; a second one would have nothing to do (E121).
  settings.emplace_back("raft_workers", "1");
  if (config.raft_workers > 1) {
    warnings->push_back("one group has one thread of the protocol: --raft-workers counts as 1");
  }
  settings.emplace_back("grpc_threads", "gRPC's own");
  if (config.grpc_threads > 0) {
    warnings->push_back(
        "gRPC has threads of its own, as many as it finds cores for: --grpc-threads does not "
        "count");
  }
  settings.emplace_back("wal_segment", base::FormatSize(config.wal_segment));
  // Two segments in use and two spares; the engine's files come on top.
  constexpr uint64_t kSegmentsKept = 4;
  if (config.quota_bytes > 0 && config.quota_bytes < kSegmentsKept * config.wal_segment) {
    warnings->push_back(absl::StrCat("--quota-bytes ", base::FormatSize(config.quota_bytes),
                                     " is less than the log alone takes, ",
                                     base::FormatSize(kSegmentsKept * config.wal_segment), " in ",
                                     kSegmentsKept,
                                     " segments: writes but deletes will be refused for good; "
                                     "raise it, or lower --wal-segment"));
  }
  settings.emplace_back("wal_linger", base::FormatGoDuration(config.wal_linger));
  settings.emplace_back("wal_direct", "false");
  if (config.wal_direct) {
    warnings->push_back(
        "the log is written through the system's cache, and synced: --wal-direct does not count");
  }
  return settings;
}

}  // namespace slipway::eraft
