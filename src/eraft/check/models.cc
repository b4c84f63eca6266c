#include "eraft/check/models.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/bytes.h"
#include "base/digest/xxh3.h"

namespace slipway::eraft::check {
namespace {

uint64_t HashText(const std::string& text) { return base::Xxh3Of(base::AsBytes(text))[0]; }

std::string Shown(const std::optional<std::string>& value) {
  if (!value.has_value()) return "absent";
  constexpr size_t kShownMax = 40;
  if (value->size() <= kShownMax) return absl::StrCat("\"", *value, "\"");
  return absl::StrCat("\"…", value->substr(value->size() - kShownMax), "\" (", value->size(),
                      " bytes)");
}

}  // namespace

bool RegisterModel::Step(State& state, const Input& input, const Output* output) {
  switch (input.kind) {
    case Kind::kGet:
      return output == nullptr || output->value == state;
    case Kind::kPut:
      state = input.value;
      return true;
    case Kind::kAppend:
      if (!state.has_value()) state.emplace();
      state->append(input.value);
      return true;
    case Kind::kDelete:
      state.reset();
      return true;
    case Kind::kCompareAndSet: {
      const bool swap = state == input.expected;
      if (output != nullptr && output->swapped != swap) return false;
      if (swap) state = input.value;
      return true;
    }
  }
  return false;
}

uint64_t RegisterModel::Hash(const State& state) {
  return state.has_value() ? HashText(*state) : 0;
}

std::string RegisterModel::Describe(const Input& input, const Output* output) {
  const std::string on = absl::StrCat("(", input.key);
  switch (input.kind) {
    case Kind::kGet:
      return absl::StrCat("get", on, ") ", output == nullptr ? "?" : Shown(output->value));
    case Kind::kPut:
      return absl::StrCat("put", on, ", ", Shown(input.value), output == nullptr ? ") ?" : ")");
    case Kind::kAppend:
      return absl::StrCat("append", on, ", ", Shown(input.value), output == nullptr ? ") ?" : ")");
    case Kind::kDelete:
      return absl::StrCat("delete", on, output == nullptr ? ") ?" : ")");
    case Kind::kCompareAndSet:
      return absl::StrCat("cas", on, ", ", Shown(input.expected), " to ", Shown(input.value), ") ",
                          output == nullptr ? "?" : (output->swapped ? "swapped" : "kept"));
  }
  return "?";
}

namespace {

bool IsToken(const std::string& value) {
  return value.size() >= 2 && value.front() == '[' && value.find(']') == value.size() - 1 &&
         value.find('[', 1) == std::string::npos;
}

// When each token was first seen by a read, by the end of that read.
std::unordered_map<std::string, int64_t> FirstSeen(
    const std::vector<Operation<RegisterModel>>& history) {
  std::unordered_map<std::string, int64_t> seen;
  for (const Operation<RegisterModel>& op : history) {
    if (op.input.kind != RegisterModel::Kind::kGet || !op.output.has_value()) continue;
    if (!op.output->value.has_value()) continue;
    const std::string& value = *op.output->value;
    for (size_t at = 0; at < value.size();) {
      const size_t end = std::min(value.find(']', at), value.size() - 1);
      const auto [place, added] = seen.try_emplace(value.substr(at, end + 1 - at), op.end);
      if (!added) place->second = std::min(place->second, op.end);
      at = end + 1;
    }
  }
  return seen;
}

}  // namespace

std::vector<Operation<RegisterModel>> SettleUnknownWrites(
    std::vector<Operation<RegisterModel>> history) {
  using Kind = RegisterModel::Kind;
  bool compared = false;
  std::unordered_set<std::string> written;
  for (const Operation<RegisterModel>& op : history) {
    compared = compared || op.input.kind == Kind::kCompareAndSet;
    if (op.input.kind == Kind::kGet || op.input.kind == Kind::kDelete) continue;
    if (!IsToken(op.input.value) || !written.insert(op.input.value).second) return history;
  }
  const std::unordered_map<std::string, int64_t> seen = FirstSeen(history);
  std::vector<Operation<RegisterModel>> settled;
  for (Operation<RegisterModel>& op : history) {
    if (op.end == kNever && op.input.kind == Kind::kGet) continue;
    const bool writes = op.input.kind == Kind::kPut || op.input.kind == Kind::kAppend;
    if (op.end == kNever && writes) {
      const auto found = seen.find(op.input.value);
      if (found == seen.end() && !compared) continue;
      if (found != seen.end() && found->second >= op.call) {
        op.end = found->second;
        op.output.emplace();
      }
    }
    settled.push_back(std::move(op));
  }
  return settled;
}

bool TxnModel::Step(State& state, const Input& input, const Output* output) {
  bool succeeded = true;
  for (const Compare& compare : input.compares) {
    const auto found = state.find(compare.key);
    succeeded = succeeded &&
                (compare.value.has_value() ? found != state.end() && found->second == *compare.value
                                           : found == state.end());
  }
  if (output != nullptr && output->succeeded != succeeded) return false;
  size_t got = 0;
  for (const Action& action : succeeded ? input.success : input.failure) {
    const auto found = state.find(action.key);
    if (action.kind == Kind::kPut) {
      state[action.key] = action.value;
    } else if (action.kind == Kind::kDelete) {
      state.erase(action.key);
    } else if (output != nullptr) {
      std::optional<std::string> value;
      if (found != state.end()) value = found->second;
      if (got >= output->gets.size() || output->gets[got++] != value) return false;
    }
  }
  return output == nullptr || got == output->gets.size();
}

uint64_t TxnModel::Hash(const State& state) {
  uint64_t hash = state.size();
  for (const auto& [key, value] : state) {
    hash = hash * 0x100000001b3 + (HashText(key) ^ (HashText(value) << 1));
  }
  return hash;
}

std::string TxnModel::Describe(const Input& input, const Output* output) {
  const auto action_text = [](std::string* out, const Action& action) {
    absl::StrAppend(out,
                    action.kind == Kind::kGet   ? "get "
                    : action.kind == Kind::kPut ? "put "
                                                : "del ",
                    action.key, action.kind == Kind::kPut ? "=" : "", action.value);
  };
  const auto compare_text = [](std::string* out, const Compare& compare) {
    absl::StrAppend(out, compare.key, "==", Shown(compare.value));
  };
  std::string text = absl::StrCat("txn if ", absl::StrJoin(input.compares, ",", compare_text),
                                  " then ", absl::StrJoin(input.success, ",", action_text),
                                  " else ", absl::StrJoin(input.failure, ",", action_text), ": ");
  if (output == nullptr) return text + "?";
  absl::StrAppend(&text, output->succeeded ? "then" : "else");
  for (const std::optional<std::string>& value : output->gets) {
    absl::StrAppend(&text, " ", Shown(value));
  }
  return text;
}

bool QueueModel::Step(State& state, const Input& input, const Output* output) {
  if (input.push.has_value()) {
    state.push_back(*input.push);
    return true;
  }
  std::optional<std::string> first;
  if (!state.empty()) {
    first = std::move(state.front());
    state.pop_front();
  }
  return output == nullptr || output->taken == first;
}

uint64_t QueueModel::Hash(const State& state) {
  uint64_t hash = state.size();
  for (const std::string& event : state) hash = hash * 0x100000001b3 + HashText(event);
  return hash;
}

std::string QueueModel::Describe(const Input& input, const Output* output) {
  if (input.push.has_value()) {
    return absl::StrCat("push(", *input.push, output == nullptr ? ") ?" : ")");
  }
  return absl::StrCat("take() ", output == nullptr ? "?" : Shown(output->taken));
}

}  // namespace slipway::eraft::check
