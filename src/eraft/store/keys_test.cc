#include "eraft/store/keys.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "base/testing/status_matchers.h"

namespace slipway::eraft {
namespace {

using base::testing::StatusIs;

constexpr uint32_t kNumbers[] = {0, 1, 0xff, 0x100, 0x7fffffff, 0xfffffffe, 0xffffffff};

bool In(absl::string_view key, const KeyRange& range) {
  return key >= range.begin && key < range.end;
}

std::vector<std::string> AwkwardKeys() {
  std::vector<std::string> keys = {"", "a", "ab", "b", std::string(1, '\0'), std::string(2, '\0')};
  for (const char* tail : {"\x01", "\xff", "\xff\xff", "\x01\x01"}) {
    keys.push_back(tail);
    keys.push_back(std::string("a\0", 2) + tail);
    keys.push_back(std::string("\0", 1) + tail);
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

TEST(Keys, EveryKindDecodesToItsFields) {
  for (const uint32_t n : kNumbers) {
    for (const std::string& text : AwkwardKeys()) {
      ASSERT_OK_AND_ASSIGN(DecodedKey key, DecodeKey(DataKey(n, ~n, text)));
      EXPECT_EQ(key.kind, KeyKind::kShardData);
      EXPECT_EQ(key.group, n);
      EXPECT_EQ(key.shard, ~n);
      EXPECT_EQ(key.text, text);
      ASSERT_OK_AND_ASSIGN(key, DecodeKey(ChunkKey(1, n, text, ~n)));
      EXPECT_EQ(key.kind, KeyKind::kChunk);
      EXPECT_EQ(key.text, text);
      EXPECT_EQ(key.chunk, ~n);
    }
    ASSERT_OK_AND_ASSIGN(DecodedKey key, DecodeKey(SessionKey(1, 2, uint64_t{n} << 20)));
    EXPECT_EQ(key.client, uint64_t{n} << 20);
    EXPECT_FALSE(key.is_answer);
    ASSERT_OK_AND_ASSIGN(key, DecodeKey(AnswerKey(1, 2, 3, ~uint64_t{n})));
    EXPECT_TRUE(key.is_answer);
    EXPECT_EQ(key.command, ~uint64_t{n});
    ASSERT_OK_AND_ASSIGN(key, DecodeKey(ExpiryKey(1, n, 7, 9)));
    EXPECT_EQ(key.time, n);
    EXPECT_EQ(key.shard, 7u);
    EXPECT_EQ(key.client, 9u);
  }
  ASSERT_OK_AND_ASSIGN(const DecodedKey meta, DecodeKey(MetaKey(5, "applied")));
  EXPECT_EQ(meta.kind, KeyKind::kMeta);
  EXPECT_EQ(meta.text, "applied");
}

TEST(Keys, OrderOfBytesIsOrderOfFields) {
  std::vector<std::string> keys;
  for (const uint32_t group : kNumbers) {
    for (const uint32_t shard : kNumbers) {
      for (const std::string& text : AwkwardKeys()) keys.push_back(DataKey(group, shard, text));
    }
  }
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
  keys.clear();
  for (const std::string& text : AwkwardKeys()) {
    for (const uint32_t chunk : kNumbers) keys.push_back(ChunkKey(1, 1, text, chunk));
  }
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
}

// E66: each range holds what belongs to it and nothing of its neighbours.
TEST(Keys, ARangeEndsWhereItsPrefixDoes) {
  for (const uint32_t a : kNumbers) {
    for (const uint32_t b : kNumbers) {
      for (const std::string& text : AwkwardKeys()) {
        const std::string data = DataKey(a, b, text);
        const std::string chunk = ChunkKey(a, b, text, 3);
        for (const uint32_t c : kNumbers) {
          EXPECT_EQ(In(data, GroupRange(c)), a == c);
          EXPECT_EQ(In(data, ShardRange(a, KeyKind::kShardData, c)), b == c);
          EXPECT_EQ(In(chunk, ShardRange(a, KeyKind::kChunk, c)), b == c);
          EXPECT_FALSE(In(chunk, ShardRange(a, KeyKind::kShardData, c)));
        }
        for (const std::string& other : AwkwardKeys()) {
          EXPECT_EQ(In(chunk, ChunkRange(a, b, other)), text == other)
              << absl::CHexEscape(text) << " in " << absl::CHexEscape(other);
        }
      }
    }
  }
  EXPECT_FALSE(In(SessionKey(1, 2, 3), AnswerRange(1, 2, 3)));
  EXPECT_TRUE(In(AnswerKey(1, 2, 3, 0), AnswerRange(1, 2, 3)));
  EXPECT_TRUE(In(AnswerKey(1, 2, 3, ~uint64_t{0}), AnswerRange(1, 2, 3)));
  EXPECT_FALSE(In(SessionKey(1, 2, 4), AnswerRange(1, 2, 3)));
  EXPECT_TRUE(In(ShardMetaKey(1, 0xffffffff), ShardMetaRange(1)));
  EXPECT_FALSE(In(MetaKey(1, "applied"), ShardMetaRange(1)));
}

TEST(Keys, WhatIsNoKeyIsRefused) {
  const std::string whole[] = {ChunkKey(1, 2, "key", 3), SessionKey(1, 2, 3),
                               ExpiryKey(1, 2, 3, 4)};
  for (const std::string& key : whole) {
    for (size_t size = 0; size < key.size(); ++size) {
      EXPECT_THAT(DecodeKey(absl::string_view(key).substr(0, size)),
                  StatusIs(absl::StatusCode::kDataLoss))
          << size;
    }
    EXPECT_THAT(DecodeKey(key + "x"), StatusIs(absl::StatusCode::kDataLoss));
  }
  EXPECT_THAT(DecodeKey(std::string("\x02\0\0\0\x01s\0\0\0\0", 10)),
              StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(DecodeKey(std::string("\x01\0\0\0\x01?", 6)), StatusIs(absl::StatusCode::kDataLoss));
}

// docs/formats/eraft-keys.md
TEST(Keys, TheDocumentedExampleIsWhatIsWritten) {
  EXPECT_EQ(absl::BytesToHexString(DataKey(7, 3, "cat")),
            "0100000007"
            "73"
            "00000003"
            "636174");
  EXPECT_EQ(absl::BytesToHexString(ChunkKey(7, 3, std::string("c\0t", 3), 1)),
            "0100000007"
            "64"
            "00000003"
            "6300ff74"
            "0001"
            "00000001");
  EXPECT_EQ(absl::BytesToHexString(AnswerKey(7, 3, 0xab, 2)),
            "0100000007"
            "63"
            "00000003"
            "00000000000000ab"
            "0000000000000002");
}

}  // namespace
}  // namespace slipway::eraft
