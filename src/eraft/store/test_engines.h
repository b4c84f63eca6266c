// Engines for tests, each on a disk of its own. Thread-compatible.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <system_error>
#include <utility>

#include "base/files.h"
#include "base/os/files.h"
#include "base/sim/files.h"
#include "base/testing/temp_dir.h"
#include "eraft/store/engine.h"
#include "eraft/store/leveldb_engine.h"
#include "eraft/store/memory_engine.h"
#include "eraft/store/rocksdb_engine.h"

namespace slipway::eraft {

class EngineWorld {
 public:
  virtual ~EngineWorld() = default;
  virtual EngineHome& home() = 0;
  virtual base::Dir& root() = 0;  // the data directory of `home`
  // What a crash now leaves.
  virtual std::unique_ptr<EngineWorld> AfterCrash() = 0;
};

// The machine loses its power.
class MemoryWorld : public EngineWorld {
 public:
  explicit MemoryWorld(base::sim::Files files)
      : files_(std::move(files)),
        root_(*files_.MakeRoot("/data")),
        home_(MemoryHome(root_.get())) {}
  EngineHome& home() override { return *home_; }
  base::Dir& root() override { return *root_; }
  base::sim::Files& files() { return files_; }
  std::unique_ptr<EngineWorld> AfterCrash() override {
    return std::make_unique<MemoryWorld>(files_.AfterReboot(base::sim::Loss::kLoseAllUnsynced));
  }

 private:
  base::sim::Files files_;
  std::unique_ptr<base::Dir> root_;
  std::unique_ptr<EngineHome> home_;
};

// The process is killed: a copy of its files. (power_cut_test.cc takes the power.)
class DiskWorld : public EngineWorld {
 public:
  explicit DiskWorld(EngineKind kind) : kind_(kind) {
    root_ = *files_.OpenRoot(dir_.path());
    if (kind == EngineKind::kRocksDb) {
      home_ =
          RocksDbHome(dir_.path(), {.block_cache_bytes = 1 << 20, .write_buffer_bytes = 1 << 20});
    } else {
      home_ = LevelDbHome(dir_.path(), *root_,
                          {.block_cache_bytes = 1 << 20, .write_buffer_bytes = 64 << 10});
    }
  }
  EngineHome& home() override { return *home_; }
  base::Dir& root() override { return *root_; }
  std::unique_ptr<EngineWorld> AfterCrash() override {
    auto after = std::make_unique<DiskWorld>(kind_);
    // Compactions go on: again until nothing changed while copying.
    for (std::string before = Listing();; before = Listing()) {
      std::error_code error;
      for (const auto& entry : std::filesystem::directory_iterator(after->dir_.path())) {
        std::filesystem::remove_all(entry.path(), error);
      }
      std::filesystem::copy(dir_.path(), after->dir_.path(),
                            std::filesystem::copy_options::recursive, error);
      if (!error && Listing() == before) break;
    }
    return after;
  }

 private:
  // Names and sizes of all files.
  std::string Listing() const {
    std::set<std::string> files;
    std::error_code error;
    for (std::filesystem::recursive_directory_iterator at(dir_.path(), error), end;
         !error && at != end; at.increment(error)) {
      std::error_code ignored;
      const bool is_file = at->is_regular_file(ignored);
      files.insert(at->path().string() + " " +
                   std::to_string(is_file ? at->file_size(ignored) : 0));
    }
    std::string out;
    for (const std::string& file : files) out += file + "\n";
    return out;
  }

  const EngineKind kind_;
  const base::testing::TempDir dir_;
  base::os::LinuxFiles files_;
  std::unique_ptr<base::Dir> root_;
  std::unique_ptr<EngineHome> home_;
};

inline std::unique_ptr<EngineWorld> MakeWorld(EngineKind kind) {
  if (kind != EngineKind::kMemory) return std::make_unique<DiskWorld>(kind);
  base::sim::Files files(/*seed=*/1);
  files.MakeRoot("/data").value();
  files.Settle();
  return std::make_unique<MemoryWorld>(std::move(files));
}

// For INSTANTIATE_TEST_SUITE_P.
inline auto AllEngines() {
  return ::testing::Values(EngineKind::kMemory, EngineKind::kRocksDb, EngineKind::kLevelDb);
}
inline std::string EngineName(const ::testing::TestParamInfo<EngineKind>& info) {
  return std::string(EngineKindName(info.param));
}

}  // namespace slipway::eraft
