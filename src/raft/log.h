// The log of one group as its core sees it: the terms of all entries since the last compaction, and
// the newest entries themselves in a ring (E106). Thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "raft/types.h"

namespace slipway::raft {

// How many entries may stand where `bytes_max` of payload may: one without payload takes room, too.
inline uint64_t EntriesMax(uint64_t bytes_max) { return 64 + bytes_max / 16; }

// Invariants, with C = compacted(), F = first_in_memory(), A = what MarkApplied said:
//   C < F, F - 1 <= max(A, C), F - 1 <= last(); the term of each entry in [C, last()] is known.
// Terms are kept as runs: one pair for each term that has entries, so a log of millions of entries
// can be searched for a conflict without reading any of them.
class Log {
 public:
  // A log that begins after the entry (`index`, `term`).
  Log(Index index, Term term);

  Index compacted() const { return runs_.front().first; }  // entries up to here are gone
  Index last() const { return first_ + count_ - 1; }
  Term last_term() const { return runs_.back().term; }
  Index first_in_memory() const { return first_; }
  uint64_t memory_bytes() const { return bytes_; }

  // Absent: below compacted() or above last().
  std::optional<Term> TermAt(Index index) const;
  bool Holds(Index index, Term term) const { return TermAt(index) == term; }
  // The first entry of the same term as entry `index`, which TermAt knows.
  Index FirstOfTermAt(Index index) const;
  // The last entry up to `limit` that has `term`.
  std::optional<Index> LastOfTerm(Term term, Index limit) const;

  // An entry that memory has.
  const Entry& At(Index index) const { return ring_[Slot(index)]; }
  // Appends to `out` the entries [first, last] that memory has, up to `bytes_max` of payload and
  // EntriesMax of them, but at least one. Answers the bytes of payload.
  uint64_t Copy(Index first, Index last, uint64_t bytes_max, std::vector<Entry>& out) const;

  // `entry.index` is last() + 1; its term at least last_term().
  void Append(Entry entry);
  // Entries from `first` on are gone; first > what was applied.
  void TruncateFrom(Index first);
  // The entries up to `index` are on disk and applied: memory keeps at most `bytes_max` of them.
  void MarkApplied(Index index, uint64_t bytes_max);
  // Entries up to `index` are gone; TermAt(index) is known.
  void Compact(Index index);
  // All entries are gone; the log begins after (`index`, `term`).
  void Reset(Index index, Term term);
  // Gives memory back that only a busier time needed.
  void Shrink();

 private:
  struct Run {
    Index first = 0;
    Term term = 0;
  };
  size_t Slot(Index index) const {
    return (head_ + static_cast<size_t>(index - first_)) & (ring_.size() - 1);
  }
  static uint64_t SizeOf(const Entry& entry) { return sizeof(Entry) + entry.payload.size(); }
  std::vector<Run>::const_iterator RunOf(Index index) const;
  void Resize(size_t slots);
  void DropFront();

  std::vector<Run> runs_;    // rising; the first begins at the compacted entry
  std::vector<Entry> ring_;  // its size is a power of two
  size_t head_ = 0;          // slot of entry first_
  Index first_ = 1;
  size_t count_ = 0;
  uint64_t bytes_ = 0;          // of the entries in memory
  Index applied_ = 0;           //
  uint64_t applied_bytes_ = 0;  // of those up to applied_
};

}  // namespace slipway::raft
