// What base/files.h promises and every implementation must show, as a parameterised test suite.
//
//   std::unique_ptr<FilesContractWorld> MakeWorld();  // a Files and an empty directory on it
//   INSTANTIATE_TEST_SUITE_P(Sim, FilesContract, ::testing::Values(FilesContractOf(&MakeWorld)));
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "base/files.h"

namespace slipway::base::testing {

class FilesContractWorld {
 public:
  virtual ~FilesContractWorld() = default;
  virtual Files& files() = 0;
  // Absolute path of an empty directory that the test may fill; it belongs to this object.
  virtual std::string root() = 0;
};

using FilesContractFactory = std::function<std::unique_ptr<FilesContractWorld>()>;

// `factory` as the parameter of the suite. Naming it links the tests in.
FilesContractFactory FilesContractOf(FilesContractFactory factory);

class FilesContract : public ::testing::TestWithParam<FilesContractFactory> {
 protected:
  void SetUp() override;
  // Makes the file `path` with `text`; fails the test when it cannot.
  void Put(absl::string_view path, absl::string_view text);
  // What `path` holds, or the error as text.
  std::string Read(absl::string_view path);
  // Names in `dir`, sorted, as "name/" for a directory and "name@" for a symlink.
  std::string Names(Dir& dir);

  Files& files() { return world_->files(); }
  Dir& dir() { return *dir_; }  // the empty directory
  std::string root() { return world_->root(); }

 private:
  std::unique_ptr<FilesContractWorld> world_;
  std::unique_ptr<Dir> dir_;
};

}  // namespace slipway::base::testing
