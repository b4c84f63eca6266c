// The last step of packing: from finished files to names, in an order that a crash cannot turn into
// a manifest without its package. Thread-safe: a free function.
#pragma once

#include "absl/status/statusor.h"
#include "base/files.h"
#include "base/sync/cancel.h"
#include "deploy/model/manifest.h"
#include "deploy/pack/package_output.h"

namespace slipway::deploy {

struct PackedFiles {
  PackageOutput& package;
  PackageOutput& index;
  PackageOutput& pieces;
  uint32_t mode = 0644;  // of the manifest
};

struct Publication {
  Manifest manifest;       // the one that stands there now
  bool unchanged = false;  // nothing had to be written
};

// Under the lock of `dist`. Publishes the finished files in `dist` and then `manifest` in
// `manifests`. What is there already and equal stays. DT012 for something different, unless
// `force`: then the old manifest goes first, so that at no moment it describes a package it was not
// made for. DT004, DT005, DT006.
absl::StatusOr<Publication> PublishPackage(base::Dir& dist, base::Dir& manifests,
                                           const PackedFiles& files, const Manifest& manifest,
                                           bool force, const base::CancelToken& cancel);

}  // namespace slipway::deploy
