// Whether a history of concurrent operations is linearizable (Herlihy, Wing 1990): is there one
// order of all operations that respects real time and that a sequential model explains? The search
// is Wing and Gong's with Lowe's memoisation ("Testing for linearizability", 2017): a configuration
// is the set of operations taken and the state they lead to, and none is entered twice.
// Thread-safe: functions without state.
//
// A model is a type with
//   State, Input, Output;  State kInitial-like `static State Initial()`;
//   static bool Step(State&, const Input&, const Output*)  whether the state explains the output,
//   and
//     the state after it. The output is null where the client never learned it: then any is right;
//   static uint64_t Hash(const State&), operator== of State;
//   static std::string Describe(const Input&, const Output*) one line for people.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace slipway::eraft::check {

// End of an operation whose outcome the client does not know: it may take effect at any time after
// its call, or never (E144).
inline constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

template <class Model>
struct Operation {
  int client = 0;
  int64_t call = 0;  // any monotone unit; an end and a call at one time count as concurrent
  int64_t end = kNever;
  typename Model::Input input{};
  std::optional<typename Model::Output> output;  // absent exactly if `end` is kNever
};

enum class Verdict { kOk, kIllegal, kUnknown };  // kUnknown: the limit of steps was reached

struct Result {
  Verdict verdict = Verdict::kOk;
  uint64_t steps = 0;  // attempts to take an operation
  // With kIllegal: the longest orders found, as numbers of operations; each is one that no further
  // operation extends. At most kPrefixesMax, longest first.
  std::vector<std::vector<size_t>> longest;
};
inline constexpr size_t kPrefixesMax = 8;

namespace internal {

class BitSet {
 public:
  explicit BitSet(size_t bits) : words_((bits + 63) / 64) {}
  void Flip(size_t bit) { words_[bit / 64] ^= uint64_t{1} << (bit % 64); }
  friend bool operator==(const BitSet& a, const BitSet& b) { return a.words_ == b.words_; }

 private:
  std::vector<uint64_t> words_;
};

// splitmix64 (Steele, Lea, Flood 2014): spreads the number of an operation over all bits, so that
// the hash of a set is the xor over its members.
inline uint64_t Spread(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

inline constexpr size_t kNoNode = std::numeric_limits<size_t>::max();

// Calls and ends in order of time, doubly linked, so that an operation is taken out and put back in
// constant time (Knuth's dancing links). Node 0 is the head.
class Timeline {
 public:
  struct Event {
    int64_t time;
    bool end;
    size_t operation;
  };
  explicit Timeline(std::vector<Event> events, size_t operations)
      : nodes_(events.size() + 1), call_of_(operations), end_of_(operations, kNoNode) {
    // At one time calls come first: what only touches counts as concurrent.
    std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
      return a.time != b.time ? a.time < b.time : a.end < b.end;
    });
    for (size_t i = 0; i < events.size(); ++i) {
      Node& node = nodes_[i + 1];
      node = {i, i + 2 <= events.size() ? i + 2 : kNoNode, events[i].operation, events[i].end};
      (events[i].end ? end_of_ : call_of_)[events[i].operation] = i + 1;
    }
    nodes_[0].next = events.empty() ? kNoNode : 1;
  }
  size_t First() const { return nodes_[0].next; }
  size_t After(size_t node) const { return nodes_[node].next; }
  size_t CallOf(size_t operation) const { return call_of_[operation]; }
  bool IsEnd(size_t node) const { return nodes_[node].end; }
  size_t OperationOf(size_t node) const { return nodes_[node].operation; }
  bool Completes(size_t operation) const { return end_of_[operation] != kNoNode; }

  void TakeOut(size_t operation) {
    Unlink(call_of_[operation]);
    if (Completes(operation)) Unlink(end_of_[operation]);
  }
  void PutBack(size_t operation) {  // in the reverse order of TakeOut
    if (Completes(operation)) Relink(end_of_[operation]);
    Relink(call_of_[operation]);
  }

 private:
  struct Node {
    size_t previous = 0, next = kNoNode, operation = 0;
    bool end = false;
  };
  void Unlink(size_t at) {
    nodes_[nodes_[at].previous].next = nodes_[at].next;
    if (nodes_[at].next != kNoNode) nodes_[nodes_[at].next].previous = nodes_[at].previous;
  }
  void Relink(size_t at) {
    nodes_[nodes_[at].previous].next = at;
    if (nodes_[at].next != kNoNode) nodes_[nodes_[at].next].previous = at;
  }
  std::vector<Node> nodes_;
  std::vector<size_t> call_of_, end_of_;
};

