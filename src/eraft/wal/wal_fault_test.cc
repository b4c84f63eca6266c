// The log under every single fault of the disk (STYLE S24): what was answered is there, and what is
// there is a prefix of what was asked for.
#include <cerrno>
#include <functional>
#include <utility>

#include "absl/strings/match.h"
#include "eraft/wal/segment_files.h"
#include "eraft/wal/test_wal.h"

namespace slipway::eraft::wal {
namespace {

using absl::StatusCode;
using base::sim::Loss;
using ::slipway::base::testing::StatusIs;
using ::testing::HasSubstr;

constexpr int kOperationsMax = 3000;

// Requests of one record each, so that a crash within a batch leaves one of the states below; and
// enough of them to begin, retire and use again several segments.
std::vector<std::pair<raft::GroupId, Batch>> Script() {
  std::vector<std::pair<raft::GroupId, Batch>> script;
  raft::Index next = 1;
  for (raft::Term term = 1; term <= 12; ++term) {
    script.push_back({1, {.hard_state = raft::HardState{term, term % 3, next - 1}}});
    for (int i = 0; i < 3; ++i) {
      script.push_back({1, {.entries = MakeEntries(next, 2, term, 600)}});
      script.push_back({2, {.entries = MakeEntries(next, 1, term, 100)}});
      next += 2;
      script.push_back({2, {.truncate_suffix_from = next}});
    }
    script.push_back({1, {.truncate_suffix_from = next - 1}});
    next -= 1;
    script.push_back({2, {.truncate_prefix = raft::SnapshotMark{next - 1, term, {}}}});
    script.push_back({1, {.truncate_prefix = raft::SnapshotMark{next - 2, term, {.voters = {1}}}}});
  }
  return script;
}

// Group 2's indexes have gaps in that script; make each append follow its last.
std::vector<std::pair<raft::GroupId, Batch>> ConsecutiveScript() {
  auto script = Script();
  std::map<raft::GroupId, raft::Index> last;
  for (auto& [group, batch] : script) {
    raft::Index& end = last[group];
    if (!batch.entries.empty()) {
      batch.entries = MakeEntries(end + 1, batch.entries.size(), batch.entries[0].term,
                                  batch.entries[0].payload.size());
      end = batch.entries.back().index;
    } else if (batch.truncate_suffix_from) {
      *batch.truncate_suffix_from = std::max<raft::Index>(end, 1);
      end = *batch.truncate_suffix_from - 1;
    } else if (batch.truncate_prefix && batch.truncate_prefix->index > end) {
      batch.truncate_prefix->index = end;
    }
    // An entry below the mark would be gone at once; the suffix is never cut below it.
    if (batch.truncate_prefix && batch.truncate_prefix->index > 0) {
      batch.truncate_prefix->index = end > 2 ? end - 2 : 0;
    }
  }
  return script;
}

struct Outcome {
  size_t issued = 0;
  size_t answered = 0;  // with OK
  absl::Status first_error;
};

// Runs the script, three requests at a time, until something fails.
Outcome Play(Node& node, const std::vector<std::pair<raft::GroupId, Batch>>& script) {
  Outcome outcome;
  outcome.first_error = node.Open();
  for (size_t i = 0; i < script.size() && outcome.first_error.ok(); ++i) {
    const absl::Status accepted =
        node.wal->Append(script[i].first, script[i].second, [&outcome](const absl::Status& status) {
          if (status.ok()) {
            ++outcome.answered;
          } else {
            outcome.first_error.Update(status);
          }
        });
    if (!accepted.ok()) {
      outcome.first_error.Update(accepted);
      break;
    }
    ++outcome.issued;
    if (i % 3 == 2) node.Run();
  }
  node.Run();
  return outcome;
}

std::vector<LogModel> StatesOf(const std::vector<std::pair<raft::GroupId, Batch>>& script) {
  std::vector<LogModel> states(1);
  for (const auto& [group, batch] : script) {
    LogModel next = states.back();
    ApplyTo(next, group, batch);
    states.push_back(std::move(next));
  }
  return states;
}

// Which state the log is in: the number of requests that took effect, or -1.
int StateOf(const LogModel& model, const std::vector<LogModel>& states, const Outcome& outcome) {
  for (size_t k = outcome.answered; k <= outcome.issued; ++k) {
    if (states[k] == model) return static_cast<int>(k);
  }
  return -1;
}

TEST(WalFaults, PowerLossAtEveryOperationLosesNothingAnswered) {  // E113, E407
  const auto script = ConsecutiveScript();
  const std::vector<LogModel> states = StatesOf(script);
  for (int n = 1; n < kOperationsMax; ++n) {
    Node node(static_cast<uint64_t>(n));
    node.files.PowerLossAt(n);
    const Outcome outcome = Play(node, script);
    const bool off = node.files.off();
    const base::sim::Files crashed = node.files;
    for (const Loss loss : {Loss::kSeeded, Loss::kOrdered, Loss::kLoseAllUnsynced}) {
      node.wal.reset();
      node.files = crashed;
      const absl::Status opened = node.Reboot(loss, static_cast<uint64_t>(n));
      ASSERT_OK(opened) << "power loss at " << n;
      ASSERT_GE(StateOf(ModelOf(*node.wal), states, outcome), 0)
          << "power loss at " << n << ", answered " << outcome.answered << " of " << outcome.issued;
      // And it goes on, and comes back again.
      ASSERT_OK(node.Append(3, {.entries = MakeEntries(1, 1)}));
      const LogModel before = ModelOf(*node.wal);
      ASSERT_OK(node.Reboot(loss, static_cast<uint64_t>(n) + 1)) << "power loss at " << n;
      ASSERT_EQ(ModelOf(*node.wal), before) << "power loss at " << n;
    }
    if (!off) {
      EXPECT_EQ(outcome.answered, script.size());
      EXPECT_GT(n, 100);
      return;
    }
  }
  FAIL() << "it never came to an end";
}

// The node crashes again and again; each time it goes on where it was.
TEST(WalFaults, RepeatedPowerLossLosesNothingAnswered) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Node node(seed);
    base::sim::Stream choices(seed);
    LogModel model;
    raft::Index next = 1;
    for (int life = 0; life < 12; ++life) {
      ASSERT_OK(node.Reboot(Loss::kSeeded, static_cast<uint64_t>(life))) << seed;
      const LogModel found = ModelOf(*node.wal);
      next = found.count(1) > 0 ? node.wal->Find(1)->last_index + 1 : 1;
      for (const auto& [index, entry] : model[1].entries) {
        ASSERT_TRUE(found.count(1) > 0 && found.at(1).entries.count(index) > 0)
            << "seed " << seed << " life " << life << " entry " << index;
        ASSERT_EQ(found.at(1).entries.at(index), entry);
      }
      model = found;
      node.files.PowerLossAt(static_cast<int>(1 + choices.Below(60)));
      for (int i = 0; i < 40; ++i) {
        const auto entries = MakeEntries(next, 1 + choices.Below(3),
                                         1 + static_cast<uint64_t>(life), 20 + choices.Below(900));
        if (!node.wal
                 ->Append(1, {.entries = entries},
                          [&model, entries](const absl::Status& status) {
                            if (status.ok()) model[1].Apply({.entries = entries});
                          })
                 .ok()) {
          break;
        }
        next += entries.size();
        if (choices.Chance(60)) node.Run();
      }
      node.Run();
    }
  }
}

