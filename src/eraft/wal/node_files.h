// What IDENTITY and HARD hold (spec 6.5): values and their bytes; two_copy.h keeps them. Format:
// docs/formats/eraft-wal.md. Thread-safe: free functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "eraft/wal/format.h"
#include "raft/types.h"

namespace slipway::eraft::wal {

inline constexpr absl::string_view kIdentityName = "IDENTITY";
inline constexpr absl::string_view kHardName = "HARD";
inline constexpr uint32_t kDataFormat = 1;  // of the whole data directory

// Whose data a directory holds (E11, E123).
struct Identity {
  ClusterId cluster{};
  raft::NodeId node = raft::kNoNode;
  uint64_t incarnation = 0;  // new when the node's data was made anew
  std::string engine;        // "rocksdb"
  absl::Time created;        // whole seconds

  friend bool operator==(const Identity&, const Identity&) = default;
};
base::Bytes EncodeIdentity(const Identity& identity);
// DataLoss: not an identity; FailedPrecondition: of a newer format, which the text names.
absl::StatusOr<Identity> DecodeIdentity(base::BytesView bytes);

// Term, vote and commit of each group beside the log, and how far the log was durable then: so that
// a vote survives a damaged log, and a log that lost its synced end is found out.
struct HardCopies {
  uint64_t durable_sequence = 0;
  std::map<raft::GroupId, raft::HardState> groups;
};
// What counts of a group's hard state in the log and its copy in HARD: the log's, unless the copy
// knows of a later term or of a vote in the same one.
raft::HardState NewerOf(const raft::HardState& log, const raft::HardState& copy);
base::Bytes EncodeHard(const HardCopies& hard);
absl::StatusOr<HardCopies> DecodeHard(base::BytesView bytes);

}  // namespace slipway::eraft::wal
