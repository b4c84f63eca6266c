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
#include "base/net/trace.h"
#include "base/random.h"
#include "base/status.h"
#include "base/sync/cancel.h"
#include "cas/blob_store.h"
#include "cas/digest.h"

namespace slipway::cas {

struct RemoteOptions {
  base::net::ChannelOptions channel;                 // of the CAS service
  base::Secret token;                                // authorization: Bearer …; empty: none
  absl::Duration call_timeout = absl::Seconds(30);   // of one answer
  absl::Duration stall_timeout = absl::Seconds(60);  // of a stream without a byte
  int attempts = 4;                                  // UNAVAILABLE, RESOURCE_EXHAUSTED; jitter
  size_t chunk_bytes = 1 << 20;                      // of one message of an upload
  base::CancelToken cancel;                          // ends calls in flight with Cancelled
  base::net::Trace trace;                            // sent along; empty: none
};

class RemoteStore : public BlobStore {
 public:
  // Of `digests`, those that are missing there, in their order without duplicates (Z4).
  virtual absl::StatusOr<std::vector<Digest>> Missing(absl::Span<const Digest> digests) = 0;
  virtual int recommended_concurrency() = 0;
};

// Connects on first use; the transport is found by GetTransportDetails (Z6, Z10, Z11). A token that
// the transport refuses is renewed once a call. Calls that have had no effect yet are tried again.
//
// Store asks first whether the blob is there. Its writer sends while it is filled; when another
// store of the blob was faster, it takes the rest and Commit is OK. A reader of a whole blob hashes
// what it gives out: bytes that are not the blob's end in DataLoss before the 0 of the end, never
// after it. A part of a blob cannot be checked so.
//
// Beside the contract's: Unavailable and DeadlineExceeded (ZK4003: server cannot be reached, or
// stalls), Unauthenticated and PermissionDenied (ZK4004), Cancelled.
// InvalidArgument, errors of LoadTls: `channel`.
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