TEST(WalFaults, AnErrorIsFinalAndNothingAnsweredIsLost) {  // E114
  const auto script = ConsecutiveScript();
  const std::vector<LogModel> states = StatesOf(script);
  for (int n = 1; n < kOperationsMax; ++n) {
    Node node(static_cast<uint64_t>(n));
    node.files.FailAt(n, base::ErrnoError(EIO, "disk"));
    const Outcome outcome = Play(node, script);
    const std::vector<std::string> trace = node.files.trace();
    const bool failed = static_cast<int>(trace.size()) >= n;
    if (failed && node.wal != nullptr && !node.wal->status().ok()) {
      const absl::Status error = node.wal->status();
      EXPECT_THAT(node.Append(1, {.entries = MakeEntries(900, 1)}),
                  StatusIs(error.code(), std::string(error.message())));
      // Nothing is written or synced behind it.
      const size_t operations = node.files.trace().size();
      node.wal->Tick();
      node.Run();
      EXPECT_EQ(node.files.trace().size(), operations);
    }
    // The process ends and begins anew; then the power goes: nothing that was seen gets lost. A
    // name that a directory could not keep is another matter: there the file system itself is
    // broken.
    const bool name_lost = failed &&
                           absl::StrContains(trace[static_cast<size_t>(n) - 1], "fsync") &&
                           !absl::StrContains(trace[static_cast<size_t>(n) - 1], ".");
    if (!name_lost) {
      ASSERT_OK(node.Reboot(Loss::kKeepAll)) << "EIO at " << n;
      const LogModel seen = ModelOf(*node.wal);
      EXPECT_GE(StateOf(seen, states, outcome), 0) << "EIO at " << n;
      ASSERT_OK(node.Reboot(Loss::kLoseAllUnsynced)) << "EIO at " << n;
      EXPECT_EQ(ModelOf(*node.wal), seen) << "EIO at " << n;
    } else {
      ASSERT_OK(node.Reboot(Loss::kSeeded)) << "EIO at " << n;
      EXPECT_GE(StateOf(ModelOf(*node.wal), states, outcome), 0)
          << "EIO at " << n << " " << trace[static_cast<size_t>(n) - 1];
    }
    if (!failed) return;
  }
  FAIL() << "it never came to an end";
}

