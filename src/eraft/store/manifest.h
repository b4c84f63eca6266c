// MANIFEST, the list of what a snapshot consists of: docs/formats/eraft-snapshot.md (6.5).
// Thread-safe: free functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/digest/sha256.h"
#include "eraft/store/engine.h"
#include "eraft/store/keys.h"
#include "raft/types.h"

namespace slipway::eraft {

inline constexpr uint32_t kFeatureLevel = 1;  // newest that this code reads and writes

struct SnapshotFile {
  std::string name;  // one path component
  uint64_t size_bytes = 0;
  base::Sha256Digest sha256{};
  friend bool operator==(const SnapshotFile&, const SnapshotFile&) = default;
};

struct Manifest {
  GroupId group = 0;
  raft::Index index = 0;
  raft::Term term = 0;
  std::string membership;  // as raft::EncodeMembership wrote it
  EngineKind engine = EngineKind::kMemory;
  std::vector<SnapshotFile> files;  // ascending by name
  std::string logical_digest;       // state.h
  friend bool operator==(const Manifest&, const Manifest&) = default;
};

// A protobuf message and its CRC-32C.
std::string EncodeManifest(const Manifest& manifest);
// DataLoss: damaged, or contradicts itself. FailedPrecondition: of a newer feature level.
absl::StatusOr<Manifest> DecodeManifest(absl::string_view bytes);

}  // namespace slipway::eraft
