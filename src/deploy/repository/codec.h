// JSON of manifests, publish records and releases (spec 6.3-6.5). Readers ignore unknown fields;
// the writers here keep them when given the document that was read (D9). Thread-safe: free
// functions.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/json/json.h"
#include "deploy/model/manifest.h"

namespace slipway::deploy {

// DT007 with the field for anything missing, of the wrong type or against CheckManifest; DT025 for
// a newer major manifest_version.
absl::StatusOr<Manifest> ParseManifest(absl::string_view text);
// Fixed key order, two spaces, final newline. Unknown members of `previous`, if given, are kept.
// Text that is not UTF-8 is written with \xHH for its bytes.
std::string WriteManifest(const Manifest& manifest, const base::Json* previous = nullptr);

// DT007 as above; a name that stands twice is wrong.
absl::StatusOr<PublishRecord> ParseRecord(absl::string_view text);
std::string WriteRecord(const PublishRecord& record, const base::Json* previous = nullptr);
// Adds or replaces the locations of `from` by name; published_at becomes the later one (D15).
void MergeRecord(PublishRecord& into, const PublishRecord& from);

// DT007, DT025 as above; two versions of one type are wrong.
absl::StatusOr<Release> ParseRelease(absl::string_view text);
std::string WriteRelease(const Release& release, const base::Json* previous = nullptr);

// DT019 when `text` holds one of `secrets` (length >= 4; as it is, as JSON or a URL would write
// it), a URL with user information, or a query parameter that signs; called before any record,
// manifest or release is written (D16). The error names the line, never what stands there.
absl::Status ScrubCheck(absl::string_view text, absl::Span<const std::string> secrets);

}  // namespace slipway::deploy