TEST(WalFaults, AFailedSyncIsNotTriedAgain) {  // E114
  Node node(1);
  ASSERT_OK(node.Open());
  ASSERT_OK(node.Append(1, {.entries = MakeEntries(1, 1)}));
  node.Run();
  node.files.Settle();
  node.files.FailAt(2, base::ErrnoError(EIO, "disk"));
  absl::Status told;
  node.wal->OnFailure([&told](absl::Status status) { told = std::move(status); });
  const absl::Status answer = node.Append(1, {.entries = MakeEntries(2, 1)});
  EXPECT_THAT(answer, StatusIs(StatusCode::kDataLoss, HasSubstr("sync")));
  EXPECT_THAT(std::string(answer.message()), HasSubstr("1.wal"));
  EXPECT_THAT(std::string(answer.message()), HasSubstr("Input/output error"));
  EXPECT_EQ(told, answer);
  EXPECT_EQ(node.files.trace().size(), 2u);  // one write, one sync
  ASSERT_OK(node.Reboot(Loss::kLoseAllUnsynced));
  EXPECT_EQ(node.wal->Find(1)->last_index, 1u);
}

TEST(WalFaults, AFullDiskLosesNothingAnswered) {  // E167: at every operation, once and for good
  const auto script = ConsecutiveScript();
  const std::vector<LogModel> states = StatesOf(script);
  for (const bool sticky : {false, true}) {
    bool ended = false;
    for (int n = 1; n < kOperationsMax && !ended; ++n) {
      Node node(static_cast<uint64_t>(n));
      node.files.FailAt(n, base::ErrnoError(ENOSPC, "disk"), sticky);
      const Outcome outcome = Play(node, script);
      ended = static_cast<int>(node.files.trace().size()) < n;
      node.wal.reset();
      node.files.ClearFaults();
      ASSERT_OK(node.Reboot(Loss::kLoseAllUnsynced)) << "ENOSPC at " << n;
      EXPECT_GE(StateOf(ModelOf(*node.wal), states, outcome), 0) << "ENOSPC at " << n;
    }
    EXPECT_TRUE(ended);
  }
}

