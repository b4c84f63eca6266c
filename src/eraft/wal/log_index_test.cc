#include "eraft/wal/log_index.h"

#include <map>

#include "base/sim/random.h"
#include "eraft/wal/test_wal.h"

namespace slipway::eraft::wal {
namespace {

// Against a plain map of index to (record, segment), on random sequences of what a log may hold.
TEST(LogIndex, AgreesWithAPlainMap) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    base::sim::Stream choices(seed);
    LogIndex index;
    std::map<raft::Index, std::pair<uint64_t, uint32_t>> plain;  // segment, offset
    raft::Index mark = 0;
    const auto apply = [&](const Batch& batch, uint8_t flags, uint64_t segment, uint64_t offset) {
      BatchBuilder builder;
      if (flags != 0) {
        builder.AddEntries(1, batch.entries, flags);
      } else {
        builder.Add(1, batch);
      }
      const BatchBuilder::Built built = builder.Finish({.offset = offset, .sequence = 1});
      for (const RecordRef& record : built.records) ASSERT_OK(index.Apply(record, segment));
      if (batch.entries.empty()) return;
      const raft::Index first = batch.entries.front().index;
      if (flags == 0) plain.erase(plain.lower_bound(first), plain.end());
      for (const raft::Entry& entry : batch.entries) {
        plain[entry.index] = {segment, static_cast<uint32_t>(built.records.back().offset)};
      }
    };
    for (uint64_t step = 0; step < 60; ++step) {
      const raft::Index last = plain.empty() ? mark : plain.rbegin()->first;
      const uint64_t segment = 1 + step / 10;
      const uint64_t offset = 4096 + step * 1000;
      switch (choices.Below(5)) {
        case 0:
        case 1: {
          const raft::Index first =
              last + 1 - choices.Below(std::min<uint64_t>(4, last - mark + 1));
          apply({.entries = MakeEntries(first, 1 + choices.Below(5))}, 0, segment, offset);
          break;
        }
        case 2: {
          if (plain.empty()) break;
          const raft::Index first = mark + 1 + choices.Below(last - mark);
          const raft::Index end = first + choices.Below(last - first + 1);
          apply({.entries = MakeEntries(first, end - first + 1)}, kFlagCopy, segment, offset);
          break;
        }
        case 3: {
          mark += choices.Below(last - mark + 1);
          apply({.truncate_prefix = raft::SnapshotMark{mark, 1, {}}}, 0, segment, offset);
          plain.erase(plain.begin(), plain.upper_bound(mark));
          break;
        }
        default: {
          const raft::Index from = mark + 1 + choices.Below(last - mark + 1);
          apply({.truncate_suffix_from = from}, 0, segment, offset);
          plain.erase(plain.lower_bound(from), plain.end());
        }
      }
      const GroupLog* const group = index.Find(1);
      std::map<raft::Index, std::pair<uint64_t, uint32_t>> found;
      std::map<uint64_t, uint64_t> live;
      if (group != nullptr) {
        ASSERT_TRUE(group->Missing().empty()) << seed;
        for (const Extent& extent : group->extents()) {
          live[extent.segment] += extent.bytes;
          for (raft::Index i = extent.first; i <= extent.last(); ++i) {
            found[i] = {extent.segment, extent.offset};
          }
        }
        ASSERT_EQ(group->live_bytes(), live) << seed;
      }
      ASSERT_EQ(found, plain) << "seed " << seed << " step " << step;
      for (uint64_t s = 1; s <= segment; ++s) ASSERT_EQ(index.Uses(s), live.count(s) > 0);
    }
  }
}

// One record, with its bytes, and the segment that holds it.
struct Held {
  uint64_t segment = 0;
  BatchBuilder::Built built;
};

LogIndex IndexOf(const std::vector<Held>& log, uint64_t from_segment) {
  LogIndex index;
  for (const Held& held : log) {
    if (held.segment < from_segment) continue;
    for (const RecordRef& record : held.built.records) EXPECT_OK(index.Apply(record, held.segment));
  }
  return index;
}

