// Journal steps, state and history lines that parse are written so that they parse to the same.
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/check.h"
#include "base/json/json.h"
#include "deploy/release/history.h"
#include "deploy/release/journal.h"
#include "deploy/release/state.h"

namespace {

using slipway::base::Json;

void TrySteps(absl::string_view text) {
  const auto steps = slipway::deploy::DecodeSteps(text);
  if (!steps.ok()) return;
  const std::string written = slipway::deploy::EncodeSteps(*steps);
  const auto again = slipway::deploy::DecodeSteps(written);
  SLIPWAY_CHECK(again.ok());
  SLIPWAY_CHECK(slipway::deploy::EncodeSteps(*again) == written);
}

void TryState(const Json& json) {
  const auto state = slipway::deploy::StateFromJson(json);
  if (!state.ok()) return;
  const Json written = slipway::deploy::StateToJson(*state);
  const auto again = slipway::deploy::StateFromJson(written);
  SLIPWAY_CHECK(again.ok());
  SLIPWAY_CHECK(slipway::deploy::StateToJson(*again) == written);
}

void TryHistory(const Json& json) {
  const auto entry = slipway::deploy::HistoryFromJson(json);
  if (!entry.ok()) return;
  const Json written = slipway::deploy::HistoryToJson(*entry);
  const auto again = slipway::deploy::HistoryFromJson(written);
  SLIPWAY_CHECK(again.ok());
  SLIPWAY_CHECK(slipway::deploy::HistoryToJson(*again) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto text = slipway::base::AsText({data, size});
  TrySteps(text);
  const auto json = slipway::base::ParseJson(text);
  if (!json.ok()) return 0;
  TryState(*json);
  TryHistory(*json);
  return 0;
}