TEST(WalFaults, WithoutRoomForASegmentRequestsWaitAndThenGoOn) {  // E167
  Node node(1);
  ASSERT_OK(node.Open());
  node.Run();
  ASSERT_OK_AND_ASSIGN(const base::Space space, node.dir->FreeSpace());
  static_cast<void>(space);
  // Room for what is there: one segment, one spare, HARD.
  node.files.SetCapacity(2 * kSegmentBytesMin + 3 * 4096);
  raft::Index next = 1;
  size_t answered = 0;
  while (node.wal->status().ok() && next < 500) {
    ASSERT_OK(node.wal->Append(1, {.entries = MakeEntries(next++, 1, 1, 500)},
                               [&](const absl::Status& status) {
                                 EXPECT_OK(status);
                                 ++answered;
                               }));
    node.Run();
  }
  EXPECT_THAT(node.wal->status(), StatusIs(StatusCode::kResourceExhausted, HasSubstr("3.wal")));
  EXPECT_GT(answered, 30u);  // the spare was used up first
  EXPECT_EQ(answered + 1, next - 1);
  EXPECT_EQ(node.wal->Find(1)->last_index, answered);  // reads go on
  node.wal->Tick();
  node.Run();
  EXPECT_FALSE(node.wal->status().ok());
  node.files.SetCapacity(0);
  node.wal->Tick();
  node.Run();
  EXPECT_OK(node.wal->status());
  EXPECT_EQ(answered, next - 1);
  ASSERT_OK(node.Append(1, {.entries = MakeEntries(next, 1)}));
}

// E167: a spare that does not fit is not begun: filled to its end, the disk has room for nothing.
TEST(WalFaults, ASpareIsMadeOnlyWhereRoomIsLeftBehindIt) {
  Node node(2);
  ASSERT_OK(node.Open());
  node.Run();                                    // one segment, one spare, HARD
  node.files.SetCapacity(3 * kSegmentBytesMin);  // none is left behind another spare
  ASSERT_OK_AND_ASSIGN(const auto wal, node.dir->OpenDir(kWalDirectory));
  ASSERT_OK(wal->Remove(kSpareNames[0]));
  SegmentFiles files(*wal, kSegmentBytesMin);
  ASSERT_OK(files.Open());
  const size_t before = node.files.trace().size();
  EXPECT_THAT(files.PrepareSpare(), StatusIs(StatusCode::kResourceExhausted));
  EXPECT_EQ(node.files.trace().size(), before);  // nothing was written
  node.files.SetCapacity(0);
  EXPECT_OK(files.PrepareSpare());
  EXPECT_TRUE(files.has_spare());
}

// A segment whose name is not durable would take everything in it along.
TEST(WalFaults, ANewSegmentsNameIsDurableBeforeItIsUsed) {
  Node node(5);
  ASSERT_OK(node.Open());
  raft::Index next = 1;
  while (node.wal->segment_count() < 3) {
    ASSERT_OK(node.Append(1, {.entries = MakeEntries(next++, 1, 1, 500)}));
  }
  ASSERT_OK(node.Reboot(Loss::kLoseAllUnsynced));
  EXPECT_EQ(node.wal->Find(1)->last_index, next - 1);
}

// Of a spare that a crash left, the size may be there and the blocks not: a sync inside it would
// then find no room.
TEST(WalFaults, ASpareWithHolesIsMadeAnew) {  // E111
  Node node(1);
  ASSERT_OK(node.Open());
  node.Run();
  node.wal.reset();
  {
    ASSERT_OK_AND_ASSIGN(const auto file, node.dir->Open("wal/spare.wal", {.write = true}));
    ASSERT_OK(file->Truncate(0));
    ASSERT_OK(file->Truncate(kSegmentBytesMin));
  }
  node.files.Settle();
  ASSERT_OK(node.Open());
  node.Run();
  ASSERT_OK_AND_ASSIGN(const base::Meta meta, node.dir->Stat("wal/spare.wal"));
  EXPECT_EQ(meta.allocated_bytes, kSegmentBytesMin);
}

