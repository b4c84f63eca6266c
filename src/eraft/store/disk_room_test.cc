// E167: an engine over a disk that is full for a while.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/os/files.h"
#include "base/sync/mutex.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "eraft/store/engine_contract.h"
#include "eraft/store/leveldb_engine.h"
#include "eraft/store/rocksdb_engine.h"

namespace slipway::eraft {
namespace {

using base::testing::IsOkAndHolds;
using base::testing::StatusIs;
using ::testing::Optional;

constexpr uint64_t kPlenty = uint64_t{1} << 40;
constexpr size_t kBuffer = 64 << 10;

// Full for the threads of the engine, or for all.
class FullDisk : public ::testing::TestWithParam<EngineKind> {
 protected:
  FullDisk() : root_(*files_.OpenRoot(dir_.path())) {
    const FreeBytes free = [this, test = std::this_thread::get_id()] {
      const bool own = std::this_thread::get_id() != test;
      return (own ? full_ : full_for_all_) ? 0 : kPlenty;
    };
    if (GetParam() == EngineKind::kRocksDb) {
      home_ = RocksDbHome(
          dir_.path(),
          {.block_cache_bytes = 1 << 20, .write_buffer_bytes = kBuffer, .free_bytes = free});
    } else {
      home_ = LevelDbHome(
          dir_.path(), *root_,
          {.block_cache_bytes = 1 << 20, .write_buffer_bytes = kBuffer, .free_bytes = free});
    }
  }
  static absl::Status Put(Engine& engine, const std::string& key, size_t bytes) {
    Batch batch;
    batch.Put(key, std::string(bytes, 'v'));
    return engine.Write(batch);
  }
  // Writes little, again and again, until `done` is so.
  static bool WriteUntil(Engine& engine, absl::StatusCode code) {
    base::Mutex mutex;
    base::CondVar never;
    for (int i = 0; i < 1000; ++i) {
      if (Put(engine, "little", 1).code() == code) return true;
      base::MutexLock lock(mutex);
      never.WaitFor(mutex, absl::Milliseconds(10));
    }
    return false;
  }
  // More than a buffer, so that the engine has to make a table of it, which finds no room.
  void Fill(Engine& engine) {
    full_ = true;
    ASSERT_OK(Put(engine, "much", 2 * kBuffer));
    ASSERT_TRUE(WriteUntil(engine, absl::StatusCode::kResourceExhausted));
  }

  const base::testing::TempDir dir_;
  base::os::LinuxFiles files_;
  std::unique_ptr<base::Dir> root_;
  std::atomic<bool> full_{false}, full_for_all_{false};
  std::unique_ptr<EngineHome> home_;
};
INSTANTIATE_TEST_SUITE_P(Engines, FullDisk,
                         ::testing::Values(EngineKind::kRocksDb, EngineKind::kLevelDb), EngineName);

TEST_P(FullDisk, HoldsWritesAndNotReadsAndGoesOnByItself) {
  ASSERT_OK_AND_ASSIGN(const auto engine, home_->Open("kv"));
  ASSERT_OK(Put(*engine, "before", 1));
  ASSERT_NO_FATAL_FAILURE(Fill(*engine));
  EXPECT_THAT(engine->Get("before"), IsOkAndHolds(Optional(std::string("v"))));
  EXPECT_THAT(engine->Get("much"), IsOkAndHolds(Optional(std::string(2 * kBuffer, 'v'))));
  full_ = false;
  ASSERT_TRUE(WriteUntil(*engine, absl::StatusCode::kOk));
  for (int i = 0; i < 20; ++i) ASSERT_OK(Put(*engine, absl::StrCat("more", i), kBuffer / 2));
  ASSERT_OK(engine->Flush());
  EXPECT_THAT(engine->GetDurable("much"), IsOkAndHolds(Optional(std::string(2 * kBuffer, 'v'))));
  ASSERT_OK(engine->Close());
}

TEST_P(FullDisk, IsNoReasonNotToClose) {
  {
    ASSERT_OK_AND_ASSIGN(const auto engine, home_->Open("kv"));
    ASSERT_OK(Put(*engine, "before", 1));
    ASSERT_OK(engine->Flush());
    ASSERT_NO_FATAL_FAILURE(Fill(*engine));
    engine->StopWaiting();
    ASSERT_OK(engine->Close());
  }
  full_ = false;
  ASSERT_OK_AND_ASSIGN(const auto engine, home_->Open("kv"));
  EXPECT_THAT(engine->Get("before"), IsOkAndHolds(Optional(std::string("v"))));
  EXPECT_OK(Put(*engine, "after", 1));
}

TEST_P(FullDisk, RefusesToOpenUntilThereIsRoom) {
  full_ = full_for_all_ = true;
  EXPECT_THAT(home_->Open("kv"), StatusIs(absl::StatusCode::kResourceExhausted));
  full_ = full_for_all_ = false;
  ASSERT_OK_AND_ASSIGN(const auto engine, home_->Open("kv"));
  EXPECT_OK(Put(*engine, "k", 1));
}

}  // namespace
}  // namespace slipway::eraft
