// Any text: parsed, expanded, bound, shown. What was shown must read back to the same.
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/check.h"
#include "base/config/test_environment.h"
#include "base/config/test_schema.h"

namespace slipway::base {
namespace {

// Whether the text binds without a problem; `shown` is then its print.
bool Read(absl::string_view text, std::string* shown) {
  MapEnvironment environment({{"A", "1"}, {"P__PACK__THREADS", "2"}});
  absl::StatusOr<ConfigNode> root = ParseConfig(text, "f.yaml");
  if (!root.ok()) return false;
  ConfigProblems problems;
  ExpandConfig(*root, environment, problems);
  if (!problems.empty()) return false;
  OverlayEnvironment(*root, "P", environment, problems);
  ConfigReader reader(*root, {&environment, nullptr, ""});
  TestConfig config;
  BindTestConfig(reader, config);
  *shown = ShowConfig(reader.values(), false);
  return reader.Finish().ok();
}

}  // namespace
}  // namespace slipway::base

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway::base;
  std::string first, second;
  if (!Read(AsText(BytesView(data, size)), &first)) return 0;
  // Secrets are masked and free parts are not kept, so the second print is compared with a third.
  if (!Read(first, &second)) return 0;
  std::string third;
  SLIPWAY_CHECK(Read(second, &third));
  SLIPWAY_CHECK(second == third);
  return 0;
}
