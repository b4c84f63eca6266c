// Any bytes: what parses is written so that it parses to the same value, and canonically only once.
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/check.h"
#include "base/json/json.h"

using slipway::base::Json;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto text = slipway::base::AsText({data, size});
  const absl::StatusOr<Json> json = slipway::base::ParseJson(text);
  if (!json.ok()) return 0;
  for (const std::string& written : {json->Dump(0), json->Dump(2)}) {
    const absl::StatusOr<Json> again = slipway::base::ParseJson(written);
    SLIPWAY_CHECK(again.ok());
    SLIPWAY_CHECK(*again == *json);
  }
  const std::string canonical = json->DumpCanonical();
  const absl::StatusOr<Json> again = slipway::base::ParseJson(canonical);
  SLIPWAY_CHECK(again.ok());
  SLIPWAY_CHECK(again->DumpCanonical() == canonical);
  return 0;
}
