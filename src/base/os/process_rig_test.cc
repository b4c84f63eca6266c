// base/testing's ProcessRig over real processes; it stands here because base_testing, which the
// tests of this folder use, cannot rest on it.
#include "base/testing/process_rig.h"

#include <gtest/gtest-spi.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/os/spawner.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace slipway::base::testing {
namespace {

using ::testing::HasSubstr;

TEST(ProcessRig, RunsToTheEnd) {
  os::SystemSpawner spawner;
  const ExitStatus status =
      RunProgram(spawner, {"sh", "-c", "cat; echo $A $HOME; exit 3"},
                 {.env = {{"A", "a"}}, .env_unset = {"HOME"}, .stdin_text = "in "});
  EXPECT_EQ(status.code, 3);
  EXPECT_EQ(status.out, "in a\n");
}

TEST(ProcessRig, AProgramThatDoesNotStartOrEndIsAFailure) {
  os::SystemSpawner spawner;
  EXPECT_NONFATAL_FAILURE(RunProgram(spawner, {"/no/such/program"}), "/no/such/program");
  EXPECT_NONFATAL_FAILURE(
      RunProgram(spawner, {"sleep", "1000"}, {.timeout = absl::Milliseconds(20)}), "still running");
}

TEST(ProcessRig, AwaitsReadinessAndKillsAtTheEnd) {
  const TempDir dir;
  os::SystemSpawner spawner;
  pid_t pid = 0;
  {
    ProcessRig rig(spawner);
    Process* server =
        rig.Start({"sh", "-c", "echo $$ > ready.tmp; mv ready.tmp ready; exec sleep 1000"},
                  {.cwd = dir.path()});
    ASSERT_NE(server, nullptr);
    pid = server->pid();
    EXPECT_OK(
        ProcessRig::Await(*server, [&] { return std::filesystem::exists(dir.Join("ready")); }));
    EXPECT_THAT(ProcessRig::Await(
                    *server, [] { return false; }, absl::Milliseconds(20)),
                StatusIs(absl::StatusCode::kDeadlineExceeded));
    EXPECT_EQ(kill(pid, 0), 0);
  }
  EXPECT_NE(kill(pid, 0), 0);
}

TEST(ProcessRig, AwaitTellsWhyAProgramEnded) {
  os::SystemSpawner spawner;
  ProcessRig rig(spawner);
  Process* server = rig.Start({"sh", "-c", "echo no port >&2; exit 3"});
  ASSERT_NE(server, nullptr);
  EXPECT_THAT(ProcessRig::Await(*server, [] { return false; }),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no port")));
}

TEST(ProgramPath, IsInTheBuildDirectory) {
  EXPECT_TRUE(std::filesystem::exists(BuildDir()));
  EXPECT_EQ(ProgramPath("x"), absl::StrCat(BuildDir(), "/bin/x"));
}

}  // namespace
}  // namespace slipway::base::testing
