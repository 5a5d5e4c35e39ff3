#include "simulation/grid/heat_map.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "simulation/chart.h"

namespace cairn {
namespace {

constexpr double kLeft = 52, kTop = 28, kBottom = 34, kCellWidth = 72, kCellHeight = 40, kGap = 2;
constexpr std::size_t kNoteCharacters = 13;  // As many as a cell is wide.

std::string Text(double x, double y, const char* anchor, const char* css, const std::string& text) {
  return absl::StrFormat("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">%s</text>\n", x, y, anchor, css,
                         EscapeXml(text));
}

std::string CellSvg(const HeatCell& cell, std::size_t column, std::size_t row) {
  const double x = kLeft + kCellWidth * static_cast<double>(column), y = kTop + kCellHeight * static_cast<double>(row);
  const double middle = x + (kCellWidth - kGap) / 2;
  const std::string fill = cell.level ? absl::StrCat("var(--heat-", *cell.level, ")") : "none";
  return absl::StrCat(
      "<g><title>", EscapeXml(cell.tooltip), "</title>",
      absl::StrFormat("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"3\" class=\"heat\" "
                      "fill=\"%s\"/>\n",
                      x, y, kCellWidth - kGap, kCellHeight - kGap, fill),
      Text(middle, y + (cell.note.empty() ? 24 : 18), "middle", "value", cell.text),
      cell.note.empty() ? "" : Text(middle, y + 31, "middle", "note", cell.note.substr(0, kNoteCharacters)), "</g>\n");
}

}  // namespace

std::string HeatMapSvg(const HeatMap& map) {
  const double width = kLeft + kCellWidth * static_cast<double>(map.x.size());
  const double bottom = kTop + kCellHeight * static_cast<double>(map.y.size());
  std::string out = absl::StrFormat("<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n", width,
                                    bottom + kBottom, EscapeXml(map.title));
  absl::StrAppend(&out, Text(kLeft, 16, "start", "title", map.title));
  absl::StrAppend(&out, Text(0, 16, "start", "tick", map.y_label));
  for (std::size_t row = 0; row < map.y.size(); ++row) {
    const double y = kTop + kCellHeight * static_cast<double>(row);
    absl::StrAppend(&out, Text(kLeft - 8, y + 24, "end", "tick", map.y[row]));
    for (std::size_t column = 0; column < map.x.size(); ++column) {
      absl::StrAppend(&out, CellSvg(map.cells[row][column], column, row));
    }
  }
  for (std::size_t column = 0; column < map.x.size(); ++column) {
    const double middle = kLeft + kCellWidth * (static_cast<double>(column) + 0.5) - kGap / 2;
    absl::StrAppend(&out, Text(middle, bottom + 14, "middle", "tick", map.x[column]));
  }
  return absl::StrCat(out, Text((kLeft + width) / 2, bottom + 29, "middle", "tick", map.x_label), "</svg>\n");
}

}  // namespace cairn
