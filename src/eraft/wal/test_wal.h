// What the tests of the log share: a simulated machine with a log on it, and a model of what the
// log should say.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/digest/crc32c.h"
#include "base/metrics/metrics.h"
#include "base/sim/clock.h"
#include "base/sim/files.h"
#include "base/sim/pool.h"
#include "base/testing/status_matchers.h"
#include "eraft/wal/wal.h"

namespace slipway::eraft::wal {

inline raft::Entry MakeEntry(raft::Index index, raft::Term term, absl::string_view payload,
                             raft::EntryKind kind = raft::EntryKind::kCommand) {
  raft::Entry entry;
  entry.index = index;
  entry.term = term;
  entry.kind = kind;
  entry.payload = raft::Slice(base::Bytes(payload.begin(), payload.end()));
  entry.payload_crc = base::Crc32c(entry.payload.view());
  return entry;
}

// Entries first, first + 1, … of one term with payloads of `bytes` that tell them apart.
inline std::vector<raft::Entry> MakeEntries(raft::Index first, size_t count, raft::Term term = 1,
                                            size_t bytes = 20) {
  std::vector<raft::Entry> entries;
  for (size_t i = 0; i < count; ++i) {
    std::string payload = absl::StrCat("e", first + i, ".", term, ":");
    while (payload.size() < bytes) payload += static_cast<char>('a' + (first + i) % 26);
    entries.push_back(MakeEntry(first + i, term, payload));
  }
  return entries;
}

inline constexpr ClusterId kTestCluster = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

// A machine whose disk holds one node's directory. Jobs run when the test says.
class Node {
 public:
  explicit Node(uint64_t seed, uint64_t segment_bytes = kSegmentBytesMin)
      : files(seed), writer_pool(seed), background_pool(seed + 1) {
    options.cluster = kTestCluster;
    options.segment_bytes = segment_bytes;
    EXPECT_TRUE(files.MakeRoot("/node").ok());
    files.Settle();
  }

  // Opens the log; what was open before is forgotten, as in a crash.
  absl::Status Open() {
    wal.reset();
    dir.reset();
    recovery = WalRecovery();
    base::Owned<base::Dir> opened = files.OpenRoot("/node");
    if (!opened.ok()) return opened.status();
    dir = *std::move(opened);
    const WalParts parts{*dir, writer_pool, background_pool, clock, metrics};
    absl::StatusOr<std::unique_ptr<Wal>> log = Wal::Open(options, parts, &recovery);
    if (!log.ok()) return log.status();
    wal = *std::move(log);
    return absl::OkStatus();
  }
  void Run() {
    while (writer_pool.RunOne() || background_pool.RunOne()) {
    }
  }
  // Appends, runs the jobs, and gives the answer.
  absl::Status Append(raft::GroupId group, Batch batch) {
    absl::Status answer = absl::UnknownError("not answered");
    const absl::Status accepted = wal->Append(
        group, std::move(batch), [&answer](absl::Status status) { answer = std::move(status); });
    if (!accepted.ok()) return accepted;
    Run();
    return answer;
  }
  // The power goes; the log is opened again on what is left.
  absl::Status Reboot(base::sim::Loss loss = base::sim::Loss::kSeeded, uint64_t attempt = 0) {
    wal.reset();
    files.Reboot(loss, attempt);
    return Open();
  }

  WalOptions options;
  base::sim::Files files;
  base::sim::Clock clock;
  base::Metrics metrics;
  base::sim::Pool writer_pool;
  base::sim::Pool background_pool;
  std::unique_ptr<base::Dir> dir;
  WalRecovery recovery;
  std::unique_ptr<Wal> wal;
};

// How many operations of the disk have `word` in their trace.
inline size_t CountTraced(const Node& node, absl::string_view word = "fdatasync node/wal/") {
  size_t count = 0;
  for (const std::string& line : node.files.trace()) {
    if (absl::StrContains(line, word)) ++count;
  }
  return count;
}

// What a log should say of a group, the slow and obvious way.
struct GroupModel {
  raft::HardState hard_state;
  raft::SnapshotMark mark;
  std::map<raft::Index, raft::Entry> entries;

  void Apply(const Batch& batch) {
    if (batch.hard_state) hard_state = *batch.hard_state;
    if (batch.truncate_suffix_from) {
      entries.erase(entries.lower_bound(*batch.truncate_suffix_from), entries.end());
    }
    if (!batch.entries.empty()) {
      entries.erase(entries.lower_bound(batch.entries.front().index), entries.end());
      for (const raft::Entry& entry : batch.entries) entries[entry.index] = entry;
    }
    if (batch.truncate_prefix && batch.truncate_prefix->index >= mark.index) {
      mark = *batch.truncate_prefix;
    }
    entries.erase(entries.begin(), entries.upper_bound(mark.index));
  }
  friend bool operator==(const GroupModel& a, const GroupModel& b) {
    return a.hard_state == b.hard_state && a.mark == b.mark && a.entries == b.entries;
  }
};
using LogModel = std::map<raft::GroupId, GroupModel>;

inline void ApplyTo(LogModel& model, raft::GroupId group, const Batch& batch) {
  if (batch.remove_group) {
    model.erase(group);
  } else {
    model[group].Apply(batch);
  }
}

// What the open log says; an error of reading fails the test.
inline LogModel ModelOf(const Wal& wal) {
  LogModel model;
  for (const raft::GroupId id : wal.Groups()) {
    const std::optional<GroupView> view = wal.Find(id);
    GroupModel& group = model[id];
    group.hard_state = view->hard_state;
    group.mark = view->mark;
    if (view->last_index < view->first_index) continue;
    const auto entries = wal.Read(id, view->first_index, view->last_index, UINT64_MAX);
    EXPECT_OK(entries);
    if (!entries.ok()) continue;
    for (const raft::Entry& entry : *entries) group.entries[entry.index] = entry;
  }
  return model;
}

}  // namespace slipway::eraft::wal
