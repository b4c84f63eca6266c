#include "base/cli/table.h"

#include <algorithm>

#include "base/bytes.h"

namespace slipway::base::cli {
namespace {

constexpr int kGap = 2;
constexpr int kShrunkMin = 8;

std::string Pad(const std::string& cell, int width, Align align) {
  const std::string space(static_cast<size_t>(std::max(0, width - DisplayWidth(cell))), ' ');
  return align == Align::kLeft ? cell + space : space + cell;
}

}  // namespace

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::AddRow(std::vector<std::string> cells, Tone tone) {
  cells.resize(columns_.size());
  for (std::string& cell : cells) cell = EscapeForTerminal(cell);
  rows_.push_back({std::move(cells), tone});
}

std::vector<int> Table::Widths(const Streams& streams) const {
  std::vector<int> widths;
  for (const Column& column : columns_) widths.push_back(DisplayWidth(column.title));
  for (const Row& row : rows_) {
    for (size_t i = 0; i < row.cells.size(); ++i) {
      widths[i] = std::max(widths[i], DisplayWidth(row.cells[i]));
    }
  }
  if (!streams.out_is_terminal || widths.empty()) return widths;
  int total = kGap * (static_cast<int>(widths.size()) - 1);
  for (const int width : widths) total += width;
  for (size_t i = widths.size(); i-- > 0 && total > streams.width;) {
    if (!columns_[i].shrink || widths[i] <= kShrunkMin) continue;
    const int cut = std::min(total - streams.width, widths[i] - kShrunkMin);
    widths[i] -= cut;
    total -= cut;
  }
  return widths;
}

std::string Table::Render(const Streams& streams) const {
  const std::vector<int> widths = Widths(streams);
  std::string out;
  const auto write = [&](const std::vector<std::string>& cells, Tone tone) {
    std::string line;
    for (size_t i = 0; i < cells.size(); ++i) {
      if (i > 0) line.append(kGap, ' ');
      line += Pad(CutToWidth(cells[i], widths[i]), widths[i], columns_[i].align);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += Paint(line, tone, streams.color_out) + "\n";
  };
  std::vector<std::string> titles;
  for (const Column& column : columns_) titles.push_back(column.title);
  write(titles, Tone::kBold);
  for (const Row& row : rows_) write(row.cells, row.tone);
  return out;
}

}  // namespace slipway::base::cli
