// Packages that turned out wrong, kept for a look (D43): bad/<utc>-<source>-<file> and .json.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "deploy/release/layout.h"

namespace slipway::deploy {

inline constexpr size_t kBadKeptMax = 3;              // of each component
inline constexpr uint64_t kBadBytesMax = 2ull << 30;  // in all

struct BadPackage {
  Component component;
  std::string file;  // as the manifest names it
  std::string source;
  std::string expected;  // SHA-256
  std::string reason;
};

// Moves the file `path` there and removes the oldest beyond the limits. Best effort: the caller
// reports the error that led here.
void KeepBad(const Root& root, const std::string& path, const BadPackage& bad);

}  // namespace slipway::deploy
