#include "eraft/chaos/scenarios.h"

#include <gtest/gtest.h>

#include <set>

#include "base/os/world.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "eraft/chaos/program.h"
#include "eraft/chaos/tools.h"

namespace slipway::eraft::chaos {
namespace {

TEST(Scenarios, EachIsFoundByItsNameAndByItsId) {
  std::set<std::string> names;
  for (const Scenario& scenario : Scenarios()) {
    EXPECT_TRUE(names.insert(scenario.name).second) << scenario.name;
    EXPECT_EQ(FindScenario(scenario.name), &scenario);
    EXPECT_EQ(FindScenario(scenario.id), &scenario);
  }
  EXPECT_EQ(FindScenario("storm"), nullptr);
}

TEST(Scenarios, AllOfTheSpecificationThatNeedProcessesAreThere) {
  for (const char* id : {"E402", "E404", "E405", "E408", "E409", "E410", "E411", "E412", "E413",
                         "E414", "E415", "E416", "E422"}) {
    EXPECT_NE(FindScenario(id), nullptr) << id;
  }
}

TEST(Tools, AProgramThatFailsIsToldWithItsWords) {
  base::os::World world({.block_signals = false});
  EXPECT_EQ(*RunTool(world.world(), {"echo", "fine"}), "fine\n");
  const absl::Status failed =
      RunTool(world.world(), {"sh", "-c", "echo no room >&2; exit 3"}).status();
  EXPECT_EQ(failed.code(), absl::StatusCode::kInternal);
  EXPECT_NE(failed.message().find("no room"), absl::string_view::npos) << failed;
}

TEST(Tools, WaitingEndsWhenItIsCancelled) {
  base::CancelSource source;
  source.Cancel({.kind = base::CancelReason::Kind::kInterrupt, .text = "SIGINT"});
  EXPECT_TRUE(absl::IsCancelled(Wait(absl::Hours(1), source.token())));
  EXPECT_OK(Wait(absl::ZeroDuration(), {}));
}

}  // namespace
}  // namespace slipway::eraft::chaos
