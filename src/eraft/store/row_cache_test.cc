// Rows that a state machine has at hand.
#include "eraft/store/row_cache.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "absl/strings/str_cat.h"

namespace slipway::eraft {
namespace {

TEST(RowCacheTest, KnowsWhatWasSetLast) {
  RowCache cache(1 << 20);
  EXPECT_EQ(cache.Find("a"), nullptr);
  cache.Put("a", "1");
  cache.Put("a", "2");
  ASSERT_NE(cache.Find("a"), nullptr);
  EXPECT_EQ(*cache.Find("a"), "2");
  cache.Delete("a");
  EXPECT_EQ(cache.Find("a"), nullptr);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(RowCacheTest, ForgetsAllAtOnce) {
  RowCache cache(1 << 20);
  cache.Put("a", "1");
  cache.Clear();
  EXPECT_EQ(cache.Find("a"), nullptr);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(RowCacheTest, ALongRowIsNotKeptNorWhatItWasBefore) {
  RowCache cache(64 << 10);
  cache.Put("a", "short");
  cache.Put("a", std::string(2048, 'x'));
  EXPECT_EQ(cache.Find("a"), nullptr);
}

TEST(RowCacheTest, WhatIsUsedStaysAndTheRestGoes) {
  RowCache cache(64 << 10);
  cache.Put("used", "row");
  cache.Put("left", "row");
  for (int i = 0; i < 2000; ++i) {
    cache.Put(absl::StrCat("other", i), std::string(100, 'x'));
    ASSERT_NE(cache.Find("used"), nullptr);
    ASSERT_LE(cache.bytes(), 64u << 10);
  }
  EXPECT_EQ(cache.Find("left"), nullptr);
}

// Against a map: it may know less, never otherwise.
TEST(RowCacheTest, NeverSaysWhatIsNotSo) {
  RowCache cache(8 << 10);
  std::map<std::string, std::string> rows;
  std::mt19937 random(5);
  for (int i = 0; i < 50'000; ++i) {
    const std::string key = absl::StrCat("key", random() % 100);
    switch (random() % 4) {
      case 0:
        cache.Delete(key);
        rows.erase(key);
        break;
      case 1:
        rows[key] = std::string(random() % 200, static_cast<char>('a' + random() % 26));
        cache.Put(key, rows[key]);
        break;
      default:
        if (const std::string* const found = cache.Find(key)) {
          ASSERT_EQ(rows.count(key), 1u) << key;
          ASSERT_EQ(*found, rows[key]);
        }
    }
    ASSERT_LE(cache.bytes(), 8u << 10);
  }
}

}  // namespace
}  // namespace slipway::eraft
