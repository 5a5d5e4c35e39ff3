// A small heat-map as inline SVG. Colours come from the page's CSS variables --heat-0, --heat-1, …, so that it follows
// light and dark.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace cairn {

inline constexpr int kHeatLevels = 9;

struct HeatCell {
  std::optional<int> level;  // 0 to kHeatLevels - 1. None: there is no value.
  std::string text, note;    // In the cell: the value, and smaller below it.
  std::string tooltip;
};

struct HeatMap {
  std::string title, x_label, y_label;
  std::vector<std::string> x, y;             // Names of columns, and of rows from the top.
  std::vector<std::vector<HeatCell>> cells;  // [y][x]
};

// Well-formed XML.
std::string HeatMapSvg(const HeatMap& map);

}  // namespace cairn
