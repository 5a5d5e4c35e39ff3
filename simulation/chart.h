// A small line chart as inline SVG. Colours come from the page's CSS variables --series-0, --series-1, …, so that the
// chart follows light and dark.
#pragma once

#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace cairn {

struct Series {
  std::string name;
  std::size_t colour = 0;                         // Index of the CSS variable.
  std::vector<std::pair<double, double>> points;  // Ascending by x.
  bool markers = false;
};

struct Chart {
  std::string title, x_label;
  std::vector<Series> series;
  double x_max = 1;
  bool whole_x = false;                                      // Ticks at whole numbers only.
  double y_limit = std::numeric_limits<double>::infinity();  // Points above it, infinite ones too, are drawn at it.
};

// Empty series are left out; the y axis fits the points. Well-formed XML.
std::string ChartSvg(const Chart& chart);

// & < > " as entities.
std::string EscapeXml(const std::string& text);

}  // namespace cairn
