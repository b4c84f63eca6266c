#include "base/testing/files_contract.h"

#include "base/sim/files.h"

namespace slipway::base::testing {
namespace {

class SimWorld : public FilesContractWorld {
 public:
  SimWorld(sim::Features features, sim::Caller caller) : files_(1) {
    EXPECT_TRUE(files_.MakeRoot("/test/root").ok());
    const Owned<Dir> test = files_.OpenRoot("/test");
    EXPECT_TRUE((*test)->SetMeta("root", {.mode = 0777, .mtime = {}, .xattrs = {}}).ok());
    files_.SetFeatures(features);
    files_.SetCaller(caller);
  }
  Files& files() override { return files_; }
  std::string root() override { return "/test/root"; }

 private:
  sim::Files files_;
};

std::unique_ptr<FilesContractWorld> AsRoot() {
  return std::make_unique<SimWorld>(sim::Features(), sim::Caller());
}

std::unique_ptr<FilesContractWorld> AsUserOnAPoorFilesystem() {
  return std::make_unique<SimWorld>(
      sim::Features{.exchange = false, .xattrs = false, .holes = false},
      sim::Caller{.uid = 65534, .gid = 65534, .pid = 7});
}

INSTANTIATE_TEST_SUITE_P(Sim, FilesContract, ::testing::Values(FilesContractOf(&AsRoot)));
INSTANTIATE_TEST_SUITE_P(SimPoor, FilesContract,
                         ::testing::Values(FilesContractOf(&AsUserOnAPoorFilesystem)));

}  // namespace
}  // namespace slipway::base::testing