// What a reused file held in an earlier life is never taken for records of this one. The sizes are
// such that an old record begins exactly where the new ones end.
TEST(WalFaults, StaleBytesOfARecycledSegmentAreNotRecords) {  // E111, E112
  Node node(1);
  ASSERT_OK(node.Open());
  LogModel model;
  const auto append = [&](const Batch& batch) {
    ASSERT_OK(node.Append(1, batch));
    ApplyTo(model, 1, batch);
  };
  for (raft::Index next = 1; next <= 400; ++next) {
    append({.entries = MakeEntries(next, 1, 1, 200)});
    append({.truncate_prefix = raft::SnapshotMark{next > 3 ? next - 3 : 0, 1, {}}});
    if (next % 7 != 0) continue;
    ASSERT_OK(node.Reboot(Loss::kLoseAllUnsynced)) << next;
    ASSERT_TRUE(ModelOf(*node.wal) == model) << next;
  }
}

// Group 1 has nothing in the first segment but its state, which the first batch of the next one is
// to repeat: whatever a crash leaves of that batch, the state is kept.
TEST(WalFaults, ATornFirstBatchOfASegmentLosesNoState) {  // E113, E115
  const raft::Membership members{.voters = {1, 2, 3}};
  Node before(7);
  ASSERT_OK(before.Open());
  ASSERT_OK(before.Append(1, {.hard_state = raft::HardState{4, 2, 3}}));
  for (raft::Index next = 1; next <= 17; ++next) {
    ASSERT_OK(before.Append(1, {.entries = MakeEntries(next, 1, 4, 500)}));
  }
  ASSERT_OK(before.Append(1, {.membership = MembershipCopy{3, members},
                              .snapshot_intent = SnapshotIntent{{17, 4, members}, "somewhere"},
                              .truncate_prefix = raft::SnapshotMark{17, 4, members}}));
  ASSERT_EQ(before.wal->segment_count(), 1u);
  before.wal.reset();
  before.files.Settle();
  bool cut = true;
  for (int n = 1; cut; ++n) {
    ASSERT_LT(n, 100);
    for (uint64_t attempt = 0; attempt < 20; ++attempt) {
      Node node(7);
      node.files = before.files;
      ASSERT_OK(node.Open());
      node.Run();
      node.files.PowerLossAt(n);
      node.Append(2, {.entries = MakeEntries(1, 2, 4, 1200)}).IgnoreError();
      cut = node.files.off();
      for (const Loss loss : {Loss::kSeeded, Loss::kLoseAllUnsynced}) {
        ASSERT_OK(node.Reboot(loss, attempt)) << n;
        ASSERT_OK(node.Append(3, {.entries = MakeEntries(1, 1)}));  // the upkeep runs as well
        const std::optional<GroupView> view = node.wal->Find(1);
        ASSERT_TRUE(view.has_value()) << n << " " << attempt;
        EXPECT_EQ(view->mark.index, 17u);
        EXPECT_EQ(view->hard_state.vote, 2u);
        EXPECT_TRUE(view->membership.has_value());
        EXPECT_TRUE(view->intent.has_value());
      }
    }
  }
}

// Runs a function at the next look at the time, which the log takes between a write and its sync.
class HookClock : public base::Clock {
 public:
  absl::Time Wall() override { return absl::UnixEpoch(); }
  absl::Duration Monotonic() override {
    if (hook) std::exchange(hook, nullptr)();
    return absl::ZeroDuration();
  }
  std::function<void()> hook;
};

