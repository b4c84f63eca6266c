#include "eraft/store/engine_contract.h"

#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/testing/status_matchers.h"

namespace slipway::eraft {

using base::testing::IsOkAndHolds;
using base::testing::StatusIs;
using ::testing::Eq;
using ::testing::Optional;

void EngineContract::SetUp() {
  world_ = MakeWorld(GetParam());
  ASSERT_OK_AND_ASSIGN(engine_, home().Open("kv"));
}

void EngineContract::Reopen() {
  engine_ = nullptr;
  ASSERT_OK_AND_ASSIGN(engine_, home().Open("kv"));
}

void EngineContract::Crash() {
  std::unique_ptr<EngineWorld> after = world_->AfterCrash();
  engine_ = nullptr;
  world_ = std::move(after);
  ASSERT_OK_AND_ASSIGN(engine_, home().Open("kv"));
}

void EngineContract::Put(absl::string_view key, absl::string_view value) {
  Batch batch;
  batch.Put(std::string(key), std::string(value));
  ASSERT_OK(engine().Write(batch));
}

std::string EngineContract::Get(absl::string_view key) {
  const auto value = engine().Get(key);
  return value.ok() ? value->value_or("-") : value.status().ToString();
}

std::string ScanText(const View& view, const KeyRange& range) {
  const auto rows = view.Scan(range);
  if (!rows.ok()) return rows.status().ToString();
  std::string out;
  for (; (*rows)->valid(); (*rows)->Next()) {
    absl::StrAppend(&out, out.empty() ? "" : " ", (*rows)->key(), "=", (*rows)->value());
  }
  return (*rows)->status().ok() ? out : (*rows)->status().ToString();
}

std::string EngineContract::Scan(const KeyRange& range) {
  const auto view = engine().NewView();
  return view.ok() ? ScanText(**view, range) : view.status().ToString();
}

namespace {

TEST_P(EngineContract, ABatchHappensInItsOrder) {
  Put("b", "old");
  Batch batch;
  batch.Put("a", "1");
  batch.Put("c", "1");
  batch.DeleteRange({"a", "c"});
  batch.Put("b", "2");
  batch.Put("d", "1");
  batch.Delete("d");
  batch.Delete("none");
  ASSERT_OK(engine().Write(batch));
  EXPECT_EQ(Scan(Everything()), "b=2 c=1");
  EXPECT_EQ(Get("a"), "-");
}

TEST_P(EngineContract, BytesOfAnyKindComeBack) {
  const std::string zeros("\0\0", 2);
  Put("", "empty key");
  Put(zeros, zeros);
  Put("\xfe\xff", "");
  Put("large", std::string(3 << 20, 'x'));
  EXPECT_EQ(Get(""), "empty key");
  EXPECT_EQ(Get(zeros), zeros);
  EXPECT_EQ(Get("\xfe\xff"), "");
  EXPECT_EQ(Get("large").size(), 3 << 20);
}

TEST_P(EngineContract, ADeletedRangeEndsAtItsBound) {
  for (const char* key : {"a", "b", "b\xff", "c", "d"}) Put(key, "1");
  Batch batch;
  batch.DeleteRange({"b", "c"});
  batch.DeleteRange({"d", "d"});
  batch.DeleteRange({"d", "a"});
  ASSERT_OK(engine().Write(batch));
  EXPECT_EQ(Scan(Everything()), "a=1 c=1 d=1");
}

// E66
TEST_P(EngineContract, AScanNeedsABoundAndStaysWithinIt) {
  for (const char* key : {"a", "b", "b\xff", "c", "d"}) Put(key, "1");
  EXPECT_EQ(Scan({"b", "c"}), "b=1 b\xff=1");
  EXPECT_EQ(Scan({"bb", "bc"}), "");
  ASSERT_OK_AND_ASSIGN(const auto view, engine().NewView());
  EXPECT_THAT(view->Scan({"a", ""}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(view->Scan({"b", "a"}), StatusIs(absl::StatusCode::kInvalidArgument));
  ASSERT_OK_AND_ASSIGN(const auto rows, view->Scan({"b", "c"}));
  rows->Seek("a");
  ASSERT_TRUE(rows->valid());
  EXPECT_EQ(rows->key(), "b");
  rows->Seek("b\x01");
  ASSERT_TRUE(rows->valid());
  EXPECT_EQ(rows->key(), "b\xff");
  rows->Seek("c");
  EXPECT_FALSE(rows->valid());
}

TEST_P(EngineContract, AViewDoesNotSeeLaterWrites) {
  Put("a", "1");
  Put("b", "1");
  ASSERT_OK_AND_ASSIGN(const auto view, engine().NewView());
  ASSERT_OK_AND_ASSIGN(const auto rows, view->Scan(Everything()));
  Put("a", "2");
  Put("aa", "2");
  Batch batch;
  batch.DeleteRange({"b", "c"});
  ASSERT_OK(engine().Write(batch));
  ASSERT_OK(engine().Flush());
  EXPECT_THAT(view->Get("a"), IsOkAndHolds(Optional(Eq("1"))));
  EXPECT_THAT(view->Get("aa"), IsOkAndHolds(std::nullopt));
  EXPECT_EQ(ScanText(*view, Everything()), "a=1 b=1");
  rows->Next();
  ASSERT_TRUE(rows->valid());
  EXPECT_EQ(rows->key(), "b");
  EXPECT_EQ(Scan(Everything()), "a=2 aa=2");
}

TEST_P(EngineContract, AnAnsweredWriteIsSeenByAllReadsAfterIt) {
  for (int i = 0; i < 300; ++i) {
    Put("k", absl::StrCat(i));
    ASSERT_EQ(Get("k"), absl::StrCat(i));
  }
}

TEST_P(EngineContract, ACheckpointIsACopyThatOpens) {
  Put("a", "1");
  ASSERT_OK(engine().Checkpoint("copy"));
  Put("a", "2");
  EXPECT_THAT(engine().Checkpoint("copy"), StatusIs(absl::StatusCode::kAlreadyExists));
  ASSERT_OK_AND_ASSIGN(const auto copy, home().Open("copy"));
  EXPECT_THAT(copy->Get("a"), IsOkAndHolds(Optional(Eq("1"))));
  Batch batch;
  batch.Put("b", "3");
  ASSERT_OK(copy->Write(batch));
  ASSERT_OK(copy->Close());
  EXPECT_EQ(Scan(Everything()), "a=2");
}

// E160
TEST_P(EngineContract, ACheckpointWhileWritingIsAPrefix) {
  std::thread writer([&] {
    for (int i = 1; i <= 2000; ++i) {
      Batch batch;
      batch.Put(absl::StrFormat("k%05d", i), absl::StrCat(i));
      batch.Put("n", absl::StrCat(i));
      EXPECT_OK(engine().Write(batch));
    }
  });
  for (int round = 0; round < 5; ++round) {
    EXPECT_OK(engine().Checkpoint(absl::StrCat("copy", round)));
  }
  writer.join();
  for (int round = 0; round < 5; ++round) {
    ASSERT_OK_AND_ASSIGN(const auto copy, home().Open(absl::StrCat("copy", round)));
    ASSERT_OK_AND_ASSIGN(const auto count, copy->Get("n"));
    int n = 0;
    ASSERT_TRUE(!count.has_value() || absl::SimpleAtoi(*count, &n));
    ASSERT_OK_AND_ASSIGN(const auto view, copy->NewView());
    ASSERT_OK_AND_ASSIGN(const auto rows, view->Scan({"k", "l"}));
    int found = 0;
    for (; rows->valid(); rows->Next()) ++found;
    EXPECT_EQ(found, n);
  }
}

TEST_P(EngineContract, IngestAddsSortedRows) {
  Put("a", "old");
  Put("m", "own");
  ASSERT_OK_AND_ASSIGN(const auto other, home().Open("other"));
  Batch batch;
  for (int i = 0; i < 1000; ++i) batch.Put(absl::StrFormat("a%04d", i), std::string(3000, 'v'));
  batch.Put("a", "new");
  ASSERT_OK(other->Write(batch));
  ASSERT_OK_AND_ASSIGN(const auto view, other->NewView());
  ASSERT_OK_AND_ASSIGN(const auto rows, view->Scan(Everything()));
  ASSERT_OK(engine().Ingest(*rows));
  ASSERT_OK(engine().Flush());
  Crash();
  EXPECT_EQ(Get("a"), "new");
  EXPECT_EQ(Get("m"), "own");
  EXPECT_EQ(Get("a0999"), std::string(3000, 'v'));
  EXPECT_EQ(Scan({"a0999", "b"}).size(), 3006);
}

TEST_P(EngineContract, ApproximateBytesFollowTheRange) {
  for (int i = 0; i < 200; ++i) Put(absl::StrFormat("k%03d", i), std::string(10000, 'a'));
  ASSERT_OK(engine().Flush());
  ASSERT_OK_AND_ASSIGN(const uint64_t none, engine().ApproximateBytes({"x", "y"}));
  ASSERT_OK_AND_ASSIGN(const uint64_t half, engine().ApproximateBytes({"k000", "k100"}));
  ASSERT_OK_AND_ASSIGN(const uint64_t all, engine().ApproximateBytes({"k", "l"}));
  EXPECT_LT(none, all / 10);
  EXPECT_LE(half, all);
  EXPECT_GT(all, 0u);
}

TEST_P(EngineContract, WhatWasClosedIsThereAgain) {
  Put("a", "1");
  ASSERT_OK(engine().Close());
  EXPECT_THAT(engine().Get("a"), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(engine().Flush(), StatusIs(absl::StatusCode::kFailedPrecondition));
  Reopen();
  EXPECT_EQ(Get("a"), "1");
  EXPECT_THAT(engine().GetDurable("a"), IsOkAndHolds(Optional(Eq("1"))));
}

// E151
TEST_P(EngineContract, WhatWasFlushedSurvivesACrash) {
  Put("a", "1");
  EXPECT_THAT(engine().GetDurable("a"), IsOkAndHolds(std::nullopt));
  ASSERT_OK(engine().Flush());
  EXPECT_THAT(engine().GetDurable("a"), IsOkAndHolds(Optional(Eq("1"))));
  Batch batch;
  batch.DeleteRange({"a", "b"});
  batch.Put("b", "1");
  ASSERT_OK(engine().Write(batch));
  ASSERT_OK(engine().Flush());
  Crash();
  EXPECT_EQ(Scan(Everything()), "b=1");
  EXPECT_THAT(engine().GetDurable("b"), IsOkAndHolds(Optional(Eq("1"))));
}

// E151: many crashes, each at some write; what is left is a prefix, and never shorter than the
// durable index said.
TEST_P(EngineContract, ACrashLeavesAPrefixNotBelowTheDurableIndex) {
  std::mt19937 random(17);
  int next = 1;
  const auto number = [](const std::optional<std::string>& text) {
    int value = 0;
    return text.has_value() && absl::SimpleAtoi(*text, &value) ? value : 0;
  };
  for (int round = 0; round < 12; ++round) {
    int durable = 0;
    const auto writes = 1 + random() % 60;
    for (unsigned i = 0; i < writes; ++i, ++next) {
      Batch batch;
      batch.Put(absl::StrFormat("k%05d", next), std::string(1 + random() % 5000, 'x'));
      batch.Put("n", absl::StrCat(next));
      ASSERT_OK(engine().Write(batch));
      if (random() % 16 == 0) {
        ASSERT_OK(engine().Flush());
      }
      ASSERT_OK_AND_ASSIGN(const auto row, engine().GetDurable("n"));
      ASSERT_GE(number(row), durable) << "the durable index fell";
      durable = number(row);
      ASSERT_LE(durable, next);
    }
    Crash();
    ASSERT_OK_AND_ASSIGN(const auto row, engine().Get("n"));
    const int kept = number(row);
    EXPECT_GE(kept, durable);
    ASSERT_OK_AND_ASSIGN(const auto view, engine().NewView());
    ASSERT_OK_AND_ASSIGN(const auto rows, view->Scan({"k", "l"}));
    int found = 0;
    for (; rows->valid(); rows->Next()) ++found;
    EXPECT_EQ(found, kept) << "not a prefix";
    next = kept + 1;
  }
}

TEST_P(EngineContract, RandomOperationsMatchAMap) {
  std::mt19937 random(4711);
  std::map<std::string, std::string> oracle;
  const auto key = [&] { return absl::StrFormat("k%03d", random() % 300); };
  for (int round = 0; round < 400; ++round) {
    Batch batch;
    for (unsigned i = 0; i <= random() % 8; ++i) {
      const std::string k = key();
      const auto kind = random() % 10;
      if (kind < 6) {
        oracle[k] = absl::StrCat(random());
        batch.Put(k, oracle[k]);
      } else if (kind < 9) {
        oracle.erase(k);
        batch.Delete(k);
      } else {
        const std::string end = absl::StrCat(k, "9");
        oracle.erase(oracle.lower_bound(k), oracle.lower_bound(end));
        batch.DeleteRange({k, end});
      }
    }
    ASSERT_OK(engine().Write(batch));
    if (round % 50 == 49) {
      ASSERT_OK(engine().Flush());
    }
    if (round % 100 == 99) {
      ASSERT_OK(engine().Close());
      Reopen();
    }
    KeyRange range = {key(), key()};
    if (range.begin > range.end) std::swap(range.begin, range.end);
    std::string expected;
    for (auto row = oracle.lower_bound(range.begin); row != oracle.lower_bound(range.end); ++row) {
      absl::StrAppend(&expected, expected.empty() ? "" : " ", row->first, "=", row->second);
    }
    ASSERT_EQ(Scan(range), expected) << "round " << round;
  }
}

}  // namespace
}  // namespace slipway::eraft
