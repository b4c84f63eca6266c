// What is installed of a version, and whether it is still what was installed.
// Thread-safe: free functions.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "deploy/pack/extractor.h"
#include "deploy/release/layout.h"
#include "deploy/release/state.h"

namespace slipway::deploy {

struct Installed {
  bool exists = false;
  bool intact = false;
  std::string detail;  // why it is not intact
};

// A version whose top directory nobody touched since it was installed counts as intact at the cost
// of one stat; else its names, sizes, modes and times are compared with its file index, and with
// `deep` its content. DT012: what is there is no directory.
absl::StatusOr<Installed> CheckInstalled(const Root& root, const TypeState& state,
                                         const Component& component, bool deep);

// DT007: there is no usable index.
absl::StatusOr<FileIndex> ReadIndex(const Root& root, const Component& component);
absl::StatusOr<std::vector<Drift>> CompareInstalled(const Root& root, const Component& component,
                                                    const VerifyOptions& options);

// "3 differences, the first: a/b changed (content)". CHECK: there is one.
std::string DriftSummary(const std::vector<Drift>& drift);

// DT010 with the nearest installed versions.
absl::Status NotInstalled(const Component& component, const TypeState& state);

}  // namespace slipway::deploy
