// Sequential models that histories of a key-value store are held against. Thread-safe: no state.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "eraft/check/linearizability.h"

namespace slipway::eraft::check {

// One key with get, put, append, delete and compare-and-set. A missing key reads as absent, appends
// as empty; compare-and-set compares with `expected` (absent: the key must be missing).
struct RegisterModel {
  enum class Kind { kGet, kPut, kAppend, kDelete, kCompareAndSet };
  using State = std::optional<std::string>;
  struct Input {
    Kind kind = Kind::kGet;
    std::string key;
    std::string value;                    // put, append, compare-and-set
    std::optional<std::string> expected;  // compare-and-set
  };
  struct Output {
    std::optional<std::string> value;  // get
    bool swapped = false;              // compare-and-set
  };
  static State Initial() { return std::nullopt; }
  static bool Step(State& state, const Input& input, const Output* output);
  static uint64_t Hash(const State& state);
  static std::string Describe(const Input& input, const Output* output);
};

// Settles what later reads tell about writes of unknown outcome, which make the search exponential:
// a put or append whose value was read took effect before the end of the first read that shows it,
// and one that nobody read may be left out (it changed nothing that was seen). Sound where every
// value written is its own token "[…]" without brackets inside, and, for leaving out, where no
// compare-and-set looked at the key; a history of one key that is otherwise comes back unchanged.
std::vector<Operation<RegisterModel>> SettleUnknownWrites(
    std::vector<Operation<RegisterModel>> history);

// Transactions of etcd over few keys: compares, then one of two lists of operations.
struct TxnModel {
  using State = std::map<std::string, std::string>;
  struct Compare {
    std::string key;
    std::optional<std::string> value;  // absent: the key must be missing
  };
  enum class Kind { kGet, kPut, kDelete };
  struct Action {
    Kind kind = Kind::kGet;
    std::string key, value;
  };
  struct Input {
    std::vector<Compare> compares;
    std::vector<Action> success, failure;
  };
  struct Output {
    bool succeeded = false;
    std::vector<std::optional<std::string>> gets;  // of the list that ran, in order
  };
  static State Initial() { return {}; }
  static bool Step(State& state, const Input& input, const Output* output);
  static uint64_t Hash(const State& state);
  static std::string Describe(const Input& input, const Output* output);
};

// A queue of events, as a watcher sees those of a key range: each once, in order, none missing.
struct QueueModel {
  using State = std::deque<std::string>;
  struct Input {
    std::optional<std::string> push;  // absent: take the first
  };
  struct Output {
    std::optional<std::string> taken;  // absent: the queue was empty
  };
  static State Initial() { return {}; }
  static bool Step(State& state, const Input& input, const Output* output);
  static uint64_t Hash(const State& state);
  static std::string Describe(const Input& input, const Output* output);
};

}  // namespace slipway::eraft::check
