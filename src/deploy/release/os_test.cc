// The same on real files: readers beside switches, and what the real system calls must bear out.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/os/thread.h"
#include "base/os/world.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "deploy/release/release_sim.h"

namespace slipway::deploy {
namespace {

using base::testing::HasErrorCode;
using base::testing::IsOk;
using base::testing::IsOkAndHolds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Two versions of model and config in a root on real files; in memory where possible, since these
// tests are about names, and a disk would spend their time on syncs.
class OsTest : public ::testing::Test {
 protected:
  OsTest() : world_({.block_signals = false}) {
    const char* old = std::getenv("TMPDIR");
    const std::string kept = old == nullptr ? "" : old;
    if (access("/dev/shm", W_OK | X_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);
    dir_ = std::make_unique<base::testing::TempDir>();
    if (old == nullptr) unsetenv("TMPDIR");
    if (old != nullptr) setenv("TMPDIR", kept.c_str(), 1);
    path_ = dir_->Join("root");
    repository_ = RepositoryWith({&PackageOf("model", "1.0.0"), &PackageOf("model", "1.1.0"),
                                  &PackageOf("config", "1.0.0"), &PackageOf("config", "1.1.0")});
    RootOptions options;
    options.mode = OpenMode::kCreate;
    options.wait_lock = absl::Minutes(1);
    auto root = DeployRoot::Open(world_.world(), path_, options);
    EXPECT_THAT(root, IsOk());
    if (root.ok()) root_ = *std::move(root);
  }
  absl::Status Deploy(const std::vector<std::string>& types, const std::string& version,
                      const DeployOptions& options = {}) {
    std::vector<DeployComponent> inputs;
    for (const std::string& type : types) {
      const TestPackage& package = PackageOf(type, version);
      DeployComponent input;
      input.manifest = package.manifest;
      input.manifest_text = package.manifest_text;
      input.sources = {{"memory", repository_.get()}};
      inputs.push_back(std::move(input));
    }
    return root_->Deploy(std::move(inputs), options).status();
  }
  // The content of a file opened by path, as an application does; empty: it could not be opened.
  static std::string Read(int at, const std::string& path) {
    const int fd = openat(at, path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return "";
    char buffer[100];
    const ssize_t got = read(fd, buffer, sizeof(buffer));
    close(fd);
    return std::string(buffer, got < 0 ? 0 : static_cast<size_t>(got));
  }

  base::os::World world_;
  std::unique_ptr<base::testing::TempDir> dir_;
  std::string path_;
  std::unique_ptr<Repository> repository_;
  std::unique_ptr<DeployRoot> root_;
};

TEST_F(OsTest, ReadersNeverMissAFileDuringAThousandSwitches) {  // D3, D173
  ASSERT_THAT(Deploy({"model", "config"}, "1.0.0"), IsOk());
  ASSERT_THAT(Deploy({"model", "config"}, "1.1.0"), IsOk());
  std::atomic<bool> done{false};
  std::atomic<uint64_t> reads{0}, missed{0}, mixed{0}, wrong{0};
  std::atomic<int> switches{0};
  const auto reader = [&](const std::string& path) {
    for (int round = 0;; ++round) {
      const int seen = switches;  // before `done` is looked at: the last change comes after it
      if (done) return;
      // Some reads a switch, or eight readers would leave no processor to the switches.
      if (round % 8 == 7) switches.wait(seen);
      const std::string text = Read(AT_FDCWD, path);
      missed += text.empty() ? 1 : 0;
      wrong += !text.empty() && text != "model 1.0.0\n" && text != "model 1.1.0\n" ? 1 : 0;
      // Through `active` a set is seen as a whole. (A record may be trimmed while it is held.)
      const int active = open((path_ + "/active").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
      missed += active < 0 ? 1 : 0;
      const std::string model = Read(active, "model/name.txt");
      const std::string config = Read(active, "config/name.txt");
      if (!model.empty() && !config.empty()) {
        mixed += model.substr(5) != config.substr(6) ? 1 : 0;
      }
      close(active);
      ++reads;
    }
  };
  std::vector<std::thread> readers;
  for (int i = 0; i < 8; ++i) {
    const std::string path =
        path_ + (i % 2 == 0 ? "/links/model/name.txt" : "/components/model/current/name.txt");
    readers.push_back(base::os::StartThread("reader", [&reader, path] { reader(path); }));
  }
  absl::Status deployed;
  for (int i = 0; i < 1000 && deployed.ok(); ++i) {
    deployed = Deploy({"model", "config"}, i % 2 == 0 ? "1.0.0" : "1.1.0");
    ++switches;
    switches.notify_all();
  }
  done = true;
  ++switches;
  switches.notify_all();
  for (std::thread& thread : readers) thread.join();
  EXPECT_THAT(deployed, IsOk());
  EXPECT_GT(reads, 1000u);
  EXPECT_EQ(missed, 0u);
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(mixed, 0u);
  EXPECT_THAT(root_->VerifyLinks({}, true), IsOkAndHolds(IsEmpty()));
}

TEST_F(OsTest, ForcedRedeployOfTheRunningVersionIsSeamless) {  // D122
  ASSERT_THAT(Deploy({"model"}, "1.0.0"), IsOk());
  std::atomic<bool> done{false};
  std::atomic<uint64_t> missed{0};
  std::thread reader = base::os::StartThread("reader", [&] {
    while (!done) missed += Read(AT_FDCWD, path_ + "/links/model/name.txt").empty() ? 1 : 0;
  });
  DeployOptions force;
  force.force = true;
  absl::Status deployed;
  for (int i = 0; i < 50 && deployed.ok(); ++i) deployed = Deploy({"model"}, "1.0.0", force);
  done = true;
  reader.join();
  EXPECT_THAT(deployed, IsOk());
  EXPECT_EQ(missed, 0u);
  EXPECT_THAT(root_->VerifyVersion({"model", "1.0.0"}, {}), IsOkAndHolds(IsEmpty()));
}

TEST_F(OsTest, UpdateOfOneComponentLeavesTheOthersInodes) {  // D1, D56
  ASSERT_THAT(Deploy({"model", "config"}, "1.0.0"), IsOk());
  const auto inode = [&] {
    const auto dir = world_.world().files.OpenRoot(path_);
    return (*dir)->Stat("components/config/1.0.0/data/deep/x")->inode;
  };
  const uint64_t before = inode();
  ASSERT_THAT(Deploy({"model"}, "1.1.0"), IsOk());
  ASSERT_THAT(root_->Rollback("model", {}), IsOk());
  EXPECT_EQ(inode(), before);
}

TEST_F(OsTest, SecondProcessSeesTheLockAndItsHolder) {  // D177
  ASSERT_THAT(Deploy({"model"}, "1.0.0"), IsOk());
  // The root opened again is another holder: flock is by open file.
  RootOptions options;
  options.mode = OpenMode::kMutate;
  const auto other = DeployRoot::Open(world_.world(), path_, options);
  ASSERT_THAT(other, IsOk());
  absl::Status refused;
  DeployOptions deploy;
  deploy.progress = [&](const Progress&) {
    DeployComponent input;
    input.manifest = PackageOf("model", "1.1.0").manifest;
    if (refused.ok()) refused = (*other)->Deploy({input}, {}).status();
  };
  ASSERT_THAT(Deploy({"model"}, "1.1.0", deploy), IsOk());
  EXPECT_THAT(refused, HasErrorCode("DT021"));
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr(absl::StrCat("pid ", world_.world().environment.ProcessId())));
}

}  // namespace
}  // namespace slipway::deploy