template <class Model>
class Search {
 public:
  Search(const std::vector<Operation<Model>>& history, uint64_t steps_max)
      : history_(history),
        steps_max_(steps_max),
        timeline_(Events(history), history.size()),
        taken_(history.size()) {
    for (size_t i = 0; i < history.size(); ++i) incomplete_ += timeline_.Completes(i) ? 1 : 0;
  }

  Result Run() {
    size_t at = timeline_.First();
    while (incomplete_ > 0) {
      // While something is left to complete its end is in the timeline, so `at` is a node.
      if (timeline_.IsEnd(at)) {  // nothing that may come before this end fits
        NotePrefix();
        if (order_.empty()) return {Verdict::kIllegal, steps_, std::move(longest_)};
        at = timeline_.After(Undo());
        continue;
      }
      if (++steps_ > steps_max_) return {Verdict::kUnknown, steps_, {}};
      at = Take(timeline_.OperationOf(at)) ? timeline_.First() : timeline_.After(at);
    }
    return {Verdict::kOk, steps_, {}};
  }

 private:
  using State = typename Model::State;
  struct Seen {
    BitSet taken;
    State state;
  };

  static std::vector<Timeline::Event> Events(const std::vector<Operation<Model>>& history) {
    std::vector<Timeline::Event> events;
    events.reserve(2 * history.size());
    for (size_t i = 0; i < history.size(); ++i) {
      events.push_back({history[i].call, false, i});
      if (history[i].end != kNever) events.push_back({history[i].end, true, i});
    }
    return events;
  }

  // Takes `operation` next, if the model allows it and the configuration is new.
  bool Take(size_t operation) {
    const Operation<Model>& op = history_[operation];
    State after = state_;
    if (!Model::Step(after, op.input, op.output ? &*op.output : nullptr)) return false;
    taken_.Flip(operation);
    const uint64_t set_hash = set_hash_ ^ Spread(operation);
    std::vector<Seen>& bucket = seen_[set_hash ^ Spread(Model::Hash(after))];
    for (const Seen& seen : bucket) {
      if (seen.taken == taken_ && seen.state == after) {
        taken_.Flip(operation);
        return false;
      }
    }
    bucket.push_back({taken_, after});
    set_hash_ = set_hash;
    states_.push_back(std::exchange(state_, std::move(after)));
    order_.push_back(operation);
    timeline_.TakeOut(operation);
    incomplete_ -= timeline_.Completes(operation) ? 1 : 0;
    return true;
  }

  // Puts the operation that was taken last back; where its call stands.
  size_t Undo() {
    const size_t operation = order_.back();
    order_.pop_back();
    state_ = std::move(states_.back());
    states_.pop_back();
    taken_.Flip(operation);
    set_hash_ ^= Spread(operation);
    timeline_.PutBack(operation);
    incomplete_ += timeline_.Completes(operation) ? 1 : 0;
    return timeline_.CallOf(operation);
  }

  void NotePrefix() {
    if (!longest_.empty() && order_.size() < longest_.front().size()) return;
    if (!longest_.empty() && order_.size() > longest_.front().size()) longest_.clear();
    if (longest_.size() < kPrefixesMax) longest_.push_back(order_);
  }

  const std::vector<Operation<Model>>& history_;
  const uint64_t steps_max_;
  Timeline timeline_;
  size_t incomplete_ = 0;  // operations with an end that are not taken yet
  State state_ = Model::Initial();
  BitSet taken_;
  uint64_t set_hash_ = 0;
  std::vector<size_t> order_;
  std::vector<State> states_;
  std::unordered_map<uint64_t, std::vector<Seen>> seen_;
  std::vector<std::vector<size_t>> longest_;
  uint64_t steps_ = 0;
};

}  // namespace internal

// Judges one history. `steps_max` bounds time and memory: the search is exponential at worst.
template <class Model>
Result CheckLinearizable(const std::vector<Operation<Model>>& history,
                         uint64_t steps_max = 20'000'000) {
  return internal::Search<Model>(history, steps_max).Run();
}

// Judges a history over many keys key by key, which is the same (locality: Herlihy, Wing, theorem
// 1) and far cheaper. `key_of(input)` gives something ordered.
template <class Model, class KeyOf>
auto SplitByKey(const std::vector<Operation<Model>>& history, KeyOf key_of) {
  using Key = std::decay_t<decltype(key_of(history.front().input))>;
  std::vector<std::pair<Key, std::vector<Operation<Model>>>> parts;
  std::vector<std::pair<Key, size_t>> order;
  for (size_t i = 0; i < history.size(); ++i) order.emplace_back(key_of(history[i].input), i);
  std::sort(order.begin(), order.end());
  for (const auto& [key, index] : order) {
    if (parts.empty() || parts.back().first != key) parts.push_back({key, {}});
    parts.back().second.push_back(history[index]);
  }
  return parts;
}

}  // namespace slipway::eraft::check
