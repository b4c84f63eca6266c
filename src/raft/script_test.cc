// Runs testdata/*.txt, one theme a file, each stanza a claim about one step of the protocol.
#include <gtest/gtest.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "base/testing/data_driven.h"
#include "raft/test_script.h"

namespace slipway::raft::testing {
namespace {

class ScriptTest : public ::testing::TestWithParam<const char*> {};

TEST_P(ScriptTest, ShowsWhatItShould) {
  Script script;
  base::testing::RunDataFile(
      absl::StrCat(SLIPWAY_TEST_SOURCE_DIR "/testdata/", GetParam(), ".txt"),
      [&script](const base::testing::DataCase& command) { return script.Run(command); });
}

INSTANTIATE_TEST_SUITE_P(All, ScriptTest,
                         ::testing::Values("elections", "prevote", "checkquorum", "figure8",
                                           "backtracking", "persistence", "pipelining", "transfer",
                                           "priority", "hibernation", "single_change",
                                           "joint_change", "learners", "snapshots", "readindex",
                                           "log_stall"),
                         [](const ::testing::TestParamInfo<const char*>& file) {
                           return std::string(file.param);
                         });

}  // namespace
}  // namespace slipway::raft::testing
