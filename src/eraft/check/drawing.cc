#include "eraft/check/drawing.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace slipway::eraft::check {
namespace {

constexpr int kRowHeight = 34;
constexpr int kColumnWidth = 26;
constexpr int kLeft = 90;

std::string Escaped(const std::string& text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

// Times are drawn by rank, so that a long silence takes no room.
class Scale {
 public:
  explicit Scale(const std::vector<Box>& boxes) {
    for (const Box& box : boxes) {
      rank_[box.call] = 0;
      if (box.end != kNever) rank_[box.end] = 0;
    }
    int next = 0;
    for (auto& [time, rank] : rank_) rank = next++;
  }
  int At(int64_t time) const {
    return kLeft +
           kColumnWidth * (time == kNever ? static_cast<int>(rank_.size()) + 1 : rank_.at(time));
  }

 private:
  std::map<int64_t, int> rank_;
};

constexpr char kHead[] =
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><style>"
    "body{font:14px sans-serif;margin:1.5em}svg{border:1px solid #bbb}"
    ".box{fill:#cfe3f7;stroke:#33597f}.out{fill:#f7cfcf;stroke:#a02020}"
    ".open{stroke-dasharray:4 3}text{font:11px monospace}.n{font-weight:bold;fill:#102a44}"
    "</style>";

void DrawBox(std::string& page, const Box& box, int row, const Scale& scale, size_t place) {
  const int left = scale.At(box.call);
  const int width = std::max(kColumnWidth / 2, scale.At(box.end) - left);
  const int top = 10 + row * kRowHeight;
  absl::StrAppend(&page, "<g><title>", Escaped(box.text), "</title><rect class=\"",
                  place == 0 ? "out" : "box", box.end == kNever ? " open" : "", "\" x=\"", left,
                  "\" y=\"", top, "\" width=\"", width, "\" height=\"24\" rx=\"3\"/>");
  absl::StrAppend(&page, "<text class=\"n\" x=\"", left + 3, "\" y=\"", top + 11, "\">",
                  place == 0 ? "–" : absl::StrCat(place), "</text><text x=\"", left + 3, "\" y=\"",
                  top + 21, "\">", Escaped(box.text), "</text></g>\n");
}

}  // namespace

std::string DrawHistory(const std::string& title, const std::vector<Box>& boxes,
                        const std::vector<std::vector<size_t>>& prefixes) {
  const Scale scale(boxes);
  std::map<int, int> rows;
  for (const Box& box : boxes) rows[box.client] = 0;
  int next = 0;
  for (auto& [client, row] : rows) row = next++;

  std::string page =
      absl::StrCat(kHead, "<title>", Escaped(title), "</title></head><body><h1>", Escaped(title),
                   "</h1><p>", boxes.size(),
                   " operations. Numbers give the order of a longest prefix that the "
                   "model explains; red boxes are not in it; dashed ones never "
                   "returned. Point at a box for its text.</p>\n");
  for (size_t i = 0; i < std::max<size_t>(prefixes.size(), 1); ++i) {
    std::vector<size_t> place(boxes.size(), 0);
    if (i < prefixes.size()) {
      for (size_t at = 0; at < prefixes[i].size(); ++at) place[prefixes[i][at]] = at + 1;
      absl::StrAppend(&page, "<h2>Prefix ", i + 1, ": ", prefixes[i].size(), " of ", boxes.size(),
                      "</h2>\n");
    }
    absl::StrAppend(&page, "<svg width=\"", scale.At(kNever) + 2 * kColumnWidth, "\" height=\"",
                    20 + static_cast<int>(rows.size()) * kRowHeight, "\">\n");
    for (const auto& [client, row] : rows) {
      absl::StrAppend(&page, "<text x=\"4\" y=\"", 26 + row * kRowHeight, "\">client ", client,
                      "</text>\n");
    }
    for (size_t at = 0; at < boxes.size(); ++at) {
      DrawBox(page, boxes[at], rows[boxes[at].client], scale, place[at]);
    }
    page += "</svg>\n";
  }
  return page + "</body></html>\n";
}

}  // namespace slipway::eraft::check
