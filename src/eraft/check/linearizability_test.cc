#include "eraft/check/linearizability.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "base/sim/random.h"
#include "eraft/check/models.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace slipway::eraft::check {
namespace {

using Kind = RegisterModel::Kind;
using Op = Operation<RegisterModel>;
using History = std::vector<Op>;

Op Put(int64_t call, int64_t end, const std::string& value) {
  return {0, call, end, {Kind::kPut, "k", value, {}}, RegisterModel::Output{}};
}
Op Append(int64_t call, int64_t end, const std::string& value) {
  return {0, call, end, {Kind::kAppend, "k", value, {}}, RegisterModel::Output{}};
}
Op Get(int64_t call, int64_t end, std::optional<std::string> value) {
  return {0, call, end, {Kind::kGet, "k", "", {}}, RegisterModel::Output{std::move(value), false}};
}
Op Swap(int64_t call, int64_t end, std::optional<std::string> from, const std::string& to,
        bool ok) {
  return {0,
          call,
          end,
          {Kind::kCompareAndSet, "k", to, std::move(from)},
          RegisterModel::Output{{}, ok}};
}
Op Unknown(Op op) {
  op.end = kNever;
  op.output.reset();
  return op;
}

Verdict Judge(const History& history) { return CheckLinearizable(history).verdict; }

TEST(Linearizability, EmptyAndSequentialHistoriesAreLegal) {
  EXPECT_EQ(Judge({}), Verdict::kOk);
  EXPECT_EQ(Judge({Get(0, 1, std::nullopt), Put(2, 3, "a"), Get(4, 5, "a"), Append(6, 7, "b"),
                   Get(8, 9, "ab"), Swap(10, 11, "ab", "c", true), Swap(12, 13, "x", "d", false),
                   Get(14, 15, "c")}),
            Verdict::kOk);
}

TEST(Linearizability, StaleReadIsIllegal) {
  EXPECT_EQ(Judge({Put(0, 1, "a"), Put(2, 3, "b"), Get(4, 5, "a")}), Verdict::kIllegal);
}

TEST(Linearizability, ReadOfWhatWasNeverWrittenIsIllegal) {
  EXPECT_EQ(Judge({Put(0, 9, "a"), Get(1, 8, "b")}), Verdict::kIllegal);
}

TEST(Linearizability, ConcurrentReadsSeeOldOrNewButNotNewThenOld) {
  EXPECT_EQ(Judge({Put(0, 1, "a"), Put(2, 9, "b"), Get(3, 4, "a"), Get(5, 6, "b")}), Verdict::kOk);
  EXPECT_EQ(Judge({Put(0, 1, "a"), Put(2, 9, "b"), Get(3, 4, "b"), Get(5, 6, "a")}),
            Verdict::kIllegal);
}

TEST(Linearizability, DoubledAndLostAppendsAreIllegal) {
  EXPECT_EQ(Judge({Append(0, 1, "x"), Get(2, 3, "xx")}), Verdict::kIllegal);
  EXPECT_EQ(Judge({Append(0, 1, "x"), Append(2, 3, "y"), Get(4, 5, "y")}), Verdict::kIllegal);
  EXPECT_EQ(Judge({Append(0, 4, "x"), Append(1, 3, "y"), Get(5, 6, "yx")}), Verdict::kOk);
}

TEST(Linearizability, BothSwapsOfOneValueCannotSucceed) {
  EXPECT_EQ(Judge({Swap(0, 5, std::nullopt, "a", true), Swap(1, 6, std::nullopt, "b", true)}),
            Verdict::kIllegal);
  EXPECT_EQ(Judge({Swap(0, 5, std::nullopt, "a", true), Swap(1, 6, "a", "b", true)}), Verdict::kOk);
}

TEST(Linearizability, UnknownOutcomeMayTakeEffectLateOrNeverButOnce) {
  EXPECT_EQ(Judge({Unknown(Put(0, 1, "a")), Get(2, 3, std::nullopt), Get(4, 5, "a")}),
            Verdict::kOk);
  EXPECT_EQ(Judge({Unknown(Put(0, 1, "a")), Get(2, 3, std::nullopt)}), Verdict::kOk);
  EXPECT_EQ(Judge({Unknown(Append(0, 1, "a")), Get(2, 3, "a"), Get(4, 5, "aa")}),
            Verdict::kIllegal);
  // Not before its call either.
  EXPECT_EQ(Judge({Get(0, 1, "a"), Unknown(Put(2, 3, "a"))}), Verdict::kIllegal);
}

TEST(Linearizability, WhatTouchesInTimeIsConcurrent) {
  EXPECT_EQ(Judge({Put(0, 2, "a"), Get(2, 3, std::nullopt)}), Verdict::kOk);
}

TEST(Linearizability, StepsAreBounded) {
  History history;
  for (int i = 0; i < 40; ++i)
    history.push_back(Append(0, 1000, std::string(1, char('a' + i % 26))));
  history.push_back(Get(0, 1000, "never"));
  const Result result = CheckLinearizable(history, 10'000);
  EXPECT_EQ(result.verdict, Verdict::kUnknown);
  EXPECT_LE(result.steps, 10'001u);
}

TEST(Linearizability, IllegalHistoryComesWithItsLongestPrefix) {
  const History history = {Put(0, 1, "a"), Put(2, 3, "b"), Get(4, 5, "a")};
  const Result result = CheckLinearizable(history);
  ASSERT_EQ(result.verdict, Verdict::kIllegal);
  EXPECT_THAT(result.longest, testing::ElementsAre(std::vector<size_t>{0, 1}));
}

TEST(Linearizability, TransactionsCompareAndRunOneBranch) {
  using Txn = Operation<TxnModel>;
  const TxnModel::Input create = {
      {{"k", std::nullopt}}, {{TxnModel::Kind::kPut, "k", "1"}}, {{TxnModel::Kind::kGet, "k", ""}}};
  const TxnModel::Output won{true, {}};
  const auto lost = [](const std::string& value) { return TxnModel::Output{false, {value}}; };
  const auto judge = [](const std::vector<Txn>& history) {
    return CheckLinearizable(history).verdict;
  };
  EXPECT_EQ(judge({{0, 0, 5, create, won}, {1, 1, 6, create, lost("1")}}), Verdict::kOk);
  EXPECT_EQ(judge({{0, 0, 5, create, won}, {1, 1, 6, create, won}}), Verdict::kIllegal);
  EXPECT_EQ(judge({{0, 0, 5, create, won}, {1, 1, 6, create, lost("2")}}), Verdict::kIllegal);
}

TEST(Linearizability, TransactionsDeleteAndAnswerOnceForEachGet) {
  using Txn = Operation<TxnModel>;
  using TxnKind = TxnModel::Kind;
  const TxnModel::Input put = {{}, {{TxnKind::kPut, "k", "1"}}, {}};
  const TxnModel::Input erase = {{{"k", "1"}}, {{TxnKind::kDelete, "k", ""}}, {}};
  const TxnModel::Input get = {{}, {{TxnKind::kGet, "k", ""}}, {}};
  const auto judge = [&](const std::vector<std::optional<std::string>>& seen) {
    const std::vector<Txn> history = {{0, 0, 1, put, TxnModel::Output{true, {}}},
                                      {0, 2, 3, erase, TxnModel::Output{true, {}}},
                                      {0, 4, 5, get, TxnModel::Output{true, seen}}};
    return CheckLinearizable(history).verdict;
  };
  EXPECT_EQ(judge({std::nullopt}), Verdict::kOk);
  EXPECT_EQ(judge({"1"}), Verdict::kIllegal);
  EXPECT_EQ(judge({}), Verdict::kIllegal);
  EXPECT_EQ(judge({std::nullopt, std::nullopt}), Verdict::kIllegal);
}

TEST(Linearizability, WatchedEventsComeOnceInOrderNoneMissing) {
  using Event = Operation<QueueModel>;
  const auto push = [](int64_t at, const std::string& text) {
    return Event{0, at, at + 1, {text}, QueueModel::Output{}};
  };
  const auto take = [](int64_t at, std::optional<std::string> text) {
    return Event{1, at, at + 1, {}, QueueModel::Output{std::move(text)}};
  };
  const auto judge = [](const std::vector<Event>& h) { return CheckLinearizable(h).verdict; };
  EXPECT_EQ(judge({push(0, "a"), push(2, "b"), take(4, "a"), take(6, "b"), take(8, std::nullopt)}),
            Verdict::kOk);
  EXPECT_EQ(judge({push(0, "a"), push(2, "b"), take(4, "b")}), Verdict::kIllegal);
  EXPECT_EQ(judge({push(0, "a"), take(4, "a"), take(6, "a")}), Verdict::kIllegal);
  EXPECT_EQ(judge({push(0, "a"), take(4, std::nullopt)}), Verdict::kIllegal);
}

// The definition, word by word: some subset that holds all completed operations, in some order that
// respects real time, is explained by the model.
bool BruteForce(const History& history) {
  std::vector<size_t> unknown;
  for (size_t i = 0; i < history.size(); ++i) {
    if (history[i].end == kNever) unknown.push_back(i);
  }
  for (size_t subset = 0; subset < (size_t{1} << unknown.size()); ++subset) {
    std::vector<size_t> order;
    for (size_t i = 0; i < history.size(); ++i) {
      const auto at = std::find(unknown.begin(), unknown.end(), i);
      if (at == unknown.end() || (subset >> (at - unknown.begin())) % 2 == 1) order.push_back(i);
    }
    do {
      bool fits = true;
      for (size_t i = 0; i < order.size() && fits; ++i) {
        for (size_t j = i + 1; j < order.size() && fits; ++j) {
          fits = history[order[j]].end >= history[order[i]].call;
        }
      }
      RegisterModel::State state = RegisterModel::Initial();
      for (size_t i = 0; i < order.size() && fits; ++i) {
        const Op& op = history[order[i]];
        fits = RegisterModel::Step(state, op.input, op.output ? &*op.output : nullptr);
      }
      if (fits) return true;
    } while (std::next_permutation(order.begin(), order.end()));
  }
  return false;
}

Op RandomOperation(base::sim::Stream& random) {
  const std::string value(1, static_cast<char>('a' + random.Below(2)));
  const int64_t call = static_cast<int64_t>(random.Below(12));
  const int64_t end = call + 1 + static_cast<int64_t>(random.Below(6));
  const std::optional<std::string> seen =
      random.Below(3) == 0 ? std::nullopt : std::optional<std::string>(value);
  Op op = Get(call, end, seen);
  switch (random.Below(5)) {
    case 0:
      op = Put(call, end, value);
      break;
    case 1:
      op = Append(call, end, value);
      break;
    case 2:
      op = Swap(call, end, seen, "b", random.Below(2) == 0);
      break;
    default:
      break;
  }
  return random.Below(6) == 0 ? Unknown(op) : op;
}

TEST(Linearizability, AgreesWithBruteForceOnSmallRandomHistories) {
  base::sim::Stream random(20204);
  int legal = 0, illegal = 0;
  for (int round = 0; round < 6'000; ++round) {
    History history;
    const size_t count = 2 + random.Below(5);
    for (size_t i = 0; i < count; ++i) history.push_back(RandomOperation(random));
    const bool expected = BruteForce(history);
    ASSERT_EQ(Judge(history), expected ? Verdict::kOk : Verdict::kIllegal) << "round " << round;
    (expected ? legal : illegal) += 1;
  }
  EXPECT_GT(legal, 500);  // both answers are really tried
  EXPECT_GT(illegal, 500);
}

// A store that is right by construction: each operation takes effect at one moment within its time.
History RightHistory(base::sim::Stream& random, int clients, int keys, int operations) {
  struct Pending {
    int64_t at;
    Op op;
  };
  std::vector<Pending> all;
  std::vector<int64_t> free_at(static_cast<size_t>(clients), 0);
  for (int i = 0; i < operations; ++i) {
    const size_t client = random.Below(static_cast<uint64_t>(clients));
    const int64_t call = free_at[client] + static_cast<int64_t>(random.Below(20));
    const int64_t took = 1 + static_cast<int64_t>(random.Below(60));
    free_at[client] = call + took + 1;
    Op op = Get(call, call + took, std::nullopt);
    op.client = static_cast<int>(client);
    op.input.key = std::to_string(random.Below(static_cast<uint64_t>(keys)));
    const uint64_t kind = random.Below(10);
    op.input.kind = kind < 5 ? Kind::kGet : kind < 7 ? Kind::kPut : Kind::kAppend;
    op.input.value = absl::StrCat("[", i, "]");
    all.push_back({call + static_cast<int64_t>(random.Below(static_cast<uint64_t>(took))), op});
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Pending& a, const Pending& b) { return a.at < b.at; });
  std::map<std::string, RegisterModel::State> states;
  History history;
  for (Pending& pending : all) {
    RegisterModel::State& state = states[pending.op.input.key];
    RegisterModel::Step(state, pending.op.input, nullptr);
    if (pending.op.input.kind == Kind::kGet) pending.op.output->value = state;
    if (random.Below(200) == 0) pending.op = Unknown(pending.op);  // a client gave up
    history.push_back(pending.op);
  }
  return history;
}

const auto kKeyOf = [](const RegisterModel::Input& input) { return input.key; };

TEST(Linearizability, HundredThousandOperationsOfARightStoreAreLegal) {  // E204
  base::sim::Stream random(7);
  const History history = RightHistory(random, 32, 100, 100'000);
  for (const auto& [key, part] : SplitByKey(history, kKeyOf)) {
    ASSERT_EQ(Judge(SettleUnknownWrites(part)), Verdict::kOk) << "key " << key;
  }
}

TEST(Linearizability, OneWrongReadAmongThousandsIsFound) {
  base::sim::Stream random(8);
  const History right = RightHistory(random, 8, 1, 2'000);
  ASSERT_EQ(Judge(SettleUnknownWrites(right)), Verdict::kOk);
  int tried = 0;
  for (size_t at = 100; at < right.size() && tried < 20; ++at) {
    if (right[at].input.kind != Kind::kGet || !right[at].output.has_value()) continue;
    History wrong = right;
    std::optional<std::string>& value = wrong[at].output->value;
    if (std::count(value->begin(), value->end(), '[') < 2) continue;
    const size_t last = value->rfind('[');  // doubled, or the first lost and the last there
    tried % 2 == 0 ? value->append(value->substr(last)) : value->erase(0, value->find(']') + 1);
    EXPECT_EQ(Judge(SettleUnknownWrites(wrong)), Verdict::kIllegal) << "operation " << at;
    ++tried;
    at += 50;
  }
  EXPECT_EQ(tried, 20);
}

// Where a write could be seen otherwise than by a read that shows its token, nothing is settled.
TEST(Linearizability, SettlingLeavesAloneWhatItCannotTell) {
  const History compared = {Unknown(Put(0, 1, "[a]")), Swap(2, 3, "[a]", "[b]", true)};
  const History no_tokens = {Append(0, 1, "x"), Unknown(Append(2, 3, "a")), Get(4, 5, "xa")};
  const History twice = {Unknown(Append(0, 1, "[a]")), Unknown(Append(0, 1, "[a]")),
                         Get(2, 3, "[a]"), Get(4, 5, "[a]"), Get(6, 7, "[a][a]")};
  for (const History& history : {compared, no_tokens, twice}) {
    EXPECT_EQ(Judge(history), Verdict::kOk);
    const History settled = SettleUnknownWrites(history);
    EXPECT_EQ(settled.size(), history.size());
    EXPECT_EQ(Judge(settled), Verdict::kOk);
  }
  // Of a swap of unknown outcome nothing is known either.
  EXPECT_EQ(Judge(SettleUnknownWrites(
                {Put(0, 1, "[a]"), Unknown(Swap(2, 3, "[a]", "[b]", true)), Get(4, 5, "[b]")})),
            Verdict::kOk);
}

TEST(Linearizability, SettlingUnknownWritesChangesNoVerdict) {
  base::sim::Stream random(31);
  int legal = 0, illegal = 0, settled = 0;
  for (int round = 0; round < 6'000; ++round) {
    History history;
    std::string all;
    const size_t count = 2 + random.Below(5);
    for (size_t i = 0; i < count; ++i) {
      Op op = RandomOperation(random);
      if (op.input.kind == Kind::kCompareAndSet) op.input.kind = Kind::kDelete;
      op.input.value = absl::StrCat("[", i, "]");
      if (op.input.kind != Kind::kGet) all += op.input.value;
      history.push_back(op);
    }
    for (Op& op : history) {  // reads see a piece of what is written
      if (op.input.kind != Kind::kGet || !op.output.has_value()) continue;
      const size_t from = 3 * random.Below(all.size() / 3 + 1);
      const std::string piece = all.substr(from, 3 * random.Below(3));
      op.output->value = piece.empty() ? std::nullopt : std::optional<std::string>(piece);
    }
    const bool expected = BruteForce(history);
    const History short_form = SettleUnknownWrites(history);
    ASSERT_EQ(Judge(short_form), expected ? Verdict::kOk : Verdict::kIllegal) << "round " << round;
    (expected ? legal : illegal) += 1;
    settled += short_form.size() < history.size() ? 1 : 0;
  }
  EXPECT_GT(legal, 500);
  EXPECT_GT(illegal, 500);
  EXPECT_GT(settled, 500);
}

}  // namespace
}  // namespace slipway::eraft::check
