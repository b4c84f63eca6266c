// The gRPC services of zako-casd over what does the work. gRPC stays in the .cc files.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "base/audit/audit.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/metrics/metrics.h"
#include "base/net/grpc/server.h"
#include "base/pool.h"
#include "cas/blob_store.h"
#include "cas/service/address.h"
#include "cas/service/session/authority.h"
#include "cas/service/session/buffers.h"
#include "cas/service/session/governor.h"
#include "cas/service/session/requests.h"
#include "cas/store/stores.h"

namespace slipway::cas {

struct TransferMetrics {
  explicit TransferMetrics(base::Metrics& m);
  base::Counter& received_bytes;
  base::Counter& sent_bytes;
};

// Of Scrub, whoever asks for it.
struct ScrubMetrics {
  explicit ScrubMetrics(base::Metrics& m);
  base::Counter& bytes;
  base::Gauge& last_pass;  // seconds of Unix; 0: none since the start
};

// What the handlers use. Borrowed; outlives the server. Thread-safe as its parts are.
struct ServiceParts {
  DiskStore& store;
  Authority& authority;
  Governor& governor;
  Requests& requests;
  Buffers& buffers;
  base::AuditLog* audit;  // null: none is kept
  base::Pool& pool;
  base::Loop& loop;
  base::Clock& clock;
  TransferMetrics& transfer;
  ScrubMetrics& scrub;
  int parallel = 1;                        // lookups of one negotiation at a time
  SocketAddress advertise;                 // what GetTransportDetails tells
  const std::atomic<int>& transport_port;  // told where `advertise` has none; known once it listens
  std::string version;
  absl::Duration started_at;               // monotonic
  std::atomic<int64_t> schema_told_s = 0;  // monotonic; until then no other warning of a schema
};

// Each serves one listener. Thread-safe; gRPC threads only hand over to the pool.
std::unique_ptr<base::net::Service> MakeCasService(ServiceParts& parts);
std::unique_ptr<base::net::Service> MakeTransportService(ServiceParts& parts);
std::unique_ptr<base::net::Service> MakeAdminService(ServiceParts& parts);

}  // namespace slipway::cas
