// Every official case, valid and invalid, with one thread and with two (K63).
#include "kzg/cli/vectors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/os/pool.h"
#include "bls12_381/backend.h"
#include "kzg/scheme/tables.h"
#include "kzg/testing/official.h"

namespace slipway::kzg::cli {
namespace {

using ::testing::SizeIs;

class OfficialVectors : public ::testing::Test {
 protected:
  void SetUp() override {
    setup_ = testing::OfficialSetup();
    if (setup_ == nullptr) GTEST_SKIP() << "no official KZG data; see stderr";
  }

  // Runs all cases; the number by function.
  std::map<std::string, int> RunAll(const kzg::Setup& setup, Executor* executor) {
    std::map<std::string, int> counts;
    for (const testing::OfficialCase& c : testing::OfficialCases()) {
      ++counts[c.function];
      const VectorOutcome outcome = RunVector(c.function, c.name, c.text, setup, executor);
      EXPECT_TRUE(outcome.passed) << c.function << "/" << c.name << ": " << outcome.detail;
    }
    return counts;
  }

  std::shared_ptr<const kzg::Setup> setup_;
};

TEST_F(OfficialVectors, AllPassWithOneThread) {  // K63
  const std::map<std::string, int> counts = RunAll(*setup_, nullptr);
  EXPECT_THAT(counts, SizeIs(VectorFunctions().size()));
  for (const std::string& function : VectorFunctions()) {
    EXPECT_TRUE(counts.contains(function)) << function;
  }
}

TEST_F(OfficialVectors, AllPassWithTwoThreadsAndTables) {  // K63, 4.6
  base::os::ThreadPool pool("cpu", /*threads=*/2, /*queue_max=*/64);
  PoolExecutor executor(pool, 2);
  const auto tables = ProvingTables::Build(*setup_, TablePlan(), &executor);
  RunAll(*setup_->WithTables(tables), &executor);
}

TEST_F(OfficialVectors, AllPassUnderEachBackEnd) {  // K63, KR5
  const bls12_381::CpuBackend before = bls12_381::ActiveBackend();
  const auto with_tables =
      setup_->WithTables(ProvingTables::Build(*setup_, TablePlan(), nullptr));
  for (const bls12_381::CpuBackend backend : bls12_381::CpuBackends()) {
    if (backend == before) continue;  // the tests above
    ASSERT_TRUE(bls12_381::ForceBackend(backend));
    RunAll(*with_tables, nullptr);
  }
  EXPECT_TRUE(bls12_381::ForceBackend(before));
}

}  // namespace
}  // namespace slipway::kzg::cli
