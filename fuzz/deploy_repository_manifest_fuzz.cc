// A manifest that parses is written so that it parses to the same, with its unknown members kept.
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/check.h"
#include "base/json/json.h"
#include "deploy/repository/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using slipway::deploy::Manifest;
  const auto text = slipway::base::AsText({data, size});
  const absl::StatusOr<Manifest> manifest = slipway::deploy::ParseManifest(text);
  if (!manifest.ok()) return 0;
  const std::string written = slipway::deploy::WriteManifest(*manifest);
  const absl::StatusOr<Manifest> again = slipway::deploy::ParseManifest(written);
  SLIPWAY_CHECK(again.ok());
  SLIPWAY_CHECK(slipway::deploy::WriteManifest(*again) == written);
  const auto document = slipway::base::ParseJson(text);
  SLIPWAY_CHECK(document.ok());
  const std::string kept = slipway::deploy::WriteManifest(*manifest, &*document);
  const auto kept_document = slipway::base::ParseJson(kept);
  SLIPWAY_CHECK(kept_document.ok());
  for (const auto& member : *document->AsObject()) {
    SLIPWAY_CHECK(kept_document->Find(member.first) != nullptr);
  }
  const absl::StatusOr<Manifest> reread = slipway::deploy::ParseManifest(kept);
  SLIPWAY_CHECK(reread.ok());
  SLIPWAY_CHECK(slipway::deploy::WriteManifest(*reread) == written);
  return 0;
}
