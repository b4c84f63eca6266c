// A zako CAS server as a BlobStore, and its administration. No gRPC include here. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/config/secret.h"
#include "base/net/grpc/channel.h"
#include "base/random.h"
#include "base/status.h"
#include "cas/blob_store.h"
#include "cas/digest.h"

namespace slipway::cas {

struct RemoteOptions {
  base::net::ChannelOptions channel;                 // of the CAS service
  base::Secret token;                                // authorization: Bearer …; empty: none
  absl::Duration call_timeout = absl::Seconds(30);   // of one answer
  absl::Duration stall_timeout = absl::Seconds(60);  // of a stream without a byte
  int attempts = 4;                                  // UNAVAILABLE, RESOURCE_EXHAUSTED; jitter
  size_t chunk_bytes = 1 << 20;
};

class RemoteStore : public BlobStore {
 public:
  // Of `digests`, those that are missing there, in their order without duplicates (Z4).
  virtual absl::StatusOr<std::vector<Digest>> Missing(absl::Span<const Digest> digests) = 0;
  virtual int recommended_concurrency() = 0;
};

// Connects on first use; the transport is found by GetTransportDetails (Z6, Z10, Z11).
base::Owned<RemoteStore> OpenRemoteStore(const RemoteOptions& options, base::Files& files,
                                         base::Clock& clock, base::Random& random);

struct RemoteStats {
  uint64_t blobs = 0, bytes = 0, max_bytes = 0, uptime_s = 0;
  std::string version;
};
struct RemoteStat {
  bool present = false;
  uint64_t stored_bytes = 0;
  int64_t created_unix = 0, last_access_unix = 0;
};
struct GcProgress {
  uint64_t scanned = 0, removed_blobs = 0, removed_bytes = 0;
};
struct ScrubProgress {
  uint64_t blobs = 0, bytes = 0;
  std::vector<Digest> corrupt;
};

class CasAdmin {
 public:
  virtual ~CasAdmin() = default;
  virtual absl::StatusOr<RemoteStats> Stats() = 0;
  virtual absl::StatusOr<RemoteStat> Stat(const Digest& digest) = 0;
  struct Page {
    std::vector<Digest> digests;
    std::string next_token;
  };
  virtual absl::StatusOr<Page> List(base::BytesView prefix, absl::string_view token,
                                    uint32_t page_size) = 0;
  virtual absl::StatusOr<bool> Delete(const Digest& digest) = 0;
  virtual absl::StatusOr<GcProgress> Gc(uint64_t target_bytes, bool dry_run,
                                        const std::function<void(const GcProgress&)>& progress) = 0;
  // All blobs, or one.
  virtual absl::StatusOr<ScrubProgress> Scrub(
      const Digest* digest, uint64_t rate_bytes,
      const std::function<void(const ScrubProgress&)>& progress) = 0;
};

base::Owned<CasAdmin> OpenCasAdmin(const RemoteOptions& options, base::Files& files,
                                   base::Clock& clock, base::Random& random);

}  // namespace slipway::cas
