// What is packed and deployed: a component of a type and a version. Values; thread-compatible.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::deploy {

struct Component {
  std::string type;
  std::string version;
  std::string ToString() const { return type + ":" + version; }
  friend bool operator==(const Component&, const Component&) = default;
  friend auto operator<=>(const Component&, const Component&) = default;
};

enum class VersionScheme : uint8_t { kSemver, kAny };

// DT013 unless `type` matches ^[a-zA-Z][a-zA-Z0-9_-]{0,49}$ (D12).
absl::Status CheckType(absl::string_view type);
// DT003: kSemver: strict SemVer 2.0.0. kAny: [A-Za-z0-9][A-Za-z0-9._+-]{0,127}, not "current"
// (6.2).
absl::Status CheckVersion(absl::string_view version, VersionScheme scheme);

// "type:version", "type:latest" or "type" (version absent). DT009 for an empty text, DT013, and for
// the version the kAny rule (a spec alone does not know the type's scheme).
struct ComponentSpec {
  std::string type;
  std::optional<std::string> version;  // "latest" as it stands
};
absl::StatusOr<ComponentSpec> ParseSpec(absl::string_view text);

// <0, 0, >0. One order over all texts: among SemVer their precedence (build metadata does not
// count), else the natural order of digit runs. Fit for std::sort, also where both kinds mix.
int CompareVersions(absl::string_view a, absl::string_view b);
// Whether `version` is SemVer with a prerelease part.
bool IsPrerelease(absl::string_view version);

}  // namespace slipway::deploy
