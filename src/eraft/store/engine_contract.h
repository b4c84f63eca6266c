// What eraft/store/engine.h promises and every engine must show (E150, E151), as a parameterised
// test suite.
//
//   INSTANTIATE_TEST_SUITE_P(Engines, EngineContract, AllEngines(), EngineName);
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "eraft/store/engine.h"
#include "eraft/store/test_engines.h"

namespace slipway::eraft {

class EngineContract : public ::testing::TestWithParam<EngineKind> {
 protected:
  void SetUp() override;
  Engine& engine() { return *engine_; }
  EngineHome& home() { return world_->home(); }
  // Destroys the engine and opens it again.
  void Reopen();
  // A crash; the engine goes on with what it left.
  void Crash();

  void Put(absl::string_view key, absl::string_view value);
  // The value, "-" when there is none, or the error.
  std::string Get(absl::string_view key);
  // All of the range as "key=value key=value …", or the error.
  std::string Scan(const KeyRange& range);

  std::unique_ptr<EngineWorld> world_;
  std::unique_ptr<Engine> engine_;
};

// As EngineContract::Scan, of any view.
std::string ScanText(const View& view, const KeyRange& range);
// Everything that a test's engine holds.
inline KeyRange Everything() { return {"", "\xff"}; }

}  // namespace slipway::eraft
