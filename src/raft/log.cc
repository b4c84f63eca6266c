#include "raft/log.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace slipway::raft {
namespace {
constexpr size_t kSlotsMin = 16;
}  // namespace

Log::Log(Index index, Term term) { Reset(index, term); }

std::vector<Log::Run>::const_iterator Log::RunOf(Index index) const {
  const auto after =
      std::upper_bound(runs_.begin(), runs_.end(), index,
                       [](Index wanted, const Run& run) { return wanted < run.first; });
  return std::prev(after);
}

std::optional<Term> Log::TermAt(Index index) const {
  if (index < compacted() || index > last()) return std::nullopt;
  if (index >= runs_.back().first) return runs_.back().term;
  return RunOf(index)->term;
}

Index Log::FirstOfTermAt(Index index) const { return RunOf(index)->first; }

std::optional<Index> Log::LastOfTerm(Term term, Index limit) const {
  const auto run = std::lower_bound(runs_.begin(), runs_.end(), term,
                                    [](const Run& r, Term wanted) { return r.term < wanted; });
  if (run == runs_.end() || run->term != term || run->first > limit) return std::nullopt;
  const Index end = std::next(run) == runs_.end() ? last() : std::next(run)->first - 1;
  return std::min(end, limit);
}

uint64_t Log::Copy(Index first, Index last, uint64_t bytes_max, std::vector<Entry>& out) const {
  SLIPWAY_CHECK(first >= first_ && last <= this->last());
  uint64_t bytes = 0;
  for (Index index = first; index <= last; ++index) {
    const Entry& entry = At(index);
    if (index > first && bytes + entry.payload.size() > bytes_max) break;
    if (index - first >= EntriesMax(bytes_max)) break;
    bytes += entry.payload.size();
    out.push_back(entry);
  }
  return bytes;
}

void Log::Append(Entry entry) {
  SLIPWAY_CHECK(entry.index == last() + 1);
  SLIPWAY_CHECK(entry.term >= last_term());
  if (count_ == ring_.size()) Resize(std::max(kSlotsMin, ring_.size() * 2));
  if (entry.term != last_term()) runs_.push_back({entry.index, entry.term});
  bytes_ += SizeOf(entry);
  ++count_;
  ring_[Slot(entry.index)] = std::move(entry);
}

void Log::TruncateFrom(Index first) {
  SLIPWAY_CHECK(first > applied_);
  SLIPWAY_CHECK(first >= first_);
  while (count_ > 0 && last() >= first) {
    Entry& entry = ring_[Slot(last())];
    bytes_ -= SizeOf(entry);
    entry = Entry{};
    --count_;
  }
  while (runs_.size() > 1 && runs_.back().first >= first) runs_.pop_back();
}

void Log::MarkApplied(Index index, uint64_t bytes_max) {
  SLIPWAY_CHECK(index <= last());
  for (Index each = std::max(applied_ + 1, first_); each <= index; ++each) {
    applied_bytes_ += SizeOf(At(each));
  }
  applied_ = std::max(applied_, index);
  while (applied_bytes_ > bytes_max) DropFront();
}

void Log::DropFront() {
  Entry& entry = ring_[head_];
  bytes_ -= SizeOf(entry);
  if (entry.index <= applied_) applied_bytes_ -= SizeOf(entry);
  entry = Entry{};
  head_ = (head_ + 1) & (ring_.size() - 1);
  ++first_;
  --count_;
}

void Log::Compact(Index index) {
  SLIPWAY_CHECK(index >= compacted() && index <= last());
  const auto run = RunOf(index);
  const Term term = run->term;
  runs_.erase(runs_.begin(), run);
  runs_.front() = {index, term};
  while (count_ > 0 && first_ <= index) DropFront();
}

void Log::Reset(Index index, Term term) {
  for (Index each = first_; count_ > 0 && each <= last(); ++each) ring_[Slot(each)] = Entry{};
  runs_.assign(1, {index, term});
  head_ = 0;
  first_ = index + 1;
  count_ = 0;
  bytes_ = 0;
  applied_ = index;
  applied_bytes_ = 0;
}

void Log::Shrink() {
  size_t slots = kSlotsMin;
  while (slots < count_) slots *= 2;
  if (slots < ring_.size()) Resize(slots);
}

void Log::Resize(size_t slots) {
  std::vector<Entry> ring(slots);
  for (size_t i = 0; i < count_; ++i) {
    ring[i] = std::move(ring_[(head_ + i) & (ring_.size() - 1)]);
  }
  ring_ = std::move(ring);
  head_ = 0;
}

}  // namespace slipway::raft
