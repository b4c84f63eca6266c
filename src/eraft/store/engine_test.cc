#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "eraft/store/engine_contract.h"
#include "eraft/store/leveldb_engine.h"
#include "eraft/store/ordered_map.h"
#include "eraft/store/rocksdb_engine.h"

namespace slipway::eraft {
namespace {

using base::testing::IsOkAndHolds;
using base::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Optional;

INSTANTIATE_TEST_SUITE_P(Engines, EngineContract, AllEngines(), EngineName);

std::string Text(const OrderedMap::Frozen& map) {
  std::string out;
  for (auto at = map.Seek(""); map.At(at) != nullptr; at = map.After(at)) {
    absl::StrAppend(&out, map.At(at)->first, "=", map.At(at)->second, " ");
  }
  return out;
}

TEST(OrderedMap, IsAMapAndItsFrozenCopiesStay) {
  std::mt19937 random(3);
  OrderedMap map;
  std::map<std::string, std::string> oracle;
  std::vector<std::pair<OrderedMap::Frozen, std::string>> copies;
  for (int i = 0; i < 20000; ++i) {
    const std::string key = absl::StrFormat("%04d", random() % 3000);
    if (random() % 3 > 0) {
      map.Put(key, absl::StrCat(i));
      oracle[key] = absl::StrCat(i);
    } else if (random() % 200 > 0) {
      map.Erase(key);
      oracle.erase(key);
    } else {
      const std::string end = absl::StrFormat("%04d", random() % 3000);
      map.EraseRange({key, end});
      if (key < end) oracle.erase(oracle.lower_bound(key), oracle.lower_bound(end));
    }
    if (i % 2000 == 0) {
      OrderedMap::Frozen copy = map.Freeze();
      std::string text = Text(copy);
      copies.emplace_back(std::move(copy), std::move(text));
    }
  }
  std::string expected;
  uint64_t bytes = 0;
  for (const auto& [key, value] : oracle) {
    absl::StrAppend(&expected, key, "=", value, " ");
    bytes += key.size() + value.size();
  }
  EXPECT_EQ(Text(map.Freeze()), expected);
  EXPECT_EQ(map.size(), oracle.size());
  EXPECT_EQ(map.bytes(), bytes);
  for (const auto& [copy, text] : copies) EXPECT_EQ(Text(copy), text);
}

// E163, E406
TEST(MemoryEngine, EachFlippedByteOfItsFileIsFound) {
  MemoryWorld world{base::sim::Files(1)};
  {
    ASSERT_OK_AND_ASSIGN(const auto engine, world.home().Open("kv"));
    Batch batch;
    batch.Put("key", "value");
    batch.Put("other", "");
    ASSERT_OK(engine->Write(batch));
    ASSERT_OK(engine->Close());
  }
  ASSERT_OK_AND_ASSIGN(const std::string good, base::ReadFile(world.root(), "kv/state", 1000));
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    ASSERT_OK_AND_ASSIGN(const auto dir, world.root().OpenDir("kv"));
    ASSERT_OK(base::WriteFileDurably(*dir, "state", bad));
    EXPECT_THAT(world.home().Open("kv"), StatusIs(absl::StatusCode::kDataLoss)) << i;
  }
}

class OnDisk : public ::testing::TestWithParam<EngineKind> {};
INSTANTIATE_TEST_SUITE_P(Engines, OnDisk,
                         ::testing::Values(EngineKind::kRocksDb, EngineKind::kLevelDb), EngineName);

// E11
TEST_P(OnDisk, ASecondOpenIsRefused) {
  const auto world = MakeWorld(GetParam());
  ASSERT_OK_AND_ASSIGN(const auto engine, world->home().Open("kv"));
  EXPECT_THAT(world->home().Open("kv"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("another process")));
}

// E163: a damaged block is an error, never another value.
TEST_P(OnDisk, AFlippedByteOfATableIsNeverServed) {
  const auto before = MakeWorld(GetParam());
  {
    ASSERT_OK_AND_ASSIGN(const auto engine, before->home().Open("kv"));
    std::mt19937 random(5);
    Batch batch;
    for (int i = 0; i < 400; ++i) batch.Put(absl::StrFormat("k%03d", i), std::to_string(random()));
    ASSERT_OK(engine->Write(batch));
    ASSERT_OK(engine->Close());
  }
  {
    // LevelDB turns its log into a table when it opens.
    ASSERT_OK_AND_ASSIGN(const auto engine, before->home().Open("kv"));
  }
  const auto world = before->AfterCrash();  // with caches of its own
  ASSERT_OK_AND_ASSIGN(const auto dir, world->root().OpenDir("kv"));
  ASSERT_OK_AND_ASSIGN(const auto cursor, dir->List());
  std::string table;
  for (auto entry = cursor->Next(); entry.ok() && entry->has_value(); entry = cursor->Next()) {
    if (world->home().IsImmutable((*entry)->name)) table = (*entry)->name;
  }
  ASSERT_FALSE(table.empty());
  ASSERT_OK_AND_ASSIGN(const auto file, dir->Open(table, {.write = true}));
  uint8_t byte = 0;
  ASSERT_OK(file->ReadAt(200, absl::MakeSpan(&byte, 1)));
  byte ^= 1;
  ASSERT_OK(file->WriteAt(200, absl::MakeSpan(&byte, 1)));
  const auto engine = world->home().Open("kv");
  if (!engine.ok()) {
    EXPECT_THAT(engine, StatusIs(absl::StatusCode::kDataLoss));
    return;
  }
  EXPECT_THAT((*engine)->Get("k000"), StatusIs(absl::StatusCode::kDataLoss));
}

// What is wrong with a file is not taken for the engine's lock, whatever its path is called.
TEST_P(OnDisk, OnlyItsLockFileMeansAnotherProcess) {
  const base::testing::TempDir dir;
  const std::string root = dir.Join("block-1");
  std::filesystem::create_directory(root);
  base::os::LinuxFiles files;
  ASSERT_OK_AND_ASSIGN(const auto root_dir, files.OpenRoot(root));
  const auto home = GetParam() == EngineKind::kRocksDb
                        ? RocksDbHome(root, {.block_cache_bytes = 1 << 20})
                        : LevelDbHome(root, *root_dir, {.block_cache_bytes = 1 << 20});
  {
    ASSERT_OK_AND_ASSIGN(const auto engine, home->Open("kv"));
    EXPECT_THAT(home->Open("kv"), StatusIs(absl::StatusCode::kFailedPrecondition));
  }
  std::vector<std::filesystem::path> manifests;
  for (const auto& entry : std::filesystem::directory_iterator(root + "/kv")) {
    if (entry.path().filename().string().rfind("MANIFEST", 0) == 0) {
      manifests.push_back(entry.path());
    }
  }
  ASSERT_FALSE(manifests.empty());
  for (const std::filesystem::path& manifest : manifests) {
    std::filesystem::remove(manifest);
    std::filesystem::create_directory(manifest);
  }
  EXPECT_THAT(home->Open("kv"), StatusIs(absl::StatusCode::kDataLoss));
}

// No file of this process grows beyond `bytes`, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(uint64_t bytes) {
    old_handler_ = std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old_);
    struct rlimit limit = old_;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  struct rlimit old_ = {};
  void (*old_handler_)(int) = nullptr;
};

