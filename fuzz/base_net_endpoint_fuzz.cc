// What parses is written in a form that parses to the same endpoint.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/net/endpoint.h"

using slipway::base::net::Endpoint;
using slipway::base::net::ParseEndpoint;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  slipway::base::net::IsLoopback(text);
  slipway::base::net::IsUnspecified(text);
  const absl::StatusOr<Endpoint> endpoint = ParseEndpoint(text);
  if (!endpoint.ok()) return 0;
  const absl::StatusOr<Endpoint> again = ParseEndpoint(endpoint->ToString());
  SLIPWAY_CHECK(again.ok());
  SLIPWAY_CHECK(*again == *endpoint);
  return 0;
}
