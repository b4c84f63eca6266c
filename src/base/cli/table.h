// Aligned columns for people. Thread-compatible.
#pragma once

#include <string>
#include <vector>

#include "base/cli/streams.h"

namespace slipway::base::cli {

enum class Align : uint8_t { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
  bool shrink = false;  // may be cut with "…" on a terminal that is too narrow
};

class Table {
 public:
  explicit Table(std::vector<Column> columns);
  // Cells beyond the columns are dropped, missing ones are empty. Control characters are escaped.
  void AddRow(std::vector<std::string> cells, Tone tone = Tone::kPlain);
  bool empty() const { return rows_.empty(); }
  // Two spaces between columns, none at line ends. Cut to `streams.width` only on a terminal: what
  // is piped is whole. An empty table is only its titles.
  std::string Render(const Streams& streams) const;

 private:
  struct Row {
    std::vector<std::string> cells;
    Tone tone;
  };
  std::vector<int> Widths(const Streams& streams) const;

  std::vector<Column> columns_;
  std::vector<Row> rows_;
};

}  // namespace slipway::base::cli
