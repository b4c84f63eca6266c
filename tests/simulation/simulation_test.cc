#include "simulation.h"

#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/testing/status_matchers.h"
#include "shrink.h"

namespace slipway::eraft::simulation {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

SimulationReport RunOf(uint64_t seed, Profile profile, uint64_t steps) {
  SimulationOptions options;
  options.seed = seed;
  options.profile = profile;
  options.steps = steps;
  return Simulate(options);
}

// E206: the quick set; 25 seeds of each of the 8 profiles. A failure is repeated by the command.
class QuickSet : public ::testing::TestWithParam<int> {};

TEST_P(QuickSet, KeepsEveryPromise) {
  const auto profile = static_cast<Profile>(GetParam());
  uint64_t operations = 0, unknown = 0, faults = 0;
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    SimulationOptions options;
    options.seed = seed;
    options.profile = profile;
    options.steps = 6000;
    const SimulationReport report = Simulate(options);
    EXPECT_THAT(report.violation, IsEmpty()) << "replay: eraft_sim " << ReplayArguments(options);
    operations += report.operations;
    unknown += report.unknown_verdicts;
    faults += report.faults.size();
  }
  EXPECT_GT(operations, 500u);  // something was judged
  EXPECT_EQ(unknown, 0u);
  EXPECT_EQ(faults > 100, profile != Profile::kCalm);
}

INSTANTIATE_TEST_SUITE_P(AllProfiles, QuickSet, ::testing::Range(0, kProfiles),
                         [](const auto& param) {
                           return std::string(ProfileName(static_cast<Profile>(param.param)));
                         });

// E200: asserted for one seed in a hundred of the quick set.
TEST(Simulation, ASeedGivesTheSameTraceEachTime) {
  std::set<uint64_t> traces;
  for (const uint64_t seed : {7, 8}) {
    const SimulationReport first = RunOf(seed, Profile::kMixed, 6000);
    const SimulationReport second = RunOf(seed, Profile::kMixed, 6000);
    EXPECT_EQ(first.trace_hash, second.trace_hash);
    EXPECT_EQ(first.events, second.events);
    EXPECT_EQ(first.operations, second.operations);
    traces.insert(first.trace_hash);
  }
  EXPECT_THAT(traces, SizeIs(2));
}

// E206: every seed that ever found something, with the arguments of then.
TEST(Simulation, SeedsThatOnceFailedKeepEveryPromise) {
  std::ifstream file(absl::StrCat(SLIPWAY_TEST_SOURCE_DIR, "/seeds.tsv"));
  int count = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string> parts = absl::StrSplit(line, '\t');
    ASSERT_THAT(parts, SizeIs(4)) << line;
    SimulationOptions options;
    ASSERT_TRUE(absl::SimpleAtoi(parts[0], &options.seed)) << line;
    ASSERT_OK_AND_ASSIGN(options.profile, ParseProfile(parts[1]));
    ASSERT_TRUE(absl::SimpleAtoi(parts[2], &options.steps)) << line;
    EXPECT_THAT(Simulate(options).violation, IsEmpty()) << line;
    ++count;
  }
  EXPECT_GT(count, 0);
}

TEST(Simulation, FaultsThatAreLeftOutDoNotHappen) {
  SimulationOptions options;
  options.seed = 3;
  options.steps = 6000;
  options.profile = Profile::kCrash;
  options.faults = {0, 2, 1'000'000};  // the last: of a longer plan
  options.clients = 2;
  const SimulationReport report = Simulate(options);
  EXPECT_THAT(report.violation, IsEmpty());
  EXPECT_THAT(report.faults, ::testing::ElementsAre(0, 2));
  EXPECT_EQ(report.clients, 2);
  EXPECT_EQ(ReplayArguments(options),
            "--seed 3 --steps 6000 --profile crash --clients 2 --faults 0,2,1000000");
}

// A shorter run has the same faults, as far as it goes: what shrinking rests on.
TEST(Faults, APlanIsThePrefixOfALongerOne) {
  FaultPlanOptions options;
  options.seed = 5;
  options.until = absl::Seconds(20);
  const std::vector<Fault> all = PlanFaults(options);
  options.until = absl::Seconds(8);
  const std::vector<Fault> some = PlanFaults(options);
  ASSERT_LT(some.size(), all.size());
  for (size_t i = 0; i < some.size(); ++i) EXPECT_EQ(Describe(some[i]), Describe(all[i]));
}

TEST(Faults, EveryKindHappensInMixedAndNoneInCalm) {
  std::set<FaultKind> kinds;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    FaultPlanOptions options;
    options.seed = seed;
    options.until = absl::Seconds(20);
    for (const Fault& fault : PlanFaults(options)) kinds.insert(fault.kind);
    options.profile = Profile::kCalm;
    EXPECT_THAT(PlanFaults(options), IsEmpty());
  }
  EXPECT_EQ(kinds.size(), static_cast<size_t>(kFaultKinds));
}

// E202
TEST(Simulation, AtMostAMinorityOfDisksIsEverDamaged) {
  uint64_t damaged = 0;
  for (uint64_t seed = 100; seed < 120; ++seed) {
    const SimulationReport report = RunOf(seed, Profile::kCorruption, 6000);
    EXPECT_THAT(report.violation, IsEmpty()) << seed;
    EXPECT_LE(report.damaged, (report.nodes - 1) / 2);
    damaged += report.damaged;
  }
  EXPECT_GT(damaged, 5u);
}

}  // namespace
}  // namespace slipway::eraft::simulation