// The upkeep runs beside the writer: it must not retire a segment whose state the next one has not
// yet repeated durably.
TEST(WalFaults, ASegmentIsNotRetiredBeforeTheNextOneHasBegun) {  // E115
  Node node(7);
  HookClock clock;
  ASSERT_OK_AND_ASSIGN(const auto dir, node.files.OpenRoot("/node"));
  const WalParts parts{*dir, node.writer_pool, node.background_pool, clock, node.metrics};
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<Wal> wal, Wal::Open(node.options, parts, nullptr));
  node.Run();
  for (raft::Index next = 1; next <= 18; ++next) {
    ASSERT_OK(wal->Append(1, {.entries = MakeEntries(next, 1, 4, 500)}, nullptr));
    node.Run();
  }
  ASSERT_OK(wal->Append(1, {.truncate_prefix = raft::SnapshotMark{18, 4, {}}}, nullptr));
  node.Run();
  ASSERT_EQ(wal->segment_count(), 1u);
  wal->Tick();  // puts the upkeep into its queue
  while (node.writer_pool.RunOne()) {
  }
  ASSERT_OK(wal->Append(2, {.entries = MakeEntries(1, 2, 4, 1200)}, nullptr));
  bool ran = false;
  clock.hook = [&] {
    ran = node.files.Exists("/node/wal/2.wal");
    while (node.background_pool.RunOne()) {
    }
    node.files.PowerOff();
  };
  while (node.writer_pool.RunOne()) {
  }
  ASSERT_TRUE(ran);
  wal.reset();
  ASSERT_OK(node.Reboot(Loss::kLoseAllUnsynced));
  ASSERT_TRUE(node.wal->Find(1).has_value());
  EXPECT_EQ(node.wal->Find(1)->mark.index, 18u);
}

// The only segment with entries of group 1 is gone, and later ones say nothing of it but its state.
TEST(WalFaults, TheOldestSegmentThatIsGoneIsMissed) {  // E163
  Node node(1);
  ASSERT_OK(node.Open());
  ASSERT_OK(node.Append(1, {.entries = MakeEntries(1, 3)}));
  raft::Index next = 1;
  while (node.wal->segment_count() < 3) {
    ASSERT_OK(node.Append(2, {.entries = MakeEntries(next++, 1, 1, 500)}));
  }
  ASSERT_OK(node.Append(2, {.truncate_prefix = raft::SnapshotMark{next - 1, 1, {}}}));
  node.wal.reset();
  ASSERT_OK(node.dir->Remove("wal/1.wal"));
  EXPECT_THAT(node.Open(),
              StatusIs(StatusCode::kDataLoss, HasSubstr("a segment that is older seems to be gone\n"
                                                        "group 1: entries 1 to 3 are missing")));
}

// Several segments go at once: no crash leaves a gap between those that stay.
TEST(WalFaults, SegmentsAreRetiredInOrder) {  // E115
  Node before(3);
  ASSERT_OK(before.Open());
  before.Run();
  raft::Index next = 1;
  const auto append = [&](const Batch& batch) {  // without upkeep
    ASSERT_OK(before.wal->Append(1, batch, nullptr));
    while (before.writer_pool.RunOne()) {
    }
  };
  while (before.wal->segment_count() < 5) append({.entries = MakeEntries(next++, 1, 1, 500)});
  append({.truncate_prefix = raft::SnapshotMark{next - 1, 1, {}}});
  before.wal.reset();
  before.files.Settle();
  bool cut = true;
  for (int n = 1; cut; ++n) {
    ASSERT_LT(n, 100);
    for (uint64_t attempt = 0; attempt < 10; ++attempt) {
      Node node(3);
      node.files = before.files;
      node.files.PowerLossAt(n);
      node.Open().IgnoreError();
      node.Run();
      cut = node.files.off();
      ASSERT_OK(node.Reboot(Loss::kSeeded, attempt)) << n << " " << attempt;
      EXPECT_EQ(node.wal->Find(1)->mark.index, next - 1);
    }
  }
}

}  // namespace
}  // namespace slipway::eraft::wal