// E151: reading the log ends where a write broke off, so nothing may be called durable behind that.
TEST(LevelDb, AfterAWriteThatBrokeOffNothingIsCalledDurable) {
  const base::testing::TempDir dir;
  const base::testing::TempDir after;
  base::os::LinuxFiles files;
  ASSERT_OK_AND_ASSIGN(const auto root, files.OpenRoot(dir.path()));
  ASSERT_OK_AND_ASSIGN(const auto root_after, files.OpenRoot(after.path()));
  const auto home = LevelDbHome(dir.path(), *root, {.block_cache_bytes = 1 << 20});
  ASSERT_OK_AND_ASSIGN(const auto engine, home->Open("kv"));
  const auto write = [&](const std::string& n, size_t bytes) {
    Batch batch;
    batch.Put("n", n);
    batch.Put("value " + n, std::string(bytes, 'v'));
    return engine->Write(batch);
  };
  ASSERT_OK(write("1", 10));
  ASSERT_OK(engine->Flush());
  uint64_t log_bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir.Join("kv"))) {
    if (entry.path().extension() == ".log") log_bytes = entry.file_size();
  }
  ASSERT_GT(log_bytes, 0u);
  {
    const FileSizeLimit limit(log_bytes + 20);
    EXPECT_FALSE(write("2", 1000).ok());
  }
  EXPECT_FALSE(write("3", 10).ok());
  EXPECT_FALSE(engine->Flush().ok());
  EXPECT_THAT(engine->GetDurable("n"), IsOkAndHolds(Optional(std::string("1"))));
  std::filesystem::copy(dir.path(), after.path(), std::filesystem::copy_options::recursive);
  const auto home_after = LevelDbHome(after.path(), *root_after, {.block_cache_bytes = 1 << 20});
  ASSERT_OK_AND_ASSIGN(const auto found, home_after->Open("kv"));
  EXPECT_THAT(found->Get("n"), IsOkAndHolds(Optional(std::string("1"))));
}

TEST(Engine, KindsHaveNames) {
  for (const EngineKind kind : {EngineKind::kMemory, EngineKind::kRocksDb, EngineKind::kLevelDb}) {
    EXPECT_THAT(ParseEngineKind(EngineKindName(kind)), IsOkAndHolds(kind));
  }
  EXPECT_THAT(ParseEngineKind("lmdb"), StatusIs(absl::StatusCode::kInvalidArgument,
                                                HasSubstr("rocksdb, leveldb and memory")));
}

}  // namespace
}  // namespace slipway::eraft
