#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/testing/status_matchers.h"
#include "eraft/store/engine_contract.h"
#include "eraft/store/ordered_map.h"

namespace slipway::eraft {
namespace {

using base::testing::IsOkAndHolds;
using base::testing::StatusIs;
using ::testing::HasSubstr;

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

TEST(Engine, KindsHaveNames) {
  for (const EngineKind kind : {EngineKind::kMemory, EngineKind::kRocksDb, EngineKind::kLevelDb}) {
    EXPECT_THAT(ParseEngineKind(EngineKindName(kind)), IsOkAndHolds(kind));
  }
  EXPECT_THAT(ParseEngineKind("lmdb"), StatusIs(absl::StatusCode::kInvalidArgument,
                                                HasSubstr("rocksdb, leveldb and memory")));
}

}  // namespace
}  // namespace slipway::eraft
