// A packed version as it lies in the project, checked against its manifest. Private to this folder.
// Values; thread-compatible.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/files.h"
#include "base/sync/cancel.h"
#include "deploy/model/manifest.h"

namespace slipway::deploy {

struct LocalObject {
  std::string file;
  std::string sha256;
  base::Meta meta;  // when it was checked
};

struct LocalPackage {
  Manifest manifest;
  std::string manifest_text;
  std::vector<LocalObject> objects;  // the package first
  uint64_t bytes_total = 0;

  const Component& component() const { return manifest.component; }
};

// Reads the manifest of `component` from `manifests` and hashes its files in `dist`. DT010, DT002,
// DT007, DT026.
absl::StatusOr<LocalPackage> LoadLocalPackage(base::Dir& manifests, base::Dir& dist,
                                              const Component& component,
                                              const base::CancelToken& cancel);

// DT016 unless `file` still is what `object` was when it was checked.
absl::Status CheckUnchanged(base::File& file, const LocalObject& object);

// `status` of a cancel token as DT026 or DT027.
absl::Status CancelError(const base::CancelToken& cancel);

inline constexpr uint64_t kManifestBytesMax = 16ull << 20;
inline constexpr uint64_t kRecordBytesMax = 16ull << 20;

}  // namespace slipway::deploy