// Segments go from the oldest on. Those that hold no live entry are not missed, however the entries
// came to be void; without one that does, each group that had entries there lacks them.
TEST(LogIndex, TellsASegmentThatIsGoneFromOneThatWasRetired) {  // E115, E163
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    base::sim::Stream choices(seed);
    std::vector<Held> log;
    LogIndex whole;
    const auto write = [&](uint64_t segment, const auto& add) {
      BatchBuilder builder;
      add(builder);
      log.push_back({segment, builder.Finish({.offset = 4096 * (log.size() + 1), .sequence = 1})});
      for (const RecordRef& record : log.back().built.records) {
        ASSERT_OK(whole.Apply(record, segment));
      }
    };
    uint64_t segment = 0;
    for (uint64_t step = 0; step < 40; ++step) {
      if (step % 8 == 0) {
        write(++segment, [&](BatchBuilder& builder) {
          for (const auto& [id, group] : whole.groups()) {
            builder.Add(id, group.Checkpoint());
            if (!group.extents().empty()) builder.AddLastEntry(id, group.last_index());
          }
        });
      }
      const auto id = static_cast<raft::GroupId>(1 + choices.Below(2));
      const GroupLog* const group = whole.Find(id);
      const raft::Index last = group == nullptr ? 0 : group->last_index();
      const raft::Index mark = group == nullptr ? 0 : group->mark().index;
      const uint64_t live = last - mark;
      Batch batch;
      const uint64_t choice = choices.Below(12);
      if (choice < 4) {
        batch.entries = MakeEntries(last + 1 - choices.Below(live + 1), 1 + choices.Below(3));
      } else if (choice < 7) {
        batch.truncate_prefix = raft::SnapshotMark{mark + choices.Below(live + 1), 1, {}};
      } else if (choice < 8) {
        batch.truncate_suffix_from = mark + 1 + choices.Below(live + 1);
      } else if (choice < 9) {
        batch.remove_group = choices.Below(3) == 0;
      } else if (live > 0) {  // copied forward
        const raft::Index first = mark + 1 + choices.Below(live);
        const uint64_t count = 1 + choices.Below(last - first + 1);
        write(segment, [&](BatchBuilder& builder) {
          builder.AddEntries(id, MakeEntries(first, count), kFlagCopy);
        });
        continue;
      }
      write(segment, [&](BatchBuilder& builder) { builder.Add(id, batch); });
    }
    for (uint64_t from = 1; from <= segment; ++from) {
      const LogIndex index = IndexOf(log, from);
      for (const auto& [id, group] : whole.groups()) {
        const bool lacks = !group.live_bytes().empty() && group.live_bytes().begin()->first < from;
        const GroupLog* const found = index.Find(id);
        ASSERT_NE(found, nullptr);
        EXPECT_EQ(!found->Missing().empty(), lacks) << "seed " << seed << " from " << from;
        if (lacks) continue;
        EXPECT_EQ(found->last_index(), group.last_index());
      }
    }
  }
}

// Marks repeated by checkpoints, or late ones, never bring entries back.
TEST(LogIndex, AMarkNeverGoesBack) {
  BatchBuilder builder;
  builder.Add(1, {.entries = MakeEntries(1, 9), .truncate_prefix = raft::SnapshotMark{7, 1, {}}});
  builder.Add(1, {.truncate_prefix = raft::SnapshotMark{3, 1, {}}});
  LogIndex index;
  const BatchBuilder::Built built = builder.Finish({.offset = 4096, .sequence = 1});
  for (const RecordRef& record : built.records) ASSERT_OK(index.Apply(record, 1));
  EXPECT_EQ(index.Find(1)->mark().index, 7u);
  EXPECT_EQ(index.Find(1)->first_index(), 8u);
}

// A crash may leave any first records of a batch. What ends an install keeps its intent, so that
// recovery ends it again, until the log begins behind the snapshot (E162).
TEST(LogIndex, EachPrefixOfTheEndOfAnInstallHasTheIntentOrTheMark) {
  const raft::SnapshotMark mark = {9, 2, {}};
  BatchBuilder begin;
  begin.Add(1, {.entries = MakeEntries(1, 4), .snapshot_intent = SnapshotIntent{mark, "detail"}});
  BatchBuilder end;
  end.Add(1, {.truncate_suffix_from = 1,
              .truncate_prefix = mark,
              .snapshot_done = SnapshotDone{.index = 9, .term = 2}});
  const BatchBuilder::Built first = begin.Finish({.offset = 4096, .sequence = 1});
  const BatchBuilder::Built second = end.Finish({.offset = 9000, .sequence = 10});
  ASSERT_EQ(second.records.size(), 4u);  // with the batch's header
  for (size_t kept = 0; kept <= second.records.size(); ++kept) {
    LogIndex index;
    for (const RecordRef& record : first.records) ASSERT_OK(index.Apply(record, 1));
    for (size_t i = 0; i < kept; ++i) ASSERT_OK(index.Apply(second.records[i], 1));
    const Batch state = index.Find(1)->Checkpoint();
    EXPECT_TRUE(state.snapshot_intent.has_value() || state.truncate_prefix == mark) << kept;
    EXPECT_EQ(state.snapshot_intent.has_value(), kept < second.records.size()) << kept;
  }
}

}  // namespace
}  // namespace slipway::eraft::wal
