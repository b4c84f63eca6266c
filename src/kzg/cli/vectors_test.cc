// Every official case, valid and invalid, with one thread and with two (K63).
#include "kzg/cli/vectors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/match.h"
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

  // All cases with their functions, read once a process.
  static const std::vector<std::pair<std::string, VectorCase>>& Cases() {
    static const auto* const cases = [] {
      auto* all = new std::vector<std::pair<std::string, VectorCase>>();
      for (const testing::OfficialCase& c : testing::OfficialCases()) {
        absl::StatusOr<VectorCase> parsed = VectorCase::Parse(c.function, c.name, c.text);
        EXPECT_TRUE(parsed.ok()) << c.name << ": " << parsed.status();
        if (parsed.ok()) all->emplace_back(c.function + "/" + c.name, *std::move(parsed));
      }
      return all;
    }();
    return *cases;
  }
  static void RunAll(const kzg::Setup& setup, Executor* executor) {
    for (const auto& [name, vector_case] : Cases()) {
      const VectorOutcome outcome = vector_case.Run(setup, executor);
      EXPECT_TRUE(outcome.passed) << name << ": " << outcome.detail;
    }
  }

  std::shared_ptr<const kzg::Setup> setup_;
};

TEST_F(OfficialVectors, AllPassWithOneThread) {  // K63
  EXPECT_THAT(Cases(), SizeIs(220)) << "not all official cases were read";
  RunAll(*setup_, nullptr);
  for (const std::string& function : VectorFunctions()) {
    EXPECT_TRUE(std::any_of(Cases().begin(), Cases().end(), [&](const auto& named) {
      return absl::StartsWith(named.first, function + "/");
    })) << function;
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
  const auto with_tables = setup_->WithTables(ProvingTables::Build(*setup_, TablePlan(), nullptr));
  for (const bls12_381::CpuBackend backend : bls12_381::CpuBackends()) {
    if (backend == before) continue;  // the tests above
    ASSERT_TRUE(bls12_381::ForceBackend(backend));
    RunAll(*with_tables, nullptr);
  }
  EXPECT_TRUE(bls12_381::ForceBackend(before));
}

}  // namespace
}  // namespace slipway::kzg::cli
