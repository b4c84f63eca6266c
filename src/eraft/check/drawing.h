// A history as a page for the browser: a line for each client, a box for each operation, and the
// order of the longest prefix that the model explains. Thread-safe: functions without state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "eraft/check/linearizability.h"

namespace slipway::eraft::check {

struct Box {
  int client = 0;
  int64_t call = 0;
  int64_t end = kNever;
  std::string text;
};

// One HTML document without outside references. `prefixes` are Result::longest; the boxes of the
// prefix that is chosen are numbered in its order, and those that no prefix holds are marked.
std::string DrawHistory(const std::string& title, const std::vector<Box>& boxes,
                        const std::vector<std::vector<size_t>>& prefixes);

template <class Model>
std::string DrawHistory(const std::string& title, const std::vector<Operation<Model>>& history,
                        const Result& result) {
  std::vector<Box> boxes;
  boxes.reserve(history.size());
  for (const Operation<Model>& op : history) {
    boxes.push_back(
        {op.client, op.call, op.end, Model::Describe(op.input, op.output ? &*op.output : nullptr)});
  }
  return DrawHistory(title, boxes, result.longest);
}

}  // namespace slipway::eraft::check
